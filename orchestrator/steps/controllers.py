"""Which domain controllers must agree, where the plan leaves it to the domain to say.

The domain is asked each time its copies are compared: a controller that was added since must show the pair too, and one
that was demoted is waited for by nobody. What is new is written down before it counts.
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.model.action import Record
from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Case, Seen
from orchestrator.model.driven import ControllersFound
from orchestrator.model.observation import Outcome, Unreadable


def _controllers(case: Case) -> Cmdlet:
    return cmdlet("Get-ADDomainController", Filter="*", Server=case.server)


def controllers_read(case: Case) -> Read:
    """Ask the pinned domain controller which others the domain has."""
    return Read(case.endpoint, (_controllers(case),))


def controllers_asked(case: Case) -> tuple[Read, ...]:
    """Ask it where the plan names none; nothing where it does."""
    return () if case.directory.converge_on else (controllers_read(case),)


def controllers_found(case: Case, seen: Seen) -> ControllersFound:
    """Return the writable domain controllers of the domain.

    Raises:
        Unreadable: they were not named.
    """
    reply = seen.reply_to(_controllers(case), case.endpoint)
    if reply is None or reply.outcome is not Outcome.SUCCEEDED:
        raise Unreadable(f"{case.server} did not name the domain's controllers")
    writable = [
        record.text("HostName") for record in reply.of("ADDomainController") if record.need("IsReadOnly") is False
    ]
    if not writable:
        raise Unreadable(f"{case.server} named no writable domain controller")
    return ControllersFound(names=tuple(sorted(writable)))


def controllers_changed(case: Case, seen: Seen) -> Record | None:
    """Return what is written down where the domain has others than it had; None if it was not asked, or has not.

    Raises:
        Unreadable: it was asked and named none.
    """
    if case.directory.converge_on or seen.reply_to(_controllers(case), case.endpoint) is None:
        return None
    found = controllers_found(case, seen)
    known = {name.lower() for name in case.run.controllers}
    return None if {name.lower() for name in found.names} == known else Record((found,))


def knowing_controllers(case: Case, seen: Seen) -> Case:
    """Return a case that knows which domain controllers must agree; no run may have asked for them yet.

    Raises:
        Unreadable: they were not named.
    """
    if case.controllers:
        return case
    run = case.run.copied()
    run.controllers = controllers_found(case, seen).names
    return replace(case, run=run)
