"""What is read of the pair before and after each act, and how an act ended."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias, TypeVar

from orchestrator.model.call import Call, Cmdlet, Read, cmdlet
from orchestrator.model.directory import SILOS, Account, DmsaSeen, PairSeen, pair_reads, pair_seen
from orchestrator.model.lifecycle import Pair
from orchestrator.model.observation import Fault, FaultKind, Outcome, RemoteError, Reply, Unreadable

T = TypeVar("T")
Asking: TypeAlias = Generator[Call, Reply, T]
"""A conversation: it yields what is to be carried out, is sent what came back, and ends with its result."""

TRUSTED_TO_AUTHENTICATE = 0x1000000
"""userAccountControl bit TRUSTED_TO_AUTH_FOR_DELEGATION (MS-ADTS 2.2.16)."""

POLICY = "msDS-AssignedAuthNPolicy"
_COPIED = ("msDS-AllowedToDelegateTo", POLICY)
_ENTRY = re.compile(r"\([^()]*\)")
_DENIED = frozenset({"PermissionDenied", "SecurityError", "AuthenticationError"})
_INSUFFICIENT_RIGHTS = "ActiveDirectoryServer:8344"
"""ERROR_DS_INSUFF_ACCESS_RIGHTS (Microsoft Learn, System Error Codes 8200-8999)."""


@dataclass(frozen=True)
class Subject:
    """The disposable pair, and how it is reached.

    ``create`` makes the dMSA where there is none. ``principals`` are those of the plan; where it names none, the
    computer of ``host`` is allowed instead. ``delegates`` says that the connection itself can go one hop further.
    """

    plan: str
    endpoint: str
    server: str
    account: str
    dmsa: str
    create: Cmdlet
    principals: tuple[str, ...]
    host: str
    delegates: bool = False


@dataclass(frozen=True)
class Look:
    """The pair as the pinned domain controller shows it at one moment.

    ``grant`` are the entries of the dMSA's descriptor that name the account; None where it could not be read.
    """

    seen: PairSeen
    grant: frozenset[str] | None

    @property
    def pair(self) -> Pair:
        """Which of the states the pair is in."""
        return self.seen.pair

    @property
    def account(self) -> Account:
        """The account, which must be there.

        Raises:
            Unreadable: it is not.
        """
        if self.seen.account is None:
            raise Unreadable(f"{self.seen.server} does not show the account any more")
        return self.seen.account

    @property
    def dmsa(self) -> DmsaSeen:
        """The dMSA, which must be there.

        Raises:
            Unreadable: it is not.
        """
        if self.seen.dmsa is None:
            raise Unreadable(f"{self.seen.server} does not show the dMSA any more")
        return self.seen.dmsa

    def evidence(self) -> dict[str, Any]:
        """Return what the judgements rest on, as JSON data."""
        return {
            "pair": str(self.pair),
            "account_enabled": self.account.enabled,
            "account_spns": sorted(self.account.spns),
            "account_delegation": sorted(delegation(self.account)),
            "account_policies": sorted(policies(self.account)),
            "dmsa_spns": sorted(self.dmsa.spns),
            "dmsa_delegation": sorted(delegation(self.dmsa)),
            "dmsa_policies": sorted(policies(self.dmsa)),
            "dmsa_principals": sorted(self.dmsa.principals),
            "dmsa_grant": None if self.grant is None else sorted(self.grant),
        }


def delegation(one: Account | DmsaSeen) -> frozenset[str]:
    """Return what Complete is said to copy, besides SPNs (Microsoft Learn, dMSA overview)."""
    found = _values(one, _COPIED)
    if int(one.watched.get("userAccountControl", 0)) & TRUSTED_TO_AUTHENTICATE:
        found.add("userAccountControl: TRUSTED_TO_AUTH_FOR_DELEGATION")
    return frozenset(found)


def silos(one: Account | DmsaSeen) -> frozenset[str]:
    """Return which authentication policy silos it is in, by either side."""
    return frozenset(_values(one, SILOS))


def policies(one: Account | DmsaSeen) -> frozenset[str]:
    """Return its authentication policy and its silos."""
    return frozenset(_values(one, (POLICY, *SILOS)))


def _values(one: Account | DmsaSeen, names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        value = one.watched.get(name) or []
        found |= {f"{name}: {item}" for item in (value if isinstance(value, list) else [value])}
    return found


def look(subject: Subject) -> Asking[Look]:
    """Read both objects, then the dMSA's descriptor (which travels alone, for it is told from nothing else).

    Raises:
        Unreadable: the answer does not say how the pair stands.
    """
    reply = yield Read(subject.endpoint, pair_reads(subject.server, subject.dmsa, subject.account))
    seen = pair_seen(subject.server, reply, subject.dmsa)
    if seen.account is None or seen.dmsa is None:
        return Look(seen, None)
    asked = cmdlet(
        "Get-DmsaDescriptor",
        Identity=str(seen.dmsa.guid),
        Attribute="nTSecurityDescriptor",
        Server=subject.server,
    )
    reply = yield Read(subject.endpoint, (asked,))
    return Look(seen, _entries(reply, seen.account.sid))


def _entries(reply: Reply, sid: str) -> frozenset[str] | None:
    found = list(reply.of("ActiveDirectorySecurity"))
    if len(found) != 1 or not isinstance(found[0].get("Sddl"), str):
        return None
    return frozenset(entry for entry in _ENTRY.findall(found[0].text("Sddl")) if entry.endswith(f";{sid})"))


class Went(Enum):
    """How an act ended, as far as its reply can tell; what it did is read afterwards."""

    DONE = "done"
    REFUSED = "refused"
    DENIED = "denied"
    """Refused for want of a right, which says nothing about the operation."""
    UNCERTAIN = "uncertain"
    """It may not have arrived, or nobody knows how it ended."""


@dataclass(frozen=True)
class Did:
    """One act: what was read before and after it, and what was said."""

    verb: str
    before: Look
    after: Look
    reply: Reply

    @property
    def went(self) -> Went:
        """Classify the reply by category and id, never by its text; a lost one by what is there afterwards."""
        if self.reply.outcome is Outcome.UNKNOWN:
            return Went.DONE if self.moved else Went.UNCERTAIN
        if self.reply.outcome is Outcome.SUCCEEDED and not self.reply.errors:
            return Went.DONE
        if self.said is None:
            return Went.UNCERTAIN
        if self.said.category in _DENIED or self.said.id.partition(",")[0] == _INSUFFICIENT_RIGHTS:
            return Went.DENIED
        permanent = self.reply.fault is None or self.reply.fault.kind is FaultKind.PERMANENT
        return Went.REFUSED if permanent else Went.UNCERTAIN

    @property
    def said(self) -> RemoteError | None:
        """The error record that ended it, if there is one."""
        return self.reply.errors[-1] if self.reply.errors else None

    @property
    def moved(self) -> bool:
        """Whether the pair is in another state than before."""
        return self.before.pair is not self.after.pair

    def evidence(self) -> dict[str, Any]:
        """Return the act as JSON data."""
        return {
            "act": self.verb,
            "went": self.went.value,
            "said": said(self.said, self.reply.fault),
            "before": self.before.evidence(),
            "after": self.after.evidence(),
        }


def said(error: RemoteError | None, fault: Fault | None) -> dict[str, str] | None:
    """Return an error as JSON data: PowerShell's record, or else the fault of the way there."""
    if error is not None:
        return {"id": error.id, "category": error.category, "exception": error.exception, "message": error.message}
    if fault is not None:
        return {"id": fault.code, "category": "", "exception": "", "message": fault.message}
    return None
