"""What a shell or a pipeline has to say until somebody fetches it with Receive."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Parcel:
    """What one Receive brings: fragments in order, and whether they were the last ones."""

    fragments: tuple[bytes, ...]
    last: bool


class NothingLeft(Exception):
    """Everything up to the end has been fetched before."""


class Outbox:
    """Fragments in order, fetched in parcels by one reader at a time.

    A parcel counts as received once the next one is asked for. Until then :meth:`attach` puts it back: a
    recording from Windows (``test_psrp_disconnect_runspaces``) shows the last message again, under the same
    object id, after a Connect.
    """

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._handed: list[bytes] = []
        self._complete = False
        self._finished = False
        self._readers = 0
        self._news = asyncio.Event()

    def put(self, fragments: Iterable[bytes]) -> None:
        """Add fragments; whoever waits is woken."""
        self._waiting.extend(fragments)
        self._news.set()

    def drain(self) -> list[bytes]:
        """Return what waits, at once and for good."""
        waiting = list(self._waiting)
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
        while self._waiting and (not self._handed or size + len(self._waiting[0]) <= limit):
            self._handed.append(self._waiting.popleft())
            size += len(self._handed[-1])
        self._finished = self._complete and not self._waiting
        return Parcel(tuple(self._handed), self._finished)
