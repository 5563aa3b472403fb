"""One session with one host: a WSMan connection and, on it, one shell at a time, used by one thread at a time.

A pipeline costs two HTTP requests, Command and Receive. The Signal that would tell the host to forget a
finished pipeline is not sent: it would be a third request each time, and the host forgets all of them at once
when the shell is deleted. What remains in a shell counts against MaxConcurrentCommandsPerShell, 1000 by
default (jborean93/pypsrp issue 148; MS-WSMV 3.1.4.12), so a shell is replaced long before that, and where a host
allows less, as soon as it said so.

A shell that has been idle for a minute is replaced too: clients report that Windows drops it soon after
(HTTP 400 with an empty body after about two minutes), and opening one is cheaper than a lost write. Both
replacements are decided when the ticket is written, so that a ticket always names the shell that will be used.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from uuid import UUID, uuid4

from pypsrp.complex_objects import PSInvocationState
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import SelectorSet, WSMan

from orchestrator.model.call import Call, Cmdlet, Write
from orchestrator.model.observation import Outcome, Reply
from orchestrator.remote.codec import Composed, speak
from orchestrator.remote.connection import Settings, Unconfigured
from orchestrator.remote.dial import dial
from orchestrator.remote.faults import (
    Reach,
    judge,
    judge_record,
    lost_session,
    never_dispatched,
    shell_full,
    shell_unknown,
    turned_away,
    unfinished,
)
from orchestrator.remote.objects import record, remote_error
from orchestrator.remote.pipeline_message import create_pipeline
from orchestrator.remote.transport import Leave
from orchestrator.remote.wording import understood, worded

MOST_PIPELINES = 200
LONGEST_IDLE = 60.0
READ_TAKES = 300.0
WRITE_TAKES = 900.0
"""Seconds after which a call is given up. Restart-Service waits for its service, so a write may take long."""
SHELL_IDLES = 900
"""Seconds after which the host itself deletes a shell that we could not delete (default: two hours)."""

ASK_AGAIN = 0.5
"""Seconds after which a host is asked again for what a pipeline has to say, where it had no room for the question."""
DELETE_TAKES = 5
"""Seconds that a host has for answering a Delete."""
_SHELLS = "http://schemas.microsoft.com/powershell/"

_log = logging.getLogger(__name__)


class _GivenUp(Exception):
    """The call took longer than a call may take."""


class OtherShell(Exception):
    """The host gave the shell an id of its own (services before WinRM 3.0 do)."""


class Session:
    """A conversation with one host. Not thread-safe: the transport lends it to one thread at a time."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        clock: Callable[[], float] = time.monotonic,
        gone: Callable[[UUID], None] = lambda _shell: None,
        log_on: Callable[[], None] = lambda: None,
    ) -> None:
        """Open nothing yet.

        *gone* hears of each shell that is no longer on the host; *log_on* waits until a connection may be logged on by.
        """
        self.shell = uuid4()
        self._settings = settings
        self._clock = clock
        self._gone, self._log_on = gone, log_on
        self._wsman: WSMan | None = None
        self._pool: RunspacePool | None = None
        self._opening: RunspacePool | None = None
        """The shell that is being opened; until that is done nobody knows whether the host has it."""
        self._configuration = ""
        self._port = 0
        self._auth = ""
        self._pipelines, self._most = 0, MOST_PIPELINES
        self._last_used = clock()
        self._leftovers: list[UUID] = []
        self._alone = False
        """Whether the shell is for one call."""

    @property
    def warm(self) -> bool:
        """Whether there is a connection, so that a call needs no log-on."""
        return self._wsman is not None

    @property
    def opened(self) -> bool:
        """Whether the current shell was ever opened."""
        return self._pool is not None

    def prepare(self) -> UUID:
        """Return the id of the shell that the next call will use; decides whether that is a new one."""
        if self._pool is not None:
            if self._clock() - self._last_used > LONGEST_IDLE:
                self._hang_up()
                self._renew()
            elif self._pipelines >= self._most:
                self._renew()
        return self.shell

    def take(self, shell: UUID) -> None:
        """Let the next call travel in a shell of that id, opened for it alone and deleted right after it."""
        if self._clock() - self._last_used > LONGEST_IDLE:
            self._hang_up()
        if self._pool is not None:
            self._renew()
        self.shell, self._alone = shell, True

    def carry(self, call: Call, pipeline: UUID, leave: Leave | None = None) -> Reply:
        """Carry out a call that the gate has let through. Remote trouble is in the reply."""
        reply, gone = self._attempt(call, pipeline, leave)
        if self._alone:
            self._leave_alone()
        self._last_used = self._clock()
        return replace(reply, again=True) if gone and not isinstance(call, Write) else reply

    def forget(self) -> None:
        """Begin anew at the next call: the shell was deleted by somebody else."""
        self._pool = None
        self.shell = uuid4()

    def close(self) -> None:
        """Delete the shell, if there is one; a host that does not answer at once deletes it by itself, later."""
        if self._wsman is not None and self._pool is not None:
            self._leftovers.append(self.shell)
            self._sweep()
        self._hang_up()

    def _leave_alone(self) -> None:
        """Delete the shell that was for one call, unless it is gone, or its end is for the engine to decide."""
        self._alone = False
        if self._pool is not None:
            self._renew()
            self._sweep()

    def _attempt(self, call: Call, pipeline: UUID, leave: Leave | None) -> tuple[Reply, bool]:
        """Try once. The second value says that the host had no more use for the shell, which another may have."""
        write = isinstance(call, Write)
        statements = (call.statement,) if isinstance(call, Write) else call.statements
        reach = Reach.OPENING
        try:
            pool = self._open()
            reach = Reach.SENDING
            powershell, message = PowerShell(pool), self._composed(pool, statements)
            powershell.id = str(pipeline).upper()
            refused = leave() if leave is not None and write else None
            if refused is not None:
                return Reply(Outcome.FAILED, fault=refused), False
            powershell._invoke(message)  # type: ignore[arg-type]  # it asks for no more than its type and text
            reach = Reach.RUNNING
            self._pipelines += 1
            self._await(powershell, WRITE_TAKES if write else READ_TAKES)
            return _reply(powershell, call.endpoint, statements, self._configuration, write=write), False
        except Unconfigured as error:
            return Reply(Outcome.FAILED, fault=error.fault), False
        except _GivenUp as error:
            self._drop(keep=write)
            outcome, fault = unfinished(call.endpoint, str(error), write=write)
            return Reply(outcome, fault=fault), False
        except Exception as error:  # noqa: BLE001 - whatever the client raises at what came back is remote trouble
            _log.debug("%s: %s while %s", call.endpoint, type(error).__name__, reach.name, exc_info=True)
            outcome, fault = judge(error, call.endpoint, self._port, reach, write=write, auth=self._auth)
            if shell_full(error):
                self._most = max(1, self._pipelines)
            never_came = reach is Reach.OPENING and never_dispatched(error) and not self._came_into_being
            absent = shell_unknown(error) or never_came
            if absent:
                self._gone(self.shell)
            if reach is Reach.SENDING and turned_away(error) and powershell.state == PSInvocationState.NOT_STARTED:
                pool.pipelines.clear()  # the shell never heard of it; a new one would only ask more of a busy host
            else:
                self._drop(keep=absent or outcome is Outcome.UNKNOWN)
            return Reply(outcome, fault=fault), lost_session(error) and reach is not Reach.OPENING

    def _open(self) -> RunspacePool:
        """Return the pool of the current shell; opens it, and the connection, if they are not open."""
        if self._pool is not None:
            return self._pool
        if self._wsman is None:
            settings = self._settings()
            self._port, self._auth, self._configuration = settings.port, settings.auth, settings.configuration
            self._wsman = dial(settings, self._log_on)
        try:
            pool = self._create(self._wsman)
        except Exception as error:
            if self._came_into_being or not (self._leftovers and turned_away(error)):
                raise
            self._sweep()  # what takes the room up may be our own
            pool = self._create(self._wsman)
        if (pool.shell.id or "").upper() != pool.id:
            raise OtherShell(pool.shell.id)
        self._pool, self._pipelines, self._opening = pool, 0, None
        self._sweep()
        return pool

    @property
    def _came_into_being(self) -> bool:
        """Whether the host has made the shell that is being opened, whatever it said to what was asked after that."""
        return self._opening is not None and bool(self._opening.shell.opened)

    def _create(self, wsman: WSMan) -> RunspacePool:
        pool = RunspacePool(wsman, configuration_name=self._configuration, idle_timeout=SHELL_IDLES)
        pool.id = pool.shell.id = str(self.shell).upper()
        speak(pool)
        self._opening = pool
        pool.open()
        return pool

    def _composed(self, pool: RunspacePool, statements: tuple[Cmdlet, ...]) -> Composed:
        """Build the pipeline out of named cmdlets and typed values; there is no text that anybody parses."""
        commands = [worded(statement, self._configuration) for statement in statements]
        return Composed(create_pipeline(commands, pool.protocol_version or ""))

    def _await(self, powershell: PowerShell, patience: float) -> None:
        """Receive until the pipeline has ended. Each Receive is a long poll that the host answers in time."""
        began = self._clock()
        while powershell.state == PSInvocationState.RUNNING:
            try:
                powershell.poll_invoke()
            except Exception as error:
                if not turned_away(error) or self._clock() - began > patience:
                    raise
                time.sleep(ASK_AGAIN)  # nothing was delivered, and the pipeline runs on
            if powershell.state == PSInvocationState.RUNNING and self._clock() - began > patience:
                raise _GivenUp(f"it was given up after {patience:.0f} seconds without an end")
        powershell.runspace_pool.pipelines.pop(powershell.id, None)

    def _renew(self) -> None:
        """Take a new shell for the next call; the old one is deleted once there is a connection."""
        self._leftovers.append(self.shell)
        self.forget()

    def _drop(self, *, keep: bool) -> None:
        """Begin anew after trouble. *keep*: the old shell is gone, or its end is for the engine to decide."""
        if not keep:
            self._leftovers.append(self.shell)
        self.forget()
        self._hang_up()

    def _sweep(self) -> None:
        """Delete shells that were left behind, on the connection that is open; in vain is good enough."""
        assert self._wsman is not None
        while self._leftovers:
            shell = self._leftovers.pop()
            with suppress(Exception):  # who drives next deletes it by its id, and the host itself after SHELL_IDLES
                delete_shell(self._wsman, self._configuration, shell)
                self._gone(shell)

    def _hang_up(self) -> None:
        if self._wsman is not None:
            self._wsman.close()
        self._wsman = self._pool = self._opening = None


def delete_shell(wsman: WSMan, configuration: str, shell: UUID) -> bool:
    """Delete a shell by its id; say whether the host acknowledged, or does not know it (MS-WSMV 3.1.4.4).

    Raises:
        Exception: whatever the client raises when the host cannot be asked.
    """
    selectors = SelectorSet()
    selectors.add_option("ShellId", str(shell).upper())
    try:
        wsman.delete(_SHELLS + configuration, selector_set=selectors, timeout=DELETE_TAKES)
    except Exception as error:
        if not shell_unknown(error):
            raise
    return True


def _reply(
    powershell: PowerShell, host: str, statements: tuple[Cmdlet, ...], configuration: str, *, write: bool
) -> Reply:
    records = tuple(understood(record(item), statements) for item in powershell.output)
    errors = tuple(remote_error(error) for error in powershell.streams.error)
    if powershell.state == PSInvocationState.COMPLETED:
        return Reply(Outcome.SUCCEEDED, records, errors)
    if powershell.state == PSInvocationState.FAILED and errors:
        outcome, fault = judge_record(errors[-1], host, write=write, configuration=configuration)
    else:
        outcome, fault = unfinished(host, "the pipeline was stopped before its end", write=write)
    return Reply(outcome, records, errors, fault)
