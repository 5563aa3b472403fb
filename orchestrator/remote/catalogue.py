"""The closed catalogue of remote work: everything that this program can ever ask of a host.

It is data. The gate lets nothing else onto the wire, the JEA role capability is generated from it, and the
rule that an account is never deleted is a property of these rows (:mod:`orchestrator.remote.law`), not a
filter over them. Importing it costs nothing: no network library is behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.remote import directory_cmdlets, host_cmdlets
from orchestrator.remote.kinds import Kind, one_of
from orchestrator.remote.rows import Effect, Form, Row

__all__ = ["CATALOGUE", "COMMON", "Effect", "Form", "Row", "row"]

CATALOGUE: Mapping[str, Row] = MappingProxyType(
    {each.cmdlet: each for each in (*directory_cmdlets.ROWS, *host_cmdlets.ROWS)}
)
"""Every row, by the cmdlet's exact name."""

COMMON: Mapping[str, Kind] = MappingProxyType(
    {"ErrorAction": one_of("Stop", "Continue", "SilentlyContinue")},
)
"""The common parameters that every row takes. There is no other."""


def row(cmdlet: str) -> Row | None:
    """Return the row of a cmdlet; None if the catalogue has no such name, letter by letter."""
    return CATALOGUE.get(cmdlet)
