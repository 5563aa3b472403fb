"""The scheduled-task cmdlets. Nested objects do not survive serialisation, so the principal is read as XML."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from xml.sax.saxutils import escape

from orchestrator.lab.command import LabError, LabObject
from orchestrator.lab.estate import refusals
from orchestrator.lab.estate.cmdlets.table import Invocation, cmdlet
from orchestrator.lab.estate.machine import Task

_NAMESPACE = "Root/Microsoft/Windows/TaskScheduler"


def _types(name: str) -> tuple[str, ...]:
    base = "Microsoft.Management.Infrastructure.CimInstance"
    return (f"{base}#{_NAMESPACE}/{name}", f"{base}#{name}", base, "System.Object")


def _by_own_clock(call: Invocation, at: datetime | None) -> datetime | None:
    return None if at is None else at + call.machine.spec.clock_ahead


def _tasks(call: Invocation) -> Iterator[Task]:
    path, name = call.text("TaskPath").lower(), call.text("TaskName").lower()
    found = [
        task
        for task in call.machine.tasks.values()
        if (not path or task.folder.lower() == path) and (not name or task.name.lower() == name)
    ]
    if not found and (path or name):
        call.error(_not_found(call, "TaskName" if name else "TaskPath", name or path))
    yield from found


def _not_found(call: Invocation, parameter: str, value: str) -> LabError:
    return refusals.record(
        call.name,
        f"CmdletizationQuery_NotFound_{parameter}",
        "ObjectNotFound",
        "Microsoft.PowerShell.Cmdletization.Cim.CimJobException",
        f"No MSFT_ScheduledTask objects found with property '{parameter}' equal to '{value}'.",
        value,
    )


@cmdlet("Get-ScheduledTask", "TaskPath:text TaskName:text")
def get_task(call: Invocation) -> Iterator[object]:
    """Tasks by folder and name, or all."""
    for task in _tasks(call):
        yield LabObject(
            _types("MSFT_ScheduledTask"),
            {
                "TaskPath": task.folder,
                "TaskName": task.name,
                "URI": task.spec.path,
                "State": "Ready" if task.spec.enabled else "Disabled",
                "Description": None,
                "Author": None,
                "Principal": LabObject(("MSFT_TaskPrincipal2",), {}, "MSFT_TaskPrincipal2"),
            },
            f'MSFT_ScheduledTask (TaskName = "{task.name}", TaskPath = "{task.folder}")',
            frozenset({"State"}),
        )


@cmdlet("Get-ScheduledTaskInfo", "TaskPath:text TaskName!:text")
def get_task_info(call: Invocation) -> Iterator[object]:
    """When tasks ran and how."""
    for task in _tasks(call):
        yield LabObject(
            _types("MSFT_TaskDynamicInfo"),
            {
                "TaskPath": task.folder,
                "TaskName": task.name,
                "LastRunTime": _by_own_clock(call, task.last_run),
                "LastTaskResult": task.last_result,
                "NextRunTime": _by_own_clock(call, task.next_run(call.estate.now)),
                "NumberOfMissedRuns": 0,
            },
        )


@cmdlet("Export-ScheduledTask", "TaskPath:text TaskName:text")
def export_task(call: Invocation) -> Iterator[object]:
    """Tasks as XML text."""
    for task in _tasks(call):
        daily = task.spec.daily
        trigger = (
            f"<CalendarTrigger><StartBoundary>2026-01-01T{daily:%H:%M:%S}Z</StartBoundary>"
            "<ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay></CalendarTrigger>"
            if daily
            else ""
        )
        yield (
            '<?xml version="1.0" encoding="UTF-16"?>\n'
            '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">'
            f"<RegistrationInfo><URI>{escape(task.spec.path)}</URI></RegistrationInfo>"
            f"<Triggers>{trigger}</Triggers>"
            f'<Principals><Principal id="Author"><UserId>{escape(task.spec.log_on)}</UserId>'
            "<LogonType>Password</LogonType></Principal></Principals>"
            f"<Settings><Enabled>{str(task.spec.enabled).lower()}</Enabled></Settings>"
            '<Actions Context="Author"><Exec><Command>work.exe</Command></Exec></Actions></Task>'
        )


@cmdlet("Start-ScheduledTask", "TaskPath:text TaskName!:text", writes=True)
def start_task(call: Invocation) -> Iterator[object]:
    """Run tasks now."""
    for task in _tasks(call):
        call.estate.workloads.run_task(call.machine, task)
    yield from ()
