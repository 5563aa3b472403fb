"""The run as it is written down: fold before append, one transaction a turn, and what if another was faster."""

from datetime import UTC, datetime

import pytest

from orchestrator.conductor.runlog import Overtaken, RunLog
from orchestrator.journal import Entry, LeaseLost
from orchestrator.journal.memory import MemoryJournal
from orchestrator.model.event import VERSION, Event, Held, Moved, RunBegan, WayBackAsked, to_body
from orchestrator.model.lifecycle import IllegalMove, Phase, Trigger, Way
from orchestrator.model.replay import RowUnreadable

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
