"""The quick start by hand: a lab in one terminal, a plan that shares nothing with it but TCP in another."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from orchestrator.cli.compose import clock_for
from orchestrator.errors import PersonNeeded
from orchestrator.model.call import Ticket
from orchestrator.model.observation import Outcome, Record, Reply
from orchestrator.model.plan import Directory, Estate
from orchestrator.planfile import load_plan
from tests.cli.desk import DC, QUICKSTART, ROOT, Desk, assert_once_each, counted, hasten, reached, read_plan


def test_it_ends_as_the_quick_start_does(served, tmp_path):
    lab, desk = Path(served["state"]), Desk(tmp_path / "near")
    desk.folder.mkdir()
    (desk.folder / "ca.pem").write_bytes(Path(served["ca"]).read_bytes())
    (desk.folder / "password").write_text(served["password"])
    plan = read_plan("quickstart.yaml")
    hasten(plan)
    plan["estate"] = reached(served)
    desk.write_plan(plan)

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
        clock_for(simulated, Answering(**root)).ask()


def test_an_estate_that_says_so_is_taken_at_its_word(simulated):
    now = datetime(2026, 3, 2, 18, tzinfo=UTC)
    assert clock_for(simulated, Answering(dmsaLab=True, currentTime=now)).ask() >= now
