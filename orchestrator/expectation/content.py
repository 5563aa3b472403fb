"""What an event says, taken out of the row of an export, whatever form that has.

Fields are taken without regard to case, spaces, dots and underscores, with or without what collectors put before; else
out of the event as XML, out of its values in their order, or out of the English message.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from orchestrator.expectation.forms import Row
from orchestrator.expectation.numbers import LABELS, NEEDS, OF_TARGET, ORDER, TARGETS

ID = ("eventid", "eventcode", "winlogeventid", "systemeventid", "eventsystemeventid", "eventidentifier", "id")
_OF_PORTAL = "timegeneratedutc"
TIME = (
    *("timecreated", "timecreatedsystemtime", "systemtimecreated", "systemtimecreatedsystemtime", "systemtime"),
    *("eventsystemtimecreatedattributessystemtime", "eventsystemtimecreated", "timegenerated", _OF_PORTAL),
    *("timestamp", "dateandtime", "eventtime", "time"),
)
IN_UTC = frozenset({_OF_PORTAL})
"""Columns whose own name says the zone: ``TimeGenerated [UTC]``, as a Log Analytics workspace names it."""
COMPUTER = (
    *("machinename", "computer", "computername", "winlogcomputername", "systemcomputer", "eventsystemcomputer"),
    *("hostname", "host"),
)
LOG = ("logname", "channel", "winlogchannel", "systemchannel", "eventsystemchannel", "log")
PROVIDER = (
    *("providername", "winlogprovidername", "source", "sourcename", "eventsourcename", "systemprovider"),
    *("systemprovidername", "provider"),
)
RECORD = ("recordid", "eventrecordid", "winlogrecordid", "systemeventrecordid", "recordnumber")
MESSAGE = ("message", "renderedmessage", "renderedtext", "description", "eventmessage", "msg")
RAW = "raw"
_XML = ("eventdata", "xml", RAW, "eventxml", "rawxml")
_HEAD = frozenset({*ID, *TIME, *COMPUTER, *LOG, *PROVIDER, *RECORD, *MESSAGE, *_XML})
_BEFORE = ("winlogeventdata", "winloguserdata", "eventeventdata", "eventdata", "userdata", "properties")
_NOT_A_LETTER = re.compile(r"[^a-z0-9]")
_DATA = re.compile(r"""<Data(?:\s+Name\s*=\s*(?P<q>['"])(?P<name>[^'"]*)(?P=q))?\s*(?:/>|>(?P<value>[^<]*)</Data>)""")
_SYSTEM = {
    "eventid": re.compile(r"<EventID[^>]*>(\d+)</EventID>"),
    "timecreated": re.compile(r"""<TimeCreated\s+SystemTime\s*=\s*['"]([^'"]+)['"]"""),
    "computer": re.compile(r"<Computer>([^<]*)</Computer>"),
    "channel": re.compile(r"<Channel>([^<]*)</Channel>"),
    "providername": re.compile(r"""<Provider\s[^>]*?Name\s*=\s*['"]([^'"]+)['"]"""),
    "recordid": re.compile(r"<EventRecordID>(\d+)</EventRecordID>"),
}


@lru_cache(4096)
def folded(name: str) -> str:
    """Return a name as it is compared."""
    small = name.lower()
    return small if small.startswith("%%") else _NOT_A_LETTER.sub("", small)


def flat(row: Row) -> dict[str, Any]:
    """Return a row's fields by folded name; what is nested by the names along the way."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if value not in (None, "") and name != "_id":
            key = folded(name)
            found.setdefault(key, value)
            if isinstance(value, dict):
                for inner, deep in flat(value).items():
                    found.setdefault(key + inner, deep)
    return found


def first(fields: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """Return the value of the first of these fields that the row has."""
    return next((fields[name] for name in names if name in fields), None)


def plain(value: Any) -> str:
    """Return a value as text; of an object what it is the object of."""
    while isinstance(value, dict):
        value = next((value[key] for key in ("Value", "#text", "name", "Name", "value") if key in value), None)
    return "" if value is None else str(value).strip()


def with_xml(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields with those that stand in the event as XML, where the row has it."""
    text = next((value for name in _XML if isinstance(value := fields.get(name), str) and "<" in value), "")
    return {**{name: html.unescape(found[1]) for name, one in _SYSTEM.items() if (found := one.search(text))}, **fields}


def message(fields: Mapping[str, Any]) -> str:
    """Return the event's rendered message, which may stand in the raw event."""
    said = plain(first(fields, MESSAGE))
    raw = fields.get(RAW)
    return said or (raw.strip() if isinstance(raw, str) and "<Event" not in raw else "")


def data_of(number: int, fields: Mapping[str, Any], row: Row) -> dict[str, str]:
    """Return what the event says, by Windows' names in small letters; values without a name as ``param1`` and so on."""
    data = dict(_named(fields))
    if not data or any(name not in data for name in NEEDS.get(number, ("targetusername",))):
        data = {**_in_order(number, row), **_in_message(message(fields)), **data}
    return data


def _named(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, str | int | float) and name not in _HEAD:
            before = next((one for one in _BEFORE if name.startswith(one)), "")
            yield name[len(before) :], str(value)
    for tagged in _XML:
        xml = fields.get(tagged)
        if isinstance(xml, str) and "<Data" in xml:
            for number, found in enumerate(_DATA.finditer(xml), 1):
                yield folded(found["name"] or f"param{number}"), html.unescape(found["value"] or "")
    listed = next((fields[name] for name in fields if name.endswith("eventdatadata")), None)
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict) and (item.get("@Name") or item.get("Name")):
            yield (
                folded(str(item.get("@Name") or item.get("Name"))),
                str(item.get("#text") or item.get("Value") or item.get("content") or ""),
            )


def _in_order(number: int, row: Row) -> dict[str, str]:
    values = next((value for name, value in row.items() if name.lower() == "properties"), None)
    order = ORDER.get(number, ())
    if not isinstance(values, list) or len(values) < len(order):
        return {}
    return {name: plain(value) for name, value in zip(order, values, strict=False)}


def _in_message(text: str) -> dict[str, str]:
    """Return what a rendered English message says, by its labels."""
    found: dict[str, str] = {}
    section = ""
    for raw in text.splitlines():
        label, colon, value = raw.strip().partition(":")
        if not colon:
            continue
        if not value.strip() and not raw[:1].isspace():
            section = label.lower()
            continue
        key = LABELS.get((section, label.lower()))
        if key is None and section in TARGETS:
            key = OF_TARGET.get(label.lower())
        if key is not None:
            found.setdefault(key, value.strip())
    return found
