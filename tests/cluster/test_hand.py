"""A hand does what it is given, at its own site, while its claim counts; and it ends in good order."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from orchestrator.cluster.claims import Claims
from orchestrator.cluster.hand import Hand
from orchestrator.cluster.serving import serve
from orchestrator.journal import JournalUnusable, MemoryJournal
from orchestrator.journal.jobs import Job
from orchestrator.journal.memory_jobs import MemoryJobs
from orchestrator.model.call import Read, Ticket, Write, cmdlet
from orchestrator.model.observation import Outcome, Reply
from orchestrator.model.parcel import Carried, Carry, Declined, End, Ended, packed, result_of
from orchestrator.model.sites import Sites
from orchestrator.planfile import load_plan
from orchestrator.remote.in_process import InProcessEngine
from orchestrator.remote.transport import NOT_SENT
from tests.cluster.hearing import eventually
from tests.cluster.sites import SITES
from tests.patience import PATIENCE
from tests.world import ROOT

HERE, THERE = "app02.corp.example", "app03.corp.example"
ABOUT = ("dmsa-batch", "link")
READ = (cmdlet("Get-Service", Name="BatchRunner"),)
RESTART = cmdlet("Restart-Service", Name="BatchRunner", Force=True)


class Host:
    """A transport whose calls end when a test says so, and that knows in which shells it carried them."""

    def __init__(self) -> None:
        self.go, self.carried, self.ended = threading.Event(), list[object](), list[UUID]()
        self.go.set()
        self.begun = threading.Event()
        self.busy = 0
        self._gone: list[Ticket] = []

    def honour(self, _ticket):
        self.busy -= 1
        return self.busy < 0

    def give_back(self, ticket):
        self.ended.append(ticket.shell)

    def run(self, call, ticket, leave=None):
        self.begun.set()
        assert self.go.wait(PATIENCE)
        refused = leave() if isinstance(call, Write) else None
        self._gone.append(ticket)
        if refused is not None:
            return Reply(Outcome.FAILED, fault=refused)
        self.carried.append(call)
        return Reply(Outcome.SUCCEEDED)

    def discard(self, _endpoint, shell):
        self.ended.append(shell)
        return True

    def gone(self):
        gone, self._gone = self._gone, []
        return gone


class Stage:
    """A board with one driver, and one hand of site emea."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 29, tzinfo=UTC)
        self.journal = MemoryJournal(lambda: self.now)
        self.jobs = MemoryJobs(self.journal, now=lambda: self.now)
        self.lease = self.journal.acquire("driver")
        plan = load_plan(ROOT / "plans/quickstart.yaml").plan
        plan = plan.model_copy(update={"estate": plan.estate.model_copy(update={"sites": SITES})})
        self.host = Host()
        self.paused: list[float] = []
        claims = Claims(self.jobs, self.seconds)
        sites = Sites(plan)
        self.hand = Hand("quickstart", "emea", sites, self.jobs, self.host, "r", claims, pause=self.pause)

    def seconds(self) -> float:
        return self.now.timestamp()

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.passes(seconds)

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def post(self, order, kind, site="emea"):
        made = Job(uuid4(), "quickstart", site, *ABOUT, kind, order if isinstance(order, str) else packed(order), 0, 10)
        self.jobs.post([made], self.lease)

    def results(self):
        return [back.result and result_of(back.result) for back in self.jobs.take_back(self.lease)]


def to(endpoint, statement=None):
    ticket = Ticket(endpoint, uuid4(), uuid4())
    return Carry(Write(endpoint, statement) if statement else Read(endpoint, READ), ticket)


@pytest.fixture
def stage():
    return Stage()


def test_it_carries_everything_that_is_posted_for_what_it_hears(stage):
    orders = [to(HERE), to(HERE, RESTART)]
    for order, kind in zip(orders, ("read", "write"), strict=True):
        stage.post(order, kind)
    stage.hand.handle("emea", *ABOUT)
    assert stage.host.carried == [order.call for order in orders]
    assert stage.results() == [Carried(Reply(Outcome.SUCCEEDED), True)] * 2


def test_it_ends_shells(stage):
    stage.post(End(HERE, UUID(int=7)), "end")
    stage.hand.handle("emea", *ABOUT)
    assert (stage.host.ended, stage.results()) == ([UUID(int=7)], [Ended(True)])


def test_a_ring_for_another_site_claims_nothing(stage):
    stage.post(to(THERE), "read", site="amer")
    stage.hand.handle("amer", *ABOUT)
    assert stage.host.carried == []
    assert len(stage.jobs.claim("quickstart", "amer", *ABOUT, "theirs")) == 1


@pytest.mark.parametrize("endpoint", [THERE, "dc01.corp.example", "unheard-of.corp.example"])
@pytest.mark.parametrize("end", [False, True])
def test_an_endpoint_that_is_not_its_own_is_declined_whoever_posted_it_there(stage, endpoint, end):
    stage.post(End(endpoint, UUID(int=7)) if end else to(endpoint), "end" if end else "read")
    stage.hand.handle("emea", *ABOUT)
    (declined,) = stage.results()
    assert isinstance(declined, Declined)
    assert (declined.code, stage.host.carried, stage.host.ended) == ("wrong-site", [], [])
    assert "nothing was sent" in declined.why


def test_what_is_outside_the_catalogue_is_declined(stage):
    stage.post(to(HERE, cmdlet("Remove-Item", Path="C:\\")), "write")
    stage.hand.handle("emea", *ABOUT)
    (declined,) = stage.results()
    assert (declined.code, stage.host.carried) == ("outside-catalogue", [])


@pytest.mark.parametrize(("order", "kind"), [("{}", "read"), (to(HERE, RESTART), "read"), (to(HERE), "write")])
def test_what_is_not_what_it_was_posted_as_is_declined(stage, order, kind):
    stage.post(order, kind)
    stage.hand.handle("emea", *ABOUT)
    (declined,) = stage.results()
    assert (declined.code, stage.host.carried) == ("unreadable", [])


def test_a_write_without_leave_is_not_sent(stage):
    stage.post(to(HERE, RESTART), "write")
    stage.host.busy = 101
    stage.hand.handle("emea", *ABOUT)
    (carried,) = stage.results()
    assert (carried.reply.outcome, carried.reply.fault.code, stage.host.carried) == (Outcome.FAILED, NOT_SENT, [])


def test_a_claim_that_was_lost_while_it_waited_for_a_session_is_let_go(stage):
    stage.post(to(HERE), "read")
    stage.host.busy = 10_000
    stage.hand.handle("emea", *ABOUT)
    assert stage.host.carried == []
    assert stage.results() == [None]


def test_a_claim_is_renewed_as_long_as_its_work_lasts(stage):
    stage.post(to(HERE), "read")
    stage.host.busy = 400

    def renewing(seconds: float) -> None:
        stage.passes(seconds)
        stage.hand.claims.renew()

    stage.hand._pause = renewing
    stage.hand.handle("emea", *ABOUT)
    assert stage.results() == [Carried(Reply(Outcome.SUCCEEDED), True)]


def test_a_store_that_is_away_is_waited_for(stage, monkeypatch):
    stage.post(to(HERE), "read")
    commit, away = stage.jobs.commit, iter([True, True, False])

    def now_and_then(claim, result):
        if next(away):
            raise JournalUnusable("postgresql://db", "it is away", "wait")
        return commit(claim, result)

    monkeypatch.setattr(stage.jobs, "commit", now_and_then)
    stage.hand.handle("emea", *ABOUT)
    assert stage.results() == [Carried(Reply(Outcome.SUCCEEDED), True)]
    assert len(stage.paused) == 2


def test_a_store_that_is_away_when_it_hears_a_ring_harms_nothing(stage, monkeypatch):
    def away(*_given):
        raise JournalUnusable("postgresql://db", "it is away", "wait")

    monkeypatch.setattr(stage.jobs, "claim", away)
    stage.hand.handle("emea", *ABOUT)
    assert stage.host.carried == []


def test_who_is_told_to_end_ends_what_is_under_way_and_hears_nothing_new(stage):
    engine, told = InProcessEngine(), threading.Event()
    stage.host.go.clear()
    for _ in range(2):
        stage.post(to(HERE), "read")
    serving = threading.Thread(target=serve, args=(stage.hand, stage.jobs, engine, 1, told.is_set))
    serving.start()
    engine.ring("emea", *ABOUT)
    assert stage.host.begun.wait(PATIENCE)
    assert [(one.site, one.runner) for one in stage.jobs.present()] == [("emea", "r")]
    told.set()
    engine.ring("emea", *ABOUT)
    eventually(lambda: stage.hand._draining)
    assert serving.is_alive()
    stage.host.go.set()
    serving.join(PATIENCE)
    assert not serving.is_alive()
    assert stage.results() == [Carried(Reply(Outcome.SUCCEEDED), True)]
    assert stage.jobs.oldest().keys() == {"emea"}
