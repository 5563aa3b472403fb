"""Half links between accounts and dMSAs, anywhere in the domain: what BadSuccessor leaves, or a start that went wrong.

A dMSA gets the tickets of the account that it names, before the patch of August 2025 even of one that does not name it
(CVE-2025-53779). So a link that is not answered concerns the whole domain, whatever is migrated.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.model.call import Cmdlet, cmdlet
from orchestrator.model.directory import (
    ACCOUNT_LINK,
    ACCOUNT_STATE,
    DMSA_CLASS,
    DMSA_LINK,
    DMSA_STATE,
    complaint,
)
from orchestrator.model.dn import parse_dn
from orchestrator.model.observation import Outcome, Record, Reply, Unreadable


@dataclass(frozen=True)
class Linked:
    """An account or a dMSA with a link, or in a state that goes with one."""

    dn: str
    is_dmsa: bool
    state: int
    link: str | None


@dataclass(frozen=True)
class Stray:
    """A link, or a state, that the other side does not confirm."""

    dn: str
    says: str


def linked_search(base: str, server: str) -> Cmdlet:
    """Ask for everything below *base* (the domain's DN) that is linked, or in a state that goes with a link."""
    states = "".join(f"({DMSA_STATE}={state})" for state in (1, 2))
    return cmdlet(
        "Get-ADObject",
        LDAPFilter=f"(|({ACCOUNT_LINK}=*)({ACCOUNT_STATE}=*)({DMSA_LINK}=*){states})",
        SearchBase=base,
        SearchScope="Subtree",
        Properties=(ACCOUNT_STATE, ACCOUNT_LINK, DMSA_STATE, DMSA_LINK),
        Server=server,
    )


def linked_seen(reply: Reply, server: str) -> tuple[Linked, ...]:
    """Return what a reply to :func:`linked_search` shows; other objects in it are left out.

    Raises:
        Unreadable: it does not say.
    """
    if reply.outcome is not Outcome.SUCCEEDED or reply.errors:
        raise Unreadable(f"{server} did not say what is linked in the domain: {complaint(reply)}")
    names = (ACCOUNT_STATE, ACCOUNT_LINK, DMSA_STATE, DMSA_LINK)
    return tuple(_linked(one) for one in reply.of("ADObject") if any(one.get(name) is not None for name in names))


def _linked(record: Record) -> Linked:
    is_dmsa = record.text("ObjectClass") == DMSA_CLASS
    state, link = (DMSA_STATE, DMSA_LINK) if is_dmsa else (ACCOUNT_STATE, ACCOUNT_LINK)
    return Linked(
        record.text("DistinguishedName"),
        is_dmsa,
        record.number(state) if record.get(state) is not None else 0,
        record.text(link) if record.get(link) is not None else None,
    )


def stray_links(found: Iterable[Linked]) -> tuple[Stray, ...]:
    """Return every link that is not answered, and every state that does not go with what is linked.

    A pair that this program, or anybody, has properly started or completed is none. A dMSA that the operator may not
    read cannot be told from one that does not answer.
    """
    everything = sorted(found, key=lambda one: one.dn.lower())
    by_name = {(one.is_dmsa, _name(one.dn)): one for one in everything}
    return tuple(Stray(one.dn, says) for one in everything for says in _says(one, by_name))


def _name(dn: str) -> Hashable:
    try:
        return parse_dn(dn)
    except ValueError:
        return dn.lower()


def _says(one: Linked, by_name: Mapping[tuple[bool, Hashable], Linked]) -> Iterator[str]:
    if one.link is None:
        if one.state in {1, 2}:
            yield f"is in state {one.state} and names nobody: what it was linked with is gone, or was written away"
        return
    verb = "says that it precedes" if one.is_dmsa else "says that it is superseded by"
    link = one.link
    other = by_name.get((not one.is_dmsa, _name(link)))
    if other is None or other.link is None or _name(other.link) != _name(one.dn):
        answer = f"names {other.link}" if other is not None and other.link else "does not name it"
        hidden = "" if one.is_dmsa else ", or may not be read"
        yield f"{verb} {link}, which {answer}{hidden}: half a link, in state {one.state}"
    elif one.is_dmsa and (one.state != other.state or one.state not in {1, 2}):
        yield f"is in state {one.state}, and {link}, with which it is linked, in state {other.state}"
