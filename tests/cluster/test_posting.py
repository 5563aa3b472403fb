"""What is posted comes back, whatever becomes of it: carried, declined, lapsed, withdrawn, or lost with the board."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from orchestrator.cluster.abroad import AT_ONCE, Abroad
from orchestrator.cluster.posting import GIVEN_UP_AFTER, TAKEN_WITHIN, Board, PostingPool
from orchestrator.errors import SafetyRefusal
from orchestrator.journal import LeaseLost, MemoryJournal
from orchestrator.journal.memory_jobs import MemoryJobs
from orchestrator.model.call import Read, Write, cmdlet
from orchestrator.model.observation import FaultKind, Outcome, Reply
from orchestrator.model.parcel import Carried, Declined, Ended, order_of, packed
from orchestrator.model.sites import Sites
from orchestrator.planfile import load_plan
from orchestrator.remote.inline import InlinePool
from orchestrator.remote.pool import About
from tests.cluster.sites import SITES
from tests.conductor.test_flights import Desk
from tests.world import ROOT

HOST, DC = "app02.corp.example", "dc01.corp.example"
READ = Read(HOST, (cmdlet("Get-Service", Name="BatchRunner"),))
RESTART = Write(HOST, cmdlet("Restart-Service", Name="BatchRunner", Force=True))
ABOUT = About("dmsa-batch", "restart", 0, 8.0)
DONE = Reply(Outcome.SUCCEEDED)


class Rings:
    """An engine that keeps what is rung."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str]] = []

    def ring(self, *words: str) -> None:
        self.heard.append(words)


class Driver:
    """A runner that drives, and the board that it posts on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 29, tzinfo=UTC)
        self.journal = MemoryJournal(lambda: self.now)
        self.jobs = MemoryJobs(self.journal, now=lambda: self.now)
        plan = load_plan(ROOT / "plans/quickstart.yaml").plan
        plan = plan.model_copy(update={"estate": plan.estate.model_copy(update={"sites": SITES})})
        numbers = itertools.count(1)
        self.desk, self.rings = Desk(), Rings()
        self.desk.gone = list
        self.abroad = Abroad(self.desk, Sites(plan), clock=self.seconds, ids=lambda: UUID(int=next(numbers)))
        board = Board("quickstart", self.jobs, self.journal.acquire("driver"), self.rings)
        self.pool = PostingPool(InlinePool(self.desk), self.abroad, board, self.seconds)

    def seconds(self) -> float:
        return self.now.timestamp()

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.pool.look()

    def start(self, call=READ):
        ticket = self.abroad.ticket(call.endpoint)
        self.pool.start(1, call, ticket, None, ABOUT)
        assert self.pool.next_finished(0.0) is None
        return ticket

    def claims(self):
        return self.jobs.claim("quickstart", "emea", ABOUT.migration, ABOUT.step, "r", most=9)

    def hand_in(self, result, claims=None):
        for claim in claims or self.claims():
            assert self.jobs.commit(claim, result if isinstance(result, str) else packed(result))
        self.pool.look()

    def finished(self):
        token, result = self.pool.next_finished(0.0)
        assert (token, self.pool.in_flight) == (1, 0)
        return result

    def gone(self):
        return {ticket.shell for ticket in self.abroad.gone()}


@pytest.fixture
def driver():
    return Driver()


def test_what_is_another_site_s_is_posted_and_rung_for_and_what_is_the_directory_s_carried_here(driver):
    ticket = driver.start()
    assert driver.rings.heard == [("emea", ABOUT.migration, ABOUT.step)]
    driver.pool.start(2, Read(DC, READ.statements), driver.abroad.ticket(DC), None, ABOUT)
    assert driver.pool.next_finished(1.0) == (2, DONE)
    (claim,) = driver.claims()
    assert order_of(claim.job.call).ticket == ticket
    driver.hand_in(Carried(DONE, True), [claim])
    assert driver.finished() == DONE
    assert driver.gone() == {ticket.shell}


def test_so_many_calls_to_one_host_and_no_more(driver):
    tickets = [driver.abroad.ticket(HOST) for _ in range(AT_ONCE)]
    assert driver.abroad.ticket(HOST.upper()) is None
    driver.abroad.give_back(tickets[0])
    assert driver.abroad.ticket(HOST) is not None


@pytest.mark.parametrize("text", [None, "{}", packed(Ended(True))])
def test_a_write_of_which_nothing_is_known_is_unknown_and_its_shell_is_not_called_gone(driver, text):
    driver.start(RESTART)
    claims = driver.claims()
    if text is None:
        driver.passes(driver.jobs.patience + 1)
    else:
        driver.hand_in(text, claims)
    reply = driver.finished()
    assert (reply.outcome, reply.fault.kind, reply.fault.code) == (Outcome.UNKNOWN, FaultKind.UNKNOWN, "runner-lost")
    assert "whether the change was made is not known" in reply.fault.message
    assert driver.gone() == set()
    assert driver.claims() == []


def test_a_read_whose_claim_has_lapsed_is_asked_again_and_its_shell_ended(driver):
    ticket = driver.start()
    driver.claims()
    driver.passes(driver.jobs.patience + 1)
    reply = driver.finished()
    assert (reply.outcome, reply.again, reply.fault.kind) == (Outcome.FAILED, True, FaultKind.TRANSIENT)
    (claim,) = driver.claims()
    assert (claim.job.kind, order_of(claim.job.call).shell) == ("end", ticket.shell)
    driver.hand_in(Ended(True), [claim])
    assert driver.pool.next_finished(0.0) is None
    assert driver.gone() == {ticket.shell}


@pytest.mark.parametrize(("call", "seconds"), [(READ, TAKEN_WITHIN), (RESTART, ABOUT.leaves_within)])
def test_what_nobody_takes_is_rung_again_and_withdrawn_in_time(driver, call, seconds):
    driver.start(call)
    driver.passes(seconds - 1)
    assert len(driver.rings.heard) == 2
    assert driver.pool.next_finished(0.0) is None
    driver.passes(1)
    reply = driver.finished()
    assert (reply.outcome, reply.fault.code, reply.fault.busy) == (Outcome.FAILED, "site-unserved", True)
    assert driver.claims() == []


def test_the_end_of_a_shell_travels_too(driver):
    shell = UUID(int=99)
    driver.pool.end_shell(1, HOST, shell, ABOUT)
    driver.pool.next_finished(0.0)
    driver.hand_in(Ended(True))
    assert driver.finished() is True
    assert driver.gone() == {shell}
    driver.pool.end_shell(1, HOST, shell, ABOUT)
    driver.pool.next_finished(0.0)
    driver.claims()
    driver.passes(driver.jobs.patience + 1)
    assert driver.finished() is False


def test_what_a_runner_declines_is_held_and_what_its_gate_refuses_ends_everything(driver):
    driver.start()
    driver.hand_in(Declined("wrong-site", "app02: by its plan that is of site amer; nothing was sent"))
    reply = driver.finished()
    assert (reply.fault.kind, reply.fault.code) == (FaultKind.PERMANENT, "wrong-site")
    driver.start()
    driver.hand_in(Declined("outside-catalogue", "Remove-Item is not in the catalogue"))
    assert isinstance(driver.finished(), SafetyRefusal)


def test_a_job_that_was_lost_with_the_board_is_given_up(driver):
    driver.start(RESTART)
    driver.jobs._posted.clear()
    driver.passes(GIVEN_UP_AFTER - 1)
    assert driver.pool.next_finished(0.0) is None
    driver.passes(1)
    assert driver.finished().outcome is Outcome.UNKNOWN


def test_who_no_longer_holds_the_lease_posts_nothing(driver):
    driver.journal._store.alive = None
    driver.journal.acquire("successor")
    with pytest.raises(LeaseLost):
        driver.start()
    assert driver.rings.heard == []


def test_what_ended_the_looking_after_ends_the_run(driver):
    driver.pool.broke(KeyError("a defect"))
    with pytest.raises(KeyError, match="a defect"):
        driver.pool.next_finished(0.0)


def test_who_closes_withdraws_what_nobody_has_taken(driver):
    driver.start()
    assert not driver.pool.close(0.0)
    assert driver.claims() == []
    with pytest.raises(RuntimeError, match="closed"):
        driver.pool.end_shell(2, HOST, UUID(int=1))
