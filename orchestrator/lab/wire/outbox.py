"""What a shell or a pipeline has to say until somebody fetches it with Receive."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Parcel:
    """What one Receive brings: fragments in order, and whether they were the last ones."""

    fragments: tuple[bytes, ...]
    last: bool


class _Fragment(NamedTuple):
    data: bytes
    apart: bool
    """Whether a parcel begins with it: what came before had left by the time it was there."""


class NothingLeft(Exception):
    """Everything up to the end has been fetched before."""


class Outbox:
    """Fragments in order, fetched in parcels by one reader at a time.

    A parcel counts as received once the next one is asked for, or a Command follows. Until then :meth:`attach` puts
    it back: a recording from Windows (``test_psrp_disconnect_runspaces``) shows the last message again, under the
    same object id, after a Connect; another (``test_psrp_disconnected_commands``), with a Command before that, not.
    """

    def __init__(self) -> None:
        self._waiting: deque[_Fragment] = deque()
        self._handed: list[_Fragment] = []
        self._complete = False
        self._finished = False
        self._readers = 0
        self._news = asyncio.Event()

    def put(self, fragments: Iterable[bytes], *, apart: bool = False) -> None:
        """Add fragments; whoever waits is woken. *apart*: they do not travel with what was there before."""
        self._waiting.extend(_Fragment(data, apart and not index) for index, data in enumerate(fragments))
        self._news.set()

    def drain(self) -> list[bytes]:
        """Return what waits, at once and for good."""
        waiting = [each.data for each in self._waiting]
        self._waiting.clear()
        return waiting

    def complete(self) -> None:
        """Say that nothing more will come."""
        self._complete = True
        self._news.set()

    def interrupt(self) -> None:
        """Let whoever waits go away empty-handed; what is there already still reaches him."""
        if not self._waiting and not self._complete:
            self._readers += 1
            self._news.set()

    def settle(self) -> None:
        """Count what was handed out as received."""
        self._handed.clear()

    def attach(self, *, redeliver: bool) -> None:
        """Begin with a new reader: the old one, if it waits, gets nothing any more."""
        self._readers += 1
        if redeliver:
            self._waiting.extendleft(reversed(self._handed))
        self._handed.clear()
        self._finished = False
        self._news.set()

    async def take(self, limit: int, patience: float) -> Parcel | None:
        """Return the next parcel, of at most *limit* bytes or one fragment; None if none came in time.

        Raises:
            NothingLeft: the last one has been fetched already.
        """
        if self._finished:
            raise NothingLeft
        self._handed.clear()
        reader = self._readers
        try:
            async with asyncio.timeout(patience):
                while not self._waiting and not self._complete and reader == self._readers:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None
        return self._pack(limit) if reader == self._readers else None

    def _pack(self, limit: int) -> Parcel:
        size = 0
        while self._waiting and (not self._handed or self._travels_along(size, limit)):
            self._handed.append(self._waiting.popleft())
            size += len(self._handed[-1].data)
        self._finished = self._complete and not self._waiting
        return Parcel(tuple(each.data for each in self._handed), self._finished)

    def _travels_along(self, size: int, limit: int) -> bool:
        following = self._waiting[0]
        return not following.apart and size + len(following.data) <= limit
