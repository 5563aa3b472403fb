"""Calls in the air: boarded first, sent once their intent is on disk, and landed when all of a flight is back."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from orchestrator.conductor.fence import Fence, Intended
from orchestrator.conductor.flights import Flight, Flights
from orchestrator.journal import MemoryJournal
from orchestrator.model.call import Call, Read, Ticket, Write, cmdlet
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.observation import Outcome, Reply
from orchestrator.remote.inline import InlinePool
from orchestrator.remote.transport import Leave

STAGE = (Phase.PLANNED, Intention.FORWARD)
HOST = "app01.corp.example"


class Desk:
    """A transport that lends as many tickets an endpoint as it is told, and remembers what it carried."""

    def __init__(self, sessions: int = 9) -> None:
        self.sessions, self.lent, self.ran, self.ended = sessions, dict[UUID, str](), list[Call](), list[UUID]()
        self.error: Exception | None = None

    def ticket(self, endpoint: str) -> Ticket | None:
        if list(self.lent.values()).count(endpoint) >= self.sessions:
            return None
        shell = UUID(int=len(self.ran) * 100 + len(self.lent) + 1)
        self.lent[shell] = endpoint
        return Ticket(endpoint, shell, UUID(int=7))

    def announce(self, ticket: Ticket) -> None:
        assert ticket.shell in self.lent

    def give_back(self, ticket: Ticket) -> None:
        del self.lent[ticket.shell]

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        del self.lent[ticket.shell]
        assert leave is None or leave() is None
        self.ran.append(call)
        if self.error is not None:
            raise self.error
        return Reply(Outcome.SUCCEEDED)

    def discard(self, _endpoint: str, shell: UUID) -> bool:
        self.lent.pop(shell, None)
        self.ended.append(shell)
        return True

    def close(self) -> None:
        self.lent.clear()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def prepared(desk: Desk) -> Flights:
    """Flights of a runner that holds its journal; its fence lets every write leave."""
    journal = MemoryJournal()
    return Flights(desk, InlinePool(desk), Fence("r", journal, journal.acquire("tester"), lambda: 0.0), desk.announce)


@pytest.fixture
def flights(desk: Desk) -> Iterator[Flights]:
    flights = prepared(desk)
    yield flights
    flights.close(0.0)


def read(what: str, endpoint: str = "dc01") -> Read:
    return Read(endpoint, (cmdlet("Get-ADObject", Identity=what),))


def write(endpoint: str = HOST) -> Write:
    return Write(endpoint, cmdlet("Restart-Service", Name="App"))


def flight(*reads: Read, subject: str = "directory", disruptive: bool = False) -> Flight:
    made = Flight(("a", subject), STAGE, disruptive=disruptive)
    made.todo = list(reads)
    return made


def land(flights: Flights, times: int = 5) -> list:
    return [one for _ in range(times) for one in flights.landed(1.0)]


def test_nothing_is_sent_before_it_may_take_off(desk, flights):
    flights.observe(flight(read("x")))
    flights.perform(flight(subject=HOST), write(), desk.ticket(HOST))
    assert flights.busy(("a", "directory"))
    assert flights.busy(("a", HOST))
    assert not flights.any
    assert land(flights) == []
    flights.take_off(Intended(0.0, 0))
    assert flights.any
    assert len(land(flights)) == 2
    assert desk.ran == [read("x"), write()]
    assert not flights.busy(("a", "directory"))


def test_an_observation_lands_when_all_of_it_is_back(flights):
    reads = [read("x"), read("y", "dc02"), read("z", HOST)]
    flights.observe(flight(*reads))
    flights.take_off(Intended(0.0, 0))
    landed = [list(flights.landed(1.0)) for _ in range(3)]
    assert [len(one) for one in landed] == [0, 0, 1]
    assert landed[-1][0].result is None
    assert [call for call, _ in landed[-1][0].flight.replies] == reads


def test_a_write_lands_with_its_reply_and_a_shell_s_end_with_yes_or_no(desk, flights):
    flights.perform(flight(subject=HOST), write(), desk.ticket(HOST))
    flights.end_shell(flight(), "dc01", UUID(int=5))
    flights.take_off(Intended(0.0, 0))
    assert [one.result for one in land(flights)] == [Reply(Outcome.SUCCEEDED), True]
    assert desk.ended == [UUID(int=5)]


def test_what_may_not_go_gives_its_tickets_back_and_is_never_sent(desk, flights):
    flights.observe(flight(read("x"), read("y")))
    flights.perform(flight(subject=HOST), write(), desk.ticket(HOST))
    flights.abandon()
    assert not desk.lent
    assert not flights.busy(("a", "directory"))
    assert not flights.busy(("a", HOST))
    flights.take_off(Intended(0.0, 0))
    assert land(flights) == []
    assert desk.ran == []


def test_reads_of_a_flight_under_way_board_again():
    desk = Desk(sessions=1)
    flights = prepared(desk)
    under_way = flight(read("x"), read("y"))
    flights.observe(under_way)
    flights.take_off(Intended(0.0, 0))
    desk.sessions = 2
    flights.observe(under_way)
    flights.abandon()
    assert flights.busy(("a", "directory"))
    flights.board_again()
    flights.take_off(Intended(0.0, 0))
    assert [one.result for one in land(flights)] == [None]
    assert desk.ran == [read("x"), read("y")]


def test_one_host_is_disrupted_by_one_at_a_time(desk, flights):
    flights.perform(flight(subject=HOST, disruptive=True), write(), desk.ticket(HOST))
    assert flights.disrupted(HOST)
    assert not flights.disrupted("app02.corp.example")
    flights.take_off(Intended(0.0, 0))
    land(flights)
    assert not flights.disrupted(HOST)


def test_a_harmless_write_disrupts_nobody(desk, flights):
    flights.perform(flight(subject=HOST), write(), desk.ticket(HOST))
    assert not flights.disrupted(HOST)


def test_a_defect_is_not_a_reply(desk, flights):
    desk.error = RuntimeError("a bug")
    flights.observe(flight(read("x")))
    flights.take_off(Intended(0.0, 0))
    with pytest.raises(RuntimeError, match="a bug"):
        land(flights)


def test_it_is_crowded_while_many_calls_wait_and_one_of_them_can_land(flights, monkeypatch):
    monkeypatch.setattr("orchestrator.conductor.flights.ROOM", 3)
    flights.observe(flight(read("x"), read("y")))
    assert not flights.crowded
    flights.observe(flight(read("z", HOST), subject=HOST))
    assert flights.crowded
    assert flights.under_way("a")
    flights.take_off(Intended(0.0, 0))
    assert flights.crowded
    list(flights.landed(1.0))
    assert not flights.crowded


def test_reads_that_find_no_session_with_the_directory_wait_too(monkeypatch):
    monkeypatch.setattr("orchestrator.conductor.flights.ROOM", 3)
    flights = prepared(Desk(sessions=1))
    flights.observe(flight(*(read(what) for what in "abcd")))
    assert flights.crowded
    for _ in "abcd":
        assert flights.under_way("a")
        flights.take_off(Intended(0.0, 0))
        list(flights.landed(1.0))
    assert not flights.crowded
    assert not flights.under_way("a")
