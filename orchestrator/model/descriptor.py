"""Security descriptors: how one is asked for, and what of it counts.

A descriptor comes back as SDDL (MS-DTYP 2.5.1) and names nothing else, so each is asked for alone. Two descriptors
are the same where owner, group and entries are; the order in which a directory shows entries is nobody's work.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from orchestrator.model.call import Read, cmdlet
from orchestrator.model.directory import PairSeen, complaint
from orchestrator.model.dn import domain_dn, parent_dn
from orchestrator.model.observation import Outcome, Reply, Unreadable

_ENTRY = re.compile(r"\([^()]*(?:\([^()]*\)[^()]*)*\)")
_EVERYONE = frozenset({"WD", "S-1-1-0"})
_DELETING = re.compile(r"(?:SD|DT|DC)+")
"""Delete, delete the tree, delete children (MS-DTYP 2.5.1.1, rights of directory objects)."""


def descriptor_read(endpoint: str, identity: str, server: str) -> Read:
    """Ask for the descriptor of one object.

    Args:
        endpoint: the host whose endpoint runs the cmdlet.
        identity: the object's GUID or distinguished name.
        server: the domain controller whose copy is meant.
    """
    asked = cmdlet("Get-DmsaDescriptor", Identity=identity, Attribute="nTSecurityDescriptor", Server=server)
    return Read(endpoint, (asked,))


def descriptor_seen(reply: Reply, of: str) -> str:
    """Return the SDDL of one object.

    Raises:
        Unreadable: the reply does not hold it; *of* says whose it should have been.
    """
    if reply.outcome is not Outcome.SUCCEEDED or reply.errors:
        raise Unreadable(f"the security descriptor of {of} could not be read: {complaint(reply)}")
    found = list(reply.of("ActiveDirectorySecurity"))
    if len(found) != 1:
        raise Unreadable(f"the security descriptor of {of} did not come back")
    return found[0].text("Sddl")


def dmsa_container(pair: PairSeen, path: str | None, domain: str) -> str:
    """Return the DN of where the dMSA lies, or will be created: at *path*, or where the cmdlet puts it by itself."""
    if pair.dmsa is not None:
        return parent_dn(pair.dmsa.dn)
    return path or f"CN=Managed Service Accounts,{domain_dn(domain)}"


@dataclass(frozen=True)
class Descriptor:
    """A descriptor taken apart: what stands before the first entry, and how often each entry stands there."""

    head: str
    entries: Counter[str]

    @classmethod
    def of(cls, sddl: str) -> Descriptor:
        """Take SDDL apart."""
        entries = _ENTRY.findall(sddl)
        return cls(_ENTRY.sub("", sddl), Counter(entries))

    def lacks(self, other: Descriptor) -> list[str]:
        """Return the entries of *other* that are not here."""
        return sorted((other.entries - self.entries).elements())


def protects(entry: str) -> bool:
    """Whether an entry is one that protection from accidental deletion puts there.

    It denies everyone to delete the object and its tree, and on the container to delete children (Microsoft Learn,
    "Protect an organizational unit from accidental deletion"; seen as (D;;DTSD;;;WD) and (D;;DC;;;WD)).
    """
    kind, _, rights, _, _, trustee = (*entry.strip("()").split(";"), *("",) * 6)[:6]
    return kind == "D" and trustee in _EVERYONE and _DELETING.fullmatch(rights) is not None
