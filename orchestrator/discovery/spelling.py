r"""Whose a log-on name is: the account's name in every spelling that Windows takes, compared whole, never in part.

``CORP\svc``, ``corp.example\svc``, ``svc@corp.example`` and ``svc@CORP`` are one account; so is its userPrincipalName,
where it has another (Microsoft Learn, "User Name Formats"; "Naming Properties"). Tasks may name a SID. A name without
a domain may be the domain's account or one of the machine's own, and is told apart by a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.model.call import Cmdlet, cmdlet
from orchestrator.model.escape import wql
from orchestrator.model.host import wql_or
from orchestrator.model.spelling import qualified

SENSED = ("W3SVC", "ClusSvc")
"""Services that say what else a machine is: a web server, a node of a failover cluster."""
_SERVICE = ("Name", "State", "StartMode", "StartName")
_AT_ONCE = 40
"""Names in one condition; WMI refuses one that is too complex (Microsoft Learn, WMI error constants,
WBEM_E_QUOTA_VIOLATION)."""
_WORTH_IT = 200
"""From so many names on, all services of a host are less than asking for each name."""


@dataclass(frozen=True)
class Domain:
    """The names of the domain."""

    dns: str
    netbios: str


@dataclass(frozen=True)
class Identity:
    """An account that is looked for; ``key`` is what callers know it by."""

    key: str
    sam: str
    sid: str
    upn: str | None = None


@dataclass(frozen=True)
class Owner:
    """Whose a log-on name is. ``bare``: it names no domain, so it may be an account of the machine's own."""

    key: str
    bare: bool = False


class Spellings:
    """Every way in which the accounts' names may stand somewhere."""

    def __init__(self, domain: Domain, accounts: Iterable[Identity]) -> None:
        accounts = tuple(accounts)
        self._owners: dict[str, Owner] = {}
        self._texts: list[str] = []
        for account in accounts:  # a userPrincipalName that somebody was given counts before one that is implied
            if account.upn:
                self._add(account.upn, Owner(account.key))
        for account in accounts:
            for text in qualified(domain.dns, domain.netbios, account.sam):
                self._add(text, Owner(account.key))
            self._owners.setdefault(account.sid.lower(), Owner(account.key))
        for account in accounts:
            self._add(account.sam, Owner(account.key, bare=True))

    def _add(self, text: str, owner: Owner) -> None:
        if self._owners.setdefault(text.lower(), owner) is owner:
            self._texts.append(text)

    def owner(self, log_on: str | None) -> Owner | None:
        """Return whose this log-on name is; None for everybody else's."""
        return None if log_on is None else self._owners.get(log_on.lower())

    def service_reads(self) -> tuple[Cmdlet, ...]:
        """Ask a host for the services of the accounts, and for those of :data:`SENSED`."""
        if len(self._texts) >= _WORTH_IT:
            return (_services(None),)
        names = wql_or("Name", SENSED)
        parts = [wql_or("StartName", part) for part in _parts(self._writable())]
        return tuple(_services(condition) for condition in (" OR ".join(filter(None, (*parts[:1], names))), *parts[1:]))

    def _writable(self) -> list[str]:
        return [text for text in self._texts if _has_a_spelling(text)]


def _parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), _AT_ONCE):
        yield texts[start : start + _AT_ONCE]


def _has_a_spelling(text: str) -> bool:
    """Whether WQL can say it; a name with a control character is no service's."""
    try:
        wql(text)
    except ValueError:
        return False
    return True


def _services(condition: str | None) -> Cmdlet:
    if condition is None:
        return cmdlet("Get-CimInstance", ClassName="Win32_Service", Property=_SERVICE)
    return cmdlet("Get-CimInstance", ClassName="Win32_Service", Filter=condition, Property=_SERVICE)
