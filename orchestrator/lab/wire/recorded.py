"""The recorded estate (:class:`~orchestrator.lab.record.Lab`) as the engine behind the wire."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from uuid import UUID

from orchestrator.lab.command import Request, Result
from orchestrator.lab.estate.sessions_spec import SessionsSpec
from orchestrator.lab.jea import Entry
from orchestrator.lab.record import Lab
from orchestrator.lab.wire.engine import Endpoint, Fault, Kind
from orchestrator.lab.wire.operations import Operation
from orchestrator.lab.wire.shells import Fidelity

_KINDS = {
    "down": Kind.LOST_REQUEST,
    "lost-request": Kind.LOST_REQUEST,
    "lost-reply": Kind.LOST_REPLY,
    "reset": Kind.RESET,
    "hang": Kind.HANG,
    "hang-before": Kind.SILENCE,
    "unavailable": Kind.UNAVAILABLE,
    "session-died": Kind.DIED,
    "session-disconnected": Kind.DISCONNECTED,
    "slow": Kind.SLOW,
    "access-denied": Kind.DENIED,
    "busy": Kind.BUSY,
}
_BEGINS = frozenset({Operation.COMMAND, Operation.SEND})
"""The operations of which one makes a pipeline whole."""


def fidelity(spec: SessionsSpec) -> Fidelity:
    """Return what an estate's file says about sessions, as the wire takes it."""

    def seconds(given: timedelta | None) -> float | None:
        return None if given is None else given.total_seconds()

    return Fidelity(
        idle_disconnects=seconds(spec.idle_disconnects),
        idle_dies=seconds(spec.idle_dies),
        dead_to_everyone=spec.dead_to_everyone,
        busy=spec.busy,
        redeliver=spec.redeliver,
        shells=spec.shells_per_user,
        users=spec.users,
        commands=spec.commands_per_shell,
        operations=spec.operations_per_user,
        taken=spec.taken,
        envelope=spec.envelope_kb * 1024,
    )


class RecordedEstate:
    """An engine whose every command is on disk before its reply leaves."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def endpoints(self) -> dict[str, Endpoint]:
        """Return every machine of the estate; an address in its file may carry a port."""
        return {name: _endpoint(self._lab.address(name)) for name in self._lab.host_names}

    def boots(self) -> dict[str, datetime | None]:
        """Return when each machine booted, None for one that does not answer."""
        return self._lab.boots()

    def entry(self, host: str, configuration: str, principal: str) -> Entry:
        """Say whether a host has this session configuration, and lets the caller in."""
        return self._lab.entry(host, configuration, principal)

    def fault(self, host: str, operation: Operation, request: Request | None) -> Fault | None:
        """Return what the estate's weather has for the operation, or for the pipeline that it makes whole."""
        found = self._lab.fault_at(host, operation, request)
        if found is None and request is not None and operation in _BEGINS:
            found = self._lab.fault_for(request)
        if found is None:
            return None
        kind = _KINDS[found.kind]
        # The delay of a lost reply is that of its effect, in the estate's time, and the estate's own business.
        after = None if found.retry_after is None else found.retry_after.total_seconds()
        return Fault(kind, found.delay.total_seconds() if kind is Kind.SLOW else 0.0, found.quota, after)

    def open_call(self) -> AbstractContextManager[None]:
        """Count a call as open."""
        return self._lab.open_call()

    def execute(self, request: Request) -> Result:
        """Carry a pipeline out and record it."""
        return self._lab.execute(request)

    def discard(self, shell: UUID) -> None:
        """End what still runs in a shell."""
        self._lab.discard(shell)


def _endpoint(address: str) -> Endpoint:
    host, _, port = address.partition(":")
    return Endpoint(host, int(port) if port else None)
