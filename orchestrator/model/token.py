"""Who the directory takes the operator for: the identifiers in the token that it checks rights against.

RootDSE shows them to whoever asks by name: "tokenGroups", the security context of the caller's own connection
(MS-ADTS 3.1.1.3.2). That answers for every kind of log-on alike: a plain account, a delegated ticket, and the account
as which a JEA endpoint runs. Whether the module hands the attribute on is written nowhere, so it is asked for alone,
and a refusal is an answer that was not had, not a fault.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.model.call import Cmdlet, cmdlet
from orchestrator.model.observation import FaultKind, Outcome, Reply, Unreadable

_TOKEN = "tokenGroups"  # noqa: S105  # an attribute's name
_ROOT = "Get-ADRootDSE"


def token_statement(server: str) -> Cmdlet:
    """Ask a domain controller for the caller's token."""
    return cmdlet(_ROOT, Properties=(_TOKEN,), Server=server)


def asks_token(statement: Cmdlet) -> bool:
    """Whether a statement asks for the caller's token, and so must travel alone."""
    properties = statement.parameters.get("Properties")
    return statement.name == _ROOT and isinstance(properties, tuple) and _TOKEN in properties


def only_no_token(statements: Iterable[Cmdlet], reply: Reply) -> bool:
    """Whether a reply says no more than that a domain controller, which answers, does not show the caller's token."""
    fault = reply.fault
    refused = reply.outcome is Outcome.FAILED and fault is not None and fault.kind is FaultKind.PERMANENT
    return refused and fault is not None and fault.reached and all(map(asks_token, statements))


def token_seen(server: str, reply: Reply | None) -> frozenset[str]:
    """Return the identifiers of a token.

    Raises:
        Unreadable: the domain controller did not show them.
    """
    roots = list(reply.of("ADRootDSE")) if reply else []
    sids = frozenset(sid for sid in (roots[0].texts(_TOKEN) if roots else ()) if sid.startswith("S-1-"))
    if not sids:
        raise Unreadable(f"{server} does not show which groups the operator's token holds")
    return sids
