"""When the state is written down: after more rows where it is larger, so that neither writing nor reading grows faster
than the run.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from orchestrator.conductor.checkpoints import EVERY, KIND, LARGE, Checkpoints
from orchestrator.journal import Entry
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.program import program
from orchestrator.model.run import RunState
from orchestrator.model.state import Hold, MigrationState

AT = datetime(2026, 3, 2, tzinfo=UTC)


def state_of(migrations: int) -> RunState:
    """Return a run whose text does not get smaller when it is packed."""
    run = RunState("r")
    for number in range(migrations):
        said = "".join(sha256(f"{number} {part}".encode()).hexdigest() for part in range(8))
        run.migrations[f"m{number}"] = MigrationState(id=f"m{number}", held=Hold("operator", said, "release", AT))
    return run


def size(entry: Entry) -> int:
    return len(entry.body["own"]) + len(entry.body["shared"])


def row_of(state: dict[str, object], run: str = "r"):
    """Return a row with this state in it, as it is read from a journal."""
    journal = MemoryJournal()
    journal.append([Entry(run, None, KIND, 1, state)], expected=0, lease=journal.acquire("x"))
    return next(iter(journal.read()))


def test_a_small_state_is_written_after_so_many_rows_and_not_before():
    checkpoints = Checkpoints("r")
    assert size(checkpoints.entry(state_of(10))) < LARGE
    checkpoints.count("r", EVERY - 1)
    assert not checkpoints.due
    checkpoints.count("r")
    assert checkpoints.due
    checkpoints.written("r")
    assert not checkpoints.due


@pytest.mark.parametrize("migrations", [2_000, 4_000])
def test_a_large_one_is_written_after_more_rows_in_proportion_to_its_size(migrations: int):
    checkpoints = Checkpoints("r")
    found = size(checkpoints.entry(state_of(migrations)))
    assert found > LARGE
    assert checkpoints.limit == EVERY * found // LARGE
    checkpoints.count("r", checkpoints.limit - 1)
    assert not checkpoints.due
    checkpoints.count("r")
    assert checkpoints.due


def test_however_far_a_run_grows_states_take_a_bounded_share_of_its_journal():
    """Driven with a hundred rows for each migration: of twice the run they take twice as much, not four times."""
    taken = {}
    for migrations in (1_000, 2_000, 4_000):
        checkpoints, whole, sizes = Checkpoints("r"), state_of(migrations), 0
        growing = RunState("r")
        for id_, state in whole.migrations.items():
            growing.migrations[id_] = replace(state)
            checkpoints.count("r", 100)
            if checkpoints.due:
                sizes += size(checkpoints.entry(growing))
                checkpoints.written("r")
        taken[migrations] = sizes / (100 * migrations)
    bound = 1.1 * LARGE / EVERY
    assert all(each < bound for each in taken.values()), taken


def test_whoever_takes_over_knows_from_the_journal_how_large_it_is():
    first = Checkpoints("r")
    row = row_of(first.entry(state_of(3_000)).body)
    second = Checkpoints("r")
    second.saw(row)
    assert second.limit == first.limit > EVERY
    assert not second.due


def test_of_another_run_s_state_only_what_all_runs_share_counts():
    shared, own = "x" * LARGE, "y" * 9 * LARGE
    checkpoints = Checkpoints("r")
    checkpoints.saw(row_of({"form": program(), "own": own, "shared": 3 * shared}, run="other"))
    assert checkpoints.limit == 3 * EVERY
    checkpoints.saw(row_of({"form": program(), "own": shared, "shared": shared}))
    assert checkpoints.limit == 2 * EVERY


def test_a_state_of_other_rules_is_none_but_tells_how_large_the_next_will_be():
    checkpoints = Checkpoints("r")
    checkpoints.count("r", 3 * EVERY)
    checkpoints.saw(row_of({"form": "another", "own": "x" * 2 * LARGE, "shared": ""}))
    assert checkpoints.limit == 2 * EVERY
    assert checkpoints.due
    checkpoints.saw(row_of({"content": "as a later version may write it"}))
    assert checkpoints.limit == 2 * EVERY
