"""Restarting a machine."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.lab.estate.cmdlets.table import Invocation, cmdlet


@cmdlet("Restart-Computer", "Force:flag", writes=True)
def restart_computer(call: Invocation) -> Iterator[object]:
    """Restart Windows; the answer leaves before the machine goes down."""
    call.estate.reboot(call.machine)
    yield from ()
