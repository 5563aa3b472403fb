"""Which statements travel together: round trips are the cost, and outputs come back unlabelled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.model.call import SLOW, Cmdlet, Read, Value
from orchestrator.model.case import Seen
from orchestrator.model.escape import IN_CHAIN
from orchestrator.model.token import asks_token

ALONE = frozenset({"Get-WebAppPoolState", "Get-WebConfigurationProperty", "Export-ScheduledTask", "Get-DmsaDescriptor"})
"""Cmdlets whose output does not say what it is about; each travels alone, unless it is asked about all there are."""


def merge(reads: Iterable[Read]) -> tuple[Read, ...]:
    """Put the statements for one endpoint into one round trip, each once; the account last (its absence ends the rest).

    Statements whose output cannot be told apart (:data:`ALONE`, a second Test-Path, members of a group, the same of
    another ``-Server``) do not travel together, and quick ones not with slow ones.
    """
    together: dict[tuple[str, Value], list[Cmdlet]] = {}
    searches: dict[str, list[Cmdlet]] = {}
    alone: list[Read] = []
    for read in reads:
        for statement in read.statements:
            if statement.name in SLOW:
                batch = searches.setdefault(read.endpoint, [])
            else:
                batch = together.setdefault((read.endpoint, statement.parameters.get("Server")), [])
            second_test = statement.name == "Test-Path" and any(one.name == "Test-Path" for one in batch)
            if statement in batch or Read(read.endpoint, (statement,)) in alone:
                continue
            if (
                (statement.name in ALONE and statement.parameters)
                or second_test
                or asks_token(statement)
                or _asks_members(statement)
            ):
                alone.append(Read(read.endpoint, (statement,)))
            else:
                batch.append(statement)
    batches = (*_trips(together), *searches.items())
    return (*(Read(endpoint, tuple(batch)) for endpoint, batch in batches), *alone)


def _asks_members(statement: Cmdlet) -> bool:
    """Whether a statement asks which computers are in a group: nothing that comes back says in which."""
    return statement.name == "Get-ADComputer" and IN_CHAIN in str(statement.parameters.get("LDAPFilter", ""))


def _trips(together: dict[tuple[str, Value], list[Cmdlet]]) -> Iterator[tuple[str, list[Cmdlet]]]:
    """Yield the round trips: what is not about a domain controller's copy goes along with the first that is."""
    about_host = {endpoint: batch for (endpoint, server), batch in together.items() if server is None}
    for (endpoint, server), batch in together.items():
        if server is not None:
            trip = [*about_host.pop(endpoint, ()), *batch]
            if trip:  # nothing is left where every statement travels alone
                yield endpoint, sorted(trip, key=lambda one: one.name == "Get-ADUser")
    yield from ((endpoint, batch) for endpoint, batch in about_host.items() if batch)


def unanswered(reads: Iterable[Read], seen: Seen) -> tuple[Read, ...]:
    """Return those statements that have not been asked yet."""
    left = (
        Read(
            read.endpoint,
            tuple(one for one in read.statements if not _is_answered(one, read.endpoint, seen)),
        )
        for read in reads
    )
    return tuple(read for read in left if read.statements)


def _is_answered(statement: Cmdlet, endpoint: str, seen: Seen) -> bool:
    """Whether the answer is in hand: asked just so, or by GUID for the account that was just found by its DN."""
    if seen.reply_to(statement, endpoint) is not None:
        return True
    if statement.name != "Get-ADUser":
        return False
    asked = {**statement.parameters, "Identity": None}
    return any(
        str(record.get("ObjectGUID")) == statement.parameters["Identity"]
        for read, reply in seen.at(endpoint)
        if any(one.name == "Get-ADUser" and {**one.parameters, "Identity": None} == asked for one in read.statements)
        for record in reply.of("ADUser")
    )
