"""The second witness: a copy counts only if LDAP shows what the cmdlet said of it.

LDAP is asked once the cmdlets say that all is as wished, because only then is something about to be believed. The two
readings of one copy are a moment apart, and a change may fall between them; so a contradiction is looked at again
before it holds anything.
"""

from __future__ import annotations

from typing import Any

from orchestrator.model.action import Observe, Stop, Wait
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.event import DIRECTORY
from orchestrator.model.witness import WitnessSeen, contradictions, witness_endpoint, witness_reads, witness_seen
from orchestrator.steps.convergence import pairs_everywhere
from orchestrator.steps.step import LOOK_AGAIN


def confirmed(case: Case, seen: Seen) -> Observe | Wait | Stop | None:
    """Return what is next until LDAP agrees about every copy; None if it does, or if the plan names no witness."""
    if case.directory.witness == "none":
        return None
    unread = tuple(read for read in _reads(case) if not seen.asked(read.endpoint))
    if unread:
        return Observe(unread, more=True)
    found = [
        f"{pair.server}: {said}"
        for pair, witness in zip(pairs_everywhere(case, seen), _witnesses(case, seen), strict=True)
        for said in contradictions(pair, witness)
    ]
    return _contradicted(case, found) if found else None


def testimony(case: Case, seen: Seen) -> dict[str, Any]:
    """Return the evidence that the witness gave; nothing if there is none."""
    return {"witness": [str(one) for one in _witnesses(case, seen)]} if case.directory.witness != "none" else {}


def _reads(case: Case) -> tuple[Read, ...]:
    asked = witness_reads(case.plan.estate.domain or "", case.migration.id, case.account)
    return tuple(Read(witness_endpoint(server), asked) for server in _servers(case))


def _servers(case: Case) -> tuple[str, ...]:
    """The pinned domain controller first, as everywhere."""
    return (case.server, *(name for name in case.controllers if name.lower() != case.server.lower()))


def _witnesses(case: Case, seen: Seen) -> list[WitnessSeen]:
    return [
        witness_seen(server, reply, case.migration.id)
        for server in _servers(case)
        for _, reply in seen.at(witness_endpoint(server))[-1:]
    ]


def _contradicted(case: Case, found: list[str]) -> Wait | Stop:
    detail = "; ".join(found)
    until = case.deadline(DIRECTORY, "witness", LOOK_AGAIN)
    if until is None or case.at is None or case.at < until:
        return Wait("witness", until, until, f"{detail}. It is looked at again, for a change may fall between the two.")
    return Stop(
        "witness-disagrees",
        f"cmdlets and LDAP do not show the same of {case.migration.id}, looked at twice. {detail}. "
        "Neither is believed; nothing was changed since.",
        "find out which of the two is right (runbooks/second-witness.md), then `dmsa release`",
    )
