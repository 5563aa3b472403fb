"""Whom tasks and application pools run as: from the text of a task, and from the list of all pools."""

from __future__ import annotations

import pytest

from orchestrator.model.case import Seen
from orchestrator.model.log_on import log_on_reads, pool_log_ons, task_log_on
from orchestrator.model.observation import Outcome, Record, RemoteError, Reply, Unreadable
from orchestrator.model.plan import Host, Task
from orchestrator.remote.gate import check

HOST = Host(name="app01.corp.example", tasks=(Task(path=r"\Reports\Nightly"),), app_pools=("Web", "O'Brien"))
EXPORT, POOLS = log_on_reads(HOST)
TASK = """<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Author>CORP\\ann</Author></RegistrationInfo>
  <Principals><Principal id="Author">{}</Principal></Principals>
</Task>"""


def seen(read: object, *records: Record, **more: object) -> Seen:
    return Seen("dmsa-app", ((read, Reply(Outcome.SUCCEEDED, records, **more)),))  # type: ignore[arg-type]


def text(principal: str) -> Record:
    return Record("System.String", {"": TASK.format(principal)})


def pool(name: str, user: object) -> Record:
    path = f"/system.applicationHost/applicationPools/add[@name='{name}']"
    return Record("Microsoft.IIs.PowerShell.Framework.ConfigurationAttribute", {"Value": user, "ItemXPath": path})


def test_each_is_asked_for_alone_and_the_gate_knows_it():
    for read in (EXPORT, POOLS):
        assert len(read.statements) == 1
        check(read)
    assert log_on_reads(Host(name="app01.corp.example", services=("App",))) == ()


@pytest.mark.parametrize(
    ("principal", "who"),
    [
        (r"<UserId>CORP\svc-app</UserId><LogonType>Password</LogonType>", r"CORP\svc-app"),
        ("<UserId>S-1-5-18</UserId>", "S-1-5-18"),
        ("<GroupId>S-1-5-32-545</GroupId>", "S-1-5-32-545"),
        ("<UserId>CORP\\A&amp;B</UserId>", r"CORP\A&B"),
        ("<LogonType>InteractiveToken</LogonType>", None),
    ],
)
def test_a_task_says_it_in_its_text(principal: str, who: str | None):
    assert task_log_on(seen(EXPORT, text(principal)), HOST.name, r"\Reports\Nightly") == who


def test_whom_a_trigger_waits_for_is_not_whom_the_task_runs_as():
    trigger = "<Triggers><LogonTrigger><UserId>CORP\\ann</UserId></LogonTrigger></Triggers><Principals>"
    record = Record("System.String", {"": TASK.format("<UserId>S-1-5-18</UserId>").replace("<Principals>", trigger)})
    assert task_log_on(seen(EXPORT, record), HOST.name, r"\Reports\Nightly") == "S-1-5-18"


def test_pools_say_it_together_and_nobody_is_their_own_identity():
    found = seen(POOLS, pool("Web", r"CORP\svc-app"), pool("O&apos;Brien", ""))
    assert pool_log_ons(found, HOST.name) == {"web": r"CORP\svc-app", "o'brien": None}


@pytest.mark.parametrize(
    "found",
    [
        Seen("dmsa-app"),
        seen(EXPORT),
        seen(EXPORT, text(""), text("")),
        seen(EXPORT, text(""), errors=(RemoteError("x", "PermissionDenied", "", "Access is denied"),)),
    ],
)
def test_a_task_without_an_answer_is_said_so(found: Seen):
    with pytest.raises(Unreadable, match=r"app01\.corp\.example did not"):
        task_log_on(found, HOST.name, r"\Reports\Nightly")


def test_a_pool_without_a_name_is_said_so():
    nameless = Record("ConfigurationAttribute", {"Value": "", "ItemXPath": "/system.applicationHost"})
    with pytest.raises(Unreadable, match="without its name"):
        pool_log_ons(seen(POOLS, nameless), HOST.name)
