r"""Every way in which Windows lets a name of a domain's account be written where something logs on as it.

``CORP\svc``, ``corp.example\svc``, ``svc@corp.example`` and ``svc@CORP`` are one account (Microsoft Learn, "User Name
Formats"; "Naming Properties"). Its own userPrincipalName and its SID are told by the directory alone. A run and
``dmsa discover`` know an account by the same names.
"""

from __future__ import annotations


def qualified(dns: str, netbios: str, sam: str) -> tuple[str, ...]:
    """Return the names of an account that say in which domain it is.

    Args:
        dns: the domain's DNS name.
        netbios: its short name.
        sam: the account's sAMAccountName.
    """
    return (f"{netbios}\\{sam}", f"{dns}\\{sam}", f"{sam}@{dns}", f"{sam}@{netbios}")
