"""Hosts that were lost from a dMSA's principals come back when their tickets are renewed."""

from datetime import timedelta

from orchestrator.model.lifecycle import Phase
from tests.world import World


def members(world: World, dc: str) -> set[str]:
    shown = world.estate.describe()["directory"][dc]
    dmsa = next(entry for dn, entry in shown.items() if dn.startswith("CN=dmsa-www,"))
    return set(dmsa.get("msDS-GroupMSAMembership", []))


def test_two_sites_write_at_once_and_a_renewal_heals():
    """The later write of the whole attribute wins everywhere: what the other site wrote is lost until renewal."""
    world = World("plans/web-farm.yaml", "plans/estates/web-farm.yaml")
    world.run(until=Phase.REGISTERED)
    world.run(until=Phase.RESTARTED)
    assert world.state()["dmsa-www"].phase is Phase.RESTARTED
    lost = [event for event in world.events() if event.kind == "ledger-read" and len(event.principals) < 4]
    assert lost, "the estate is made so that one site's hosts are lost first"
    world.estate.advance(timedelta(hours=1))
    assert len(members(world, "dc01.corp.example")) == 4
    assert members(world, "dc01.corp.example") == members(world, "dc02.corp.example")
