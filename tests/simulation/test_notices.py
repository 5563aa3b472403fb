"""Histories in which people are told: whatever goes wrong, each thing is told once, truly, and nothing is left out."""

import logging
from dataclasses import replace

import pytest
import structlog

from orchestrator.conductor.noticing import Noticing
from orchestrator.model.event import AttemptStarted
from orchestrator.model.noticed import NoticeRaised, NoticeSent
from orchestrator.model.notices import Notices
from orchestrator.model.plan import Notify
from orchestrator.planfile import digest, load_plan
from orchestrator.rehearsal.disturbance import draw
from orchestrator.rehearsal.play import play
from orchestrator.rehearsal.stage import staged
from tests.simulation.seeds import RESET, ROOT, SMALL, rehearsed

SEEDS, CHUNK = 20, 5


def telling(name):
    """Return a plan of the simulation with two receivers."""
    loaded = load_plan(ROOT / name)
    notify = (Notify(webhook="${env:ALL}"), Notify(webhook="https://soc.example/x", on=("held", "rolled-back")))
    plan = loaded.plan.model_copy(update={"notify": notify})
    return staged(replace(loaded, plan=plan, digest=digest(plan)))


@pytest.fixture(scope="module")
def small():
    return telling(SMALL)


@pytest.fixture(scope="module")
def reset():
    return telling(RESET)


@pytest.fixture(autouse=True)
def _quiet():
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def played(on, seed):
    return play(on, seed, draw(on.plan, on.spec, seed))


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_seeds(small, reset, first):
    for seed in range(first, first + CHUNK):
        came = played(reset if seed % 3 == 0 else small, seed)
        assert not came.violations, (seed, [str(one) for one in came.violations])
        events = came.world.events()
        raised = [one for one in events if isinstance(one, NoticeRaised)]
        arrived = [(name, notice.id) for name, notice in came.world.arrived_notices]
        sent = [(one.receiver, one.notice) for one in events if isinstance(one, NoticeSent)]
        assert len(sent) == len(set(sent)), seed
        assert set(sent) <= set(arrived), seed
        assert {notice.raised.number for name, notice in came.world.arrived_notices if name == "env:ALL"} == {
            one.number for one in raised
        }, seed
        unsent = [one.id for receiver in came.state.notices.receivers.values() for one in receiver.unsent]
        assert not unsent, seed


def test_telling_people_changes_nothing_of_what_is_done(small):
    """In fair weather the same writes leave in the same order, told or not."""
    told, untold = (
        [(one.cmdlet, one.subject) for one in play(on, 1).world.events() if isinstance(one, AttemptStarted)]
        for on in (small, rehearsed(SMALL))
    )
    assert told == untold


def _tells_twice(patch):
    raise_ = Notices._raised

    def forgetful(self, notice):
        raise_(self, notice)
        self.told.clear()

    patch.setattr(Notices, "_raised", forgetful)


def _tells_nobody(patch):
    patch.setattr(Noticing, "tell", lambda *_given, **_more: None)


def _tells_the_next_hold_no_more(patch):
    patch.setattr(Notices, "changed", lambda *_given: None)


@pytest.mark.parametrize(
    ("breach", "rules"),
    [
        (_tells_twice, {"told-once"}),
        (_tells_nobody, {"holds-are-told"}),
        (_tells_the_next_hold_no_more, {"holds-are-told"}),
    ],
)
def test_a_breach_is_found(monkeypatch, small, breach, rules):
    breach(monkeypatch)
    found = set()
    for seed in range(1, 60):
        found |= {one.rule for one in played(small, seed).violations}
        if found:
            break
    assert found
    assert found <= rules
