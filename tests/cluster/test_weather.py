"""A run over several sites comes to the same end whatever befalls its rings, its hands and who drives."""

from __future__ import annotations

import logging

import pytest
import structlog

from orchestrator.cluster import posting
from orchestrator.cluster.came import UNSERVED
from orchestrator.journal.memory_jobs import MemoryJobs
from orchestrator.model.event import RetryDue
from orchestrator.model.lifecycle import Phase
from orchestrator.model.observation import Outcome, Reply
from tests.cluster.sites import SitesWorld
from tests.world import Crash, Doom

APP02, APP03 = "app02.corp.example", "app03.corp.example"
IDS = ("dmsa-batch", "dmsa-web")
ONCE = ("New-ADServiceAccount", "Start-ADServiceAccountMigration", "Complete-ADServiceAccountMigration")


@pytest.fixture(autouse=True)
def _quiet():
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def finished(world: SitesWorld) -> None:
    world.wake_all()
    assert world.phases() == dict.fromkeys(IDS, Phase.COMPLETED)
    assert {name: len(world.arrived(name)) for name in ONCE} == dict.fromkeys(ONCE, len(IDS))


WRITES = 5
"""How many leave for app02 when nothing goes wrong."""


def test_in_fair_weather_each_write_is_sent_once_and_no_shell_stays_open():
    world = SitesWorld(1, IDS)
    world.run()
    finished(world)
    assert world.open() == {}
    assert world.state().shells == {}
    assert set(world.carried) == {APP02, APP03}
    assert world.carried[APP02] == WRITES


@pytest.mark.parametrize("seed", range(4))
def test_whatever_befalls_rings_and_hands(seed):
    world = SitesWorld(seed, IDS, dies=0.02, freezes=0.02, loses=0.3)
    world.run()
    finished(world)


@pytest.mark.parametrize("seed", range(4))
def test_and_whoever_drives_dies(seed):
    world = SitesWorld(seed, IDS, dies=0.01, freezes=0.01, loses=0.2)
    deaths = 0
    while True:
        try:
            world.run(doom=Doom(at=world.random.randrange(5, 60) if deaths < 4 else 0))
            break
        except Crash:
            deaths += 1
    finished(world)


def test_a_site_that_nobody_serves_waits_in_sight_and_holds_up_no_other():
    """Nothing was sent there, so nothing has failed; after a long time, in a plan of the default a day, a person is
    asked."""
    world = SitesWorld(3, IDS, unserved=("emea",), retry={"attempts": 1})
    world.run()
    assert world.phases()[IDS[1]] is Phase.COMPLETED, "app03 is of site amer"
    waited = [one for one in world.events() if isinstance(one, RetryDue)]
    assert len(waited) > 50
    assert {(one.migration, one.fault.code, one.fault.busy, one.tries) for one in waited} == {
        (IDS[0], UNSERVED, True, 0)
    }
    assert waited[0].fault.message == f"{APP02}: no runner of site emea took the call within 10 s; nothing was sent"
    assert world.carried[APP02] == 0
    assert "(turned away 60 times)" in world.state()[IDS[0]].held.detail


def _give_leave_to_everything(patch):
    patch.setattr(MemoryJobs, "may_leave", lambda _self, _claim: None)


def _call_a_lost_write_failed(patch):
    real = posting.came

    def lenient(call, site, text):
        found = real(call, site, text)
        unknown = isinstance(found.result, Reply) and found.result.outcome is Outcome.UNKNOWN
        return type(found)(Reply(Outcome.FAILED, fault=found.result.fault), True) if unknown else found

    patch.setattr(posting, "came", lenient)


def _give_a_job_to_many(patch):
    def generous(self, run, site, migration, step, runner, most=1):
        for one in self._posted.values():
            one.fence = 0
        return claim(self, run, site, migration, step, runner, most)

    claim = MemoryJobs.claim
    patch.setattr(MemoryJobs, "claim", generous)


@pytest.mark.parametrize("breach", [_give_leave_to_everything, _call_a_lost_write_failed, _give_a_job_to_many])
def test_a_breach_is_found(monkeypatch, breach):
    breach(monkeypatch)
    found = ""
    for seed in range(40):
        world = SitesWorld(seed, IDS[:1], dies=0.03, freezes=0.08, loses=0.3)
        try:
            world.run()
            world.wake_all()
        except AssertionError as broken:
            found = str(broken)
            break
        if world.carried[APP02] > WRITES:
            return
    assert "a write left" in found or "does not know it" in found
