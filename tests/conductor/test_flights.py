"""Reads that found every session of their endpoint lent are not forgotten."""

from uuid import UUID

from orchestrator.flights import Flight, Flights
from orchestrator.model.call import Read, Ticket, cmdlet
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.observation import Outcome, Reply
from orchestrator.remote.inline import InlinePool

STAGE = (Phase.PLANNED, Intention.FORWARD)


class OneSession:
    """A transport that has one session for each endpoint."""

    def __init__(self):
        self.lent = set()

    def ticket(self, endpoint):
        if endpoint in self.lent:
            return None
        self.lent.add(endpoint)
        return Ticket(endpoint, UUID(int=1), UUID(int=2))

    def run(self, _call, ticket):
        self.lent.discard(ticket.endpoint)
        return Reply(Outcome.SUCCEEDED)


def read(endpoint):
    return Read(endpoint, (cmdlet("Get-ADRootDSE", Server=endpoint),))


def test_a_flight_with_nothing_in_the_air_boards_again_once_a_session_is_free():
    transport = OneSession()
    flights = Flights(transport, InlinePool(transport, choose=lambda waiting: waiting - 1))
    first, second = Flight(("one", "directory"), STAGE), Flight(("two", "directory"), STAGE)
    first.todo, second.todo = [read("dc01")], [read("dc02"), read("dc01")]

    assert flights.observe(first)
    assert flights.observe(second)
    assert second.todo == [read("dc01")], "the only session of dc01 is lent"
    flights.take_off()
    landed = []
    for _ in range(4):
        landed += [one.flight for one in flights.landed(1.0)]
        flights.take_off()
    assert first in landed
    assert second in landed
    assert not flights.busy(("two", "directory"))
    assert [call for call, _ in second.replies] == [read("dc02"), read("dc01")]
