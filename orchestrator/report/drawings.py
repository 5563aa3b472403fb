"""Drawings as inline SVG: who may use the dMSAs, when the waves were, what restarts took.

Each is an image with a title and a description, and takes its colours from the page it stands in (classes, and the
properties ``--ink --line --quiet --done --moving --waits --held --failed --back``). Nobody has to see one: the table
beside it has the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

from orchestrator.report.shown import shortened, spoken

WIDTH = 720
_LEFT, _RIGHT, _TOP = 8, 8, 8
_ROW, _LABEL = 26, 150
_TICKS = 5


def ledger_curve(
    points: Sequence[Mapping[str, Any]], expected: int, last: str | None, *, key: str, name: str, height: int = 150
) -> Markup:
    """Return how many hosts may use a dMSA (or several) over time, as steps; empty where nothing was read.

    Args:
        points: ``{at, hosts, others}``, in order of time.
        expected: how many hosts the plan has there; a dashed line.
        last: when it was read last; up to then the line goes on.
        key: begins the ids of this drawing; no other of the page may have it.
        name: whose ledger it is.
    """
    if not points:
        return Markup("")
    most = max(expected, 1, *(point["hosts"] + point["others"] for point in points))
    begin, end = _at(points[0]["at"]), _at(last or points[-1]["at"])
    across = _Axis(begin, max(end, begin), _LEFT + 34, WIDTH - _RIGHT)
    floor = height - 22

    def up(count: int) -> str:
        return _n(floor - (floor - _TOP) * count / most)

    parts = [_horizontal(across, up(expected), "expected"), *_dates(across, floor, height)]
    mark = Markup('<text x="{}" y="{}" text-anchor="end">{}</text>')
    parts += [mark.format(_LEFT + 28, up(count), count) for count in dict.fromkeys((0, expected, most))]
    if any(point["others"] for point in points):
        parts.append(_steps(across, [(one["at"], up(one["others"])) for one in points], "others"))
    parts.append(_steps(across, [(one["at"], up(one["hosts"])) for one in points], "hosts"))
    now = points[-1]
    said = (
        f"{now['hosts']} of {expected} hosts of the plan may use it at {last or now['at']}, and {now['others']} others;"
        f" first read {points[0]['at']}."
    )
    return _image(key, f"Ledger of {name}", said, height, parts, "ledger")


def wave_timeline(waves: Sequence[Mapping[str, Any]], *, key: str) -> Markup:
    """Return when each wave was: prepared, started, completed; one row a wave, empty where no wave has begun.

    Args:
        waves: ``{name, state, began, last, start: {first, last}, complete: {first, last}}``.
        key: begins the ids of this drawing.
    """
    times = [_at(one[name]) for one in waves for name in ("began", "last") if one[name]]
    if not times:
        return Markup("")
    across = _Axis(min(times), max(times), _LEFT + _LABEL, WIDTH - _RIGHT)
    height = _TOP + _ROW * len(waves) + 22
    parts = list(_dates(across, height - 22, height))
    for number, wave in enumerate(waves):
        parts += _wave_row(across, wave, _TOP + _ROW * number)
    begun = sum(bool(one["began"]) for one in waves)
    said = f"{begun} of {len(waves)} waves have begun, from {_day(min(times))} to {_day(max(times))}."
    return _image(key, "Waves over time", said, height, parts, "timeline")


def restart_bars(rows: Sequence[Mapping[str, Any]], *, key: str) -> Markup:
    """Return what 95 of 100 restarts took at most, beside what the plan expects; empty where none was measured.

    Args:
        rows: ``{name, planned, p95, measured}``, times in seconds; ``p95`` None where nothing was measured.
        key: begins the ids of this drawing.
    """
    found = [one for one in rows if one["p95"] is not None]
    if not found:
        return Markup("")
    most = max(1, *(max(one["planned"], one["p95"]) for one in found))
    left, height = _LEFT + _LABEL, _TOP + _ROW * len(found)
    scale = (WIDTH - _RIGHT - left - 130) / most
    parts = []
    for number, one in enumerate(found):
        top = _TOP + _ROW * number
        over = " over" if one["p95"] > one["planned"] else ""
        parts.append(_label(one["name"], top))
        parts.append(
            Markup(
                '<rect class="planned" x="{x}" y="{y}" width="{w}" height="16"/>'
                '<rect class="took{over}" x="{x}" y="{inner}" width="{took}" height="8"/>'
                '<text x="{after}" y="{text}">{said}</text>'
            ).format(
                x=left,
                y=top + 3,
                w=_n(one["planned"] * scale),
                over=over,
                inner=top + 7,
                took=_n(max(1, one["p95"] * scale)),
                after=_n(left + max(one["planned"], one["p95"]) * scale + 6),
                text=top + 15,
                said=f"{spoken(one['p95'])} / {spoken(one['planned'])}",
            )
        )
    above = sum(one["p95"] > one["planned"] for one in found)
    said = f"Of {len(found)} rows, {above} took longer than the plan expects."
    return _image(key, "Restart times beside what the plan expects", said, height, parts, "restarts")


class _Axis:
    """Where a time lies between left and right."""

    def __init__(self, begin: datetime, end: datetime, left: float, right: float) -> None:
        self.begin, self.left, self.right = begin, left, right
        self.end = max(end, begin + timedelta(seconds=1))

    def x(self, at: datetime) -> float:
        """Return the place of a time."""
        share = (at - self.begin) / (self.end - self.begin)
        return self.left + (self.right - self.left) * min(1.0, max(0.0, share))


def _wave_row(across: _Axis, wave: Mapping[str, Any], top: int) -> Iterator[Markup]:
    yield _label(wave["name"], top)
    if not wave["began"]:
        yield Markup('<text class="quiet" x="{}" y="{}">{}</text>').format(
            _LEFT + _LABEL, top + 15, shortened(wave["state"], 20)
        )
        return
    yield _span(across, wave["began"], wave["last"] or wave["began"], top + 9, 4, "all")
    for step in ("start", "complete"):
        if wave[step]["first"]:
            yield _span(across, wave[step]["first"], wave[step]["last"], top + 4, 14, step)


def _span(across: _Axis, first: str, last: str, top: int, high: int, kind: str) -> Markup:
    left, right = across.x(_at(first)), across.x(_at(last))
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        kind, _n(left), top, _n(max(2.0, right - left)), high
    )


def _label(name: str, top: int) -> Markup:
    return Markup('<text x="{}" y="{}">{}</text>').format(_LEFT, top + 15, shortened(name, 20))


def _steps(across: _Axis, points: Sequence[tuple[str, str]], kind: str) -> Markup:
    path = f"M{_n(across.x(_at(points[0][0])))} {points[0][1]}"
    for at, y in points[1:]:
        path += f"H{_n(across.x(_at(at)))}V{y}"
    return Markup('<path class="{}" d="{}H{}"/>').format(kind, path, _n(across.right))


def _horizontal(across: _Axis, y: str, kind: str) -> Markup:
    return Markup('<path class="{}" d="M{} {}H{}"/>').format(kind, _n(across.left), y, _n(across.right))


def _dates(across: _Axis, floor: float, height: int) -> Iterator[Markup]:
    """Yield the axis, and the dates below it, each once."""
    yield Markup('<path class="axis" d="M{} {}H{}"/>').format(_n(across.left), _n(floor), _n(across.right))
    told = ""
    for number in range(_TICKS):
        at = across.begin + (across.end - across.begin) * number / (_TICKS - 1)
        day = _day(at)
        if day != told:
            anchor = "start" if number == 0 else "end" if number == _TICKS - 1 else "middle"
            kind = "between" if anchor == "middle" else "edge"  # where there is no room for all, the edges are left
            yield Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
                kind, _n(across.x(at)), height - 6, anchor, day
            )
        told = day


def _image(key: str, title: str, said: str, height: int, parts: Sequence[Markup], kind: str) -> Markup:
    return Markup(
        '<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{key}-t {key}-d">'
        '<title id="{key}-t">{title}</title><desc id="{key}-d">{said}</desc>{parts}</svg>'
    ).format(
        kind=kind,
        width=WIDTH,
        height=height,
        key=key,
        title=shortened(title, 200),
        said=said,
        parts=Markup("").join(parts),
    )


def _at(at: str) -> datetime:
    return datetime.fromisoformat(at).astimezone(UTC)


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
