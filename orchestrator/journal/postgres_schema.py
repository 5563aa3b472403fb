"""The schema ``dmsa`` of a database: made and brought up to date by its owner, and recognised by everybody else.

``migrations/`` holds SQL files that are applied in the order of their numbers, each once; ``grants/KIND/`` what a role
of that kind may do with what the migration of the same name made. To extend the schema is to add files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import errors, sql

from orchestrator.journal.errors import JournalCorrupt, JournalUnusable
from orchestrator.journal.postgres_server import Server, explained

_BEGIN = """
    CREATE SCHEMA dmsa;
    REVOKE ALL ON SCHEMA dmsa FROM PUBLIC;
    CREATE TABLE dmsa.schema_migrations (
        number integer PRIMARY KEY,
        name text NOT NULL,
        sha256 text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        applied_by text NOT NULL DEFAULT session_user
    );
    CREATE TABLE dmsa.roles (kind text, role text, PRIMARY KEY (kind, role));
"""

TIMEOUTS: Mapping[str, str] = {
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "5s",
    "statement_timeout": "30s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "synchronous_commit": "on",
}
"""Of a role that is granted anything here, so that a runner that freezes or is cut off keeps no lock for long."""

_RULES = """
    WITH ours AS (
        SELECT c.oid, c.relname, c.relkind, c.relpersistence, c.relrowsecurity, c.relhassubclass
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'dmsa' AND c.relname = ANY (%(tables)s)
    )
    SELECT 'table ' || relname, concat_ws(' ', relkind, relpersistence, relrowsecurity, relhassubclass) FROM ours
    UNION ALL
    SELECT 'column ' || relname || '.' || attname,
        concat_ws(' ', attnum, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid), collname)
    FROM ours JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        LEFT JOIN pg_collation ON pg_collation.oid = attcollation
    UNION ALL
    SELECT conname::text, concat_ws(' ', relname, pg_get_constraintdef(pg_constraint.oid), convalidated)
    FROM ours JOIN pg_constraint ON conrelid = ours.oid WHERE contype <> 'n'
    UNION ALL
    SELECT tgname::text, concat_ws(' ', pg_get_triggerdef(pg_trigger.oid), tgenabled)
    FROM ours JOIN pg_trigger ON tgrelid = ours.oid WHERE NOT tgisinternal
    UNION ALL
    SELECT rulename::text, pg_get_ruledef(pg_rewrite.oid) FROM ours JOIN pg_rewrite ON ev_class = ours.oid
    UNION ALL
    SELECT 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'dmsa' AND tablename = ANY (%(tables)s)
    UNION ALL
    SELECT 'function ' || proname, pg_get_functiondef(p.oid)
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = 'dmsa' AND proname = ANY (%(functions)s)
"""


@dataclass(frozen=True)
class Migration:
    """One step of the schema. ``stem`` is its file's name without ``.sql``; ``number`` counts from 1."""

    number: int
    stem: str
    text: str

    @property
    def sha256(self) -> str:
        """Return what identifies its text."""
        return sha256(self.text.encode()).hexdigest()


class Granted(NamedTuple):
    """A role that is to get what one of its *kind* (:func:`kinds`) needs."""

    kind: str
    role: str


@cache
def migrations() -> tuple[Migration, ...]:
    """Return every migration that this version knows, in order."""
    folder = files("orchestrator.journal").joinpath("migrations")
    found = sorted(one.name.removesuffix(".sql") for one in folder.iterdir() if one.name.endswith(".sql"))
    return tuple(
        Migration(int(stem[:4]), stem, folder.joinpath(f"{stem}.sql").read_text(encoding="utf-8")) for stem in found
    )


@cache
def kinds() -> tuple[str, ...]:
    """Return the kinds of role that can be granted something."""
    return tuple(sorted(one.name for one in files("orchestrator.journal").joinpath("grants").iterdir() if one.is_dir()))


def create(server: Server, roles: Sequence[Granted] = ()) -> None:
    """Make the schema in an existing database, whole or not at all, and grant *roles* what they need.

    Raises:
        JournalUnusable: there is one, or this role may not make it.
    """
    with server.connect() as connection, explained(server.url):
        if _applied(server, connection):
            raise JournalUnusable(
                server.url,
                "there is a journal in it",
                "Nothing was changed. `dmsa journal upgrade` brings it up to date, and grants roles what they need",
            )
        with connection.transaction():
            connection.execute(_BEGIN)
            _apply(server, connection, roles)


def upgrade(server: Server, roles: Sequence[Granted] = ()) -> list[str]:
    """Apply what is missing, and grant every role what it needs now; return the names of what was applied.

    Raises:
        JournalUnusable: there is no journal, it is of a newer version, or this role may not change it.
    """
    with server.connect() as connection, explained(server.url), connection.transaction():
        _refuse_other_versions(server, _applied(server, connection), older=True)
        return _apply(server, connection, roles)


def recognise(server: Server, connection: psycopg.Connection[Any]) -> None:
    """Make sure that there is a journal of this version.

    Raises:
        JournalUnusable: there is none, or of another version.
    """
    _refuse_other_versions(server, _applied(server, connection), older=False)


def check_rules(connection: psycopg.Connection[Any]) -> None:
    """Compare the rules in the catalog with those that were made.

    Raises:
        JournalCorrupt: they were changed; names which.
    """
    expected = _expected()
    found = rules(connection, expected)
    names = expected.keys() | found.keys()
    if changed := sorted(name for name in names if expected.get(name) != found.get(name)):
        raise JournalCorrupt(0, f"the journal's own rules were changed: {', '.join(changed)}")


def rules(connection: psycopg.Connection[Any], names: Mapping[str, str]) -> dict[str, str]:
    """Return what the catalog says of the tables and functions that are among *names*."""
    wanted = {
        f"{kind}s": [name.partition(" ")[2] for name in names if name.startswith(f"{kind} ")]
        for kind in ("table", "function")
    }
    return dict(connection.execute(_RULES, wanted).fetchall())


@cache
def _expected() -> Mapping[str, str]:
    text = files("orchestrator.journal").joinpath("migrations", "0001_journal.rules.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def _applied(server: Server, connection: psycopg.Connection[Any]) -> dict[int, str]:
    """Return number and digest of the migrations that were applied; none where there is no journal."""
    with explained(server.url):
        (there,) = _one(connection, "SELECT to_regclass('dmsa.schema_migrations') IS NOT NULL")
        if not there:
            return {}
        return dict(connection.execute("SELECT number, sha256 FROM dmsa.schema_migrations").fetchall())


def _refuse_other_versions(server: Server, applied: Mapping[int, str], *, older: bool) -> None:
    known = {one.number: one.sha256 for one in migrations()}
    leave = "It was left as it is"
    if not applied:
        raise JournalUnusable(
            server.url,
            "there is no journal in it, or none that this role may see",
            f"Its owner makes one: `dmsa journal create --journal {server.url}`",
        )
    if unknown := sorted(applied.keys() - known.keys()):
        raise JournalUnusable(
            server.url,
            f"its schema was made by a newer version of dmsa (migration {unknown[-1]}; this one knows {max(known)})",
            f"{leave}. Use that version of dmsa, or a later one",
        )
    if other := sorted(number for number in applied if applied[number] != known[number]):
        raise JournalUnusable(
            server.url, f"migration {other[0]} of its schema is not the one that this version has", f"{leave}. Ask"
        )
    if not older and (missing := sorted(known.keys() - applied.keys())):
        raise JournalUnusable(
            server.url,
            f"its schema is of an older version of dmsa (migration {missing[0]} is missing)",
            f"{leave}. Its owner brings it up to date: `dmsa journal upgrade --journal {server.url}`",
        )


def _apply(server: Server, connection: psycopg.Connection[Any], roles: Sequence[Granted]) -> list[str]:
    applied = dict(connection.execute("SELECT number, sha256 FROM dmsa.schema_migrations").fetchall())
    fresh = [one for one in migrations() if one.number not in applied]
    for one in fresh:
        connection.execute(one.text)
        connection.execute(
            "INSERT INTO dmsa.schema_migrations (number, name, sha256) VALUES (%s, %s, %s)",
            (one.number, one.stem, one.sha256),
        )
    for kind, role in roles:
        _make(server, connection, role)
        connection.execute("INSERT INTO dmsa.roles VALUES (%s, %s) ON CONFLICT DO NOTHING", (kind, role))
    for kind, role in connection.execute("SELECT kind, role FROM dmsa.roles ORDER BY kind, role").fetchall():
        _grant(connection, kind, role)
    return [one.stem for one in fresh]


def _make(server: Server, connection: psycopg.Connection[Any], role: str) -> None:
    """Make a role that may log in, where there is none of that name, and set its timeouts in this database."""
    (there,) = _one(connection, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", role)
    name, database = sql.Identifier(role), sql.Identifier(connection.info.dbname)
    try:
        if not there:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        for setting, value in TIMEOUTS.items():
            words = sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}")
            connection.execute(words.format(name, database, sql.Identifier(setting), sql.Literal(value)))
    except errors.InsufficientPrivilege as error:
        raise JournalUnusable(
            server.url,
            f"the role {role} cannot be made or set up by {connection.info.user} ({error.diag.message_primary})",
            "Nothing was changed. Let a role with CREATEROLE run the same command",
        ) from error


def _grant(connection: psycopg.Connection[Any], kind: str, role: str) -> None:
    connect = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}")
    connection.execute(connect.format(sql.Identifier(connection.info.dbname), sql.Identifier(role)))
    folder = files("orchestrator.journal").joinpath("grants", kind)
    for one in migrations():
        file = folder.joinpath(f"{one.stem}.sql")
        if file.is_file():
            connection.execute(sql.SQL(file.read_text(encoding="utf-8")).format(role=sql.Identifier(role)))


def _one(connection: psycopg.Connection[Any], query: LiteralString, *values: object) -> tuple[Any, ...]:
    found = connection.execute(query, values).fetchone()
    assert found is not None
    return tuple(found)
