"""How a runner serves a site: it shows itself, hears rings, and ends in good order when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from orchestrator import __version__
from orchestrator.cluster.hand import Hand
from orchestrator.journal import JournalUnusable
from orchestrator.journal.jobs import PRESENT_FOR, Jobs
from orchestrator.remote.engine import Engine

SHOWS_ITSELF_EVERY = PRESENT_FOR / 8

log = structlog.get_logger()


def serve(hand: Hand, jobs: Jobs, engine: Engine, slots: int, until: Callable[[], bool]) -> None:
    """Serve a site until told otherwise: *slots* rings at the same time. What is under way then is carried to its end.

    Raises:
        JournalUnusable: the board cannot be used to begin with, or this runner's role does not serve the site. Once it
            serves, it waits for a board that is away.
    """

    def drains() -> bool:
        if not until():
            return False
        hand.drain()
        return True

    jobs.show(hand.site, hand.runner, __version__)
    with hand.claims.renewed(), _shown(hand, jobs):
        engine.run([hand.site], slots, hand.handle, drains)


@contextmanager
def _shown(hand: Hand, jobs: Jobs) -> Iterator[None]:
    stopped = threading.Event()

    def show() -> None:
        while not stopped.wait(SHOWS_ITSELF_EVERY):
            try:
                jobs.show(hand.site, hand.runner, __version__)
            except JournalUnusable as unusable:
                log.warning("the board cannot be used; it is tried again", why=str(unusable))

    thread = threading.Thread(target=show, name="shows itself", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
