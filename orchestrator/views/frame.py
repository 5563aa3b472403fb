"""One picture of a run that goes on: everything in a table, or, where there is no room, what matters and numbers.

Pure: where a run stands in, lines out. What stays on the screen stays where it is: a migration has one line and keeps
it, a wave has one line, and where not everything fits the picture is as high as the terminal, whatever happens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.engine.outcome import wave_state
from orchestrator.engine.outside import gate_of
from orchestrator.model.lifecycle import PATH, Phase
from orchestrator.model.plan import Wave
from orchestrator.views.along import Along
from orchestrator.views.moment import brief, iso, span
from orchestrator.views.needed import broken, needed
from orchestrator.views.rows import Line, Look, Seen, Span, Style, row, seen, width_of_names

_COUNTED = ("moving", "waiting", "planned")
_BEFORE_COMPLETE = frozenset(PATH[: PATH.index(Phase.RESTARTED)])


@dataclass(frozen=True)
class Frame:
    """A picture, and which migration has which line of it where not all have one."""

    lines: tuple[Line, ...]
    slots: tuple[str | None, ...] = ()

    def text(self) -> list[str]:
        """Return the picture without styles."""
        return ["".join(span.text for span in line).rstrip() for line in self.lines]


def frame(along: Along, look: Look, now: datetime | None, latest: str = "", slots: Sequence[str | None] = ()) -> Frame:
    """Draw a run.

    Args:
        along: where it stands; its answers are those of *now*.
        look: what there is to draw on.
        now: estate time.
        latest: what happened last, or what is waited for.
        slots: which migration had which line in the picture before.
    """
    chosen = frozenset(along.ids)
    found = {one.id: seen(along, one.id, chosen) for one in along.plan.migrations()}
    head = _head(along, found, look, now, latest)
    persons = list(needed(along, found, look, now))
    width = width_of_names(found, look)
    whole = len(head) + len(along.plan.waves) + len(found) + sum(map(len, persons))
    if whole < look.height:
        rows = _tree(along, found, look, now, width)
        return Frame((*head, *rows, *(line for entry in persons for line in entry)))
    return _crowded(along, found, look, now, head, persons, slots)


def _head(along: Along, found: dict[str, Seen], look: Look, now: datetime | None, latest: str) -> tuple[Line, ...]:
    time = iso(now) or "not read yet"
    name = along.plan.name
    title = look.fitting(look.width, f"{name}   estate time {time}", f"{name}   {time}", name)
    counts = _joined(_counts(along, found, now), look)
    return (Span(title, "bold"),), (Span(counts),), (Span(look.cut(look.spelled(latest), look.width), "dim"),)


def _counts(along: Along, found: dict[str, Seen], now: datetime | None) -> Iterator[str]:
    mine = [found[id_] for id_ in along.ids]
    groups: Counter[str] = Counter(one.group for one in mine)
    persons = Counter(one.mark for one in mine if one.group == "person")
    yield f"{groups['ended']} of {len(mine)} ended"
    yield from (f"{persons[word]} {word}" for word in ("FAILED", "HELD") if persons[word])
    yield from (f"{groups[group]} {group}" for group in _COUNTED if groups[group])
    dues = [one.waiting.until for one in mine if one.waiting and one.waiting.until]
    if dues and now is not None and not groups["moving"]:
        yield f"next {brief(min(dues), now)}"
        yield f"in {span(min(dues) - now)}"


def _joined(pieces: Iterator[str], look: Look) -> str:
    """Return as many pieces as fit, apart by commas."""
    text = next(pieces)
    for piece in pieces:
        if len(text) + 2 + len(piece) > look.width:
            break
        text += f", {piece}"
    return text


def _tree(along: Along, found: dict[str, Seen], look: Look, now: datetime | None, width: int) -> Iterator[Line]:
    for wave in along.plan.waves:
        yield wave_line(along, wave, found, look, now)
        for migration in wave.migrations:
            yield row(along, found[migration.id], look, now, width)


def wave_line(along: Along, wave: Wave, found: dict[str, Seen], look: Look, now: datetime | None) -> Line:
    """Return a wave as a line: its state, what it waits for, how far it is, and how its window stands."""
    state, waiting = wave_state(along.state, wave, along.answers(wave))
    what = f", for {waiting.waiting_for}" if waiting else ""
    until = f" until {brief(waiting.until, now)}" if waiting and waiting.until else ""
    left = f" ({span(waiting.until - now)})" if waiting and waiting.until and now else ""
    ended = sum(found[migration.id].group == "ended" for migration in wave.migrations)
    shut = waiting is not None and waiting.waiting_for in {"window", "blackout"}
    more = [] if state == "done" or shut else list(_window(along, wave, now))
    more += [f"{ended} of {len(wave.migrations)} ended"]
    more += [look.spelled(waiting.detail)] if waiting and waiting.detail else []
    head = look.spelled(f"wave {wave.name}: {state}")
    text = look.fitting(look.width, f"{head}{what}{until}{left}", f"{head}{what}{until}", f"{head}{what}", head)
    for piece in more:
        room = look.width - len(text) - 2
        if room >= min(len(piece), 20):
            text += f"  {look.cut(piece, room)}"
    style: Style = "failed" if state == "failed" else "held" if state == "held" else "dim" if state == "done" else ""
    return (Span(text, style),)


def _window(along: Along, wave: Wave, now: datetime | None) -> Iterator[str]:
    """Say how long the wave's window is open yet, or when it opens: of the gate that comes next."""
    early = any(along.state[migration.id].phase in _BEFORE_COMPLETE for migration in wave.migrations)
    gate = gate_of(wave, "start" if early else "complete", now) if now else None
    if gate is None or now is None:
        return
    if gate.is_open:
        yield f"window open, {span(gate.closes - now)} left" if gate.closes else "window open"
    elif gate.opens:
        yield f"window opens {brief(gate.opens, now)} (in {span(gate.opens - now)})"
    else:
        yield "window does not open"


def _crowded(
    along: Along,
    found: dict[str, Seen],
    look: Look,
    now: datetime | None,
    head: tuple[Line, ...],
    persons: list[list[Line]],
    slots: Sequence[str | None],
) -> Frame:
    """Draw what moves, waits and needs a person, and count the rest, on all lines but one of the terminal."""
    room = max(4, look.height - 1 - len(head))
    below = _first(persons, room // 2, look)
    waves = _waves(along, found, look, now, max(2, (room - len(below)) // 3))
    free = max(1, room - len(below) - len(waves) - 1)
    wanted = sorted((id_ for id_ in found if _importance(found[id_])), key=lambda id_: _importance(found[id_]))
    slots = _kept(slots, wanted, free)
    width = width_of_names([id_ for id_ in slots if id_] or found, look)
    rows = [row(along, found[id_], look, now, width) if id_ else () for id_ in slots]
    rest = _rest(found, set(slots), look)
    return Frame((*head, *waves, *rows, rest, *below), tuple(slots))


def _importance(one: Seen) -> int:
    """Return 1 for what moves, 2 for what waits for something that may not come, 3 for weeks; 0 for what is counted."""
    if one.group == "moving":
        return 1
    long_wait = one.waiting is not None and one.waiting.waiting_for in {"dwell", "ledger"}
    return (3 if long_wait else 2) if one.group == "waiting" else 0


def _first(persons: list[list[Line]], room: int, look: Look) -> list[Line]:
    """Return as many entries as fit, each whole; the others are counted, with where to read them."""
    lines: list[Line] = []
    for place, entry in enumerate(persons):
        last = place == len(persons) - 1
        if lines and len(lines) + len(entry) + (not last) > room:
            return [*lines, *broken(f"and {len(persons) - place} more: `dmsa status {look.command}`", look)]
        lines += entry
    return lines


def _waves(along: Along, found: dict[str, Seen], look: Look, now: datetime | None, room: int) -> list[Line]:
    """Return the lines of the waves; where there are too many, first of those that have begun and have not ended."""
    waves = along.plan.waves
    if len(waves) <= room:
        return [wave_line(along, wave, found, look, now) for wave in waves]
    states = {wave.name: wave_state(along.state, wave, along.answers(wave))[0] for wave in waves}
    later = {"pending": 1, "done": 2}
    first = sorted(waves, key=lambda wave: later.get(states[wave.name], 0))[: room - 1]
    others = Counter(states[wave.name] for wave in waves if wave not in first)
    counted = ", ".join(f"{number} {state}" for state, number in others.items())
    shown = [wave_line(along, wave, found, look, now) for wave in waves if wave in first]
    return [*shown, (Span(look.cut(f"other waves: {counted}", look.width), "dim"),)]


def _kept(slots: Sequence[str | None], wanted: list[str], free: int) -> list[str | None]:
    """Give lines to the first that want one; who had a line keeps it."""
    lucky = wanted[:free]
    kept = [id_ if id_ in lucky else None for id_ in (*slots, *[None] * free)[:free]]
    others = iter([id_ for id_ in lucky if id_ not in kept])
    return [id_ if id_ is not None else next(others, None) for id_ in kept]


def _rest(found: dict[str, Seen], shown: set[str | None], look: Look) -> Line:
    others: Counter[str] = Counter(
        one.group for id_, one in found.items() if id_ not in shown and one.group != "person"
    )
    words = {"ended": "ended", "apart": "not selected", "moving": "moving", "waiting": "waiting", "planned": "planned"}
    counted = ", ".join(f"{others[group]} {word}" for group, word in words.items() if others[group])
    return (Span(look.cut(f"  others: {counted}" if counted else "", look.width), "dim"),)
