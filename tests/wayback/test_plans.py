"""Random plans, disturbed and taken back: nothing is unequal, nothing is violated, all of it ends or is held."""

from __future__ import annotations

import pytest

from tests.wayback.plans import PINNED, rehearsed
from tests.wayback.runs import of_plans

SEEDS, CHUNK = 20, 5
"""As many as are played with the ordinary tests; ``python -m tests.wayback --plans`` plays as many as one likes."""


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_random_plans(first):
    came = of_plans(range(first, first + CHUNK))
    assert not [f"{one.replay}: {one.wrong}" for one in came if one.wrong]


@pytest.mark.parametrize("seed", PINNED)
def test_what_a_plan_once_found_stays_mended(seed):
    (came,) = of_plans([seed])
    assert not came.wrong, PINNED[seed]


def test_plans_are_of_every_kind():
    drawn = [rehearsed(seed) for seed in range(1, 201)]
    migrations = [list(one.plan.migrations()) for one in drawn]
    assert {len(one) for one in migrations} == {1, 2, 3, 4}
    assert {len(one.plan.waves) for one in drawn} == {1, 2, 3}
    assert {len(one.spec.dcs) for one in drawn} == {1, 2}
    assert {len({host.name for one in plan for host in one.hosts}) for plan in migrations} == {1, 2, 3, 4}
    assert {host.discovers for plan in migrations for one in plan for host in one.hosts} == {False, True}
    assert {host.kerberos for one in drawn for host in one.spec.hosts} == {"no-key", "absent", 0, 1}
    hosts = [host for one in drawn for host in one.spec.hosts]
    services = [service for host in hosts for service in host.services]
    assert {(one.state, one.start_mode) for one in services} >= {("Stopped", "Disabled"), ("Stopped", "Manual")}
    assert any(one.depends_on for one in services)
    assert any(host.tasks for host in hosts)
    assert {pool.state for host in hosts for pool in host.app_pools} == {"Started", "Stopped"}


def test_one_seed_is_one_plan():
    assert (rehearsed(5).digest, rehearsed(5).spec) == (rehearsed(5).digest, rehearsed(5).spec)
    assert len({rehearsed(seed).digest for seed in range(1, 51)}) == 50
