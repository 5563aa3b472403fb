"""The run as it is written down: fold before append, one transaction a turn, and what if another was faster."""

from datetime import UTC, datetime

import pytest

from orchestrator.cli.recalled import recalled
from orchestrator.conductor.checkpoints import KIND
from orchestrator.conductor.runlog import Overtaken, RunLog
from orchestrator.journal import Entry, LeaseLost
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.program import program
from orchestrator.model.driven import RunBegan
from orchestrator.model.event import VERSION, Event, Held, Moved, WaitBegan, WayBackAsked, to_body
from orchestrator.model.folded import StateFolded
from orchestrator.model.lifecycle import IllegalMove, Phase, Trigger, Way
from orchestrator.model.replay import RowUnreadable, fold_in
from orchestrator.model.run import RunState
from orchestrator.model.sheet import packed

AT = datetime(2026, 3, 2, tzinfo=UTC)
BEGAN = RunBegan(digest="d", plan={}, by="x", tool="t")
PREPARED = Moved(migration="a", trigger=Trigger.PREPARE, source=Phase.PLANNED, dest=Phase.PREPARED)
HELD = Held(migration="a", reason="operator", detail="wait", release="`dmsa release`", by="y")


class Desk:
    """A journal, a log on it, and what its notice was told."""

    def __init__(self) -> None:
        self.store = MemoryJournal()
        self.journal = self.store.another()
        self.lease = self.journal.acquire("x")
        self.told: list[str] = []
        self.log = RunLog("r", self.journal, self.lease, lambda: AT, self._notice)

    def _notice(self, event: Event, at: datetime | None) -> None:
        assert at == AT
        self.told.append(event.kind)

    def somebody_says(self, event: Event, run: str = "r") -> None:
        entry = Entry(run, AT, event.kind, VERSION, to_body(event))
        self.store.append([entry], expected=self.store.head(), lease=None)

    def kinds(self) -> list[str]:
        return [row.kind for row in self.store.read()]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_folded_at_once_durable_with_the_commit(desk):
    desk.log.write(BEGAN, PREPARED)
    assert desk.log.state["a"].phase is Phase.PREPARED
    assert desk.kinds() == desk.told == []
    desk.log.commit()
    assert desk.kinds() == desk.told == ["run-began", "moved"]


def test_nothing_to_write_writes_nothing(desk):
    desk.log.commit()
    assert desk.store.head() == 0


def test_an_illegal_event_reaches_neither_state_nor_journal(desk):
    with pytest.raises(IllegalMove):
        desk.log.write(WayBackAsked(migration="a", way=Way.UNDO, by="x"))
    desk.log.commit()
    assert desk.store.head() == 0
    assert desk.log.state["a"].intention == "forward"


def test_who_was_overtaken_forgets_what_was_decided_on_less(desk):
    desk.log.write(BEGAN)
    desk.log.commit()
    desk.somebody_says(HELD)
    desk.log.write(PREPARED)
    with pytest.raises(Overtaken):
        desk.log.commit()
    assert desk.kinds() == ["run-began", "held"]
    assert desk.log.state["a"].phase is Phase.PLANNED
    assert desk.log.state["a"].held is not None
    desk.log.write(PREPARED)
    desk.log.commit()
    assert desk.kinds() == ["run-began", "held", "moved"]
    assert desk.told == ["run-began", "held", "moved"], "each once, however often the run was replayed"


def test_what_somebody_said_is_heard(desk):
    assert not desk.log.hear()
    desk.somebody_says(HELD)
    assert desk.log.spoken_to()
    assert desk.log.hear()
    assert desk.log.state["a"].held is not None
    assert not desk.log.spoken_to()
    assert desk.told == ["held"]


def test_another_run_s_rows_are_none_of_ours_but_count_for_the_order(desk):
    desk.somebody_says(HELD, run="other")
    assert desk.log.hear()
    assert desk.log.state["a"].held is None
    assert desk.told == []
    desk.log.write(BEGAN)
    desk.log.commit()
    assert desk.kinds() == ["held", "run-began"]


def test_without_the_lease_nothing_is_written(desk):
    desk.journal.close()
    desk.store.another().acquire("z")
    desk.log.write(BEGAN)
    with pytest.raises(LeaseLost):
        desk.log.commit()
    assert desk.store.head() == 0
    desk.log.commit()
    assert desk.store.head() == 0, "what could not be written then is not written later"


def test_history_is_in_the_state_and_is_not_told_again(desk):
    desk.log.write(BEGAN, PREPARED)
    desk.log.commit()
    again: list[str] = []
    log = RunLog("r", desk.journal, desk.lease, lambda: AT, lambda event, _at: again.append(event.kind))
    assert log.state["a"].phase is Phase.PREPARED
    assert again == []


def test_a_word_of_a_newer_version_ends_the_run_in_words_and_writes_nothing(desk):
    desk.log.write(BEGAN)
    desk.log.commit()
    desk.store.append([Entry("r", AT, "approved", VERSION + 1, {"by": "z"})], expected=1, lease=None)
    desk.log.write(PREPARED)
    for _ in range(2):
        with pytest.raises(RowUnreadable, match=r"row 2 of the journal \(approved, version \d+\)"):
            desk.log.commit()
        with pytest.raises(RowUnreadable):
            desk.log.hear()
        desk.log.write(PREPARED)
    assert desk.kinds() == ["run-began", "approved"]
    with pytest.raises(RowUnreadable):
        RunLog("r", desk.journal, desk.lease, lambda: AT, desk._notice)


def test_a_newer_version_s_words_about_another_run_are_none_of_ours(desk):
    desk.store.append([Entry("other", AT, "approved", VERSION + 1, {"by": "z"})], expected=0, lease=None)
    assert desk.log.hear()
    desk.log.write(BEGAN)
    desk.log.commit()
    assert desk.kinds() == ["approved", "run-began"]


# Written down, how the run stands.


def desk_of(every: int) -> Desk:
    desk = Desk()
    desk.log = RunLog("r", desk.journal, desk.lease, lambda: AT, desk._notice, every)
    return desk


def say(desk: Desk, *events: Event) -> None:
    desk.log.write(*events)
    desk.log.commit()


def waits(number: int) -> WaitBegan:
    return WaitBegan(migration="a", subject=f"h{number}", waiting_for="retry")


def test_the_state_is_written_down_after_so_many_rows_once_nothing_waits_for_it():
    desk = desk_of(4)
    say(desk, BEGAN, PREPARED, waits(1))
    assert not desk.log.hear()
    say(desk, waits(2))
    assert desk.kinds()[-1] == "wait-began", "not while calls wait for what was just written"
    assert not desk.log.hear()
    assert desk.kinds()[-2:] == ["wait-began", KIND]
    assert not desk.log.hear()
    say(desk, waits(3), waits(4), waits(5))
    assert not desk.log.hear()
    assert desk.kinds().count(KIND) == 1
    say(desk, waits(6))
    assert not desk.log.hear()
    assert desk.kinds().count(KIND) == 2
    assert KIND not in desk.told
    assert recalled(desk.store, "r")[0] == desk.log.state
    last = desk.store.latest(KIND)
    assert (last.epoch, last.at, last.run) == (desk.lease.epoch, None, "r")


def test_what_is_pending_is_never_in_it():
    desk = desk_of(1)
    say(desk, BEGAN)
    desk.log.write(PREPARED)
    assert not desk.log.hear()
    assert desk.kinds() == ["run-began"]
    desk.log.commit()
    assert not desk.log.hear()
    assert desk.kinds() == ["run-began", "moved", KIND]


def test_who_is_faster_is_heard_first_and_the_state_is_written_down_later():
    """An operator's word comes between what was read and what is written down: it is refused, and nothing is lost."""

    class Interrupted(MemoryJournal):
        def append(self, entries, *, expected, lease):
            if lease is not None and entries[0].kind == KIND and words:
                handle = self.another()
                handle.append([words.pop()], expected=handle.head(), lease=None)
            return super().append(entries, expected=expected, lease=lease)

    words = [Entry("r", AT, HELD.kind, VERSION, to_body(HELD))]
    journal = Interrupted()
    log = RunLog("r", journal, journal.acquire("x"), lambda: AT, lambda *_: None, 2)
    log.write(BEGAN, PREPARED)
    log.commit()
    assert not log.hear()
    assert [row.kind for row in journal.read()] == ["run-began", "moved", "held"]
    assert log.hear()
    assert log.state["a"].held is not None
    assert not log.hear()
    assert [row.kind for row in journal.read()] == ["run-began", "moved", "held", KIND]
    assert recalled(journal, "r")[0] == log.state


def test_an_old_journal_gets_its_state_from_the_next_runner():
    desk = Desk()
    say(desk, BEGAN, PREPARED, *map(waits, range(9)))
    assert not desk.log.hear()
    assert KIND not in desk.kinds()
    log = RunLog("r", desk.journal, desk.lease, lambda: AT, desk._notice, 5)
    assert not log.hear()
    assert desk.kinds()[-1] == KIND
    RunLog("r", desk.journal, desk.lease, lambda: AT, desk._notice, 5).hear()
    assert desk.kinds().count(KIND) == 1, "and not again, for nothing has come since"


def test_rows_of_other_runs_count_for_they_are_to_be_read_too():
    desk = desk_of(5)
    for _ in range(5):
        desk.somebody_says(HELD, run="other")
    assert desk.log.hear()
    assert not desk.log.hear()
    assert desk.kinds()[-1] == KIND


def test_a_runner_folds_every_row_and_goes_by_no_state_that_was_written_down():
    desk = desk_of(2)
    say(desk, BEGAN, PREPARED)
    forged = StateFolded(form=program(), own=packed(b"drills\t\t7\n"), shared=packed(b""))
    desk.store.append([Entry("r", None, KIND, VERSION, to_body(forged))], expected=2, lease=None)
    log = RunLog("r", desk.journal, desk.lease, lambda: AT, desk._notice)
    assert (log.state.drills, log.state["a"].phase) == (0, Phase.PREPARED)


@pytest.mark.parametrize("every", [1, 2, 3, 1000])
def test_who_was_overtaken_late_knows_everything_and_reads_only_what_is_new(every):
    """A copy in memory stands in for the first rows."""
    desk = desk_of(every)
    reads: list[int] = []

    class Watched(MemoryJournal):
        def read(self, after=0, run=None):
            reads.append(after)
            return super().read(after, run)

    desk.journal.__class__ = Watched
    say(desk, BEGAN, PREPARED)
    for number in range(6):
        say(desk, waits(number))
        desk.log.hear()
    desk.log.write(waits(99))
    desk.somebody_says(HELD)
    reads.clear()
    with pytest.raises(Overtaken):
        desk.log.commit()
    wanted = RunState("r")
    for row in desk.store.read():
        fold_in(wanted, row)
    assert desk.log.state == wanted
    assert desk.log.state["a"].waits.keys() == {f"h{number}" for number in range(6)}
    (after,) = reads
    assert after >= desk.store.head() - 2 * every - 2
    say(desk, waits(99))
    fold_in(wanted, desk.store.latest("wait-began"))
    assert desk.log.state == wanted
