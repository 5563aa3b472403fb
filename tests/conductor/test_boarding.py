"""Reads that found every session of their endpoint lent, or one that had died, are not forgotten."""

from uuid import UUID

from orchestrator.conductor.fence import Fence, Intended
from orchestrator.conductor.flights import Flight, Flights
from orchestrator.journal.memory import MemoryJournal
from orchestrator.model.call import Read, Ticket, cmdlet
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.observation import Fault, FaultKind, Outcome, Reply
from orchestrator.remote.inline import InlinePool

STAGE = (Phase.PLANNED, Intention.FORWARD)


class OneSession:
    """A transport that has one session for each endpoint."""

    def __init__(self, *replies):
        self.lent = set()
        self.replies = list(replies)

    def ticket(self, endpoint):
        if endpoint in self.lent:
            return None
        self.lent.add(endpoint)
        return Ticket(endpoint, UUID(int=1), UUID(int=2))

    def run(self, _call, ticket, _leave=None):
        self.lent.discard(ticket.endpoint)
        return self.replies.pop(0) if self.replies else Reply(Outcome.SUCCEEDED)


def read(endpoint):
    return Read(endpoint, (cmdlet("Get-ADRootDSE", Server=endpoint),))


def flights_of(transport):
    journal = MemoryJournal()
    fence = Fence("r", journal, journal.acquire("tester"))
    announced = []
    return Flights(transport, InlinePool(transport, choose=lambda w: w - 1), fence, announced.append), announced


def carried(flights, turns=4):
    """Let so many turns pass; return the flights that landed."""
    landed = []
    for _ in range(turns):
        flights.board_again()
        flights.take_off(Intended(0.0, 0))
        landed += [one.flight for one in flights.landed(1.0)]
    return landed


def test_a_flight_with_nothing_in_the_air_boards_again_once_a_session_is_free():
    transport = OneSession()
    flights, _ = flights_of(transport)
    first, second = Flight(("one", "directory"), STAGE), Flight(("two", "directory"), STAGE)
    first.todo, second.todo = [read("dc01")], [read("dc02"), read("dc01")]

    assert flights.observe(first)
    assert flights.observe(second)
    assert second.todo == [read("dc01")], "the only session of dc01 is lent"
    landed = carried(flights)
    assert first in landed
    assert second in landed
    assert not flights.busy(("two", "directory"))
    assert [call for call, _ in second.replies] == [read("dc02"), read("dc01")]


DIED = Reply(Outcome.FAILED, fault=Fault(FaultKind.TRANSIENT, "shell-died", "it died"), again=True)
CUT = Reply(Outcome.FAILED, fault=Fault(FaultKind.TRANSIENT, "refused", "nobody listens", reached=False))


def test_a_read_whose_session_had_died_is_asked_again_at_once_under_ids_that_are_announced():
    flights, announced = flights_of(OneSession(DIED))
    flight = Flight(("one", "directory"), STAGE, todo=[read("dc01")])
    assert flights.observe(flight)
    assert carried(flights) == [flight]
    assert [reply.outcome for _, reply in flight.replies] == [Outcome.SUCCEEDED]
    assert len(announced) == 2


def test_but_only_once():
    flights, _ = flights_of(OneSession(DIED, DIED))
    flight = Flight(("one", "directory"), STAGE, todo=[read("dc01")])
    assert flights.observe(flight)
    assert carried(flights) == [flight]
    assert [reply.fault.code for _, reply in flight.replies] == ["shell-died"]


def test_a_host_whose_session_died_was_reached_whatever_comes_of_the_next_one():
    flights, _ = flights_of(OneSession(DIED, CUT))
    flight = Flight(("one", "directory"), STAGE, todo=[read("dc01")])
    assert flights.observe(flight)
    assert carried(flights) == [flight]
    assert [(reply.fault.code, reply.fault.reached) for _, reply in flight.replies] == [("refused", True)]


def test_once_grounded_nothing_takes_off_but_what_is_in_the_air_may_land():
    flights, _ = flights_of(OneSession())
    first, second = Flight(("one", "directory"), STAGE), Flight(("two", "directory"), STAGE, todo=[read("dc01")])
    first.todo = [read("dc01"), read("dc01")]
    assert flights.observe(first)
    flights.take_off(Intended(0.0, 0))
    flights.ground()
    assert not flights.observe(second)
    assert carried(flights) == []
    assert [call for call, _ in first.replies] == [read("dc01")]
    assert not flights.any
