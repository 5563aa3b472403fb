"""Which objects a plan is about, by whatever an event names them with: a DN, a GUID, a SID, an account name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from uuid import UUID

from orchestrator.expectation.expected import pair_known
from orchestrator.expectation.history import History
from orchestrator.expectation.names import User, short
from orchestrator.expectation.values import PairKnown, folded_dn
from orchestrator.model.before import HostBefore
from orchestrator.model.dn import Dn, parent_dn
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.steps.effects import On


@dataclass(frozen=True, slots=True)
class Object:
    """An object of the plan: of which migration, and which of its two."""

    migration: str
    on: On


@dataclass
class Ours:
    """The plan's objects."""

    pairs: dict[str, PairKnown] = field(default_factory=dict)
    hosts: dict[str, frozenset[str]] = field(default_factory=dict)
    """The short names of each migration's hosts, those that left it included."""
    containers: dict[Dn, str] = field(default_factory=dict)
    """Everything that lies above one of the objects, up to the domain: what is granted there is inherited."""
    domains: dict[str, str] = field(default_factory=dict)
    """The SIDs of the accounts' domains, where the journal has them."""
    accounts: dict[str, tuple[User, ...]] = field(default_factory=dict)
    """How each superseded account may be named where it acts itself."""
    _by_dn: dict[Dn, Object] = field(default_factory=dict)
    _by_guid: dict[str, Object] = field(default_factory=dict)
    _by_sid: dict[str, Object] = field(default_factory=dict)
    _by_sam: dict[str, Object] = field(default_factory=dict)
    _words: re.Pattern[str] | None = None

    @classmethod
    def of(cls, plan: Plan, run: RunState | None, told: History) -> Ours:
        """Return the objects of a plan, as far as the journal knows them better than the plan."""
        found = cls()
        for migration in plan.migrations():
            state = run[migration.id] if run is not None else None
            found._take(pair_known(plan, migration, state), migration.account)
            snapshot = state.snapshot if state else None
            named = {host.name for host in migration.hosts} | set(snapshot.hosts if snapshot else ())
            found.hosts[migration.id] = frozenset(name.casefold() for name in named)
            if snapshot is not None:
                found._by_guid[str(snapshot.account_guid)] = Object(migration.id, On.ACCOUNT)
                found._log_ons(migration.id, _log_ons(snapshot.hosts.values()))
        for id_, guid in told.guids.items():
            if id_ in found.pairs:
                found._by_guid[guid.lower()] = Object(id_, On.DMSA)
        return found

    def _take(self, pair: PairKnown, planned: str) -> None:
        self.pairs[pair.id] = pair
        account, dmsa = Object(pair.id, On.ACCOUNT), Object(pair.id, On.DMSA)
        for dn, object_ in ((planned, account), (pair.account, account), (pair.dmsa, dmsa)):
            folded = folded_dn(dn)
            if folded is not None:
                self._by_dn[folded] = object_
                self._above(parent_dn(dn))
        self._by_sam[f"{pair.id}$".casefold()] = dmsa
        folded = folded_dn(pair.account)
        sam = next((value for kind, value in (folded[0] if folded else ()) if kind == "cn"), "")
        users = [User(sam)] if sam else []
        if sam:
            self._by_sam.setdefault(sam, account)
        if pair.account_sid:
            self._by_sid[pair.account_sid.upper()] = account
            self.domains[pair.id] = pair.account_sid.rpartition("-")[0].upper()
            users.append(User(sid=pair.account_sid.upper()))
        self.accounts[pair.id] = tuple(users)

    def _above(self, dn: str) -> None:
        folded = folded_dn(dn)
        while folded and folded not in self.containers:
            self.containers[folded] = dn
            if all(kind == "dc" for kind, _ in folded[0]):
                return
            dn = parent_dn(dn)
            folded = folded_dn(dn)

    def call(self, sid: str, name: str) -> None:
        """Take in how an account is called whose SID the journal has: its name need not be that of its DN."""
        found = self._by_sid.get(sid.upper())
        if found is not None and name and name.casefold() not in self._by_sam:
            self._by_sam[name.casefold()] = found
            self.accounts[found.migration] = (*self.accounts[found.migration], User(name))

    def _log_ons(self, id_: str, names: Iterable[str | None]) -> None:
        """Take in how services name the account that they run as."""
        given = (User.of(name) for name in names if name and ("\\" in name or "@" in name))
        users = {User(user.name.casefold()) for user in given if not user.domain.casefold().startswith("nt ")}
        self.accounts[id_] = (*self.accounts[id_], *users)
        for user in users:
            self._by_sam.setdefault(user.name, Object(id_, On.ACCOUNT))

    def named(self, dn: str, guid: str = "") -> Object | None:
        """Return the object that a DN or a GUID names."""
        if guid:
            found = self._by_guid.get(_guid(guid))
            if found is not None:
                return found
        folded = folded_dn(dn) if dn else None
        return self.at(folded) if folded is not None else None

    def at(self, dn: Dn) -> Object | None:
        """Return the object of that name."""
        return self._by_dn.get(dn)

    def account(self, name: str, sid: str = "") -> Object | None:
        """Return the object that an account name or a SID names; a SID of another domain is none of them.

        A name that somebody else bears in the same domain is one of ours all the same: names are unique there, so the
        original must have lost it.
        """
        found = self._by_sid.get(sid.upper()) or self._by_sam.get(name.partition("@")[0].casefold())
        domain = self.domains.get(found.migration) if found else None
        if domain and sid.upper().startswith("S-1-5-21-") and sid.upper().rpartition("-")[0] != domain:
            return None
        return found

    def is_host(self, name: str, id_: str) -> bool:
        """Whether a computer is a host of a migration: by its whole name, else by the short one."""
        bare = name.strip().rpartition("\\")[2].casefold().removesuffix("$")
        for host in self.hosts[id_]:
            if host == bare or (short(host) == short(bare) and ("." not in host or "." not in bare)):
                return True
        return False

    def mentioned(self, text: str) -> Object | None:
        """Return the object that a text speaks of by name or DN."""
        if self._words is None:
            names = "|".join(re.escape(name.removesuffix("$")) for name in self._by_sam)
            self._words = re.compile(rf"(?<![\w-])({names})\$?(?![\w-])")
        found = self._words.search(text.casefold())
        if found is None:
            return None
        return self._by_sam.get(f"{found[1]}$") or self._by_sam.get(found[1])

    @cached_property
    def by_short_name(self) -> Mapping[str, frozenset[str]]:
        """Return for each host, by short name, the migrations that it belongs to."""
        found: dict[str, set[str]] = {}
        for id_, names in self.hosts.items():
            for name in names:
                found.setdefault(short(name), set()).add(id_)
        return {name: frozenset(ids) for name, ids in found.items()}


def _log_ons(hosts: Iterable[HostBefore]) -> Iterator[str | None]:
    for host in hosts:
        yield from (one.start_name for one in host.services.values())
        yield from (one.log_on for one in host.tasks.values())
        yield from (one.log_on for one in host.app_pools.values())


def _guid(text: str) -> str:
    bare = text.strip().strip("{}").lower()
    try:
        return str(UUID(bare))
    except ValueError:
        return bare
