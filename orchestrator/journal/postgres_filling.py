"""An empty journal in a database, filled with the rows of a copy: by its owner, who alone may write to the tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from orchestrator.journal.chain import Record
from orchestrator.journal.errors import JournalUnusable
from orchestrator.journal.postgres_schema import recognise
from orchestrator.journal.postgres_server import Server, explained

_INSERT = """
    INSERT INTO dmsa.entries (seq, run, at, kind, version, body, epoch, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""


def fill(server: Server, records: Iterable[Record]) -> None:
    """Write *records* into the journal, all of them or none, each under the rules that hold for every row; the lease
    has the epoch of the last of them, and no holder.

    Raises:
        JournalUnusable: there is no journal, it has rows, or this role does not own it.
    """
    with server.connect() as connection:
        recognise(server, connection)
        with explained(server.url), connection.transaction():
            connection.execute("LOCK TABLE dmsa.entries, dmsa.lease IN EXCLUSIVE MODE")
            if connection.execute("SELECT FROM dmsa.entries LIMIT 1").fetchone() is not None:
                raise JournalUnusable(
                    server.url,
                    "it has rows",
                    "Nothing was written. Name a database with an empty journal: `dmsa journal create` makes one",
                )
            _write(connection, records)


def _write(connection: psycopg.Connection[Any], records: Iterable[Record]) -> None:
    epoch = 0
    for record in records:
        if record.epoch is not None and record.epoch != epoch:  # the rules want the lease first
            epoch = record.epoch
            connection.execute("UPDATE dmsa.lease SET epoch = %s", (epoch,))
        connection.execute(_INSERT, record)
