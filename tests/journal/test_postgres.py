"""What only a journal in PostgreSQL has: rules that a server keeps, roles, a lease with a time, a connection."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import errors, sql

from orchestrator.conductor.runlog import RunLog
from orchestrator.errors import Exit
from orchestrator.journal import (
    Entry,
    JournalCorrupt,
    JournalHeld,
    JournalUnusable,
    LeaseLost,
    beside_journal,
    open_journal,
)
from orchestrator.journal import postgres_schema as schema
from orchestrator.journal.postgres_schema import Granted, create, kinds, migrations, upgrade
from orchestrator.journal.postgres_server import Server
from orchestrator.lab.wire.certificates import Authority
from orchestrator.model.event import VERSION, Held, to_body
from tests.patience import PATIENCE
from tests.postgres import TEMPLATE, running

pytestmark = pytest.mark.service


def word(*numbers):
    return [Entry("run", None, "said", 1, {"number": number}) for number in numbers]


def owner(url):
    return psycopg.connect(url, autocommit=True)


@pytest.fixture
def as_role(postgres_server, database):
    """Grant a fresh role what its kind needs, and return the URL under which it comes."""
    made = []

    def grant(kind):
        name = f"{kind}_{len(made)}"
        made.append(name)
        upgrade(Server(database), [Granted(kind, name)])
        return database.replace("owner@", f"{name}@")

    yield grant
    postgres_server.drop(database)
    with postgres_server.admin() as admin:
        for name in made:
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


RULES = {
    "rows_are_never_changed": "UPDATE dmsa.entries SET kind = 'x'",
    "rows_are_never_deleted": "DELETE FROM dmsa.entries",
    "rows_are_never_truncated": "TRUNCATE dmsa.entries",
    "rows_have_no_gap": "INSERT INTO dmsa.entries VALUES (9, 'r', NULL, 'k', 1, '{}', NULL, repeat('0', 64))",
    "late_writers_are_refused": "INSERT INTO dmsa.entries VALUES (3, 'r', NULL, 'k', 1, '{}', 7, repeat('0', 64))",
    "the_chain_goes_on": "INSERT INTO dmsa.entries VALUES (3, 'r', NULL, 'k', 1, '{}', NULL, repeat('0', 64))",
    "epochs_only_grow": "UPDATE dmsa.lease SET epoch = -1",
    "the_lease_stays": "DELETE FROM dmsa.lease",
    "the_lease_is_never_truncated": "TRUNCATE dmsa.lease",
    "one_runner_at_a_time": "INSERT INTO dmsa.lease (sole, epoch) VALUES (false, 1)",
}


@pytest.mark.parametrize("rule", RULES)
def test_the_server_keeps_each_rule_against_its_owner_too(rule, database):
    with closing(open_journal(database, create=False)) as journal:
        journal.append(word(1, 2), expected=0, lease=None)
    with owner(database) as connection:
        with pytest.raises(psycopg.IntegrityError, match=rule) as refused:
            connection.execute(RULES[rule])
        assert refused.value.diag.constraint_name == rule


def test_a_superuser_s_replica_mode_switches_no_rule_off(postgres_server, database):
    with postgres_server.admin(database.rpartition("/")[2]) as admin:
        admin.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.IntegrityError, match="rows_are_never_deleted"):
            admin.execute("DELETE FROM dmsa.entries")


CHANGES = {
    "rows_are_never_changed": "ALTER TABLE dmsa.entries DISABLE TRIGGER rows_are_never_changed",
    "rows_have_no_gap": "DROP TRIGGER rows_have_no_gap ON dmsa.entries",
    "hash_is_sha256": "ALTER TABLE dmsa.entries DROP CONSTRAINT hash_is_sha256",
    "function refuse": "CREATE OR REPLACE FUNCTION dmsa.refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN RETURN NULL; END'",
    "table entries": "ALTER TABLE dmsa.entries SET UNLOGGED",
    "column entries.body": "ALTER TABLE dmsa.entries ALTER body DROP NOT NULL",
    "quietly": "CREATE RULE quietly AS ON DELETE TO dmsa.entries DO INSTEAD NOTHING",
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_rule_is_found_at_opening(name, database):
    with owner(database) as connection:
        connection.execute(CHANGES[name])
    with pytest.raises(JournalCorrupt, match=f"own rules were changed: .*{name}"):
        open_journal(database, create=False)


def test_the_rules_that_are_compared_are_those_that_a_fresh_journal_has(postgres_server):
    file = Path(schema.__file__).parent / "migrations" / "0001_journal.rules.json"
    written = json.loads(file.read_text(encoding="utf-8"))
    with postgres_server.admin(TEMPLATE) as admin:
        assert schema.rules(admin, written) == written
        named = "SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'dmsa'::regnamespace"
        assert {name for (name,) in admin.execute(named)} >= {name for name in written if name.startswith("function ")}


def test_a_row_that_was_changed_behind_the_rules_is_found_by_its_hash(database):
    with closing(open_journal(database, create=False)) as journal:
        journal.append(word(1, 2, 3), expected=0, lease=None)
        with owner(database) as connection:
            connection.execute("ALTER TABLE dmsa.entries DISABLE TRIGGER ALL")
            connection.execute("UPDATE dmsa.entries SET kind = 'x' WHERE seq = 2")
            connection.execute("ALTER TABLE dmsa.entries ENABLE TRIGGER ALL")
            for trigger in (name for name in RULES if name.startswith(("rows", "late", "the_chain"))):
                connection.execute(f"ALTER TABLE dmsa.entries ENABLE ALWAYS TRIGGER {trigger}")
        with pytest.raises(JournalCorrupt, match="at row 2: its hash does not fit"):
            journal.verify()


def test_an_older_copy_is_found_by_the_mark_and_by_whoever_had_it_open(database):
    with closing(open_journal(database, create=False)) as journal, owner(database) as connection:
        journal.append(word(1, 2, 3), expected=0, lease=None)
        assert journal.verify().witnessed == 3
        (mark,) = Path(".dmsa").glob("postgresql-*.head")
        connection.execute("ALTER TABLE dmsa.entries DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM dmsa.entries WHERE seq = 3")
        connection.execute("ALTER TABLE dmsa.entries ENABLE ALWAYS TRIGGER rows_are_never_deleted")
        for trigger in (name for name in RULES if name.startswith(("rows", "late", "the_chain"))):
            connection.execute(f"ALTER TABLE dmsa.entries ENABLE ALWAYS TRIGGER {trigger}")
        with pytest.raises(JournalCorrupt, match="row 3 was written, but the journal ends at row 2"):
            journal.head()
    with pytest.raises(JournalCorrupt, match=f"is meant, remove {mark} first"):
        open_journal(database, create=False)
    mark.unlink()
    with closing(open_journal(database, create=False)) as journal:
        assert journal.verify().witnessed is None


FORBIDDEN = (
    "UPDATE dmsa.entries SET kind = 'x'",
    "DELETE FROM dmsa.entries",
    "TRUNCATE dmsa.entries",
    "DROP TABLE dmsa.entries",
    "DROP SCHEMA dmsa CASCADE",
    "ALTER TABLE dmsa.entries DISABLE TRIGGER ALL",
    "ALTER TABLE dmsa.entries ADD COLUMN more text",
    "INSERT INTO dmsa.entries VALUES (1, 'r', NULL, 'k', 1, '{}', NULL, repeat('0', 64))",
    "UPDATE dmsa.lease SET epoch = 9",
    "DELETE FROM dmsa.lease",
    "DELETE FROM dmsa.schema_migrations",
    "CREATE TABLE dmsa.mine ()",
    "CREATE FUNCTION dmsa.now() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION dmsa.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "SET session_replication_role = replica",
)


def test_a_runner_s_role_drives_and_can_change_nothing(as_role):
    url = as_role("runner")
    with closing(open_journal(url, create=False)) as journal:
        lease = journal.acquire("alice")
        journal.append(word(1), expected=0, lease=lease)
        journal.append(word(2), expected=1, lease=None)
        assert journal.verify().rows == 2
    with owner(url) as connection:
        for statement in FORBIDDEN:
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)
        for setting, value in schema.TIMEOUTS.items():
            (found,) = connection.execute("SELECT current_setting(%s)", (setting,)).fetchone()
            assert found == value, setting


def test_a_reader_s_role_looks_and_can_write_nothing(as_role):
    url = as_role("reader")
    with closing(open_journal(url, create=False, read_only=True)) as journal:
        assert (journal.head(), journal.runs(), journal.holder(), journal.verify().rows) == (0, [], None, 0)
    with closing(open_journal(url, create=False)) as journal:
        for verb in (lambda: journal.append(word(1), expected=0, lease=None), lambda: journal.acquire("bob")):
            with pytest.raises(JournalUnusable, match="this role may not do that"):
                verb()
    with owner(url) as connection:
        for statement in FORBIDDEN:
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)


def test_nobody_else_sees_anything(postgres_server, database):
    with postgres_server.admin() as admin:
        admin.execute("CREATE ROLE stranger LOGIN")
    with pytest.raises(JournalUnusable, match="this role may not do that"):
        open_journal(database.replace("owner@", "stranger@"), create=False)
    with postgres_server.admin() as admin:
        admin.execute("DROP ROLE stranger")


def test_a_search_path_of_the_caller_s_leads_no_function_astray(as_role, database):
    url = as_role("runner")
    with owner(database) as connection:
        connection.execute("CREATE SCHEMA trap; GRANT ALL ON SCHEMA trap TO PUBLIC")
    with owner(url) as connection:
        connection.execute("CREATE FUNCTION trap.cardinality(text[]) RETURNS int LANGUAGE sql AS 'SELECT 1/0'")
        connection.execute("CREATE TEMP TABLE entries (seq bigint)")
        connection.execute("SET search_path = trap, pg_temp, pg_catalog")
        none = "'{}'::text[]"
        done = f"SELECT done FROM dmsa.append(0, NULL, {none}, {none}, {none}, '{{}}'::integer[], {none}, {none})"
        assert connection.execute(done).fetchone() == (True,)


def test_read_only_means_that_nothing_can_be_written(database):
    read_only = closing(open_journal(database, create=False, read_only=True))
    with read_only as journal, pytest.raises(JournalUnusable, match="it can only be read"):
        journal.append(word(1), expected=0, lease=None)


def test_a_lease_lapses_by_the_server_s_clock_unless_it_is_renewed(database):
    with closing(open_journal(database, create=False, lease=2.0)) as first:
        lease = first.acquire("first")
        frozen = first._keeper
        end = time.monotonic() + 2 * frozen._seconds
        with closing(open_journal(database, create=False, lease=2.0)) as second:
            while time.monotonic() < end:  # renewed meanwhile, more than once
                with pytest.raises(JournalHeld):
                    second.acquire("second")
                assert second.holder() == lease
            frozen.stop()
            until(lambda: second.holder() is None)
            assert first.append(word(1), expected=0, lease=lease) == 1, "nobody took it"
            taken = second.acquire("second")
            assert taken.epoch == lease.epoch + 1
            with pytest.raises(LeaseLost, match="epoch 2 now, held by second"):
                first.append(word(2), expected=1, lease=lease)
            first.release(lease)
            assert second.holder() == taken


def test_a_runner_whose_lease_was_taken_knows_it_without_asking(database):
    with closing(open_journal(database, create=False, lease=0.2)) as first:
        lease = first.acquire("first")
        assert not first.lost(lease)
        with owner(database) as connection:  # as one that took it while this one stood still
            connection.execute("UPDATE dmsa.lease SET epoch = epoch + 1")
        until(lambda: first.lost(lease))


def test_a_run_whose_lease_was_taken_ends_though_nobody_wrote_a_row(database):
    with closing(open_journal(database, create=False, lease=0.2)) as journal:
        log = RunLog("run", journal, journal.acquire("first"), lambda: None, lambda *_: None)
        assert not log.hear()
        with owner(database) as connection:
            connection.execute("UPDATE dmsa.lease SET epoch = epoch + 1, holder = 'second'")
        until(log.spoken_to)
        with pytest.raises(LeaseLost, match="it is in epoch 2 now"):
            log.hear()


def test_a_run_whose_lease_has_lapsed_and_was_not_taken_goes_on(database):
    with closing(open_journal(database, create=False, lease=0.1)) as journal:
        log = RunLog("run", journal, journal.acquire("first"), lambda: None, lambda *_: None)
        journal._keeper.stop()
        until(lambda: journal.holder() is None)
        held = Held(migration="a", reason="operator", detail="wait", release="`dmsa release`", by="y")
        with closing(open_journal(database, create=False)) as theirs:
            theirs.append([Entry("run", None, held.kind, VERSION, to_body(held))], expected=0, lease=None)
        assert log.hear()
        assert log.state["a"].held is not None


def until(holds):
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end


def test_whoever_waits_is_woken_by_the_others_and_not_by_itself(database):
    with closing(open_journal(database, create=False)) as ours, closing(open_journal(database, create=False)) as theirs:
        ours.wait(0)
        ours.append(word(1), expected=0, lease=None)
        begun = time.monotonic()
        ours.wait(0.2)
        assert time.monotonic() - begun >= 0.2, "its own word"
        saying = threading.Timer(0.1, lambda: theirs.append(word(2), expected=1, lease=None))
        saying.start()
        ours.wait(PATIENCE)
        assert time.monotonic() - begun < PATIENCE / 2
        saying.join()


def test_threads_share_a_handle(database):
    with closing(open_journal(database, create=False)) as journal:
        journal.append(word(*range(300)), expected=0, lease=None)
        found = []
        threads = [threading.Thread(target=lambda: found.append(sum(1 for _ in journal.read()))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [300] * 6


URLS = {
    "postgresql://alice:hunter2@db/dmsa": "it has a password in it",
    "postgresql://db/dmsa?password=hunter2": "it has a password in it",
    "postgresql://alice:hunt:er2@db:x/dmsa?a=b": "it has a password in it",
    "postgresql://[hunter2/dmsa": "it is no URL of a PostgreSQL database",
    "postgresql://alice@db/dmsa?hunter=2": "it is no URL of a PostgreSQL database",
    "postgresql://alice@db.corp.example/dmsa": "with sslmode=prefer it need not prove who it is",
    "postgresql://alice@127.0.0.1,db.corp.example/dmsa?sslmode=require": "db.corp.example is another machine",
}


@pytest.mark.parametrize("url", URLS)
def test_a_url_that_cannot_be_used_is_refused_before_anything_is_sent(url):
    with pytest.raises(JournalUnusable) as refused:
        open_journal(url, create=False)
    assert URLS[url] in str(refused.value)
    assert "hunter2" not in repr(refused.value) + str(refused.value)
    assert refused.value.exit_code == Exit.INVALID


def test_a_server_that_asks_for_a_password_that_is_not_there_or_wrong(postgres_server, database, monkeypatch):
    with postgres_server.admin() as admin:
        admin.execute("CREATE ROLE secret LOGIN PASSWORD 'hunter2'")
    url = database.replace("owner@", "secret@")
    for password in (None, "hunter3"):
        monkeypatch.setenv("PGPASSWORD", password) if password else monkeypatch.delenv("PGPASSWORD", raising=False)
        with pytest.raises(JournalUnusable, match="the database cannot be reached") as refused:
            open_journal(url, create=False)
        assert "hunter" not in str(refused.value)
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    with pytest.raises(JournalUnusable, match="this role may not do that"):
        open_journal(url, create=False)
    with postgres_server.admin() as admin:
        admin.execute("DROP ROLE secret")


def test_a_database_without_a_journal_or_with_one_of_another_version(postgres_server):
    url = postgres_server.database()
    with pytest.raises(JournalUnusable, match="`dmsa journal create --journal postgresql://owner@"):
        open_journal(url, create=True)
    server = Server(url)
    create(server)
    with pytest.raises(JournalUnusable, match="there is a journal in it"):
        create(server)
    assert upgrade(server) == []
    with owner(url) as connection:
        connection.execute("INSERT INTO dmsa.schema_migrations (number, name, sha256) VALUES (9999, 'later', 'x')")
        with pytest.raises(JournalUnusable, match="made by a newer version of dmsa"):
            open_journal(url, create=False)
        connection.execute("DELETE FROM dmsa.schema_migrations WHERE number > 1")
        connection.execute("UPDATE dmsa.schema_migrations SET sha256 = 'other'")
        with pytest.raises(JournalUnusable, match="migration 1 of its schema is not the one"):
            open_journal(url, create=False)
    postgres_server.drop(url)


def test_migrations_and_grants_are_numbered_files():
    assert [one.number for one in migrations()] == list(range(1, len(migrations()) + 1))
    stems = {one.stem for one in migrations()}
    for kind in kinds():
        folder = Path(schema.__file__).parent / "grants" / kind
        assert {file.stem for file in folder.glob("*.sql")} <= stems


def test_files_beside_it_are_named_by_host_and_database():
    one, two = (beside_journal(f"postgresql://{user}@127.0.0.1/dmsa") for user in ("alice", "bob"))
    assert one == two != beside_journal("postgresql://alice@127.0.0.1/other")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server with a certificate, whose commits can be made to wait for a standby; and the authority's certificate."""
    authority, folder = Authority(), tmp_path_factory.mktemp("tls")
    (folder / "ca.pem").write_bytes(authority.pem)
    (folder / "other.pem").write_bytes(Authority().pem)
    with running("wal_level = replica", "max_wal_senders = 2") as server:
        certificate, key = authority.server("localhost", "127.0.0.1")
        server.write("server.crt", certificate.decode())
        server.write("server.key", key.decode())
        with server.admin() as admin:
            admin.execute("ALTER SYSTEM SET ssl = on")
        server.stop()
        server.start()
        yield server, folder


def test_a_server_proves_who_it_is(guarded):
    server, folder = guarded
    url = server.journal()
    with closing(open_journal(f"{url}?sslmode=verify-full&sslrootcert={folder / 'ca.pem'}", create=False)) as journal:
        journal.acquire("alice")
        assert journal._database.pgconn.ssl_in_use
    with pytest.raises(JournalUnusable, match="certificate verify failed"):
        open_journal(f"{url}?sslmode=verify-full&sslrootcert={folder / 'other.pem'}", create=False)


def test_rows_whose_commit_nobody_confirmed_must_be_read(guarded):
    server, _ = guarded
    url = server.journal()
    with closing(open_journal(url, create=False)) as journal, server.admin() as admin:
        admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        admin.execute("SELECT pg_reload_conf()")
        until(lambda: admin.execute("SHOW synchronous_standby_names").fetchone() == ("nobody",))
        ends = []
        waiting = threading.Thread(target=lambda: ends.append(ended(journal)))
        waiting.start()
        waits = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        until(lambda: admin.execute(waits).fetchone())
        admin.execute("SELECT pg_terminate_backend(%s)", admin.execute(waits).fetchone())
        waiting.join()
        (end,) = ends
        assert isinstance(end, JournalUnusable)
        assert "Whether what was being written is there must be read" in str(end)
        assert [row.body for row in journal.read()] == [{"number": 1}], "they are there, and the handle reads again"
        admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
        admin.execute("SELECT pg_reload_conf()")


def ended(journal):
    try:
        return journal.append(word(1), expected=0, lease=None)
    except JournalUnusable as error:
        return error


def test_a_server_that_does_not_keep_what_it_confirms_is_refused():
    with running() as server:
        url = server.journal()
        with server.admin() as admin:
            admin.execute("ALTER SYSTEM SET fsync = off")
            admin.execute("ALTER SYSTEM SET synchronous_commit = off")
        server.stop()
        server.start()
        with pytest.raises(JournalUnusable, match="fsync = off"):
            open_journal(url, create=False)
        with server.admin() as admin:
            admin.execute("ALTER SYSTEM RESET fsync")
        server.stop()
        server.start()
        with closing(open_journal(url, create=False)) as journal:
            assert journal._database.execute("SHOW synchronous_commit").fetchone() == ("on",)
