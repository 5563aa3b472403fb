"""Whom a host's scheduled tasks and application pools run as.

A service names its account itself; a task says it only in its exported text, for its principal is a nested object
that does not survive serialisation; pools say it all together. None of these answers names what was asked about in a
way that could be told from others, so each is asked for alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.sax.saxutils import unescape

from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Seen
from orchestrator.model.directory import complaint
from orchestrator.model.host import split_task
from orchestrator.model.observation import Outcome, Reply, Unreadable
from orchestrator.model.plan import Host

POOLS = cmdlet(
    "Get-WebConfigurationProperty",
    PSPath="MACHINE/WEBROOT/APPHOST",
    Filter="/system.applicationHost/applicationPools/add",
    Name="processModel.userName",
)
_POOL = re.compile(r"add\[@name='([^']*)'")
_PRINCIPAL = re.compile(r"<(UserId|GroupId)>([^<]*)</\1>")
"""A task's principal in its text (Microsoft Learn, Task Scheduler schema, principalType)."""


def log_on_reads(host: Host) -> tuple[Read, ...]:
    """Ask whom the tasks and pools of the plan run as."""
    tasks = (Read(host.name, (_exported(task.path),)) for task in host.tasks)
    return (*tasks, *((Read(host.name, (POOLS,)),) if host.app_pools else ()))


def task_log_on(seen: Seen, host: str, path: str) -> str | None:
    """Return whom a task runs as; None where its text names nobody.

    Raises:
        Unreadable: it was not asked for, or its text did not come back.
    """
    reply = _answer(seen, host, _exported(path), path)
    texts = [record.value for record in reply.records if isinstance(record.properties.get(""), str)]
    if len(texts) != 1:
        raise Unreadable(f"{host} did not export the task {path}")
    found = _PRINCIPAL.search(str(texts[0]))
    return unescape(found[2]) if found else None


def pool_log_ons(seen: Seen, host: str) -> Mapping[str, str | None]:
    """Return whom each application pool of a host runs as, by its name in small letters; None: as itself.

    Raises:
        Unreadable: it was not asked for, or an answer names no pool.
    """
    return dict(_pools(_answer(seen, host, POOLS, "its application pools"), host))


def _pools(reply: Reply, host: str) -> Iterator[tuple[str, str | None]]:
    for record in reply.records:
        named = _POOL.search(record.text("ItemXPath"))
        if named is None:
            raise Unreadable(f"{host} showed an application pool without its name")
        yield unescape(named[1], {"&apos;": "'"}).lower(), record.text("Value") or None


def _exported(path: str) -> Cmdlet:
    folder, name = split_task(path)
    return cmdlet("Export-ScheduledTask", TaskPath=folder, TaskName=name)


def _answer(seen: Seen, host: str, asked: Cmdlet, about: str) -> Reply:
    reply = seen.reply_to(asked, host)
    if reply is None or reply.outcome is not Outcome.SUCCEEDED or reply.errors:
        why = complaint(reply) if reply else "it was not asked"
        raise Unreadable(f"{host} did not say whom {about} runs as: {why}")
    return reply
