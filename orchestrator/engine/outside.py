"""What a step waits for outside its window, in words that say when it opens and why not now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.engine.stretch import Stretch
from orchestrator.engine.windows import FOREVER, HORIZON, blacked_out, next_opening, open_until
from orchestrator.model.lifecycle import Trigger
from orchestrator.model.plan import Blackout, Wave, Window

NEEDS_WINDOW = {
    Trigger.START: "start",
    Trigger.REGISTRY: "start",
    Trigger.RESTART: "start",
    Trigger.COMPLETE: "complete",
}
"""The steps that begin only in a window, and in which of the two."""

ALWAYS = Window(days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), open="00:00", close="00:00", zone="UTC")
"""The window of a gate that has none, in a wave with blackouts."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Shut(NamedTuple):
    """A window that a step waits for: until when, and why, in words."""

    waiting_for: Literal["window", "blackout"]
    until: datetime | None
    detail: str


def window_of(wave: Wave, gate: str) -> Window | None:
    """Return the wave's window for a gate (``start`` or ``complete``).

    A gate without one, in a wave with blackouts, is always open but for them: their dates are then those of the wave's
    other window, or of UTC.
    """
    halves = (wave.windows.start, wave.windows.complete) if wave.windows is not None else (wave.window, wave.window)
    window = halves[0] if gate == "start" else halves[1]
    if window is not None or not wave.blackout:
        return window
    other = next((half for half in halves if half is not None), None)
    return _always(other.zone) if other else ALWAYS


@cache
def _always(zone: str) -> Window:
    return ALWAYS.model_copy(update={"zone": zone})


def outside_window(wave: Wave, step: Trigger, at: datetime | None, stretch: Stretch | None) -> Shut | None:
    """Return what a step waits for where its window is closed, or closes before what it restarts can be back.

    Args:
        wave: the migration's wave.
        step: the step that would begin.
        at: estate time; None (it could not be read) closes every window.
        stretch: what it restarts.
    """
    gate = NEEDS_WINDOW.get(step)
    window = window_of(wave, gate) if gate else None
    if gate is None or window is None:
        return None
    if at is None:
        return Shut("window", None, "estate time could not be read, and until it can every window counts as closed")
    closes = open_until(window, wave.blackout, at)
    lasting = stretch.lasts if stretch else timedelta(0)
    if closes is not None and lasting <= closes - at:
        return None
    opens = next_opening(window, wave.blackout, at, lasting)
    name = named(wave, gate)
    then = f"opens {there(opens, window)}" if opens else _never(wave, window, at, stretch, told=closes is not None)
    if closes is not None:
        early = _cut_short(window, wave.blackout, closes)
        soon = f"too soon{' for Complete and what follows' if step is Trigger.COMPLETE else ''}: {stretch}"
        return Shut("window", opens, f"{name} closes {there(closes, window)}{early}, {soon}; it {then}")
    dark = _in_the_dark(window, wave.blackout, at)
    if dark is not None:
        bare = wave.window is None and (wave.windows is None or getattr(wave.windows, gate) is None)
        then = f"work may begin {there(opens, window)}" if bare and opens else f"{name} {then}"
        return Shut("blackout", opens, f"{_said(dark)}; {then}")
    return Shut("window", opens, f"{name} is closed and {then}{_passed_over(wave, window, at, opens)}")


class Gate(NamedTuple):
    """How the window of a gate stands: whether it is open, until when, when it opens next, and what keeps it shut."""

    window: Window
    is_open: bool
    closes: datetime | None
    opens: datetime | None
    dark: str | None


def gate_of(wave: Wave, gate: str, at: datetime) -> Gate | None:
    """Return how the window of a gate stands; None where work may begin at any time.

    ``closes`` is None where it is closed or never closes, ``opens`` where it does not open again within
    :data:`~.windows.HORIZON`.
    """
    window = window_of(wave, gate)
    if window is None:
        return None
    closes = open_until(window, wave.blackout, at)
    dark = None if closes else _in_the_dark(window, wave.blackout, at)
    ends = None if closes == FOREVER else closes
    return Gate(
        window, closes is not None, ends, next_opening(window, wave.blackout, at), _said(dark) if dark else None
    )


def named(wave: Wave, gate: str) -> str:
    """Return how the window of a gate is called."""
    return "the window" if wave.windows is None else f"the {gate} window"


def there(at: datetime, window: Window) -> str:
    """Return a moment as the clock on the wall shows it where the window is: ``Sat 2026-03-07 22:00 Europe/Berlin``."""
    local = at.astimezone(ZoneInfo(window.zone))
    return f"{_DAYS[local.weekday()]} {local:%Y-%m-%d %H:%M} {window.zone}"


def _never(wave: Wave, window: Window, at: datetime, stretch: Stretch | None, *, told: bool) -> str:
    if stretch is None or next_opening(window, wave.blackout, at) is None:
        return f"does not open within {HORIZON.days} days: amend its days or the blackout in the plan"
    why = "" if told else f" ({stretch})"
    return f"is not open that long within {HORIZON.days} days{why}: amend the plan, with a longer window"


def _in_the_dark(window: Window, blackout: Sequence[Blackout], at: datetime) -> Blackout | None:
    """Return the blackout that keeps a window shut now: today's, or that of the day on which it would have opened."""
    today = at.astimezone(ZoneInfo(window.zone)).date()
    if found := blacked_out(today, blackout):
        return found
    return blacked_out(today - timedelta(days=1), blackout) if open_until(window, (), at) else None


def _cut_short(window: Window, blackout: Sequence[Blackout], closes: datetime) -> str:
    """Say which blackout closes a window before its time, if one does."""
    dark = blacked_out(closes.astimezone(ZoneInfo(window.zone)).date(), blackout)
    return f" ({_said(dark)})" if dark else ""


def _passed_over(wave: Wave, window: Window, at: datetime, opens: datetime | None) -> str:
    """Say which blackout lies between a closed window and its next opening, if one puts it off."""
    plain = next_opening(window, (), at)
    if plain is None or plain == opens:
        return ""
    dark = blacked_out(plain.astimezone(ZoneInfo(window.zone)).date(), wave.blackout)
    return f" ({_said(dark)})" if dark else ""


def _said(dark: Blackout) -> str:
    span = f"on {_day(dark.from_)}" if dark.from_ == dark.to else f"from {_day(dark.from_)} to {_day(dark.to)}"
    return f"nothing begins {span}" + (f": {dark.reason}" if dark.reason else "")


def _day(day: date) -> str:
    return f"{_DAYS[day.weekday()]} {day.isoformat()}"
