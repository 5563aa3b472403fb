"""Somebody who goes through a page and types what it shows: a folder with the plans, a shell, and the program.

Commands are forked from a process that has read the program (:mod:`tests.warm`). What a page begins with, and a first
command that several pages have, is done once and copied: a journal and a simulated estate are files.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from orchestrator.journal.lock import FileLock
from tests.pages import ROOT, Step
from tests.patience import PATIENCE
from tests.warm import Warm

SOONER = {
    "estates": (r"^clock: {(.+)}$", r"clock: {\1, jump: 6h}", ("one-account", "quickstart", "late-hosts")),
    "": (r"^policy:\n", "policy:\n  ledger_every: 1d\n", ("quickstart", "approved", "late-hosts")),
    ".": (r"\Z", "policy: {ledger_every: 1d}\n", ("one-account",)),
}
"""What makes weeks pass sooner: longer jumps, and a ledger that is read once a day. Pages show nothing of it."""


class Done(NamedTuple):
    """How a command ended."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Shelf:
    """Folders in which something was done already, each with how the last of it ended; never used but as a copy.

    They are of all workers (pytest-xdist) together: whoever comes second to one waits for the first.
    """

    place: Path
    warm: Warm

    def after(self, commands: tuple[str, ...]) -> tuple[Path, Done]:
        """Return a folder as it is after these commands, and how the last of them ended."""
        name = hashlib.sha256(repr(commands).encode()).hexdigest()[:16]
        desk, ended = self.place / name, self.place / f"{name}.json"
        with self._alone(name):
            if not ended.exists():
                done = self._does(commands, desk)
                ended.write_text(json.dumps(done), encoding="utf-8")
        return desk, Done(*json.loads(ended.read_text(encoding="utf-8")))

    def reader(self, commands: tuple[str, ...], folder: Path) -> Reader:
        """Return somebody for whom all of this was done in a folder of his own."""
        shutil.copytree(self.after(commands)[0], folder, symlinks=True)
        return Reader(folder, self.warm)

    def _does(self, commands: tuple[str, ...], desk: Path) -> Done:
        if not commands:
            sit_down(desk)
            return Done(0, "", "")
        return self.reader(commands[:-1], desk).types(commands[-1])

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        lock = FileLock(self.place / f"{name}.lock")
        assert lock.take(patience=2 * PATIENCE)
        try:
            yield
        finally:
            lock.free()


def sit_down(folder: Path) -> None:
    """Lay out the plans as a clone has them, but for what makes weeks pass sooner."""
    shutil.copytree(ROOT / "plans", folder / "plans")
    for where, (what, becomes, names) in SOONER.items():
        for name in names:
            file = folder / "plans" / where / f"{name}.yaml"
            text, times = re.subn(what, becomes, file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert times == 1, file
            file.write_text(text, encoding="utf-8")


class Reader:
    """Who types, in a folder."""

    def __init__(self, folder: Path, warm: Warm) -> None:
        self.folder, self._warm = folder, warm
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DMSA_", "COV"))}
        path = f"{warm.bin}:{inherited['PATH']}"
        self._environment = {**inherited, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "NO_COLOR": "1"}
        self._stay: list[tuple[Step, subprocess.Popen[str], str]] = []
        command = folder / ".venv" / "bin" / "dmsa"
        command.parent.mkdir(parents=True, exist_ok=True)
        command.unlink(missing_ok=True)
        command.symlink_to(warm.bin / "dmsa")

    def finds(self, environment: Mapping[str, str]) -> None:
        """Let further commands find this in their environment."""
        self._environment |= environment

    def types(self, command: str) -> Done:
        """Give a command to a shell, and wait for its end."""
        with self._shell(command) as shell:
            try:
                stdout, stderr = shell.communicate(timeout=2 * PATIENCE)
            except subprocess.TimeoutExpired:
                shell.kill()
                raise
        return Done(_status(shell), stdout, stderr)

    def types_in_another_terminal(self, step: Step) -> None:
        """Give a command that stays to another shell; come back once it has printed what the page waits for."""
        assert step.stays_until is not None
        shell = self._shell(f"exec {step.command} 2>&1")
        assert shell.stdout is not None
        said = ""
        self._stay.append((step, shell, said))
        for line in shell.stdout:
            said += line
            self._stay[-1] = step, shell, said
            if step.stays_until in line:
                return
        raise AssertionError(f"{step.command}: ended with {shell.wait()} before it said {step.stays_until}\n{said}")

    def leaves(self) -> Iterable[tuple[Step, Done]]:
        """Wait for a runner that is about to end, give whatever else stays Ctrl-C, and yield what all of it printed."""
        while self._stay:
            step, shell, said = self._stay.pop()
            with contextlib.suppress(ProcessLookupError):
                if " --watch" not in step.command:
                    shell.send_signal(signal.SIGINT)
                stdout, _ = shell.communicate(timeout=PATIENCE)
                yield step, Done(_status(shell), said + stdout, "")

    def _shell(self, command: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            ("bash", "-c", command), cwd=self.folder, env=self._environment, stdout=pipe, stderr=pipe, text=True
        )


def _status(shell: subprocess.Popen[str]) -> int:
    return shell.returncode if shell.returncode >= 0 else 128 - shell.returncode
