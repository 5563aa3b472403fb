"""A line of plain words for every event, without the time and without the migration's name."""

from datetime import UTC, datetime
from typing import get_args
from uuid import UUID

import pytest

from orchestrator.model import before as b
from orchestrator.model import drilled as d
from orchestrator.model import event as e
from orchestrator.model.folded import StateFolded
from orchestrator.model.lifecycle import Phase, Trigger, Way
from orchestrator.model.noticed import NoticeRaised, NoticeSent, NoticeUnsent
from orchestrator.model.observation import FaultKind, Outcome
from orchestrator.model.words import (
    AdoptAsked,
    Amended,
    ApprovalWithdrawn,
    Approved,
    AssertedDone,
    HostReleased,
    WaiverApproved,
    WaiverWithdrawn,
)
from orchestrator.views.sentence import STANDS_OUT, sentence

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOST = "app01.corp.example"
FAULT = e.FaultSeen(kind=FaultKind.TRANSIENT, code="refused", message="app01 refuses connections")
BEFORE = b.HostBefore(computer_name="APP01", key_exists=True, value=None)
IDS = {"shell": UUID(int=1), "pipeline": UUID(int=2)}


def attempt(cmdlet: str, **parameters: object) -> e.AttemptStarted:
    given = {"migration": "a", "step": "restart", "subject": HOST, "endpoint": HOST, "cmdlet": cmdlet, **IDS}
    return e.AttemptStarted.model_validate({**given, "parameters": parameters})


def answer(guard: str, verdict: str, *, waived: bool = False) -> e.GuardSaid:
    said = {"guard": guard, "subject": "a", "verdict": verdict, "evidence": "", "waived": waived}
    return e.GuardSaid.model_validate(said)


SAID = [
    (e.RunBegan(digest="0123456789abcdef", plan={}, by="ann", tool="1"), "run began, plan digest 0123456789ab, by ann"),
    (e.RunnerTook(by="ann", host="mgmt01", pid=7, tool="1"), "ann on mgmt01 (pid 7) drives"),
    (e.RunnerLeft(reason="told to stop"), "the runner left: told to stop"),
    (
        e.ShellOpened(endpoint="dc01", shell=UUID(int=1)),
        "shell 00000000-0000-0000-0000-000000000001 at dc01 is opened",
    ),
    (e.ShellGone(endpoint="dc01", shell=UUID(int=1)), "shell 00000000-0000-0000-0000-000000000001 at dc01 is gone"),
    (e.ControllersFound(names=("dc01", "dc02")), "copies that must agree: dc01, dc02"),
    (
        e.GuardsAsked(
            migration="a",
            step=Trigger.START,
            answers=(answer("x", "pass"), answer("y", "refuse", waived=True), answer("z", "unknown")),
        ),
        "guards before start: 1 pass; y refuse (waived), z unknown",
    ),
    (
        b.SnapshotTaken(
            migration="a", account_guid=UUID(int=1), account={}, dmsa=None, hosts={}, sha256="fedcba9876543210"
        ),
        "snapshot of account, dMSA and 0 hosts, fedcba987654",
    ),
    (
        b.SnapshotRepeated(migration="a", account={}, dmsa=None, hosts={}, sha256="fedcba9876543210"),
        "the same before Complete, fedcba987654",
    ),
    (
        b.Compared(
            migration="a",
            snapshot="0",
            now="1",
            equal=30,
            differences=tuple(
                b.Difference(object="account", name=name, verdict=verdict, why="")
                for name, verdict in (("a", "declared"), ("b", "foreign"), ("c", "failed"))
            ),
        ),
        "30 facts as in the snapshot, 1 not restored (account c), 1 changed by others (account b), 1 left as declared",
    ),
    (
        b.HostSnapshotTaken(migration="a", host=HOST, before=BEFORE, sha256="fedcba9876543210"),
        f"snapshot of {HOST}, which joins, fedcba987654",
    ),
    (e.Admitted(migration="a", step=Trigger.COMPLETE), "admitted to complete"),
    (attempt("Restart-Service", Name="App"), f"restart: Restart-Service App on {HOST}"),
    (attempt("Restart-Computer", Force=True), f"restart: Restart-Computer on {HOST}"),
    (e.AttemptFinished(migration="a", subject=HOST, outcome=Outcome.SUCCEEDED), f"{HOST}: done"),
    (
        e.AttemptFinished(migration="a", subject=HOST, outcome=Outcome.UNKNOWN, fault=FAULT),
        f"{HOST}: unknown, and said app01 refuses connections",
    ),
    (e.ShellEnded(migration="a", subject=HOST, shell=UUID(int=1)), f"the shell of the lost call at {HOST} is gone"),
    (e.AttemptSettled(migration="a", subject=HOST), f"the lost call at {HOST} was settled by looking"),
    (
        e.BaselineRead(migration="a", step=Trigger.RESTART, host=HOST, local_time=AT, boot_time=AT),
        f"restart at {HOST}: baseline 2026-03-02T12:00:00Z",
    ),
    (
        e.SubjectDone(
            migration="a",
            step=Trigger.REGISTRY,
            subject=HOST,
            registry="set",
            workloads=(e.WorkloadSeen(kind="service", name="App", state="running"),),
        ),
        f"registry done at {HOST} (App running, DelegatedMSAEnabled set)",
    ),
    (e.SubjectDone(migration="a", step=Trigger.LINK, subject="directory"), "link done at directory"),
    (e.LedgerRead(migration="a", principals=(), hosts_present=(), sha256=""), "ledger: nobody yet"),
    (e.LedgerRead(migration="a", principals=(HOST, "x"), hosts_present=(HOST,), sha256=""), f"ledger: {HOST}, x"),
    (
        e.Moved(migration="a", trigger=Trigger.LINK, source=Phase.STARTED, dest=Phase.LINKED),
        "started -> linked",
    ),
    (
        e.WaitBegan(migration="a", subject="directory", waiting_for="dwell", until=AT, detail="not before"),
        "waits for dwell until 2026-03-02T12:00:00Z: not before",
    ),
    (
        e.WaitBegan(migration="a", subject=HOST, waiting_for="reboot", detail="told to"),
        f"waits for reboot at {HOST}: told to",
    ),
    (
        e.RetryDue(migration="a", subject=HOST, of="read", tries=1, until=AT, fault=FAULT),
        f"try 2 at {HOST} at 2026-03-02T12:00:00Z: app01 refuses connections",
    ),
    (e.Recovered(migration="a", subject=HOST), f"{HOST} answers again"),
    (
        e.Held(migration="a", reason="fault", detail="It broke.", release="mend it"),
        "HELD (fault): It broke.\nTo go on: mend it",
    ),
    (e.Released(migration="a", by="ann", reason="mended"), "released by ann: mended"),
    (
        e.Released(migration="a", by="ann", reason="mended", forward=True),
        "released by ann to go forward: mended",
    ),
    (e.WayBackAsked(migration="a", way=Way.UNDO, by="ann"), "undo asked by ann"),
    (e.WayBackAsked(migration="a", way=Way.ROLLBACK, by="ann", reason="errors"), "rollback asked by ann: errors"),
    (
        Amended(digest="0123456789abcdef", plan={}, by="ann", reason="app05 joins"),
        "amended by ann to plan digest 0123456789ab: app05 joins",
    ),
    (HostReleased(migration="a", host=HOST, by="ann", reason="scrapped"), f"{HOST} is lost, says ann: scrapped"),
    (
        AssertedDone(migration="a", step=Trigger.START, by="ann", reason="at the console"),
        "start was done by hand, says ann: at the console",
    ),
    (AdoptAsked(migration="a", by="ann", reason="lost disk"), "to be adopted, says ann: lost disk"),
    (Approved(wave="main", gate="start", digest="0", by="bob", given=AT), "wave main, before start: approved by bob"),
    (
        Approved(wave="main", gate="complete", digest="0", by="bob", given=AT, reason="CHG1", signature="AA=="),
        "wave main, before complete: approved by bob (signed): CHG1",
    ),
    (
        WaiverApproved(migration="a", guard="recycle-bin", digest="0", by="bob", given=AT),
        "the waiver of recycle-bin for a: approved by bob",
    ),
    (
        ApprovalWithdrawn(wave="main", gate="start", by="bob", reason="not now"),
        "wave main, before start: bob takes the approval back: not now",
    ),
    (
        WaiverWithdrawn(migration="a", guard="recycle-bin", by="bob"),
        "the waiver of recycle-bin for a: bob takes the approval back",
    ),
    (
        b.SnapshotTaken(
            migration="a", account_guid=UUID(int=1), account={}, dmsa=None, hosts={}, sha256="fedcba987654", late=True
        ),
        "late snapshot of account, dMSA and 0 hosts, fedcba987654",
    ),
    (e.CallRefused(migration="a", detail="Remove-ADUser"), "REFUSED by the safety rule: Remove-ADUser"),
    (
        d.DrillBegan(number=2, migrations=("a", "b"), to=Phase.RESTARTED, by="ann", tool="1", clock=AT, estate="real"),
        "drill 2 of a, b to restarted and back, by ann",
    ),
    (
        d.SteadyStateSeen(migration="a", number=2, when="before", account="enabled, unlinked"),
        "steady state before drill 2: all is well: account enabled, unlinked",
    ),
    (
        d.SteadyStateSeen(migration="a", number=2, when="after", account="", troubles=("app01: App is down", "more")),
        "steady state after drill 2: app01: App is down; more",
    ),
    (
        d.DrillTurned(
            number=2,
            reached={"a": d.Turned(phase=Phase.RESTARTED), "b": d.Turned(phase=Phase.LINKED, why="held (fault): no")},
        ),
        "drill 2 turns back: a restarted, b linked (held (fault): no)",
    ),
    (d.DrillEnded(number=2, clock=AT), "drill 2 ended"),
    (
        NoticeRaised(number=3, occasion="held", wave="pilot", migrations=("a", "b"), detail="because"),
        "notice 3 is to be sent: held, wave pilot (a, b)",
    ),
    (NoticeRaised(number=4, occasion="held", wave="", detail="because"), "notice 4 is to be sent: held"),
    (NoticeSent(notice="erp/3-abc", receiver="hooks", status=200), "hooks took notice erp/3-abc"),
    (NoticeUnsent(notice="erp/3-abc", receiver="hooks", why="timeout"), "hooks did not take notice erp/3-abc: timeout"),
    (
        NoticeUnsent(notice="erp/3-abc", receiver="hooks", why="HTTP 410", for_good=True),
        "hooks refused notice erp/3-abc: HTTP 410",
    ),
    (
        StateFolded(form="0123456789abcdef", own="x" * 1500, shared="y" * 1000),
        "where everything stands, 3 KiB, form 0123456789ab",
    ),
]


@pytest.mark.parametrize(("event", "said"), SAID, ids=lambda value: getattr(value, "kind", ""))
def test_sentence(event, said):
    assert sentence(event) == said


def test_there_is_one_for_every_event_of_the_vocabulary():
    vocabulary = set(get_args(get_args(e.Event)[0]))
    assert {type(event) for event, _ in SAID} == vocabulary
    assert set(STANDS_OUT) <= vocabulary
