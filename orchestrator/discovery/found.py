"""What discovery found: accounts, hosts, and what runs where. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal, TypeAlias

from pydantic import ValidationError

from orchestrator.model.plan import Host

WorkloadKind: TypeAlias = Literal["service", "task", "app-pool"]


@dataclass(frozen=True)
class WorkloadFound:
    """Something that runs under one of the accounts, ``account``; ``log_on`` is how the host spells it.

    ``bare``: that spelling names no domain. ``state`` and ``start_mode`` are the host's words; None: it was not told.
    """

    kind: WorkloadKind
    name: str
    account: str
    log_on: str
    bare: bool = False
    state: str | None = None
    start_mode: str | None = None

    @property
    def key(self) -> str:
        """Under which key of a host a plan lists it."""
        return {"service": "services", "task": "tasks", "app-pool": "app_pools"}[self.kind]

    @property
    def fits_a_plan(self) -> bool:
        """Whether a plan can name it; a name that a cmdlet would expand, it cannot."""
        try:
            Host.model_validate({"name": "h", self.key: [self.name]})
        except ValidationError:
            return False
        return True


@dataclass(frozen=True)
class HostFound:
    """What one host said.

    ``fault`` says why it said nothing. ``troubles`` are the parts that could not be read: what runs there may be more
    than what is listed.
    """

    name: str
    workloads: tuple[WorkloadFound, ...] = ()
    fault: str | None = None
    troubles: tuple[str, ...] = ()
    caption: str = ""
    build: int | None = None
    controller: bool = False
    cluster: bool = False
    roles: tuple[str, ...] = ()
    """What the host's cluster runs, with its type, infrastructure aside."""
    computer: str = ""
    """The machine's own name with its domain, by which two names of one machine are told."""

    @property
    def whole(self) -> bool:
        """Whether everything that was asked for was read."""
        return self.fault is None and not self.troubles

    def of(self, account: str) -> tuple[WorkloadFound, ...]:
        """Return what runs under one account."""
        return tuple(one for one in self.workloads if one.account == account)


@dataclass(frozen=True)
class AccountFound:
    """An account as the directory shows it. ``asked`` is the DN that was given; ``dn`` is its own.

    ``object_class`` is empty where there is no such object, or it could not be read (``fault`` says why).
    ``privileged`` are the signs of it. ``last_log_on`` is lastLogonTimestamp, which may be up to 14 days late.
    """

    asked: str
    dn: str = ""
    object_class: str = ""
    fault: str | None = None
    sam: str = ""
    sid: str = ""
    upn: str | None = None
    enabled: bool = True
    spns: tuple[str, ...] = ()
    unconstrained: bool = False
    any_protocol: bool = False
    delegates_to: tuple[str, ...] = ()
    delegated_by: tuple[str, ...] = ()
    last_log_on: datetime | None = None
    password_set: datetime | None = None
    privileged: tuple[str, ...] = ()
    encryption: int | None = None
    linked: str | None = None

    @property
    def is_user(self) -> bool:
        """Whether it may be superseded at all."""
        return self.object_class == "user"


@dataclass(frozen=True)
class ComputerLeft:
    """A computer of the organisational unit that was not asked, and why."""

    dn: str
    why: str


@dataclass(frozen=True)
class Discovered:
    """Everything that was found. ``names`` are the dMSAs' by their account's ``asked``."""

    domain: str
    at: datetime | None
    accounts: tuple[AccountFound, ...]
    hosts: tuple[HostFound, ...]
    names: dict[str, str]
    left: tuple[ComputerLeft, ...] = ()
    forest: bool = True
    """Whether the dMSAs' names were looked for in the whole forest; else in the domain."""

    def users_of(self, account: str) -> tuple[HostFound, ...]:
        """Return the hosts on which an account runs something that a plan can name."""
        return self._users.get(account, ())

    @cached_property
    def _users(self) -> dict[str, tuple[HostFound, ...]]:
        found: dict[str, dict[str, HostFound]] = {}
        for host in self.hosts:
            for work in host.workloads:
                if work.fits_a_plan:
                    found.setdefault(work.account, {})[host.name] = host
        return {account: tuple(hosts.values()) for account, hosts in found.items()}

    def uses(self, account: str) -> tuple[tuple[HostFound, WorkloadFound], ...]:
        """Return everything that runs under an account, with its host; what no plan can name too."""
        return self._uses.get(account, ())

    @cached_property
    def _uses(self) -> dict[str, tuple[tuple[HostFound, WorkloadFound], ...]]:
        found: dict[str, list[tuple[HostFound, WorkloadFound]]] = {}
        for host in self.hosts:
            for work in host.workloads:
                found.setdefault(work.account, []).append((host, work))
        return {account: tuple(uses) for account, uses in found.items()}

    @cached_property
    def movable(self) -> tuple[AccountFound, ...]:
        """The accounts that can stand in a plan: users that run something somewhere."""
        return tuple(one for one in self.accounts if one.is_user and self.users_of(one.asked))

    @cached_property
    def namesakes(self) -> tuple[tuple[str, ...], ...]:
        """Names of hosts that are one machine, together."""
        named: dict[str, list[str]] = {}
        for host in self.hosts:
            if host.computer:
                named.setdefault(host.computer.lower(), []).append(host.name)
        return tuple(tuple(names) for names in named.values() if len(names) > 1)

    @property
    def whole(self) -> bool:
        """Whether nothing was left unread, every account exists, and there is something to move."""
        read = all(host.whole for host in self.hosts) and all(one.fault is None for one in self.accounts)
        return read and bool(self.movable)


def counted(count: int, thing: str) -> str:
    """Return a number with what it counts: ``1 host``, ``2 hosts``."""
    return f"{count} {thing}{'' if count == 1 else 's'}"
