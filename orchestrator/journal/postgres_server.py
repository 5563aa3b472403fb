"""The way to a PostgreSQL server: what a ``--journal`` URL may say, a connection, and what the server says in words.

A password never stands in the URL, for URLs stand in process lists, logs and in the commands that are shown to people:
libpq finds it by its own means (PostgreSQL, "34.15 Environment Variables", "34.16 The Password File"). A server that is
not on this machine must prove who it is (``sslmode=verify-full`` or ``verify-ca``): whoever can stand between could
otherwise answer for the journal, which decides what is sent (PostgreSQL, "34.19.1 Client Verification of Server
Certificates"; without a word libpq takes ``prefer``, which proves nothing).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import psycopg
from psycopg import errors, pq
from psycopg.conninfo import conninfo_to_dict

from orchestrator.journal.errors import JournalCorrupt, JournalUnusable

_SECRET = frozenset({"password", "sslpassword"})
_PROVES_ITSELF = frozenset({"verify-full", "verify-ca"})

_UNLESS_TOLD: Mapping[str, Any] = {
    "application_name": "dmsa",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A server that is gone without a word is found out within half a minute."""

_SETTLED = """
    SELECT set_config('synchronous_commit',
               CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
               ELSE current_setting('synchronous_commit') END, false),
           set_config('default_transaction_isolation', 'read committed', false),
           set_config('default_transaction_read_only',
               CASE WHEN %(read_only)s THEN 'on' ELSE current_setting('default_transaction_read_only') END, false),
           set_config('TimeZone', 'UTC', false),
           set_config('search_path', 'pg_catalog', false),
           set_config('lock_timeout', '5s', false),
           set_config('statement_timeout', '30s', false),
           set_config('idle_in_transaction_session_timeout', '5s', false),
           current_setting('fsync'), current_setting('full_page_writes'), current_setting('server_encoding'),
           pg_is_in_recovery()
"""

_NOT_REACHED = "Nothing was written. See that it runs and lets this machine and this user in, then run the same command"
_READ = "Whether what was being written is there must be read: run the same command again, it reads first"


@dataclass(frozen=True)
class Server:
    """A database to which a URL leads. ``parameters`` are libpq's, as far as the URL has them.

    Raises:
        JournalUnusable: the URL cannot be used: it has a password, says nothing that libpq understands, or leads to a
            server on another machine that need not prove who it is.
    """

    url: str
    parameters: Mapping[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if _has_a_secret(self.url):
            raise JournalUnusable(
                _without_userinfo(self.url),
                "it has a password in it",
                "Nothing was sent. Take it out, for it shows in process lists and logs; put it into a password file "
                "(PGPASSFILE, ~/.pgpass) or a service file, or use a client certificate",
            )
        try:
            given = conninfo_to_dict(self.url)
        except psycopg.ProgrammingError:
            raise JournalUnusable(
                _without_userinfo(self.url),
                "it is no URL of a PostgreSQL database",
                "Name one as postgresql://user@host:5432/database?sslmode=verify-full&sslrootcert=ca.pem",
            ) from None
        object.__setattr__(self, "parameters", {key: str(value) for key, value in given.items()})
        _refuse_unproved(self.url, _defaults() | dict(self.parameters))

    def connect(self, *, read_only: bool = False) -> psycopg.Connection[Any]:
        """Return a connection on which each statement is a transaction, durable when it returns.

        Raises:
            JournalUnusable: none can be had, or the server does not keep what it has confirmed.
        """
        wanted = dict(_UNLESS_TOLD)
        if not read_only:
            wanted["target_session_attrs"] = "read-write"
        with explained(self.url, _NOT_REACHED):
            connection = psycopg.connect(**{**wanted, **self.parameters}, autocommit=True)
        try:
            with explained(self.url):
                _refuse_unproved(self.url, connection.info.get_parameters())
                self._settle(connection, read_only)
        except BaseException:
            connection.close()
            raise
        return connection

    def _settle(self, connection: psycopg.Connection[Any], read_only: bool) -> None:
        found = connection.execute(_SETTLED, {"read_only": read_only}).fetchone()
        assert found is not None
        *_, fsync, pages, encoding, standby = found
        if (fsync, pages) != ("on", "on") and not standby:
            raise JournalUnusable(
                self.url,
                f"the server runs with fsync = {fsync}, full_page_writes = {pages}: after a power loss rows would be "
                "gone that it has confirmed",
                "Nothing was written. Switch both on in postgresql.conf, then run the same command again",
            )
        if encoding != "UTF8":
            raise JournalUnusable(
                self.url, f"the database keeps text as {encoding}", "Make one with ENCODING 'UTF8' and name that"
            )


def _has_a_secret(url: str) -> bool:
    words = url.partition("://")[2]
    userinfo, at, _ = words.rpartition("@")
    in_userinfo = bool(at) and ":" in userinfo.partition("?")[0].partition("/")[0]
    return in_userinfo or any(key.lower() in _SECRET for key, _ in parse_qsl(url.partition("?")[2]))


def _without_userinfo(url: str) -> str:
    """Return what of a URL may be shown although it was not understood."""
    scheme, _, words = url.partition("://")
    return f"{scheme}://…@{words.rpartition('@')[2].partition('?')[0]}" if "@" in words else f"{scheme}://…"


def _defaults() -> dict[str, str]:
    """Return what libpq takes from the environment, and where that says nothing (PQconndefaults)."""
    return {one.keyword.decode(): one.val.decode() for one in pq.Conninfo.get_defaults() if one.val is not None}


def _refuse_unproved(url: str, parameters: Mapping[str, str]) -> None:
    if "service" in parameters and "host" not in parameters:
        return  # looked at again once libpq has read the service file
    hosts = (parameters.get("hostaddr") or parameters.get("host") or "").split(",")
    far = [host for host in hosts if not _is_here(host)]
    mode = parameters.get("sslmode", "prefer")
    if far and mode not in _PROVES_ITSELF:
        raise JournalUnusable(
            url,
            f"{', '.join(far)} is another machine, and with sslmode={mode} it need not prove who it is",
            "Nothing was sent. Add sslmode=verify-full and sslrootcert=FILE with the certificate of the authority "
            "that signed the server's",
        )


def _is_here(host: str) -> bool:
    """Say whether a host is this machine: a Unix socket, or loopback."""
    if not host or host.startswith(("/", "@")) or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def explained(place: str, remedy: str = _READ) -> Iterator[None]:
    """Turn what PostgreSQL says into words for a person; *place* has no password, nor has what libpq says.

    *remedy* is what to do where the connection cannot be had, or was lost.

    Raises:
        JournalCorrupt: a rule of the journal refused what was written.
        JournalUnusable: everything else.
    """
    try:
        yield
    except psycopg.Error as error:
        raise _as_ours(place, error, remedy) from error


def _as_ours(place: str, error: psycopg.Error, remedy: str) -> JournalUnusable | JournalCorrupt:
    said = (error.diag.message_primary or str(error)).strip()
    match error:
        case errors.InsufficientPrivilege():
            return JournalUnusable(
                place,
                f"this role may not do that ({said})",
                "Nothing was written. Let its owner do it, or grant it: `dmsa journal upgrade --runner-role NAME`",
            )
        case psycopg.IntegrityError():
            return JournalCorrupt(0, f"its own rules refused a row: {said}")
        case psycopg.ProgrammingError():
            return JournalCorrupt(0, f"PostgreSQL reports of {place}: {said}")
        case errors.ReadOnlySqlTransaction():
            return JournalUnusable(place, f"it can only be read ({said})", "Nothing was written. Name the primary")
        case errors.DiskFull():
            return JournalUnusable(place, f"the disk is full ({said})", "Nothing was written. Make room, then go on")
        case errors.LockNotAvailable() | errors.QueryCanceled():
            wait = "Nothing was written. See who holds it in pg_stat_activity, then run the same command again"
            return JournalUnusable(place, f"another session kept it busy ({said})", wait)
        case errors.TooManyConnections():
            return JournalUnusable(place, f"the server takes no more connections ({said})", "Raise max_connections")
    return JournalUnusable(place, _of_connection(said), remedy)


def _of_connection(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"the database cannot be reached, or was lost on the way ({'; '.join(lines)})"
