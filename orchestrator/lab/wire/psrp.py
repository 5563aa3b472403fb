"""The PowerShell Remoting Protocol above WSMan: one runspace pool, its messages in and its fragments out.

psrpcore knows the messages and their order; this is its server pool with the differences that were measured
against the exchanges recorded from Windows (Server 2016) for pypsrp's tests:

* each message travels in fragments of its own, its text behind a UTF-8 byte order mark;
* a pipeline is known by the id in its messages, which need not be the WSMan CommandId;
* neither a Running state of a pipeline nor an Opened state after a Connect is sent;
* a Connect is answered with SessionCapability and RunspacePoolInitData at once, ApplicationPrivateData later;
* the call id of Set{Min,Max}Runspaces is spelled ``CI``, and an impossible number is answered with False.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

from psrpcore import (
    ConnectRunspacePoolEvent,
    CreatePipelineEvent,
    GetAvailableRunspacesEvent,
    GetCommandMetadataEvent,
    PSRPEvent,
    PSRPPayload,
    ResetRunspaceStateEvent,
    ServerRunspacePool,
    SessionCapabilityEvent,
    SetMaxRunspacesEvent,
    SetMinRunspacesEvent,
    StreamType,
)
from psrpcore.types import (
    ApplicationPrivateData,
    PSRPMessageType,
    PSVersion,
    RunspacePoolInitData,
    RunspacePoolState,
    add_note_property,
    serialize,
)

from orchestrator.lab.wire import begun, incoming

_NOBODY = UUID(int=0)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TO_CLIENT = 1
_FRAGMENT_HEADER = struct.Struct(">QQBI")
_MESSAGE_HEADER = struct.Struct("<iI16s16s")
_FRAGMENT_SIZE = 32 * 1024
_START, _END = 1, 2

Emit = Callable[[UUID | None, PSRPMessageType, list[bytes]], None]
"""Takes the fragments of one message, what it is, and the pipeline it belongs to (None: the pool)."""


class Malformed(Exception):
    """What arrived is not a message of this protocol; its text is for the person who wrote the client."""


@contextmanager
def reading() -> Iterator[None]:
    """Turn whatever psrpcore, struct or the XML parser raise into Malformed: it is the request that was wrong."""
    try:
        yield
    except Malformed:
        raise
    except Exception as error:
        raise Malformed(f"{type(error).__name__}: {error}") from error


def pipeline_of(data: bytes) -> UUID:
    """Return the pipeline id in the first fragment of a message (MS-PSRP 2.2.1, 2.2.4).

    Raises:
        Malformed: there is no message header.
    """
    try:
        found = _MESSAGE_HEADER.unpack_from(data, _FRAGMENT_HEADER.size)[3]
    except struct.error:
        raise Malformed("the first fragment of a pipeline is too short for a message header") from None
    return UUID(bytes_le=found)


class Pool(ServerRunspacePool):
    """A runspace pool as the server sees it; whatever it has to say goes to *emit* in order."""

    def __init__(self, emit: Emit) -> None:
        super().__init__({"PSVersionTable": {"PSVersion": PSVersion("5.1"), "PSEdition": "Desktop"}})
        self._emit = emit
        self._objects = 0

    def feed(self, data: bytes) -> Iterator[PSRPEvent[Any, Any]]:
        """Take fragments from the client; yield what they mean. Answers of the pool itself have been emitted.

        Raises:
            Malformed: the data is no fragment, no message, or not one that this moment allows; what arrived
                before it is not affected.
        """
        known = {number: list(parts) for number, parts in self._incoming_fragments.items()}
        try:
            with reading():
                self.receive_data(PSRPPayload(data, StreamType.default, None))
            while True:
                with reading():
                    event = self.next_event()
                if event is None:
                    return
                yield event
        except Malformed:
            self._receive_buffer.clear()
            self._incoming_messages.clear()
            self._incoming_fragments = known
            raise

    def attach(self) -> None:
        """Expect a new client: its fragments count from one again (MS-PSRP 3.1.4.10, Connect)."""
        self._receive_buffer.clear()
        self._incoming_fragments.clear()
        self.state = RunspacePoolState.Connecting

    def emit(self, kind: PSRPMessageType, body: bytes, pipeline: UUID | None = None) -> None:
        """Send one message whose CLIXML is *body*."""
        header = _MESSAGE_HEADER.pack(
            _TO_CLIENT, kind.value, self.runspace_pool_id.bytes_le, (pipeline or _NOBODY).bytes_le
        )
        self._objects += 1
        self._emit(pipeline, kind, list(_fragments(self._objects, header + _BYTE_ORDER_MARK + body)))

    def prepare_message(
        self,
        message: Any,
        message_type: PSRPMessageType | None = None,
        pipeline_id: UUID | None = None,
        stream_type: StreamType = StreamType.default,  # noqa: ARG002 - the signature is psrpcore's
    ) -> None:
        """Send one of psrpcore's own messages."""
        kind = message_type or PSRPMessageType.get_message_id(type(message))
        capabilities = {"our_capability": self.our_capability, "their_capability": self.their_capability}
        element = serialize(message, self._cipher, **capabilities)
        self.emit(kind, ET.tostring(element, encoding="utf-8"), pipeline_id)

    def _process_SessionCapability(self, event: SessionCapabilityEvent) -> None:  # noqa: N802
        super()._process_SessionCapability(event)
        if self.state == RunspacePoolState.Connecting:
            self.prepare_message(self.our_capability)

    def _process_ConnectRunspacePool(self, event: ConnectRunspacePoolEvent) -> None:  # noqa: N802
        self._min_runspaces = event.min_runspaces or self.min_runspaces
        self._max_runspaces = event.max_runspaces or self.max_runspaces
        limits = RunspacePoolInitData(MinRunspaces=self.min_runspaces, MaxRunspaces=self.max_runspaces)
        self.prepare_message(limits)
        self.prepare_message(ApplicationPrivateData(ApplicationPrivateData=self.application_private_data))
        self.state = RunspacePoolState.Opened

    def _process_message(self, message: Any) -> PSRPEvent[Any, Any]:
        """Read a message; what begins a pipeline, in the lab's own way where that knows its shape."""
        if message.message_type is PSRPMessageType.CreatePipeline:
            found: Any = begun.read(message.data)  # carried by psrpcore's event, in place of its own object
            if found is not None:
                ids = message.runspace_pool_id, message.pipeline_id
                return CreatePipelineEvent.create(message.message_type, found, *ids)
        return super()._process_message(message)

    def _process_CreatePipeline(self, event: CreatePipelineEvent) -> None:  # noqa: N802
        """Leave it to the shell: a pipeline here is one as soon as its Command arrived."""

    def _process_GetCommandMetadata(self, event: GetCommandMetadataEvent) -> None:  # noqa: N802
        """Leave it to the shell, as with any other pipeline."""

    def _process_SetMaxRunspaces(self, event: SetMaxRunspacesEvent) -> None:  # noqa: N802
        _spell_call_id(event)
        possible = event.count >= 1
        super()._process_SetMaxRunspaces(event)
        self.runspace_availability_response(event.ci, possible)

    def _process_SetMinRunspaces(self, event: SetMinRunspacesEvent) -> None:  # noqa: N802
        _spell_call_id(event)
        possible = 1 <= event.count <= self.max_runspaces
        super()._process_SetMinRunspaces(event)
        self.runspace_availability_response(event.ci, possible)

    def _process_ResetRunspaceState(self, event: ResetRunspaceStateEvent) -> None:  # noqa: N802
        super()._process_ResetRunspaceState(event)
        self.runspace_availability_response(event.ci, True)

    def _process_GetAvailableRunspaces(self, event: GetAvailableRunspacesEvent) -> None:  # noqa: N802
        super()._process_GetAvailableRunspaces(event)
        self.runspace_availability_response(event.ci, self.max_runspaces)


def begun_by(event: CreatePipelineEvent | GetCommandMetadataEvent) -> incoming.Begun:
    """Return what an event of :meth:`Pool.feed` begins."""
    found = event._ps_object  # psrpcore offers no other way to the message
    return found if isinstance(found, incoming.Begun) else incoming.begun(event.pipeline)


def _spell_call_id(event: PSRPEvent[Any, Any]) -> None:
    message = event._ps_object
    if not hasattr(message, "ci"):
        add_note_property(message, "ci", message.CI)


def _fragments(number: int, message: bytes) -> Iterator[bytes]:
    for index, at in enumerate(range(0, len(message), _FRAGMENT_SIZE)):
        piece = message[at : at + _FRAGMENT_SIZE]
        flags = (_START if at == 0 else 0) | (_END if at + len(piece) == len(message) else 0)
        yield _FRAGMENT_HEADER.pack(number, index, flags, len(piece)) + piece
