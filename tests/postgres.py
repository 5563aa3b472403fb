"""A real PostgreSQL server on loopback, for tests: one a worker, a fresh database a test.

PostgreSQL refuses to run as root, so that it runs as another user where the tests are root's, in a folder of its own.
It is ended by its process id. Everybody is let in without a password, except for whoever's name begins with "secret".
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pwd
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psycopg
import pytest
from psycopg import sql

from orchestrator.cluster.ports import free_ports
from orchestrator.cluster.postgresql import Instance
from orchestrator.errors import OrchestratorError
from orchestrator.journal import postgres_schema as schema
from orchestrator.journal.postgres_schema import create, rules
from orchestrator.journal.postgres_server import Server
from tests.patience import PATIENCE
from tests.services import require, without

OWNER = "owner"
TEMPLATE = "dmsa_template"
_CONFIGURATION = """
shared_buffers = 16MB
max_connections = 60
wal_level = minimal
max_wal_senders = 0
log_line_prefix = '%m %u@%d '
"""
_ENTRANCE = """
host all /^secret.*$ 127.0.0.1/32 scram-sha-256
host all secret 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""


def require_postgres() -> Path:
    """Return the folder of the server's programs; skip, or fail where nothing may be skipped, if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda one: float(one.parts[-3]))
    where = found[-1].parent if found else None
    if where is None:
        require("postgres", "initdb")
        where = Path(shutil.which("postgres") or "").parent
    require(modules=("psycopg",))
    return where


_ROOM = 1 << 30
"""Bytes that must be free in memory for a server to be there: containers often have 64 MiB."""


class PostgresServer:
    """A server in a folder of its own, answering on ``port`` of loopback while the context lasts.

    *extra* are lines of its configuration; *place* is where its folder is: in memory unless told, for speed.
    """

    def __init__(self, *extra: str, place: Path | None = None) -> None:
        programs, user = require_postgres(), _unprivileged()
        memory = Path("/dev/shm")
        roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM
        place = place or (memory if roomy else None)
        self._instance = Instance(programs, user, Path(tempfile.mkdtemp(prefix="dmsa-postgres-", dir=place)))
        self.folder = self._instance.folder
        self.data = self.folder / "data"
        self._extra = extra
        self._numbers = itertools.count(1)
        (self.port,) = free_ports(1)
        self._instance.give(self.folder)

    def __enter__(self) -> Self:
        try:
            configuration = _CONFIGURATION + "\n".join(self._extra)
            self._instance.make("--username=postgres", "--auth=trust", "--no-sync", configuration=configuration)
            self.write("pg_hba.conf", _ENTRANCE)
            self.start()
            with self.admin() as admin:
                admin.execute(f"CREATE ROLE {OWNER} LOGIN CREATEDB CREATEROLE")
            create(Server(self.database(TEMPLATE)))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it, on the port it had before; returns when it answers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._instance.start(self.port)
            except OrchestratorError:
                # What a killed server left in shared memory keeps the next one out for a moment.
                if time.monotonic() > deadline:
                    raise

    def stop(self) -> None:
        """End it in good order; sessions are ended (PostgreSQL, "18.5 Shutting Down the Server", fast)."""
        self._instance.end()

    def kill(self) -> None:
        """End it at once, all its processes, as a power loss would."""
        first = self._instance.process
        for pid in (first, *_children(first)) if first is not None else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._instance.end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it and start it again; it recovers what it had confirmed."""
        self.kill()
        self.start()

    def close(self) -> None:
        """End it and remove everything."""
        self._instance.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def admin(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """Return a connection of the superuser."""
        where = {"host": "127.0.0.1", "port": self.port, "dbname": database, "connect_timeout": 5}
        return psycopg.connect(**where, user="postgres", autocommit=True)

    def url(self, database: str, user: str = OWNER, **parameters: str) -> str:
        """Return the URL of a database."""
        query = "&".join(f"{key}={value}" for key, value in parameters.items())
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}" + (f"?{query}" if query else "")

    def database(self, name: str | None = None, template: str = "template1") -> str:
        """Make a database, and return its URL."""
        name = name or f"test_{next(self._numbers)}"
        words = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
        with self.admin() as admin:
            admin.execute(words.format(*map(sql.Identifier, (name, template, OWNER))))
        return self.url(name)

    def journal(self) -> str:
        """Make a database with an empty journal in it, and return its URL."""
        url = self.database(template=TEMPLATE)
        with self.admin(url.rpartition("/")[2]) as admin:  # a journal of its own, not the template's
            admin.execute("UPDATE dmsa.identity SET id = gen_random_uuid()")
        return url

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        with self.admin() as admin:
            name = sql.Identifier(url.partition("?")[0].rpartition("/")[2])
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def write(self, name: str, text: str, mode: str = "w", rights: int = 0o600) -> Path:
        """Write a file in its folder, which it may read."""
        path = self.data / name
        with path.open(mode) as file:
            file.write(text)
        path.chmod(rights)
        self._instance.give(path)
        return path

    def log(self) -> str:
        """Return the end of what it has written of itself."""
        return self._instance.log()


def _unprivileged() -> str | None:
    """Return whom the server runs as; None for whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    return without("needs a user beside root: PostgreSQL does not run as root")


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@contextlib.contextmanager
def running(*extra: str, place: Path | None = None) -> Iterator[PostgresServer]:
    """Run a server of its own; see :class:`PostgresServer`."""
    with PostgresServer(*extra, place=place) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server of this worker; for tests that leave it running as it is."""
    with running() as server:
        yield server


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a fresh database with an empty journal, as its owner."""
    url = postgres_server.journal()
    yield url
    postgres_server.drop(url)


def main() -> None:
    """Write down the rules as a fresh journal has them; for whoever has changed the schema."""
    tables = {f"table {name}": "" for name in ("entries", "identity", "lease")}
    with running() as server, server.admin(TEMPLATE) as admin:
        functions = "SELECT 'function ' || proname, '' FROM pg_proc WHERE pronamespace = 'dmsa'::regnamespace"
        found = rules(admin, tables | dict(admin.execute(functions).fetchall()))
    file = Path(schema.__file__).parent / "migrations" / "0001_journal.rules.json"
    file.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
