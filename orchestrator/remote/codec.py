"""What pypsrp neither writes nor reads for us, because it takes it most of a call's processor time.

A pipeline's beginning is written by :mod:`~orchestrator.remote.pipeline_message`, and its output stays the XML that it
is, for :mod:`~orchestrator.remote.objects` reads it once and whole. Its end is read here where it says no more than
that. Everything else (opening, errors, other streams, whatever a later version adds) goes pypsrp's way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from pypsrp.messages import MessageType, PipelineState
from pypsrp.powershell import Fragmenter, RunspacePool
from pypsrp.serializer import Serializer

_END = re.compile(r'<Obj RefId="[^"]*"><MS><I32 N="PipelineState">(\d+)</I32></MS></Obj>')
"""PIPELINE_STATE without an error record (MS-PSRP 2.2.2.21)."""


@dataclass(frozen=True)
class Composed:
    """A message that is written already."""

    MESSAGE_TYPE: ClassVar[int] = MessageType.CREATE_PIPELINE
    document: bytes


class Codec(Serializer):
    """Lets through what is written, or will be read, by us."""

    def serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return a message's document; of ours, as it is."""
        return value.document if isinstance(value, Composed) else super().serialize(value, *args, **kwargs)

    def deserialize(self, element: Any, metadata: Any = None, clear: bool = True) -> Any:
        """Return what arrived: one output object as its XML, an end as its state, the rest as pypsrp reads it."""
        if isinstance(element, str):
            if metadata is None:
                return element  # of all messages, output alone has no shape that is known beforehand
            if getattr(metadata, "object", None) is PipelineState and (end := _END.fullmatch(element)):
                return PipelineState(state=int(end[1]))  # type: ignore[no-untyped-call]
        return super().deserialize(element, metadata, clear)


def speak(pool: RunspacePool) -> None:
    """Let a pool that was not opened yet write and read this way."""
    pool._serializer = Codec()
    pool._fragmenter = Fragmenter(pool.connection.max_payload_size, pool._serializer)
