"""``approve``: who may, what counts, what is written down and said; on a journal alone, and over a lab."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.selection import who
from orchestrator.model.driven import RunnerTook
from orchestrator.planfile import load_plan
from tests.cli.desk import Desk, hasten, targets
from tests.cli.office import AT, GATE, Ended, Office

ME = who()


@pytest.fixture
def lab(tmp_path: Path) -> Office:
    return Office(tmp_path, lab=True).begin()


@pytest.fixture
def real(tmp_path: Path) -> Office:
    return Office(tmp_path, lab=False).begin()


# A gate.


def test_one_approves_and_the_next_is_told_what_to_type(lab):
    first = lab.approve("--wave", "main", "--gate", "complete", "--reason", "CHG1", by="ann")
    assert first == Ended(
        0,
        "wave main, before complete: approved by ann\n"
        "  approvals before complete: 1 of 2\n"
        "    ann until 2026-03-09T12:00:00Z\n"
        "    1 more must approve, not operator, who ran it last:\n"
        f"      dmsa approve {lab.file} --journal {lab.journal} --wave main --gate complete\n",
    )
    second = lab.approve("--wave", "main", "--gate", "complete", by="ben")
    assert "approvals before complete: 2 of 2\n" in second.said
    assert "must approve" not in second.said
    (ann, ben) = lab.words()
    assert (ann.by, ann.wave, ann.gate, ann.reason, ann.given, ann.clock) == (
        "ann",
        "main",
        "complete",
        "CHG1",
        AT,
        "estate",
    )
    assert (ann.digest, ann.signature, ann.principal) == (load_plan(lab.file).digest, None, None)
    assert ben.reason == ""


def test_the_same_person_again_counts_once_and_anew(lab):
    lab.approve("--wave", "main", "--gate", "complete", by="ann")
    again = lab.approve("--wave", "main", "--gate", "complete", by="ANN")
    assert again.said.startswith("wave main, before complete: approved by ANN again: it counts from now\n")
    assert "approvals before complete: 1 of 2\n" in again.said
    namesake = lab.approve("--wave", "main", "--gate", "complete", by="CORP\\ann")
    assert "CORP\\ann may be the same person as ANN\n" in namesake.said


@pytest.mark.parametrize("name", ["operator", "OPERATOR", "CORP\\Operator", "operator@corp.example"])
def test_nobody_approves_what_he_runs_himself(lab, name):
    refused = lab.approve(*GATE, by=name)
    assert refused.code == 4
    assert refused.said == (
        f"wave main, before start: the approval of {name} does not count, for operator drives. Nothing was done. "
        "Nobody approves what he runs himself, or ran last: somebody else must."
    )
    assert lab.words() == []


def test_whoever_approved_and_drives_later_is_missed_then(lab):
    lab.approve(*GATE, by="ann")
    assert lab.status()["waves"][0]["approvals"][0]["missing"] == 0
    lab.tell(RunnerTook(by="CORP\\Ann", host="mgmt01", pid=2, tool="test"))
    shown = lab.status()["waves"][0]["approvals"][0]
    assert (shown["missing"], shown["given"][0]["why_not"]) == (1, "does not count, for CORP\\Ann drives")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--wave", "free", "--gate", "start"), "the plan asks nobody before start of wave free"),
        (("--wave", "free", "--gate", "complete"), "the plan asks nobody before complete of wave free"),
    ],
)
def test_where_nobody_is_asked_nothing_is_written(lab, args, said):
    assert lab.approve(*args, by="ann") == Ended(0, f"Nothing to approve: {said}. Nothing was written.\n")
    assert lab.words() == []


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("--wave", "mian", "--gate", "start"), 3, "--wave mian: erp has no such wave. It has main, free."),
        (("--wave", "main", "--gate", "prepare"), 2, "Invalid value for '--gate'"),
        (("--wave", "main"), 2, "say what"),
        (("--gate", "start"), 2, "say what"),
        ((), 2, "say what"),
        ((*GATE, "--waivers"), 2, "say what"),
        ((*GATE, "--only", "dmsa-a"), 2, "--only goes with --waivers"),
        ((*GATE, "--withdraw", "--key", "x"), 2, "--key does not go with"),
        (("--waivers",), 4, "there is no waiver here to approve. Nothing was done."),
        (("--waivers", "--only", "dmsa-z"), 3, "has no such wave, dMSA or account"),
        ((*GATE, "--as", " "), 3, "--as needs a name"),
    ],
)
def test_what_cannot_be_meant(lab, args, code, said):
    ended = lab.approve(*args)
    assert ended.code == code
    assert said in " ".join(ended.said.replace("│", " ").split())
    assert lab.words() == []


def test_another_plan_than_the_run_s_is_not_approved(lab):
    lab.plan["change"] = "CHG2"
    lab.write()
    refused = lab.approve(*GATE, by="ann")
    assert refused.code == 4
    assert "is not the plan that the run erp goes by" in refused.said
    assert "`dmsa amend" in refused.said
    assert lab.words() == []


def test_there_must_be_a_run_to_approve(tmp_path):
    office = Office(tmp_path, lab=True)
    assert office.approve(*GATE, by="ann").code == 3
    office.tell(RunnerTook(by="x", host="h", pid=1, tool="test"))
    ended = office.approve(*GATE, by="ann")
    assert ended.code == 3
    assert "no run of erp has begun in this journal. Nothing was done." in ended.said


def test_on_a_lab_whose_time_nobody_has_read_nothing_can_be_valid_for_a_time(tmp_path):
    office = Office(tmp_path, lab=True).begin(at=None)
    refused = office.approve(*GATE, by="ann")
    assert refused.code == 4
    assert "has not read the simulated estate's time yet" in refused.said


def test_one_s_own_approval_is_taken_back_and_nobody_else_s(lab):
    lab.approve(*GATE, by="ann")
    other = lab.approve(*GATE, "--withdraw", by="ben")
    assert other == Ended(0, "wave main, before start: ben has not approved it. Nothing was written.\n")
    back = lab.approve(*GATE, "--withdraw", "--reason", "not tonight", by="Ann")
    assert back.said.startswith(
        "wave main, before start: Ann takes the approval back\n  approvals before start: 0 of 1\n"
    )
    assert not lab.state().approvals.standing
    assert "Ann takes the approval back: not tonight" in lab.dmsa("journal", "show").said


# On a real estate.


def test_on_a_real_estate_the_operating_system_says_who_and_this_machine_when(real):
    before = datetime.now(UTC).replace(microsecond=0)
    approved = real.approve(*GATE)
    assert approved.code == 0
    (word,) = real.words()
    assert (word.by, word.clock) == (ME, "machine")
    assert before <= word.given <= datetime.now(UTC)
    assert real.approve(*GATE, by="ann").code == 3


def test_who_ran_it_does_not_approve_it_on_a_real_estate_either(tmp_path):
    office = Office(tmp_path, lab=False).begin(driver=ME.upper())
    assert office.approve(*GATE).code == 4
    assert office.words() == []


def test_an_approval_that_is_younger_than_the_last_reading_of_the_time_is_shown_as_it_counts(real):
    """Nobody has read estate time since the runner left; that is no reason to call the approval one of the future."""
    real.approve(*GATE)
    shown = real.status()["waves"][0]
    assert shown["approvals"][0]["missing"] == 0
    assert shown["approvals"][0]["given"][0]["counts"] is True


def test_a_waiver_is_approved_by_those_whom_it_names(tmp_path):
    def named(plan: dict[str, Any]) -> None:
        reason = {"reason": "it is on by Friday"}
        plan["waves"][0]["migrations"][0]["waivers"] = [
            {"guard": "recycle-bin", "approved_by": [ME, "ben"], **reason},
            {"guard": "operator-rights", "approved_by": ["ben"], **reason},
        ]
        plan["waves"][0]["migrations"][1]["waivers"] = [{"guard": "recycle-bin", "approved_by": [ME], **reason}]

    office = Office(tmp_path, lab=False, change=named).begin()
    only = office.approve("--waivers", "--only", "dmsa-a")
    assert only == Ended(
        0,
        f"the waiver of recycle-bin for dmsa-a: approved by {ME}\n"
        "  waiver of recycle-bin: does not count yet\n"
        f"    {ME} until {until(office.words()[0])}\n"
        "    must still approve: ben:\n"
        f"      dmsa approve {office.file} --journal {office.journal} --waivers --only dmsa-a\n",
    )
    shown = office.status()["waves"][0]["migrations"]
    assert [[one["counts"] for one in each["waivers"]] for each in shown] == [[False, False], [False]]
    assert shown[0]["waivers"][0]["missing"] == ["ben"]
    every = office.approve("--waivers")
    assert every.said.count("approved by") == 2
    shown = office.status()["waves"][0]["migrations"]
    assert [[one["counts"] for one in each["waivers"]] for each in shown] == [[False, False], [True]]
    text = office.dmsa("status").said
    assert "    waiver of recycle-bin: does not count yet\n" in text
    assert "      must still approve: ben:\n" in text
    back = office.approve("--waivers", "--only", "dmsa-b", "--withdraw")
    assert "takes the approval back" in back.said
    assert office.status()["waves"][0]["migrations"][1]["waivers"][0]["counts"] is False


def until(word: Any) -> str:
    moment: datetime = word.given + timedelta(days=7)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_waiver_that_names_others_is_none_of_his(tmp_path):
    def named(plan: dict[str, Any]) -> None:
        waiver = {"guard": "recycle-bin", "reason": "x", "approved_by": ["ben", "CORP\\ann"]}
        plan["waves"][0]["migrations"][0]["waivers"] = [waiver]

    office = Office(tmp_path, lab=True, change=named).begin()
    refused = office.approve("--waivers", by="ann")
    assert refused.code == 4
    assert "no waiver here names ann, only ben, CORP\\ann. Nothing was done." in refused.said
    said = office.approve("--waivers", by="corp\\ANN").said
    assert "approved by corp\\ANN (on a simulated estate the names in the plan suffice)" in said


# An amendment.


def test_an_amendment_withdraws_and_says_so_beforehand_and_afterwards(lab):
    lab.approve(*GATE, by="ann")
    lab.approve("--wave", "main", "--gate", "complete", by="ann")
    lab.approve("--wave", "main", "--gate", "complete", by="ben")
    lab.plan["change"] = "CHG2"
    lab.write()
    follows = (
        "approvals fall: wave main: approvals bind to the plan as it was; 3 withdrawn (ann before start, ann before "
        "complete, ben before complete); start needs 1, complete needs 2"
    )
    assert follows in lab.dmsa("amend").said
    assert lab.dmsa("amend", "--accept", "--reason", "CHG2", "--as", "operator").code == 0
    gates = lab.status()["waves"][0]["approvals"]
    assert [(gate["gate"], gate["missing"], [one["by"] for one in gate["withdrawn"]]) for gate in gates] == [
        ("start", 1, ["ann"]),
        ("complete", 2, ["ann", "ben"]),
    ]
    assert "    withdrawn when the plan was amended: ann, ben\n" in lab.dmsa("status").said
    assert "approvals before start: 1 of 1" in lab.approve(*GATE, by="ann").said
    assert lab.status()["waves"][0]["approvals"][0]["withdrawn"] == []


# Over a lab.


def peopled(plan: dict[str, Any]) -> None:
    hasten(plan)
    plan["policy"]["approvals"] = {"start": 1, "complete": 2, "valid_for": "1d"}
    plan["waves"] = plan["waves"][:1]
    plan["waves"][0]["migrations"] = [
        one for one in plan["waves"][0]["migrations"] if one["dmsa"]["name"] == "dmsa-batch"
    ]


START, COMPLETE = "Start-ADServiceAccountMigration", "Complete-ADServiceAccountMigration"


def test_over_the_wire_nothing_starts_and_nothing_is_completed_before_people_have_approved(tmp_path):
    desk = Desk.new(tmp_path, peopled)
    gate = ("approve", "plan.yaml", "--wave", "pilot", "--gate")

    waiting = desk.dmsa("run", "plan.yaml")
    assert waiting.returncode == 7
    assert "dmsa-batch  waits  prepared, for approval:start" in waiting.stdout
    assert (
        f"1 more must approve, not {ME}, who ran it last:\n      dmsa approve plan.yaml --wave pilot --gate start\n"
        in waiting.stdout
    )
    assert desk.dmsa("run", "plan.yaml").returncode == 7
    assert not targets(desk.lab, START)

    refused = desk.dmsa(*gate, "start")
    assert refused.returncode == 4
    assert refused.stderr.startswith("dmsa: wave pilot, before start: the approval of")
    assert desk.dmsa("run", "plan.yaml").returncode == 7
    desk.done(*gate, "start", "--as", "ann")
    waiting = desk.dmsa("run", "plan.yaml", "--json")
    assert waiting.returncode == 7
    (pilot,) = json.loads(waiting.stdout)["waves"]
    assert pilot["waiting"] == {
        "for": "approval:complete",
        "until": None,
        "detail": f"2 people must approve wave pilot before complete; missing: 2; {ME}, who drives, may not",
    }
    assert (pilot["approvals"][0]["gate"], pilot["approvals"][0]["missing"]) == ("complete", 2)
    assert desk.phases() == {"dmsa-batch": "soaked"}
    assert sum(targets(desk.lab, START).values()) == 1

    desk.done(*gate, "complete", "--as", "ann")
    assert desk.dmsa("run", "plan.yaml").returncode == 7
    assert not targets(desk.lab, COMPLETE)
    desk.done(*gate, "complete", "--as", "ben")
    assert "All done." in desk.done("run", "plan.yaml")
    assert sum(targets(desk.lab, COMPLETE).values()) == 1
    assert "Nothing to approve: every migration of wave pilot" in desk.done(*gate, "complete", "--as", "cleo")


def busy(plan: dict[str, Any]) -> None:
    """Let a second wave, which nobody must approve, keep the runner busy while people speak about the first."""
    others = {**plan["waves"][1], "needs": [], "approvals": {"start": 0, "complete": 0}}
    peopled(plan)
    plan["waves"].append(others)


def test_a_runner_obeys_an_approval_from_another_terminal(tmp_path):
    desk = Desk.new(tmp_path, busy)
    with desk.running("run", "plan.yaml", forked=True) as run:
        run.until(lambda line: "dmsa-batch" in line and "prepare: New-ADServiceAccount" in line)
        desk.done("approve", "plan.yaml", "--wave", "pilot", "--gate", "start", "--as", "ann", "--reason", "go on")
        run.until(lambda line: "wave pilot, before start: approved by ann: go on" in line)
        run.until(lambda line: "dmsa-batch" in line and "prepared -> started" in line)
        assert run.end().returncode == 7
    assert desk.phases()["dmsa-batch"] == "soaked"


def test_a_runner_obeys_somebody_who_takes_his_approval_back(tmp_path):
    desk = Desk.new(tmp_path, busy)
    gate = ("approve", "plan.yaml", "--wave", "pilot", "--gate", "complete", "--as")
    desk.done("run", "plan.yaml", "--until", "prepared")
    desk.done("approve", "plan.yaml", "--wave", "pilot", "--gate", "start", "--as", "ann")
    desk.done(*gate, "ann")
    desk.done(*gate, "ben")
    with desk.running("run", "plan.yaml", forked=True) as run:
        run.until(lambda line: "dmsa-batch" in line and "prepared -> started" in line)
        desk.done(*gate, "ben", "--withdraw", "--reason", "not tonight")
        run.until(lambda line: "ben takes the approval back: not tonight" in line)
        assert run.end().returncode == 7
    assert desk.phases()["dmsa-batch"] == "soaked"
    assert not [one for one in targets(desk.lab, COMPLETE) if "batch" in one]
