"""Cross-checks on waves: names, order, windows, retries."""

from __future__ import annotations

import difflib
import zoneinfo
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache

from orchestrator.model.plan import Blackout, Migration, Plan, Policy, Wave, Window
from orchestrator.model.written import write_duration
from orchestrator.planfile.crosschecks.finding import Finding, migrations_of, waves_of
from orchestrator.planfile.keys import nearest
from orchestrator.planfile.problem import Loc

_TOLD = 10
_NOT_IANA = {"localtime", "posixrules", "Factory"}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def wave_twice(plan: Plan) -> Iterator[Finding]:
    """A wave is named on the command line and in ``needs``."""
    seen: set[str] = set()
    for loc, wave in waves_of(plan):
        if wave.name.casefold() in seen:
            yield Finding((*loc, "name"), f"there are two waves {wave.name}", "give each a name of its own")
        seen.add(wave.name.casefold())


def needs_unknown(plan: Plan) -> Iterator[Finding]:
    """``needs`` names waves of this plan."""
    told = tuple(wave.name for wave in plan.waves)
    names = set(told)
    for loc, wave in waves_of(plan):
        for index, name in enumerate(wave.needs or ()):
            if name not in names:
                close = nearest(name, told)
                more = f" and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
                hint = f"did you mean {close}?" if close else f"the waves are {', '.join(told[:_TOLD])}{more}"
                yield Finding((*loc, "needs", index), f"there is no wave {name}", hint, ("waves",), depth=1)


def needs_circular(plan: Plan) -> Iterator[Finding]:
    """No wave waits for itself, on whatever way; without ``needs`` a wave needs the one above."""
    needs = {wave.name: plan.needs_of(wave) for wave in plan.waves}
    locs = {wave.name: (loc, wave) for loc, wave in waves_of(plan)}
    done: set[str] = set()
    for start in needs:
        way = _circle(start, needs, done)
        if way:
            # A wave that needs the one above is only ever part of a circle that some written needs closes.
            loc, _ = next((locs[name] for name in way if locs[name][1].needs is not None), locs[way[0]])
            implied = [name for name in way if locs[name][1].needs is None]
            hint = f"{implied[0]} has no needs, so it needs the wave above; write needs: []" if implied else ""
            told = way if len(way) <= _TOLD else [*way[: _TOLD - 1], f"… ({len(way) - _TOLD} more) …", way[-1]]
            yield Finding((*loc, "needs"), " needs ".join((*told, way[0])), hint, ("waves",), depth=1)


def _circle(start: str, needs: dict[str, tuple[str, ...]], done: set[str]) -> list[str] | None:
    """Return a circle that can be reached from a wave that is not done; everything on the way is done then."""
    way: dict[str, Iterator[str]] = {} if start in done else {start: iter(needs.get(start, ()))}
    while way:
        last = next(reversed(way))
        following = next(way[last], None)
        if following is None:
            del way[last]
            done.add(last)
        elif following in way:
            done.update(way)
            names = list(way)
            return names[names.index(following) :]
        elif following not in done and following in needs:
            way[following] = iter(needs[following])
    return None


def window_forms(plan: Plan) -> Iterator[Finding]:
    """A wave has one window or two, not both forms."""
    for loc, wave in waves_of(plan):
        if wave.window and wave.windows:
            hint = "window counts for Start and Complete alike; windows.start and windows.complete for one each"
            yield Finding((*loc, "windows"), "the wave has window and windows", hint)


def _windows(loc: Loc, wave: Wave) -> Iterator[tuple[Loc, Window]]:
    if wave.window:
        yield (*loc, "window"), wave.window
    for half in ("start", "complete"):
        window = getattr(wave.windows, half, None)
        if window:
            yield (*loc, "windows", half), window


def zone_unknown(plan: Plan) -> Iterator[Finding]:
    """A zone is one of the IANA database, for daylight saving time is honoured."""
    for loc, wave in waves_of(plan):
        for at, window in _windows(loc, wave):
            if _zone(window.zone) is None:
                yield Finding((*at, "zone"), f"there is no time zone {window.zone}", _near_zone(window.zone))


@cache
def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    if name in _NOT_IANA or name.startswith(("posix/", "right/")):
        return None  # on this machine it may be some zone, on another a different one or none
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None  # not in the database; or a directory, or a file of it that is no zone


@cache
def _near_zone(name: str) -> str:
    wanted = name[:100].casefold().replace(" ", "_")
    known = {zone.casefold(): zone for zone in _zones() if zone[0].casefold() == wanted[0]}
    close = difflib.get_close_matches(wanted, known, n=1, cutoff=0.7)
    return f"did you mean {known[close[0]]}?" if close else "write its IANA name, such as Europe/Berlin"


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(zoneinfo.available_timezones() - _NOT_IANA))


def window_never_opens(plan: Plan) -> Iterator[Finding]:
    """A window that no work fits into, or that a blackout covers for ever, never opens."""
    for loc, wave, migration in migrations_of(plan):
        policy = plan.policy_of(migration.id)
        for at, window in _windows(loc[:2], wave):
            count = _restarts(migration, policy, at[-1])
            if count * policy.restart_takes > _length(window):
                restarts = f"a restart of {migration.id} takes"
                if count > 1:
                    restarts = f"{count} restarts of {migration.id} at one host, one after the other, take"
                message = f"it is open for {write_duration(_length(window))}, but {restarts}"
                hint = "open it for longer, or lower restart_takes"
                yield Finding(at, f"never opens: {message} {write_duration(count * policy.restart_takes)}", hint, loc)
    for loc, wave in waves_of(plan):
        for at, window in _windows(loc, wave):
            if not _opens(window, wave.blackout):
                yield Finding(at, "never opens: a blackout covers every day from some day on", "give it an end", loc)


def _restarts(migration: Migration, policy: Policy, half: object) -> int:
    """Return how many restarts follow each other within a window: at the host that has the most, after its reboot."""
    if half == "complete" and not policy.restart_after_complete:
        return 0
    reboot = half != "complete" and policy.reboot == "after_registry"
    return reboot + max(len(host.services) + len(host.app_pools) + host.discovers for host in migration.hosts)


def _length(window: Window) -> timedelta:
    opens, closes = (datetime.strptime(text, "%H:%M") for text in (window.open, window.close))  # noqa: DTZ007
    return closes - opens if closes > opens else closes - opens + timedelta(days=1)


def _opens(window: Window, blackouts: tuple[Blackout, ...]) -> bool:
    """Say whether some day of the window lies behind every blackout."""
    last = max((blackout.to for blackout in blackouts), default=date.min)
    room = min((date.max - last).days, len(_DAYS))
    return any(_DAYS[(last + timedelta(days=after)).weekday()] in window.days for after in range(1, room + 1))


def blackout_backwards(plan: Plan) -> Iterator[Finding]:
    """A blackout ends on or after its first day."""
    for loc, wave in waves_of(plan):
        for index, blackout in enumerate(wave.blackout):
            if blackout.to < blackout.from_:
                message = f"ends on {blackout.to}, before it begins on {blackout.from_}"
                yield Finding((*loc, "blackout", index, "to"), message, "", (*loc, "blackout", index))


def retry_waits(plan: Plan) -> Iterator[Finding]:
    """The first wait is no longer than the longest."""
    said: set[Loc] = set()
    for loc, wave, migration in migrations_of(plan):
        retry = plan.policy_of(migration.id).retry
        if retry.first_wait <= retry.longest_wait:
            continue
        layers = ((loc, migration), (loc[:2], wave), (("policy",), plan.policy))
        at, _ = next(layer for layer in layers if "retry" in layer[1].model_fields_set)
        if at not in said:
            said.add(at)
            message = f"first_wait of {write_duration(retry.first_wait)} is longer than longest_wait"
            yield Finding((*at, "retry"), f"{message} of {write_duration(retry.longest_wait)}", "swap them")
