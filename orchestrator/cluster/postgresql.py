"""A PostgreSQL of one's own on loopback, from the installed package, for trying out.

Everything it keeps is in one folder, and it ends with the context. It refuses to run as root (PostgreSQL, "initdb"), so
that for root it runs as the user ``postgres``, to whom the folder is given. Nobody is let in without its password.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from orchestrator.cluster.ports import free_ports
from orchestrator.errors import OrchestratorError, PersonNeeded

USER = "owner"
_ENDS_WITHIN = 30.0
_LOOKS_EVERY = 0.05
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
"""


class Instance:
    """The files and the process of one server, which is made, started and ended here.

    Args:
        programs: the folder of the server's programs.
        user: whom they run as; None for whoever starts them.
        folder: a folder that this user may use; files in it are named relative to it.
        patience: seconds in which it has to answer.
    """

    def __init__(self, programs: Path, user: str | None, folder: Path, *, patience: float = 60.0) -> None:
        self.programs, self.user, self.folder = programs, user, folder.resolve()
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> int | None:
        """The id of its first process; None while it does not run."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def give(self, *paths: Path) -> None:
        """Let the server's user have files."""
        if self.user is not None:
            for path in paths:
                shutil.chown(path, self.user)

    def make(self, *options: str, configuration: str = "") -> None:
        """Make its files, in the folder ``data``.

        Raises:
            OrchestratorError: the server's own program could not; the text has what it said.
        """
        command = [str(self.programs / "initdb"), "-D", "data", "-E", "UTF8", "--locale=C.UTF-8", *options]
        done = subprocess.run(  # noqa: S603 - the package's own program
            command, cwd=self.folder, capture_output=True, text=True, check=False, **self._as_user()
        )
        if done.returncode:
            raise OrchestratorError(f"PostgreSQL cannot be set up; initdb said:\n{done.stdout}{done.stderr}")
        with (self.folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(_CONFIGURATION + configuration)

    def start(self, port: int) -> None:
        """Start it, and wait until it takes connections.

        Raises:
            OrchestratorError: it did not; the text has what it said. It does not run then.
        """
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the package's own program
                [self.programs / "postgres", "-D", "data", "-p", str(port)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                start_new_session=True,  # Ctrl-C in a terminal is for the command that started it
                **self._as_user(),
            )  # fmt: skip
        try:
            self._wait()
        except BaseException:
            self.end()
            raise

    def end(self, number: int = signal.SIGINT) -> None:
        """End it; its sessions are ended (PostgreSQL, "Shutting Down the Server": SIGINT is the fast one)."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            try:
                process.wait(_ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self) -> str:
        """Return the end of what it has written of itself."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-4000:]

    def _as_user(self) -> dict[str, Any]:
        return {} if self.user is None else {"user": self.user, "extra_groups": []}

    def _wait(self) -> None:
        """Wait until its process writes "ready" into its file (PostgreSQL, postmaster.pid), which may be an old one."""
        until = time.monotonic() + self._patience
        while time.monotonic() < until and self.process is not None:
            if _ready(self.folder / "data" / "postmaster.pid") == self.process:
                return
            time.sleep(_LOOKS_EVERY)
        raise OrchestratorError(f"PostgreSQL did not start within {self._patience:.0f} s. It said:\n{self.log()}")


def _ready(file: Path) -> int | None:
    """Return the id of the process that has written that it is ready."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    return int(lines[0]) if lines and lines[-1].strip() == "ready" else None


class LocalPostgres:
    """A server with the one user ``owner``, whose *password* is given, and an empty database ``postgres``.

    Raises:
        PersonNeeded: PostgreSQL is not installed, or has no user that it could run as.
        OrchestratorError: it did not start; the text has what it said.
    """

    def __init__(self, folder: Path, password: str, *, patience: float = 60.0) -> None:
        self._instance = Instance(need_postgres(), _whom_it_runs_as(), folder, patience=patience)
        self._password = password
        (self._port,) = free_ports(1)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"postgresql://{USER}@127.0.0.1:{self._port}/postgres"

    def __enter__(self) -> Self:
        instance = self._instance
        instance.folder.mkdir(parents=True)
        secret = instance.folder / "password"
        secret.write_text(self._password, encoding="utf-8")
        secret.chmod(0o600)
        instance.give(instance.folder, secret)
        instance.make("-U", USER, "--auth=scram-sha-256", "--pwfile=password")
        instance.start(self._port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        self._instance.end()


def need_postgres() -> Path:
    """Return the folder with the programs of the newest PostgreSQL that is installed.

    Raises:
        PersonNeeded: there is none.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda one: float(one.parts[-3]))
    if not found:
        raise PersonNeeded(
            "PostgreSQL is not installed here. Nothing was started. On Debian: apt install postgresql; its service is "
            "not needed (systemctl disable --now postgresql)."
        )
    return found[-1].parent


def _whom_it_runs_as() -> str | None:
    """Return the user it runs as; None for whoever starts it."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise PersonNeeded(
            "PostgreSQL does not run as root, and there is no user postgres. Nothing was started."
        ) from None
