"""Several processes at one SQLite journal: the lease, ``kill -9``, reading while it is being written."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import closing, contextmanager

import pytest

from orchestrator.journal import Entry, JournalHeld, LeaseLost, lock, open_journal

RUNNER = """
import sys
from orchestrator.journal import Entry, open_journal
journal = open_journal(sys.argv[1], create=True)
lease = journal.acquire("runner in another process")
head = journal.head()
print(lease.epoch, flush=True)
while sys.argv[2] == "write" or sys.stdin.readline():
    head = journal.append(
        [Entry("run", None, "said", 1, {"number": head + n, "fill": "x" * 300}) for n in (1, 2, 3)],
        expected=head, lease=lease,
    )
    print(head, flush=True)
"""


@contextmanager
def runner(path, mode):
    """Start a process that holds the lease; it appends all the time (``write``) or when told (``wait``)."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER, path, mode], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def word(number):
    return [Entry("run", None, "said", 1, {"number": number})]


def test_the_second_runner_is_told_who_holds_it_and_kill_frees_it_at_once(path):
    with runner(path, "wait") as first:
        assert first.stdout.readline() == "1\n"
        with closing(open_journal(path, create=True)) as journal:
            with pytest.raises(JournalHeld, match="held by runner in another process since 20"):
                journal.acquire("second")
            assert journal.holder().holder == "runner in another process"
            first.kill()
            first.wait()
            assert journal.holder() is None
            lease = journal.acquire("second")  # with no patience at all
            assert lease.epoch == 2
            assert journal.append(word(1), expected=0, lease=lease) == 1


def test_a_runner_whose_lock_was_pulled_from_under_it_is_refused_by_its_epoch(path):
    with runner(path, "wait") as frozen:
        frozen.stdout.readline()
        path.with_name(path.name + ".lock").unlink()
        with closing(open_journal(path, create=True)) as journal:
            lease = journal.acquire("second")
            assert lease.epoch == 2
            with pytest.raises(LeaseLost):
                journal.append(word(1), expected=0, lease=type(lease)(1, "runner", lease.since))
            said, complaint = frozen.communicate("go\n", timeout=10)
            assert (frozen.returncode, said) == (1, "")
            assert "LeaseLost" in complaint
            assert journal.head() == 0


def test_killed_in_the_middle_of_appending_every_acknowledged_row_is_there(path):
    for epoch in (1, 2, 3):
        with runner(path, "write") as process:
            assert process.stdout.readline() == f"{epoch}\n"
            for _ in range(20 * epoch):
                process.stdout.readline()
            process.kill()
            acknowledged = int((process.stdout.read().split() or ["0"])[-1])
        with closing(open_journal(path, create=False)) as journal:
            verdict = journal.verify()
            assert verdict.rows >= max(acknowledged, 60 * epoch)
            assert verdict.rows % 3 == 0  # all of a call or nothing
            assert [row.body["number"] for row in journal.read()] == list(range(1, verdict.rows + 1))


def test_status_can_be_read_and_operators_can_speak_while_it_is_being_written(path):
    with runner(path, "wait") as process, closing(open_journal(path, create=True)) as journal:
        process.stdout.readline()
        for turn in range(5):
            process.stdin.write("go\n")
            process.stdin.flush()
            assert int(process.stdout.readline()) == journal.head() == (turn + 1) * 3
            assert journal.verify().rows == journal.head()
            assert journal.holder().epoch == 1
        assert journal.append(word(16), expected=15, lease=None) == 16


def test_readers_never_see_half_an_append(path):
    with runner(path, "write") as process, closing(open_journal(path, create=True)) as journal:
        process.stdout.readline()
        process.stdout.readline()
        seen = 0
        while seen < 300:
            head = journal.head()
            assert head % 3 == 0
            rows = list(journal.read(after=seen))
            assert [row.seq for row in rows] == list(range(seen + 1, seen + len(rows) + 1))
            seen += len(rows)
            process.stdout.readline()


def test_several_threads_may_use_one_journal(path):
    with closing(open_journal(path, create=True)) as journal:
        lease = journal.acquire("alice")
        done = threading.Event()
        heads = []

        def watch():
            while not done.is_set():
                heads.append((journal.head(), len(list(journal.read()))))

        watcher = threading.Thread(target=watch)
        watcher.start()
        for number in range(100):
            journal.append(word(number), expected=number, lease=lease)
        done.set()
        watcher.join()
        assert all(head <= count <= 100 for head, count in heads)
        assert journal.verify().rows == 100


def test_asking_who_holds_it_never_keeps_a_runner_from_taking_it(path, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE", 5.0)
    with closing(open_journal(path, create=True)) as journal, closing(open_journal(path, create=True)) as other:
        done = threading.Event()

        def ask():
            while not done.is_set():
                other.holder()

        asker = threading.Thread(target=ask)
        asker.start()
        try:
            for _ in range(50):
                journal.release(journal.acquire("alice"))
        finally:
            done.set()
            asker.join()
        assert journal.acquire("alice").epoch == 51


def test_two_who_begin_at_once_get_the_same_journal(path):
    begun = [
        subprocess.Popen([sys.executable, "-c", BEGIN, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in begun:
        assert process.stdout.readline() == "ready\n"
    for process in begun:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=30)[0] for process in begun] == ["said\n"] * 3
    with closing(open_journal(path, create=False)) as journal:
        assert journal.verify().rows == 3


BEGIN = """
import sys
from orchestrator.journal import Entry, JournalConflict, open_journal
print("ready", flush=True)
sys.stdin.readline()
journal = open_journal(sys.argv[1], create=True)
while True:
    try:
        journal.append([Entry("run", None, "said", 1, {})], expected=journal.head(), lease=None)
        break
    except JournalConflict:
        pass
print("said", flush=True)
"""
