"""``probe-windows`` as it is typed, over the wire: answers, file, refusals, and interruptions."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from orchestrator.cli.probe import chosen, subject_of
from orchestrator.errors import InputInvalid
from orchestrator.journal import open_journal
from orchestrator.lab.estate.spec import Switches, load_spec
from orchestrator.model.plan import Connection, Directory, Estate, Plan
from orchestrator.planfile import load_plan
from orchestrator.probe import QUESTIONS
from orchestrator.remote.catalogue import CATALOGUE
from orchestrator.views.probe_schema import probe_schema
from tests.cli.desk import DC, ROOT, Desk, record, writes

ASK = ("probe-windows", "plan.yaml", "--yes")
ACCOUNT = "CN=svc-probe,OU=Disposable,DC=corp,DC=example"
UNDO_GIVES_NOTHING = {"undo_enables_account": False, "undo_restores_spns": False, "undo_removes_copies": False}


class Asking(Desk):
    """A desk with the plan of the disposable pair."""

    @property
    def file(self) -> Path:
        return self.folder / "probe.probe.yaml"

    def result(self) -> dict[str, Any]:
        document: dict[str, Any] = yaml.safe_load(self.file.read_text(encoding="utf-8"))
        Draft202012Validator(probe_schema()).validate(document)
        return document

    def account(self) -> dict[str, Any]:
        """Return what the simulated directory has of the account, without what is empty or as good as that."""
        found = self.shown()["directory"][DC][ACCOUNT]
        moving = {"msDS-SupersededServiceAccountState", "uSNChanged", "whenChanged"}
        return {name: value for name, value in found.items() if value and name not in moving}


@pytest.fixture
def asking(tmp_path: Path) -> Asking:
    return desk_with(tmp_path / "desk", {})


def desk_with(folder: Path, switches: dict[str, Any]) -> Asking:
    (folder / "estates").mkdir(parents=True)
    shutil.copy(ROOT / "plans" / "probe.yaml", folder / "plan.yaml")
    estate = yaml.safe_load((ROOT / "plans" / "estates" / "probe.yaml").read_text(encoding="utf-8"))
    estate["switches"] = switches
    (folder / "estates" / "probe.yaml").write_text(yaml.safe_dump(estate), encoding="utf-8")
    return Asking(folder)


def assert_as_found(desk: Asking) -> None:
    """The account is enabled and has its SPNs and delegation, and nothing names a dMSA."""
    account = desk.account()
    assert account["servicePrincipalName"] == ["HTTP/probe", "HTTP/probe.corp.example"]
    assert account["msDS-AllowedToDelegateTo"] == ["HTTP/elsewhere.corp.example"]
    assert not account["userAccountControl"] & 0x2
    assert "msDS-SupersededManagedAccountLink" not in account


def test_it_asks_and_leaves_the_account_as_it_was(asking):
    said = asking.done(*ASK)
    document = asking.result()
    assert document["switches"] == Switches().model_dump()
    assert (document["state"], document["exit"], document["why"]) == ("done", 0, "")
    assert {question["id"] for question in document["questions"]} == QUESTIONS.keys()
    assert_as_found(asking)
    assert said.splitlines()[-1] == f"The pair is unlinked, and {ACCOUNT} is as it was found."
    assert "a disposable pair, by trying" in said
    assert asking.driver is None


@pytest.mark.parametrize(
    "switches",
    [
        {**UNDO_GIVES_NOTHING, "undo_clears_membership": True, "reset_of_unlinked": "nothing", "second_hop": True},
        {"reset_restores": True, "undo_enables_account": False, "complete_refuses_empty_membership": True},
    ],
    ids=["undo gives nothing back", "reset gives everything back"],
)
def test_what_it_reports_is_what_was_set(tmp_path, switches):
    desk = desk_with(tmp_path / "desk", switches)
    document = json.loads(desk.done(*ASK, "--json"))
    assert document["switches"] == Switches(**switches).model_dump()
    assert document == desk.result()
    assert_as_found(desk)

    estate = yaml.safe_load((desk.folder / "estates" / "probe.yaml").read_text(encoding="utf-8"))
    taken = load_spec(yaml.safe_dump({**estate, "switches": document["switches"]}))
    assert taken.switches == Switches(**switches)


def test_the_far_side_saw_nothing_but_the_catalogue(asking):
    asking.done(*ASK)
    assert {row["cmdlet"] for row in record(asking.lab)} <= {*CATALOGUE, "Select-Object", "Get-ADObject"}
    assert {row["cmdlet"] for row in writes(asking.lab)} == {
        "New-ADServiceAccount",
        "Set-ADServiceAccount",
        "Set-ADUser",
        "Enable-ADAccount",
        *(f"{verb}-ADServiceAccountMigration" for verb in ("Start", "Complete", "Undo", "Reset")),
    }


# What is refused.


def test_without_a_yes_it_only_says_what_it_would_do(asking):
    ended = asking.dmsa(*ASK[:-1])
    assert ended.returncode == 2
    assert "Start, Complete, Undo and Reset are sent again and again" in ended.stdout
    assert "nothing was done" in ended.stderr
    assert not asking.file.exists()
    assert not asking.lab.exists()


def test_a_pair_that_is_being_migrated_is_refused(asking):
    asking.done("run", "plan.yaml", "--until", "prepared")
    before = writes(asking.lab)
    ended = asking.dmsa(*ASK)
    assert ended.returncode == 4
    assert "`dmsa rollback plan.yaml --only dmsa-probe` comes first" in ended.stderr
    assert writes(asking.lab) == before
    asking.done("rollback", "plan.yaml", "--all", "--yes")
    asking.done(*ASK)


def test_while_a_runner_drives_it_is_refused(asking):
    asking.journal.parent.mkdir()
    with contextlib.closing(open_journal(asking.journal, create=True)) as journal:
        lease = journal.acquire("somebody else")
        ended = asking.dmsa(*ASK)
        journal.release(lease)
    assert ended.returncode == 6
    assert not asking.file.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: something\n", "is no result of probe-windows"),
        ("[1, 2\n", "cannot be read"),
        ("{state: under-way, questions: [], found: {}, account: a, dmsa: b}\n", "is the unfinished record of a and b"),
        (
            f"{{state: under-way, questions: [], found: {{}}, account: '{ACCOUNT}', dmsa: dmsa-probe}}\n",
            "does not say how the pair was found",
        ),
    ],
)
def test_a_file_that_is_something_else_is_not_overwritten(asking, text, says):
    asking.file.write_text(text, encoding="utf-8")
    ended = asking.dmsa(*ASK)
    assert ended.returncode == 3
    assert says in ended.stderr
    assert "Nothing was done" in ended.stderr
    assert asking.file.read_text(encoding="utf-8") == text
    assert writes(asking.lab) == []


def test_a_file_that_cannot_be_written_stops_it_before_the_first_write(asking):
    ended = asking.dmsa(*ASK, "--output", "nowhere/result.yaml")
    assert ended.returncode == 3
    assert "cannot be written" in ended.stderr
    assert writes(asking.lab) == []


def many(*drills: bool) -> Plan:
    text = (ROOT / "plans" / "probe.yaml").read_text(encoding="utf-8")
    plan: dict[str, Any] = yaml.safe_load(text)
    (only,) = plan["waves"][0]["migrations"]
    plan["waves"][0]["migrations"] = [
        {
            **only,
            "account": f"CN=svc-{n},DC=corp,DC=example",
            "dmsa": {**only["dmsa"], "name": f"d-{n}"},
            "drill": drill,
        }
        for n, drill in enumerate(drills)
    ]
    return Plan.model_validate(plan)


def test_the_one_disposable_pair_is_meant():
    assert chosen(many(False, True, False), None) == "d-1"
    assert chosen(many(True, True), "d-1") == "d-1"


@pytest.mark.parametrize(
    ("drills", "only", "says"),
    [
        ((False, False), None, "no disposable pair"),
        ((True, False), "d-1", "d-1: no disposable pair"),
        ((True, True), None, "2 disposable pairs"),
        ((True,), "d-7", "no such wave"),
    ],
)
def test_another_pair_is_refused(drills, only, says):
    with pytest.raises(InputInvalid, match=says):
        chosen(many(*drills), only)


@pytest.mark.parametrize(
    ("connection", "delegates"),
    [({}, False), ({"delegate": True}, True), ({"configuration": "dmsa-directory"}, True)],
)
def test_a_connection_that_goes_further_cannot_tell_of_a_second_hop(connection, delegates):
    plan = load_plan(ROOT / "plans" / "probe.yaml").plan
    reached = (Connection(match="other*", delegate=True), Connection(match="DC*", **connection))
    where = Estate(domain="corp.example", directory=Directory(endpoint=DC, server=DC), connections=reached)
    assert subject_of(plan.model_copy(update={"estate": where}), "dmsa-probe").delegates is delegates


# Interruptions.


@pytest.mark.parametrize("line", [9, 36])
def test_a_signal_ends_the_questions_in_good_order(asking, line):
    with asking.running(*ASK, forked=True) as run:
        assert run.until_line(line)
        run.signal(signal.SIGINT)
        ended = run.end()
    assert ended.returncode == 130
    assert_as_found(asking)
    assert asking.driver is None
    document = asking.result()
    assert document["exit"] == 130
    assert ended.stdout.splitlines()[-1].endswith(f"The pair is unlinked, and {ACCOUNT} is as it was found.")


@pytest.mark.parametrize("line", [20, 34])
def test_after_a_kill_the_same_command_brings_it_back_and_asks_again(tmp_path, line):
    desk = desk_with(tmp_path / "desk", UNDO_GIVES_NOTHING)
    assert desk.kill_after(line, *ASK)
    assert desk.result()["state"] == "under-way"
    document = json.loads(desk.done(*ASK, "--json"))
    assert document["switches"].items() <= Switches(**UNDO_GIVES_NOTHING).model_dump().items()
    assert document["switches"].items() >= UNDO_GIVES_NOTHING.items()
    assert_as_found(desk)


def test_where_the_account_vanishes_a_person_is_needed(tmp_path):
    desk = desk_with(tmp_path / "desk", {})
    file = desk.folder / "estates" / "probe.yaml"
    when = {"cmdlet": "Complete-ADServiceAccountMigration", "nth": 3}
    vanishes = [{"kind": "object-deleted", "dn": ACCOUNT, "when": when}]
    file.write_text(file.read_text(encoding="utf-8") + yaml.safe_dump({"weather": vanishes}), encoding="utf-8")
    ended = desk.dmsa(*ASK)
    assert ended.returncode == 4
    assert "Traceback" not in ended.stderr
    assert "The pair could not be brought back" in ended.stdout.splitlines()[-1]
    assert desk.result()["state"] == "astray"
    again = desk.dmsa(*ASK)
    assert again.returncode == 4
    assert f"{ACCOUNT} is not on {DC}" in again.stderr
    assert desk.result()["state"] == "astray", "what the account was like is still needed"
