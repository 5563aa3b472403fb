"""The simulated estate as a whole: what the lab's shells and transports talk to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from orchestrator.lab.command import Command, Request, Result
from orchestrator.lab.estate import identity
from orchestrator.lab.estate.clock import Clock
from orchestrator.lab.estate.cmdlets import is_write, run_pipeline
from orchestrator.lab.estate.describe import describe
from orchestrator.lab.estate.directory import Directory
from orchestrator.lab.estate.events import carry_out
from orchestrator.lab.estate.genesis import Genesis
from orchestrator.lab.estate.logon import Authority
from orchestrator.lab.estate.machine import Machine
from orchestrator.lab.estate.spec import DcSpec, EstateSpec, HostSpec, OtherUse
from orchestrator.lab.estate.weather import Weather, WeatherFault
from orchestrator.lab.estate.weather_spec import Event
from orchestrator.lab.estate.workloads import Workloads

_UPTIME = timedelta(days=40)


class Estate:
    """A domain with its machines, its own time and its weather.

    Not thread-safe: whoever shares it serialises the calls (:class:`orchestrator.lab.record.Lab` does).

    *first_day* is the directory of another estate of the same specification (weather and machines' clocks aside) on its
    first day; to begin like it is faster than to begin anew.

    Raises:
        EstateInvalid: the specification names an object or a container that it does not define.
    """

    def __init__(self, spec: EstateSpec, first_day: Directory | None = None) -> None:
        self.spec = spec
        self.clock = Clock(spec.clock.start, spec.clock.jump)
        self.directory = Directory(spec, self.clock)
        self.machines = _machines(spec)
        self._shorts = {name.partition(".")[0]: name for name in self.machines}
        controllers = {name: machine for name, machine in self.machines.items() if machine.dc is not None}
        self.authority = Authority(self.directory, self.clock, controllers, self.reachable)
        self.workloads = Workloads(self.authority, self.clock, self.reachable)
        self.weather = Weather(spec.weather)
        self.refused_scripts = 0
        self._read_clock_last = False
        self._late: dict[UUID, timedelta] = {}
        self._running_late: set[tuple[UUID, UUID]] = set()
        self._outliving: set[UUID] = set()
        self._begin(first_day)

    def _begin(self, first_day: Directory | None) -> None:
        if first_day is not None:
            self.directory.begin_like(first_day)
        else:
            Genesis(self.spec, self.directory).run()
        self.authority.begin_security_logs()
        for machine in self.machines.values():
            self.workloads.first_day(machine)
        self.every(self.spec.domain.ticket_lifetime, self._renew_tickets)
        for use in self.spec.other_use:
            self._other_use(use, use.every if use.ended is None else use.ended)
            if use.ended is None:
                self.every(use.every, partial(self._other_use, use))
        for rule in self.spec.weather:
            if isinstance(rule, Event) and rule.at is not None:
                self._schedule(rule, rule.at + rule.delay)

    @property
    def now(self) -> datetime:
        """The estate's time, which is every DC's time."""
        return self.clock.now

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names of all machines, domain controllers first."""
        return tuple(machine.name for machine in self.machines.values())

    def address(self, host: str) -> str:
        """Return the loopback address that a machine has on the wire.

        Raises:
            KeyError: there is no such machine.
        """
        return self.machine(host).address

    def machine(self, host: str) -> Machine:
        """Return a machine by its full or its short name.

        Raises:
            KeyError: there is none.
        """
        folded = host.lower()
        return self.machines[self._shorts.get(folded, folded)]

    def reachable(self, machine: Machine) -> bool:
        """Say whether anything answers on a machine."""
        return machine.spec.listening and (machine.down_until is None or machine.down_until <= self.now)

    def boots(self) -> dict[str, datetime | None]:
        """Return when each machine booted, None for one on which nothing answers now."""
        return {one.name: one.boot if self.reachable(one) else None for one in self.machines.values()}

    def listens(self, host: str) -> bool:
        """Say whether there is a machine of this full name, and anything answers on it."""
        machine = self.machines.get(host.lower())
        return machine is not None and self.reachable(machine)

    def belongs(self, principal: str, name: str) -> bool:
        """Say whether *principal* is the account *name* (``DOMAIN\\name``), or is in the group of that name."""
        own, wanted = self._account(principal), self._account(name)
        if own is None or wanted is None:
            return False
        replica = next(iter(self.directory.replicas.values()))
        entry, group = replica.account(own), replica.account(wanted)
        inside = replica.groups_of(entry) if entry is not None else {}
        return own.lower() == wanted.lower() or (group is not None and group.guid in inside)

    def _account(self, spelling: str) -> str | None:
        """Return the account's name without this domain's; None if it is another domain's."""
        domain, _, name = spelling.rpartition("\\")
        if not domain:
            name, _, domain = spelling.partition("@")
        known = {self.spec.domain.netbios.lower(), self.spec.domain.dns.lower()}
        return name if domain.lower() in known else None

    def advance(self, delta: timedelta) -> None:
        """Let real time pass."""
        self.clock.advance_to(self.now + delta)

    def advance_to(self, when: datetime) -> None:
        """Let time pass until *when*; never backwards."""
        self.clock.advance_to(when)

    def fault_for(self, request: Request) -> WeatherFault | None:
        """Say what befalls a request on its way; to be asked once per request, before :meth:`execute`."""
        machine = self.machines.get(request.host.lower())
        if machine is None or not self.reachable(machine):
            return WeatherFault("down")
        fault = self.weather.fault_for(request)
        if fault is not None and fault.kind == "lost-reply" and fault.delay:
            self.expect_late(request.pipeline, fault.delay, outlives=fault.outlives)
        return fault

    def fault_at(self, host: str, operation: str, request: Request | None) -> WeatherFault | None:
        """Say what befalls one message of the wire by its operation; to be asked once per message."""
        return self.weather.fault_at(host, operation, request)

    def expect_late(self, pipeline: UUID, delay: timedelta, *, outlives: bool = False) -> None:
        """Let the effect of a pipeline that is about to be executed come *delay* later.

        With *outlives* it comes even if the shell is deleted meanwhile.
        """
        self._late[pipeline] = delay
        if outlives:
            self._outliving.add(pipeline)

    def outlives(self, pipeline: UUID) -> bool:
        """Whether the late effect of a pipeline comes even if its shell is deleted."""
        return pipeline in self._outliving

    def late_by(self, pipeline: UUID) -> timedelta | None:
        """By how much the effect of a pipeline will be late."""
        return self._late.get(pipeline)

    def execute(self, request: Request) -> Result:
        """Run a pipeline at the estate's present time and return what it gave.

        A pipeline that reads the clock and nothing else, and directly follows another such one with no other
        call open, first jumps to whatever is due next, at most ``clock.jump`` on.
        """
        self.arrive(request)
        delay = self._late.pop(request.pipeline, None)
        if delay is None:
            return self.perform(request)
        token = (request.shell, request.pipeline)
        self._running_late.add(token)
        self.clock.after(delay, lambda: self._run_late(token, request))
        return Result()

    def arrive(self, request: Request) -> None:
        """Do only what a request's arrival does to the clock; all there is to a pure read when replaying."""
        reading = request.alone and _reads_clock_only(request)
        if reading and self._read_clock_last:
            self.clock.jump()
        self._read_clock_last = reading

    def after_effects(self, request: Request) -> None:
        """Set off the weather that follows a request."""
        for event in self.weather.events_after(request):
            self._schedule(event, self.now + event.delay)

    def discard(self, shell: UUID) -> bool:
        """Delete a shell: what still runs in it ends without its effect, if it can. Say whether anything did."""
        kept = {token for token in self._running_late if token[0] != shell or token[1] in self._outliving}
        stopped = kept != self._running_late
        self._running_late = kept
        return stopped

    def perform(self, request: Request) -> Result:
        """Let a pipeline take effect now, and return what it gave; the clock and lateness are none of its affair."""
        result = run_pipeline(self, request)
        self.after_effects(request)
        return result

    def _run_late(self, token: tuple[UUID, UUID], request: Request) -> None:
        if token in self._running_late:
            self._running_late.discard(token)
            self.perform(request)

    def _schedule(self, event: Event, when: datetime) -> None:
        self.clock.at(when, lambda: carry_out(self, event))

    def every(self, interval: timedelta, action: Callable[[], None]) -> None:
        """Let *action* happen again and again."""

        def happen() -> None:
            action()
            self.clock.after(interval, happen)

        self.clock.after(interval, happen)

    def _renew_tickets(self) -> None:
        migrating = self.authority.being_migrated()
        for machine in self.machines.values():
            if not migrating.isdisjoint(machine.accounts) and self.reachable(machine):
                self.workloads.renew_tickets(machine, migrating)

    def _other_use(self, use: OtherUse, ago: timedelta = timedelta(0)) -> None:
        controllers = self.authority.controllers.values()
        dc = next((dc for dc in controllers if (use.dc or dc.name).lower() in dc.names and self.reachable(dc)), None)
        if dc is None:
            return
        if use.protocol == "ntlm":
            self.authority.note_ntlm(dc, use.account, use.workstation)
        else:
            self.authority.note_logon(dc, use.account, use.address)
        self.authority.security[str(dc.dc)][-1].at -= ago

    def take_down(self, machine: Machine, until: datetime) -> None:
        """Let nothing answer on a machine before *until*; a DC exchanges no changes meanwhile."""
        machine.down_until = max(until, machine.down_until or until)
        if machine.dc is not None:
            self.directory.cut_off(machine.dc, until)
        self.clock.at(until, lambda: None)

    def reboot(self, machine: Machine) -> None:
        """Restart a machine's Windows."""
        self.workloads.shut_down(machine)
        up = self.now + machine.spec.boots_in
        self.take_down(machine, up)
        self.clock.at(up, lambda: self.workloads.boot(machine))

    def describe(self) -> dict[str, object]:
        """Return the estate as JSON-able data, for people."""
        return describe(self)

    @staticmethod
    def writes(request: Request) -> bool:
        """Say whether a request contains anything that may change the estate."""
        commands = (command for statement in request.statements for command in statement)
        return any(command.is_script or is_write(command.name) for command in commands)


def _machines(spec: EstateSpec) -> dict[str, Machine]:
    boot = spec.clock.start - _UPTIME
    hosts: list[tuple[HostSpec, DcSpec | None]] = [(_dc_host(dc), dc) for dc in spec.dcs]
    hosts += [(host, None) for host in spec.hosts]
    machines = {}
    for index, (host, dc) in enumerate(hosts):
        name = host.name.lower()
        machines[name] = Machine(host, identity.address(index), boot, dc=name if dc else None)
    return machines


def _dc_host(dc: DcSpec) -> HostSpec:
    return HostSpec(
        name=dc.name, address=dc.address, build=dc.build, ubr=dc.ubr, site=dc.site, clock_ahead=dc.clock_ahead
    )


def _reads_clock_only(request: Request) -> bool:
    commands = [command for statement in request.statements for command in statement]
    alone = [command.name.lower() for command in commands] == ["get-adrootdse"] and not commands[0].is_script
    return alone and not _asks_who(commands[0])


def _asks_who(command: Command) -> bool:
    """Say whether a reading of rootDSE asks for the caller's token, which has nothing to do with time."""
    asked = command.parameters.get("Properties")
    return isinstance(asked, list | tuple) and "tokenGroups" in map(str, asked)
