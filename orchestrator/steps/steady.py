"""Is all well with a migration that is not under way? What a person would ask before a drill, and after it.

The account is there, enabled and not linked; services that start by themselves run; application pools run; tasks are
neither disabled nor did their last run fail. What is already broken would be blamed on the drill, and could hide what
the drill breaks: a drill begins where nothing is.

An application pool starts by itself unless it is told not to (IIS configuration reference, applicationPools, autoStart:
true by default), so one that is stopped is taken for broken; a service tells how it starts (Win32_Service, StartMode).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import PairSeen
from orchestrator.model.found_there import there, with_found
from orchestrator.model.host import HostSeen, ServiceSeen, TaskSeen, host_reads
from orchestrator.model.lifecycle import Pair
from orchestrator.model.observation import Unreadable
from orchestrator.model.plan import Host
from orchestrator.model.users_of import users_reads
from orchestrator.steps.step import pair_read

_TASK_IS_WELL = frozenset({None, 0, 0x41300, 0x41301, 0x41303, 0x41325})
"""No result yet, success, ready, running, has not run, queued (Microsoft Learn, Task Scheduler error and success
constants)."""


@dataclass(frozen=True)
class SteadyState:
    """What was found: ``workloads`` by host, and ``troubles``, each a sentence; none if all is well."""

    account: str
    workloads: dict[str, dict[str, str]] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()


def steady_reads(case: Case, seen: Seen | None = None) -> tuple[Read, ...]:
    """Return what must still be read: the pair on the pinned domain controller, and every host about its workloads.

    A host that says itself which are meant is asked that first; nothing is left once everything was asked that can be.
    """
    seen = seen or Seen(case.migration.id)
    return seen.unasked(
        (pair_read(case), *(read for host in _hosts(with_found(case, seen)) for read in _of(host, seen)))
    )


def _of(host: Host, seen: Seen) -> tuple[Read, ...]:
    if not host.discovers:
        return host_reads(host)
    try:
        return (*host_reads(host), *users_reads(host.name, seen, each=True))
    except Unreadable:
        return ()


def steady_state(case: Case, seen: Seen) -> SteadyState:
    """Judge what was read for :func:`steady_reads`; what could not be read is a trouble too."""
    account, troubles = _account(case, seen)
    workloads = {}
    for host in _hosts(with_found(case, seen)):
        try:
            found = seen.host(host.name)
            if host.discovers:
                there(case, host.name, seen)
        except Unreadable as unreadable:
            said = str(unreadable)
            troubles.append(said if host.name in said else f"{host.name}: {said}")
            continue
        states, broken = _workloads(host, found)
        workloads[host.name] = states
        troubles += [f"{host.name}: {one}" for one in broken]
    return SteadyState(account, workloads, tuple(troubles))


def _hosts(case: Case) -> tuple[Host, ...]:
    return tuple(case.migration.host(name) for name in case.host_names)


def _account(case: Case, seen: Seen) -> tuple[str, list[str]]:
    try:
        pair = seen.pair(case.endpoint, case.server)
    except Unreadable as unreadable:
        return "not read", [f"{case.migration.account} could not be read: {unreadable}"]
    if pair.account is None:
        return "not there", [f"{case.migration.account} is not on {pair.server}"]
    return _as_read(pair, pair.account.enabled), list(_wrong(case, pair, pair.account.enabled))


def _as_read(pair: PairSeen, enabled: bool) -> str:
    linked = {Pair.UNLINKED: "unlinked", Pair.BROKEN: "linked in a way that fits no state"}
    return f"{'enabled' if enabled else 'disabled'}, {linked.get(pair.pair, f'linked ({pair.pair})')}"


def _wrong(case: Case, pair: PairSeen, enabled: bool) -> Iterator[str]:
    if not enabled:
        yield f"{case.migration.account} is disabled"
    if pair.pair is not Pair.UNLINKED:
        yield f"{case.migration.account} is linked to a dMSA ({pair})"


def _workloads(host: Host, found: HostSeen) -> tuple[dict[str, str], list[str]]:
    states: dict[str, str] = {}
    broken: list[str] = []
    for name in host.services:
        service = found.services.get(name.lower())
        _note(f"service {name}", service.state if service else None, _service(service), states, broken)
    for task in host.tasks:
        seen = found.tasks.get(task.path.lower())
        _note(f"task {task.path}", seen.state if seen else None, _task(seen), states, broken)
    for name in host.app_pools:
        state = found.app_pools.get(name.lower())
        down = "" if state in {None, "Started"} else f"is {state}"
        _note(f"application pool {name}", state, down, states, broken)
    return states, broken


def _note(what: str, state: str | None, wrong: str, states: dict[str, str], broken: list[str]) -> None:
    states[what] = state or "not there"
    if state is None:
        broken.append(f"{what} is not there")
    elif wrong:
        broken.append(f"{what} {wrong}")


def _service(service: ServiceSeen | None) -> str:
    by_itself = service is not None and service.start_mode == "Auto"
    return f"starts by itself and is {service.state}" if service and by_itself and not service.running else ""


def _task(task: TaskSeen | None) -> str:
    if task is None:
        return ""
    if task.state == "Disabled":
        return "is disabled"
    return "" if task.last_result in _TASK_IS_WELL else f"ended its last run with 0x{task.last_result or 0:x}"
