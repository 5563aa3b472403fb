"""The quick start by hand: a lab in one terminal, a plan that shares nothing with it but TCP in another."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from orchestrator.cli.compose import clock_for
from orchestrator.errors import PersonNeeded
from orchestrator.model.call import Ticket
from orchestrator.model.observation import Outcome, Record, Reply
from orchestrator.model.plan import Directory, Estate
from orchestrator.planfile import load_plan
from tests.cli.desk import DC, QUICKSTART, ROOT, Desk, assert_once_each, counted, hasten, read_plan


@pytest.fixture
def by_hand(tmp_path):
    """A desk whose plan is made from what `dmsa lab serve` prints, and the lab's state directory."""
    far, near = Desk.new(tmp_path / "far"), Desk(tmp_path / "near")
    near.folder.mkdir()
    with far.running("lab", "serve", "estates/quickstart.yaml", "--state", "lab", "--json") as lab:
        assert lab.until_line(1)
        ready = json.loads(lab.out[0])
        (near.folder / "ca.pem").write_bytes((far.folder / "lab" / "ca.pem").read_bytes())
        (near.folder / "password").write_text(ready["password"])
        plan = read_plan("quickstart.yaml")
        hasten(plan)
        plan["estate"] = {
            "simulated": True,
            "domain": "corp.example",
            "directory": {"endpoint": DC, "server": DC},
            "addresses": ready["addresses"],
            "connections": [
                {
                    "match": "*",
                    "auth": "basic",
                    "username": ready["username"],
                    "password": "${file:password}",
                    "tls": {"ca": "ca.pem"},
                }
            ],
        }
        near.write_plan(plan)
        yield near, far.folder / "lab"
        assert lab.alive


def test_it_ends_as_the_quick_start_does(by_hand):
    desk, lab = by_hand
    desk.done("run", "plan.yaml")
    assert set(desk.phases().values()) == {"completed"}
    assert_once_each(lab)
    assert counted(lab) == QUICKSTART
    assert not desk.lab.exists(), "nothing was simulated on this side"


class Answering:
    """A transport whose domain controller answers with one rootDSE."""

    def __init__(self, **root):
        self.root = root

    def ticket(self, endpoint):
        return Ticket(endpoint, UUID(int=1), UUID(int=2))

    def run(self, _call, _ticket):
        return Reply(Outcome.SUCCEEDED, (Record("Microsoft.ActiveDirectory.Management.ADRootDSE", self.root),))


@pytest.fixture
def simulated():
    where = Estate(simulated=True, domain="corp.example", directory=Directory(endpoint=DC, server=DC))
    return load_plan(ROOT / "plans" / "quickstart.yaml").plan.model_copy(update={"estate": where})


@pytest.mark.parametrize("root", [{}, {"dmsaLab": False}, {"dmsaLab": "TRUE"}])
def test_an_estate_that_does_not_say_it_is_simulated_is_taken_for_real(simulated, root):
    with pytest.raises(PersonNeeded, match="does not say that it is a lab"):
        clock_for(simulated, Answering(**root), None).ask()


def test_an_estate_that_says_so_is_taken_at_its_word(simulated):
    now = datetime(2026, 3, 2, 18, tzinfo=UTC)
    assert clock_for(simulated, Answering(dmsaLab=True, currentTime=now), None).ask() >= now
