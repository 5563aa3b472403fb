"""One shell of one host: its runspace pool, its pipelines, and what they have to say.

A shell knows nothing of HTTP and runs nothing. It turns what arrives into a :class:`Request` when a pipeline
is whole, and takes the answer back as messages.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psrpcore import (
    CreatePipelineEvent,
    EndOfPipelineInputEvent,
    GetCommandMetadataEvent,
    PipelineInputEvent,
    PSRPEvent,
)
from psrpcore.types import PSInvocationState, PSRPMessageType

from orchestrator.lab.command import Command, LabError, Request
from orchestrator.lab.wire import clixml, incoming, records
from orchestrator.lab.wire.outbox import Outbox
from orchestrator.lab.wire.psrp import Pool, begun_by, pipeline_of, reading

_REMEMBERED = 8
"""How many answered Receives can be asked for again; a client repeats the last one of a pipeline, if any."""

Message = tuple[PSRPMessageType, bytes]


@dataclass
class Pipeline:
    """One pipeline: known to WSMan by *command*, to PSRP by *id*.

    It is *whole* once everything that it consists of has arrived, and has a *request* once it was started.
    """

    command: str
    id: UUID
    outbox: Outbox = field(default_factory=Outbox)
    begun: incoming.Begun | None = None
    fed: list[object] = field(default_factory=list)
    whole: bool = False
    request: Request | None = None
    over: bool = False

    def statements(self) -> tuple[tuple[Command, ...], ...]:
        """Return what it is to run; it must be whole."""
        assert self.begun is not None
        return incoming.statements(self.begun.commands, self.fed)


class Shell:
    """A runspace pool that *owner* opened with *configuration* from *client*.

    ``holder`` is the session of the client that it is connected to; ``dead`` says that it no longer answers it.
    *clock* gives seconds, from anywhere.
    """

    def __init__(
        self,
        shell: UUID,
        configuration: str,
        owner: str,
        client: str,
        idle_timeout: float,
        *,
        holder: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = shell
        self.configuration = configuration
        self.owner = owner
        self.client = client
        self.idle_timeout = idle_timeout
        self.connected = True
        self.holder = holder
        self.dead = False
        self.outbox = Outbox()
        self.pipelines: dict[str, Pipeline] = {}
        self.answered: OrderedDict[str, bytes] = OrderedDict()
        self._by_id: dict[UUID, Pipeline] = {}
        self._pool = Pool(self._deliver)
        self._clock = clock
        self._opened = self._touched = clock()

    @property
    def name(self) -> str:
        """The id as WSMan spells it."""
        return str(self.id).upper()

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return self._clock() - self._opened

    @property
    def inactivity(self) -> float:
        """Seconds since somebody last asked something of it."""
        return self._clock() - self._touched

    def touch(self) -> None:
        """Note that somebody asks something of it."""
        self._touched = self._clock()

    def open(self, data: bytes) -> None:
        """Take the messages that open the pool; the answers wait in the outbox.

        Raises:
            Malformed: they are not such messages.
        """
        for _ in self._pool.feed(data):
            pass

    def begin(self, command: str, data: bytes) -> Pipeline:
        """Return the pipeline that *data* begins; it belongs to the shell only after :meth:`adopt`.

        Raises:
            Malformed: the data begins none.
        """
        pipeline = Pipeline(command, pipeline_of(data))
        self._take(pipeline, data)
        return pipeline

    def adopt(self, pipeline: Pipeline) -> None:
        """Make *pipeline* one of this shell's; there must be none of its name."""
        self.outbox.settle()
        self.pipelines[pipeline.command] = self._by_id[pipeline.id] = pipeline

    def feed(self, pipeline: Pipeline | None, data: bytes) -> None:
        """Take more fragments, for *pipeline* or for the pool.

        Raises:
            Malformed: they do not fit.
        """
        self._take(pipeline, data)

    def _take(self, pipeline: Pipeline | None, data: bytes) -> None:
        for event in self._pool.feed(data):
            if pipeline is None:
                continue
            with reading():
                self._note(pipeline, event)

    @staticmethod
    def _note(pipeline: Pipeline, event: PSRPEvent[Any, Any]) -> None:
        match event:
            case CreatePipelineEvent() | GetCommandMetadataEvent():
                pipeline.begun = begun_by(event)
                pipeline.whole = pipeline.begun.no_input
            case PipelineInputEvent():
                pipeline.fed.append(incoming.value(event.data))
            case EndOfPipelineInputEvent():
                pipeline.whole = pipeline.begun is not None

    def finish(self, pipeline: Pipeline, messages: Iterable[Message]) -> None:
        """Give *pipeline* its last messages, unless it was stopped or dropped meanwhile."""
        if pipeline.over:
            return
        pipeline.over = True
        for kind, body in messages:
            self._pool.emit(kind, body, pipeline.id)
        pipeline.outbox.complete()

    def stop(self, pipeline: Pipeline) -> None:
        """End *pipeline* for its client; what the engine is doing for it goes on and is not reported."""
        self.finish(pipeline, [state_message(PSInvocationState.Stopped, records.STOPPED)])

    def drop(self, pipeline: Pipeline) -> None:
        """Forget *pipeline*."""
        pipeline.over = True
        pipeline.outbox.interrupt()
        self.pipelines.pop(pipeline.command, None)
        self._by_id.pop(pipeline.id, None)

    def disconnect(self) -> None:
        """Leave it without a client; whoever waits for its output gets nothing."""
        self.connected = False
        self.interrupt()

    def reconnect(self, holder: str) -> None:
        """Give it to the client whose session is *holder*."""
        self.connected, self.dead, self.holder = True, False, holder

    def interrupt(self) -> None:
        """Let go whoever waits for something that is not there yet."""
        for outbox in (self.outbox, *(pipeline.outbox for pipeline in self.pipelines.values())):
            outbox.interrupt()

    def close(self) -> None:
        """Forget every pipeline and let go whoever waits."""
        for pipeline in list(self.pipelines.values()):
            self.drop(pipeline)
        self.outbox.interrupt()

    def connect(self, data: bytes, *, redeliver: bool) -> list[bytes]:
        """Take the messages of a new client; return the fragments that answer them at once.

        *redeliver*: the pool's last parcel comes again, if its receipt is not certain.

        Raises:
            Malformed: they are not such messages.
        """
        held, self.outbox = self.outbox, Outbox()
        try:
            self._pool.attach()
            for _ in self._pool.feed(data):
                pass
        finally:
            answer, self.outbox = self.outbox.drain(), held
        self.connected = True
        self.outbox.attach(redeliver=redeliver)
        self.outbox.put(answer[2:], apart=True)
        return answer[:2]

    def remember(self, message_id: str, answer: bytes) -> None:
        """Keep the answer to a Receive, for the client that did not get it and asks again."""
        self.answered[message_id] = answer
        while len(self.answered) > _REMEMBERED:
            self.answered.popitem(last=False)

    def _deliver(self, pipeline: UUID | None, kind: PSRPMessageType, fragments: list[bytes]) -> None:
        if pipeline is None:
            # A pool takes a moment to open: in every recording its state comes with a Receive of its own.
            self.outbox.put(fragments, apart=kind is PSRPMessageType.RunspacePoolState)
        elif pipeline in self._by_id:
            self._by_id[pipeline].outbox.put(fragments)


def state_message(state: PSInvocationState, error: LabError | None = None) -> Message:
    """Return the message that ends a pipeline."""
    return PSRPMessageType.PipelineState, clixml.write(records.pipeline_state(state, error))
