"""What was not verified, told from rows that are written for it; drills, and several attempts, in one document."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator

from orchestrator.model import before as b
from orchestrator.model import drilled as d
from orchestrator.model import event as e
from orchestrator.model import words as w
from orchestrator.model.driven import CallRefused, RunBegan, RunnerTook
from orchestrator.model.event import Event
from orchestrator.model.lifecycle import Pair, Phase, Trigger, Way
from orchestrator.planfile import canonical, digest, parse_plan
from orchestrator.report.schema import report_schema
from tests.report.reports import page_of, report_of, rows_made

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOST = "app01.corp.example"
ACCOUNT = "CN=svc-a,OU=Services,DC=corp,DC=example"
KEY = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
PLAN = f"""
version: 1
name: told
estate:
  domain: corp.example
  directory: {{endpoint: dc01.corp.example, server: dc01.corp.example, converge_on: [dc01.corp.example]}}
  connections: [{{match: "*", auth: kerberos}}]
policy: {{restart_after_complete: false, approvals: {{start: 1}}}}
waves:
  - name: only
    migrations:
      - account: {ACCOUNT}
        dmsa: {{name: a, dns_host_name: a.corp.example}}
        hosts: [{{name: {HOST}, services: [App]}}]
"""
BEFORE = b.HostBefore(
    computer_name="APP01",
    key_exists=True,
    value=None,
    services={"App": b.ServiceBefore(state="Running", start_mode="Auto", start_name="CORP\\svc-a")},
)
SNAPSHOT = "a" * 64
ASKED_BACK = e.WayBackAsked(migration="a", way=Way.ROLLBACK, by="ann", reason="try it", accept_password_risk=True)


def taken(**more: Any) -> b.SnapshotTaken:
    account = {"dn": ACCOUNT, "sid": "S-1-5-21-1-2-3-1104", "userAccountControl": 512}
    given = {"migration": "a", "account_guid": UUID(int=1), "account": account, "dmsa": None, "sha256": SNAPSHOT}
    return b.SnapshotTaken.model_validate({**given, "hosts": {HOST: BEFORE}, **more})


def moved(trigger: Trigger, source: Phase, dest: Phase, pair: Pair | None = None) -> e.Moved:
    return e.Moved(migration="a", trigger=trigger, source=source, dest=dest, pair=pair)


PREPARED = (taken(), moved(Trigger.PREPARE, Phase.PLANNED, Phase.PREPARED, Pair.UNLINKED))
STARTED = (*PREPARED, moved(Trigger.START, Phase.PREPARED, Phase.STARTED, Pair.STARTED))
SWITCHED = (
    *STARTED,
    moved(Trigger.LINK, Phase.STARTED, Phase.LINKED, Pair.STARTED),
    moved(Trigger.REGISTRY, Phase.LINKED, Phase.REGISTERED),
    moved(Trigger.RESTART, Phase.REGISTERED, Phase.RESTARTED),
    moved(Trigger.SOAK, Phase.RESTARTED, Phase.SOAKED),
    moved(Trigger.COMPLETE, Phase.SOAKED, Phase.SWITCHED, Pair.COMPLETED),
)
BACK = (
    ASKED_BACK,
    moved(Trigger.UNDO, Phase.STARTED, Phase.UNLINKED, Pair.UNLINKED),
    moved(Trigger.RESTORE, Phase.UNLINKED, Phase.RESTORED),
    b.Compared(migration="a", snapshot=SNAPSHOT, now="b" * 64, equal=9),
    moved(Trigger.RESTART, Phase.RESTORED, Phase.ROLLED_BACK, Pair.UNLINKED),
)
ADOPTED = w.AdoptAsked(migration="a", by="ann", reason="the disk is lost")
ASSERTED = w.AssertedDone(migration="a", step=Trigger.START, by="ann", reason="at the console")
LOST = w.HostReleased(migration="a", host=HOST, by="ben", reason="burnt")
REFUSED = CallRefused(migration="a", detail="Remove-ADUser is in no row of the catalogue")


@cache
def begun() -> tuple[Event, ...]:
    plan = parse_plan(PLAN.encode(), "plan.yaml")
    began = RunBegan(digest=digest(plan), plan=canonical(plan), by="ann", tool="0.1.0")
    return (began, RunnerTook(by="ann", host="runner", pid=1, tool="0.1.0"))


def told(*events: Event) -> dict[str, Any]:
    """Return the report of these events, one a minute."""
    timed = [(event, AT + timedelta(minutes=number)) for number, event in enumerate((*begun(), *events))]
    document = report_of(rows_made("told", timed))
    Draft202012Validator(report_schema()).validate(document)
    assert page_of(document)
    return document


def lines(events: Iterable[Event]) -> dict[str, dict[str, Any]]:
    return {line["id"]: line for line in told(*events)["not_verified"]}


def approved(**more: Any) -> w.Approved:
    given = {"digest": begun()[0].digest, "by": "cem", "given": AT, "wave": "only", "gate": "start"}  # type: ignore[union-attr]
    return w.Approved.model_validate({**given, **more})


def done(state: str) -> e.SubjectDone:
    seen = e.WorkloadSeen.model_validate({"kind": "service", "name": "App", "state": state})
    return e.SubjectDone(migration="a", step=Trigger.RESTART, subject=HOST, workloads=(seen,))


@pytest.mark.parametrize(
    ("id_", "events", "about"),
    [
        ("by-hand", (*PREPARED, ASSERTED), "a: start was done by hand, says ann: at the console"),
        ("adopted", (ADOPTED, taken(late=True)), "a"),
        ("hosts-lost", (*PREPARED, LOST), f"a: {HOST}, says ben"),
        ("refused", (*PREPARED, REFUSED), "REFUSED by the safety rule: Remove-ADUser is in no row of the catalogue"),
        ("password-risk", (*STARTED, *BACK), "a"),
        ("no-second-restart", SWITCHED, "a"),
        ("unsigned", (*PREPARED, approved()), "cem"),
        ("one-copy", PREPARED, "dc01.corp.example"),
        ("not-asked-then", (taken(unasked=("memberOf",)),), "a: memberOf"),
        ("workloads-unknown", (*STARTED, done("stopped")), f"a: App on {HOST} stopped"),
        (
            "late-hosts",
            (*PREPARED, b.HostSnapshotTaken(migration="a", host="app02", before=BEFORE, sha256="c" * 64)),
            "a: app02",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_a_line_is_there_where_rows_say_so_and_nowhere_else(id_, events, about):
    assert about in lines(events)[id_]["about"]
    if id_ != "one-copy":
        assert id_ not in lines([] if id_ == "unsigned" else [taken()])


def test_a_real_estate_is_not_called_simulated():
    document = told(*PREPARED)
    assert document["estate"]["kind"] == "real"
    assert "simulated" not in {line["id"] for line in document["not_verified"]}
    assert b"The estate is simulated" not in page_of(document)


def test_a_refused_call_is_what_needs_a_person_first():
    document = told(*PREPARED, REFUSED)
    assert document["exit"] == 8
    assert b"The safety rule refused a call" in page_of(document)


def test_a_way_back_is_timed_from_the_word_to_its_end():
    (one,) = told(*STARTED, *BACK)["ways_back"]
    assert one["seconds"] == 4 * 60
    assert (one["from"], one["way"], one["by"]) == ("started", "rollback", "ann")


def test_a_word_in_the_place_of_another_leaves_that_one_without_an_end():
    undo = ASKED_BACK.model_copy(update={"way": Way.UNDO})
    first, second = told(*STARTED, undo, *BACK)["ways_back"]
    assert first["seconds"] is None
    assert second["seconds"] == 4 * 60


def test_each_attempt_keeps_its_snapshots_and_a_way_back_under_way_has_no_end():
    forward = e.Released(migration="a", by="ann", reason="again", forward=True)
    again = (forward, taken(), moved(Trigger.PREPARE, Phase.ROLLED_BACK, Phase.PREPARED, Pair.UNLINKED))
    document = told(*STARTED, *BACK, *again, ASKED_BACK)
    (one,) = document["migrations"]
    assert one["attempt"] == 2
    assert [each["attempt"] for each in one["snapshots"]] == [1, 2]
    assert one["snapshots"][0]["compared"]["equal"] == 9
    assert [chapter["attempt"] for chapter in one["history"]] == [1, 1, 1, 1, 1, 2, 2]
    assert [each["seconds"] is None for each in document["ways_back"]] == [False, True]


@pytest.mark.parametrize("ended", [True, False])
def test_a_drill_is_told_with_its_verdict_once_it_has_ended(ended):
    clock = datetime(2026, 11, 29, tzinfo=UTC)
    seen = {"migration": "a", "number": 1, "account": "enabled, unlinked"}
    drill = [
        d.DrillBegan(number=1, migrations=("a",), to=Phase.STARTED, by="ann", tool="1", clock=clock, estate="real"),
        d.SteadyStateSeen.model_validate({**seen, "when": "before"}),
        *STARTED,
        d.DrillTurned(number=1, reached={"a": d.Turned(phase=Phase.STARTED)}),
        *BACK,
        d.SteadyStateSeen.model_validate({**seen, "when": "after"}),
        *([d.DrillEnded(number=1, clock=clock)] if ended else []),
    ]
    document = told(*drill)
    (one,) = document["drills"]
    assert one["verdict"] == ("restored" if ended else None)
    assert one["seconds"] == 5 * 60
    assert one["head"] is not None if ended else one["head"] is None
    assert "no-drill" not in {line["id"] for line in document["not_verified"]}
    assert document["summary"]["restore"]["longest"] == 4 * 60


def test_what_a_comparison_shows_of_a_way_back_counts_as_shown():
    write = {"migration": "a", "subject": "directory", "endpoint": "dc01.corp.example", "step": "undo"}
    sent = {"cmdlet": "Enable-ADAccount", "parameters": {"Server": "dc01.corp.example"}}
    ids = {"shell": UUID(int=7), "pipeline": UUID(int=8)}
    undone = [
        e.AttemptStarted.model_validate({**write, **sent, **ids}),
        e.AttemptFinished.model_validate({"migration": "a", "subject": "directory", "outcome": "succeeded"}),
    ]
    (one,) = told(*STARTED, ASKED_BACK, *undone, *BACK[1:])["migrations"]
    (change,) = one["writes"][0]["changes"]
    assert change["shown"] == "comparison"
    compared = b.Difference(
        object="account", name="userAccountControl", before=512, now=514, verdict="failed", why="it was not given back"
    )
    otherwise = BACK[3].model_copy(update={"differences": (compared,)})
    (one,) = told(*STARTED, ASKED_BACK, *undone, *BACK[1:3], otherwise, BACK[4])["migrations"]
    assert one["writes"][0]["changes"][0]["shown"] == "otherwise"
