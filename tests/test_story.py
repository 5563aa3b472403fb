"""The story that browser tests and pictures tell: the same each time, and with everything in it that it promises."""

from __future__ import annotations

from orchestrator.model.replay import fold_in
from orchestrator.model.run import RunState
from tests import story


def test_it_is_the_same_each_time():
    assert story.rows.__wrapped__() == story.rows()


def test_what_must_be_told_apart_is_in_it():
    state, found = RunState(story.PLAN), []
    for number, row in enumerate(story.rows(), start=1):
        fold_in(state, row)
        if number == story.middle():
            found = [
                (one.phase.value, one.held.reason if one.held else None, one.failure)
                for one in state.migrations.values()
            ]
    assert set(found) == {
        ("completed", None, None),
        ("restarted", None, None),
        ("registered", "fault", "failed"),
        ("restarted", "operator", None),
    }
    ends = {one.phase.value for one in state.migrations.values()}
    assert ends == {"completed", "rolled_back"}
