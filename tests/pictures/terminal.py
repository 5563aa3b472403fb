"""A real command on a real terminal (a pseudo-terminal of fixed width), and what stood on it at the moment wanted."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.patience import PATIENCE
from tests.pictures.screen import Cell, Screen

ROOT = Path(__file__).parents[2]
ROWS = 50
_PAUSE = 0.02
"""Seconds without a word after which a picture that is drawn anew is taken to be whole."""


@dataclass(frozen=True)
class Take:
    """A command, and what of its screen is wanted."""

    command: str
    """As typed: ``dmsa status plans/waves.yaml``."""
    code: int = 0
    """Its exit code."""
    columns: int = 80
    until: str | None = None
    """Interrupt the command when its screen matches this; None: let it end."""
    since: str = ""
    """Show the last part of the screen only, from the line on that begins with this."""


def taken(take: Take, folder: Path) -> list[list[Cell]]:
    """Run a command in *folder*; return the lines that are wanted of its screen."""
    screen = Screen(take.columns)
    with _on_a_terminal(take, folder) as (process, terminal):
        found = _watch(terminal, screen, take.until)
        lines = screen.lines
        if take.until is not None:
            assert found, f"{take.command} never showed {take.until}:\n{screen.text}"
            process.send_signal(signal.SIGINT)
            _watch(terminal, screen, None)
        code = process.wait(PATIENCE)
    assert take.until is not None or code == take.code, f"{take.command} ended with {code}:\n{screen.text}"
    begins = [row for row, line in enumerate(lines) if "".join(letter for letter, _ in line).startswith(take.since)]
    return lines[begins[-1 if take.since else 0] :]


@contextlib.contextmanager
def _on_a_terminal(take: Take, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    dmsa, *words = take.command.split()
    assert dmsa == "dmsa", take.command
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, take.columns, 0, 0))
    settings = termios.tcgetattr(its)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(its, termios.TCSANOW, settings)
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "VIRTUAL_ENV"}}
    environment = {**kept, "LC_ALL": "C.UTF-8", "TERM": "xterm-16color", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *words],
        cwd=folder,
        env=environment,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    try:
        yield process, ours
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)


def _watch(terminal: int, screen: Screen, until: str | None) -> bool:
    """Read what is written until the screen matches, when it stands still for a moment, or nobody writes any more."""
    deadline = time.monotonic() + PATIENCE
    read = codecs.getincrementaldecoder("utf-8")()
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], _PAUSE)[0]:
            if until is not None and re.search(until, screen.text, re.DOTALL):
                return True
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux says EIO when the other side is closed
            return False
        screen.write(read.decode(piece))
    raise AssertionError(f"nothing came of it within {PATIENCE} s:\n{screen.text}")
