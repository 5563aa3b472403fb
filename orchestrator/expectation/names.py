"""Who is who: accounts' names, SIDs and addresses, as a file of names and the events themselves tell them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class User:
    """Who did something, as an event names him. Parts that the event lacks are empty."""

    name: str = ""
    domain: str = ""
    sid: str = ""

    @classmethod
    def of(cls, text: str) -> User:
        r"""Return whom ``CORP\\name``, ``name@corp.example``, a SID or a bare name means."""
        text = text.strip()
        if text.upper().startswith("S-1-"):
            return cls(sid=text.upper())
        domain, slash, name = text.rpartition("\\")
        if not slash:
            name, _, domain = text.partition("@")
        return cls(name, domain)

    def is_(self, other: User) -> bool:
        r"""Whether both are one account: by SID where both have one, else by name.

        A domain counts where both name it in the same form (``CORP`` against ``CORP``); ``CORP`` against
        ``corp.example`` says nothing, for which NetBIOS name a domain has its DNS name does not tell.
        """
        if self.sid and other.sid:
            return self.sid.upper() == other.sid.upper()
        if not self.name or self.name.casefold() != other.name.casefold():
            return False
        mine, theirs = self.domain.casefold(), other.domain.casefold()
        return not mine or not theirs or ("." in mine) is not ("." in theirs) or mine == theirs

    def __str__(self) -> str:
        """Name him as Windows does."""
        named = f"{self.domain}\\{self.name}" if self.domain and self.name else self.name
        return named or self.sid or "somebody whom the event does not name"


def short(host: str) -> str:
    """Return a computer's name without its domain and without the ``$`` of its account."""
    return host.strip().casefold().partition(".")[0].removesuffix("$")


@dataclass
class Names:
    """What is known of SIDs and addresses. What is not known stays unknown; nothing is guessed."""

    _of_sid: dict[str, str] = field(default_factory=dict)
    _of_address: dict[str, frozenset[str]] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    """Addresses that a person has told: they are whose he says."""

    def tell(self, name: str, sid: str = "", address: str = "") -> None:
        """Take in what a person says: that a name goes with a SID, an address, or both."""
        if address:
            known = self._of_address.get(bare_address(address), frozenset())
            self._of_address[bare_address(address)] = known | {name}
            self._told.add(bare_address(address))
        if sid:
            self._of_sid[sid.upper()] = name

    def learn(self, name: str, sid: str = "", address: str = "") -> None:
        """Take in what an event shows. A SID is one account's for ever; an address may have had several computers."""
        if sid.upper().startswith("S-1-5-21-") and name:
            self._of_sid.setdefault(sid.upper(), name)
        if address and name and bare_address(address) not in self._told:
            known = self._of_address.get(bare_address(address), frozenset())
            self._of_address[bare_address(address)] = known | {name}

    def of_sid(self, sid: str) -> str | None:
        """Return whose SID it is; None where nobody has said."""
        return self._of_sid.get(sid.upper())

    def of_address(self, address: str) -> frozenset[str]:
        """Return whose address it is, or has been; empty where nobody has said."""
        return self._of_address.get(bare_address(address), frozenset())


_IN_BRACKETS = re.compile(r"\[([^\[\]]+)\](?::\d+)?")


def bare_address(text: str) -> str:
    """Return an address as it is compared: no port, no zone; an IPv4 one that is written as IPv6 is the IPv4 one."""
    bare = text.strip().casefold()
    bracketed = _IN_BRACKETS.fullmatch(bare)
    bare = (bracketed[1] if bracketed else bare).partition("%")[0].removeprefix("::ffff:")
    return bare.partition(":")[0] if bare.count(":") == 1 else bare
