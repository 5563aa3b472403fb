"""The claims that a runner has: renewed while their work lasts, and known to be lost as soon as they are.

A claim counts for the board's patience from when it was last renewed. Whoever cannot renew, for the store is away,
takes it for lost by his own clock after that time: the store's has run as long.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from orchestrator.journal import JournalUnusable
from orchestrator.journal.jobs import Claim, Jobs

log = structlog.get_logger()


class Claims:
    """What a runner has claimed and not handed in; for any number of threads."""

    def __init__(self, jobs: Jobs, seconds: Callable[[], float] = time.monotonic) -> None:
        self._jobs, self._seconds = jobs, seconds
        self._lock = threading.Lock()
        self._renewed: dict[Claim, float] = {}

    @contextmanager
    def having(self, claim: Claim) -> Iterator[None]:
        """Renew a claim while the context lasts."""
        with self._lock:
            self._renewed[claim] = self._seconds()
        try:
            yield
        finally:
            with self._lock:
                self._renewed.pop(claim, None)

    def lost(self, claim: Claim) -> bool:
        """Whether a claim no longer counts, as far as is known here."""
        with self._lock:
            since = self._renewed.get(claim)
        return since is None or self._seconds() - since >= self._jobs.patience

    def renew(self) -> None:
        """Renew all of them; those that no longer count are lost.

        Raises:
            JournalUnusable: the board cannot be used now.
        """
        with self._lock:
            claims = list(self._renewed)
        if not claims:
            return
        at = self._seconds()
        counting = set(self._jobs.renew(claims))
        with self._lock:
            for claim in claims:
                if claim not in counting:
                    self._renewed.pop(claim, None)
                elif claim in self._renewed:
                    self._renewed[claim] = at

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Renew them on a thread, three times in their patience, while the context lasts."""
        stopped = threading.Event()
        thread = threading.Thread(target=self._keep, args=(stopped,), name="claims", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join(self._jobs.patience)

    def _keep(self, stopped: threading.Event) -> None:
        while not stopped.wait(self._jobs.patience / 3):
            try:
                self.renew()
            except JournalUnusable as unusable:
                log.warning("claims cannot be renewed; it is tried again", why=str(unusable))
