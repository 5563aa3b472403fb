"""A broker that is away is told once, however many words it has for that; one that refuses is told of, too."""

from __future__ import annotations

from amqp.exceptions import RecoverableConnectionError
from structlog.testing import capture_logs

from orchestrator.cluster.outage import Outage

AWAY = (ConnectionResetError("reset"), RecoverableConnectionError("Socket was disconnected"), EOFError())


class Refused(Exception):
    """What a broker says that is there."""


def told_of(*happened: BaseException | None) -> list[str]:
    """Return what is told; None: the connection is up."""
    outage = Outage("mq", "ring", str, (Refused,))
    with capture_logs() as told:
        for error in happened:
            outage.over() if error is None else outage.begins(error)
    return [entry["event"] for entry in told]


def test_it_is_told_once_and_once_that_it_is_back():
    assert told_of(*AWAY, None, None, *AWAY, None) == ["no broker", "broker is back"] * 2


def test_who_is_refused_after_it_came_back_is_told_so():
    assert told_of(*AWAY, Refused("no"), Refused("no"), None) == ["no broker", "no broker", "broker is back"]


def test_nothing_is_told_of_a_connection_that_never_was_down():
    assert told_of(None, None) == []
