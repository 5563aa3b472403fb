"""One exported event as it is understood, whatever its fields were called.

Field names are Windows' own (the names in ``EventData``; Microsoft Learn, Windows security auditing, the page of each
event). They are taken without regard to case, spaces, dots and underscores, with or without what collectors put before.
Where an export has only the rendered message, its English labels are read.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from orchestrator.expectation.forms import EventUnreadable, Row, TimeForm
from orchestrator.expectation.names import User

_ID = ("eventid", "eventcode", "winlogeventid", "systemeventid", "eventsystemeventid", "eventidentifier", "id")
_TIME = (
    *("timecreated", "timecreatedsystemtime", "systemtimecreated", "systemtimecreatedsystemtime", "systemtime"),
    *("eventsystemtimecreated", "timegenerated", "timestamp", "dateandtime", "eventtime", "time"),
)
_COMPUTER = (
    *("machinename", "computer", "computername", "winlogcomputername", "systemcomputer", "eventsystemcomputer"),
    *("hostname", "host"),
)
_LOG = ("logname", "channel", "winlogchannel", "systemchannel", "eventsystemchannel", "log")
_PROVIDER = (
    *("providername", "winlogprovidername", "source", "sourcename", "eventsourcename", "systemprovider"),
    *("systemprovidername", "provider"),
)
_RECORD = ("recordid", "eventrecordid", "winlogrecordid", "systemeventrecordid", "recordnumber")
_MESSAGE = ("message", "renderedmessage", "renderedtext", "description", "eventmessage", "msg")
_XML = ("eventdata", "xml", "raw", "eventxml", "rawxml")
_BEFORE = ("winlogeventdata", "winloguserdata", "eventeventdata", "eventdata", "userdata", "properties")
_NOT_A_LETTER = re.compile(r"[^a-z0-9]")
_DATA = re.compile(r"""<Data\s+Name\s*=\s*(?P<q>['"])(?P<name>[^'"]*)(?P=q)\s*(?:/>|>(?P<value>[^<]*)</Data>)""")
_SYSTEM = {
    "eventid": re.compile(r"<EventID[^>]*>(\d+)</EventID>"),
    "timecreated": re.compile(r"""<TimeCreated\s+SystemTime\s*=\s*['"]([^'"]+)['"]"""),
    "computer": re.compile(r"<Computer>([^<]*)</Computer>"),
    "channel": re.compile(r"<Channel>([^<]*)</Channel>"),
    "recordid": re.compile(r"<EventRecordID>(\d+)</EventRecordID>"),
}

CHANGES = frozenset({5136, 5137, 5138, 5139, 5141})
"""Directory service changes: modified, created, undeleted, moved, deleted."""
ACCOUNTS = frozenset({4720, 4722, 4723, 4724, 4725, 4726, 4738, 4741, 4742, 4743, 4781})
TICKETS = frozenset({4768, 4769})
REGISTRY = 4657
KERBEROS = frozenset({307, 308, 309})
KEY_ISSUED = 2946
LOOKED_AT = CHANGES | ACCOUNTS | TICKETS | KERBEROS | {REGISTRY, KEY_ISSUED}
"""Events that can say something of a migration. All others are counted, and not looked into."""

ADDED, DELETED = "added", "deleted"
_OPERATIONS = {"%%14674": ADDED, "valueadded": ADDED, "%%14675": DELETED, "valuedeleted": DELETED}
"""5136, OperationType: how the resource string is written, and how it reads in English."""

_NEEDS: Mapping[int, tuple[str, ...]] = {
    5136: ("objectdn", "attributeldapdisplayname", "operationtype"),
    5137: ("objectdn", "objectclass"),
    5138: ("newobjectdn",),
    5139: ("oldobjectdn", "newobjectdn"),
    5141: ("objectdn", "objectclass"),
    REGISTRY: ("objectname", "objectvaluename"),
}
_POSITIONS = (
    *("opcorrelationid", "appcorrelationid", "subjectusersid", "subjectusername", "subjectdomainname"),
    *("subjectlogonid", "dsname", "dstype"),
)
_ORDER: Mapping[int, tuple[str, ...]] = {
    5136: (
        *_POSITIONS,
        *("objectdn", "objectguid", "objectclass", "attributeldapdisplayname", "attributesyntaxoid"),
        *("attributevalue", "operationtype"),
    ),
    5137: (*_POSITIONS, "objectdn", "objectguid", "objectclass"),
    5138: (*_POSITIONS, "oldobjectdn", "newobjectdn", "objectguid", "objectclass"),
    5139: (*_POSITIONS, "oldobjectdn", "newobjectdn", "objectguid", "objectclass"),
    5141: (*_POSITIONS, "objectdn", "objectguid", "objectclass", "treedelete"),
}
"""Where the values of a directory service change stand: ``ConvertTo-Json`` keeps ``Properties``, and no names."""

_LABELS: Mapping[tuple[str, str], str] = {
    ("subject", "security id"): "subjectusersid",
    ("subject", "account name"): "subjectusername",
    ("subject", "account domain"): "subjectdomainname",
    ("object", "dn"): "objectdn",
    ("object", "guid"): "objectguid",
    ("object", "class"): "objectclass",
    ("object", "old dn"): "oldobjectdn",
    ("object", "new dn"): "newobjectdn",
    ("object", "object name"): "objectname",
    ("object", "object value name"): "objectvaluename",
    ("attribute", "ldap display name"): "attributeldapdisplayname",
    ("attribute", "value"): "attributevalue",
    ("operation", "type"): "operationtype",
    ("change information", "old value"): "oldvalue",
    ("change information", "new value"): "newvalue",
    ("account information", "account name"): "targetusername",
    ("account information", "account domain"): "targetdomainname",
    ("account information", "user id"): "targetsid",
    ("service information", "service name"): "servicename",
    ("service information", "service id"): "servicesid",
    ("network information", "client address"): "ipaddress",
    ("additional information", "result code"): "status",
    ("additional information", "failure code"): "status",
}
_TARGETS = frozenset(
    {"target account", "new account", "new computer account", "computer account that was changed", "target computer"}
)
_OF_TARGET = {"security id": "targetsid", "account name": "targetusername", "account domain": "targetdomainname"}


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """An event. ``at`` is None where it is none of those that are looked at."""

    line: int
    id: int
    at: datetime | None
    computer: str
    log: str
    record: str
    by: User
    data: Mapping[str, str]
    text: str = ""

    def get(self, name: str) -> str:
        """Return a value by its Windows name in small letters; empty where the event lacks it."""
        value = self.data.get(name, "")
        return "" if value == "-" else value

    @property
    def operation(self) -> str:
        """Whether a value was added or deleted (5136)."""
        return _OPERATIONS[folded(self.get("operationtype"))]


def understood(line: int, row: Row, times: TimeForm) -> SeenEvent:
    """Return the event of a row.

    Raises:
        EventUnreadable: the row has no event id; or is of an event that is looked at, and lacks what that takes.
    """
    fields = _flat(row)
    number = _number(fields)
    if number is None:
        fields = {**_from_xml(fields), **fields}
        number = _number(fields)
    if number is None:
        raise EventUnreadable(line, f"no column holds an event id; there are: {', '.join(map(str, row))[:200]}")
    if number not in LOOKED_AT or not _of_that_log(line, number, fields):
        return SeenEvent(line, number, None, "", "", "", User(), {})
    data = _data(line, number, fields, row)
    when = _first(fields, _TIME)
    if when is None:
        raise EventUnreadable(line, f"no column holds the time of this event {number}")
    computer = _text(_first(fields, _COMPUTER))
    if not computer:
        raise EventUnreadable(line, f"no column says on which computer this event {number} was written")
    at = times.read(when, line)
    record, text = _text(_first(fields, _RECORD)), _text(_first(fields, _MESSAGE))
    return SeenEvent(line, number, at, computer, _text(_first(fields, _LOG)), record, _by(data, fields), data, text)


@lru_cache(4096)
def folded(name: str) -> str:
    """Return a name as it is compared."""
    small = name.lower()
    return small if small.startswith("%%") else _NOT_A_LETTER.sub("", small)


def _flat(row: Row) -> dict[str, Any]:
    """Return a row's fields by folded name; what is nested by the names along the way."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if value not in (None, "") and name != "_id":
            key = folded(name)
            found.setdefault(key, value)
            if isinstance(value, dict):
                for inner, deep in _flat(value).items():
                    found.setdefault(key + inner, deep)
    return found


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((fields[name] for name in names if name in fields), None)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return next((str(value[key]) for key in ("Value", "#text", "name", "Name", "value") if key in value), "")
    return "" if value is None else str(value).strip()


def _number(fields: Mapping[str, Any]) -> int | None:
    for name in _ID:
        text = _text(fields.get(name))
        if text.isascii() and text.isdigit():
            return int(text)
    return None


def _of_that_log(line: int, number: int, fields: Mapping[str, Any]) -> bool:
    """Whether an event of this number is the one that is meant: numbers are given out once per log, not once."""
    named = f"{_text(_first(fields, _LOG))} {_text(_first(fields, _PROVIDER))}".strip().lower()
    if number in KERBEROS or number == KEY_ISSUED:
        if not named:
            raise EventUnreadable(line, f"no column names the log of this event {number}, which several logs have")
        return "kerberos" in named if number in KERBEROS else "directory" in named or "activedirectory" in named
    return not named or "security" in named or "forwarded" in named


def _from_xml(fields: Mapping[str, Any]) -> dict[str, Any]:
    text = next((value for name in _XML if isinstance(value := fields.get(name), str) and "<" in value), "")
    return {name: found[1] for name, one in _SYSTEM.items() if (found := one.search(text))}


def _data(line: int, number: int, fields: Mapping[str, Any], row: Row) -> dict[str, str]:
    data = dict(_named(fields))
    needs = _NEEDS.get(number, ())
    if any(name not in data for name in needs) or not data:
        data = {**_in_order(number, row), **_in_message(fields), **data}
    lacking = [name for name in needs if name not in data]
    if lacking:
        raise EventUnreadable(
            line,
            f"this event {number} does not say {', '.join(lacking)}, neither as fields nor in an English message; "
            "export its EventData (runbooks/soc.md says how)",
        )
    if number == 5136 and folded(data["operationtype"]) not in _OPERATIONS:
        raise EventUnreadable(line, f"the operation {data['operationtype']!r} is neither Value Added nor Value Deleted")
    if number in ACCOUNTS | TICKETS and not data.get("targetusername") and not data.get("targetsid"):
        raise EventUnreadable(line, f"this event {number} names no account")
    return data


def _named(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, str | int | float):
            before = next((one for one in _BEFORE if name.startswith(one)), "")
            yield name[len(before) :], str(value)
    for tagged in _XML:
        xml = fields.get(tagged)
        if isinstance(xml, str) and "<Data" in xml:
            for found in _DATA.finditer(xml):
                yield folded(found["name"]), html.unescape(found["value"] or "")
    listed = fields.get("eventdatadata")
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict) and (item.get("@Name") or item.get("Name")):
            yield (
                folded(str(item.get("@Name") or item.get("Name"))),
                str(item.get("#text") or item.get("Value") or item.get("content") or ""),
            )


def _in_order(number: int, row: Row) -> dict[str, str]:
    values = next((value for name, value in row.items() if name.lower() == "properties"), None)
    order = _ORDER.get(number, ())
    if not isinstance(values, list) or len(values) != len(order):
        return {}
    return {name: _text(value) for name, value in zip(order, values, strict=True)}


def _in_message(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return what a rendered English message says, by its labels."""
    found: dict[str, str] = {}
    section = ""
    for raw in _text(_first(fields, (*_MESSAGE, "raw"))).splitlines():
        label, colon, value = raw.strip().partition(":")
        if not colon:
            continue
        if not value.strip() and not raw[:1].isspace():
            section = label.lower()
            continue
        key = _LABELS.get((section, label.lower()))
        if key is None and section in _TARGETS:
            key = _OF_TARGET.get(label.lower())
        if key is not None:
            found.setdefault(key, value.strip())
    return found


def _by(data: Mapping[str, str], fields: Mapping[str, Any]) -> User:
    name, sid = data.get("subjectusername", ""), data.get("subjectusersid", "")
    if name and name != "-":
        return User(name, data.get("subjectdomainname", "").strip("-"), sid.upper() if sid.startswith("S-1-") else "")
    account = data.get("subjectaccount") or _text(fields.get("account"))
    if account and account != "-":
        return User.of(account)
    return User(sid=sid.upper()) if sid.startswith("S-1-") else User()
