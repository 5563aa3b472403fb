"""Whom a host's scheduled tasks and application pools run as.

A service names its account itself; a task says it only in its exported text, for its principal is a nested object
that does not survive serialisation; pools say it all together. None of these answers names what was asked about in a
way that could be told from others, so each is asked for alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import unescape

from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Seen
from orchestrator.model.directory import complaint
from orchestrator.model.host import split_task
from orchestrator.model.observation import Outcome, Record, Reply, Unreadable
from orchestrator.model.plan import Host

POOLS = cmdlet(
    "Get-WebConfigurationProperty",
    PSPath="MACHINE/WEBROOT/APPHOST",
    Filter="/system.applicationHost/applicationPools/add",
    Name="processModel.userName",
)
"""Asks whom every application pool of a host runs as."""
_POOL = re.compile(r"add\[@name='([^']*)'")
_PRINCIPALS = re.compile(r"<Principals\b.*?</Principals>", re.DOTALL)
_PRINCIPAL = re.compile(r"<(UserId|GroupId)>([^<]*)</\1>")
"""A task's principal in its text (Microsoft Learn, Task Scheduler schema, principalType). Triggers, which stand before
the principals, name users too (the same, logonTriggerType)."""
_URI = re.compile(r"<RegistrationInfo\b.*?<URI>([^<]*)</URI>.*?</RegistrationInfo>", re.DOTALL)


def log_on_reads(host: Host) -> tuple[Read, ...]:
    """Ask whom the tasks and pools of the plan run as."""
    tasks = (Read(host.name, (exporting(task.path),)) for task in host.tasks)
    return (*tasks, *((Read(host.name, (POOLS,)),) if host.app_pools else ()))


def task_log_on(seen: Seen, host: str, path: str) -> str | None:
    """Return whom a task runs as; None where its text names nobody.

    Raises:
        Unreadable: it was not asked for, or its text did not come back.
    """
    reply = _answer(seen, host, exporting(path), path)
    texts = [record.value for record in reply.records if isinstance(record.properties.get(""), str)]
    if len(texts) != 1:
        raise Unreadable(f"{host} did not export the task {path}")
    return principal_of(str(texts[0]))


def principal_of(text: str) -> str | None:
    """Return whom a task runs as, by its exported text; None where the text names nobody."""
    principals = _PRINCIPALS.search(text)
    found = _PRINCIPAL.search(principals[0]) if principals else None
    return unescape(found[2]) if found else None


def path_in(text: str) -> str | None:
    """Return the path that a task's exported text gives it; None where it gives none (URI is optional there)."""
    found = _URI.search(text)
    return unescape(found[1]) if found else None


def pool_log_on(record: Record, host: str) -> tuple[str, str | None]:
    """Return an application pool's name, and whom it runs as; None: as itself.

    Raises:
        Unreadable: the answer names no pool.
    """
    named = _POOL.search(record.text("ItemXPath"))
    if named is None:
        raise Unreadable(f"{host} showed an application pool without its name")
    return unescape(named[1], {"&apos;": "'"}), record.text("Value") or None


def pool_log_ons(seen: Seen, host: str) -> Mapping[str, str | None]:
    """Return whom each application pool of a host runs as, by its name in small letters; None: as itself.

    Raises:
        Unreadable: it was not asked for, or an answer names no pool.
    """
    return {name.lower(): log_on for name, log_on in pools_seen(seen, host)}


def pools_seen(seen: Seen, host: str) -> tuple[tuple[str, str | None], ...]:
    """Return every application pool of a host as it spells it, and whom it runs as; None: as itself.

    Raises:
        Unreadable: it was not asked for, or an answer names no pool.
    """
    return tuple(pool_log_on(record, host) for record in _answer(seen, host, POOLS, "its application pools").records)


def exporting(path: str) -> Cmdlet:
    """Ask for the text of a task, which says whom it runs as."""
    folder, name = split_task(path)
    return cmdlet("Export-ScheduledTask", TaskPath=folder, TaskName=name)


def _answer(seen: Seen, host: str, asked: Cmdlet, about: str) -> Reply:
    reply = seen.reply_to(asked, host)
    if reply is None or reply.outcome is not Outcome.SUCCEEDED or reply.errors:
        why = complaint(reply) if reply else "it was not asked"
        raise Unreadable(f"{host} did not say whom {about} runs as: {why}")
    return reply
