"""Run a command, and fail if a process that it started outlives it: ``python tests/survivors.py COMMAND...``.

Whatever loses its parent on the way becomes a child of this process (Linux: a "child subreaper"), also what made
itself a daemon, with a session and an environment of its own. So nothing that the command started can hide.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_SET_CHILD_SUBREAPER = 36
_GRACE = 5.0
"""Seconds for what was told to end before the command did, and is on its way."""


def guarded(command: Sequence[str]) -> int:
    """Run *command*; return its exit code, or 1 where it was 0 and processes were left, which are told and ended."""
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this system does not hand orphans to a process of ours")
    with subprocess.Popen(command) as process:
        code = _wait(process)
    deadline = time.monotonic() + _GRACE
    while _children() and time.monotonic() < deadline:
        _reap()
        time.sleep(0.05)
    left = _children()
    for survivor in left.values():
        sys.stderr.write(f"survives the run: {survivor}\n")
    _end_all()
    return code or int(bool(left))


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for *process*; orphans that end meanwhile are buried, as init would."""
    while True:
        pid, status = os.wait()
        if pid == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _children() -> dict[int, str]:
    """Return the living children of this process, each with its command line."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended while we looked
            state, parent = (place / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                found[int(place.name)] = f"{place.name} {line}"
    return found


def _end_all() -> None:
    """End every child, and the children that come to us by that."""
    while living := _children():
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _reap()
    _reap()


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    sys.exit(guarded(sys.argv[1:]))
