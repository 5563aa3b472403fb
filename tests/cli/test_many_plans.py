"""Many plans in one journal: ``status`` without a plan lists them, and what collides is refused."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from orchestrator.journal import Entry, open_journal
from orchestrator.model.event import VERSION
from tests.cli.desk import Desk, writes
from tests.cli.test_shared_host import desk_of_three


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Three plans on one journal: one completed, one in the middle, one that nobody has begun."""
    desk, names = desk_of_three(tmp_path_factory.mktemp("three") / "desk")
    desk.done("run", f"{names[0]}.yaml")
    desk.done("run", f"{names[1]}.yaml", "--until", "restarted")
    desk.done("hold", f"{names[1]}.yaml", "--reason", "CHG-7 is not approved")
    return desk


def plan_of(desk: Desk, name: str) -> dict:
    return json.loads((desk.folder / f"{name}.yaml").read_text(encoding="utf-8"))


def put(desk: Desk, name: str, plan: dict) -> None:
    (desk.folder / f"{name}.yaml").write_text(json.dumps({**plan, "name": name}), encoding="utf-8")


def test_status_without_a_plan_lists_every_run(three):
    shown = json.loads(three.done("status", "--json"))
    assert shown["driver"] is None
    by_name = {one["plan"]: one for one in shown["plans"]}
    assert list(by_name) == ["print", "scan"]
    assert (by_name["print"]["exit"], by_name["scan"]["exit"]) == (0, 4)
    assert by_name["print"]["migrations"]["completed"] == by_name["scan"]["migrations"]["held"] == 1
    assert [wave["state"] for wave in by_name["print"]["waves"]] == ["done"]
    for name in by_name:  # each is what its own status says
        own = json.loads(three.done("status", f"{name}.yaml", "--json"))
        assert {key: own[key] for key in ("digest", "exit", "estate_time")}.items() <= by_name[name].items()
    text = three.done("status")
    assert "journal .dmsa/journal.db: 2 plans\nnobody drives\n" in text
    assert "1 migration: 1 completed" in text
    assert "1 migration: 1 held" in text
    assert "a person is needed" in text


def test_a_journal_that_is_not_there_has_no_run(tmp_path):
    (tmp_path / "desk").mkdir()
    desk = Desk(tmp_path / "desk")
    assert "holds no run yet" in desk.done("status")
    assert json.loads(desk.done("status", "--json")) == {"driver": None, "plans": []}


def test_a_run_that_a_newer_version_wrote_is_named_and_the_others_are_shown(three, tmp_path):
    desk = three.copy(tmp_path / "desk")
    with closing(open_journal(desk.journal, create=False)) as journal:
        newer = Entry(run="scan", at=None, kind="approved", version=VERSION + 1, body={"by": "ann"})
        journal.append([newer], expected=journal.head(), lease=None)
    shown = {one["plan"]: one for one in json.loads(desk.done("status", "--json"))["plans"]}
    assert shown["print"]["unreadable"] is None
    assert shown["print"]["exit"] == 0
    assert f"version {VERSION + 1} of the vocabulary" in shown["scan"]["unreadable"]
    assert (shown["scan"]["exit"], shown["scan"]["migrations"]) == (None, None)
    assert "scan: cannot be told" in desk.done("status")


@pytest.mark.parametrize("verb", ["run", "preflight", "adopt"])
def test_an_account_that_another_plan_has_begun_with_is_refused_before_anything_is_done(three, tmp_path, verb):
    desk = three.copy(tmp_path / "desk")
    put(desk, "again", plan_of(desk, "scan"))
    before, sent = desk.rows(), len(writes(desk.lab))
    more = ("--only", "dmsa-scan", "--reason", "it is ours") if verb == "adopt" else ()
    ended = desk.dmsa(verb, "again.yaml", *more)
    assert ended.returncode == 3
    assert "is the account, which is under way, of scan/dmsa-scan" in ended.stderr
    assert "dmsa-scan is the dMSA, which is under way, of scan/dmsa-scan" in ended.stderr
    assert "Nothing was done." in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (desk.rows(), len(writes(desk.lab))) == (before, sent)


def test_once_it_has_gone_all_the_way_back_there_another_plan_may_have_it(three, tmp_path):
    desk = three.copy(tmp_path / "desk")
    again = plan_of(desk, "scan")
    again["waves"][0]["migrations"][0]["dmsa"]["name"] = "dmsa-scan-2"  # the first one stays, with its run's mark
    put(desk, "again", again)
    desk.done("release", "scan.yaml", "--reason", "back instead")
    desk.done("rollback", "scan.yaml", "--all", "--yes")
    desk.done("run", "again.yaml", "--until", "prepared")
    ended = desk.dmsa("release", "scan.yaml", "--forward", "--reason", "once more")
    assert ended.returncode == 0
    refused = desk.dmsa("run", "scan.yaml")  # and the first one has lost it
    assert refused.returncode == 3
    assert "of again/dmsa-scan-2" in refused.stderr


def test_what_is_left_out_does_not_collide(three, tmp_path):
    desk = three.copy(tmp_path / "desk")
    plan, other = plan_of(desk, "fax"), plan_of(desk, "scan")
    plan["waves"][0]["migrations"] += other["waves"][0]["migrations"]
    put(desk, "both", plan)
    assert desk.dmsa("run", "both.yaml").returncode == 3
    desk.done("run", "both.yaml", "--only", "dmsa-fax", "--until", "prepared")
