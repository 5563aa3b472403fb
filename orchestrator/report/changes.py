"""What each write was expected to change, beside what the journal says came of it.

Expected is what :mod:`orchestrator.expectation` says of a write: the same table from which a SOC is told. Traced is
what this journal holds: that the write was sent, what the far side answered, and which later reading showed the new
value. A journal cannot show that nothing else was changed, nor by whom; exported events can (``dmsa reconcile``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.expectation import Expectation, expected
from orchestrator.expectation.history import Attempt, Told, history
from orchestrator.model.before import SnapshotRepeated
from orchestrator.model.directory import ACCOUNT_LINK, ACCOUNT_STATE, DMSA_LINK, DMSA_STATE
from orchestrator.model.dn import domain_dn
from orchestrator.model.event import AttemptStarted, Moved, SubjectDone
from orchestrator.model.host import ENABLED
from orchestrator.model.lifecycle import Pair, Phase
from orchestrator.model.plan import Directory, Plan
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.steps.effects import CONTROL, SPNS, On
from orchestrator.views.moment import iso

SHOWN = ("read-back", "snapshot", "otherwise", "not-read", "unsettled", "failed")
"""By what a new value was seen. ``read-back``: the reading that ended the step; ``snapshot``: the one right before
Complete; ``otherwise``: that one shows something else; ``not-read``: nothing in this journal reads it afterwards;
``unsettled``: nobody knows whether the write took effect; ``failed``: the far side said that it did not."""

_STATES = {Pair.UNLINKED: "0", Pair.STARTED: "1", Pair.COMPLETED: "2"}
_LINKS = frozenset({DMSA_LINK, ACCOUNT_LINK})
_BY_COMPLETE = frozenset({(On.ACCOUNT, CONTROL), (On.DMSA, SPNS)})
"""What Complete's last reading insists on beside the pair: the account is disabled, its SPNs are on the dMSA."""


@dataclass(frozen=True)
class _After:
    """What followed a write at its subject: the reading that ended its step, and the snapshot right before Complete."""

    done: SubjectDone | None = None
    repeated: SnapshotRepeated | None = None


def changes_of(plan: Plan, ids: Sequence[str], run: RunState, told: Sequence[Told]) -> dict[str, list[dict[str, Any]]]:
    """Return for each migration its writes in order, with what each was expected to change and what showed it.

    Args:
        plan: the plan that the run goes by.
        ids: the migrations.
        run: where everything stands.
        told: the events that tell of writes.
    """
    known = history(told)
    resolved = _resolved(plan, known.attempts)
    followed = dict(zip(map(id, known.attempts), _followed(told), strict=True))
    found: dict[str, dict[int, dict[str, Any]]] = {id_: {} for id_ in ids}
    for one in known.attempts:
        if one.migration in found:
            found[one.migration][id(one)] = _write(one)
    for each in expected(resolved, ids, run, known):
        attempt = each.frame.attempt
        if each.done and attempt is not None and each.by == "operator" and each.log == "Security" and _is_change(each):
            shown = _shown(each, attempt, followed[id(attempt)], run[each.migration])
            found[each.migration][id(attempt)]["changes"].append(_change(each, shown))
    return {id_: list(writes.values()) for id_, writes in found.items()}


def counted(writes: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many expected changes were shown by what; those that are expected for sure alone."""
    found = Counter(change["shown"] for write in writes for change in write["changes"] if change["sure"])
    return {name: found[name] for name in SHOWN}


def _resolved(plan: Plan, attempts: Iterable[Attempt]) -> Plan:
    """Return the plan with its domain and domain controller, as the writes name them where the plan does not."""
    if plan.estate.directory is not None and plan.estate.domain is not None:
        return plan
    server = next((str(one.parameters["Server"]) for one in attempts if one.parameters.get("Server")), "")
    directory = plan.estate.directory or (Directory(endpoint=server, server=server) if server else None)
    domain = plan.estate.domain or next(map(_domain, (one.account for one in plan.migrations())), "")
    return plan.model_copy(
        update={"estate": plan.estate.model_copy(update={"directory": directory, "domain": domain or None})}
    )


def _domain(dn: str) -> str:
    parts = [part.strip() for part in dn.split(",")]
    dns = ".".join(part[3:] for part in parts if part.upper().startswith("DC="))
    return dns if domain_dn(dns) else ""


def _followed(told: Sequence[Told]) -> Iterator[_After]:
    """Yield for each write, in their order, what followed it."""
    after: list[_After] = []
    open_: dict[tuple[str, str], list[int]] = {}
    unread: dict[str, list[int]] = {}
    for event, _ in told:
        match event:
            case AttemptStarted():
                open_.setdefault((event.migration, event.subject), []).append(len(after))
                unread.setdefault(event.migration, []).append(len(after))
                after.append(_After())
            case SubjectDone():
                for number in open_.pop((event.migration, event.subject), ()):
                    after[number] = _After(event, after[number].repeated)
            case SnapshotRepeated():
                for number in unread.pop(event.migration, ()):
                    after[number] = _After(after[number].done, event)
            case Moved() if event.dest is Phase.ROLLED_BACK:
                unread.pop(event.migration, None)
    yield from after


def _is_change(one: Expectation) -> bool:
    return bool(one.attribute or one.created)


def _write(one: Attempt) -> dict[str, Any]:
    return {
        "step": one.step.value,
        "cmdlet": one.cmdlet,
        "where": one.endpoint,
        "sent": iso(one.began),
        "ended": iso(one.ended),
        "everywhere": iso(one.converged),
        "landed": one.landed,
        "changes": [],
    }


def _change(one: Expectation, shown: str) -> dict[str, Any]:
    return {
        "object": one.object,
        "attribute": one.attribute or None,
        "old": str(one.old) or None,
        "new": "created" if one.created and not one.attribute else str(one.new) or None,
        "sure": one.sure or one.attribute == ENABLED,
        "note": "" if one.attribute == ENABLED else one.note,
        "shown": shown,
    }


def _shown(one: Expectation, attempt: Attempt, after: _After, state: MigrationState) -> str:
    if after.done is not None and _in_reading(one, after.done):
        return "read-back"
    if attempt.landed is not True:
        return "unsettled" if attempt.landed is None else "failed"
    if after.repeated is not None and attempt.cmdlet != "Complete-ADServiceAccountMigration":
        value = _in_snapshot(one, after.repeated)
        if value is not None:
            sid = str(state.snapshot.account.get("sid", "")) if state.snapshot else ""
            return "snapshot" if one.new.fits(value, sid or None) else "otherwise"
    return "not-read"


def _in_reading(one: Expectation, done: SubjectDone) -> bool:
    """Whether the reading that ended the step says that the new value is there."""
    if one.created and not one.attribute:
        return "dmsa_guid" in done.evidence
    if one.attribute == ENABLED:
        return done.registry in {"set", "restored"}
    if done.pair is None or done.pair not in _STATES:
        return False
    if one.attribute in {DMSA_STATE, ACCOUNT_STATE}:
        return (str(one.new) or "0") == _STATES[done.pair]
    if one.attribute in _LINKS:
        return bool(str(one.new)) == (done.pair is not Pair.UNLINKED)
    return done.pair is Pair.COMPLETED and done.step.value == "complete" and (one.on, one.attribute) in _BY_COMPLETE


def _in_snapshot(one: Expectation, repeated: SnapshotRepeated) -> str | None:
    held: Mapping[str, Any] | None = None
    if one.on is On.CONTAINER:
        return repeated.containers.get(one.object)
    held = repeated.account if one.on is On.ACCOUNT else repeated.dmsa
    value = (held or {}).get(one.attribute)
    return None if value is None or isinstance(value, list | tuple) else str(value)
