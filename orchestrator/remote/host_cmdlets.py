"""The rows that touch a host: its registry value, its services, tasks, application pools and event logs.

The registry is two keys and one value, written out here and nowhere imported from: if another part of the
program ever means a different key, the gate must refuse it, not follow it.
"""

from __future__ import annotations

from orchestrator.remote.directory_cmdlets import LOGON_EVENTS
from orchestrator.remote.kinds import (
    ATTRIBUTES,
    EXACT_NAME,
    MOMENT,
    SWITCH,
    TASK_FOLDER,
    Kind,
    one_of,
    one_or_many,
    table,
    whole,
)
from orchestrator.remote.queries import WQL_CONDITION
from orchestrator.remote.rows import form, reads, writes

KERBEROS = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\Kerberos"
PARAMETERS = KERBEROS + r"\Parameters"
VALUE = "DelegatedMSAEnabled"
WINDOWS = r"HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
EVENT_LOGS = ("Microsoft-Windows-Security-Kerberos/Operational", "Microsoft-Windows-Kerberos/Operational")
APP_POOLS = "system.applicationHost/applicationPools/add"

_LEARN = "Microsoft Learn, "
_TASKS = form(None, TaskPath=TASK_FOLDER, TaskName=EXACT_NAME)
_WIN32 = one_of("Win32_OperatingSystem", "Win32_ComputerSystem", "Win32_Service", "Win32_Process")
_EVENT_TABLE = table({"LogName": one_of(*EVENT_LOGS), "Id": one_or_many(one_of(307, 308, 309))}, {"StartTime": MOMENT})
_ENABLE_LOG = Kind(
    "exactly sl, the Kerberos log, /e:true",
    lambda value: (
        type(value) is tuple
        and all(type(word) is str for word in value)
        and value in {("sl", log, "/e:true") for log in EVENT_LOGS}
    ),
)

BUILD = form({"LiteralPath": one_of(WINDOWS), "Name": one_or_many(one_of("CurrentBuild", "UBR"))}).by(
    "probe", "every-controller"
)
"""The form of Get-ItemProperty that reads a machine's build: a domain controller's."""

LOG_NAMES = form({"ListLog": one_of("*Kerberos*")}).by("probe")
"""The form of Get-WinEvent that lists logs: a domain controller's."""

READS = (
    reads(
        "Get-CimInstance",
        form({"ClassName": _WIN32}, Filter=WQL_CONDITION, Property=ATTRIBUTES),
        form(
            {"Namespace": one_of("root/MSCluster"), "ClassName": one_of("MSCluster_Resource")},
            Filter=WQL_CONDITION,
            Property=ATTRIBUTES,
        ).by("guards", "discover"),
        by="guards discover restart",
        source=_LEARN + "CimCmdlets module, Get-CimInstance",
    ),
    reads(
        "Get-Service",
        form({"Name": one_or_many(EXACT_NAME)}),
        by="restart",
        source=_LEARN + "Microsoft.PowerShell.Management, Get-Service",
    ),
    reads(
        "Get-ScheduledTask",
        _TASKS,
        by="discover restart",
        source=_LEARN + "ScheduledTasks, Get-ScheduledTask",
    ),
    reads(
        "Get-ScheduledTaskInfo",
        form({"TaskName": EXACT_NAME}, TaskPath=TASK_FOLDER),
        by="discover restart",
        source=_LEARN + "ScheduledTasks, Get-ScheduledTaskInfo",
    ),
    reads(
        "Export-ScheduledTask",
        _TASKS,
        by="guards discover snapshot",
        source=_LEARN + "ScheduledTasks, Export-ScheduledTask",
    ),
    reads(
        "Get-WebAppPoolState",
        form({"Name": EXACT_NAME}),
        by="discover restart",
        source=_LEARN + "WebAdministration, Get-WebAppPoolState",
    ),
    reads(
        "Get-WebConfigurationProperty",
        form(
            {
                "PSPath": one_of("MACHINE/WEBROOT/APPHOST"),
                "Filter": one_of(APP_POOLS, "/" + APP_POOLS),
                "Name": one_of("processModel.userName"),
            }
        ),
        by="guards discover snapshot",
        source=_LEARN + "WebAdministration, Get-WebConfigurationProperty",
    ),
    reads(
        "Test-Path",
        form({"LiteralPath": one_of(PARAMETERS, KERBEROS)}),
        by="registry",
        source=_LEARN + "Microsoft.PowerShell.Management, Test-Path",
    ),
    reads(
        "Get-ItemProperty",
        form({"LiteralPath": one_of(PARAMETERS), "Name": one_or_many(one_of(VALUE))}),
        BUILD,
        by="registry guards",
        source=_LEARN + "Microsoft.PowerShell.Management, Get-ItemProperty",
    ),
    reads(
        "Get-WinEvent",
        LOGON_EVENTS,
        LOG_NAMES,
        form({"FilterHashtable": _EVENT_TABLE}, MaxEvents=whole(1, 100_000)),
        by="",
        source=_LEARN + "Microsoft.PowerShell.Diagnostics, Get-WinEvent",
    ),
)

WRITES = (
    writes(
        "New-Item",
        form({"Path": one_of(KERBEROS, PARAMETERS)}),
        by="registry",
        source=_LEARN + "Microsoft.PowerShell.Management, New-Item; -Force would empty a key that exists",
        idempotent=False,
    ),
    writes(
        "New-ItemProperty",
        form(
            {
                "LiteralPath": one_of(PARAMETERS),
                "Name": one_of(VALUE),
                "Value": one_of(0, 1),
                "PropertyType": one_of("DWord"),
            },
            Force=SWITCH,
        ),
        by="registry restore",
        source=_LEARN + "Microsoft.PowerShell.Management, New-ItemProperty",
    ),
    writes(
        "Remove-ItemProperty",
        form({"LiteralPath": one_of(PARAMETERS), "Name": one_of(VALUE)}),
        by="restore",
        source=_LEARN + "Microsoft.PowerShell.Management, Remove-ItemProperty",
        idempotent=False,
    ),
    writes(
        "wevtutil",
        form({"arguments": _ENABLE_LOG}),
        by="",
        source=_LEARN + "wevtutil, set-log",
        role_function="Enable-DmsaEventLog",
    ),
    writes(
        "Restart-Service",
        form({"Name": EXACT_NAME}, Force=SWITCH, PassThru=SWITCH),
        by="restart confirm",
        source=_LEARN + "Microsoft.PowerShell.Management, Restart-Service",
        idempotent=False,
    ),
    writes(
        "Start-Service",
        form({"Name": EXACT_NAME}),
        by="undo reset restore",
        source=_LEARN + "Microsoft.PowerShell.Management, Start-Service",
    ),
    writes(
        "Start-ScheduledTask",
        form({"TaskPath": TASK_FOLDER, "TaskName": EXACT_NAME}),
        by="restart confirm",
        source=_LEARN + "ScheduledTasks, Start-ScheduledTask",
        idempotent=False,
    ),
    writes(
        "Restart-WebAppPool",
        form({"Name": EXACT_NAME}),
        by="restart confirm",
        source=_LEARN + "WebAdministration, Restart-WebAppPool",
        idempotent=False,
    ),
    writes(
        "Restart-Computer",
        form({"Force": SWITCH}),
        by="registry",
        source=_LEARN + "Microsoft.PowerShell.Management, Restart-Computer",
        idempotent=False,
    ),
)

ROWS = READS + WRITES
