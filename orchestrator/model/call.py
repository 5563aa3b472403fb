"""What is asked of a remote endpoint, as data.

A call is a :class:`Read`, one or more statements that change nothing and travel together, or a
:class:`Write`, one statement that travels alone, because in a batch nobody could say which part of it
happened. There is no third form, and nothing here can carry script text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

Value: TypeAlias = (
    None | bool | int | float | str | datetime | timedelta | UUID | tuple["Value", ...] | Mapping[str, "Value"]
)
"""A value as it goes to, or comes from, PowerShell. A mapping is a hashtable; a tuple is an array."""


@dataclass(frozen=True)
class Cmdlet:
    """One statement: a cmdlet and its named parameters. A switch is ``True``."""

    name: str
    parameters: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the statement as a person would type it; for messages, never for execution."""
        shown = (f"-{name}" if value is True else f"-{name} {value}" for name, value in self.parameters.items())
        return " ".join((self.name, *shown))


def cmdlet(name: str, /, **parameters: Value) -> Cmdlet:
    """Return ``Cmdlet(name, parameters)``; lets call sites read like PowerShell."""
    return Cmdlet(name, parameters)


SLOW = frozenset({"Get-WinEvent"})
"""Cmdlets that search through a log; they never travel with a question that has a quick answer."""


@dataclass(frozen=True)
class Read:
    """Statements that change nothing, sent to *endpoint* (a host name of the plan) in one round trip."""

    endpoint: str
    statements: tuple[Cmdlet, ...]

    @property
    def slow(self) -> bool:
        """Whether the answer may take minutes: a search through a whole log."""
        return any(statement.name in SLOW for statement in self.statements)


@dataclass(frozen=True)
class Write:
    """One statement that changes something, sent to *endpoint* alone."""

    endpoint: str
    statement: Cmdlet


Call: TypeAlias = Read | Write


@dataclass(frozen=True)
class Ticket:
    """The ids under which a call will be known on the far side; generated here, before anything is sent."""

    endpoint: str
    shell: UUID
    pipeline: UUID
