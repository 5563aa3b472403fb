"""Who outside tier 0 may do something with an object: first by its descriptor, then by who is really in the groups.

First each trustee is taken alone. Nobody who is in a group has fewer identifiers than the group alone, so whoever is
not let in here is let in nowhere. Only for the others is the directory asked, and then each person is weighed with all
groups that matter, denials included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.model.call import Cmdlet
from orchestrator.model.directory import complaint
from orchestrator.model.observation import Outcome, Reply, Unreadable
from orchestrator.model.security.access import EVERYONE, OWNER_RIGHTS, SELF, Grant, Wish, granted, speaks_of, token_of
from orchestrator.model.security.principals import (
    Principal,
    Principals,
    anybody,
    expanding,
    resolving,
    whose_primary,
)
from orchestrator.model.security.sddl import Entries, Security
from orchestrator.model.security.trusted import Tier0
from orchestrator.model.security.words import DENYING

_NOBODY = frozenset({"S-1-3-0", "S-1-3-1", OWNER_RIGHTS})
"""CREATOR OWNER and CREATOR GROUP are replaced where they are inherited, and no token has them; OWNER RIGHTS is whoever
owns the object."""

Asked = Callable[[Cmdlet], Reply | None]


@dataclass(frozen=True)
class Exposed:
    """A grant to somebody outside tier 0, and through whom it was found: people for a group, nobody where it is all."""

    grant: Grant
    people: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """Who may do any of *wishes* with one object. ``itself``: the object's own SID, if it is somebody."""

    security: Security
    wishes: Sequence[Wish]
    tier0: Tier0
    itself: str | None = None

    @property
    def entries(self) -> Entries:
        """The entries of its list; none where there is no list."""
        return (self.security.dacl.entries or ()) if self.security.dacl else ()

    def open_to(self) -> list[Grant]:
        """Return what the descriptor alone grants to trustees that are not named as tier 0."""
        trustees = dict.fromkeys([EVERYONE, self.security.owner, *(entry.trustee for entry in self.entries)])
        found = {}
        for trustee in trustees:
            who = self.itself if trustee == SELF else trustee
            if trustee in _NOBODY or trustee in self.tier0.sids or who is None:
                continue
            for wish in self.wishes:
                grant = granted(self.security, token_of(who), wish, self.itself)
                if grant is not None and grant.trustee not in self.tier0.sids:
                    found[grant.trustee, wish] = grant
        return list(found.values())

    def statements(self, base: str, server: str, asked: Asked) -> tuple[Cmdlet, ...]:
        """Return what the directory must be asked, as far as what it already answered lets one say; it ends.

        Raises:
            Unreadable: an answer came to nothing.
        """
        grants = self.open_to()
        if all(anybody(grant.trustee) and grant.trustee != SELF for grant in grants):
            return ()
        first = self._resolving(grants, base, server)
        if any(asked(one) is None for one in first):
            return first
        known = principals_of(first, asked)
        groups = [one for one in known.by_sid.values() if one.is_group and (one.members or one.can_be_primary)]
        if not any(self._undecided(grant, known) for grant in grants):
            return first
        second = expanding([one for one in groups if not anybody(one.sid)], base, server)
        if any(asked(one) is None for one in second):
            return first + second
        nested = [one for one in principals_of(first + second, asked).by_sid.values() if one.sid not in known.by_sid]
        return first + second + whose_primary([one for one in nested if one.is_group], base, server)

    def _resolving(self, grants: Sequence[Grant], base: str, server: str) -> tuple[Cmdlet, ...]:
        trustees = {self.itself if grant.trustee == SELF else grant.trustee for grant in grants}
        denied = {one.trustee for one in self.entries if one.kind in DENYING and self._matters(one.trustee)}
        sids = {sid for sid in (trustees | denied) if sid is not None and not anybody(sid)}
        return resolving(sids | self.tier0.to_resolve(), self.tier0.names, base, server)

    def _matters(self, trustee: str) -> bool:
        about = any(speaks_of(one, wish) for one in self.entries if one.trustee == trustee for wish in self.wishes)
        return about and trustee.startswith(("S-1-5-21-", "S-1-5-32-"))

    def _undecided(self, grant: Grant, known: Principals) -> bool:
        """Whether it still must be found out who is behind a trustee; behind an empty built-in group is nobody."""
        one = known.by_sid.get(str(self.itself) if grant.trustee == SELF else grant.trustee)
        return one is not None and (not one.is_group or bool(one.members) or one.can_be_primary)

    def exposed(self, known: Principals) -> list[Exposed]:
        """Return every grant that somebody outside tier 0 really has.

        Raises:
            Unreadable: who is in a group did not come back.
        """
        people: dict[tuple[str, Wish], dict[str, None]] = {}
        grants: dict[tuple[str, Wish], Grant] = {}
        for first in self.open_to():
            for who in self._behind(first.trustee, known):
                grant = self._has(who, first.wish, known)
                if grant is not None:
                    key = (grant.trustee, grant.wish)
                    grants.setdefault(key, grant)
                    people.setdefault(key, {})[who] = None
        return [Exposed(grant, tuple(who for who in people[key] if who != key[0])) for key, grant in grants.items()]

    def _behind(self, trustee: str, known: Principals) -> Iterator[str]:
        one = known.by_sid.get(trustee)
        if trustee == SELF and self.itself is not None:
            yield self.itself
        elif one is None or anybody(trustee) or not one.is_group:
            yield trustee
        else:
            yield from known.inside(trustee)

    def _has(self, who: str, wish: Wish, known: Principals) -> Grant | None:
        if self.tier0.trusts(who, known):
            return None
        return granted(self.security, token_of(who, known.groups_of(who)), wish, self.itself)


def principals_of(statements: Sequence[Cmdlet], asked: Asked) -> Principals:
    """Return whom the answers to these statements name.

    Raises:
        Unreadable: one of them was not answered.
    """
    records = []
    for one in statements:
        reply = asked(one)
        if reply is None or reply.outcome is not Outcome.SUCCEEDED or reply.errors:
            why = complaint(reply) if reply else "it was not asked for"
            raise Unreadable(f"who is who in the domain could not be read: {why}")
        records += list(reply.of("ADObject"))
    return Principals.of(records)


def named(sid: str, known: Principals, domain: str) -> str:
    """Return how a person calls the bearer of a SID."""
    one: Principal | None = known.by_sid.get(sid)
    if one is not None:
        return f"{'BUILTIN' if sid.startswith('S-1-5-32-') else domain}\\{one.name}"
    return ""
