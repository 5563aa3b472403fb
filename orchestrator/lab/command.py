"""What arrives at a simulated host and what it answers: the seam between the estate and the wire.

Written without a look at ``orchestrator.remote``: the far side of a conversation must not share the near
side's idea of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True)
class Command:
    """One statement of a pipeline, as PowerShell's engine would see it after parsing.

    ``refused`` is what the session answers instead of running it.
    """

    name: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    is_script: bool = False
    refused: LabError | None = None


@dataclass(frozen=True)
class Request:
    """One pipeline that arrived at *host* in *shell*, sent by *principal* (``CORP\\name``).

    ``statements`` run one after the other. ``alone`` is False while another call is open anywhere in the
    estate; a reading of the clock that is not alone never jumps. ``delegated`` says that a ticket came along, with
    which the host may speak to others in the caller's name.
    """

    host: str
    shell: UUID
    pipeline: UUID
    principal: str
    statements: tuple[tuple[Command, ...], ...]
    configuration: str = "Microsoft.PowerShell"
    alone: bool = True
    delegated: bool = False


@dataclass(frozen=True)
class LabObject:
    """One output object: .NET type names, most derived first, and its properties.

    Values are Python's own (None, bool, int, str, aware datetime, timedelta, UUID, list, dict), or LabObject.
    ``extended`` names the properties that arrive as extended (note) properties; the others are adapted.
    """

    types: tuple[str, ...]
    properties: Mapping[str, object] = field(default_factory=dict)
    text: str | None = None
    extended: frozenset[str] = frozenset()


@dataclass(frozen=True)
class LabError:
    """One error record. ``category`` is the name of a PowerShell ErrorCategory."""

    id: str
    category: str
    exception: str
    message: str
    target: str = ""
    cmdlet: str = ""


@dataclass(frozen=True)
class Result:
    """What one pipeline gave: output in order, non-terminating errors, and what ended it early, if anything did."""

    output: tuple[object, ...] = ()
    errors: tuple[LabError, ...] = ()
    failure: LabError | None = None
