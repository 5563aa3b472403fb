"""The shells of one host: who owns which, how many there may be, and when one is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from orchestrator.lab.wire import faults
from orchestrator.lab.wire.shell import Shell


@dataclass(frozen=True)
class Fidelity:
    """How closely to follow Windows where that is slow, or not certain; sources stand with the estate file's keys.

    ``idle_disconnects``: seconds without traffic after which a shell shows Disconnected; ``idle_dies``: after which
    it is dead to its client, or ``dead_to_everyone`` (None: never). ``busy``: whether a connected shell refuses
    another client's Connect. ``redeliver``: whether a Connect to a pipeline brings its last parcel again.
    ``shells``: how many each user may have on a host; ``users``: how many users may have any; ``commands``: how
    many pipelines a shell may know; ``operations``: how many requests each user may have under way on a host;
    ``taken``: how many shells other tools of each user have there. ``envelope``: bytes of the largest request, and of
    the largest reply.
    """

    idle_disconnects: float | None = 60.0
    idle_dies: float | None = 125.0
    dead_to_everyone: bool = False
    busy: bool = True
    redeliver: bool = True
    shells: int = 30
    users: int = 10
    commands: int = 1000
    operations: int = 1500
    taken: int = 0
    envelope: int = 500 * 1024


class Died(Exception):
    """The shell is dead to who asks: it has been idle for too long."""


@dataclass(frozen=True)
class Caller:
    """Who asks: an authenticated principal, the address it speaks from, and whether its ticket came along."""

    principal: str
    address: str
    delegated: bool = False


class Shells:
    """Shells by id; *gone* hears of each that is closed."""

    def __init__(self, fidelity: Fidelity, gone: Callable[[UUID], None]) -> None:
        self._fidelity = fidelity
        self._gone = gone
        self._shells: dict[UUID, Shell] = {}

    def __contains__(self, shell: Shell) -> bool:
        return shell.id in self._shells

    def owned(self, caller: Caller) -> list[Shell]:
        """Return the caller's shells."""
        self._forget_idle()
        return [shell for shell in self._shells.values() if shell.owner == caller.principal]

    def find(self, shell: UUID, caller: Caller, session: str) -> Shell:
        """Return a shell of the caller's, who asks in *session*.

        Raises:
            WsmanFault: the caller has none of this id, or its idle time is over.
            Died: it is dead to this session.
        """
        self._forget_idle()
        found = self._shells.get(shell)
        if found is None or found.owner != caller.principal:
            raise faults.unknown_shell()
        dies = self._fidelity.idle_dies
        found.dead = found.dead or (dies is not None and found.inactivity > dies)
        if found.dead and (self._fidelity.dead_to_everyone or found.holder == session):
            raise Died
        return found

    def admit(self, shell: UUID, caller: Caller) -> None:
        """See whether the caller may have one more.

        Raises:
            WsmanFault: the id is taken, or the quota spent.
        """
        self._forget_idle()
        if shell in self._shells:
            raise faults.malformed("A shell with this ShellId exists.")
        owners = {each.owner for each in self._shells.values()}
        if caller.principal not in owners and len(owners) >= self._fidelity.users:
            raise faults.too_many_users(self._fidelity.users)
        if len(self.owned(caller)) + self._fidelity.taken >= self._fidelity.shells:
            raise faults.too_many_shells(self._fidelity.shells)

    def admit_command(self, shell: Shell) -> None:
        """See whether a shell may have one more pipeline.

        Raises:
            WsmanFault: the quota is spent.
        """
        if len(shell.pipelines) >= self._fidelity.commands:
            raise faults.too_many_commands(self._fidelity.commands)

    def admit_client(self, shell: Shell, session: str) -> None:
        """See whether *session* may connect to a shell.

        Raises:
            WsmanFault: it is connected to another client.
        """
        if self._fidelity.busy and shell.holder != session and self.is_connected(shell):
            raise faults.connected_elsewhere()

    def add(self, shell: Shell) -> None:
        """Keep a shell that was admitted."""
        self._shells[shell.id] = shell

    def close(self, shell: Shell) -> None:
        """Close and forget a shell."""
        shell.close()
        del self._shells[shell.id]
        self._gone(shell.id)

    def _forget_idle(self) -> None:
        """Close whatever nobody has used for as long as its client allowed."""
        for shell in list(self._shells.values()):
            if shell.inactivity > shell.idle_timeout:
                self.close(shell)

    def close_all(self) -> None:
        """Close and forget every shell."""
        for shell in list(self._shells.values()):
            self.close(shell)

    def interrupt(self) -> None:
        """Let go whoever waits for something that is not there yet."""
        for shell in self._shells.values():
            shell.interrupt()

    def is_connected(self, shell: Shell) -> bool:
        """Say whether a shell shows as Connected."""
        limit = self._fidelity.idle_disconnects
        return shell.connected and (limit is None or shell.inactivity <= limit)
