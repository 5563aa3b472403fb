"""The pool without threads: each call is carried when its turn comes, in an order that somebody chooses.

For rehearsals and simulations, where one seed must decide everything: interleaving is real, chance is not.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from uuid import UUID

from orchestrator.model.call import Call, Ticket
from orchestrator.model.observation import Reply
from orchestrator.remote.transport import Transport

Token = TypeVar("Token", bound=Hashable)


def first(_waiting: int) -> int:
    """Choose the call that has waited longest."""
    return 0


class InlinePool(Generic[Token]):
    """The contract of :class:`orchestrator.remote.pool.CallPool`, in one thread.

    Args:
        transport: carries the calls.
        choose: given how many calls wait, returns the index of the one whose turn it is.
    """

    def __init__(self, transport: Transport, choose: Callable[[int], int] = first) -> None:
        self._transport = transport
        self._choose = choose
        self._waiting: list[tuple[Token, Callable[[], Reply | bool]]] = []

    @property
    def in_flight(self) -> int:
        """How many calls were started and not yet handed out."""
        return len(self._waiting)

    def start(self, token: Token, call: Call, ticket: Ticket) -> None:
        """Let a call wait for its turn."""
        self._waiting.append((token, lambda: self._transport.run(call, ticket)))

    def end_shell(self, token: Token, endpoint: str, shell: UUID) -> None:
        """Let the end of a shell wait for its turn."""
        self._waiting.append((token, lambda: self._transport.discard(endpoint, shell)))

    def next_finished(self, timeout: float | None) -> tuple[Token, Reply | bool | Exception] | None:
        """Carry the call whose turn it is and hand it out; None if none waits, or (to let others begin) at no wait."""
        if not self._waiting or timeout == 0.0:
            return None
        token, work = self._waiting.pop(self._choose(len(self._waiting)))
        try:
            return token, work()
        except Exception as error:  # noqa: BLE001 - handed to whoever can act on it
            return token, error

    def close(self, _timeout: float) -> bool:
        """Forget what still waits."""
        self._waiting.clear()
        return True
