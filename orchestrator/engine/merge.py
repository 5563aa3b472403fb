"""Which statements travel together: round trips are the cost, and outputs come back unlabelled."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.model.call import Cmdlet, Read

ALONE = frozenset({"Get-WebAppPoolState"})
"""Cmdlets whose output does not say what it is about; each travels alone."""


def merge(reads: Iterable[Read]) -> tuple[Read, ...]:
    """Put the statements for one endpoint into one round trip, each once; the account last (its absence ends the rest).

    Statements whose output cannot be told apart (:data:`ALONE`, a second Test-Path) keep a round trip of their own.
    """
    together: dict[str, list[Cmdlet]] = {}
    alone: list[Read] = []
    for read in reads:
        batch = together.setdefault(read.endpoint, [])
        for statement in read.statements:
            second_test = statement.name == "Test-Path" and any(one.name == "Test-Path" for one in batch)
            if statement in batch or Read(read.endpoint, (statement,)) in alone:
                continue
            if statement.name in ALONE or second_test:
                alone.append(Read(read.endpoint, (statement,)))
            else:
                batch.append(statement)
    return (
        *(
            Read(endpoint, tuple(sorted(batch, key=lambda one: one.name == "Get-ADUser")))
            for endpoint, batch in together.items()
            if batch
        ),
        *alone,
    )
