"""What the catalogue can give an account back after it was unlinked: its enabled flag, and its SPNs.

An SPN stands on one object of the forest (MS-ADTS 3.1.1.5.1.3), so it leaves the dMSA before it returns to the account.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from orchestrator.model.call import Cmdlet, cmdlet
from orchestrator.model.directory import ACCOUNT_DISABLED, PairSeen


def repair(before: Mapping[str, Any], guid: UUID, pair: PairSeen, server: str) -> Cmdlet | None:
    """Return the next write that gives the account back what it had, or None.

    Args:
        before: the account's watched attributes as they are to be again.
        guid: the account's objectGUID.
        pair: both objects as they are now.
        server: the domain controller to write to.
    """
    if pair.account is None or pair.dmsa is None:
        return None
    identity = str(guid)
    if not pair.account.enabled and not int(before.get("userAccountControl", 0)) & ACCOUNT_DISABLED:
        return cmdlet("Enable-ADAccount", Identity=identity, Server=server)
    missing = set(before.get("servicePrincipalName", [])) - pair.account.spns
    in_the_way = tuple(sorted(missing & pair.dmsa.spns))
    if in_the_way:
        return cmdlet(
            "Set-ADServiceAccount",
            Identity=str(pair.dmsa.guid),
            ServicePrincipalNames={"Remove": in_the_way},
            Server=server,
        )
    if missing:
        return cmdlet(
            "Set-ADUser",
            Identity=identity,
            ServicePrincipalNames={"Add": tuple(sorted(missing))},
            Server=server,
        )
    return None
