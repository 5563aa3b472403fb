"""A simulated estate that survives its process: every command is on disk before its reply leaves.

A state directory holds ``estate.yaml`` (a copy of the estate file), ``commands.jsonl`` (one line for each
command that was executed: the far-side witness), ``marks.jsonl`` (what changed the estate without a command
being executed: requests lost on their way, shells deleted while something ran in them), ``visits.jsonl``
(connections, log-ons, shells, and who was turned away; it changes nothing) and a lock. The record *is* the
state: the estate is what one gets by executing the recorded writes at their recorded times, so nothing else has to
be saved, and nothing can disagree with it.

Lines are handed to the operating system before a reply leaves, so they outlive the process, not the machine.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from orchestrator.lab import commandlog
from orchestrator.lab.command import Request, Result
from orchestrator.lab.estate import Estate, load_spec
from orchestrator.lab.estate.weather import WeatherFault
from orchestrator.lab.jea import Entry, Registered
from orchestrator.lab.statelock import StateLock

_ESTATE = "estate.yaml"
_COMMANDS = "commands.jsonl"
_MARKS = "marks.jsonl"
_VISITS = "visits.jsonl"


class StateMismatch(Exception):
    """The state directory belongs to another estate file."""


class Lab:
    """An estate with a state directory, for any number of threads.

    *estate* is the text of the estate file; *monotonic* gives real time in seconds, as ``time.monotonic``
    does. While the process lives, estate time runs as real time does; while it does not, it stands still.
    *registered* are the JEA endpoints beside ``Microsoft.PowerShell``; the next process may have others.

    Raises:
        EstateInvalid: the estate file is none.
        StateMismatch: the state directory was begun with another estate file. Nothing was changed.
        StateBusy: another process uses the state directory.
    """

    def __init__(
        self, estate: str, state: Path, monotonic: Callable[[], float], registered: Registered | None = None
    ) -> None:
        spec = load_spec(estate)
        state.mkdir(parents=True, exist_ok=True)
        self._lock_file = StateLock(state / "lab.lock")
        try:
            _keep_estate_file(estate, state)
            self._estate = Estate(spec)
            self._seq = _replay(self._estate, state)
        except BaseException:
            self._lock_file.release()
            raise
        self.state = state
        self._registered = registered or Registered()
        self._commands = commandlog.appender(state / _COMMANDS)
        self._marks = commandlog.appender(state / _MARKS)
        self._visits = commandlog.appender(state / _VISITS)
        self._lock = threading.RLock()
        self._monotonic = monotonic
        self._last = monotonic()
        self._open = 0
        self._closed = False

    def close(self) -> None:
        """Release the state directory. Nothing has to be written for that; a second time does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.close(self._commands)
            os.close(self._marks)
            os.close(self._visits)
            self._lock_file.release()

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names of all machines."""
        return self._estate.host_names

    def address(self, host: str) -> str:
        """Return the loopback address of a machine.

        Raises:
            KeyError: there is no such machine.
        """
        return self._estate.address(host)

    def entry(self, host: str, configuration: str, principal: str) -> Entry:
        """Say whether a machine has a session configuration, and lets the caller in."""
        with self._lock:
            return self._registered.entry(host, configuration, principal, self._estate.belongs)

    def listens(self, host: str) -> bool:
        """Say whether anything answers on a machine just now."""
        with self._now():
            return self._estate.listens(host)

    def boots(self) -> dict[str, datetime | None]:
        """Return when each machine booted, None for one on which nothing answers now."""
        with self._now():
            return self._estate.boots()

    def advance(self, delta: timedelta) -> None:
        """Let time pass beyond the real time that does."""
        with self._now():
            self._estate.advance(delta)

    @contextmanager
    def open_call(self) -> Iterator[None]:
        """Count a call as open while the context lasts; a reading of the clock then does not jump."""
        with self._lock:
            self._open += 1
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1

    def fault_for(self, request: Request) -> WeatherFault | None:
        """Say what befalls a request on its way; to be asked once per request, before :meth:`execute`.

        A request that the answer says not to execute is noted as such, so that the weather does not strike
        twice after a restart of the process.
        """
        with self._now():
            fault = self._estate.fault_for(request)
            if fault is not None and not fault.executes and fault.kind != "down":
                self._mark({"mark": fault.kind, "host": request.host, "weather": dict(self._estate.weather.counts)})
            return fault

    def fault_at(self, host: str, operation: str, request: Request | None) -> WeatherFault | None:
        """Say what befalls one message of the wire by its operation; what does is noted, as in :meth:`fault_for`."""
        with self._now():
            fault = self._estate.fault_at(host, operation, request)
            if fault is not None:
                counts = dict(self._estate.weather.counts)
                self._mark({"mark": fault.kind, "host": host, "operation": operation, "weather": counts})
            return fault

    def execute(self, request: Request) -> Result:
        """Carry a request out. Its effects are on disk when this returns."""
        with self._now():
            request = replace(request, alone=request.alone and self._open <= 1)
            at, late = self._estate.now, self._estate.late_by(request.pipeline)
            counts = dict(self._estate.weather.counts)
            inside = self._registered.through(request)
            result = self._estate.execute(inside)
            extra: dict[str, object] = {"weather": counts} if counts else {}
            if inside.principal != request.principal:
                extra["acting"] = inside.principal
            if late is not None:
                extra |= {"late": late.total_seconds(), "outcome": "late"}
                if self._estate.outlives(request.pipeline):
                    extra["outlives"] = True
            if any(command.refused for statement in inside.statements for command in statement):
                extra |= {"refused": True, "outcome": "refused"}
            rows = [row | extra for row in commandlog.rows(request, result, self._seq, at)]
            self._seq += len(rows)
            commandlog.append(self._commands, rows)
            return result

    def discard(self, shell: UUID) -> None:
        """Delete a shell: what still runs in it ends without its effect."""
        with self._now():
            if self._estate.discard(shell):
                self._mark({"mark": "shell-deleted", "shell": str(shell)})

    def visited(self, row: dict[str, object]) -> None:
        """Note what a host saw of a caller beside its commands; nothing of the estate depends on it."""
        with self._lock:
            if not self._closed:
                commandlog.append(self._visits, [row])

    def describe(self) -> dict[str, object]:
        """Return the estate as JSON-able data, for people."""
        with self._now():
            return self._estate.describe()

    @contextmanager
    def _now(self) -> Iterator[None]:
        with self._lock:
            moment = self._monotonic()
            self._estate.advance(timedelta(seconds=max(0.0, moment - self._last)))
            self._last = moment
            yield

    def _mark(self, row: dict[str, object]) -> None:
        self._seq += 1
        commandlog.append(self._marks, [{"seq": self._seq, "at": self._estate.now.isoformat(), **row}])


def read_record(state: Path) -> list[dict[str, Any]]:
    """Return what ``commands.jsonl`` of a state directory says; an unfinished end is left out."""
    return commandlog.read(state / _COMMANDS)


def read_estate(state: Path) -> Estate:
    """Return the estate that a state directory holds, without taking its lock.

    Raises:
        FileNotFoundError: this is no state directory.
        EstateInvalid: its copy of the estate file was changed.
    """
    estate = Estate(load_spec((state / _ESTATE).read_text(encoding="utf-8")))
    _replay(estate, state)
    return estate


def _keep_estate_file(estate: str, state: Path) -> None:
    copy = state / _ESTATE
    if not copy.exists():
        fresh = state / f"{_ESTATE}.new"
        fresh.write_text(estate, encoding="utf-8", newline="\n")
        fresh.replace(copy)
    elif copy.read_text(encoding="utf-8") != estate.replace("\r\n", "\n"):
        raise StateMismatch(
            f"{state} was begun with another estate file, of which it keeps a copy in {_ESTATE}. Nothing was "
            "changed. Use the estate file as it was, or another state directory (an estate cannot change its past)."
        )


def _replay(estate: Estate, state: Path) -> int:
    """Bring a fresh estate to where the record ends; return the last number used."""
    rows = sorted((*commandlog.read(state / _COMMANDS), *commandlog.read(state / _MARKS)), key=lambda row: row["seq"])
    group: list[dict[str, Any]] = []
    for row in rows:
        estate.advance_to(datetime.fromisoformat(row["at"]))
        if "weather" in row:
            estate.weather.counts = {int(rule): count for rule, count in row["weather"].items()}
        if "mark" in row:
            if row["mark"] == "shell-deleted":
                estate.discard(UUID(row["shell"]))
            continue
        group.append(row)
        if row["part"] == row["parts"] - 1:
            _repeat(estate, group)
            group = []
    return max((row["seq"] for row in rows), default=0)


def _repeat(estate: Estate, rows: list[dict[str, Any]]) -> None:
    request = commandlog.request(rows)
    # What an endpoint refused had no effect then, and must not have one now that the endpoint is another.
    if "late" in rows[0] and "refused" not in rows[0]:
        late = timedelta(seconds=rows[0]["late"])
        estate.expect_late(request.pipeline, late, outlives=rows[0].get("outlives", False))
    if "refused" not in rows[0] and ("late" in rows[0] or estate.writes(request)):
        estate.execute(request)
    else:
        estate.arrive(request)
        estate.after_effects(request)
