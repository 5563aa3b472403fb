"""One migration's state after one more event: the only place where a state changes (with ``fold_words``).

Each fold takes the state before, the event and estate time, and returns the state after. It raises
:class:`~orchestrator.model.lifecycle.IllegalEvent` where the law has no such move, or where a write ends that was
never begun; then nothing has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from orchestrator.model.adopted import taken_over
from orchestrator.model.before import Compared, HostSnapshotTaken, SnapshotRepeated, SnapshotTaken
from orchestrator.model.event import (
    DIRECTORY,
    Admitted,
    AttemptFinished,
    AttemptSettled,
    AttemptStarted,
    BaselineRead,
    GuardsAsked,
    LedgerRead,
    Moved,
    Recovered,
    RetryDue,
    ShellEnded,
    SubjectDone,
    WaitBegan,
)
from orchestrator.model.fold_words import OF_WORDS
from orchestrator.model.lifecycle import IllegalEvent, IllegalMove, Phase, Trigger, move
from orchestrator.model.observation import Outcome
from orchestrator.model.state import (
    MIGRATION_CMDLETS,
    RESTARTS,
    TURNED_AWAY,
    Attempt,
    HostProgress,
    Ledger,
    Limit,
    MigrationState,
    Waiting,
    spelled,
    thing,
)
from orchestrator.model.state import replaced as replace

Fold: TypeAlias = Callable[[MigrationState, Any, datetime | None], MigrationState]


def _without(mapping: Mapping[Any, Any], key: object) -> dict[Any, Any]:
    return {name: value for name, value in mapping.items() if name != key}


def _elsewhere(mapping: Mapping[tuple[str, str], Any], subject: str) -> dict[tuple[str, str], Any]:
    """Return what is known of other subjects."""
    return {key: value for key, value in mapping.items() if key[0] != subject}


def _snapshot(state: MigrationState, event: SnapshotTaken, at: datetime | None) -> MigrationState:
    hosts = {host: HostProgress() for host in event.hosts}
    return replace(state, snapshot=event, snapshot_at=at, repeated=None, repeated_at=None, compared=None, hosts=hosts)


def _host_snapshot(state: MigrationState, event: HostSnapshotTaken, _at: datetime | None) -> MigrationState:
    if state.snapshot is None:
        raise IllegalEvent(f"{state.id} has no snapshot that {event.host} could join")
    hosts = {**state.snapshot.hosts, event.host: event.before}
    progress = {**state.hosts, event.host: state.hosts.get(event.host, HostProgress())}
    return replace(state, snapshot=state.snapshot.model_copy(update={"hosts": hosts}), hosts=progress)


def _snapshot_repeated(state: MigrationState, event: SnapshotRepeated, at: datetime | None) -> MigrationState:
    # The first one of an attempt counts: before a second Complete there may be missing what an earlier one took.
    return replace(state, repeated=event, repeated_at=at) if state.repeated is None else state


def _compared(state: MigrationState, event: Compared, _at: datetime | None) -> MigrationState:
    return replace(state, compared=event)


def _admitted(state: MigrationState, event: Admitted, _at: datetime | None) -> MigrationState:
    return replace(state, admitted=event.step, waits={})


def _started(state: MigrationState, event: AttemptStarted, at: datetime | None) -> MigrationState:
    key = (event.subject, spelled(event.cmdlet, event.parameters))
    touched = state.touched
    if event.cmdlet in RESTARTS:
        touched |= {(event.subject, RESTARTS[event.cmdlet], thing(event.parameters))}
    return replace(
        state,
        open={**state.open, event.subject: Attempt(event, at)},
        waits=_without(state.waits, event.subject),
        faults=_without(state.faults, key),
        performed={**state.performed, key: state.performed.get(key, 0) + 1},
        asked={**state.asked, key: event.parameters},
        wish=event.wish or state.wish,
        sent=state.sent | {event.cmdlet} if event.cmdlet in MIGRATION_CMDLETS else state.sent,
        touched=touched,
    )


def _open(state: MigrationState, subject: str) -> Attempt:
    attempt = state.open.get(subject)
    if attempt is None:
        raise IllegalEvent(f"{state.id} has no write under way at {subject} that could have ended")
    return attempt


def _finished(state: MigrationState, event: AttemptFinished, at: datetime | None) -> MigrationState:
    attempt = _open(state, event.subject)
    if event.outcome is not Outcome.UNKNOWN:
        key = (event.subject, spelled(attempt.started.cmdlet, attempt.started.parameters))
        faults = {**state.faults, key: event.fault} if event.fault is not None else state.faults
        state = replace(state, open=_without(state.open, event.subject), faults=faults)
        if event.fault is not None and event.fault.busy:
            state = replace(state, performed=_one_less(state.performed, key))
        return _landed(state, key) if event.outcome is Outcome.SUCCEEDED else state
    attempt = replace(attempt, unsettled=True, unsettled_since=at)
    return replace(state, open={**state.open, event.subject: attempt})


def _landed(state: MigrationState, key: tuple[str, str]) -> MigrationState:
    """Note that a write succeeded; the failures of the next one at the same subject are counted from one."""
    tries = _without(_without(state.tries, (key[0], "write")), (key[0], TURNED_AWAY))
    return replace(state, landed=state.landed | {key}, tries=tries)


def _one_less(counts: Mapping[tuple[str, str], int], key: tuple[str, str]) -> Mapping[tuple[str, str], int]:
    """Take back one that was counted when it was sent: its endpoint had no room, and it certainly did not run."""
    left = counts.get(key, 0) - 1
    return {**counts, key: left} if left > 0 else _without(counts, key)


def _shell_ended(state: MigrationState, event: ShellEnded, at: datetime | None) -> MigrationState:
    attempt = replace(_open(state, event.subject), shell_ended=True, unsettled_since=at)
    return replace(state, open={**state.open, event.subject: attempt})


def _settled(state: MigrationState, event: AttemptSettled, _at: datetime | None) -> MigrationState:
    _open(state, event.subject)
    return replace(state, open=_without(state.open, event.subject), waits=_without(state.waits, event.subject))


def _baseline(state: MigrationState, event: BaselineRead, _at: datetime | None) -> MigrationState:
    return replace(state, baselines={**state.baselines, event.host: event})


def _subject_done(state: MigrationState, event: SubjectDone, at: datetime | None) -> MigrationState:
    state = replace(
        state,
        done=state.done | {event.subject},
        tries=_elsewhere(state.tries, event.subject),
        faults=_elsewhere(state.faults, event.subject),
        waits=_without(state.waits, event.subject),
    )
    if event.subject == DIRECTORY:
        return replace(state, reached=event.pair or state.reached)
    host = state.hosts.get(event.subject, HostProgress())
    host = replace(
        host,
        registry=event.registry or host.registry,
        rebooted=host.rebooted if event.rebooted is None else event.rebooted,
        restarted=host.restarted or event.step in {Trigger.RESTART, Trigger.CONFIRM},
        workloads=host.workloads if event.workloads is None else event.workloads,
    )
    proved = at if event.step is Trigger.REGISTRY and _proved_anew(state, event.subject) else state.registry_at
    return replace(state, hosts={**state.hosts, event.subject: host}, registry_at=proved)


def _proved_anew(state: MigrationState, host: str) -> bool:
    """Whether a host's value is read back for the first time, or after it was written once more."""
    known = state.hosts.get(host, HostProgress()).registry in {"set", "was-set"}
    return not known or state.registry_at is None or any(subject == host for subject, _ in state.performed)


def _ledger(state: MigrationState, event: LedgerRead, at: datetime | None) -> MigrationState:
    before = state.ledger
    first_seen = dict(before.first_seen)
    known = {principal.lower() for principal in first_seen}  # a host that left the plan is no longer spelled as there
    for principal in event.principals:
        if at is not None and principal.lower() not in known:
            first_seen[principal] = at
    hosts = frozenset(event.hosts_present)
    since = at if hosts - before.hosts_present or (before.hosts_since is None and hosts) else before.hosts_since
    ledger = Ledger(first_seen, frozenset(event.principals), hosts, since, at, event.unknown)
    return replace(state, ledger=ledger)


_SENT = {
    trigger: frozenset({f"{verb}-ADServiceAccountMigration"})
    for trigger, verb in ((Trigger.START, "Start"), (Trigger.COMPLETE, "Complete"))
}
"""What must have been sent where a move was made, by us or by hand."""
_ENDS_ADMISSION = {Phase.RESTARTED, Phase.COMPLETED, Phase.ROLLED_BACK}


def _moved(state: MigrationState, event: Moved, at: datetime | None) -> MigrationState:
    if event.source is not state.phase:
        raise IllegalMove(state.phase, event.trigger, event.dest, event.pair)
    move(event.source, event.trigger, None, event.dest)
    moved = replace(
        state,
        phase=event.dest,
        since=at,
        admitted=None if event.dest in _ENDS_ADMISSION else state.admitted,
        waits={},
        deadlines={},
        tries={},
        faults={},
        open={},
        done=frozenset(),
        performed={},
        asked={},
        landed=frozenset(),
        baselines={},
        wish=None,
        reached=None,
        asserted=None,
        sent=state.sent | _SENT.get(event.trigger, frozenset()),
        dmsa_guid=event.dmsa_guid or state.dmsa_guid,
        converged_at=at if event.trigger is Trigger.LINK else state.converged_at,
        anew_at=at if event.dest is Phase.REOPENED or event.trigger is Trigger.AMEND else state.anew_at,
    )
    if event.dest is Phase.REOPENED:
        return replace(moved, sent=moved.sent - {"Complete-ADServiceAccountMigration"})
    if event.trigger is Trigger.ADOPT:
        return taken_over(moved, at)
    return _catching_up(state, moved) if event.trigger in {Trigger.AMEND, Trigger.REGISTRY} else moved


def _catching_up(before: MigrationState, moved: MigrationState) -> MigrationState:
    """Return a migration that an amendment moved, or that sets the switch anew after one.

    What is under way and what was restarted is still known; a migration that sets it for the first time knows neither.
    """
    restarts = {host: one for host, one in before.baselines.items() if one.step is Trigger.RESTART}
    landed = frozenset(key for key in before.landed if key[1].partition(" ")[0] in RESTARTS)
    admitted = None if before.phase is Phase.SOAKED else before.admitted
    return replace(moved, open=before.open, landed=landed, baselines=restarts, admitted=admitted)


def _waiting(state: MigrationState, event: WaitBegan, at: datetime | None) -> MigrationState:
    waiting = Waiting(event.waiting_for, event.until, event.detail)
    deadlines = dict(state.deadlines)
    if event.until is not None:
        deadlines.setdefault((event.subject, event.waiting_for), Limit(event.until, at))
    return replace(state, waits={**state.waits, event.subject: waiting}, deadlines=deadlines)


def _retry(state: MigrationState, event: RetryDue, _at: datetime | None) -> MigrationState:
    waiting = Waiting("retry", event.until, event.fault.message, event.fault)
    tries = {**state.tries, (event.subject, event.of): event.tries}
    if event.turned_away:
        tries[event.subject, TURNED_AWAY] = event.turned_away
    return replace(
        state,
        waits={**state.waits, event.subject: waiting},
        tries=tries,
        faults=_elsewhere(state.faults, event.subject),
    )


def _recovered(state: MigrationState, event: Recovered, _at: datetime | None) -> MigrationState:
    tries = _without(_without(state.tries, (event.subject, "read")), (event.subject, TURNED_AWAY))
    return replace(state, tries=tries, waits=_without(state.waits, event.subject))


def _asked(state: MigrationState, _event: GuardsAsked, _at: datetime | None) -> MigrationState:
    """Begin anew to count how long replication may take: what guards waited for is over before a write's is."""
    return replace(state, deadlines=_without(state.deadlines, (DIRECTORY, "replication")))


FOLDS: dict[type[Any], Fold] = {
    SnapshotTaken: _snapshot,
    SnapshotRepeated: _snapshot_repeated,
    Compared: _compared,
    HostSnapshotTaken: _host_snapshot,
    Admitted: _admitted,
    AttemptStarted: _started,
    AttemptFinished: _finished,
    ShellEnded: _shell_ended,
    AttemptSettled: _settled,
    BaselineRead: _baseline,
    SubjectDone: _subject_done,
    LedgerRead: _ledger,
    Moved: _moved,
    WaitBegan: _waiting,
    RetryDue: _retry,
    Recovered: _recovered,
    GuardsAsked: _asked,
    **OF_WORDS,
}
