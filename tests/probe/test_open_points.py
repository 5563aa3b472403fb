"""Nothing that is open about the migration gets lost: each point has its question, or a row that says why not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from orchestrator.probe import QUESTIONS
from orchestrator.probe.out_of_reach import OUT_OF_REACH
from orchestrator.probe.questions import CIRCUMSTANCES, EXPERIMENTS, READINGS
from tests.probe.bench import Bench

POINTS: dict[str, list[str]] = yaml.safe_load((Path(__file__).parent / "open_points.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("point", POINTS)
def test_every_open_point_has_its_question(point: str):
    assert POINTS[point]
    assert set(POINTS[point]) <= QUESTIONS.keys()


def test_what_is_out_of_reach_is_an_open_point():
    assert {each.id for each in OUT_OF_REACH} <= {id_ for ids in POINTS.values() for id_ in ids}


def test_no_question_hides_another():
    asked = {question.id for experiment in EXPERIMENTS for question in experiment.questions}
    read = [reading.id for reading in (*READINGS, *CIRCUMSTANCES)]
    unasked = [each.id for each in OUT_OF_REACH]
    assert len(QUESTIONS) == len(asked) + len(read) + len(unasked)


def test_a_person_is_told_what_to_do_instead():
    findings = Bench().ask().findings
    for each in OUT_OF_REACH:
        answer = findings[each.id].answer
        assert answer.value is None
        assert each.why in answer.why
        assert each.instead in answer.why
