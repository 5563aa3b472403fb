"""The pool without threads: each call is carried when its turn comes, in an order that somebody chooses.

For rehearsals and simulations, where one seed must decide everything: interleaving is real, chance is not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from uuid import UUID

from orchestrator.model.call import Call, Ticket
from orchestrator.model.observation import Reply
from orchestrator.remote.pool import NOTHING, About
from orchestrator.remote.transport import Leave, Transport

Token = TypeVar("Token", bound=Hashable)


def first(_waiting: int) -> int:
    """Choose the call that has waited longest."""
    return 0


class InlinePool(Generic[Token]):
    """The contract of :class:`orchestrator.remote.pool.CallPool`, in one thread.

    Args:
        transport: carries the calls.
        choose: given how many calls wait, returns the index of the one whose turn it is.
        together: how many calls end before the first of them is handed out; None for all that wait. One at a time
            interleaves most finely, all together resembles a pool whose calls overlap.
    """

    def __init__(self, transport: Transport, choose: Callable[[int], int] = first, together: int | None = 1) -> None:
        self._transport = transport
        self._choose = choose
        self._together = together
        self._waiting: list[tuple[Token, Callable[[], Reply | bool]]] = []
        self._calls: dict[Token, tuple[Call, Ticket]] = {}
        self._elsewhere = 0
        self._ended: deque[tuple[Token, Reply | bool | Exception]] = deque()

    @property
    def in_flight(self) -> int:
        """How many calls were started and not yet handed out."""
        return len(self._waiting) + len(self._ended) + self._elsewhere

    @property
    def backlog(self) -> int:
        """How many calls wait for their turn."""
        return len(self._waiting)

    @property
    def waiting(self) -> tuple[tuple[Call, Ticket], ...]:
        """The calls that were started and never carried; also once the pool is closed."""
        return tuple(self._calls.values())

    def start(
        self, token: Token, call: Call, ticket: Ticket, leave: Leave | None = None, _about: About = NOTHING
    ) -> None:
        """Let a call wait for its turn."""
        self._calls[token] = call, ticket
        self._waiting.append((token, lambda: self._transport.run(call, ticket, leave)))

    def end_shell(self, token: Token, endpoint: str, shell: UUID, _about: About = NOTHING) -> None:
        """Let the end of a shell wait for its turn."""
        self._waiting.append((token, lambda: self._transport.discard(endpoint, shell)))

    def expect(self) -> None:
        """Count a call that somebody else carries, and hands in."""
        self._elsewhere += 1

    def hand_in(self, token: Token, result: Reply | bool | Exception) -> None:
        """Let what came of a call that was expected be handed out next."""
        self._elsewhere -= 1
        self._ended.append((token, result))

    def next_finished(self, timeout: float | None) -> tuple[Token, Reply | bool | Exception] | None:
        """Hand out a call that has ended; where none has, carry those whose turn it is.

        None if none waits, or (to let others begin) at no wait.
        """
        if not self._ended and timeout != 0.0:
            for _ in range(len(self._waiting) if self._together is None else min(self._together, len(self._waiting))):
                self._carry()
        return self._ended.popleft() if self._ended else None

    def _carry(self) -> None:
        token, work = self._waiting.pop(self._choose(len(self._waiting)))
        self._calls.pop(token, None)
        try:
            self._ended.append((token, work()))
        except Exception as error:  # noqa: BLE001 - handed to whoever can act on it
            self._ended.append((token, error))

    def close(self, _timeout: float) -> bool:
        """Forget what still waits."""
        self._waiting.clear()
        self._ended.clear()
        return True
