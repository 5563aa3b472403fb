"""What keeps a lease in a PostgreSQL journal alive: a thread that renews it, on a connection of its own.

Of its own, so that a long append of another thread does not hold it up. Where the server cannot be reached it goes on
trying: the lease stays ours until somebody takes it, also when its time is over, and the server alone says whether
somebody has.
"""

from __future__ import annotations

import contextlib
from threading import Event, Thread
from typing import Any

import psycopg

from orchestrator.journal.errors import JournalUnusable
from orchestrator.journal.postgres_server import Server, explained

RENEWALS = 3
"""How often within its time a lease is renewed."""
_PATIENCE = 2.0
"""Seconds for a renewal that is under way when the keeper is stopped."""


class LeaseKeeper:
    """Renews the lease of *epoch* for so many *seconds* each time, until it is stopped or somebody has taken it."""

    def __init__(self, server: Server, epoch: int, seconds: float) -> None:
        self.lost = False
        """Whether the server said that somebody else has taken it."""
        self._server, self._epoch, self._seconds = server, epoch, seconds
        self._stopping = Event()
        # A daemon: nothing that must be finished hangs on it.
        self._thread = Thread(target=self._keep, name=f"dmsa lease {epoch}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Renew no more; what is on its way to a server that does not answer is not waited for."""
        self._stopping.set()
        self._thread.join(_PATIENCE)

    def _keep(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        while not self._stopping.wait(self._seconds / RENEWALS):
            try:
                connection = connection or self._server.connect()
                self.lost = not self._stopping.is_set() and not self._renewed(connection)
            except JournalUnusable:
                _close(connection)
                connection = None
            if self.lost:
                break
        _close(connection)

    def _renewed(self, connection: psycopg.Connection[Any]) -> bool:
        with explained(self._server.url):
            found = connection.execute("SELECT dmsa.renew_lease(%s, %s)", (self._epoch, self._seconds)).fetchone()
        return found is not None and found[0] is True


def _close(connection: psycopg.Connection[Any] | None) -> None:
    if connection is not None:
        with contextlib.suppress(psycopg.Error):
            connection.close()
