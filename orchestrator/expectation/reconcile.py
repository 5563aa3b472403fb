"""Exported events against what approved steps explain: whatever is left over, and whatever is not there.

With a journal only its attempts explain anything: a change counts inside the span of its attempt, by the account that
the runner logs on as, at the domain controller that was written to (elsewhere until it was seen everywhere). Without
one, the wave's steps explain what lies in its windows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.expectation.attributes import BY_THEMSELVES
from orchestrator.expectation.expected import expected
from orchestrator.expectation.finding import Reconciled
from orchestrator.expectation.history import SKEW, History, Told, history
from orchestrator.expectation.incidents import Incidents
from orchestrator.expectation.links import Links
from orchestrator.expectation.matching import Matching
from orchestrator.expectation.missing import missing
from orchestrator.expectation.names import Names, User, short
from orchestrator.expectation.numbers import ACCOUNTS, ADDED, CHANGES, KERBEROS, KEY_ISSUED, OF_SYSTEM, REGISTRY
from orchestrator.expectation.ours import Object, Ours
from orchestrator.expectation.seen import SeenEvent
from orchestrator.expectation.strangers import Strangers
from orchestrator.expectation.use import Use
from orchestrator.expectation.values import folded_dn, trustees
from orchestrator.model.host import ENABLED
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.steps.effects import DESCRIPTOR, MEMBERSHIP, On


@dataclass(frozen=True)
class Case:
    """What events are held against.

    ``ids``: the migrations whose changes must be there. ``operators``: whom the runner logs on as. ``known``: dMSAs
    that others use rightfully, by name. ``privileged``: accounts that no link may name, beside the built-in ones.
    ``not_logged``: numbers of events that computers do not log beside a step, so that none is missing.
    """

    plan: Plan
    ids: tuple[str, ...]
    operators: tuple[User, ...]
    run: RunState | None = None
    told: tuple[Told, ...] = ()
    names: Names | None = None
    known: frozenset[str] = frozenset()
    privileged: frozenset[str] = frozenset()
    not_logged: frozenset[int] = frozenset()


def reconcile(case: Case, events: Sequence[SeenEvent]) -> Reconciled:
    """Hold events against what is expected."""
    return _Reconciling(case, events).result()


class _Reconciling:
    def __init__(self, case: Case, events: Sequence[SeenEvent]) -> None:
        self._case, self._events = case, events
        self._told: History = history(case.told)
        self._names = case.names or Names()
        self._ours = Ours.of(case.plan, case.run, self._told)
        learn(self._names, self._ours, events, case.plan.estate.domain or "")
        journaled = case.run is not None
        about = [one.id for one in case.plan.migrations()] if journaled else list(case.ids)
        everything = expected(case.plan, about, case.run, self._told)
        told = [one for one in everything if one.done or not journaled]
        self._matching = Matching(told, self._ours, case.operators)
        self._strangers = Strangers(self._ours, self._names, case.plan)
        links = Links.of(self._ours, case.known, tuple(case.privileged), events)
        self._incidents = Incidents(self._ours, case.operators, links)
        self._use = Use(self._ours, self._strangers, self._incidents, self._told if journaled else None)
        self._explained = self._not_ours = self._repeated = self._unexplained = 0
        self._let_in_by_us: dict[str, frozenset[str]] = {}
        """Whom the runner itself has let in, or found there and kept; by migration."""

    def result(self) -> Reconciled:
        """Go through every event, then look what is missing."""
        timely = [(event.at, number) for number, event in enumerate(self._events) if event.at is not None]
        self._not_ours = len(self._events) - len(timely)
        seen: set[tuple[object, ...]] = set()
        for _, number in sorted(timely):
            event = self._events[number]
            key = _identity(event)
            if event.record and key in seen:
                self._repeated += 1
                continue
            seen.add(key)
            self._judge(event)
        ids = frozenset(self._case.ids)
        lacking = missing(self._matching.expected, self._matching.hits, ids, self._events, self._case.not_logged)
        return Reconciled(
            findings=(*self._incidents.findings(), *lacking.findings),
            events=len(self._events),
            explained=self._explained,
            unexplained=self._unexplained,
            not_ours=self._not_ours,
            repeated=self._repeated,
            changes=lacking.found,
            missing=lacking.lacking,
            events_missing=lacking.events,
            notes=(*lacking.notes, *_of_other_logs(self._events)),
        )

    def _judge(self, event: SeenEvent) -> None:
        verdict = self._looked_at(event)
        if verdict is None:
            self._not_ours += 1
        elif verdict:
            self._explained += 1
        else:
            self._unexplained += 1

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
        if event.id in OF_SYSTEM:
            self._matching.at_host(event)
            return None
        return self._use.judge(event)

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
        of_members = attribute == MEMBERSHIP.lower()
        lets_in = of_members and event.operation == ADDED
        ours = any(user.is_(event.by) for user in self._case.operators)
        explained = self._matching.change(event, object_, attribute, value)
        if explained or (of_members and self._registers(event, object_)):
            if lets_in and ours:
                self._kept(object_, value)
            return not lets_in or ours or self._only_hosts(event, object_)
        if lets_in and not ours and not self._only_hosts(event, object_):
            return False
        why = self._matching.why(event, object_, attribute, value)
        self._incidents.own_change(event, object_, why, self._protected(object_, event))
        return False

    def _registers(self, event: SeenEvent, object_: Object) -> bool:
        """Whether a host adds itself, as the account, while it may (who is let in is asked apart)."""
        if object_.on is not On.DMSA or self._case.run is None:
            return False
        assert event.at is not None
        spans = self._told.registering.get(object_.migration, [])
        open_ = any(begin - SKEW <= event.at and (end is None or event.at <= end + SKEW) for begin, end in spans)
        return open_ and any(user.is_(event.by) for user in self._ours.accounts[object_.migration])

    def _kept(self, object_: Object, value: str) -> None:
        """Remember whom the runner lets in: what it writes it has merged itself."""
        let_in = trustees(value, self._ours.domains.get(object_.migration)) or frozenset()
        self._let_in_by_us[object_.migration] = self._let_in_by_us.get(object_.migration, frozenset()) | let_in

    def _only_hosts(self, event: SeenEvent, object_: Object) -> bool:
        """Whether a change by anybody else lets in nobody but hosts of the migration; others are noted."""
        ours = self._let_in_by_us.get(object_.migration, frozenset())
        strangers = self._strangers.among(event.get("attributevalue"), object_.migration, ours)
        for stranger in strangers:
            self._incidents.stranger(event, object_, stranger)
        return not strangers

    def _protected(self, object_: Object, event: SeenEvent) -> bool:
        """Whether the original was protected before an event: by the runner, or, without a journal, in any case."""
        sent = [one for one in self._told.of(object_.migration) if one.cmdlet == "Set-ADObject" and one.landed]
        return self._case.run is None or any(one.ended and event.at and one.ended <= event.at for one in sent)

    def _container(self, event: SeenEvent, dn: str) -> bool:
        if self._matching.container(event):
            return True
        self._incidents.add("container-changed", None, dn, event, f"{DESCRIPTOR}: value {event.operation}", _NOT_OURS)
        return False

    # 5137 to 5141: a whole object.

    def _whole_object(self, event: SeenEvent) -> bool | None:
        new = event.get("newobjectdn")
        dn = event.get("objectdn") or event.get("oldobjectdn") or new
        object_ = self._ours.named(dn, event.get("objectguid")) or (self._ours.named(new) if new else None)
        created = event.id == 5137 and object_ is not None and object_.on is On.DMSA
        if created and object_ is not None and self._matching.creation(event, object_):
            return True
        return self._incidents.whole_object(event, dn, object_)

    # Account management.

    def _account(self, event: SeenEvent) -> bool | None:
        if event.get("targetdomainname").casefold() == short(event.computer):
            return None  # an account of the machine's own
        object_ = self._ours.account(event.target, event.get("targetsid"))
        if object_ is None:
            return None
        if event.id in {4742, 4738} and self._incidents.is_system(event.by, object_):
            return True
        registers = event.id == 4742 and self._registers(event, object_)
        if self._matching.beside(event, object_) or registers:
            return True
        self._incidents.account(event, object_)
        return False

    # A host's switch.

    def _registry(self, event: SeenEvent) -> bool | None:
        if event.get("objectvaluename").casefold() != ENABLED.casefold():
            return None
        if self._matching.switch(event):
            return True
        said = f"{ENABLED}: {event.get('oldvalue') or 'absent'} -> {event.get('newvalue') or 'absent'}"
        self._incidents.add("switch-changed", None, event.computer, event, said, _NOT_OURS)
        return False


_NOT_OURS = "no attempt of an approved step explains it"


def _identity(event: SeenEvent) -> tuple[object, ...]:
    """Return what an event that was exported twice has the same: a record's number alone begins anew in a new log."""
    said = (event.get("objectdn"), event.get("attributeldapdisplayname"), event.get("operationtype"), event.target)
    return (short(event.computer), event.log.casefold(), event.record, event.id, event.at, *said)


def _of_other_logs(events: Sequence[SeenEvent]) -> Iterator[str]:
    """Say which events of the numbers that are looked at were taken for those of other logs."""
    others = Counter((event.id, event.log) for event in events if event.at is None and event.log)
    for (number, log), count in sorted(others.items()):
        if number not in KERBEROS | OF_SYSTEM | {KEY_ISSUED}:
            yield f"{count:,} events {number} of {log} were not looked at: they are no events of a Security log"


def learn(names: Names, ours: Ours, events: Iterable[SeenEvent], domain: str) -> None:
    """Take in which SIDs and addresses computers have, from the tickets that they were granted; and what the accounts
    are called whose SIDs the journal has. A computer of another domain keeps that domain's name.
    """
    for event in events:
        ours.call(event.get("targetsid"), event.target.partition("@")[0])
        if event.id == 4768 and event.get("status") in {"", "0x0", "0"} and event.target.endswith("$"):
            realm = event.get("targetdomainname").casefold()
            foreign = "." in realm and realm != domain.casefold()
            name = f"{event.target.removesuffix('$')}.{realm}" if foreign else event.target
            names.learn(name, event.get("targetsid"), event.get("ipaddress"))
