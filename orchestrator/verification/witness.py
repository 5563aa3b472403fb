"""The second witness: where the plan names one, LDAP must show of each copy what the cmdlet said of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import PairSeen
from orchestrator.model.observation import Outcome
from orchestrator.model.witness import contradictions, witness_endpoint, witness_reads, witness_seen
from orchestrator.verification.finding import Finding


def reads(case: Case) -> Iterator[Read]:
    """Ask every domain controller that must agree by LDAP; nothing where the plan names no second witness."""
    if case.directory.witness == "none":
        return
    asked = witness_reads(case.plan.estate.domain or "", case.migration.id, case.account)
    for server in dict.fromkeys((case.server, *case.controllers)):
        yield Read(witness_endpoint(server), asked)


def judged(case: Case, seen: Seen, pairs: Iterable[PairSeen]) -> Iterator[Finding]:
    """Hold what LDAP says of each copy against what the cmdlet said. One that could not be asked is told elsewhere.

    Raises:
        Unreadable: LDAP showed an object without what it has at all times.
    """
    for pair in pairs:
        for _, reply in seen.at(witness_endpoint(pair.server))[-1:]:
            if reply.outcome is not Outcome.SUCCEEDED:
                continue
            said = contradictions(pair, witness_seen(pair.server, reply, case.migration.id))
            if said:
                yield Finding(
                    "witness-disagrees",
                    pair.server,
                    "; ".join(said),
                    "the same by cmdlet and by LDAP",
                    f"`dmsa verify PLAN --only {case.migration.id}` again, for a change may fall between the two; if "
                    "it stays so, find out which of them is right (runbooks/second-witness.md)",
                )
