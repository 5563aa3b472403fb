"""The WSMan service of one host: what each operation does to its shells (MS-WSMV 3.1.4)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import ClassVar, TypeAlias
from uuid import UUID, uuid4

from orchestrator.lab.command import Request
from orchestrator.lab.jea import Entry
from orchestrator.lab.wire import bodies, faults, soap
from orchestrator.lab.wire.engine import Engine, Fault, Kind
from orchestrator.lab.wire.operations import Operation, asked
from orchestrator.lab.wire.outbox import NothingLeft
from orchestrator.lab.wire.psrp import Malformed
from orchestrator.lab.wire.shell import Pipeline, Shell
from orchestrator.lab.wire.shells import Caller, Died, Fidelity, Shells
from orchestrator.lab.wire.strikes import LOSING, Struck, delay, lose, refuse
from orchestrator.lab.wire.visits import Visits
from orchestrator.lab.wire.work import Work

_CONFIG_URI = "http://schemas.microsoft.com/wbem/wsman/1/config"
_TERMINATE = f"{soap.SHELL}/signal/Terminate"
_LEAST_REPLY = 8192
_ENVELOPE_OVERHEAD = 4096
_RSP = f"{{{soap.SHELL}}}"
_PWSH = f"{{{soap.POWERSHELL}}}"
_OF_CONNECTED = frozenset({Operation.COMMAND, Operation.SEND, Operation.RECEIVE, Operation.SIGNAL})


class Service:
    """One host. Not thread-safe: it lives on the event loop."""

    def __init__(
        self,
        host: str,
        engine: Engine,
        work: Work,
        fidelity: Fidelity,
        clock: Callable[[], float] = time.monotonic,
        visits: Visits | None = None,
    ) -> None:
        self.host = host
        self._engine = engine
        self._work = work
        self._redeliver = fidelity.redeliver
        self._largest = fidelity.envelope
        self._operations = fidelity.operations
        self._under_way: Counter[str] = Counter()
        self._clock = clock
        self._visits = visits or Visits()
        self._shells = Shells(fidelity, self._gone)
        self._booted: datetime | None = None
        self._is_up = False

    def _gone(self, shell: UUID) -> None:
        self._engine.discard(shell)
        self._visits.closed(self.host)

    def up(self, since: datetime) -> None:
        """Answer from now on; a host that booted anew knows no shells."""
        if self._booted not in (None, since):
            self._shells.close_all()
        self._booted = since
        self._is_up = True

    def down(self) -> None:
        """Answer nothing more but what is ready to be fetched: the last words of a machine that restarts."""
        self._is_up = False
        self._shells.interrupt()

    async def answer(self, envelope: soap.Envelope, caller: Caller) -> bytes:
        """Return the reply to *envelope*.

        Raises:
            WsmanFault: the request is answered with a fault.
            Struck: a fault of the engine's weather befalls the request, or its shell has died.
        """
        if self._under_way[caller.principal] >= self._operations:
            raise faults.too_many_operations(self._operations)
        self._under_way[caller.principal] += 1
        try:
            return await self._answered(envelope, caller)
        finally:
            self._under_way[caller.principal] -= 1

    async def _answered(self, envelope: soap.Envelope, caller: Caller) -> bytes:
        if envelope.size > self._largest:
            raise faults.request_too_large(self._largest)
        if envelope.largest_reply < _LEAST_REPLY:
            raise faults.reply_too_small()
        operation = asked(envelope)
        if not self._is_up and operation is not Operation.RECEIVE:
            raise Struck(Kind.LOST_REQUEST)
        try:
            if operation is Operation.RECEIVE:
                return await self._receive(envelope, caller)
            if operation in (Operation.COMMAND, Operation.SEND):
                return await self._input(operation, envelope, caller)
            fault = self._weather(operation, envelope, caller)
            body = await self._OPERATIONS[operation](self, envelope, caller)
        except Malformed as error:
            raise faults.malformed(str(error)) from error
        except Died:
            raise Struck(Kind.DIED) from None
        await delay(fault, envelope.timeout)
        lose(fault)
        return _reply(envelope, body)

    def _weather(
        self, operation: Operation, envelope: soap.Envelope, caller: Caller, request: Request | None = None
    ) -> Fault | None:
        """Return what befalls the reply.

        Raises:
            Struck: the request itself is befallen, and nothing may be done for it.
            WsmanFault: the endpoint refuses it.
        """
        fault = self._engine.fault(self.host, operation, request)
        refuse(fault)
        if fault is not None and "ShellId" in envelope.selectors:
            if fault.kind is Kind.DIED:
                self._named(envelope, caller).dead = True
                raise Struck(Kind.DIED)
            if fault.kind is Kind.DISCONNECTED:
                self._named(envelope, caller).disconnect()
                self._need_connected(operation, envelope, caller)
        return fault

    def _need_connected(self, operation: Operation, envelope: soap.Envelope, caller: Caller) -> None:
        """Refuse what takes a connected shell.

        Raises:
            WsmanFault: the shell that *envelope* names was disconnected.
        """
        if operation in _OF_CONNECTED and not self._named(envelope, caller).connected:
            raise faults.stream_disconnected() if operation is Operation.RECEIVE else faults.shell_disconnected()

    def _named(self, envelope: soap.Envelope, caller: Caller) -> Shell:
        """Return the shell that *envelope* names."""
        wanted = soap.identifier(envelope.selectors.get("ShellId", ""), faults.unknown_shell())
        return self._shells.find(wanted, caller, envelope.session)

    def _shell(self, envelope: soap.Envelope, caller: Caller) -> Shell:
        """Return the shell that *envelope* names, and note that somebody uses it."""
        shell = self._named(envelope, caller)
        shell.touch()
        return shell

    async def _input(self, operation: Operation, envelope: soap.Envelope, caller: Caller) -> bytes:
        """Take a Command or a Send; either may be what makes a pipeline whole and starts it."""
        self._need_connected(operation, envelope, caller)
        shell = self._shell(envelope, caller)
        if operation is Operation.COMMAND:
            self._shells.admit_command(shell)
            pipeline: Pipeline | None = self._begun(shell, envelope)
        else:
            pipeline = self._fed(shell, envelope)
        request = self._request(shell, pipeline, caller)
        fault = self._weather(operation, envelope, caller, request)
        if operation is Operation.COMMAND and pipeline is not None:
            shell.adopt(pipeline)
        if pipeline is not None and request is not None:
            delay = 0.0 if fault is None else fault.delay
            pipeline.request = request
            task = self._work.start(request, delay, lambda messages: shell.finish(pipeline, messages))
            if fault is not None and fault.kind in LOSING:
                await asyncio.shield(task)  # only the reply is lost: the effect is on disk before that
        lose(fault)
        is_new = operation is Operation.COMMAND and pipeline is not None
        return _reply(envelope, bodies.command_accepted(pipeline.command) if is_new and pipeline else bodies.SENT)

    def _begun(self, shell: Shell, envelope: soap.Envelope) -> Pipeline:
        body = envelope.need_body()
        command = (body.get("CommandId") or str(uuid4())).upper()
        if command in shell.pipelines:
            raise faults.malformed("A command with this CommandId exists.")
        return shell.begin(command, soap.decoded(body.findtext(f"{_RSP}Arguments")))

    def _fed(self, shell: Shell, envelope: soap.Envelope) -> Pipeline | None:
        stream = envelope.need_body().find(f"{_RSP}Stream")
        if stream is None:
            raise faults.malformed("Send carries no stream.")
        pipeline = _pipeline(shell, stream.get("CommandId"))
        shell.feed(pipeline, soap.decoded(stream.text))
        return pipeline

    def _request(self, shell: Shell, pipeline: Pipeline | None, caller: Caller) -> Request | None:
        """Return what *pipeline* asks of the engine, once, when all of it is there."""
        if pipeline is None or not pipeline.whole or pipeline.request is not None:
            return None
        return Request(
            self.host,
            shell.id,
            pipeline.id,
            caller.principal,
            pipeline.statements(),
            shell.configuration,
            delegated=caller.delegated,
        )

    async def _receive(self, envelope: soap.Envelope, caller: Caller) -> bytes:
        """Wait for news. A client that got no reply repeats its message and gets the same data again."""
        self._need_connected(Operation.RECEIVE, envelope, caller)
        shell = self._shell(envelope, caller)
        if envelope.message_id in shell.answered:
            return shell.answered[envelope.message_id]
        wanted = envelope.need_body().find(f"{_RSP}DesiredStream")
        if wanted is None:
            raise faults.malformed("Receive names no stream.")
        pipeline = _pipeline(shell, wanted.get("CommandId"))
        fault = self._weather(Operation.RECEIVE, envelope, caller, None if pipeline is None else pipeline.request)
        await delay(fault, envelope.timeout)
        outbox = shell.outbox if pipeline is None else pipeline.outbox
        limit = (min(envelope.largest_reply, self._largest) - _ENVELOPE_OVERHEAD) * 3 // 4
        try:
            parcel = await outbox.take(limit, envelope.timeout if self._is_up else 0.0)
        except NothingLeft:
            raise faults.unknown_command() from None
        if parcel is None:
            raise self._why_nothing(shell)
        shell.touch()
        reply = _reply(envelope, bodies.received(parcel, None if pipeline is None else pipeline.command))
        shell.remember(envelope.message_id, reply)
        lose(fault)
        return reply

    def _why_nothing(self, shell: Shell) -> Exception:
        """Return why a Receive ends without data."""
        if not self._is_up:
            return Struck(Kind.LOST_REQUEST)
        if not shell.connected:
            return faults.stream_disconnected()
        return faults.timed_out() if shell in self._shells else faults.unknown_shell()

    async def _create(self, envelope: soap.Envelope, caller: Caller) -> str:
        configuration = envelope.resource.removeprefix(f"{soap.POWERSHELL}/")
        if configuration == envelope.resource:
            raise faults.unknown_resource(envelope.resource)
        match self._engine.entry(self.host, configuration, caller.principal):
            case Entry.UNKNOWN:
                raise faults.unknown_resource(envelope.resource)
            case Entry.DENIED:
                raise faults.access_denied()
        body = envelope.need_body()
        wanted = body.get("ShellId")
        name = uuid4() if wanted is None else soap.identifier(wanted, faults.malformed("ShellId is not a UUID."))
        self._shells.admit(name, caller)
        idle = soap.seconds(body.findtext(f"{_RSP}IdleTimeOut") or "PT7200S")
        shell = Shell(
            name,
            configuration,
            caller.principal,
            caller.address,
            idle,
            holder=envelope.session,
            clock=self._clock,
        )
        shell.open(soap.decoded(body.findtext(f"{_PWSH}creationXml")))
        self._shells.add(shell)
        self._visits.opened(self.host, caller.principal, len(self._shells.owned(caller)))
        return bodies.created(shell, envelope.to)

    async def _signal(self, envelope: soap.Envelope, caller: Caller) -> str:
        self._need_connected(Operation.SIGNAL, envelope, caller)
        shell = self._shell(envelope, caller)
        body = envelope.need_body()
        pipeline = _pipeline(shell, body.get("CommandId", ""))
        assert pipeline is not None
        if body.findtext(f"{_RSP}Code") == _TERMINATE:
            shell.drop(pipeline)
        else:
            shell.stop(pipeline)
        return bodies.SIGNALLED

    async def _delete(self, envelope: soap.Envelope, caller: Caller) -> str:
        self._shells.close(self._shell(envelope, caller))
        return ""

    async def _connect(self, envelope: soap.Envelope, caller: Caller) -> str:
        shell = self._named(envelope, caller)
        self._shells.admit_client(shell, envelope.session)
        shell.touch()
        body = envelope.need_body()
        pipeline = _pipeline(shell, body.get("CommandId"))
        if pipeline is not None:
            pipeline.outbox.attach(redeliver=self._redeliver)
            return bodies.PIPELINE_CONNECTED
        data = soap.decoded(body.findtext(f"{_PWSH}connectXml"))
        answer = bodies.connected(shell.connect(data, redeliver=self._redeliver))
        shell.reconnect(envelope.session)
        return answer

    async def _disconnect(self, envelope: soap.Envelope, caller: Caller) -> str:
        self._shell(envelope, caller).disconnect()
        return ""

    async def _reconnect(self, envelope: soap.Envelope, caller: Caller) -> str:
        shell = self._named(envelope, caller)
        self._shells.admit_client(shell, envelope.session)
        shell.touch()
        shell.reconnect(envelope.session)
        return ""

    async def _enumerate(self, envelope: soap.Envelope, caller: Caller) -> str:
        own = self._shells.owned(caller)
        if envelope.resource == soap.SHELL:
            return bodies.enumerated([bodies.shell(each, self._shells.is_connected(each)) for each in own])
        if envelope.resource != f"{soap.SHELL}/Command":
            raise faults.unknown_resource(envelope.resource)
        wanted = envelope.need_body().findtext(f".//{{{soap.WSMAN}}}Selector[@Name='ShellId']", "").strip()
        chosen = [shell for shell in own if shell.name == wanted.upper()]
        return bodies.enumerated([bodies.command(each) for shell in chosen for each in shell.pipelines.values()])

    async def _get(self, envelope: soap.Envelope, caller: Caller) -> str:
        if envelope.resource == _CONFIG_URI:
            return bodies.config(self._largest // 1024)
        if envelope.resource != soap.SHELL:
            raise faults.unknown_resource(envelope.resource)
        _ = envelope.timeout  # a nonsensical one is refused before the shell is looked for, as recorded
        shell = self._named(envelope, caller)
        return bodies.shell(shell, self._shells.is_connected(shell))

    async def _identify(self, _envelope: soap.Envelope, _caller: Caller) -> str:
        return bodies.IDENTITY

    _Method: TypeAlias = Callable[["Service", soap.Envelope, Caller], Awaitable[str]]
    _OPERATIONS: ClassVar[dict[Operation, _Method]] = {
        Operation.CREATE: _create,
        Operation.SIGNAL: _signal,
        Operation.DELETE: _delete,
        Operation.CONNECT: _connect,
        Operation.DISCONNECT: _disconnect,
        Operation.RECONNECT: _reconnect,
        Operation.ENUMERATE: _enumerate,
        Operation.GET: _get,
        Operation.IDENTIFY: _identify,
    }


def _pipeline(shell: Shell, command: str | None) -> Pipeline | None:
    """Return the pipeline that *command* names, None where the pool itself is meant.

    Raises:
        WsmanFault: the shell has no such pipeline.
    """
    if command is None:
        return None
    found = shell.pipelines.get(command.upper())
    if found is None:
        raise faults.unknown_command()
    return found


def _reply(envelope: soap.Envelope, body: str) -> bytes:
    return soap.reply(f"{envelope.action}Response", envelope.message_id, body)
