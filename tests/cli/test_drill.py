"""``drill`` over the real wire: its certificate, what it refuses, how it goes on, and how it always goes back."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestrator.cli.history import replay
from orchestrator.cli.journal import app as journal_verbs
from orchestrator.journal import JournalUnusable, open_journal
from orchestrator.lab.estate.spec import load_spec
from orchestrator.model.drilled import DrillBegan
from orchestrator.model.event import from_body
from tests.cli.conftest import Once
from tests.cli.desk import DC, Desk, hasten, reached, read_plan, targets, writes
from tests.cli.desk import Plan as PlanData

DRILL = ("drill", "plan.yaml")
BATCH = "dmsa-batch"


def started_only(*args: str) -> tuple[str, ...]:
    """Return the command of the shortest drill that writes to the directory."""
    return (*DRILL, "--only", BATCH, "--to", "started", *args)


@pytest.fixture(scope="session")
def drilled(once: Once) -> Desk:
    """A desk on which the quick start was drilled, and what was printed."""

    def fill(folder: Path) -> None:
        desk = Desk.new(folder)
        (folder / "printed").write_text(desk.done(*DRILL))

    return Desk(once("drilled", fill))


@pytest.fixture
def copied(drilled: Desk, tmp_path: Path) -> Desk:
    return drilled.copy(tmp_path / "copy")


def certificate(desk: Desk, name: str = "quickstart-1") -> dict[str, Any]:
    made: dict[str, Any] = json.loads((desk.folder / ".dmsa" / "drills" / f"{name}.json").read_text())
    return made


def test_the_quick_start_is_drilled_and_prints_its_certificate(drilled):
    lines = (drilled.folder / "printed").read_text().splitlines()
    begin = lines.index("Drill 1 of quickstart to completed and back, on a lab.")
    assert lines[begin + 1].startswith("RESTORED: ")
    assert lines[-3:-1] == [f"Certificate: .dmsa/drills/quickstart-1{end}" for end in (".html", ".json")]
    assert lines[-1].startswith("`dmsa journal verify --certificate .dmsa/drills/quickstart-1.html`")
    hosts = [line.split() for line in lines[begin:] if re.match(r" +\d+:\d\d:\d\d  ", line)]
    assert len(hosts) == 5
    assert [one[0] for one in hosts] == sorted((one[0] for one in hosts), reverse=True)
    assert set(drilled.phases().values()) == {"rolled_back"}


def test_the_far_side_saw_every_account_go_and_come_back(drilled):
    started = targets(drilled.lab, "Start-ADServiceAccountMigration")
    assert len(started) == 5
    assert set(started.values()) == {1}
    assert targets(drilled.lab, "Complete-ADServiceAccountMigration") == started
    assert set(targets(drilled.lab, "Undo-ADServiceAccountMigration").values()) == {2}
    accounts = drilled.shown()["directory"][DC]
    assert accounts["CN=svc-erp,OU=Service Accounts,DC=corp,DC=example"]["servicePrincipalName"]


def test_both_files_are_verified_and_say_the_same(drilled):
    for end in ("html", "json"):
        file = f".dmsa/drills/quickstart-1.{end}"
        said = drilled.done("journal", "verify", "plan.yaml", "--certificate", file)
        assert f"{file}: drill 1 of quickstart: restored; every byte is as the journal's rows up to row" in said
    shown = json.loads(drilled.done("journal", "verify", "--certificate", file, "--json"))
    assert shown["certificate"]["head"] == certificate(drilled)["head"]


def test_a_changed_certificate_is_refused_with_what_differs(copied):
    file = copied.folder / ".dmsa" / "drills" / "quickstart-1.json"
    file.write_text(file.read_text().replace('"verdict":"restored"', '"verdict":"cut-short"', 1))
    refused = copied.dmsa("journal", "verify", "--certificate", str(file))
    assert refused.returncode == 5
    assert "verdict says 'cut-short', and the journal says 'restored'" in refused.stdout
    refused = copied.dmsa("journal", "verify", "--certificate", str(file), "--json")
    assert (refused.returncode, json.loads(refused.stdout)["intact"]) == (5, True)
    nobody = copied.dmsa("journal", "verify", "--certificate", "nobody.json")
    assert (nobody.returncode, "cannot be read" in nobody.stderr) == (3, True)


def test_a_changed_journal_is_refused(copied):
    """A bit of each of many rows, wherever it lies: hash, body, time, kind."""
    content, draw = copied.journal.read_bytes(), random.Random(7)
    page = copied.folder / ".dmsa" / "drills" / "quickstart-1.html"
    with closing(open_journal(copied.journal, create=False)) as journal:
        rows = [row for row in journal.read() if content.count(row.hash.encode()) == 1]
    verify = ("verify", "--journal", str(copied.journal), "--certificate", str(page))
    for row in draw.sample(rows, 60):
        at = content.index(row.hash.encode()) - draw.randrange(1, 60)
        copied.journal.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        refused = CliRunner().invoke(journal_verbs, verify)
        assert refused.exit_code == 5 or isinstance(refused.exception, JournalUnusable), (row.seq, refused.output)
    copied.journal.write_bytes(content)
    assert CliRunner().invoke(journal_verbs, verify).exit_code == 0


def test_a_restored_journal_verifies_it_too_and_another_does_not(copied, tmp_path):
    copied.done("journal", "export", "-o", "all.jsonl")
    copied.done("journal", "restore", "--from", "all.jsonl", "--journal", "again.db")
    file = ".dmsa/drills/quickstart-1.html"
    copied.done("journal", "verify", "--journal", "again.db", "--certificate", file)
    other = Desk.new(tmp_path / "other")
    other.done(*started_only())
    refused = other.dmsa("journal", "verify", "--certificate", str(copied.folder / file))
    assert refused.returncode == 5
    assert "of this journal" in refused.stdout


def test_drills_after_it_leave_its_certificate_alone_and_show_the_trend(copied):
    copied.done(*started_only("--certificate", "second.html"))
    for file in ("second.html", ".dmsa/drills/quickstart-1.json"):
        copied.done("journal", "verify", "--certificate", file)
    shown = json.loads(copied.done(*DRILL, "--history", "--json"))["drills"]
    assert [(one["drill"], one["to"], one["migrations"]) for one in shown] == [(1, "completed", 5), (2, "started", 1)]
    lines = copied.done(*DRILL, "--history").splitlines()
    assert [line.split()[0] for line in lines] == ["drill", "1", "2"]
    kept = copied.folder / ".dmsa" / "drills" / "quickstart-2.html"
    kept.unlink()
    copied.done(*DRILL, "--reissue", "2")
    assert kept.read_bytes() == (copied.folder / "second.html").read_bytes()
    assert copied.dmsa(*DRILL, "--reissue", "3").returncode == 3


def test_what_is_there_is_never_written_over(desk):
    (desk.folder / "mine.html").write_text("mine")
    for file in ("mine.html", "mine.pdf"):
        refused = desk.dmsa(*started_only("--certificate", file))
        assert (refused.returncode, "Nothing was done" in refused.stderr) == (3, True)
    assert not desk.journal.exists()
    others = desk.folder / ".dmsa" / "drills" / "quickstart-1.html"
    others.parent.mkdir(parents=True)
    others.write_text("of a journal that is gone")
    printed = desk.done(*started_only())
    assert others.read_text() == "of a journal that is gone"
    beside = re.search(r"Certificate: (\S+-1-\w{8}\.html)", printed)
    assert beside is not None
    desk.done("journal", "verify", "--certificate", beside[1])


# What is refused.


def test_what_is_in_a_run_is_not_drilled(restarted):
    before = restarted.rows()
    refused = restarted.dmsa(*DRILL)
    assert refused.returncode == 4
    assert "dmsa-batch is restarted: it is in a run" in refused.stderr
    assert "`dmsa rollback plan.yaml --only dmsa-batch` comes first" in refused.stderr
    assert restarted.rows() == before


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("--to", "planned"), 2, "--to planned: expected one of prepared,"),
        (("--to", "unlinked"), 2, "--to unlinked"),
        (("--only", "nobody"), 3, "no such wave, dMSA or account"),
        (("--on", "lab"), 3, "is for a lab already"),
        (("--reissue", "1"), 3, "no drill 1 of quickstart has ended"),
    ],
)
def test_what_cannot_be_meant(desk, args, code, said):
    refused = desk.dmsa(*DRILL, *args)
    assert (refused.returncode, said in refused.stderr) == (code, True), refused.stderr
    assert not desk.journal.exists()


def _real(desk: Desk, mark: tuple[str, ...] = ()) -> None:
    plan = read_plan("quickstart.yaml")
    plan["estate"] = {"domain": "corp.example", "directory": {"endpoint": DC, "server": DC, "converge_on": [DC]}}
    plan["estate"]["connections"] = [{"match": "*", "auth": "kerberos"}]
    for wave in plan["waves"]:
        for one in wave["migrations"]:
            one["drill"] = one["dmsa"]["name"] in mark
    desk.write_plan(plan)


def test_on_a_real_estate_only_what_is_marked(desk):
    _real(desk)
    for args in ((), ("--only", BATCH)):
        refused = desk.dmsa(*DRILL, *args)
        assert refused.returncode == 3
        assert "not marked with `drill: true`" in refused.stderr
        assert "Nothing was done" in refused.stderr
    _real(desk, mark=(BATCH,))
    refused = desk.dmsa(*DRILL, "--only", "pilot")
    assert (refused.returncode, "dmsa-report: not marked" in refused.stderr) == (3, True)
    assert not desk.journal.exists()


def test_a_changed_plan_is_refused(copied):
    def later(plan: PlanData) -> None:
        hasten(plan)
        plan["policy"]["dwell"] = "3h"

    plan = read_plan("quickstart.yaml")
    later(plan)
    copied.write_plan(plan)
    refused = copied.dmsa(*DRILL)
    assert (refused.returncode, "dmsa amend" in refused.stderr) == (3, True)


def test_another_runner_is_not_disturbed(desk):
    with desk.running("run", "plan.yaml", "--only", "dmsa-report", forked=True) as run:
        assert run.until_line(3)
        refused = desk.dmsa(*DRILL, "--only", BATCH)
        assert (refused.returncode, "the journal is held by" in refused.stderr) == (6, True)
        run.signal(signal.SIGTERM)
        assert run.end().returncode == 143


def test_what_is_broken_already_is_not_drilled(desk):
    estate = desk.folder / "estates" / "quickstart.yaml"
    text = estate.read_text().replace("{name: BatchRunner, ", "{name: BatchRunner, state: Stopped, ")
    estate.write_text(text)
    refused = desk.dmsa(*DRILL)
    assert refused.returncode == 4
    assert "dmsa-batch: app02.corp.example: service BatchRunner starts by itself and is Stopped" in refused.stderr
    assert "Nothing was changed." in refused.stderr
    assert not writes(desk.lab)
    desk.done(*DRILL, "--only", "dmsa-sync", "--to", "prepared")


# Interruptions.


def begun(desk: Desk) -> list[DrillBegan]:
    with closing(open_journal(desk.journal, create=False)) as journal:
        events = [from_body(row.kind, row.body, row.version) for row in journal.read()]
    return [event for event in events if isinstance(event, DrillBegan)]


@pytest.mark.parametrize("lines", [9, 15])
def test_killed_it_goes_on_with_the_same_command(desk, lines):
    assert desk.kill_after(lines, *started_only())
    desk.done(*started_only())
    assert len(begun(desk)) == 1
    assert desk.phases()[BATCH] == "rolled_back"
    assert set(targets(desk.lab, "Start-ADServiceAccountMigration").values()) == {1}
    desk.done("journal", "verify", "--certificate", ".dmsa/drills/quickstart-1.html")


def test_killed_before_its_certificate_was_written_the_same_command_writes_it(copied):
    page = copied.folder / ".dmsa" / "drills" / "quickstart-1.html"
    wanted, rows = page.read_bytes(), copied.rows()
    shutil.rmtree(page.parent)
    ended = copied.dmsa(*DRILL)
    assert (ended.returncode, page.read_bytes()) == (0, wanted)
    assert "Drill 1 had ended, and lacked its certificate. The same command begins another." in ended.stderr
    assert copied.rows() == rows


def test_stopped_it_says_how_it_goes_on_and_lets_nothing_else_begin(desk):
    with desk.running(*started_only(), forked=True) as run:
        assert run.until_line(9)
        run.signal(signal.SIGINT)
        ended = run.end()
    assert ended.returncode == 130
    assert "`dmsa drill plan.yaml --only dmsa-batch --to started` goes on from here." in ended.stderr
    for other in (("--only", "dmsa-sync"), ("--to", "linked")):
        refused = desk.dmsa(*DRILL, *other)
        assert (refused.returncode, "is under way, and must end first" in refused.stderr) == (3, True)
    shown = json.loads(desk.done(*DRILL, "--history", "--json"))["drills"]
    assert [one["verdict"] for one in shown] == [None]
    goes_on = desk.dmsa(*DRILL)
    assert goes_on.returncode == 0, goes_on.stderr
    assert "Drill 1 of dmsa-batch to started is under way, and goes on." in goes_on.stderr


def test_a_plan_that_is_amended_meanwhile_ends_it_in_good_order_and_it_goes_on(desk):
    with desk.running(*started_only(), forked=True) as run:
        assert run.until_line(9)
        plan = read_plan("quickstart.yaml")
        hasten(plan)
        plan["policy"]["dwell"] = "3h"
        desk.write_plan(plan)
        desk.done("amend", "plan.yaml", "--accept", "--reason", "longer")
        ended = run.end()
    assert ended.returncode == 7, ended.stderr
    assert "The plan was amended while it ran" in ended.stderr
    desk.done(*started_only())
    assert len(begun(desk)) == 1
    desk.done("journal", "verify", "--certificate", ".dmsa/drills/quickstart-1.html")


# It always goes back.


def test_what_is_refused_on_the_way_is_cut_short_and_the_others_come_back(desk):
    estate = desk.folder / "estates" / "quickstart.yaml"
    estate.write_text(
        estate.read_text().replace("- name: app03.corp.example", "- name: app03.corp.example\n    build: 20348")
    )
    ended = desk.dmsa(*DRILL, "--only", "main", "--to", "started", "--json")
    made = json.loads(ended.stdout)
    of = {one["dmsa"]: one for one in made["migrations"]}
    assert {name: one["verdict"] for name, one in of.items()} == {
        "dmsa-erp": "restored",
        "dmsa-web": "cut-short",
        "dmsa-sync": "restored",
    }
    assert of["dmsa-web"]["why"].startswith("held (guard:host-capable): ")
    assert (ended.returncode, made["verdict"]) == (5, "cut-short")
    again = desk.dmsa(*DRILL, "--only", "main", "--to", "started")
    assert (again.returncode, "`dmsa release plan.yaml --only dmsa-web --reason TEXT` comes first" in again.stderr) == (
        4,
        True,
    )


# A lab that stands in for a real estate.


@pytest.fixture(scope="session")
def behind_tcp(once: Once) -> Desk:
    """A desk whose plan reaches a served lab by TCP, as a real estate is reached, and stands at restarted there."""

    def fill(folder: Path) -> None:
        far, near = Desk.new(folder / "far"), Desk(folder / "near")
        near.folder.mkdir()
        with far.running("lab", "serve", "estates/quickstart.yaml", "--state", "lab", "--json", forked=True) as lab:
            assert lab.until_line(1)
            served = json.loads(lab.lines[0])
            shutil.copy(served["ca"], near.folder / "ca.pem")
            (near.folder / "password").write_text(served["password"])
            plan = read_plan("quickstart.yaml")
            hasten(plan)
            plan["estate"] = reached(served)
            plan["waves"][1]["needs"] = []
            near.write_plan(plan)
            near.done("run", "plan.yaml", "--until", "prepared", "--only", "dmsa-erp")
            near.done("run", "plan.yaml", "--until", "prepared", "--only", "dmsa-web")

    return Desk(once("behind-tcp", fill) / "near")


def test_a_real_plans_way_back_is_rehearsed_on_what_its_snapshots_know(behind_tcp, tmp_path):
    desk = behind_tcp.copy(tmp_path / "near")
    before = desk.rows()
    printed = desk.done(*DRILL, "--on", "lab", "--only", "main", "--to", "restarted")
    assert desk.rows() == before, "the real journal is only read"
    made = certificate(desk, "quickstart-lab-1")
    assert (made["verdict"], made["estate"]) == ("restored", "lab")
    assert made["origin"]["snapshots"] == ["dmsa-erp", "dmsa-web"]
    assert any("dmsa-sync" in one for one in made["origin"]["made_up"])
    assert "The lab stands in for the real estate. From snapshots: dmsa-erp, dmsa-web." in printed
    drills = desk.folder / ".dmsa" / "drills"
    spec = load_spec((drills / "quickstart-lab-1.estate.yaml").read_text())
    erp = next(user for user in spec.users if "svc-erp" in user.dn)
    assert set(erp.spns) == {"ERP/app02.corp.example", "ERP/app02.corp.example:8443"}
    assert erp.delegates_to == ("MSSQLSvc/db01.corp.example",)
    hosts = {host.name: host for host in spec.hosts}
    assert (hosts["app02.corp.example"].kerberos, hosts["app03.corp.example"].kerberos) == ("no-key", 0)
    cache = {service.name: service.depends_on for service in hosts["app03.corp.example"].services}
    assert cache["WebFrontCache"] == ("WebFront",)
    desk.done(
        "journal", "verify", "--journal", ".dmsa/drills/quickstart-lab-1.db",
        "--certificate", ".dmsa/drills/quickstart-lab-1.html",
    )  # fmt: skip
    desk.done(*DRILL, "--on", "lab", "--only", "dmsa-web", "--to", "prepared")
    shown = json.loads(desk.done(*DRILL, "--on", "lab", "--history", "--json"))["drills"]
    assert [(one["drill"], one["to"]) for one in shown] == [(1, "restarted"), (2, "prepared")]
    assert not json.loads(desk.done(*DRILL, "--history", "--json"))["drills"]
    desk.done(*DRILL, "--on", "lab", "--reissue", "2", "--certificate", "again.html")
    refused = desk.dmsa(*DRILL, "--on", "lab", "--reissue", "3")
    assert (refused.returncode, "no drill 3 of quickstart was played on a lab" in refused.stderr) == (3, True)


def test_on_such_a_lab_too_it_goes_on_where_it_stood(behind_tcp, tmp_path):
    desk = behind_tcp.copy(tmp_path / "near")
    command = (*DRILL, "--on", "lab", "--only", "dmsa-web", "--to", "started")
    with desk.running(*command) as run:
        assert run.until_line(9)
        run.signal(signal.SIGKILL)
        assert run.end().returncode == -signal.SIGKILL
    desk.done(*command)
    with closing(open_journal(desk.folder / ".dmsa" / "drills" / "quickstart-lab-1.db", create=False)) as journal:
        state, _ = replay(journal, "quickstart")
    assert (state.drills, state.drill) == (1, None)
    assert not (desk.folder / ".dmsa" / "drills" / "quickstart-lab-2.db").exists()
