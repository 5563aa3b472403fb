"""A broker that is away is told once, and once that it is back; between the two it is tried again in silence."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

_log = structlog.get_logger()


class Outage:
    """What is told of one connection to *broker*.

    Args:
        broker: where it is.
        what_for: what the connection is for.
        why: puts an error into words without a secret.
        answers: errors by which a broker that is there refuses; each is told once more. All others say that it is away.
    """

    def __init__(
        self,
        broker: str,
        what_for: str,
        why: Callable[[BaseException], str],
        answers: tuple[type[BaseException], ...] = (),
    ) -> None:
        self._broker, self._what_for, self._why, self._answers = broker, what_for, why, answers
        self._told: type[BaseException] | None = None
        self._lock = threading.Lock()

    def begins(self, error: BaseException) -> None:
        """Tell that the connection is down, unless that is known: a broker that is gone says so in several ways."""
        kind = type(error) if isinstance(error, self._answers) else BaseException
        with self._lock:
            known, self._told = self._told, kind
        if known is not kind:
            why = self._why(error)
            _log.warning("no broker", broker=self._broker, to=self._what_for, why=why, what_now="it is tried again")

    def over(self) -> None:
        """Tell that it is up, if anybody was told otherwise."""
        with self._lock:
            known, self._told = self._told, None
        if known is not None:
            _log.warning("broker is back", broker=self._broker, to=self._what_for)
