"""Who is who: accounts' names, SIDs and addresses, as a file of names and the events themselves tell them."""

from __future__ import annotations

from collections.abc import Iterable
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
    _of_address: dict[str, str] = field(default_factory=dict)

    def learn(self, name: str, sid: str = "", address: str = "") -> None:
        """Take in that a name goes with a SID, an address, or both. What was learned first stands."""
        if sid.upper().startswith("S-1-5-21-") and name:
            self._of_sid.setdefault(sid.upper(), name)
        if address and name:
            self._of_address.setdefault(bare_address(address), name)

    def of_sid(self, sid: str) -> str | None:
        """Return whose SID it is; None where nobody has said."""
        return self._of_sid.get(sid.upper())

    def of_address(self, address: str) -> str | None:
        """Return whose address it is; None where nobody has said."""
        return self._of_address.get(bare_address(address))

    def addresses(self) -> frozenset[str]:
        """Return the short names of all computers whose address is known."""
        return frozenset(map(short, self._of_address.values()))

    def sids_of(self, names: Iterable[str]) -> frozenset[str]:
        """Return the SIDs that go with computers."""
        wanted = frozenset(map(short, names))
        return frozenset(sid for sid, name in self._of_sid.items() if short(name) in wanted)


def bare_address(text: str) -> str:
    """Return an address as it is compared: an IPv4 one that is written as IPv6 is the IPv4 one; no port."""
    bare = text.strip().casefold().removeprefix("::ffff:")
    return bare.partition(":")[0] if bare.count(":") == 1 else bare
