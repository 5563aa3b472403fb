"""Starting and stopping what runs on a machine: services with their dependencies, tasks, application pools."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from orchestrator.lab.estate.clock import Clock
from orchestrator.lab.estate.logon import Authority, Session
from orchestrator.lab.estate.machine import Machine, Pool, Service, Task, folded_account

DISABLED = 1058
DEPENDENCY_FAILED = 1068
LOGON_FAILED = 1069
NO_RESPONSE = 1053
TASK_LOGON_FAILED = 0x8007052E
"""ERROR_LOGON_FAILURE as the scheduler reports it."""


@dataclass
class Workloads:
    """What a machine's service control manager, scheduler and IIS do."""

    authority: Authority
    clock: Clock
    reachable: Callable[[Machine], bool]

    def start_service(self, machine: Machine, service: Service) -> int:
        """Start a service and what it needs; return 0 or the Win32 error."""
        if service.running:
            return 0
        if service.spec.start_mode == "Disabled":
            return DISABLED
        for name in service.spec.depends_on:
            if self.start_service(machine, machine.services[name.lower()]):
                service.exit_code = DEPENDENCY_FAILED
                return DEPENDENCY_FAILED
        service.exit_code = self._launch(machine, service)
        return service.exit_code

    def _launch(self, machine: Machine, service: Service) -> int:
        session = self.authority.log_on(machine, service.spec.log_on)
        if session is None:
            return LOGON_FAILED
        if service.broken:
            service.broken -= 1
            return NO_RESPONSE
        service.running, service.pid, service.started = True, machine.take_pid(), self.clock.now
        service.as_dmsa = session is Session.DMSA
        return 0

    @staticmethod
    def stop_service(service: Service) -> None:
        """End a service's process."""
        service.running, service.pid, service.started, service.as_dmsa = False, 0, None, False

    def restart_service(self, machine: Machine, service: Service) -> list[tuple[Service, int]]:
        """Stop a service with its running dependents and start all of them again.

        Returns each that was to be started, the service first, with 0 or its Win32 error.
        """
        running = [other for other in machine.dependents(service) if other.running]
        for other in (*reversed(running), service):
            self.stop_service(other)
        return [(other, self.start_service(machine, other)) for other in (service, *running)]

    def run_task(self, machine: Machine, task: Task) -> None:
        """Run a task now."""
        task.last_run = self.clock.now
        session = self.authority.log_on(machine, task.spec.log_on)
        task.last_result = TASK_LOGON_FAILED if session is None else 0

    def schedule(self, machine: Machine, task: Task) -> None:
        """Let a task run at its hours from now on; a run that falls into an outage is missed."""
        due = task.next_run(self.clock.now)
        if due is None:
            return

        def run() -> None:
            if self.reachable(machine):
                self.run_task(machine, task)
            self.schedule(machine, task)

        self.clock.at(due, run)

    def start_pool(self, machine: Machine, pool: Pool) -> bool:
        """Start an application pool; say whether its identity could log on."""
        session = self.authority.log_on(machine, pool.spec.log_on)
        pool.started, pool.as_dmsa = session is not None, session is Session.DMSA
        return pool.started

    def first_day(self, machine: Machine) -> None:
        """Bring the machine's workloads into the state that the estate file gives them."""
        for service in machine.services.values():
            if service.spec.state == "Running":
                service.running, service.pid, service.started = True, machine.take_pid(), machine.boot
        for pool in machine.pools.values():
            pool.started = pool.spec.state == "Started"
        for task in machine.tasks.values():
            due = task.next_run(self.clock.now)
            if due is not None:
                task.last_run, task.last_result = due - timedelta(days=1), 0
            self.schedule(machine, task)

    def renew_tickets(self, machine: Machine, accounts: Collection[str]) -> None:
        """Let everything that runs under one of these accounts (folded names) renew its tickets."""
        for service in machine.services.values():
            if service.running and folded_account(service.spec.log_on) in accounts:
                self.authority.renew(machine, service.spec.log_on)
        for pool in machine.pools.values():
            if pool.started and folded_account(pool.spec.log_on) in accounts:
                self.authority.renew(machine, pool.spec.log_on)

    def shut_down(self, machine: Machine) -> None:
        """Stop everything, as a machine that goes down does."""
        for service in machine.services.values():
            self.stop_service(service)

    def boot(self, machine: Machine) -> None:
        """Start everything that starts by itself."""
        machine.boot = self.clock.now
        for service in machine.services.values():
            if service.spec.start_mode == "Auto":
                self.start_service(machine, service)
        for pool in machine.pools.values():
            if pool.spec.state == "Started":
                self.start_pool(machine, pool)
