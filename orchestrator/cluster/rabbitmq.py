"""A RabbitMQ of one's own on loopback, from the installed package: for trying out, and for tests.

Everything it keeps is in one folder, and it ends with the context. It is started by the package's own script below
``/usr/lib/rabbitmq``, not by ``/usr/sbin/rabbitmq-server``: that one changes to the user ``rabbitmq`` and its folders.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from orchestrator.cluster.definitions import definitions
from orchestrator.cluster.ports import free_ports
from orchestrator.errors import OrchestratorError, PersonNeeded

SCRIPTS = Path("/usr/lib/rabbitmq/bin")
VHOST = "dmsa"
_HASHING = "rabbit_password_hashing_sha256"


class LocalRabbitMQ:
    """A broker with the queues of *sites*, which answers while the context lasts.

    *passwords*: of each user that is to be there. *certificates*: files of authority, certificate and key; with them
    it listens with TLS too, on another port.

    Raises:
        PersonNeeded: RabbitMQ is not installed.
        OrchestratorError: it did not start; the text has what it said.
    """

    def __init__(
        self,
        folder: Path,
        sites: Sequence[str],
        passwords: Mapping[str, str],
        *,
        certificates: tuple[Path, Path, Path] | None = None,
        patience: float = 120.0,
    ) -> None:
        need_rabbitmq()
        self.folder = folder.resolve()
        self.port, self.tls_port, self._distribution, self._epmd_port = free_ports(4)
        self._patience = patience
        self._processes: list[subprocess.Popen[bytes]] = []
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write(definitions(sites, VHOST), passwords, certificates)

    def url(self, user: str) -> str:
        """Return where it is, for a user."""
        return f"amqp://{user}@localhost:{self.port}/{VHOST}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it: in good order, and at once if that takes too long."""
        while self._processes:
            _end(self._processes.pop())

    @property
    def runs(self) -> bool:
        """Whether the broker is there, and not only what it is found by (epmd)."""
        return len(self._processes) == 2 and self._processes[-1].poll() is None

    def restart(self) -> None:
        """End it and start it again, where it was and with what it kept."""
        _end(self._processes.pop())
        self.start()

    def kill(self) -> None:
        """End it as a loss of power does."""
        broker = self._processes.pop()
        broker.kill()
        broker.wait()

    def start(self) -> None:
        """Start it again after :meth:`kill`."""
        self._processes.append(self._popen("broker", [str(SCRIPTS / "rabbitmq-server")]))
        self._wait_for(self.port)

    def control(self, *arguments: str, typed: str = "") -> str:
        """Run ``rabbitmqctl``, give it what is *typed*, and return what it says.

        Raises:
            OrchestratorError: it failed; the text has what it said.
        """
        done = subprocess.run(  # noqa: S603 - the package's own program, of a broker of ours
            [SCRIPTS / "rabbitmqctl", "--quiet", *arguments],
            input=typed, capture_output=True, text=True, env=self.environment(), check=False,
        )  # fmt: skip
        if done.returncode:
            raise OrchestratorError(f"rabbitmqctl {arguments[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def environment(self) -> dict[str, str]:
        """Return the environment in which RabbitMQ's programs mean this broker."""
        here = str(self.folder)
        return {
            **os.environ,
            "HOME": here,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"dmsa{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_CTL_DIST_PORT_MIN": "0",
            "RABBITMQ_CTL_DIST_PORT_MAX": "0",
            "RABBITMQ_MNESIA_BASE": f"{here}/mnesia",
            "RABBITMQ_LOG_BASE": f"{here}/log",
            "RABBITMQ_CONFIG_FILE": f"{here}/rabbitmq",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{here}/none.config",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{here}/enabled_plugins",
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the broker, and is not a parent of it
        }

    def _start(self) -> None:
        self._processes.append(self._popen("epmd", ["epmd", "-port", str(self._epmd_port)]))
        self._wait_for(self._epmd_port)
        self.start()

    def _popen(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.out").open("ab") as said:
            return subprocess.Popen(  # noqa: S603 - the package's own programs
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=self.environment(),
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C in a terminal is for the command that started it
            )

    def _wait_for(self, port: int) -> None:
        until = time.monotonic() + self._patience
        while time.monotonic() < until and self._processes[-1].poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        said = (self.folder / "broker.out").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise OrchestratorError(f"RabbitMQ did not start within {self._patience:.0f}s. It said:\n{said}")

    def _write(
        self,
        wanted: Mapping[str, Any],
        passwords: Mapping[str, str],
        certificates: tuple[Path, Path, Path] | None,
    ) -> None:
        users = [
            {"name": name, "password_hash": _hash(password), "hashing_algorithm": _HASHING, "tags": ""}
            for name, password in passwords.items()
        ]
        allowed = [one for one in wanted["permissions"] if one["user"] in passwords]
        whole = {**wanted, "users": users, "permissions": allowed}
        (self.folder / "definitions.json").write_text(json.dumps(whole, indent=1), encoding="utf-8")
        (self.folder / "enabled_plugins").write_text("[].", encoding="utf-8")
        listen = [f"listeners.tcp.1 = 127.0.0.1:{self.port}"]
        if certificates:
            authority, certificate, key = certificates
            listen += [
                f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}",
                f"ssl_options.cacertfile = {authority}",
                f"ssl_options.certfile = {certificate}",
                f"ssl_options.keyfile = {key}",
            ]
        lines = [*listen, f"load_definitions = {self.folder}/definitions.json", "log.console = false"]
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def need_rabbitmq() -> None:
    """See that RabbitMQ is installed.

    Raises:
        PersonNeeded: it is not.
    """
    if not (SCRIPTS / "rabbitmq-server").is_file() or shutil.which("epmd") is None:
        raise PersonNeeded(
            "RabbitMQ is not installed here. Nothing was started. On Debian: apt install rabbitmq-server; its service "
            "is not needed (systemctl disable --now rabbitmq-server epmd)."
        )


def _hash(password: str) -> str:
    """Return a password as definitions have it: salt and salted SHA-256 (RabbitMQ, "Credentials and Passwords")."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
