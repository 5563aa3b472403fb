"""Shells of ours on hosts: written down before anything travels in them, and deleted by whoever comes after.

A shell that a dead runner left behind counts against the host's quota until it has idled, and a lost write may still be
running in it. So every shell is in the journal before the first call in it leaves, be it a read of the clock, and a
take-over deletes those of its predecessor before it sends anything else. The connections of the second witness (LDAP)
are not among them: they end with the process that made them, and nothing stays behind.
"""

from __future__ import annotations

from uuid import UUID

from orchestrator.conductor.runlog import RunLog
from orchestrator.model.call import Ticket
from orchestrator.model.driven import ShellGone, ShellOpened
from orchestrator.model.event import AttemptFinished, ShellEnded
from orchestrator.model.observation import Outcome
from orchestrator.model.witness import WITNESS
from orchestrator.remote.transport import Transport


class Shells:
    """Which shells may be open, as the journal has them and as the transport learns of them."""

    def __init__(self, log: RunLog, transport: Transport) -> None:
        self._log, self._transport = log, transport
        self._gone: set[UUID] = set()

    def announce(self, ticket: Ticket) -> None:
        """Write down the shell of a call that is about to be made, if that was not done for an earlier one."""
        if ticket.shell not in self._log.state.shells and not ticket.endpoint.startswith(WITNESS):
            self._log.write(ShellOpened(endpoint=ticket.endpoint, shell=ticket.shell))

    def left(self) -> dict[UUID, str]:
        """Return the shells that may be open, with their endpoints."""
        self._ask()
        return {shell: at for shell, at in self._log.state.left_open().items() if shell not in self._gone}

    def write_gone(self) -> None:
        """Write down which of them are known to be gone."""
        self._ask()
        state = self._log.state
        known = state.shells
        gone = [shell for shell in self._gone if shell in known]  # few, where a fleet has many shells
        if len(gone) > 1:
            gone = [shell for shell in known if shell in self._gone]  # in the order in which they were opened
        for shell in gone:
            self._log.write(ShellGone(endpoint=known[shell], shell=shell))
        if self._gone:
            self._gone &= state.left_open().keys()  # the others are written down, and weeks would pile them up

    def give_up(self, lost: AttemptFinished) -> None:
        """Write down that the outcome of a write is unknown and, where that is known, that its shell is gone."""
        self._ask()
        shell = self._log.state[lost.migration].open[lost.subject].started.shell
        self._log.write(lost)
        if lost.outcome is Outcome.UNKNOWN and shell in self._gone:
            self._log.write(ShellEnded(migration=lost.migration, subject=lost.subject, shell=shell))

    def _ask(self) -> None:
        self._gone |= {ticket.shell for ticket in self._transport.gone()}
