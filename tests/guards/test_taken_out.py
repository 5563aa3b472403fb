"""Each guard taken out: what it prevents begins, or a step that is a first line holds the migration all the same."""

import pytest

from orchestrator import guards
from orchestrator.guards import all_guards
from orchestrator.model.lifecycle import Phase
from tests.guards.test_seeded import (
    AT_PREFLIGHT,
    BAD_SUCCESSORS,
    ID,
    LATER,
    OF_THE_DOMAIN,
    WRITES,
    only_batch,
    put,
    with_a_task,
)
from tests.guards.test_seeded_accounts import LATER_OF_ACCOUNT_AND_HOSTS, OF_ACCOUNT_AND_HOSTS
from tests.world import World

HELD_ALL_THE_SAME = {
    "host-reachable": "what cannot be read is a fault before it is a question",
    "ledger-flat": "soaking looks at the ledger itself",
    "pair-matches": "each step looks at the pair itself",
}
"""Guards that are a second line: where one is taken out, a step holds the migration, with fewer words."""

AT_THE_BEGINNING = [
    *AT_PREFLIGHT.items(),
    *OF_THE_DOMAIN,
    *((seed.partition(":")[0], change) for seed, change in OF_ACCOUNT_AND_HOSTS.items()),
    *((guard, change) for (guard, _), change in BAD_SUCCESSORS.items()),
]


@pytest.mark.parametrize(("guard", "change"), AT_THE_BEGINNING)
def test_where_the_guard_is_taken_out_what_it_prevents_begins(monkeypatch, guard, change):
    left = tuple(one for one in all_guards() if one.id != guard)
    monkeypatch.setattr(guards, "all_guards", lambda: left)
    plan = with_a_task if guard == "workload-supported" else only_batch
    world = World(change_plan=plan, change_estate=change)
    held = world.run(until=Phase.PREPARED)[ID].held
    assert any(world.arrived(name) for name in WRITES) or (guard in HELD_ALL_THE_SAME and held)


@pytest.mark.parametrize(("guard", "until", "happens", "verb"), [*LATER, *LATER_OF_ACCOUNT_AND_HOSTS])
def test_where_the_guard_is_taken_out_start_or_complete_is_sent(monkeypatch, guard, until, happens, verb):
    left = tuple(one for one in all_guards() if one.id != guard)
    world = World(change_plan=only_batch, change_estate=put("users", 1, "spns", value=["HTTP/batch"]))
    world.run(until=until)
    happens(world)
    monkeypatch.setattr(guards, "all_guards", lambda: left)
    held = world.run()[ID].held
    assert world.arrived(f"{verb}-ADServiceAccountMigration") or (guard in HELD_ALL_THE_SAME and held)


def test_every_guard_is_seeded_here():
    seeded = {*AT_PREFLIGHT, *(row[0] for row in (*LATER, *OF_THE_DOMAIN)), "change-ticket"}
    seeded |= {*(seed.partition(":")[0] for seed in OF_ACCOUNT_AND_HOSTS), "account-not-shared"}
    seeded |= {row[0] for row in LATER_OF_ACCOUNT_AND_HOSTS} | {guard for guard, _ in BAD_SUCCESSORS}
    seeded.add("no-other-use")  # tests/guards/test_other_use.py
    assert {guard.id for guard in all_guards()} - seeded == {"original-present", "dwell-minimum"}
