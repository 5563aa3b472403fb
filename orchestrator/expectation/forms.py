"""The forms in which people export events: CSV, JSON, JSON lines, XML. Text in, rows out; each row knows its line.

Understood: ``Get-WinEvent | Export-Csv`` and ``| ConvertTo-Json``, the event viewer's CSV and XML, ``wevtutil qe`` as
XML, Splunk's and Elastic's JSON lines, CSV and JSON of a Log Analytics workspace. A row that cannot be read is an error
that names its line: a row that is left out is an event that nobody has looked at.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

Row: TypeAlias = Mapping[str, Any]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_SPACE = re.compile(r"[\s,]*")
_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
_NUMBER = re.compile(r"\d{9,13}(?:\.\d+)?")
_WRAPPED = ("result", "_source")
_LISTS = ("value", "events", "results", "rows")
_MESSAGE = "message"
_XML_EVENT = re.compile(r"<Event(?:\s[^>]*)?>.*?</Event>", re.DOTALL)
_XML_BEGIN = re.compile(r"<Event[\s>]")
_XML_BETWEEN = re.compile(r"\s*(?:</Events>\s*)?(?:<\?xml[^>]*>\s*)?(?:<Events[^>]*>\s*)?")
_SEPARATOR = re.compile(r"sep=(.)\s*", re.IGNORECASE)


class EventUnreadable(Exception):
    """A row of an export says something that cannot be understood, or not in this form."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line, self.why = line, why


def rows_of(text: str) -> Iterator[tuple[int, Row]]:
    """Yield every row with the line on which it begins.

    Raises:
        EventUnreadable: a row is damaged, or the text is in no form that is understood.
    """
    text = text.removeprefix("\ufeff")
    begin = text.lstrip()[:1]
    return _json(text) if begin in {"[", "{"} else _xml(text) if begin == "<" else _csv(text)


def _xml(text: str) -> Iterator[tuple[int, Row]]:
    """Yield events as they are written, each as raw text; what lies between them is a root, or nothing."""
    line, at = 1, 0
    while at < len(text):
        between = _XML_BETWEEN.match(text, at)
        end = between.end() if between else at
        line, at = line + text.count("\n", at, end), end
        if at >= len(text):
            return
        found = _XML_EVENT.match(text, at)
        if found is None or len(_XML_BEGIN.findall(found[0])) > 1:
            raise EventUnreadable(line, f"this is no event as XML, or one that was cut off: {text[at : at + 40]!r}")
        yield line, {"raw": found[0]}
        line, at = line + found[0].count("\n"), found.end()


def _json(text: str) -> Iterator[tuple[int, Row]]:
    decoder, at, line, depth = json.JSONDecoder(), 0, 1, 0
    while True:
        skipped = _SPACE.match(text, at)
        end = skipped.end() if skipped else at
        line, at = line + text.count("\n", at, end), end
        if at >= len(text):
            if depth:
                raise EventUnreadable(line, "the list of events ends in its middle; the export was cut off")
            return
        if text[at] == "[":
            depth, at = depth + 1, at + 1
            continue
        if text[at] == "]" and depth:
            depth, at = depth - 1, at + 1
            continue
        try:
            value, end = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            raise EventUnreadable(line, f"this is no JSON: {error}") from None
        yield from _unwrapped(value, line)
        line, at = line + text.count("\n", at, end), end


def _unwrapped(value: Any, line: int) -> Iterator[tuple[int, Row]]:
    if not isinstance(value, dict):
        raise EventUnreadable(line, f"an event is an object with named fields, and this is {str(value)[:40]!r}")
    for name in _WRAPPED:
        if isinstance(value.get(name), dict):
            value = value[name]
    several = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
    if several is None:
        yield line, value
        return
    for item in several:
        yield from _unwrapped(item, line)


def _csv(text: str) -> Iterator[tuple[int, Row]]:
    lines = _LINE.findall(text)
    first = next((n for n, one in enumerate(lines) if one.strip() and not one.startswith("#TYPE")), None)
    if first is None:
        return
    separator = _SEPARATOR.fullmatch(lines[first])  # a line that Excel understands
    first += 1 if separator and first + 1 < len(lines) else 0
    delimiter = separator[1] if separator else max(",;\t", key=lines[first].count)
    reader = csv.reader(lines[first:], delimiter=delimiter, strict=True)
    begin = first + 1
    try:
        names = _head(next(reader), begin)
        begin = first + reader.line_num + 1
        for cells in reader:
            if cells:
                yield begin, _named(names, cells, begin)
            begin = first + reader.line_num + 1
    except csv.Error as error:
        raise EventUnreadable(begin, f"this is no row of CSV: {error}") from None


def _head(cells: list[str], line: int) -> list[str]:
    if len(cells) < 2:
        raise EventUnreadable(line, "these are no column names; events come as CSV with a head, as JSON, or as XML")
    return [name.strip() or f"column {number}" for number, name in enumerate(cells, 1)]


def _named(names: list[str], cells: list[str], line: int) -> Row:
    """Name a row's cells; the event viewer gives the message a column of its own, but no name."""
    if len(cells) == len(names) + 1 and _MESSAGE not in {name.casefold() for name in names}:
        names = [*names, _MESSAGE]
    if len(cells) != len(names):
        raise EventUnreadable(line, f"the head has {len(names)} columns, and this row has {len(cells)}")
    return dict(zip(names, cells, strict=True))


@dataclass(frozen=True)
class TimeForm:
    """How times are written where they are not ISO 8601 with a zone: a form of ``strptime``, and whose time it is."""

    format: str | None = None
    zone: str | None = None

    @cached_property
    def _zone(self) -> ZoneInfo | None:
        return ZoneInfo(self.zone) if self.zone else None

    def read(self, value: Any, line: int, *, utc: bool = False) -> datetime:
        """Return a time in UTC; *utc*: what names no zone is UTC, for the column says so.

        Raises:
            EventUnreadable: it is no time, or does not say in which zone.
        """
        while isinstance(value, dict):
            value = next((value[name] for name in ("value", "SystemTime", "@SystemTime") if name in value), None)
        text = str(value).strip()
        try:
            return self._utc(text, line, UTC if utc else self._zone)
        except (OverflowError, OSError):
            raise EventUnreadable(line, f"{text[:60]!r} is no time that a log can have") from None

    def _utc(self, text: str, line: int, zone: tzinfo | None) -> datetime:
        if date := _DATE.fullmatch(text):
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(date[1]))
        if _NUMBER.fullmatch(text):
            seconds = float(text)
            return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
        found = self._iso(text) or self._formed(text)
        if found is None:
            form = f", nor in the form {self.format!r}" if self.format else "; say with --time-format how it is written"
            raise EventUnreadable(line, f"{text[:60]!r} is no time in ISO 8601{form}")
        if found.tzinfo is None:
            if zone is None:
                raise EventUnreadable(line, f"{text[:60]!r} does not say in which zone; say it with --zone")
            found = found.replace(tzinfo=zone)
        return found.astimezone(UTC)

    @staticmethod
    def _iso(text: str) -> datetime | None:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return None

    def _formed(self, text: str) -> datetime | None:
        if self.format is None:
            return None
        try:
            return datetime.strptime(text, self.format)  # noqa: DTZ007 - the zone is asked for right after
        except ValueError:
            return None
