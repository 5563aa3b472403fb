"""A lab in a process of its own, for as long as a command lasts.

``dmsa run`` on an estate file starts one of these. The estate must outlive neither its parent nor the parent's
Ctrl-C: it ends when the pipe to its standard input closes, which a killed parent cannot prevent, and it does
not belong to the terminal's foreground group, so that an interrupted run can still finish what it began.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from orchestrator.errors import Exit, InputInvalid, OrchestratorError, PersonNeeded

_GRACE = 5.0
_ERRORS: dict[int, type[OrchestratorError]] = {Exit.INVALID: InputInvalid, Exit.HELD: PersonNeeded}


class EmbeddedLab:
    """The estate of *estate*, with its state in *state*, served on loopback while the context lasts.

    ``addresses`` maps host names to ``address:port``, ``ca`` is the file that signed their certificates,
    ``username`` and ``password`` are what its endpoints ask for, ``state`` the directory with the record.

    Raises:
        InputInvalid: the estate file cannot be used.
        PersonNeeded: the lab is not installed, or its state is in use.
        OrchestratorError: it did not start for another reason; the text has what it said.
    """

    addresses: dict[str, str]
    ca: Path
    username: str
    password: str
    state: Path

    def __init__(self, estate: Path, state: Path, *, patience: float = 60.0) -> None:
        self._estate = estate
        self._patience = patience
        self.state = state
        self._said: IO[bytes] | None = None
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._said = tempfile.TemporaryFile()
        self._child = subprocess.Popen(  # noqa: S603 - this interpreter, this package, two paths
            [sys.executable, "-m", "orchestrator.lab.serve", str(self._estate), str(self.state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=_environment(),
            start_new_session=True,
        )
        try:
            ready = json.loads(self._first_line(self._child))
        except BaseException:
            self.close()
            raise
        self.addresses = dict(ready["addresses"])
        self.ca = Path(ready["ca"])
        self.username = str(ready["username"])
        self.password = str(ready["password"])
        self.state = Path(ready["state"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the lab: ask by closing its input, and kill it if it takes too long. May be called again."""
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()
        try:
            child.wait(_GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()
        if self._said is not None:
            self._said.close()

    def _first_line(self, child: subprocess.Popen[bytes]) -> bytes:
        lines: queue.Queue[bytes] = queue.Queue()
        stdout = child.stdout
        assert stdout is not None
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=self._patience)
        except queue.Empty:
            child.kill()
            raise OrchestratorError(f"the lab did not start within {self._patience:.0f}s; it was ended") from None
        if line:
            return line
        raise self._failure(child.wait())

    def _failure(self, status: int) -> OrchestratorError:
        assert self._said is not None
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip()
        kind = _ERRORS.get(status, OrchestratorError)
        if kind is OrchestratorError:
            said = f"the lab ended with status {status} before it was ready:\n{said}"
        return kind(said)


def _environment() -> dict[str, str]:
    """Return the child's environment: this one, and this very package wherever it was found."""
    here = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": here if not inherited else f"{here}{os.pathsep}{inherited}"}
