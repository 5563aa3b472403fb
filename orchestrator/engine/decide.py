"""What one migration does next: a pure function of where it stands, what was just read, and the plan.

For one subject of the current step (the directory, or a host) the answers come in this order: settle an attempt
whose outcome is unknown; read; deal with what could not be read; ask the step; before its first write ask the guards,
on the same reading the write is decided on. A write that failed is followed by a read like any other: only what is
there decides whether it is repeated, and whether its fault matters at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.engine.asserted import contradicted, turned_back
from orchestrator.engine.holding import hold, undone, unreadable
from orchestrator.engine.in_time import too_late
from orchestrator.engine.merge import merge, unanswered
from orchestrator.engine.retrying import again, again_or_hold, current_step, retry
from orchestrator.engine.verdicts import line, waited_for
from orchestrator.guards import Answer as GuardAnswer
from orchestrator.guards import ask, ask_about_host, probes, probes_about_host
from orchestrator.model.action import Action, Answer, Done, EndShell, Observe, Perform, Record, Stop, Wait
from orchestrator.model.before import HostSnapshotTaken, SnapshotTaken
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import plain
from orchestrator.model.event import (
    DIRECTORY,
    AttemptSettled,
    Event,
    GuardsAsked,
    Held,
    Moved,
    Recovered,
    ShellEnded,
    SubjectDone,
)
from orchestrator.model.guard_ids import Stage
from orchestrator.model.lifecycle import Intention, Pair, Phase, Way
from orchestrator.model.observation import Fault, FaultKind, Unreadable
from orchestrator.model.state import Attempt, spelled
from orchestrator.steps import Step
from orchestrator.steps.registry import REBOOT_TAKES
from orchestrator.steps.step import LOOK_AGAIN

FRESH = timedelta(seconds=30)
"""How old a reading may be that a write is decided on."""


def subjects(case: Case) -> tuple[str, ...]:
    """Return the subjects that have something to do now: those of the first group that is not done."""
    step = current_step(case)
    for group in step.groups(case) if step else ():
        left = tuple(subject for subject in group if subject not in case.state.done)
        if left:
            return left
    return (DIRECTORY,) if step else ()  # the last host that was left is gone: what is next is the move itself


def next_action(case: Case, subject: str, seen: Seen | None) -> Action:
    """Say what is next for one subject. Same arguments, same answer.

    Args:
        case: the migration, its plan and estate time.
        subject: one of :func:`subjects`.
        seen: what was read since the last write or wait; None if nothing was.
    """
    step = current_step(case)
    if step is None:
        raise ValueError(f"{case.migration.id} has no next step")
    unsettled = _settle(case, step, subject, seen)
    if unsettled is not None:
        return unsettled
    if not _left(case, step):
        return Record(_move(case, step, None, None))
    if seen is None:
        return step.rests(case, subject) or _observe(case, step, subject)
    open_probes = unanswered(_probes(case, step, seen), seen) if seen.guarded else ()
    if open_probes and not _faults(case, step, subject, seen, to_write=True):
        return Observe(merge(open_probes), more=True, guarded=True)
    action = _judged(case, step, subject, seen)
    return _observe(case, step, subject) if isinstance(action, Perform) and _stale(case, seen) else action


def _observe(case: Case, step: Step, subject: str) -> Observe:
    guarded = step.stage is not None and not case.state.performed
    reads = step.reads(case, subject)
    return Observe(merge((*reads, *_probes(case, step, None))) if guarded else merge(reads), guarded=guarded)


def _stale(case: Case, seen: Seen) -> bool:
    """Whether a write that had to wait (for a session, for another restart at its host) would act on an old reading."""
    return case.at is not None and seen.since is not None and case.at - seen.since > FRESH


def _settle(case: Case, step: Step, subject: str, seen: Seen | None) -> Action | None:
    """Return what an attempt of unknown outcome still needs: its shell ended, the settling time, then a look."""
    attempt = case.state.open.get(subject)
    if attempt is None or not attempt.unsettled:
        return None
    if not attempt.shell_ended:
        return EndShell(attempt.started.endpoint, attempt.started.shell)
    due = _settled_at(case, subject, attempt)
    if due is None or case.at is None or case.at < due:
        detail = f"the outcome of {attempt.started.cmdlet} is unknown; it may still take effect"
        return Wait("settle", due, due, detail)
    looked = seen is not None and not _faults(case, step, subject, seen)
    return Record((AttemptSettled(migration=case.migration.id, subject=subject),)) if looked else None


def _settled_at(case: Case, subject: str, attempt: Attempt) -> datetime | None:
    """Return when a lost call can no longer take effect; counted from now where nobody knew the time it was lost."""
    if attempt.unsettled_since is not None:
        return attempt.unsettled_since + case.policy.settle
    waiting = case.state.waits.get(subject)
    if waiting is not None and waiting.waiting_for == "settle" and waiting.until is not None:
        return waiting.until
    return case.at + case.policy.settle if case.at else None


def _judged(case: Case, step: Step, subject: str, seen: Seen) -> Action:
    faulty = _faulty(case, step, subject, seen)
    if faulty is not None:
        return faulty
    try:
        answer: Answer | Unreadable = step.judge(case, subject, seen)
    except Unreadable as unread:
        answer = unread
    if (subject, "read") in case.state.tries and not isinstance(answer, Observe):
        # What is read in two rounds has recovered when both were: else a fault of the second would never be counted.
        return Record((Recovered(migration=case.migration.id, subject=subject),))
    if isinstance(answer, Perform) and case.state.asserted is not None:
        answer = contradicted(case, subject, answer, seen)
    if _writes_down(answer, HostSnapshotTaken):
        return _joining(case, step, subject, answer, seen)
    writes = isinstance(answer, Perform) or _writes_down(answer, SnapshotTaken)
    if isinstance(answer, Unreadable):
        writes = step.stage is not Stage.BACK  # there a guard only warns; what could not be read is a fault of its own
    if step.stage is None or not writes or not step.asks_guards(case):
        return _carry_on(case, step, subject, answer, ())
    first = _before_guards(case, step, subject, seen)
    if first is not None:
        return first
    answers = _answers(case, step, seen)
    return _refusal(case, step, answers) or _carry_on(case, step, subject, answer, (_asked(case, step, answers),))


def _before_guards(case: Case, step: Step, subject: str, seen: Seen) -> Action | None:
    """Return what comes before guards can answer: their reading, and the faults that a step alone would see through."""
    if not seen.guarded:
        return Observe(merge((*step.reads(case, subject), *_probes(case, step, None))), guarded=True)
    return _faulty(case, step, subject, seen, to_write=True)


def _carry_on(case: Case, step: Step, subject: str, answer: Answer | Unreadable, said: tuple[Event, ...]) -> Action:
    """Turn a step's answer into what the conductor does; ``said`` are the guards that let a write pass."""
    match answer:
        case Unreadable():
            return hold(case, step, subject, Stop("fault", str(answer)))
        case Perform():
            return _perform(case, step, subject, answer, said)
        case Record():
            return Record((*said, *answer.events))
        case Stop():
            return hold(case, step, subject, answer)
        case Done():
            return Record(_done(case, step, subject, answer))
        case _:
            return answer


def _joining(case: Case, step: Step, subject: str, answer: Answer | Unreadable, seen: Seen) -> Action:
    """Let a host join that no guard refuses: it was not there when the migration was asked about at preflight."""
    unasked = unanswered(probes_about_host(case, subject, seen), seen)
    if unasked:
        return Observe(merge(unasked), more=True)
    answers = ask_about_host(case, subject, seen)
    return _refusal(case, step, answers) or _carry_on(case, step, subject, answer, (_asked(case, step, answers),))


def _writes_down(answer: object, what: type[SnapshotTaken | HostSnapshotTaken]) -> bool:
    return isinstance(answer, Record) and any(isinstance(event, what) for event in answer.events)


def _faulty(case: Case, step: Step, subject: str, seen: Seen, to_write: bool = False) -> Action | None:
    """Return what follows where something could not be read: a retry, a wait or a hold; None if all was read."""
    faults = _faults(case, step, subject, seen, to_write)
    if not faults:
        return None
    never_reached = case.state.snapshot is None and any(not fault.reached and not fault.busy for _, fault in faults)
    if seen.guarded and never_reached and not _cut_off(case, faults):
        refusal = _refusal(case, step, _answers(case, step, seen))
        if refusal is not None:
            return refusal
    endpoint, fault = min(faults, key=lambda one: one[1].kind is not FaultKind.PERMANENT)
    expected = step.on_fault(case, subject, fault)
    if expected is not None:
        return expected
    if fault.kind is FaultKind.PERMANENT:
        return hold(case, step, subject, unreadable(endpoint, fault))
    return retry(case, subject, "read", fault)


def _cut_off(case: Case, faults: Iterable[tuple[str, Fault]]) -> bool:
    """Whether it may well be the runner that is cut off: the domain controller is silent, and was heard in this run."""
    passing = all(fault.kind is FaultKind.TRANSIENT for _, fault in faults)
    return case.silent and case.run.last_at is not None and passing


def _faults(case: Case, step: Step, subject: str, seen: Seen, to_write: bool = False) -> list[tuple[str, Fault]]:
    """Return the faults that matter: that a host is out of reach does not, where its guard was waived.

    Nor does what a step sees through, unless a write is to be decided on (``to_write``).
    """
    waived = seen.guarded and step.stage is not None and case.waived("host-reachable", step.stage)
    return [
        (endpoint, fault)
        for endpoint, fault in seen.faults()
        if not (waived and endpoint in case.host_names and not fault.reached)
        and (to_write or not step.sees_through(case, subject, endpoint, fault))
    ]


def after_end_shell(case: Case, subject: str, acknowledged: bool) -> Record:
    """Return what follows the attempt to end a shell: it is ended, or this is tried again, or a person looks.

    A host that was told to reboot is expected to be away for a while.
    """
    attempt = case.state.open[subject]
    if acknowledged:
        return Record((ShellEnded(migration=case.migration.id, subject=subject, shell=attempt.started.shell),))
    fault = Fault(
        FaultKind.TRANSIENT,
        "shell-not-ended",
        f"{attempt.started.endpoint} did not confirm that the shell of {attempt.started.cmdlet} is gone, so its "
        "outcome is still unknown",
        "make the endpoint answer; nothing is repeated before that",
    )
    if attempt.started.cmdlet == "Restart-Computer" and case.at and case.at < (attempt.at or case.at) + REBOOT_TAKES:
        return again(case, subject, "read", fault, case.state.tries.get((subject, "read"), 0), case.at + LOOK_AGAIN)
    tries = case.state.tries.get((subject, "read"), 0)
    if case.silent and case.at is not None and tries + 1 >= case.policy.retry.attempts:
        return again(case, subject, "read", fault, tries, case.at + case.policy.retry.longest_wait)
    record = again_or_hold(case, subject, "read", fault)
    return Record(
        tuple(
            event.model_copy(update={"reason": "unknown-outcome"}) if isinstance(event, Held) else event
            for event in record.events
        )
    )


def _perform(case: Case, step: Step, subject: str, perform: Perform, said: tuple[Event, ...]) -> Action:
    """Let a write happen, unless it failed, was tried too often, or would outlast the window.

    A failure is one of the same parameters only: an account that somebody moved between the reading and the write is
    not found under its old name, and known by its new one as soon as it was read again.
    """
    statement = perform.write.statement
    key = (subject, spelled(statement.name, statement.parameters))
    fault = case.state.faults.get(key)
    down = perform.down if case.state.intention is Intention.BACK else ()
    if fault is not None and fault.kind is FaultKind.TRANSIENT:
        return retry(case, subject, "write", fault, down)
    parameters = {name: plain(value) for name, value in statement.parameters.items()}
    if fault is not None and case.state.asked.get(key, parameters) == parameters:
        return hold(case, step, subject, Stop("fault", fault.message, fault.remedy, down))
    sent = case.state.performed.get(key, 0)
    if sent >= case.policy.retry.attempts:
        detail = f"{statement} was sent {sent} times and what it should do cannot be read back at {subject}."
        return hold(case, step, subject, Stop("retries-spent", detail, down=down))
    late = too_late(case, step.trigger, subject, perform)
    if late is not None:
        return late
    return replace(perform, before=(*said, *perform.before))


def _probes(case: Case, step: Step, seen: Seen | None) -> tuple[Read, ...]:
    return probes(case, step.stage, seen or Seen(case.migration.id)) if step.stage else ()


def _answers(case: Case, step: Step, seen: Seen) -> tuple[GuardAnswer, ...]:
    """Return what the guards say that are due before a step writes."""
    if step.stage is None:
        return ()
    return tuple(answer for answer in ask(case, step.stage, seen) if answer.guard not in step.leaves_out)


def _asked(case: Case, step: Step, answers: Iterable[GuardAnswer]) -> GuardsAsked:
    return GuardsAsked(migration=case.migration.id, step=step.trigger, answers=tuple(answer.said for answer in answers))


def _refusal(case: Case, step: Step, answers: tuple[GuardAnswer, ...]) -> Action | None:
    """Return the hold or the wait that the guards ask for; None if all let the migration pass."""
    against = [answer for answer in answers if not answer.lets_pass]
    if not against:
        return None
    firm = [answer for answer in against if not answer.verdict.waits]
    if not firm:
        return waited_for(case, [answer.verdict for answer in against])
    # Whether it is ours at all comes first: what else is said of another's work is beside the point.
    first = min(firm, key=lambda answer: (answer.guard != "host-reachable", answer.guard != "run-is-ours"))
    same = [answer.verdict for answer in firm if answer.guard == first.guard]
    release = _release(case, step, first.guard)
    held = hold(case, step, DIRECTORY, Stop(f"guard:{first.guard}", "\n".join(map(line, same)), release))
    return Record((_asked(case, step, answers), *held.events))


def _release(case: Case, step: Step, guard: str) -> str:
    """Return the words that lead on from a guard that needs another word than a release; empty for all others."""
    if guard == "account-password-stable" and step.stage is Stage.BACK:
        return _ACCEPT.format(id=case.migration.id, way=case.state.way or step.trigger)
    return _ADOPT.format(id=case.migration.id) if guard == "run-is-ours" else ""


_ACCEPT = (
    "`dmsa {way} PLAN --only {id} --accept-password-risk` goes back all the same; "
    "`dmsa release PLAN --only {id} --forward --reason TEXT` takes the word back, nothing was changed for it"
)
_ADOPT = (
    "find out who began it, and that nobody else drives it; `dmsa adopt PLAN --only {id} --reason TEXT` takes it over, "
    "`dmsa release PLAN --only {id} --reason TEXT` looks again"
)


def _done(case: Case, step: Step, subject: str, done: Done) -> tuple[Event, ...]:
    """Return the events of a subject that is done, and of the move if it was the last one."""
    event = SubjectDone.model_validate(
        {"migration": case.migration.id, "step": step.trigger, "subject": subject, "evidence": done.evidence}
        | {"registry": done.registry, "rebooted": done.rebooted, "workloads": done.workloads, "pair": done.pair}
    )
    if _left(case, step) - {subject}:
        return (*done.before, event)
    return (*done.before, event, *_move(_as_if(case, event), step, done.pair, done.evidence.get("dmsa_guid")))


def _left(case: Case, step: Step) -> set[str]:
    """Return the subjects of a step that are not done."""
    return {one for group in step.groups(case) for one in group} - case.state.done


def _move(case: Case, step: Step, pair: Pair | None, dmsa_guid: object) -> tuple[Event, ...]:
    """Return the events of a step that has nothing left to do."""
    dest = step.dest(case)
    moved = Moved.model_validate(
        {"migration": case.migration.id, "trigger": step.trigger, "source": case.state.phase, "dest": dest}
        | {"pair": pair or case.state.reached, "dmsa_guid": dmsa_guid}
    )
    turned = turned_back(case)
    way = turned[0].way if turned else case.state.way
    if way not in {None, Way.ROLLBACK} and dest is not Phase.ROLLED_BACK:
        return (*turned, moved, undone(case, dest, way))
    return (*turned, moved)


def _as_if(case: Case, event: SubjectDone) -> Case:
    """Return the case as it will be once the event is folded in."""
    return replace(case, state=replace(case.state, reached=event.pair or case.state.reached))
