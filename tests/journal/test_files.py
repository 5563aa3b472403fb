"""Files that are no journal, or cannot be one now: a clear error, and nothing overwritten."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from orchestrator.errors import Exit
from orchestrator.journal import Entry, JournalCorrupt, JournalUnusable, open_journal
from orchestrator.journal.sqlite_file import APPLICATION_ID, create

SAID = Entry("run", None, "said", 1, {"text": "x" * 2000})


def sqlite_file(path, *, application=0, version=0, table="CREATE TABLE theirs (a)"):
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"{table}; PRAGMA application_id={application}; PRAGMA user_version={version};")


BROKEN = {
    "empty": (lambda path: path.write_bytes(b""), JournalUnusable, "it is empty"),
    "text": (lambda path: path.write_text("name: plan\n" * 99), JournalUnusable, "neither a journal nor a SQLite"),
    "few bytes": (lambda path: path.write_bytes(b"SQLite format 3\0"), JournalUnusable, "neither a journal nor"),
    "somebody else's": (sqlite_file, JournalUnusable, "a SQLite database of another program"),
    "somebody else's, marked": (
        lambda path: sqlite_file(path, application=42, version=1),
        JournalUnusable,
        "a SQLite database of another program",
    ),
    "newer": (
        lambda path: sqlite_file(path, application=APPLICATION_ID, version=2),
        JournalUnusable,
        r"newer version of dmsa \(journal format 2; this one reads 1\)",
    ),
    "no format": (
        lambda path: sqlite_file(path, application=APPLICATION_ID),
        JournalCorrupt,
        "journal format 0, which no version",
    ),
    "no journal within": (
        lambda path: sqlite_file(path, application=APPLICATION_ID, version=1),
        JournalUnusable,
        "switched it to journal mode delete",
    ),
    "other tables within": (
        lambda path: sqlite_file(
            path, application=APPLICATION_ID, version=1, table="PRAGMA journal_mode=WAL; CREATE TABLE a (b)"
        ),
        JournalCorrupt,
        "rules were changed: a, entries",
    ),
    "noise": (
        lambda path: path.write_bytes(
            b"SQLite format 3\0" + b"\x10\0\2\2" + b"\0" * 43 + b"\1" + APPLICATION_ID.to_bytes(4, "big") + b"\7" * 9999
        ),
        (JournalUnusable, JournalCorrupt),
        ".",
    ),
    "a folder": (lambda path: path.mkdir(), JournalUnusable, "it is not a file"),
    "a pipe": (os.mkfifo, JournalUnusable, "it is not a file"),
}


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_journal_is_refused_and_left_as_it_is(path, case, create):
    make, error, text = BROKEN[case]
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(error, match=text) as raised:
        open_journal(path, create=create)
    assert raised.value.exit_code == Exit.INVALID
    assert str(path) in str(raised.value) or error is not JournalUnusable
    assert (path.read_bytes() if path.is_file() else None) == before
    assert {name.name for name in path.parent.iterdir()} <= {path.name, *(path.name + s for s in ("-wal", "-shm"))}


def test_a_missing_journal_is_not_made_by_who_only_reads(path):
    with pytest.raises(JournalUnusable, match=r"there is no such file. `dmsa run PLAN` begins a journal"):
        open_journal(path, create=False)
    assert list(path.parent.iterdir()) == []


def test_a_new_journal_and_its_folder(tmp_path):
    path = tmp_path / "a" / "b" / "ein Ordner?#%20" / "journal.db"
    with closing(open_journal(path, create=True)) as journal:
        journal.append([SAID], expected=0, lease=None)
        journal.acquire("alice")
        if sys.platform != "win32":
            for name in path.parent.iterdir():
                assert stat.S_IMODE(name.stat().st_mode) == 0o600, name
    assert sorted(name.name for name in path.parent.iterdir()) == ["journal.db", "journal.db.head", "journal.db.lock"]


def test_identity_and_wal_stand_in_the_file_itself(path):
    open_journal(path, create=True).close()
    header = path.read_bytes()[:100]
    assert header[18:20] == b"\2\2"
    assert header[68:72] == b"dMSA"


def test_what_a_killed_creation_left_is_cleared_away(path):
    building = path.with_name(f".{path.name}.building")
    for suffix in ("", "-journal", "-wal"):
        building.with_name(building.name + suffix).write_bytes(b"half")
    with closing(open_journal(path, create=True)) as journal:
        journal.verify()
    assert sorted(name.name for name in path.parent.iterdir()) == ["journal.db", "journal.db.lock"]


@pytest.mark.parametrize("suffix", ["-wal", ".head"])
def test_a_journal_that_vanished_is_not_silently_begun_anew(path, suffix):
    with closing(open_journal(path, create=True)) as journal:
        journal.append([SAID], expected=0, lease=None)
        path.unlink()
        with pytest.raises(JournalUnusable, match=f"{path.name}{suffix}.* shows that there was a journal"):
            open_journal(path, create=True)
    assert not path.exists()


def test_creation_while_somebody_has_the_lock_of_the_name(path, monkeypatch):
    monkeypatch.setattr("orchestrator.journal.sqlite_file.PATIENCE", 0.0)
    with closing(open_journal(path, create=True)) as journal:
        journal.acquire("alice")
        path.unlink()
        with pytest.raises(JournalUnusable, match="a process that runs holds its lock"):
            open_journal(path, create=True)


def test_creating_what_is_there_changes_nothing(path):
    with closing(open_journal(path, create=True)) as journal:
        journal.append([SAID], expected=0, lease=None)
        create(path)
        assert journal.head() == 1


@pytest.mark.parametrize(
    ("place", "cause"),
    [
        ("postgresql://alice:secret@db/dmsa", "it has a password in it"),
        ("mysql://db", "this version keeps journals in SQLite files and PostgreSQL databases"),
        ("sqlite://journal.db", "this version keeps journals in SQLite files and PostgreSQL databases"),
        ("sqlite:///", "nothing is named"),
        ("", "nothing is named"),
    ],
)
def test_other_places(place, cause):
    with pytest.raises(JournalUnusable) as raised:
        open_journal(place, create=True)
    assert raised.value.cause == cause
    assert "secret" not in str(raised.value)


def test_urls(path, monkeypatch):
    open_journal(f"sqlite:///{path}", create=True).close()
    monkeypatch.chdir(path.parent)
    for place in (str(path), path, path.name, f"sqlite:///{path.name}"):
        open_journal(place, create=False).close()


def test_a_full_disk_writes_nothing_and_breaks_nothing(path):
    with closing(open_journal(path, create=True)) as journal:
        journal.append([SAID], expected=0, lease=None)
        lease = journal.acquire("alice")
        (pages,) = journal._database.execute("PRAGMA page_count").fetchone()
        journal._database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(JournalUnusable, match=r"journal.db: the disk is full .* Nothing was written"):
            journal.append([SAID] * 20, expected=1, lease=lease)
        assert journal.head() == journal.verify().rows == 1
        journal._database.execute("PRAGMA max_page_count = 1000000")
        assert journal.append([SAID] * 20, expected=1, lease=lease) == 21


FILE_SIZE_LIMIT = """
import resource, signal, sys
from orchestrator.journal import Entry, JournalUnusable, open_journal
journal = open_journal(sys.argv[1], create=True)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
head = 0
try:
    while head < 1000:
        head = journal.append([Entry("run", None, "said", 1, {"text": "x" * 2000})], expected=head, lease=None)
except JournalUnusable as error:
    assert "failed" in error.cause or "full" in error.cause, error
    assert journal.head() == head
    print(head)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of this kind are POSIX")
def test_a_disk_that_fails_keeps_what_was_acknowledged(path):
    ended = subprocess.run([sys.executable, "-c", FILE_SIZE_LIMIT, path], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 0, ended.stderr
    kept = int(ended.stdout)
    assert 0 < kept < 1000
    with closing(open_journal(path, create=False)) as journal:
        assert journal.verify().rows in {kept, kept + 1}
        assert journal.append([SAID], expected=journal.head(), lease=None)


@contextmanager
def unprivileged():
    """Root may write anywhere; nobody may not."""
    if sys.platform == "win32":
        pytest.skip("rights of this kind are POSIX")
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def public():
    """A folder that every user can reach, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path
        path.chmod(0o755)


def test_a_folder_that_cannot_be_written(public):
    public.chmod(0o555)
    with unprivileged(), pytest.raises(JournalUnusable, match=r"Permission denied .*Look at the rights"):
        open_journal(public / "journal.db", create=True)
    assert list(public.iterdir()) == []


def test_a_folder_that_cannot_be_entered(public):
    open_journal(public / "journal.db", create=True).close()
    public.chmod(0o000)
    with unprivileged(), pytest.raises(JournalUnusable, match="Permission denied"):
        open_journal(public / "journal.db", create=False)


def test_a_file_that_can_only_be_read(public):
    path = public / "journal.db"
    with closing(open_journal(path, create=True)) as journal:
        journal.append([SAID], expected=0, lease=None)
    public.chmod(0o777)
    path.chmod(0o444)
    for name in public.glob("*.*.*"):
        name.unlink()
    before = path.read_bytes()
    with unprivileged(), closing(open_journal(path, create=True)) as journal:
        assert journal.head() == 1
        with pytest.raises(JournalUnusable, match="it cannot be written"):
            journal.append([SAID], expected=1, lease=None)
        with pytest.raises(JournalUnusable, match="it cannot be written"):
            journal.acquire("alice")
        assert journal.holder() is None
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_read(public):
    path = public / "journal.db"
    open_journal(path, create=True).close()
    path.chmod(0o200 if os.geteuid() else 0o600)
    with unprivileged(), pytest.raises(JournalUnusable, match="Permission denied"):
        open_journal(path, create=False)


def test_whoever_only_looks_sees_what_comes_and_can_write_nothing(tmp_path):
    path = tmp_path / "j.db"
    with closing(open_journal(path, create=True)) as journal:
        journal.append([SAID], expected=0, lease=None)
        with closing(open_journal(path, create=False, read_only=True)) as looking:
            assert looking.head() == 1
            journal.append([SAID], expected=1, lease=None)
            assert [row.seq for row in looking.read()] == [1, 2]
            with pytest.raises(JournalUnusable, match="it cannot be written"):
                looking.append([SAID], expected=2, lease=None)
            with pytest.raises(JournalUnusable, match="it cannot be written"):
                looking.acquire("somebody who may not")
            assert looking.holder() is None
        lease = journal.acquire("somebody who may")
        assert journal.append([SAID], expected=2, lease=lease) == 3
