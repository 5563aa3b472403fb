"""What it takes for the workloads of one host to have been restarted and to be healthy.

Shared by restart, confirm and the ways back. A workload was restarted if its process began after the
baseline, the host's own clock before the step touched it; so a restart that somebody else did, or whose reply was lost,
counts, and none is done twice. What neither ran in the snapshot nor runs now is never started: it is idle. What runs
now though it did not run then (a boot, or somebody, has started it) logs on anew like everything else: Complete
disables the account that it runs as, and a way back takes away the dMSA.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.model.action import Answer, Done, Observe, Perform, Record, Stop, Wait
from orchestrator.model.before import HostBefore, ServiceBefore
from orchestrator.model.call import Read, Write, cmdlet
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import account_there
from orchestrator.model.event import WorkloadSeen
from orchestrator.model.host import HostSeen, TaskSeen, process_reads, split_task
from orchestrator.model.lifecycle import Trigger
from orchestrator.model.observation import Unreadable
from orchestrator.model.plan import Host
from orchestrator.steps import by_hand
from orchestrator.steps.registry import baseline, since_when
from orchestrator.steps.step import LOOK_AGAIN, did, original_missing

TASK_RUNS_FOR = timedelta(minutes=1)
STILL_RUNNING = 0x41301
"""SCHED_S_TASK_RUNNING (Microsoft Learn, Task Scheduler error and success constants)."""


def dependents_of(before: HostBefore) -> tuple[str, ...]:
    """Return the services that a restart takes along, as the snapshot knows them."""
    names = {name for service in before.services.values() for name in service.dependents}
    return tuple(sorted(names - before.services.keys()))


def restarted(
    case: Case, step: Trigger, host: Host, found: HostSeen, seen: Seen, only: frozenset[str] | None = None
) -> Answer:
    """Say what is next until every workload of the host has been restarted and is healthy.

    Args:
        case: the migration.
        step: the step that restarts.
        host: the host of the plan.
        found: the host as it was just read.
        seen: the same observation, with the processes that were asked for.
        only: lower-case names of the workloads to restart; None means all of them.
    """
    since = since_when(case, host.name, step)
    if since is None:
        return Record((baseline(case, found, step),))
    workloads: list[WorkloadSeen] = []
    for name, before in _services(case, host).items():
        if before.state != "Running" and _is_idle(case, found, name):
            workloads.append(WorkloadSeen(kind="service", name=name, state="idle"))
            continue
        if only is None or name.lower() in only:
            looked_since = found.local_time > since or did(case, host.name, "Restart-Service", name) > 0
            answer = _service(host.name, name, found, seen, since, looked_since=looked_since)
            if answer is not None:
                return _one_by_one(case, host, found, name, answer) if isinstance(answer, Perform) else answer
        workloads.append(WorkloadSeen(kind="service", name=name, state=_state(found, name)))
    waiting = _down_dependents(_before(case, host), found)
    if waiting:
        return _start(case, host, found, waiting[0])
    return _pools_and_tasks(case, host, found, since, workloads, only)


def _is_idle(case: Case, found: HostSeen, name: str) -> bool:
    """Whether a service does not run, and nothing here is what stopped it."""
    return _state(found, name) != "running" and not did(case, found.name, "Restart-Service", name)


def _one_by_one(case: Case, host: Host, found: HostSeen, name: str, restart: Perform) -> Perform:
    """Return the next restart, but first what an earlier one left down: the window may close before the next."""
    ours = any(where == host.name for where, _, _ in case.state.touched)
    left = _down_dependents(_before(case, host), found) if ours and _state(found, name) == "running" else []
    return _start(case, host, found, left[0]) if left else replace(restart, down=down_at(case, host, found))


def running(case: Case, host: Host, found: HostSeen) -> Answer:
    """Say what is next until everything that ran in the snapshot runs; what runs is left alone."""
    workloads = []
    for name, service in _services(case, host).items():
        if service.state == "Running" and _state(found, name) != "running":
            return _start(case, host, found, name)
        state = _state(found, name) if service.state == "Running" else "idle"
        workloads.append(WorkloadSeen(kind="service", name=name, state=state))
    waiting = _down_dependents(_before(case, host), found)
    if waiting:
        return _start(case, host, found, waiting[0])
    return _stopped_pool(case, host, found) or Done(workloads=tuple(workloads))


def logging_on(case: Case, seen: Seen, answer: Answer) -> Answer:
    """Let a workload log on anew only while the original is there: without it, what is stopped does not start again.

    What runs goes on with the log-on it has; so a restart is where a deletion that nobody noticed would do harm.
    """
    if not isinstance(answer, Perform):
        return answer
    look = cmdlet("Get-ADUser", Identity=case.account, Server=case.server)
    reply = seen.reply_to(look, case.endpoint)
    if reply is None:
        return Observe((Read(case.endpoint, (look,)),), more=True)
    return answer if account_there(case.server, reply) else original_missing(case, seen)


def not_running(case: Case, host: Host, found: HostSeen) -> frozenset[str]:
    """Return the lower-case names of services and application pools that ran in the snapshot and do not run now."""
    services = (
        name.lower()
        for name, service in _services(case, host).items()
        if service.state == "Running" and _state(found, name) != "running"
    )
    return frozenset((*services, *(pool.lower() for pool in _stopped_pools(case, host, found))))


def running_besides(case: Case, host: Host, found: HostSeen) -> frozenset[str]:
    """Return the lower-case names of services and application pools that run now, and did not run in the snapshot."""
    was = _before(case, host)
    services = (name.lower() for name, service in _services(case, host).items() if service.state != "Running")
    pools = (name.lower() for name, pool in was.app_pools.items() if pool.state != "Started")
    up = (name for name in services if name in found.services and found.services[name].running)
    return frozenset((*up, *(name for name in pools if found.app_pools.get(name) == "Started")))


def down_at(case: Case, host: Host, found: HostSeen) -> tuple[str, ...]:
    """Return what ran at a host in the snapshot and does not run now, services that others need included."""
    before = _before(case, host)
    named = (*before.services, *before.app_pools)
    down = not_running(case, host, found)
    return (*(name for name in named if name.lower() in down), *_down_dependents(before, found))


def _start(case: Case, host: Host, found: HostSeen, name: str) -> Perform:
    write = Write(host.name, cmdlet("Start-Service", Name=name))
    return Perform(write, disruptive=True, down=down_at(case, host, found))


def _stopped_pools(case: Case, host: Host, found: HostSeen) -> tuple[str, ...]:
    """Return the application pools that ran in the snapshot and are stopped; one that starts is not."""
    meant = {name.lower() for name in host.app_pools}
    ran = (name for name, pool in _before(case, host).app_pools.items() if pool.state == "Started")
    return tuple(name for name in ran if name.lower() in meant and found.app_pools.get(name.lower()) == "Stopped")


def _stopped_pool(case: Case, host: Host, found: HostSeen) -> Stop | None:
    """Return the stop before an application pool that nothing here can start: one that is stopped is not restarted.

    ("You have to start stopped object before restarting it" says Restart-WebAppPool; the catalogue starts none.)
    """
    pools = _stopped_pools(case, host, found)
    if not pools:
        return None
    return Stop(
        "fault",
        f"{host.name}: the application pool {pools[0]} ran before and is stopped. Nothing here starts a pool.",
        f"start it there (`{by_hand.workload(f'application pool {pools[0]}')}`), then `dmsa release`",
        down_at(case, host, found),
    )


def _before(case: Case, host: Host) -> HostBefore:
    if case.state.snapshot is None or host.name not in case.state.snapshot.hosts:
        raise Unreadable(f"there is no snapshot of {host.name}")
    return case.state.snapshot.hosts[host.name]


def _services(case: Case, host: Host) -> dict[str, ServiceBefore]:
    """Return the host's services as they were before; not those that an amendment took out of the plan."""
    meant = {name.lower() for name in host.services}
    return {name: before for name, before in _before(case, host).services.items() if name.lower() in meant}


def _state(found: HostSeen, name: str) -> str:
    service = found.services.get(name.lower())
    if service is None:
        raise Unreadable(f"{found.name} no longer has a service {name}")
    return "running" if service.running else "stopped"


def _down_dependents(before: HostBefore, found: HostSeen) -> list[str]:
    """Return the dependents that ran in the snapshot and do not run now."""
    return [name for name in dependents_of(before) if _state(found, name) != "running"]


def _service(
    host: str, name: str, found: HostSeen, seen: Seen, since: datetime, *, looked_since: bool
) -> Answer | None:
    """Return what is next for one service, or None when it was restarted after *since* and runs.

    What was seen no later than the baseline cannot show a restart after it; its process need not be asked for.
    """
    service = found.services.get(name.lower())
    if service is None:
        raise Unreadable(f"{host} no longer has a service {name}")
    restart = Perform(
        Write(host, cmdlet("Restart-Service", Name=service.name, Force=True, PassThru=True)), disruptive=True
    )
    if not service.running or not looked_since:
        return restart
    began = found.processes.get(service.pid)
    if began is None:
        read = process_reads(host, {one.pid for one in found.services.values() if one.running})
        if seen.reply_to(read.statements[0], host) is None:
            return Observe((read,), more=True)
        raise Unreadable(f"{host} shows no process {service.pid} for {name}")
    return restart if began <= since else None


def _pools_and_tasks(
    case: Case,
    host: Host,
    found: HostSeen,
    since: datetime,
    workloads: list[WorkloadSeen],
    only: frozenset[str] | None,
) -> Answer:
    stopped = _stopped_pool(case, host, found) if case.goes_back else None
    if stopped is not None:
        return stopped
    before = {name.lower(): pool.state for name, pool in _before(case, host).app_pools.items()}
    for pool in host.app_pools:
        started = found.app_pools.get(pool.lower()) == "Started"
        runs_or_ran = started or before[pool.lower()] == "Started"
        wanted = runs_or_ran and (only is None or pool.lower() in only)
        again = (host.name, f"Restart-WebAppPool {pool}") not in case.state.landed
        if wanted and (again or not started):
            return Perform(Write(host.name, cmdlet("Restart-WebAppPool", Name=pool)), disruptive=True)
        workloads.append(WorkloadSeen(kind="app-pool", name=pool, state="running" if started else "idle"))
    for task in host.tasks:
        answer = _task(case, host.name, task.path, task.run, found.tasks.get(task.path.lower()), since)
        if isinstance(answer, WorkloadSeen):
            workloads.append(answer)
        elif only is None or task.path.lower() in only:
            return answer
        else:
            workloads.append(WorkloadSeen(kind="task", name=task.path, state="idle"))
    return Done(workloads=tuple(workloads))


def _task(
    case: Case, host: str, path: str, run: bool, found: TaskSeen | None, since: datetime
) -> WorkloadSeen | Answer:
    """Return the task when it has run well since the baseline (or is disabled), else what is next."""
    if found is None:
        raise Unreadable(f"{host} no longer has a task {path}")
    if found.state == "Disabled":
        return WorkloadSeen(kind="task", name=path, state="idle")
    has_run = found.last_run is not None and found.last_run > since
    if has_run and found.last_result == STILL_RUNNING:
        return _task_wait(case, path, None)
    if has_run and found.last_result == 0:
        return WorkloadSeen(kind="task", name=path, state="idle")
    if has_run:
        return Stop(
            "fault",
            f"{host}: the task {path} ran at {found.last_run} and ended with 0x{found.last_result or 0:x}.",
            "mend the task and run it once, then `dmsa release`",
        )
    if run and not did(case, host, "Start-ScheduledTask", path):
        folder, name = split_task(path)
        return Perform(Write(host, cmdlet("Start-ScheduledTask", TaskPath=folder, TaskName=name)))
    return _task_wait(case, path, found.next_run)


def _task_wait(case: Case, path: str, until: datetime | None) -> Wait:
    again = until + TASK_RUNS_FOR if until else case.at + LOOK_AGAIN if case.at else None
    return Wait("task-run", until, again, f"the next scheduled run of {path} is the proof")
