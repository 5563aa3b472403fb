"""The outbox: notices on their way to receivers, each receiver beside the others, and none of them waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from orchestrator.model.notices import Notice
from orchestrator.remote.errands import Errands
from orchestrator.remote.webhook import Answer, Webhook

Writes: TypeAlias = Callable[[Webhook, Notice, int, str], Mapping[str, Any]]
"""Makes the document for a receiver: he, the notice, how many he missed, and the URL that it goes to."""


@dataclass(frozen=True)
class Answered:
    """What became of one notice at one receiver."""

    receiver: str
    notice: str
    missed: int
    answer: Answer


class Outbox:
    """Posts notices on threads of their own. Its methods are for one thread, the conductor's."""

    def __init__(self, webhooks: Iterable[Webhook], writes: Writes) -> None:
        self._webhooks = {one.name: one for one in reversed(tuple(webhooks))}  # the first of a name counts
        self._writes = writes
        self._errands: Errands[Answer] = Errands()
        self._letters: dict[str, tuple[Notice, int]] = {}

    def under_way(self, receiver: str) -> bool:
        """Whether a notice is on its way to a receiver, or its answer was not asked for yet."""
        return self._errands.under_way(receiver)

    def send(self, receiver: str, notice: Notice, missed: int) -> bool:
        """Send a notice; False where the plan that this is for has no such receiver."""
        webhook = self._webhooks.get(receiver)
        if webhook is None:
            return False
        self._letters[receiver] = (notice, missed)
        self._errands.begin(
            receiver, lambda: webhook.post(lambda url: self._writes(webhook, notice, missed, url), notice.id)
        )
        return True

    @property
    def any_answer(self) -> bool:
        """Whether an answer is there to be asked for."""
        return self._errands.any_ended

    def answers(self, timeout: float = 0.0) -> Iterator[Answered]:
        """Yield the answers that have come, waiting so many seconds for the first."""
        for receiver, result in self._errands.ended(timeout):
            notice, missed = self._letters.pop(receiver)
            yield Answered(receiver, notice.id, missed, _known(result))


def _known(result: Answer | Exception) -> Answer:
    """Return an answer also where there is a defect; the words of an exception may hold the URL."""
    if isinstance(result, Answer):
        return result
    return Answer("later", f"a defect in the program ({type(result).__name__})")
