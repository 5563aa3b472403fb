"""A run over several sites comes to the same end whatever befalls its rings, its hands and who drives."""

from __future__ import annotations

import pytest

from orchestrator.model.lifecycle import Phase
from tests.cluster.sites import SitesWorld
from tests.world import Crash, Doom

IDS = ("dmsa-batch", "dmsa-web")
ONCE = ("New-ADServiceAccount", "Start-ADServiceAccountMigration", "Complete-ADServiceAccountMigration")


def finished(world: SitesWorld) -> None:
    world.wake_all()
    assert world.phases() == dict.fromkeys(IDS, Phase.COMPLETED)
    assert {name: len(world.arrived(name)) for name in ONCE} == dict.fromkeys(ONCE, len(IDS))


def test_in_fair_weather_each_write_is_sent_once_and_no_shell_stays_open():
    world = SitesWorld(1, IDS)
    world.run()
    finished(world)
    assert world.open() == {}
    assert world.state().shells == {}
    assert set(world.carried) == {"app02.corp.example", "app03.corp.example"}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_befalls_rings_and_hands(seed):
    world = SitesWorld(seed, IDS, dies=0.02, freezes=0.02, loses=0.3)
    world.run()
    finished(world)


@pytest.mark.parametrize("seed", range(6))
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
