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
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
"""


class LocalPostgres:
    """A server with the one user ``owner``, whose *password* is given, and an empty database ``postgres``.

    Raises:
        PersonNeeded: PostgreSQL is not installed, or has no user that it could run as.
        OrchestratorError: it did not start; the text has what it said.
    """

    def __init__(self, folder: Path, password: str, *, patience: float = 60.0) -> None:
        self._programs = need_postgres()
        self._user = _whom_it_runs_as()
        self._folder, self._password, self._patience = folder.resolve(), password, patience
        (self._port,) = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"postgresql://{USER}@127.0.0.1:{self._port}/postgres"

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        secret = self._folder / "password"
        secret.write_text(self._password, encoding="utf-8")
        secret.chmod(0o600)
        self._give()
        self._run("initdb", "-D", "data", "-U", USER, "--auth=scram-sha-256", "--pwfile=password", "-E", "UTF8",
                  "--locale=C.UTF-8")  # fmt: skip
        with (self._folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(_CONFIGURATION)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the package's own program
                [self._programs / "postgres", "-D", "data", "-p", str(self._port)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder,
                start_new_session=True,  # Ctrl-C in a terminal is for the command that started it
                **self._as_user(),
            )  # fmt: skip
        try:
            self._wait()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it; its sessions are ended (PostgreSQL, "Shutting Down the Server", fast)."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _give(self) -> None:
        if self._user is not None:
            for path in (self._folder, self._folder / "password"):
                shutil.chown(path, self._user)

    def _as_user(self) -> dict[str, Any]:
        return {} if self._user is None else {"user": self._user, "extra_groups": []}

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(  # noqa: S603 - the package's own program
            [self._programs / program, *words],
            cwd=self._folder, capture_output=True, text=True, check=False, **self._as_user(),
        )  # fmt: skip
        if done.returncode:
            raise OrchestratorError(f"PostgreSQL cannot be set up; {program} said:\n{done.stdout}{done.stderr}")

    def _wait(self) -> None:
        """Wait until it takes connections: its process writes "ready" into its file (PostgreSQL, postmaster.pid)."""
        file, until = self._folder / "data" / "postmaster.pid", time.monotonic() + self._patience
        assert self._process is not None
        while time.monotonic() < until and self._process.poll() is None:
            if file.is_file() and file.read_text(encoding="utf-8").splitlines()[-1].strip() == "ready":
                return
            time.sleep(0.05)
        said = (self._folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise OrchestratorError(f"PostgreSQL did not start within {self._patience:.0f} s. It said:\n{said}")


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
