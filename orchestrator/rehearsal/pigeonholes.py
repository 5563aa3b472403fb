"""Receivers of notices in a rehearsal: what they take stays in memory, and nothing leaves the process.

A process may die right before a notice arrives, and right after: then it arrived, and no row says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.notices import Notice
from orchestrator.rehearsal.process import Life
from orchestrator.remote.outbox import Answered
from orchestrator.remote.webhook import Answer


class Pigeonholes:
    """Takes every notice of one process at once; *arrived* has all that ever did, of whichever process."""

    def __init__(self, life: Life, arrived: list[tuple[str, Notice]]) -> None:
        self._life, self._arrived = life, arrived
        self._answers: list[Answered] = []

    def under_way(self, receiver: str) -> bool:
        """Whether the answer of a receiver was not asked for yet."""
        return any(one.receiver == receiver for one in self._answers)

    def send(self, receiver: str, notice: Notice, missed: int) -> bool:
        """Let a notice arrive, if the process lives that long."""
        self._life.moment("write")
        self._arrived.append((receiver, notice))
        self._answers.append(Answered(receiver, notice.id, missed, Answer("taken", status=200)))
        self._life.moment("write")
        return True

    @property
    def any_answer(self) -> bool:
        """Whether an answer is there."""
        return bool(self._answers)

    def answers(self, timeout: float = 0.0) -> Iterator[Answered]:
        """Yield the answers; there is nothing to wait for."""
        del timeout
        answers, self._answers = self._answers, []
        yield from answers
