"""An estate without a wire: the transport that tests and rehearsals use, with the contract of the real one.

Every call takes a little estate time, so that a restart is always later than the start before it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol, cast
from uuid import UUID, uuid4

from orchestrator.lab.command import Command, LabError, LabObject, Request, Result
from orchestrator.lab.estate.cmdlets.pipeline import LDAP
from orchestrator.lab.estate.weather import WeatherFault
from orchestrator.lab.jea import Entry, Registered
from orchestrator.model.call import Cmdlet, Read, Ticket, Value, Write
from orchestrator.model.observation import Fault, FaultKind, Outcome, Record, RemoteError, Reply
from orchestrator.model.witness import WITNESS

PLAIN_CONFIGURATION = "Microsoft.PowerShell"
_DIRECTORY = "Microsoft.ActiveDirectory.Management."
_REMEMBERED = 4096
"""How many of the directory's objects are remembered in translation."""
CALL_TAKES = timedelta(milliseconds=20)
"""The estate time that a call takes."""


class Shells(Protocol):
    """What the transport needs of an estate: :class:`Estate` itself, or a recording ``Lab``."""

    def advance(self, delta: timedelta) -> None:
        """Let time pass."""

    def fault_for(self, request: Request) -> WeatherFault | None:
        """Say what befalls a request."""

    def execute(self, request: Request) -> Result:
        """Run a request."""

    def discard(self, shell: UUID) -> object:
        """Delete a shell."""

    def listens(self, host: str) -> bool:
        """Say whether anything answers on a host."""

    def belongs(self, principal: str, name: str) -> bool:
        """Say whether an account is, or belongs to, another."""


class MemoryTransport:
    """Calls into a simulated estate, as *principal* (``CORP\\name``). Any thread may call.

    A ticket serves one call. A shell carries one call after the other, as long as none is lost in it. *ids* makes the
    ids of shells and pipelines; they must differ from those of every other transport to the same estate. With
    *registered* every machine is reached through its JEA endpoint, if it has one, and no other configuration is known.
    """

    def __init__(
        self,
        estate: Shells,
        principal: str,
        configuration: str = PLAIN_CONFIGURATION,
        ids: Callable[[], UUID] = uuid4,
        registered: Registered | None = None,
    ) -> None:
        self._estate = estate
        self._principal = principal
        self._configuration = configuration
        self._registered = registered
        self._issued: dict[UUID, Ticket] = {}
        self._idle: dict[str, list[UUID]] = {}
        self._opened: set[UUID] = set()
        self._alone: set[UUID] = set()
        self._gone: list[Ticket] = []
        self._ids = ids
        self._lock = threading.Lock()
        self._records: dict[int, tuple[LabObject, Record]] = {}

    def ticket(self, endpoint: str) -> Ticket | None:
        """Return the ids of the next call to *endpoint*; never None, for there is always a shell to spare."""
        with self._lock:
            idle = self._idle.setdefault(endpoint, [])
            ticket = Ticket(endpoint, idle.pop() if idle else self._ids(), self._ids())
            self._issued[ticket.pipeline] = ticket
            return ticket

    def honour(self, ticket: Ticket) -> bool:
        """Take a ticket of another process: its call travels in a shell of its own. Always True, as with a ticket."""
        with self._lock:
            self._idle.setdefault(ticket.endpoint, [])
            self._issued[ticket.pipeline] = ticket
            self._alone.add(ticket.shell)
            return True

    def give_back(self, ticket: Ticket) -> None:
        """Take a ticket back that was not used."""
        with self._lock:
            if self._issued.pop(ticket.pipeline, None) is not None:
                self._idle[ticket.endpoint].append(ticket.shell)

    def run(self, call: Read | Write, ticket: Ticket, leave: Callable[[], Fault | None] | None = None) -> Reply:
        """Carry a call out under a ticket of :meth:`ticket`.

        Raises:
            ValueError: the ticket was not issued here for this endpoint, or was used before.
        """
        with self._lock:
            if self._issued.get(ticket.pipeline) != ticket or ticket.endpoint != call.endpoint:
                raise ValueError(f"{ticket} is no ticket for a call to {call.endpoint}, or was used before")
            del self._issued[ticket.pipeline]
            refused = leave() if leave is not None and isinstance(call, Write) else None
            reply = self._run(self._request(call, ticket)) if refused is None else Reply(Outcome.FAILED, fault=refused)
            self._opened.add(ticket.shell)
            if reply.outcome is not Outcome.UNKNOWN and ticket.shell in self._alone:
                self._delete(ticket.endpoint, ticket.shell)
            elif reply.outcome is not Outcome.UNKNOWN:
                self._idle[ticket.endpoint].append(ticket.shell)
            elif isinstance(call, Read):
                self._delete(ticket.endpoint, ticket.shell)
            return reply

    def _run(self, request: Request) -> Reply:
        self._estate.advance(CALL_TAKES)
        fault = self._estate.fault_for(request)
        if fault is not None and not fault.executes:
            return _refused(fault, request.host)
        registered = None if request.configuration == LDAP else self._registered
        if registered is not None:
            entry = registered.entry(request.host, request.configuration, request.principal, self._estate.belongs)
            if entry is not Entry.OPEN:
                return _shut(entry, request)
        inside = request if registered is None else registered.through(request)
        result = self._estate.execute(inside)
        if fault is not None and fault.kind != "slow":
            return _refused(fault, request.host)
        if fault is not None:
            self._estate.advance(fault.delay)
        return self._reply(result, request)

    def _reply(self, result: Result, request: Request) -> Reply:
        asks_descriptor = any(statement[0].name == "Get-DmsaDescriptor" for statement in request.statements)
        records = tuple(self._record(item, asks_descriptor) for item in result.output)
        errors = tuple(_error(error) for error in result.errors)
        if result.failure is None:
            return Reply(Outcome.SUCCEEDED, records, errors)
        failure = result.failure
        kind = FaultKind.TRANSIENT if failure.category in _TRANSIENT else FaultKind.PERMANENT
        fault = Fault(kind, failure.id, f"{request.host}: {failure.message}")
        return Reply(Outcome.FAILED, records, (*errors, _error(failure)), fault)

    def _record(self, item: object, asks_descriptor: bool) -> Record:
        """Translate an object; the estate hands out the same one again while nothing about it has changed."""
        if not isinstance(item, LabObject) or not item.types[0].startswith(_DIRECTORY):
            return _record(item, asks_descriptor)
        known = self._records.get(id(item))
        if known is None:
            if len(self._records) >= _REMEMBERED:
                self._records.clear()
            known = self._records[id(item)] = (item, _record(item, asks_descriptor))
        return known[1]

    def discard(self, endpoint: str, shell: UUID) -> bool:
        """Delete a shell and whatever runs in it; True once that is certain."""
        with self._lock:
            unused = [pipeline for pipeline, ticket in self._issued.items() if ticket.shell == shell]
            for pipeline in unused:
                del self._issued[pipeline]
            self._idle[endpoint] = [one for one in self._idle.get(endpoint, ()) if one != shell]
            if unused and shell not in self._opened:
                return True
            return self._delete(endpoint, shell)

    def _delete(self, endpoint: str, shell: UUID) -> bool:
        if not self._estate.listens(endpoint.removeprefix(WITNESS)):
            return False
        self._estate.discard(shell)
        self._gone.append(Ticket(endpoint, shell, shell))
        return True

    def gone(self) -> list[Ticket]:
        """Return the shells that were deleted since this was last asked."""
        with self._lock:
            gone, self._gone = self._gone, []
            return gone

    def close(self) -> None:
        """Forget all tickets that were not used, and delete the shells that nothing runs in."""
        with self._lock:
            self._issued.clear()
            for endpoint, idle in self._idle.items():
                for shell in idle:
                    self._delete(endpoint, shell)
            self._idle.clear()

    def _request(self, call: Read | Write, ticket: Ticket) -> Request:
        cmdlets = call.statements if isinstance(call, Read) else (call.statement,)
        restricted = self._registered.configuration_of(call.endpoint) if self._registered is not None else None
        configuration = restricted or self._configuration
        by_ldap = call.endpoint.startswith(WITNESS)
        statements = tuple(_worded(item, configuration) for item in cmdlets)
        return Request(
            host=call.endpoint.removeprefix(WITNESS),
            shell=ticket.shell,
            pipeline=ticket.pipeline,
            principal=self._principal,
            statements=statements,
            configuration=LDAP if by_ldap else configuration,
        )


def _worded(item: Cmdlet, configuration: str) -> tuple[Command, ...]:
    """Return the pipeline that says a statement.

    Bare arguments of a program arrive under their positions, as they do from the wire. A descriptor is read
    as a top-level object, for nested in another it does not survive serialisation; a restricted endpoint has
    functions for both instead.
    """
    plain = configuration == PLAIN_CONFIGURATION
    parameters = {name: _sent(value) for name, value in item.parameters.items()}
    arguments = parameters.pop("arguments", None)
    if isinstance(arguments, list):
        if not plain:
            return (Command("Enable-DmsaEventLog"),)
        parameters |= {str(place): value for place, value in enumerate(arguments)}
    if item.name == "Get-DmsaDescriptor" and plain:
        attribute = parameters.pop("Attribute")
        read = Command("Get-ADObject", {**parameters, "Properties": [attribute]})
        return (read, Command("Select-Object", {"ExpandProperty": attribute}))
    return (Command(item.name, parameters),)


_AS_THEY_ARE = frozenset({str, int, bool, type(None), datetime, UUID, float, timedelta})


def _sent(value: Value) -> object:
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, tuple):
        return [_sent(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _sent(item) for name, item in value.items()}
    return value


def _received(value: object) -> Value:
    if type(value) in _AS_THEY_ARE:
        return cast("Value", value)
    if isinstance(value, LabObject):
        if value.text is not None:
            return value.text
        return {name: _received(item) for name, item in value.properties.items()}
    if isinstance(value, list | tuple):
        return tuple(_received(item) for item in value)
    if isinstance(value, Mapping):
        return {str(name): _received(item) for name, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str | datetime | timedelta | UUID):
        return value
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"the estate returned a {type(value).__name__}, which no transport can carry")


def _record(item: object, asks_descriptor: bool) -> Record:
    if isinstance(item, LabObject):
        properties = {name: _received(value) for name, value in item.properties.items()}
        return Record(item.types[0], properties)
    if isinstance(item, str) and item.startswith("O:") and asks_descriptor:
        # The function of a restricted endpoint returns text; a caller sees what a plain endpoint would give.
        return Record("System.DirectoryServices.ActiveDirectorySecurity", {"Sddl": item})
    return Record(f"System.{type(item).__name__}", {"": _received(item)})


def _error(error: LabError) -> RemoteError:
    return RemoteError(error.id, error.category, error.exception, error.message, error.target, error.cmdlet)


_TRANSIENT = frozenset({"ResourceBusy", "ResourceUnavailable", "OperationTimeout", "ConnectionError"})


def _shut(entry: Entry, request: Request) -> Reply:
    if entry is Entry.UNKNOWN:
        message = f"{request.host} has no session configuration {request.configuration}"
        return Reply(Outcome.FAILED, fault=Fault(FaultKind.PERMANENT, "configuration-unknown", message))
    message = f"{request.host} denies access to {request.configuration}"
    return Reply(Outcome.FAILED, fault=Fault(FaultKind.PERMANENT, "access-denied", message))


def _refused(fault: WeatherFault, endpoint: str) -> Reply:
    match fault.kind:
        case "lost-request" | "lost-reply" | "reset" | "hang" | "hang-before" | "unavailable" | "session-died":
            found = Fault(FaultKind.UNKNOWN, "lost-reply", f"{endpoint} did not answer; what it did is unknown")
            return Reply(Outcome.UNKNOWN, fault=found)
        case "down":
            message = f"{endpoint} refuses connections"
            remedy = "Check that the host is up and that its WinRM listener can be reached."
            return Reply(Outcome.FAILED, fault=Fault(FaultKind.TRANSIENT, "refused", message, remedy, reached=False))
        case "session-disconnected":
            message = f"{endpoint} says that the session is disconnected"
            return Reply(Outcome.FAILED, fault=Fault(FaultKind.TRANSIENT, "session-disconnected", message))
        case "busy":
            message = f"{endpoint} has no shell to spare"
            return Reply(Outcome.FAILED, fault=Fault(FaultKind.TRANSIENT, "quota", message, busy=True))
        case _:
            message = f"{endpoint} denies access"
            remedy = "Check the rights of the connecting account on this host."
            return Reply(Outcome.FAILED, fault=Fault(FaultKind.PERMANENT, "access-denied", message, remedy))
