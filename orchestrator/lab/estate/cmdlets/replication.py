"""How a domain controller gets on with its partners."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from orchestrator.lab.command import LabObject
from orchestrator.lab.estate.cmdlets.directory_read import module_type
from orchestrator.lab.estate.cmdlets.directory_session import Session
from orchestrator.lab.estate.cmdlets.table import Invocation, cmdlet
from orchestrator.lab.estate.machine import Machine

_EVERY = timedelta(minutes=15)
"""How often a DC asks a partner in another site, at best; successes are rounded down to it."""
_RPC_UNAVAILABLE = 1722


def _partners(call: Invocation, session: Session) -> Iterator[tuple[Machine, datetime, datetime | None]]:
    """Yield each partner with its last success and, if that is over, since when it fails."""
    own = str(session.dc.dc)
    directory = call.estate.directory
    for name, dc in call.estate.authority.controllers.items():
        if name == own:
            continue
        cuts = [since for each in (own, name) if (since := directory.cut_since(each)) is not None]
        since = min(cuts, default=None)
        last = since or call.estate.now
        yield dc, last - (last - call.estate.spec.clock.start) % _EVERY, since


@cmdlet("Get-ADReplicationPartnerMetadata", "Target:texts Scope:text Partition:text Server:text", where="dc")
def get_partner_metadata(call: Invocation) -> Iterator[object]:
    """One row for each partner of the DC."""
    session = Session.connect(call)
    for dc, last, since in _partners(call, session):
        yield LabObject(
            module_type("ADReplicationPartnerMetadata", "ADEntity"),
            {
                "Server": session.dc.name,
                "Partner": f"CN=NTDS Settings,CN={dc.short.upper()},CN=Servers,CN={dc.spec.site},CN=Sites,"
                f"CN=Configuration,{session.base}",
                "PartnerType": "Inbound",
                "Partition": session.base,
                "LastReplicationAttempt": call.estate.now,
                "LastReplicationSuccess": last,
                "LastReplicationResult": _RPC_UNAVAILABLE if since else 0,
                "ConsecutiveReplicationFailures": 1 + (call.estate.now - since) // _EVERY if since else 0,
            },
        )


@cmdlet("Get-ADReplicationFailure", "Target:texts Scope:text Server:text", where="dc")
def get_failure(call: Invocation) -> Iterator[object]:
    """One row for each partner that cannot be reached."""
    session = Session.connect(call)
    for dc, _, since in _partners(call, session):
        if since is not None:
            yield LabObject(
                module_type("ADReplicationFailure", "ADEntity"),
                {
                    "Server": session.dc.name,
                    "Partner": f"CN=NTDS Settings,CN={dc.short.upper()},CN=Servers,CN={dc.spec.site},CN=Sites,"
                    f"CN=Configuration,{session.base}",
                    "FailureType": "Link",
                    "FailureCount": 1 + (call.estate.now - since) // _EVERY,
                    "FirstFailureTime": since,
                    "LastError": _RPC_UNAVAILABLE,
                },
            )
