"""The pair as it was found: what the account is brought back to, and compared with at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from orchestrator.model.call import Cmdlet, cmdlet
from orchestrator.model.directory import (
    ACCOUNT_BACK_LINK,
    ACCOUNT_LINK,
    ACCOUNT_STATE,
    DMSA_BACK_LINK,
    DMSA_LINK,
    DMSA_STATE,
    PRINCIPALS,
    Account,
    DmsaSeen,
    PairSeen,
)
from orchestrator.probe.look import Look
from orchestrator.steps.repair import repair

_THE_PAIRS_OWN = frozenset({ACCOUNT_STATE, ACCOUNT_LINK, ACCOUNT_BACK_LINK, DMSA_STATE, DMSA_LINK, DMSA_BACK_LINK})
"""Attributes that say how the pair stands; unlinked, an unset state and 0 mean the same."""


class NotFound(ValueError):
    """A record does not hold how the pair was found."""


@dataclass(frozen=True)
class Found:
    """The account, and the dMSA if there was one, with their watched attributes and what named the account on it."""

    account: Mapping[str, Any]
    dmsa: Mapping[str, Any] | None

    @classmethod
    def of(cls, seen: PairSeen, account: Account, grant: frozenset[str] | None) -> Found:
        """Take the pair down as it is."""
        dmsa = _taken(seen.dmsa) | {"grant": None if grant is None else sorted(grant)} if seen.dmsa else None
        return cls(_taken(account), dmsa)

    @classmethod
    def from_document(cls, document: object) -> Found:
        """Read it back from :meth:`document`.

        Raises:
            NotFound: it is not what that method returned.
        """
        try:
            account, dmsa = document["account"], document["dmsa"]  # type: ignore[index]
            for one in filter(None, (account, dmsa)):
                UUID(one["guid"])
            int(account["userAccountControl"])
        except (TypeError, KeyError, ValueError) as error:
            raise NotFound(f"it does not say how the pair was found ({error!r})") from None
        return cls(account, dmsa)

    def document(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {"account": dict(self.account), "dmsa": dict(self.dmsa) if self.dmsa is not None else None}

    @property
    def guid(self) -> UUID:
        """The account's objectGUID: which account it was, whatever it is called now."""
        return UUID(self.account["guid"])

    def next_repair(self, now: PairSeen, server: str) -> Cmdlet | None:
        """Return the next write that brings an unlinked pair closer to how it was found; None where none can."""
        return repair(self.account, self.guid, now, server) or self._principals(now, server)

    def _principals(self, now: PairSeen, server: str) -> Cmdlet | None:
        before = tuple(self.dmsa.get(PRINCIPALS, ())) if self.dmsa else ()
        if now.dmsa is None or not before or set(before) == set(now.dmsa.principals):
            return None
        return cmdlet(
            "Set-ADServiceAccount",
            Identity=str(now.dmsa.guid),
            PrincipalsAllowedToRetrieveManagedPassword=before,
            Server=server,
        )

    def left_on_account(self, now: Look) -> tuple[str, ...]:
        """Say in which attributes the account is not as it was found."""
        return tuple(_differences("account", self.account, _taken(now.account)))

    def left_on_dmsa(self, now: Look) -> tuple[str, ...]:
        """Say what stays on the dMSA, or that it stays at all."""
        if now.seen.dmsa is None:
            return () if self.dmsa is None else ("dMSA: it is gone",)
        if self.dmsa is None:
            return (f"dMSA: {now.dmsa.dn} was created; nothing here can delete it",)
        grant = None if now.grant is None else sorted(now.grant)
        return tuple(_differences("dMSA", self.dmsa, _taken(now.seen.dmsa) | {"grant": grant}))


def _taken(one: Account | DmsaSeen) -> dict[str, Any]:
    watched = {name: value for name, value in one.watched.items() if name not in _THE_PAIRS_OWN}
    if isinstance(one, DmsaSeen) and one.principals:
        watched[PRINCIPALS] = sorted(one.principals)
    return {"guid": str(one.guid), "dn": one.dn, **watched}


def _differences(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            yield f"{what}: {name} was {_shown(before.get(name))} and is {_shown(now.get(name))}"


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "empty"
    return "unset" if value is None else str(value)
