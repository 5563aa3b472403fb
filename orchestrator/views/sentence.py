"""Plain words for each event, for whoever reads along or reads the journal: one line, but for a hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.model.before import Compared, HostSnapshotTaken, SnapshotRepeated, SnapshotTaken
from orchestrator.model.drilled import DrillBegan, DrillEnded, DrillTurned, SteadyStateSeen
from orchestrator.model.driven import (
    CallRefused,
    ControllersFound,
    RunBegan,
    RunnerLeft,
    RunnerTook,
    ShellGone,
    ShellOpened,
)
from orchestrator.model.event import (
    DIRECTORY,
    Admitted,
    AttemptFinished,
    AttemptSettled,
    AttemptStarted,
    BaselineRead,
    Event,
    GuardsAsked,
    Held,
    LedgerRead,
    Moved,
    Recovered,
    Released,
    RetryDue,
    ShellEnded,
    SubjectDone,
    WaitBegan,
    WayBackAsked,
)
from orchestrator.model.folded import StateFolded
from orchestrator.model.lifecycle import Trigger
from orchestrator.model.noticed import NoticeRaised, NoticeSent, NoticeUnsent
from orchestrator.model.observation import Outcome
from orchestrator.model.unknown import known_of
from orchestrator.model.words import (
    AdoptAsked,
    Amended,
    Approval,
    ApprovalWithdrawn,
    Approved,
    AssertedDone,
    HostReleased,
    WaiverApproved,
    WaiverWithdrawn,
)
from orchestrator.views.status import iso

STANDS_OUT = (
    RunBegan,
    RunnerTook,
    RunnerLeft,
    AttemptStarted,
    Compared,
    Moved,
    Held,
    Released,
    WayBackAsked,
    RetryDue,
    CallRefused,
    Amended,
    HostReleased,
    AssertedDone,
    AdoptAsked,
    Approved,
    WaiverApproved,
    ApprovalWithdrawn,
    WaiverWithdrawn,
    DrillBegan,
    SteadyStateSeen,
    DrillTurned,
    DrillEnded,
    NoticeUnsent,
)
"""Events that somebody who reads along wants to see; the others are for the journal."""


def sentence(event: Event) -> str:
    """Return what happened, without time and without the migration's name."""
    return _SENTENCES[type(event)](event)


def _finished(event: AttemptFinished) -> str:
    end = "done" if event.outcome is Outcome.SUCCEEDED else str(event.outcome)
    return f"{event.subject}: {end}" + (f", and said {event.fault.message}" if event.fault else "")


def _attempt(event: AttemptStarted) -> str:
    what = event.parameters.get("Name") or event.parameters.get("SupersededAccount") or event.parameters.get("Identity")
    return f"{event.step}: {event.cmdlet} {what or ''}".rstrip() + f" on {event.endpoint}"


def _guards(event: GuardsAsked) -> str:
    passed = sum(answer.verdict == "pass" for answer in event.answers)
    against = [f"{a.guard} {a.verdict}{' (waived)' if a.waived else ''}" for a in event.answers if a.verdict != "pass"]
    return f"guards before {event.step}: {passed} pass" + (f"; {', '.join(against)}" if against else "")


def _done(event: SubjectDone) -> str:
    if event.step is Trigger.SOAK:
        return _soaked(event)
    seen = [f"{w.name} {w.state}" for w in event.workloads or ()]
    if event.registry:
        seen.append(f"DelegatedMSAEnabled {event.registry}")
    return f"{event.step} done at {event.subject}" + (f" ({', '.join(seen)})" if seen else "")


def _ledger(event: LedgerRead) -> str:
    unknown = f"; not in the plan: {'; '.join(map(known_of, event.unknown))}" if event.unknown else ""
    return f"ledger: {', '.join(event.principals) or 'nobody yet'}{unknown}"


def _soaked(event: SubjectDone) -> str:
    """Say why Complete may come: since when the dwell counts and of what, and since when nobody new has come."""
    said = event.evidence
    parts = ", ".join(f"{name} {at}" for name, at in (said.get("dwell_parts") or {}).items())
    if not parts:
        return f"{event.step} done at {event.subject}"
    return (
        f"{event.step} done at {event.subject} (dwell since {said['dwell_started']}: {parts}; due {said['dwell_due']}; "
        f"ledger flat since {said['flat_since']}, {len(said['ledger'])} on it)"
    )


def _at(subject: str) -> str:
    return "" if subject == DIRECTORY else f" at {subject}"


def _wait(event: WaitBegan) -> str:
    until = f" until {iso(event.until)}" if event.until else ""
    return f"waits for {event.waiting_for}{_at(event.subject)}{until}: {event.detail}"


def _again(event: RetryDue) -> str:
    if not event.turned_away:
        return f"try {event.tries + 1}"
    return f"no room{' again' if event.turned_away > 1 else ''}, asked once more"


def _way_back(event: WayBackAsked) -> str:
    risk = ", who accepts the password's risk" if event.accept_password_risk else ""
    return f"{event.way} asked by {event.by}{risk}" + (f": {event.reason}" if event.reason else "")


def _released(event: Released) -> str:
    return f"released by {event.by}{' to go forward' if event.forward else ''}: {event.reason}"


_CLASSES = {"failed": "not restored", "foreign": "changed by others", "declared": "left as declared"}


def compared(event: Compared) -> str:
    """Say how many facts are as they were, and which are not."""
    counts = [f"{event.equal} facts as in the snapshot"]
    for verdict, words in _CLASSES.items():
        found = [f"{one.object} {one.name}" for one in event.differences if one.verdict == verdict]
        if found:
            counts.append(f"{len(found)} {words}" + (f" ({', '.join(found)})" if verdict != "declared" else ""))
    return ", ".join(counts)


def _steady(event: SteadyStateSeen) -> str:
    found = "; ".join(event.troubles) if event.troubles else f"all is well: account {event.account}"
    return f"steady state {event.when} drill {event.number}: {found}"


def _turned(event: DrillTurned) -> str:
    reached = ", ".join(
        f"{id_} {one.phase}" + (f" ({one.why})" if one.why else "") for id_, one in event.reached.items()
    )
    return f"drill {event.number} turns back: {reached}"


def _approved(event: Approval) -> str:
    signed = " (signed)" if event.signature else ""
    return f"{event.subject.words}: approved by {event.by}{signed}" + (f": {event.reason}" if event.reason else "")


def _withdrawn(event: ApprovalWithdrawn | WaiverWithdrawn) -> str:
    why = f": {event.reason}" if event.reason else ""
    return f"{event.subject.words}: {event.by} takes the approval back{why}"


def _raised(event: NoticeRaised) -> str:
    wave = f", wave {event.wave}" if event.wave else ""
    about = f" ({', '.join(event.migrations)})" if event.migrations else ""
    return f"notice {event.number} is to be sent: {event.occasion}{wave}{about}"


_SENTENCES: dict[type, Callable[[Any], str]] = {
    RunBegan: lambda e: f"run began, plan digest {e.digest[:12]}, by {e.by}",
    RunnerTook: lambda e: f"{e.by} on {e.host} (pid {e.pid}) drives",
    RunnerLeft: lambda e: f"the runner left: {e.reason}",
    ShellOpened: lambda e: f"shell {e.shell} at {e.endpoint} is opened",
    ShellGone: lambda e: f"shell {e.shell} at {e.endpoint} is gone",
    ControllersFound: lambda e: f"copies that must agree: {', '.join(e.names)}",
    GuardsAsked: _guards,
    SnapshotTaken: lambda e: (
        f"{'late ' if e.late else ''}snapshot of account, dMSA and {len(e.hosts)} hosts, {e.sha256[:12]}"
    ),
    HostSnapshotTaken: lambda e: f"snapshot of {e.host}, which joins, {e.sha256[:12]}",
    SnapshotRepeated: lambda e: f"the same before Complete, {e.sha256[:12]}",
    Compared: compared,
    Admitted: lambda e: f"admitted to {e.step}",
    AttemptStarted: _attempt,
    AttemptFinished: _finished,
    ShellEnded: lambda e: f"the shell of the lost call at {e.subject} is gone",
    AttemptSettled: lambda e: f"the lost call at {e.subject} was settled by looking",
    BaselineRead: lambda e: f"{e.step} at {e.host}: baseline {iso(e.local_time)}",
    SubjectDone: _done,
    LedgerRead: _ledger,
    Moved: lambda e: f"{e.source} -> {e.dest}",
    WaitBegan: _wait,
    RetryDue: lambda e: f"{_again(e)}{_at(e.subject)} at {iso(e.until)}: {e.fault.message}",
    Recovered: lambda e: f"{e.subject} answers again",
    Held: lambda e: f"HELD ({e.reason}): {e.detail}\nTo go on: {e.release}",
    Released: _released,
    WayBackAsked: _way_back,
    CallRefused: lambda e: f"REFUSED by the safety rule: {e.detail}",
    Amended: lambda e: f"amended by {e.by} to plan digest {e.digest[:12]}: {e.reason}",
    HostReleased: lambda e: f"{e.host} is lost, says {e.by}: {e.reason}",
    AssertedDone: lambda e: f"{e.step} was done by hand, says {e.by}: {e.reason}",
    AdoptAsked: lambda e: f"to be adopted, says {e.by}: {e.reason}",
    Approved: _approved,
    WaiverApproved: _approved,
    ApprovalWithdrawn: _withdrawn,
    WaiverWithdrawn: _withdrawn,
    DrillBegan: lambda e: f"drill {e.number} of {', '.join(e.migrations)} to {e.to} and back, by {e.by}",
    SteadyStateSeen: _steady,
    DrillTurned: _turned,
    DrillEnded: lambda e: f"drill {e.number} ended",
    StateFolded: lambda e: (
        f"where everything stands, {(len(e.own) + len(e.shared)) // 1024 + 1} KiB, form {e.form[:12]}"
    ),
    NoticeRaised: _raised,
    NoticeSent: lambda e: f"{e.receiver} took notice {e.notice}",
    NoticeUnsent: lambda e: f"{e.receiver} {'refused' if e.for_good else 'did not take'} notice {e.notice}: {e.why}",
}
