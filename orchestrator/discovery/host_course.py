"""One host, asked: what runs there under the accounts. A conversation; whoever carries it sends and answers.

Services, tasks and application pools come in one pipeline, pools last, because a machine without IIS does not know
their cmdlet and that ends it. A task says whom it runs as only in its exported text; the texts come many in a
pipeline, told apart by the path that each gives itself, and one alone where it gives none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from orchestrator.discovery.found import HostFound, WorkloadFound
from orchestrator.discovery.spelling import Owner, Spellings
from orchestrator.guards.inventory import RESOURCES, cluster_roles
from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.directory import complaint
from orchestrator.model.host import split_task
from orchestrator.model.log_on import POOLS, exporting, path_in, pool_log_on, principal_of
from orchestrator.model.observation import Outcome, Record, RemoteError, Reply, Unreadable

Course: TypeAlias = Generator[Read, Reply, HostFound]

_SYSTEM = cmdlet(
    "Get-CimInstance", ClassName="Win32_OperatingSystem", Property=("BuildNumber", "ProductType", "Caption")
)
_COMPUTER = cmdlet("Get-CimInstance", ClassName="Win32_ComputerSystem", Property=("Name", "Domain"))
_TASKS = cmdlet("Get-ScheduledTask")
_TEXTS_AT_ONCE = 40
_CONTROLLER = 2
"""Win32_OperatingSystem.ProductType of a domain controller (Microsoft Learn, the class's page)."""
_EXACT = re.compile(r"[^*?\[\]`]{1,256}")
_FOLDER = re.compile(r"\\([^*?\[\]`\\/]{1,240}\\)*")


@dataclass
class _Host:
    name: str
    spellings: Spellings
    workloads: list[WorkloadFound] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def host_course(name: str, spellings: Spellings) -> Course:
    """Ask one host, and return what it said; remote trouble is in the answer."""
    host = _Host(name, spellings)
    first = yield Read(name, (*spellings.service_reads(), _TASKS, _SYSTEM, _COMPUTER, POOLS))
    system = next(first.of("Win32_OperatingSystem"), None)
    if system is None:
        return HostFound(name, fault=_fault(name, first))
    sensed = {one.text("Name").lower() for one in first.of("Win32_Service")}
    try:
        _services(host, first)
        states = _task_states(first)
        _pools(host, first, web_server="w3svc" in sensed)
    except Unreadable as trouble:
        return HostFound(name, fault=f"{name} gave an answer that cannot be read: {trouble}")
    yield from _tasks(host, states)
    for place, one in enumerate(host.workloads):
        if one.kind == "app-pool":
            host.workloads[place] = yield from _with_state(host, one)
    roles = (yield from _roles(host)) if "clussvc" in sensed else ()
    return HostFound(
        name,
        tuple(sorted(host.workloads, key=lambda one: (one.kind, one.name.lower()))),
        troubles=tuple(host.troubles),
        caption=system.text("Caption") if system.get("Caption") is not None else "",
        build=system.number("BuildNumber"),
        controller=system.get("ProductType") == _CONTROLLER,
        cluster="clussvc" in sensed,
        roles=roles,
        computer=_computer(first),
    )


def _computer(reply: Reply) -> str:
    """Return the machine's own name; empty where it does not say."""
    found = next(reply.of("Win32_ComputerSystem"), None)
    if found is None or found.get("Name") is None:
        return ""
    return ".".join(str(found.get(name)) for name in ("Name", "Domain") if found.get(name))


def _roles(host: _Host) -> Generator[Read, Reply, tuple[str, ...]]:
    """Ask what the host's cluster runs: whatever it is, the cluster starts and moves it itself."""
    reply = yield Read(host.name, (RESOURCES,))
    try:
        return tuple(cluster_roles(host.name, reply))
    except Unreadable as trouble:
        host.troubles.append(str(trouble))
        return ()


def _fault(name: str, reply: Reply) -> str:
    said = complaint(reply) if reply.fault or reply.errors else "it answered without what was asked for"
    return said if name.lower() in said.lower() else f"{name}: {said}"


def _services(host: _Host, reply: Reply) -> None:
    found = {one.text("Name").lower(): one for one in reply.of("Win32_Service")}
    for one in found.values():
        log_on = str(one.get("StartName") or "")
        owner = host.spellings.owner(log_on)
        if owner:
            host.workloads.append(
                WorkloadFound(
                    "service",
                    one.text("Name"),
                    owner.key,
                    log_on,
                    owner.bare,
                    one.text("State"),
                    one.text("StartMode"),
                )
            )
    host.troubles += [_said(error) for error in reply.errors if not _about_pools(error)]


def _about_pools(error: RemoteError) -> bool:
    return POOLS.name in (error.cmdlet, error.target)


def _said(error: RemoteError) -> str:
    what = {"Get-ScheduledTask": "its tasks", "Get-CimInstance": "its services"}.get(error.cmdlet, "something")
    return f"{what} could not be read in full: {error.message}"


def _task_states(reply: Reply) -> dict[str, str]:
    return {one.text("TaskPath") + one.text("TaskName"): one.text("State") for one in reply.of("MSFT_ScheduledTask")}


def _pools(host: _Host, reply: Reply, *, web_server: bool) -> None:
    """Take in the application pools; a machine that has no web server has none, whatever its complaint."""
    told = [one for one in reply.records if one.has("ItemXPath")]
    errors = [error for error in reply.errors if _about_pools(error)]
    if reply.outcome is not Outcome.SUCCEEDED and not errors:
        host.troubles.append(f"its application pools could not be read: {complaint(reply)}")
    elif errors and (web_server or told):
        host.troubles.append(
            f"it has IIS (the service W3SVC), and its application pools could not be read: {errors[0].message}"
        )
    for one in told:
        pool, log_on = pool_log_on(one, host.name)
        owner = host.spellings.owner(log_on)
        if owner and log_on:
            host.workloads.append(WorkloadFound("app-pool", pool, owner.key, log_on, owner.bare))


def _tasks(host: _Host, states: dict[str, str]) -> Generator[Read, Reply, None]:
    """Ask for the texts of the tasks, and take in those of the accounts."""
    askable = [path for path in states if _is_askable_task(path)]
    host.troubles += [
        f"the task {path} has a name that nothing here can ask for; look yourself whom it runs as"
        for path in sorted(states.keys() - set(askable))
    ]
    texts: dict[str, str] = {}
    for part in _parts(askable):
        reply = yield Read(host.name, tuple(map(exporting, part)))
        texts |= _told_apart(part, reply)
    for path in askable:
        if path.lower() not in texts:
            reply = yield Read(host.name, (exporting(path),))
            alone = _texts(reply)
            if len(alone) != 1:
                host.troubles.append(f"the task {path} did not say whom it runs as: {complaint(reply)}")
                continue
            texts[path.lower()] = alone[0]
        log_on = principal_of(texts[path.lower()])
        owner: Owner | None = host.spellings.owner(log_on)
        if owner and log_on:
            host.workloads.append(WorkloadFound("task", path, owner.key, log_on, owner.bare, states[path]))


def _parts(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _TEXTS_AT_ONCE):
        yield paths[start : start + _TEXTS_AT_ONCE]


def _texts(reply: Reply) -> list[str]:
    return [text for one in reply.records if isinstance(text := one.properties.get(""), str)]


def _told_apart(asked: Sequence[str], reply: Reply) -> dict[str, str]:
    """Return the texts by the path that each gives itself; a path that two of them claim is nobody's."""
    wanted = {path.lower() for path in asked}
    found = [(path.lower(), text) for text in _texts(reply) if (path := path_in(text))]
    claimed = Counter(path for path, _ in found)
    return {path: text for path, text in found if claimed[path] == 1 and path in wanted}


def _is_askable(name: str) -> bool:
    """Whether a cmdlet takes this name for itself, and no more: what the catalogue lets through."""
    return _EXACT.fullmatch(name) is not None and name.isprintable() and bool(name.strip())


def _is_askable_task(path: str) -> bool:
    folder, name = split_task(path)
    return _FOLDER.fullmatch(folder) is not None and folder.isprintable() and _is_askable(name)


def _with_state(host: _Host, pool: WorkloadFound) -> Generator[Read, Reply, WorkloadFound]:
    if not _is_askable(pool.name):
        return pool
    asked: Cmdlet = cmdlet("Get-WebAppPoolState", Name=pool.name)
    reply = yield Read(host.name, (asked,))
    record: Record | None = reply.records[-1] if reply.records else None
    if record is None:
        host.troubles.append(f"the application pool {pool.name} did not say whether it runs: {complaint(reply)}")
        return pool
    return replace(pool, state=record.text("Value" if record.has("Value") else ""))
