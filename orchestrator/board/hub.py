"""Between the one follower and every open page: versions of what is seen, and pages drawn once for all who look."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.board.follower import Follower, Stands
from orchestrator.board.further_back import PAGE, Found
from orchestrator.board.ink import Ink
from orchestrator.board.page import Address
from orchestrator.board.pages import page_of
from orchestrator.board.showing import NEVER, Change, Showing
from orchestrator.board.sight import Sight

EVERY = 0.25
"""Seconds between two looks at the journal, at least; a look that takes long is followed by as long a rest."""
TROUBLED = 5.0
"""Seconds until a journal that could not be read is tried again: to open one that is damaged reads all of it."""
BEAT = 15.0
"""Seconds after which an open page is told that nothing happened, so that it knows that somebody is there."""
SHOWINGS = 256
"""How many pages are kept drawn; more may be open, and are then drawn again when something changes."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Mark:
    """What an open page has: which board told it, up to which version, and in which shape it was loaded."""

    board: str
    version: int
    shape: str

    def __str__(self) -> str:
        return f"{self.board}.{self.version}.{self.shape}"

    @classmethod
    def of(cls, text: str) -> Mark | None:
        """Return what a page said that it has; None where that is nothing this program ever told."""
        board, _, rest = text.partition(".")
        version, _, shape = rest.partition(".")
        if not (version.isascii() and version.isdigit()) or len(version) > 15 or not shape:
            return None
        return cls(board, int(version), shape)


class Hub:
    """Looks, and tells whoever waits."""

    def __init__(self, follower: Follower) -> None:
        self.board = secrets.token_hex(4)
        self.version = NEVER
        self.sight = Sight("")
        self.pages = 0
        """How many pages are open."""
        self._follower, self._ink = follower, Ink()
        self._showings: OrderedDict[Address, Showing] = OrderedDict()
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        self._ended = asyncio.Event()

    async def look(self) -> bool:
        """Look once; return whether something changed."""
        sight = await self.apart(self._follower.look)
        if sight is None:
            return False
        self.sight = sight
        self.version += 1
        self._tell()
        return True

    async def run(self) -> None:
        """Look again and again, until the board ends."""
        while not self._ended.is_set():
            began = time.monotonic()
            await self.look()
            rest = TROUBLED if self._follower.troubled else max(EVERY, time.monotonic() - began)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), rest)

    async def apart(self, work: Callable[[], Result]) -> Result:
        """Do work with the follower beside the loop; one piece of it at a time, also where who asked has gone."""
        await self._turn.acquire()
        doing = asyncio.ensure_future(asyncio.to_thread(work))
        doing.add_done_callback(lambda _: self._turn.release())  # not before: a thread cannot be told to stop
        return await asyncio.shield(doing)

    async def rows(self, run: str, migration: str, before: int | None, most: int = PAGE) -> Found:
        """Return rows that lie further back; none while the journal cannot be read."""
        return await self.apart(lambda: self._follower.further_back(run, migration, before, most))

    async def runs(self, made: Callable[[Iterator[Stands]], Result]) -> Result:
        """Return what is made of where every run stands: its state, and its plan, or why that cannot be told."""
        return await self.apart(lambda: made(self._follower.states()))

    def end(self) -> None:
        """Let every open page go, and look no more."""
        self._ended.set()
        self._tell()

    def showing(self, address: Address) -> Showing | None:
        """Return a page as it is now; None where there is no such page."""
        showing = self._showings.pop(address, None)
        if showing is None or showing.version != self.version:
            page = page_of(address, self.sight)
            if page is None:
                return None
            if showing is None or not showing.take_in(page, self.version):
                showing = Showing(self._ink, page, self.version)
        self._showings[address] = showing
        while len(self._showings) > SHOWINGS:
            self._showings.popitem(last=False)
        return showing

    def mark(self, showing: Showing) -> Mark:
        """Return what a page has that was given *showing* now."""
        return Mark(self.board, showing.version, showing.shape)

    async def changes(self, address: Address, mark: Mark) -> AsyncIterator[tuple[Mark, Change | None]]:
        """Yield what changes on a page, as it changes, and None each time nothing has for a while.

        Whoever takes long to come back for the next finds everything since in one piece.
        """
        if mark.board != self.board:
            mark = Mark(self.board, NEVER, mark.shape)
        self.pages += 1
        try:
            while not self._ended.is_set():
                news = self._news
                if mark.version < self.version:
                    showing = self.showing(address)
                    if showing is None:
                        yield mark, Change("", anew=True)
                        return
                    change = showing.since(mark.version, mark.shape)
                    mark = Mark(self.board, self.version, mark.shape)
                    if not change.is_nothing:
                        yield mark, change
                        if change.anew:
                            return
                        continue
                try:
                    await asyncio.wait_for(news.wait(), BEAT)
                except TimeoutError:
                    yield mark, None
        finally:
            self.pages -= 1

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
