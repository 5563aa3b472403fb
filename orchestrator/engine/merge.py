"""Which statements travel together: round trips are the cost, and outputs come back unlabelled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.model.call import Cmdlet, Read, Value

ALONE = frozenset({"Get-WebAppPoolState"})
"""Cmdlets whose output does not say what it is about; each travels alone."""


def merge(reads: Iterable[Read]) -> tuple[Read, ...]:
    """Put the statements for one endpoint into one round trip, each once; the account last (its absence ends the rest).

    Statements whose output cannot be told apart (:data:`ALONE`, a second Test-Path, the same of another ``-Server``)
    do not travel together.
    """
    together: dict[tuple[str, Value], list[Cmdlet]] = {}
    alone: list[Read] = []
    for read in reads:
        for statement in read.statements:
            batch = together.setdefault((read.endpoint, statement.parameters.get("Server")), [])
            second_test = statement.name == "Test-Path" and any(one.name == "Test-Path" for one in batch)
            if statement in batch or Read(read.endpoint, (statement,)) in alone:
                continue
            if statement.name in ALONE or second_test:
                alone.append(Read(read.endpoint, (statement,)))
            else:
                batch.append(statement)
    return (*(Read(endpoint, tuple(batch)) for endpoint, batch in _trips(together)), *alone)


def _trips(together: dict[tuple[str, Value], list[Cmdlet]]) -> Iterator[tuple[str, list[Cmdlet]]]:
    """Yield the round trips: what is not about a domain controller's copy goes along with the first that is."""
    about_host = {endpoint: batch for (endpoint, server), batch in together.items() if server is None}
    for (endpoint, server), batch in together.items():
        if server is not None:
            trip = [*about_host.pop(endpoint, ()), *batch]
            yield endpoint, sorted(trip, key=lambda one: one.name == "Get-ADUser")
    yield from ((endpoint, batch) for endpoint, batch in about_host.items() if batch)
