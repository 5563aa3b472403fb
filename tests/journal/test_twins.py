"""Whatever is done to them in whatever order, a journal on disk, or in a database, and its twin in memory answer alike.

Two of the three handles on that one write a mirror, the third does not: the mirror never has anything but the
beginning of what an export would print, and all of it after any of the two has written.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.errors import OrchestratorError
from orchestrator.journal import Entry, MemoryJournal, hold_against, line_of, lock, open_journal, opening, restore

HANDLES = st.integers(0, 2)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ENTRIES = st.lists(
    st.builds(
        Entry,
        run=st.sampled_from(["a", "b", ""]),
        at=st.none() | st.datetimes(timezones=st.just(UTC)),
        kind=st.text(max_size=5),
        version=st.integers(0, 3),
        body=st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    ),
    max_size=4,
)


class Twins(RuleBasedStateMachine):
    """Three handles on each journal; a handle that closes is opened anew, as a process that is started again."""

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(lock, "PATIENCE", 0.0)
        self.folder = tempfile.TemporaryDirectory()
        self.patch.setattr(opening, "FOLDER", Path(self.folder.name) / "beside")
        self.place = self.begun()
        self.mirror = Path(self.folder.name) / "mirror.jsonl"
        self.memory = MemoryJournal()
        self.pairs = [self.opened(number) for number in range(3)]
        self.leases = []

    def begun(self):
        return Path(self.folder.name) / "journal.db"

    def fit(self, entries):
        """Return what of such entries the store keeps."""
        return entries

    def opened(self, number):
        return self.memory.another(), open_journal(self.place, create=True, mirror=self.mirror if number else None)

    def printed(self):
        return b"".join(map(line_of, self.memory.read()))

    def both(self, number, verb):
        """Do the same to both; both answer alike, or fail alike."""
        answers = []
        for journal in self.pairs[number]:
            try:
                answers.append(verb(journal))
            except OrchestratorError as error:
                answers.append((type(error), {k: v for k, v in vars(error).items() if k not in {"since", "until"}}))
        assert answers[0] == answers[1]
        return answers[0]

    @rule(number=HANDLES, entries=ENTRIES, behind=st.sampled_from([0, 0, 0, 0, 1, -1]), which=st.integers(0, 3))
    def append(self, number, entries, behind, which):
        entries, expected = self.fit(entries), self.memory.head() - behind
        lease = self.leases[-which] if 0 < which <= len(self.leases) else None
        done = self.both(number, lambda journal: journal.append(entries, expected=expected, lease=lease))
        if number and entries and isinstance(done, int):
            assert self.mirror.read_bytes() == self.printed()

    @rule(number=HANDLES, name=st.sampled_from(["alice", "bob"]))
    def acquire(self, number, name):
        def take(journal):
            found[journal] = lease = journal.acquire(name)
            return lease.epoch, lease.holder

        found = {}
        self.both(number, take)
        if found:
            # The two clocks differ; everything compared later goes through the epoch and the holder.
            memory, other = (found[journal] for journal in self.pairs[number])
            self.leases.append(memory)
            assert self.pairs[number][1].holder() == other

    @rule(number=HANDLES, which=st.integers(1, 3))
    def release(self, number, which):
        if which <= len(self.leases):
            memory, other = self.pairs[number]
            lease = self.leases[-which]
            held = other.holder()
            memory.release(lease)
            other.release(held if held is not None and held.epoch == lease.epoch else lease)

    @rule(number=HANDLES)
    def die(self, number):
        for journal in self.pairs[number]:
            journal.close()
        self.pairs[number] = self.opened(number)
        if number:
            assert self.mirror.read_bytes() == self.printed()

    @rule(number=HANDLES, after=st.integers(0, 5), run=st.sampled_from([None, "a", "b", "", "none"]))
    def read(self, number, after, run):
        self.both(number, lambda journal: list(journal.read(after, run)))

    @invariant()
    def they_agree(self):
        for number in range(3):
            self.both(number, lambda journal: journal.head())
            self.both(number, lambda journal: (held := journal.holder()) and (held.epoch, held.holder))
        self.both(0, lambda journal: journal.runs())
        self.both(0, lambda journal: (verdict := journal.verify()).rows and verdict)

    @invariant()
    def the_mirror_is_a_beginning(self):
        mirrored = self.mirror.read_bytes()
        assert self.printed().startswith(mirrored)
        assert mirrored[-1:] in {b"", b"\n"}
        found = hold_against(self.mirror, self.pairs[0][1])
        assert found.rows + found.behind == self.memory.head()

    def teardown(self):
        if self.mirror.read_bytes():
            rebuilt = Path(self.folder.name) / "elsewhere" / "journal.db"
            restored = restore(self.mirror, rebuilt)
            with closing(open_journal(rebuilt, create=False)) as journal:
                assert list(journal.read()) == list(self.memory.read())[: restored.rows]
                assert journal.acquire("next").epoch > max((row.epoch or 0 for row in journal.read()), default=0)
        for pair in self.pairs:
            for journal in pair:
                journal.close()
        self.folder.cleanup()
        self.patch.undo()


Twins.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestTwins = Twins.TestCase


class ServedTwins(Twins):
    """The same with a journal in PostgreSQL, which keeps no NUL in a text of its own."""

    server = None

    def begun(self):
        return self.server.journal()

    def fit(self, entries):
        return [replace(entry, kind=entry.kind.replace("\0", "0")) for entry in entries]

    def teardown(self):
        super().teardown()
        self.server.drop(self.place)


ServedTwins.TestCase.settings = settings(
    max_examples=8, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def served(postgres_server):
    ServedTwins.server = postgres_server


@pytest.mark.service
@pytest.mark.usefixtures("served")
class TestServedTwins(ServedTwins.TestCase):
    """Collected by pytest."""
