"""Event logs: the Kerberos client's on every machine, the Security log on domain controllers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice

from orchestrator.lab.command import LabError, LabObject
from orchestrator.lab.estate import refusals, xpath
from orchestrator.lab.estate.cmdlets.table import Invocation, cmdlet
from orchestrator.lab.estate.machine import KERBEROS_LOG, EventRecord

_KERBEROS = KERBEROS_LOG.lower()


@cmdlet("Get-WinEvent", "LogName:text ListLog:text FilterXPath:text FilterHashtable:table MaxEvents:number Oldest:flag")
def get_win_event(call: Invocation) -> Iterator[object]:
    """A log's own properties, or its events, the newest first."""
    if call.given("ListLog"):
        yield from _logs(call)
        return
    most = call.number("MaxEvents", 0) if call.given("MaxEvents") else None
    found = list(islice(_events(call), most))
    if not found:
        call.error(_none_found(call))
    yield from map(_shown, found)


def _logs(call: Invocation) -> Iterator[object]:
    pattern = call.text("ListLog").lower().strip("*")
    types = ("System.Diagnostics.Eventing.Reader.EventLogConfiguration", "System.Object")
    if pattern in _KERBEROS:
        count = len(call.machine.events)
        yield LabObject(
            types,
            {"LogName": KERBEROS_LOG, "IsEnabled": call.machine.event_log, "RecordCount": count, "LogMode": "Circular"},
            KERBEROS_LOG,
            frozenset({"RecordCount"}),
        )
    if pattern in "security":
        count = len(_security(call))
        yield LabObject(types, {"LogName": "Security", "IsEnabled": True, "RecordCount": count}, "Security")


def _events(call: Invocation) -> Iterator[EventRecord]:
    """Yield the events that are asked for, the newest first, or the oldest."""
    table = call.value("FilterHashtable")
    table = table if isinstance(table, Mapping) else {}
    log = str(_entry(table, "LogName") or call.text("LogName"))
    if log.lower() not in {_KERBEROS, "security"}:
        raise call.fail(_no_log(call, log))
    if log.lower() == "security":
        if not _may_read_security(call):
            call.error(_denied(call))
            raise call.fail(_no_log(call, log))
        rows = _security(call, test := _test(call))
    else:
        rows, test = call.machine.events, _test(call)
    wanted = _entry(table, "Id")
    ids = set(wanted) if isinstance(wanted, list | tuple) else {wanted} if wanted is not None else None
    start, end = _entry(table, "StartTime"), _entry(table, "EndTime")
    for row in sorted(rows, key=lambda event: event.at, reverse=not call.flag("Oldest")):
        early = isinstance(start, datetime) and row.at < start
        late = isinstance(end, datetime) and row.at > end
        if (ids is None or row.id in ids) and not early and not late and test(row):
            yield row


def _security(call: Invocation, where: xpath.Condition = xpath.ANYTHING) -> list[EventRecord]:
    """Members have a Security log too, in which nothing stands that anybody asks for."""
    return call.estate.authority.security_log(call.machine, where) if call.machine.dc else []


def _may_read_security(call: Invocation) -> bool:
    dc = next((dc for dc in call.estate.spec.dcs if dc.name.lower() == call.machine.dc), None)
    return dc is None or dc.security_log_readable


def _denied(call: Invocation) -> LabError:
    message = (
        "Could not retrieve information about the Security log. Error: Attempted to perform an unauthorized operation.."
    )
    return refusals.record(call.name, "LogInfoUnavailable", "NotSpecified", "System.Exception", message, "Security")


def _test(call: Invocation) -> xpath.Condition:
    if not call.given("FilterXPath"):
        return xpath.ANYTHING
    try:
        return xpath.parse(call.text("FilterXPath"), call.estate.now)
    except xpath.QueryInvalid as error:
        exception = "System.Diagnostics.Eventing.Reader.EventLogException"
        record = refusals.record(
            call.name, exception, "NotSpecified", exception, f"The specified query is invalid: {error}"
        )
        raise call.fail(record) from None


def _entry(table: Mapping[str, object], name: str) -> object:
    return next((value for key, value in table.items() if key.lower() == name.lower()), None)


def _none_found(call: Invocation) -> LabError:
    message = "No events were found that match the specified selection criteria."
    return refusals.record(call.name, "NoMatchingEventsFound", "ObjectNotFound", "System.Exception", message)


def _no_log(call: Invocation, log: str) -> LabError:
    message = f'There is not an event log on the localhost computer that matches "{log}".'
    return refusals.record(call.name, "NoMatchingLogsFound", "ObjectNotFound", "System.Exception", message, log)


def _shown(event: EventRecord) -> LabObject:
    return LabObject(
        (
            "System.Diagnostics.Eventing.Reader.EventLogRecord",
            "System.Diagnostics.Eventing.Reader.EventRecord",
            "System.Object",
        ),
        {
            "Id": event.id,
            "RecordId": event.number,
            "LogName": event.log,
            "ProviderName": "Microsoft-Windows-Security-Auditing"
            if event.log == "Security"
            else "Microsoft-Windows-Security-Kerberos",
            "TimeCreated": event.at,
            "MachineName": event.machine,
            "Level": 4,
            "Message": event.message,
        },
        None,
        frozenset({"Message"}),
    )


@cmdlet("Enable-DmsaEventLog", "", writes=True, restricted_only=True)
def enable_event_log(call: Invocation) -> Iterator[object]:
    """The function that a restricted endpoint offers for switching the Kerberos client's log on."""
    call.machine.event_log = True
    yield from ()


@cmdlet("wevtutil", "0:text 1:text 2:text 3:text", writes=True)
def wevtutil(call: Invocation) -> Iterator[object]:
    """``wevtutil sl <log> /e:true``, and nothing else; bare arguments arrive under their positions."""
    words = [call.text(str(place)).lower() for place in range(3)]
    if words != ["sl", _KERBEROS, "/e:true"] or call.given("3"):
        exception = "System.Management.Automation.RemoteException"
        call.error(refusals.record(call.name, "NativeCommandError", "NotSpecified", exception, "Invalid option."))
        return
    call.machine.event_log = True
    yield from ()
