"""The table of admission, row by row: the plain function, and the waves that are kept from turn to turn."""

from collections import Counter

import pytest

from orchestrator.engine.standing import Standing
from orchestrator.engine.waves import Admission, admissible, is_met
from orchestrator.model.lifecycle import Phase
from tests.engine.admission import Row, groups, said

GROUPS = list(groups())
ROWS = [row for _, rows in GROUPS for row in rows]


def standing(waves: dict[str, Standing], row: Row) -> dict[str, Admission]:
    """Return the answers of waves that are kept, in a turn in which anything may have changed."""
    answers: dict[str, Admission] = {}
    for wave in row.plan.waves:
        waves[wave.name].take_in(row.run, waves[wave.name].places)
    for wave in row.plan.waves:
        unmet = [name for name in row.plan.needs_of(wave) if not waves[name].met]
        waves[wave.name].ask(unmet, row.at, row.run)
        answers |= {id_: waves[wave.name].answers[id_] for id_ in waves[wave.name].places}
        assert waves[wave.name].met == is_met(row.run, wave)
    return answers


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_each_row(row: Row):
    answers = admissible(row.run, row.plan, row.at, row.chosen)
    assert {id_: said(answer) for id_, answer in answers.items()} == row.says
    assert standing({wave.name: Standing(row.plan, wave, row.chosen) for wave in row.plan.waves}, row) == answers


@pytest.mark.parametrize("rows", [rows for _, rows in GROUPS], ids=[name for name, _ in GROUPS])
def test_from_row_to_row_the_answers_are_the_same(rows: list[Row]):
    if len({str(row.chosen) for row in rows}) > 1:
        rows = [row for row in rows if row.chosen is None]
    waves = {wave.name: Standing(rows[0].plan, wave, rows[0].chosen) for wave in rows[0].plan.waves}
    for row in rows:
        answers = standing(waves, row)
        assert {id_: said(answer) for id_, answer in answers.items()} == row.says, row.name


def test_the_table_is_large_and_speaks_of_everything():
    assert len(ROWS) >= 250
    phases = Counter(state.phase for row in ROWS for state in row.run.migrations.values())
    assert set(phases) == set(Phase)
    first = Counter(" ".join(text.split(":")[0].split()[:2]) for row in ROWS for text in row.says.values())
    wanted = {"wait window", "wait blackout", "wait needs", "wait at-once", "still", "spent", "back"}
    assert wanted | {f"go {step}" for step in ("prepare", "start!", "link", "soak", "complete!", "confirm")} <= set(
        first
    )
    zones = {half.zone for row in ROWS for wave in row.plan.waves for half in (wave.window,) if half is not None}
    assert {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"} <= zones


def test_every_reason_is_a_sentence_for_a_person():
    for row in ROWS:
        for text in row.says.values():
            kind, _, reason = text.partition(": ")
            if kind.startswith("wait"):
                assert 10 < len(reason) < 300, text
                assert not {"None", "timedelta", "Phase.", "{", "datetime"} & set(reason.split()), text
