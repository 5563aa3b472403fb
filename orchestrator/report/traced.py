"""Which later reading showed that a write had changed what it was expected to change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.expectation import Expectation
from orchestrator.expectation.history import Attempt, Told
from orchestrator.model.before import Compared, SnapshotRepeated, SnapshotTaken
from orchestrator.model.directory import ACCOUNT_LINK, ACCOUNT_STATE, DMSA_LINK, DMSA_STATE
from orchestrator.model.event import AttemptStarted, Moved, SubjectDone
from orchestrator.model.host import ENABLED
from orchestrator.model.lifecycle import Pair, Phase, Trigger
from orchestrator.model.state import MigrationState
from orchestrator.steps.effects import CONTROL, SPNS, On

SHOWN = ("read-back", "snapshot", "comparison", "otherwise", "not-read", "unsettled", "failed")
"""By what a new value was seen. ``read-back``: the reading that ended the step; ``snapshot``: the one right before
Complete; ``comparison``: the one at the end of a way back; ``otherwise``: one of these two shows something else;
``not-read``: no later reading in this journal tells;
``unsettled``: nobody knows whether the write took effect; ``failed``: the far side said that it did not."""

_STATES = {Pair.UNLINKED: "0", Pair.STARTED: "1", Pair.COMPLETED: "2"}
_LINKS = frozenset({DMSA_LINK, ACCOUNT_LINK})
_BY_COMPLETE = frozenset({(On.ACCOUNT, CONTROL), (On.DMSA, SPNS)})
"""What Complete's last reading insists on beside the pair: the account is disabled, its SPNs are on the dMSA."""


_BACK = frozenset({Trigger.UNDO, Trigger.RESET, Trigger.RESTORE})
_STAYS = "Set-ADObject"
"""What a way back does not take away: the account's protection from accidental deletion."""


@dataclass(frozen=True)
class After:
    """What followed a write: the reading that ended its step at its subject, the snapshot right before Complete, and
    the comparison at the end of a way back, with the snapshot that it was held against.
    """

    done: SubjectDone | None = None
    repeated: SnapshotRepeated | None = None
    compared: Compared | None = None
    taken: SnapshotTaken | None = None


@dataclass
class _Following:
    """The writes so far, and those that wait for a reading."""

    after: list[After] = field(default_factory=list)
    open: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    unread: dict[str, list[int]] = field(default_factory=dict)
    uncompared: dict[str, list[int]] = field(default_factory=dict)
    taken: dict[str, SnapshotTaken] = field(default_factory=dict)

    def begun(self, event: AttemptStarted) -> None:
        number = len(self.after)
        self.after.append(After())
        self.open.setdefault((event.migration, event.subject), []).append(number)
        self.unread.setdefault(event.migration, []).append(number)
        self.uncompared.setdefault(event.migration, []).append(number)

    def seen(self, numbers: Iterable[int], **found: Any) -> None:
        for number in numbers:
            self.after[number] = replace(self.after[number], **found)


def followed(told: Iterable[Told]) -> list[After]:
    """Return for each write, in their order, what followed it."""
    found = _Following()
    for event, _ in told:
        match event:
            case AttemptStarted():
                found.begun(event)
            case SubjectDone():
                found.seen(found.open.pop((event.migration, event.subject), ()), done=event)
            case SnapshotTaken():
                found.taken[event.migration] = event
            case SnapshotRepeated():
                found.seen(found.unread.pop(event.migration, ()), repeated=event)
            case Compared():
                taken = found.taken.get(event.migration)
                found.seen(found.uncompared.pop(event.migration, ()), compared=event, taken=taken)
            case Moved() if event.dest is Phase.ROLLED_BACK:
                found.unread.pop(event.migration, None)
                found.uncompared.pop(event.migration, None)
    return found.after


def shown_by(one: Expectation, attempt: Attempt, after: After, state: MigrationState) -> str:
    """Return what showed the new value of an expected change; a word of :data:`SHOWN`."""
    if after.done is not None and _in_reading(one, after.done):
        return "read-back"
    if attempt.landed is not True:
        return "unsettled" if attempt.landed is None else "failed"
    sid = str(state.snapshot.account.get("sid", "")) if state.snapshot else ""
    if after.repeated is not None and attempt.cmdlet != "Complete-ADServiceAccountMigration":
        value = _in_snapshot(one, after.repeated)
        if value is not None:
            return "snapshot" if one.new.fits(value, sid or None) else "otherwise"
    if attempt.step in _BACK or attempt.cmdlet == _STAYS:
        return _by_comparison(one, after, sid or None)
    return "not-read"


def _by_comparison(one: Expectation, after: After, sid: str | None) -> str:
    """Return what the comparison at the end of a way back says: it has read every fact of the snapshot once more."""
    known = _compared(one, after)
    if known is None:
        return "not-read"
    values = [str(value) for value in known if value not in (None, "", 0)]
    wanted = str(one.new) in {"", "0"}
    if wanted:
        return "comparison" if str(one.old) not in values else "otherwise"
    return "comparison" if any(one.new.fits(value, sid) for value in values) else "otherwise"


def _compared(one: Expectation, after: After) -> list[Any] | None:
    """Return the values that a fact had then; None where the comparison does not tell of it."""
    if after.compared is None or after.taken is None or one.on is None:
        return None
    what = f"container {one.object}" if one.on is On.CONTAINER else one.on.value
    for difference in after.compared.differences:
        if (difference.object, difference.name) == (what, one.attribute):
            return _listed(difference.now)
    if one.on is On.CONTAINER:
        return _listed(after.taken.containers[one.object]) if one.object in after.taken.containers else None
    if one.on is On.DMSA and after.taken.dmsa is None:
        return None  # it was created on the way: then only that it is there was compared
    return _listed(((after.taken.account if one.on is On.ACCOUNT else after.taken.dmsa) or {}).get(one.attribute))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


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
