"""The thread that looks after the board for the runner that drives: results come back by it, and lost rings again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from orchestrator.cluster.posting import PostingPool
from orchestrator.journal import JournalUnusable
from orchestrator.journal.jobs import Jobs

LOOKS_EVERY = 0.5
"""Seconds between two looks at the board where nothing is told meanwhile."""

log = structlog.get_logger()


@contextmanager
def pumped(pool: PostingPool, jobs: Jobs) -> Iterator[None]:
    """Look after a pool's board while the context lasts."""
    stopped = threading.Event()
    thread = threading.Thread(target=_pump, args=(pool, jobs, stopped), name="pump", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(2 * LOOKS_EVERY)


def _pump(pool: PostingPool, jobs: Jobs, stopped: threading.Event) -> None:
    away = False
    while not stopped.is_set():
        try:
            pool.look()
            away = False
            jobs.wait(LOOKS_EVERY)
        except JournalUnusable as unusable:
            if not away:
                log.warning("the board cannot be read; it is tried again", why=str(unusable))
            away = True
            stopped.wait(LOOKS_EVERY)
        except Exception as error:  # noqa: BLE001 - the conductor ends with it; nobody would hear it here
            pool.broke(error)
            return
