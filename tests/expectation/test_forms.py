"""The same events in every form that people export are the same; what cannot be understood is named by its line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.expectation import EventUnreadable, SeenEvent, TimeForm, rows_of, understood
from orchestrator.expectation.incidents import Incidents
from orchestrator.expectation.names import bare_address
from orchestrator.views.cell import harmless
from tests.expectation.staged import PLANS, run
from tests.expectation.stream import Event

KEYS = (
    *("Id", "TimeCreated", "MachineName", "LogName", "EventData", "Properties", "ObjectDN", "TargetUserName", "_raw"),
    *("SubjectUserSid", "OperationType", "AttributeLDAPDisplayName", "Message", "Value", "#text", "a", ""),
)
HEAD = ("TimeCreated", "Id", "MachineName", "LogName", "ProviderName")
ORDER = {
    5136: ("OpCorrelationID", "AppCorrelationID", "SubjectUserSid", "SubjectUserName", "SubjectDomainName",
           "SubjectLogonId", "DSName", "DSType", "ObjectDN", "ObjectGUID", "ObjectClass", "AttributeLDAPDisplayName",
           "AttributeSyntaxOID", "AttributeValue", "OperationType"),
}  # fmt: skip


def events() -> list[Event]:
    return [one for one in run(PLANS[0]).events if one["Id"] in {5136, 5137}]


def data(one: Event) -> dict[str, str]:
    return {name: value for name, value in one.items() if name not in HEAD}


class _Lines(list[str]):
    def write(self, text: str) -> None:
        self.append(text)


def table(rows: list[Event], delimiter: str = ",") -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = _Lines()
    writer = csv.DictWriter(lines, names, restval="", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return "".join(lines)


def xml(one: Event) -> str:
    def safe(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;")

    said = "".join(f'<Data Name="{name}">{safe(value)}</Data>' for name, value in data(one).items())
    return f'<EventData xmlns="http://schemas.microsoft.com/win/2004/08/events/event">{said}</EventData>'


def whole_xml(one: Event) -> str:
    system = (
        f"<EventID>{one['Id']}</EventID><TimeCreated SystemTime='{one['TimeCreated']}'/><Channel>Security</Channel>"
    )
    return f"<Event><System>{system}<Computer>{one['MachineName']}</Computer></System>{xml(one)}</Event>"


def message(one: Event) -> str:
    operation = {"%%14674": "Value Added", "%%14675": "Value Deleted"}.get(one.get("OperationType", ""), "")
    said = data(one)
    return (
        "A directory service object was modified.\n\t\nSubject:\n"
        f"\tSecurity ID:\t\t{said['SubjectUserSid']}\n\tAccount Name:\t\t{said['SubjectUserName']}\n"
        f"\tAccount Domain:\t\tCORP\n\nDirectory Service:\n\tName:\tcorp.example\n\n"
        f"Object:\n\tDN:\t{said['ObjectDN']}\n\tGUID:\t{said['ObjectGUID']}\n\tClass:\t{said['ObjectClass']}\n\t\n"
        f"Attribute:\n\tLDAP Display Name:\t{said.get('AttributeLDAPDisplayName', '')}\n"
        f"\tValue:\t{said.get('AttributeValue', '')}\n\t\nOperation:\n\tType:\t{operation}\n\tCorrelation ID:\t{{0}}"
    )


def core(one: Event) -> Event:
    return {name: one[name] for name in HEAD}


def evtx(one: Event) -> Event:
    """What readers of EVTX files write."""
    system = {
        "EventID": {"#text": one["Id"], "#attributes": {"Qualifiers": ""}},
        "TimeCreated": {"#attributes": {"SystemTime": one["TimeCreated"]}},
        "Computer": one["MachineName"],
        "Channel": "Security",
    }
    return {"Event": {"System": system, "EventData": data(one)}}


def in_sids(name: str, value: str) -> object:
    """A SID, as ``ConvertTo-Json`` with a depth that reaches into it writes one."""
    return {"BinaryLength": 28, "Value": value} if name.endswith("UserSid") else value


FORMS: dict[str, Callable[[list[Event]], str]] = {
    "fields as columns": table,
    "semicolons": lambda rows: table(rows, ";"),
    "fields in JSON": lambda rows: json.dumps(rows, indent=1),
    "JSON lines": lambda rows: "\n".join(map(json.dumps, rows)),
    "Splunk's result lines": lambda rows: "\n".join(
        json.dumps({"preview": False, "result": {
            "_time": one["TimeCreated"], "EventCode": str(one["Id"]), "ComputerName": one["MachineName"], **data(one),
        }}) for one in rows
    ),
    "Splunk's raw text": lambda rows: "\n".join(
        json.dumps({"result": {
            "_time": one["TimeCreated"], "EventCode": str(one["Id"]), "host": one["MachineName"],
            "source": "WinEventLog:Security", "_raw": f"03/02/2026 06:00:00 PM\nMessage={message(one)}",
        }}) for one in rows
    ),
    "Splunk's raw XML": lambda rows: "\n".join(json.dumps({"result": {"_raw": whole_xml(one)}}) for one in rows),
    "Elastic": lambda rows: "\n".join(
        json.dumps({"_id": "x", "_source": {
            "@timestamp": one["TimeCreated"], "host": {"name": "collector"},
            "winlog": {"event_id": one["Id"], "computer_name": one["MachineName"], "channel": "Security",
                       "event_data": data(one)},
        }}) for one in rows
    ),
    "Log Analytics": lambda rows: table([
        {"TimeGenerated": one["TimeCreated"], "Computer": one["MachineName"], "EventID": one["Id"],
         "Account": "CORP\\somebody", "Channel": "Security", "EventData": xml(one)} for one in rows
    ]),
    "ConvertTo-Json": lambda rows: json.dumps([
        {"Id": one["Id"], "MachineName": one["MachineName"], "LogName": "Security", "Message": "auf Deutsch",
         "TimeCreated": f"/Date({int(datetime.fromisoformat(one['TimeCreated']).timestamp() * 1000)})/",
         "Properties": [{"Value": one.get(name, "-")} for name in ORDER[5136][: 15 if one["Id"] == 5136 else 11]]}
        for one in rows
    ]),
    "ConvertTo-Json with depth": lambda rows: json.dumps([
        {"Id": one["Id"], "MachineName": one["MachineName"], "LogName": "Security", "Message": "",
         "TimeCreated": {"value": one["TimeCreated"], "DisplayHint": 2, "DateTime": "Montag"},
         "Properties": [{"Value": in_sids(name, one.get(name, "-"))}
                        for name in ORDER[5136][: 15 if one["Id"] == 5136 else 11]]}
        for one in rows
    ]),
    "wevtutil": lambda rows: "\r\n".join(map(whole_xml, rows)),
    "the event viewer's XML": lambda rows: (
        f'<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n<Events>{"".join(map(whole_xml, rows))}</Events>'
    ),
    "EVTX as JSON": lambda rows: "\n".join(json.dumps(evtx(one)) for one in rows),
    "the portal of Log Analytics": lambda rows: table([
        {"TimeGenerated [UTC]": one["TimeCreated"].removesuffix("+00:00"), "Computer": one["MachineName"],
         "EventID": one["Id"], "Channel": "Security", "EventData": xml(one)} for one in rows
    ]),
    "for Excel": lambda rows: "sep=;\n" + table(rows, ";"),
    "Export-Csv": lambda rows: "#TYPE System.Diagnostics.Eventing.Reader.EventLogRecord\n" + table([
        {"Message": message(one), "Id": one["Id"], "ProviderName": "Microsoft-Windows-Security-Auditing",
         "LogName": "Security", "MachineName": one["MachineName"], "TimeCreated": one["TimeCreated"],
         "Properties": "System.Collections.Generic.List`1[System.Diagnostics.Eventing.Reader.EventProperty]"}
        for one in rows
    ]),
}  # fmt: skip


def plain(one: SeenEvent) -> tuple[object, ...]:
    at = one.at.replace(microsecond=0) if one.at else None
    names = ("objectdn", "objectguid", "objectclass", "attributeldapdisplayname", "attributevalue")
    values = tuple(one.get(name).strip() for name in names)
    return (one.id, at, one.computer, one.by.name, one.by.sid, one.operation if one.id == 5136 else "", *values)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(form: str):
    rows = events()
    text = FORMS[form](rows)
    found = [understood(line, row, TimeForm()) for line, row in rows_of(text)]
    wanted = [understood(1, row, TimeForm()) for row in rows]
    assert list(map(plain, found)) == list(map(plain, wanted))
    lines = [one.line for one in found]
    assert lines == sorted(lines)


def test_a_byte_order_mark_an_empty_file_and_an_empty_list():
    assert list(rows_of("")) == []
    assert list(rows_of("[]")) == []
    assert list(rows_of('\ufeff[{"a": 1},\n{"b": 2}]')) == [(1, {"a": 1}), (2, {"b": 2})]


def test_the_event_viewers_message_has_no_head_of_its_own():
    text = (
        'Level,Date and Time,Source,Event ID,Task Category\nInformation,x,y,4624,Logon,"a\nb"\nInformation,x,y,1,z,m\n'
    )
    assert [(line, row["Event ID"], row["message"]) for line, row in rows_of(text)] == [
        (2, "4624", "a\nb"),
        (4, "1", "m"),
    ]


GOOD = {
    "Id": 5136, "TimeCreated": "2026-03-02T18:00:00Z", "MachineName": "dc01", "ObjectDN": "CN=x,DC=y",
    "AttributeLDAPDisplayName": "description", "OperationType": "%%14674", "LogName": "Security",
}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({**GOOD, "Id": "none"}, "event id"),
        ({**GOOD, "TimeCreated": "yesterday"}, "--time-format"),
        ({**GOOD, "TimeCreated": "2026-03-02T18:00:00"}, "--zone"),
        ({**GOOD, "TimeCreated": ""}, "no column holds the time"),
        ({**GOOD, "MachineName": ""}, "on which computer"),
        ({**GOOD, "Id": "9" * 5000}, "event id"),
        ({**GOOD, "TimeCreated": "/Date(99999999999999999999)/"}, "no time that a log can have"),
        ({**GOOD, "TimeCreated": "0001-01-01T00:00:00+14:00"}, "no time that a log can have"),
        ({**GOOD, "OperationType": "Wert hinzugefügt"}, "neither Value Added nor"),
        ({name: value for name, value in GOOD.items() if name != "ObjectDN"}, "objectdn"),
        ({"Id": 308, "TimeCreated": GOOD["TimeCreated"], "MachineName": "h"}, "names the log"),
        ({"Id": 4726, "TimeCreated": GOOD["TimeCreated"], "MachineName": "h"}, "names no account"),
    ],
)
def test_a_row_that_cannot_be_understood_is_an_error_with_its_line(row: Event, why: str):
    assert understood(1, GOOD, TimeForm()).id == 5136
    with pytest.raises(EventUnreadable, match="line 7: ") as caught:
        understood(7, row, TimeForm())
    assert why in caught.value.why


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[{"Id": 1},\n{"Id": 2', 2),
        ('[{"Id": 1},\n3]', 2),
        ('[{"Id": 1}\n', 2),
        ("Id,TimeCreated\n1,2\n1,2,3,4\n", 3),
        ('Id,Message\n1,"a"b\n', 2),
        ("just text\n", 1),
        ('"a"b,c\n1,2\n', 1),
        ("<Event><System>\n<Event></Event>", 1),
        ("<Events><Event></Event>\n<Event><System>", 2),
        ("<html>\n", 1),
    ],
)
def test_a_damaged_file_is_an_error_with_its_line(text: str, line: int):
    with pytest.raises(EventUnreadable) as caught:
        list(rows_of(text))
    assert caught.value.line == line


def test_times_are_read_in_the_form_and_zone_that_were_named():
    form = TimeForm("%d.%m.%Y %H:%M:%S", "Europe/Berlin")
    assert form.read("02.03.2026 19:00:00", 1) == datetime(2026, 3, 2, 18, tzinfo=UTC)
    assert TimeForm().read(1772474400, 1) == datetime(2026, 3, 2, 18, tzinfo=UTC)
    assert TimeForm().read("1772474400000", 1) == datetime(2026, 3, 2, 18, tzinfo=UTC)
    assert TimeForm().read({"value": "/Date(1772474400000)/", "DisplayHint": 2}, 1).hour == 18
    assert TimeForm().read("2026-03-02T18:00:00.1234567Z", 1).second == 0


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["5136", "4738", "2026-03-02T18:00:00Z", "S-1-5-21-1", "CN=x,DC=y", "%%14674"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(KEYS), ANY_JSON),
    st.sampled_from([5136, 5139, 4738, 4781, 4768, 4657, 309, 2946, 1074]),
)
def test_any_row_is_understood_or_refused_by_its_line(row: Event, number: int):
    with suppress(EventUnreadable):
        understood(1, {"Id": number, **row}, TimeForm(zone="UTC"))


@settings(deadline=None)
@given(st.text() | st.text(alphabet='<>/Evntsx"{}[]:,;1=\r\n\t', max_size=80))
@example("[" * 2000)
@example('{"a":' * 960 + "1" + "}" * 960)
@example("a,b\n\u2028,1\n")
def test_any_text_is_rows_or_refused_by_its_line(text: str):
    with suppress(EventUnreadable):
        for line, row in rows_of(text):
            understood(line, row, TimeForm())


def test_a_line_is_counted_as_editors_count():
    text = 'Id,Message\n1,"a\u2028b"\n2,"x\ny"\n3,z\n'
    assert [(line, row["Id"]) for line, row in rows_of(text)] == [(2, "1"), (3, "2"), (5, "3")]


def test_an_event_that_names_no_computer_is_of_the_one_that_was_named():
    bare = {name: value for name, value in GOOD.items() if name != "MachineName"}
    assert understood(1, bare, TimeForm(), "dc01").computer == "dc01"
    assert understood(1, GOOD, TimeForm(), "other").computer == "dc01"


def test_an_event_without_names_for_its_values_is_read_by_their_order():
    body = "<Data>CN=dmsa-x,DC=y</Data><Data>S-1-5-7</Data><Data>10.0.0.5:1234</Data>"
    xml = "<Event><System><EventID Qualifiers='1'>2946</EventID><Channel>Directory Service</Channel>"
    xml += "<TimeCreated SystemTime='2026-03-02T18:00:00Z'/><Computer>dc01</Computer></System>"
    xml += f"<EventData>{body}</EventData></Event>"
    ((line, row),) = rows_of(xml)
    found = understood(line, row, TimeForm())
    assert found.data == {"param1": "CN=dmsa-x,DC=y", "param2": "S-1-5-7", "param3": "10.0.0.5:1234"}
    assert Incidents.caller_address("\n".join(found.data.values())) == "10.0.0.5:1234"


@pytest.mark.parametrize(
    ("shown", "bare"),
    [
        ("::ffff:10.0.0.5", "10.0.0.5"),
        ("10.0.0.5:50123", "10.0.0.5"),
        ("[fe80::1%4]:50123", "fe80::1"),
        ("FE80::1", "fe80::1"),
    ],
)
def test_an_address_is_one_however_it_is_written(shown: str, bare: str):
    assert bare_address(shown) == bare


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1"])
def test_no_cell_is_a_formula(cell: str):
    assert harmless(cell) == f"'{cell}"
    assert harmless(f"x{cell}") == f"x{cell}"
