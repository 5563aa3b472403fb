"""Who rings waits for nobody: what is said is sent in its order, and what cannot be sent now is sent later."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from structlog.testing import capture_logs

from orchestrator.cluster.outage import Outage
from orchestrator.cluster.publisher import Publisher, Send, Words
from tests.cluster.hearing import eventually


class Line:
    """A line in memory, which can be cut, and held up."""

    def __init__(self) -> None:
        self.sent: list[Words] = []
        self.cut = False
        self.free = threading.Event()
        self.free.set()
        self.waits = threading.Event()

    @contextmanager
    def __call__(self) -> Iterator[Send]:
        if self.cut:
            raise OSError("cut")
        yield self._send

    def _send(self, words: Words) -> None:
        self.waits.set()
        self.free.wait()
        if self.cut:
            raise OSError("cut")
        self.sent.append(words)


def ring(number: int) -> Words:
    return ("emea", f"{number}", "start")


def publisher(line: Line) -> Publisher:
    return Publisher(line, (OSError,), Outage("broker", "ring", str))


def test_what_is_said_twice_is_sent_twice_and_in_order():
    line = Line()
    line.free.clear()
    rings = publisher(line)
    rings.tell(ring(0))
    assert line.waits.wait(10)
    for number in (1, 2, 1):
        rings.tell(ring(number))
    line.free.set()
    rings.close()
    assert line.sent == [ring(0), ring(1), ring(2), ring(1)]


def test_what_cannot_be_sent_is_sent_when_the_line_is_there_again():
    line = Line()
    rings = publisher(line)
    rings.tell(ring(0))
    eventually(lambda: line.sent)
    with capture_logs() as told:
        line.cut = True
        rings.tell(ring(1))
        rings.tell(ring(2))
        eventually(lambda: told)
        line.cut = False
        eventually(lambda: len(line.sent) == 3)
    rings.close()
    assert line.sent == [ring(0), ring(1), ring(2)]
    assert [entry["event"] for entry in told] == ["no broker", "broker is back"]


def test_a_line_that_is_held_up_holds_up_nobody_and_the_oldest_of_too_much_is_dropped():
    line = Line()
    line.free.clear()
    rings = publisher(line)
    for number in range(2_050):
        rings.tell(ring(number))
    line.free.set()
    rings.close(30)
    assert len(line.sent) <= 2_001
    assert line.sent[-1] == ring(2_049)


def test_who_closes_does_not_wait_for_a_line_that_is_down():
    line = Line()
    line.cut = True
    rings = publisher(line)
    with capture_logs() as told:
        rings.tell(ring(0))
        eventually(lambda: told)
        rings.close()
    rings.tell(ring(1))
    assert line.sent == []
