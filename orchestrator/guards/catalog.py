"""The global catalog on the pinned domain controller: how guards ask about the whole forest.

A domain controller that is no catalog refuses the connection, which looks like one that is down. So before the first
question preflight looks whether it is one; later guards ask at once.
"""

from __future__ import annotations

from orchestrator.guards.domain import controllers_read
from orchestrator.guards.guard import answered
from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Case, Seen
from orchestrator.model.guard_ids import Stage
from orchestrator.model.observation import Record, Unreadable

CATALOG_PORT = 3268
"""Where a global catalog answers (Microsoft Learn, about_ActiveDirectory; the catalogue of remote work permits it)."""


def in_forest(case: Case, condition: str, properties: tuple[str, ...]) -> Cmdlet:
    """Ask the global catalog of the pinned domain controller.

    Several questions travel together: what is found must be told apart by its properties.
    """
    return of_catalog(case.server, condition, properties)


def of_catalog(server: str, condition: str, properties: tuple[str, ...]) -> Cmdlet:
    """Ask a server's global catalog; an empty base is the whole forest (MS-ADTS 3.1.1.3.1.3.1)."""
    return cmdlet(
        "Get-ADObject",
        LDAPFilter=condition,
        SearchBase="",
        SearchScope="Subtree",
        Properties=properties,
        Server=f"{server}:{CATALOG_PORT}",
    )


def asking(case: Case, stage: Stage, seen: Seen, asked: Cmdlet) -> tuple[Read, ...]:
    """Return the question, once it is known that there is a catalog to ask."""
    question = Read(case.endpoint, (asked,))
    if stage is not Stage.PREFLIGHT:
        return (question,)
    controllers = Read(case.endpoint, (controllers_read(case),))
    return (controllers, question) if is_catalog(case, seen) else (controllers,)


def found_in_forest(case: Case, seen: Seen, asked: Cmdlet, what: str) -> list[Record]:
    """Return what the catalog found.

    Raises:
        Unreadable: it was not asked, or did not answer.
    """
    if seen.reply_to(asked, case.endpoint) is None and not is_catalog(case, seen):
        raise Unreadable(
            f"{case.server} is no global catalog, and knows its own domain only; make it one, or pin a domain "
            "controller that is one"
        )
    reply = answered(seen.reply_to(asked, case.endpoint), f"the global catalog of {case.server}", what)
    return list(reply.of("ADObject"))


def is_catalog(case: Case, seen: Seen) -> bool:
    """Say whether the pinned domain controller is known to be a global catalog."""
    reply = seen.reply_to(controllers_read(case), case.endpoint)
    named = list(reply.of("ADDomainController")) if reply else []
    return any(
        one.text("HostName").lower() == case.server.lower() and one.get("IsGlobalCatalog") is True for one in named
    )
