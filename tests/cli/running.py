"""A command that runs beside the test, held back: it is never more than a few lines ahead of whoever reads it.

Its output goes through pipes that have room for one write. So what a test does after it has read a line happens while
the command still stands near that line, however slow the machine is, and however fast the command.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import queue
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TextIO

from tests.patience import PATIENCE

_PAGE = 4096

Stream = Literal["stdout", "stderr"]


class Running:
    """A command under way: its lines as they come on one of its streams, and its end."""

    def __init__(
        self, process: subprocess.Popen[str], told: TextIO, other: TextIO, listen_to: Stream, ahead: int = 1
    ) -> None:
        self._process, self._told, self._other, self._listen_to = process, told, other, listen_to
        self._lines: queue.Queue[str | None] = queue.Queue(ahead)
        self.lines: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        for line in self._told:
            self._lines.put(line)
        self._lines.put(None)

    def until(self, told: Callable[[str], bool]) -> str:
        """Wait for a line."""
        while True:
            line = self._lines.get(timeout=PATIENCE)
            assert line is not None, f"it ended before that, after {''.join(self.lines)}"
            self.lines.append(line)
            if told(line):
                return line

    def until_line(self, number: int) -> bool:
        """Wait for so many lines; False if it ended before."""
        while len(self.lines) < number:
            line = self._lines.get(timeout=PATIENCE)
            if line is None:
                self._lines.put(None)
                return False
            self.lines.append(line)
        return True

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def end(self) -> subprocess.CompletedProcess[str]:
        """Hold it back no longer, wait for the end, and return what was printed in all."""
        with ThreadPoolExecutor(1) as beside, self._told, self._other:
            rest = beside.submit(self._other.read)
            while (line := self._lines.get(timeout=PATIENCE)) is not None:
                self.lines.append(line)
            self._listener.join()
            printed = {self._listen_to: "".join(self.lines), other_than(self._listen_to): rest.result()}
            return subprocess.CompletedProcess(self._process.args, self._process.wait(PATIENCE), **printed)


@contextlib.contextmanager
def running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], *, listen_to: Stream = "stdout"
) -> Iterator[Running]:
    """Run a command beside the test; it is killed at the end of the context if it is still there."""
    (told, told_end), (other, other_end) = _narrow(), _narrow()
    ends = {listen_to: told_end, other_than(listen_to): other_end}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, text=True, encoding="utf-8", **ends
    )
    os.close(told_end)
    os.close(other_end)
    started = Running(process, told, other, listen_to)
    try:
        yield started
    finally:
        if process.poll() is None:
            process.kill()
            started.end()


@contextlib.contextmanager
def running_freely(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Running]:
    """Run a command beside the test that nobody holds back; what it says on both streams is one."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    started = Running(process, process.stdout, io.StringIO(), "stdout", ahead=0)
    try:
        yield started
    finally:
        if process.poll() is None:
            process.kill()
            started.end()


def other_than(stream: Stream) -> Stream:
    return "stderr" if stream == "stdout" else "stdout"


def _narrow() -> tuple[TextIO, int]:
    """Return the two ends of a pipe that has room for one write (pipe(2), O_DIRECT; fcntl(2), F_SETPIPE_SZ)."""
    read, write = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, _PAGE)
    return open(read, encoding="utf-8"), write
