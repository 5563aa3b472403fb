"""What the estate's machines execute: the lab's own table of cmdlets, written from Microsoft's pages.

Nothing here is taken from, or imported by, the near side's catalogue; a test compares the two.
"""

from orchestrator.lab.estate.cmdlets import (
    computer,
    directory_read,
    directory_write,
    event_log,
    ldap_search,
    objects,
    registry,
    replication,
    scheduled_tasks,
    services,
    web,
    wmi,
)
from orchestrator.lab.estate.cmdlets.pipeline import run_pipeline
from orchestrator.lab.estate.cmdlets.table import TABLE, Row

__all__ = ["TABLE", "Row", "is_write", "run_pipeline"]

_ROOMS = (
    computer,
    directory_read,
    directory_write,
    event_log,
    ldap_search,
    objects,
    registry,
    replication,
    scheduled_tasks,
    services,
    web,
    wmi,
)
"""Importing a room enters its rows into the table."""


def is_write(name: str) -> bool:
    """Say whether a cmdlet of the table may change the estate; what is not in the table cannot."""
    row = TABLE.get(name.lower())
    return row is not None and row.writes
