"""What may go wrong in a rehearsal, as values: drawn from one seed, numbered, described, and left out one by one.

Two families. *Weather* befalls calls or the estate, and is the estate file's own. An *act* happens at a moment: before
or after an append or a remote call of whatever process runs then, counted over the whole rehearsal.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from orchestrator.lab.estate import weather_spec as w
from orchestrator.lab.estate.machine import folded_account
from orchestrator.lab.estate.spec import EstateSpec, HostSpec
from orchestrator.model.plan import Plan

ACTS: dict[str, str] = {
    "crash": "the process dies",
    "second-runner": "a second runner is started by mistake",
    "frozen": "the process freezes, loses its lease to another, and wakes",
    "time-passes": "nothing happens for {takes}",
    "duplicate": "the far side receives the last call a second time",
    "hold": "an operator holds {whom}",
    "release": "an operator releases {whom}",
    "undo": "an operator asks for the undo of {whom}",
    "reset": "an operator asks for the reset of {whom}",
    "rollback": "an operator asks for the rollback of {whom}",
    "account-moved": "somebody lifts the protection of the account of {whom}, moves it to {where}, protects it",
    "service-stopped": "somebody stops {where}",
    "service-restarted": "somebody restarts {where}",
    "started-by-hand": "somebody starts the pair of {whom} by hand",
    "undone-by-hand": "somebody undoes the pair of {whom} by hand",
}
"""Every kind of act, and how it is described."""

WEATHER: tuple[str, ...] = (
    "lost-request",
    "lost-reply",
    "late-effect",
    "late-beyond-shell",
    "slow",
    "access-denied",
    "busy",
    "host-down",
    "partition",
    "service-broken",
    "unknown-host",
    "registry-changed",
    "original-moved",
    "clocks-differ",
)
"""Every kind of weather that is drawn."""

KINDS = (*WEATHER, *ACTS)

_MIGRATION = tuple(f"{verb}-ADServiceAccountMigration" for verb in ("Start", "Complete", "Undo", "Reset"))
_WRITES = (*_MIGRATION, "New-ADServiceAccount", "Set-ADObject", "New-Item", "New-ItemProperty", "Remove-ItemProperty")
_RESTARTS = ("Restart-Service", "Start-Service", "Restart-Computer")
_READS = ("Get-ADUser", "Get-CimInstance", "Get-ADComputer", "Test-Path", "Get-ADRootDSE")
MOMENTS_EACH = 170
"""About how many moments one migration takes in fair weather."""
MOST = 5
"""How many disturbances a seed draws at most, for a plan of few migrations."""


@dataclass(frozen=True)
class Disturbance:
    """One thing that goes wrong: ``rule`` is weather, ``at`` the moment of an act; ``host`` has a clock of its own."""

    number: int
    kind: str
    sentence: str
    rule: w.WeatherSpec | None = None
    at: int = 0
    whom: str = ""
    where: str = ""
    takes: timedelta = timedelta(0)

    def __str__(self) -> str:
        """Return the line that is shown."""
        return f"{self.number}: {self.sentence}"


def draw(plan: Plan, spec: EstateSpec, seed: int) -> tuple[Disturbance, ...]:
    """Return what a seed lets go wrong, numbered from 1; the same for the same plan, estate and seed."""
    chance = random.Random(f"dmsa rehearsal {seed}")  # noqa: S311 - a seed decides, nobody must be kept from guessing
    ids = [migration.id for migration in plan.migrations()]
    several = chance.randint(1, max(MOST, len(ids)))
    draws = _Draws(chance, plan, spec, ids)
    return tuple(draws.one(number) for number in range(1, several + 1))


def selected(drawn: Sequence[Disturbance], faults: str) -> tuple[Disturbance, ...]:
    """Return those disturbances that a list names: ``all``, ``none``, or kinds and numbers with commas.

    Raises:
        ValueError: a word is neither a kind nor a number.
    """
    words = [word.strip() for word in faults.split(",") if word.strip()]
    if words == ["all"]:
        return tuple(drawn)
    if words == ["none"] or not words:
        return ()
    strange = [word for word in words if not word.isdecimal() and word not in KINDS]
    if strange:
        raise ValueError(f"{', '.join(strange)}: no such fault; all, none, numbers of a draw, or {', '.join(KINDS)}")
    return tuple(one for one in drawn if one.kind in words or str(one.number) in words)


class _Draws:
    """One seed's chance, and what it may be about."""

    def __init__(self, chance: random.Random, plan: Plan, spec: EstateSpec, ids: Sequence[str]) -> None:
        self._chance, self._plan, self._spec, self._ids = chance, plan, spec, ids
        self._hosts = sorted({host.name for one in plan.migrations() for host in one.hosts})
        there = {host.name.lower(): host for host in spec.hosts}
        self._services = sorted(
            {
                (host.name, name)
                for one in plan.migrations()
                for host in one.hosts
                for name in (
                    _run_as(there.get(host.name.lower()), _sam(spec, one.account)) if host.discovers else host.services
                )
            }
        )
        self._others = sorted({host.name for host in spec.hosts} - set(self._hosts))

    def one(self, number: int) -> Disturbance:
        """Draw one."""
        if self._chance.random() < 0.5:
            return self._act(number)
        return self._weather(number)

    def _act(self, number: int) -> Disturbance:
        chance = self._chance
        kind = chance.choice((*ACTS, "crash", "crash", "frozen"))
        at = chance.randint(1, MOMENTS_EACH * len(self._ids))
        whom, where = chance.choice(list(self._ids)), ""
        takes = timedelta(seconds=chance.choice((1, 30, 90, 600, 7200, 86400)))
        if kind in {"service-stopped", "service-restarted"}:
            if not self._services:
                kind = "crash"
            else:
                where = "\\".join(chance.choice(self._services))
        elif kind == "account-moved":
            where = chance.choice(self._containers())
        said = ACTS[kind].format(whom=whom, where=where, takes=takes)
        return Disturbance(number, kind, f"{said} (moment {at})", at=at, whom=whom, where=where, takes=takes)

    def _containers(self) -> list[str]:
        return [f"CN=Users,{self._spec.domain.dn}", *self._spec.ous]

    def _weather(self, number: int) -> Disturbance:
        kind = self._chance.choice((*WEATHER, "lost-reply", "late-beyond-shell", "lost-request"))
        if kind == "clocks-differ":
            host = self._chance.choice(self._hosts)
            takes = timedelta(seconds=self._chance.choice((2, 120, 1800)))
            return Disturbance(number, kind, f"the clock of {host} is {takes} ahead", where=host, takes=takes)
        cmdlet, nth = self._chance.choice((*_WRITES, *_MIGRATION, *_RESTARTS, *_READS)), self._chance.randint(1, 4)
        make = _MAKE.get(kind, _befalls)
        rule = make(self._chance, kind, w.Trigger(cmdlet=cmdlet, nth=nth), self._about())
        if rule is None:
            kind = "lost-reply"
            rule = w.LostReply(kind="lost-reply", when=w.Trigger(cmdlet=cmdlet, nth=nth))
        return Disturbance(number, kind, f"{kind} {_said(rule)}", rule)

    def _about(self) -> _About:
        host, service = self._chance.choice(self._services) if self._services else (self._hosts[0], "")
        migration = self._plan.migration(self._chance.choice(list(self._ids)))
        return _About(
            machine=self._chance.choice([*self._hosts, *(dc.name for dc in self._spec.dcs)]),
            controller=self._chance.choice([dc.name for dc in self._spec.dcs]),
            host=host,
            service=service,
            stranger=self._chance.choice(self._others) if self._others else "",
            sam=_sam(self._spec, migration.account),
            account=migration.account,
            container=self._chance.choice(self._containers()),
        )


@dataclass(frozen=True)
class _About:
    machine: str
    controller: str
    host: str
    service: str
    stranger: str
    sam: str
    account: str
    container: str


def _sam(spec: EstateSpec, dn: str) -> str:
    user = next((user for user in spec.users if user.dn.lower() == dn.lower()), None)
    name = user.sam if user and user.sam else dn.partition(",")[0][3:]
    return f"{spec.domain.netbios}\\{name}"


def _befalls(chance: random.Random, kind: str, when: w.Trigger, _about: _About) -> w.WeatherSpec:
    again = when.model_copy(update={"times": chance.randint(1, 2)})
    match kind:
        case "lost-request":
            return w.LostRequest(kind="lost-request", when=again)
        case "slow":
            takes = timedelta(seconds=chance.choice((5, 45, 300)))
            return w.Slow(kind="slow", when=again, takes=takes)
        case "access-denied":
            return w.AccessDenied(kind="access-denied", when=when)
        case "busy":
            return w.Busy(kind="busy", when=again)
        case _:
            return w.LostReply(kind="lost-reply", when=again)


def _late(chance: random.Random, kind: str, when: w.Trigger, _about: _About) -> w.WeatherSpec:
    if kind == "late-beyond-shell":
        late = timedelta(seconds=chance.choice((2, 15, 40)))
        return w.LostReply(kind="lost-reply", when=when, late=late, outlives=True)
    return w.LostReply(kind="lost-reply", when=when, late=timedelta(seconds=chance.choice((10, 120, 7200))))


def _down(chance: random.Random, _kind: str, when: w.Trigger, about: _About) -> w.WeatherSpec:
    lasts = timedelta(seconds=chance.choice((20, 600, 10800)))
    return w.HostDown(kind="host-down", host=about.machine, when=when, lasts=lasts)


def _cut(chance: random.Random, _kind: str, when: w.Trigger, about: _About) -> w.WeatherSpec:
    lasts = timedelta(seconds=chance.choice((600, 10800, 72000)))
    return w.Partition(kind="partition", host=about.controller, when=when, lasts=lasts)


def _broken(chance: random.Random, _kind: str, when: w.Trigger, about: _About) -> w.WeatherSpec | None:
    if not about.service:
        return None
    times = chance.randint(1, 2)
    return w.ServiceBroken(kind="service-broken", host=about.host, service=about.service, when=when, times=times)


def _stranger(_chance: random.Random, _kind: str, when: w.Trigger, about: _About) -> w.WeatherSpec | None:
    if not about.stranger:
        return None
    return w.HostRegisters(kind="host-registers", host=about.stranger, account=about.sam, when=when)


def _registry(chance: random.Random, _kind: str, when: w.Trigger, about: _About) -> w.WeatherSpec:
    return w.RegistryChanged(kind="registry-changed", host=about.host, when=when, value=chance.choice(("absent", 0, 1)))


def _moved(_chance: random.Random, _kind: str, when: w.Trigger, about: _About) -> w.WeatherSpec:
    return w.ObjectMoved(kind="object-moved", dn=about.account, to=about.container, when=when)


_MAKE: dict[str, Callable[[random.Random, str, w.Trigger, _About], w.WeatherSpec | None]] = {
    "late-effect": _late,
    "late-beyond-shell": _late,
    "host-down": _down,
    "partition": _cut,
    "service-broken": _broken,
    "unknown-host": _stranger,
    "registry-changed": _registry,
    "original-moved": _moved,
}


def _run_as(host: HostSpec | None, log_on: str) -> tuple[str, ...]:
    """Return the services that run as an account, where the plan leaves it to the host to say which."""
    services = host.services if host is not None else ()
    return tuple(one.name for one in services if folded_account(one.log_on) == folded_account(log_on))


def _said(rule: w.WeatherSpec) -> str:
    """Return a rule as an estate file would have it, without its kind."""
    given: dict[str, Any] = rule.model_dump(mode="json", exclude_defaults=True)
    given.pop("kind")
    when = given.pop("when", {})
    about = ", ".join(f"{name} {value}" for name, value in given.items())
    hit = f"{when.get('cmdlet', 'any call')}, arrival {when.get('nth', 1)}"
    times = f", {when['times']} times" if when.get("times", 1) > 1 else ""
    return f"({hit}{times}{'; ' + about if about else ''})"


def hosts_changed(rules: Collection[Disturbance]) -> dict[str, timedelta]:
    """Return by how much which host's clock is ahead."""
    return {one.where: one.takes for one in rules if one.kind == "clocks-differ"}
