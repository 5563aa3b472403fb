"""Exported events against what approved steps explain: whatever is left over, and whatever is not there.

With a journal only its attempts explain anything: a change counts inside the span of its attempt, by the account that
the runner logs on as, at the domain controller that was written to (elsewhere until it was seen everywhere). Without
one, the wave's steps explain what lies in its windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orchestrator.expectation.attributes import BY_THEMSELVES, shown_attribute
from orchestrator.expectation.expected import Expectation, expected
from orchestrator.expectation.finding import Reconciled
from orchestrator.expectation.history import SKEW, History, Told, history
from orchestrator.expectation.incidents import Incidents
from orchestrator.expectation.missing import missing
from orchestrator.expectation.names import Names, User, short
from orchestrator.expectation.ours import Object, Ours
from orchestrator.expectation.seen import (
    ACCOUNTS,
    ADDED,
    CHANGES,
    KERBEROS,
    KEY_ISSUED,
    REGISTRY,
    TICKETS,
    SeenEvent,
)
from orchestrator.expectation.strangers import Strangers
from orchestrator.expectation.values import Wanted, folded_dn, trustees
from orchestrator.model.host import ENABLED
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.steps.effects import DESCRIPTOR, MEMBERSHIP, On


@dataclass(frozen=True)
class Case:
    """What events are held against.

    ``ids``: the migrations whose changes must be there. ``operators``: whom the runner logs on as. ``known``: dMSAs
    that others use rightfully, by name. ``privileged``: accounts that no link may name, beside the built-in ones.
    """

    plan: Plan
    ids: tuple[str, ...]
    operators: tuple[User, ...]
    run: RunState | None = None
    told: tuple[Told, ...] = ()
    names: Names | None = None
    known: frozenset[str] = frozenset()
    privileged: frozenset[str] = frozenset()


def reconcile(case: Case, events: Sequence[SeenEvent]) -> Reconciled:
    """Hold events against what is expected."""
    return _Reconciling(case, events).result()


class _Reconciling:
    def __init__(self, case: Case, events: Sequence[SeenEvent]) -> None:
        self._case, self._events = case, events
        self._told: History = history(case.told)
        self._ours = Ours.of(case.plan, case.run, self._told)
        journaled = case.run is not None
        about = [one.id for one in case.plan.migrations()] if journaled else list(case.ids)
        everything = expected(case.plan, about, case.run, self._told)
        self._expected = [one for one in everything if one.done or not journaled]
        self._index: dict[tuple[str, On | None, str], list[int]] = {}
        for number, one in enumerate(self._expected):
            self._index.setdefault((one.migration, one.on, one.attribute.lower()), []).append(number)
        self._hits: set[tuple[int, str]] = set()
        self._names = case.names or Names()
        learn(self._names, events)
        self._strangers = Strangers(self._ours, self._names, case.plan)
        self._incidents = Incidents(self._ours, case.operators, case.known, case.privileged, events)
        self._explained = self._not_ours = self._repeated = 0
        self._flagged: set[int] = set()
        self._let_in_by_us: dict[str, frozenset[str]] = {}
        """Whom the runner itself has let in, or found there and kept; by migration."""

    def result(self) -> Reconciled:
        """Go through every event, then look what is missing."""
        seen: set[tuple[str, str, str]] = set()
        timely = [(event.at, number) for number, event in enumerate(self._events) if event.at is not None]
        self._not_ours = len(self._events) - len(timely)
        for _, number in sorted(timely):
            event = self._events[number]
            key = (short(event.computer), event.log.casefold(), event.record)
            if event.record and key in seen:
                self._repeated += 1
                continue
            seen.add(key)
            self._judge(number, event)
        lacking = missing(self._expected, self._hits, frozenset(self._case.ids), self._events)
        found = (*self._incidents.findings(), *lacking.findings)
        return Reconciled(
            findings=found,
            events=len(self._events),
            explained=self._explained,
            unexplained=len(self._flagged),
            not_ours=self._not_ours,
            repeated=self._repeated,
            changes=lacking.found,
            missing=lacking.lacking,
            notes=lacking.notes,
        )

    def _judge(self, number: int, event: SeenEvent) -> None:
        verdict = self._looked_at(event)
        if verdict is None:
            self._not_ours += 1
        elif verdict:
            self._explained += 1
        else:
            self._flagged.add(number)

    def _looked_at(self, event: SeenEvent) -> bool | None:
        """Return whether an event is explained; None where it is none of ours. What is not is noted."""
        if event.id == 5136:
            return self._change(event)
        if event.id in CHANGES:
            return self._whole_object(event)
        if event.id in ACCOUNTS:
            return self._account(event)
        if event.id == REGISTRY:
            return self._registry(event)
        return self._use(event)

    # 5136: one value of one attribute.

    def _change(self, event: SeenEvent) -> bool | None:
        dn, attribute = event.get("objectdn"), event.get("attributeldapdisplayname").lower()
        object_ = self._ours.named(dn, event.get("objectguid"))
        if object_ is None:
            if attribute == DESCRIPTOR.lower() and folded_dn(dn) in self._ours.containers:
                return self._container(event, dn)
            return self._incidents.foreign_change(event)
        if attribute in BY_THEMSELVES.get(object_.on, frozenset()):
            return None
        value = event.get("attributevalue")
        if self._explains(event, object_, attribute, value):
            if self._lets_in(attribute, event):
                return self._let_in(event, object_)
            if attribute == MEMBERSHIP.lower() and event.operation == ADDED:
                kept = self._let_in_by_us.get(object_.migration, frozenset())
                self._let_in_by_us[object_.migration] = kept | trustees(value)
            return True
        if self._lets_in(attribute, event) and not self._let_in(event, object_):
            return False
        self._incidents.own_change(
            event, object_, self._why(event, object_, attribute, value), self._protected(object_, event)
        )
        return False

    def _explains(self, event: SeenEvent, object_: Object, attribute: str, value: str) -> bool:
        """Whether an expected change is this one; what is found is remembered as having been there."""
        found = False
        pair = self._ours.pairs[object_.migration]
        for number in self._index.get((object_.migration, object_.on, attribute), ()):
            one = self._expected[number]
            wanted = one.new if event.operation == ADDED else one.old
            if wanted.fits(value, pair.account_sid) and self._in_place(one, event) and self._by(one, event.by):
                self._hits.add((number, event.operation))
                found = True
        return found or self._registers(event, object_, attribute)

    def _registers(self, event: SeenEvent, object_: Object, attribute: str) -> bool:
        """Whether a host adds itself, as the account, while it may (who is let in is asked apart)."""
        if attribute != MEMBERSHIP.lower() or object_.on is not On.DMSA or self._case.run is None:
            return False
        assert event.at is not None
        spans = self._told.registering.get(object_.migration, [])
        open_ = any(begin - SKEW <= event.at and (end is None or event.at <= end + SKEW) for begin, end in spans)
        return open_ and any(user.is_(event.by) for user in self._ours.accounts[object_.migration])

    def _lets_in(self, attribute: str, event: SeenEvent) -> bool:
        """Whether a change lets somebody in of his own accord: what the runner writes it has merged itself."""
        return (
            attribute == MEMBERSHIP.lower()
            and event.operation == ADDED
            and not any(user.is_(event.by) for user in self._case.operators)
        )

    def _let_in(self, event: SeenEvent, object_: Object) -> bool:
        ours = self._let_in_by_us.get(object_.migration, frozenset())
        strangers = self._strangers.among(event.get("attributevalue"), object_.migration, ours)
        for stranger in strangers:
            self._incidents.stranger(event, object_, stranger)
        return not strangers

    def _in_place(self, one: Expectation, event: SeenEvent) -> bool:
        assert event.at is not None
        elsewhere = one.by == "operator" and short(one.computer) != short(event.computer)
        return one.frame.holds(event.at, elsewhere=elsewhere)

    def _by(self, one: Expectation, user: User) -> bool:
        allowed = self._case.operators if one.by == "operator" else self._ours.accounts[one.migration]
        return any(each.is_(user) for each in allowed)

    def _why(self, event: SeenEvent, object_: Object, attribute: str, value: str) -> str:
        """Say what is nearest to explaining a change, and what speaks against it."""
        near = [self._expected[n] for n in self._index.get((object_.migration, object_.on, attribute), ())]
        if not near:
            return f"no step that was sent for {object_.migration} writes {shown_attribute(attribute)}"
        assert event.at is not None
        sid = self._ours.pairs[object_.migration].account_sid
        fit = [one for one in near if (one.new if event.operation == ADDED else one.old).fits(value, sid)]
        if not fit:
            return f"the steps that write {shown_attribute(attribute)} write another value"
        timely = [one for one in fit if self._in_place(one, event)]
        if not timely:
            return f"it lies outside the time of every {', '.join(sorted({one.cmdlet for one in fit}))}"
        return f"{timely[0].cmdlet} was under way, but it is not the runner who wrote this"

    def _protected(self, object_: Object, event: SeenEvent) -> bool:
        """Whether the original was protected before an event: by the runner, or, without a journal, in any case."""
        sent = [one for one in self._told.of(object_.migration) if one.cmdlet == "Set-ADObject" and one.landed]
        return self._case.run is None or any(one.ended and event.at and one.ended <= event.at for one in sent)

    def _container(self, event: SeenEvent, dn: str) -> bool:
        folded = folded_dn(dn)
        for number, one in enumerate(self._expected):
            wanted = one.new if event.operation == ADDED else one.old
            there = one.on is On.CONTAINER and folded_dn(one.object) == folded
            fits = there and wanted.fits(event.get("attributevalue"), None)
            if fits and self._in_place(one, event) and self._by(one, event.by):
                self._hits.add((number, event.operation))
                return True
        self._incidents.add("container-changed", None, dn, event, f"{DESCRIPTOR}: value {event.operation}", _NOT_OURS)
        return False

    # 5137 to 5141: a whole object.

    def _whole_object(self, event: SeenEvent) -> bool | None:
        new = event.get("newobjectdn")
        dn = event.get("objectdn") or event.get("oldobjectdn") or new
        object_ = self._ours.named(dn, event.get("objectguid")) or (self._ours.named(new) if new else None)
        if event.id == 5137 and object_ is not None and object_.on is On.DMSA:
            for number in self._index.get((object_.migration, On.DMSA, ""), ()):
                one = self._expected[number]
                if one.created and self._in_place(one, event) and self._by(one, event.by):
                    self._hits.add((number, ADDED))
                    return True
        return self._incidents.whole_object(event, dn, object_)

    # Account management.

    def _account(self, event: SeenEvent) -> bool | None:
        object_ = self._ours.account(event.get("targetusername"), event.get("targetsid"))
        if object_ is None:
            return None
        if event.id in {4742, 4738} and self._incidents.is_system(event.by, object_):
            return True
        for number in (
            n for key, found in self._index.items() if key[:2] == (object_.migration, object_.on) for n in found
        ):
            one = self._expected[number]
            if event.id in one.events and self._in_place(one, event) and self._by(one, event.by):
                return True
        self._incidents.account(event, object_)
        return False

    # A host's switch.

    def _registry(self, event: SeenEvent) -> bool | None:
        if event.get("objectvaluename").casefold() != ENABLED.casefold():
            return None
        for one in self._expected:
            if one.attribute != ENABLED or short(one.computer) != short(event.computer):
                continue
            here = self._in_place(replace(one, computer=event.computer), event)
            if here and self._by(one, event.by) and _same_number(one.new, event.get("newvalue")):
                return True
        said = f"{ENABLED}: {event.get('oldvalue') or 'absent'} -> {event.get('newvalue') or 'absent'}"
        self._incidents.add("switch-changed", None, event.computer, event, said, _NOT_OURS)
        return False

    # Keys and tickets.

    def _use(self, event: SeenEvent) -> bool | None:
        if event.id in KERBEROS:
            return self._client(event)
        if event.id == KEY_ISSUED:
            return self._key_issued(event)
        assert event.id in TICKETS
        name = event.get("targetusername").partition("@")[0]
        object_ = self._ours.account(name if name.endswith("$") else "")
        if object_ is None or object_.on is not On.DMSA:
            return None
        return self._from_host(event, object_, event.get("ipaddress"))

    def _client(self, event: SeenEvent) -> bool | None:
        said = " ".join((event.text, *event.data.values()))
        object_ = self._ours.mentioned(said)
        ids = self._ours.by_short_name().get(short(event.computer), frozenset())
        if object_ is None:
            nameless = not event.text and not ids
            if nameless and event.id != 307:
                self._incidents.add(
                    "unknown-host", None, event.computer, event, f"event {event.id}", "it does not say of which dMSA"
                )
                return False
            return True if ids else None
        if object_.migration in ids:
            return True
        why = f"{event.computer} is no host of {object_.migration}"
        self._incidents.add("unknown-host", object_.migration, event.computer, event, f"event {event.id}", why)
        return False

    def _key_issued(self, event: SeenEvent) -> bool | None:
        said = "\n".join((event.text, *event.data.values()))
        object_ = self._ours.mentioned(said)
        if object_ is None:
            return self._incidents.foreign_key(event, said)
        begun = [begin for begin, _ in self._told.registering.get(object_.migration, [])]
        assert event.at is not None
        if self._case.run is not None and not any(begin - SKEW <= event.at for begin in begun):
            self._incidents.add(
                "unknown-host", object_.migration, self._ours.pairs[object_.migration].dmsa, event,
                "its keys were issued", "its migration had not been started by then",
            )  # fmt: skip
            return False
        return self._from_host(event, object_, self._incidents.caller_address(said))

    def _from_host(self, event: SeenEvent, object_: Object, address: str) -> bool:
        why = self._strangers.at(address, object_.migration) if address else ""
        if why:
            dmsa = self._ours.pairs[object_.migration].dmsa
            self._incidents.add("unknown-host", object_.migration, dmsa, event, f"event {event.id} from {address}", why)
        return not why


_NOT_OURS = "no attempt of an approved step explains it"


def learn(names: Names, events: Iterable[SeenEvent]) -> None:
    """Take in which SIDs and addresses computers have, from the tickets that they were granted."""
    for event in events:
        if event.id in TICKETS and event.get("status") in {"", "0x0", "0"}:
            name = event.get("targetusername").partition("@")[0]
            if name.endswith("$") and event.id == 4768:
                names.learn(name, event.get("targetsid"), event.get("ipaddress"))


def _same_number(wanted: Wanted, shown: str) -> bool:
    def number(text: str | None) -> int | None:
        try:
            return int(text, 0) if text else None
        except ValueError:
            return None

    return number(wanted.exact) == number(shown)
