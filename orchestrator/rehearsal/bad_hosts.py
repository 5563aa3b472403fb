"""Hosts on which a migration meets trouble, each of its own kind: drawn from one seed, described, put into an estate.

A real estate has such hosts before anything goes wrong by itself: those that do not answer, are too old, refuse a
write, start a service badly, are under a policy of somebody else. Other than a disturbance, which strikes once, a bad
host is bad from its moment on.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator.lab.estate import weather_spec as w
from orchestrator.lab.estate.machine import folded_account
from orchestrator.lab.estate.spec import EstateSpec, HostSpec
from orchestrator.model.plan import Plan
from orchestrator.model.written import write_duration
from orchestrator.rehearsal.rehearsed import Rehearsed

_SWITCH = "New-ItemProperty"
"""The write that gives a host its switch: from there on, a host may turn bad in the middle of a migration."""
_ALWAYS = 1_000_000
_OLD_BUILDS = (17763, 20348)
"""Windows Server 2019 and 2022."""


@dataclass(frozen=True)
class BadHost:
    """One bad host: which, of what kind, and a sentence for a person."""

    host: str
    kind: str
    sentence: str

    def __str__(self) -> str:
        """Return the line that is shown."""
        return f"{self.host}: {self.kind}: {self.sentence}"


@dataclass(frozen=True)
class _Badness:
    """What a host is instead, what befalls it besides, and how that is said."""

    sentence: str
    host: HostSpec
    weather: tuple[w.WeatherSpec, ...] = ()


@dataclass(frozen=True)
class _About:
    """A host of the plan: as it is in the estate, which of its services the plan moves, and whether it reboots."""

    host: HostSpec
    services: tuple[str, ...]
    reboots: bool
    start: datetime


def with_bad_hosts(
    rehearsed: Rehearsed, share: str, seed: int, kinds: Collection[str] | None = None
) -> tuple[Rehearsed, tuple[BadHost, ...]]:
    """Return the same on an estate with bad hosts, and which they are.

    Args:
        rehearsed: what is to be rehearsed.
        share: how many of the plan's hosts are bad: ``5%``, rounded and at least one, or a count.
        seed: decides which, and of what kind; the same for the same plan and estate.
        kinds: the kinds that there may be; None means all, one after the other in an order that the seed decides.

    Raises:
        ValueError: the share is neither, or more than there are.
    """
    chance = random.Random(f"dmsa bad hosts {seed}")  # noqa: S311 - a seed decides, nobody must be kept from guessing
    abouts = _abouts(rehearsed.whole.plan, rehearsed.spec)
    names = chance.sample(sorted(abouts), how_many(share, len(abouts)))
    order = chance.sample(sorted(KINDS), len(KINDS))
    order = [kind for kind in order if kinds is None or kind in kinds]
    bad: list[BadHost] = []
    hosts: dict[str, HostSpec] = {}
    weather: list[w.WeatherSpec] = []
    for number, name in enumerate(names):
        kind, found = _first_that_applies(order[number % len(order) :] + order, chance, abouts[name])
        hosts[found.host.name] = found.host
        weather += found.weather
        bad.append(BadHost(found.host.name, kind, found.sentence))
    spec = rehearsed.spec.model_copy(
        update={
            "hosts": tuple(hosts.get(host.name, host) for host in rehearsed.spec.hosts),
            "weather": (*rehearsed.spec.weather, *weather),
        }
    )
    # Its machines differ, and with them their computer accounts: the directory's first day is another one.
    return replace(rehearsed.under(spec), first_day=[]), tuple(sorted(bad, key=lambda one: one.host))


def how_many(share: str, of: int) -> int:
    """Return a share or a count as a count.

    Raises:
        ValueError: it is neither, or more than there are.
    """
    found = re.fullmatch(r"(\d{1,6})(?:\.(\d{1,3}))?(%?)", share.strip())
    if found is None or (found[2] and not found[3]):
        raise ValueError("give a share such as 5%, or a count")
    if not found[3]:
        many = int(found[1])
    else:
        thousandths = int(found[1]) * 1000 + int((found[2] or "0").ljust(3, "0"))
        many = (of * thousandths + 50_000) // 100_000
        many = max(many, 1 if thousandths else 0)
        many = many if thousandths <= 100_000 else of + 1
    if many > of:
        raise ValueError(f"the plan has {of} hosts")
    return many


def _abouts(plan: Plan, spec: EstateSpec) -> dict[str, _About]:
    there = {host.name.lower(): host for host in spec.hosts}
    sams = {user.dn.lower(): (user.sam or user.dn.partition(",")[0][3:]).lower() for user in spec.users}
    moved: dict[str, set[str]] = {}
    reboots: set[str] = set()
    for migration in plan.migrations():
        for host in migration.hosts:
            name = host.name.lower()
            moved.setdefault(name, set()).add(sams.get(migration.account.lower(), ""))
            if plan.policy_of(migration.id).reboot == "after_registry":
                reboots.add(name)
    return {
        name: _About(there[name], tuple(_run_as(there[name], accounts)), name in reboots, spec.clock.start)
        for name, accounts in moved.items()
        if name in there
    }


def _run_as(host: HostSpec, accounts: set[str]) -> Iterable[str]:
    return (one.name for one in host.services if folded_account(one.log_on) in accounts)


def _first_that_applies(kinds: list[str], chance: random.Random, about: _About) -> tuple[str, _Badness]:
    for kind in kinds:
        found = KINDS[kind](chance, about)
        if found is not None:
            return kind, found
    raise ValueError(f"{about.host.name} cannot be bad in that way")


# The kinds.


def _unreachable(_chance: random.Random, about: _About) -> _Badness:
    return _Badness("offers no endpoint", about.host.model_copy(update={"listening": False}))


def _old(chance: random.Random, about: _About) -> _Badness:
    build = chance.choice(_OLD_BUILDS)
    said = f"is Windows build {build}, which knows no dMSA"
    return _Badness(said, about.host.model_copy(update={"build": build}))


def _goes_down(chance: random.Random, about: _About) -> _Badness:
    delay = timedelta(minutes=chance.choice((0, 5, 4320, 28800)))
    lasts = timedelta(minutes=chance.choice((20, 2880, 5_256_000)))
    begins = f"{write_duration(delay)} after its switch was set" if delay else "as soon as its switch is set"
    ends = "for good" if lasts > timedelta(days=1000) else f"for {write_duration(lasts)}"
    rule = w.HostDown(kind="host-down", host=about.host.name, when=_switched(about), delay=delay, lasts=lasts)
    return _Badness(f"answers nothing any more {begins}, {ends}", about.host, (rule,))


def _refuses(_chance: random.Random, about: _About) -> _Badness:
    when = w.Trigger(cmdlet=_SWITCH, host=about.host.name, times=_ALWAYS)
    return _Badness("denies whoever writes its switch", about.host, (w.AccessDenied(kind="access-denied", when=when),))


def _broken_service(chance: random.Random, about: _About) -> _Badness | None:
    if not about.services:
        return None
    service, times = chance.choice(about.services), chance.choice((1, 1000))
    rule = w.ServiceBroken(kind="service-broken", host=about.host.name, service=service, at=about.start, times=times)
    often = "once it is stopped" if times > 1 else "the next time"
    return _Badness(f"{service} does not start {often}", about.host, (rule,))


def _policy(chance: random.Random, about: _About) -> _Badness:
    value = chance.choice(("absent", 0))
    rule = w.RegistryChanged(
        kind="registry-changed",
        host=about.host.name,
        when=_switched(about),
        delay=timedelta(minutes=chance.choice((20, 90))),
        value=value,
        every=timedelta(minutes=90),
    )
    said = "takes its switch away" if value == "absent" else "sets its switch to 0"
    return _Badness(f"a group policy {said} every 90 minutes", about.host, (rule,))


def _silent(_chance: random.Random, about: _About) -> _Badness:
    said = "never adds itself to the principals of a dMSA"
    return _Badness(said, about.host.model_copy(update={"registers": False}))


def _slow_to_boot(chance: random.Random, about: _About) -> _Badness | None:
    if not about.reboots:
        return None
    boots_in = timedelta(minutes=chance.choice((20, 720)))
    return _Badness(f"takes {write_duration(boots_in)} to boot", about.host.model_copy(update={"boots_in": boots_in}))


def _switched(about: _About) -> w.Trigger:
    return w.Trigger(cmdlet=_SWITCH, host=about.host.name)


KINDS: dict[str, Callable[[random.Random, _About], _Badness | None]] = {
    "unreachable": _unreachable,
    "goes-down": _goes_down,
    "old-windows": _old,
    "switch-refused": _refuses,
    "service-fails": _broken_service,
    "policy-resets": _policy,
    "never-registers": _silent,
    "slow-boot": _slow_to_boot,
}
"""Every kind of bad host; one that does not fit a host (no service there, no reboot) is answered with None."""
