"""For each guard a fault of the estate or of the plan that it, and only it, catches; seen by a whole run.

``original-present`` cannot be seeded: every step that it guards looks for the account itself first and holds as
``original-missing``. ``dwell-minimum`` never holds: what time can satisfy is waited for.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from orchestrator.guards import all_guards
from orchestrator.lab.command import Command, Request
from orchestrator.lab.estate.descriptor import PROTECTION
from orchestrator.model.event import GuardsAsked
from orchestrator.model.lifecycle import Phase
from tests.guards import seeded_descriptors
from tests.world import DC, World

ID = "dmsa-batch"
DMSA = "CN=dmsa-batch,OU=Managed,DC=corp,DC=example"
ACCOUNT = "CN=svc-batch,OU=Service Accounts,DC=corp,DC=example"
WRITES = ("New-ADServiceAccount", "Set-ADObject", "Start-ADServiceAccountMigration", "New-ItemProperty")


def only_batch(plan: dict[str, Any]) -> None:
    pilot = plan["waves"][0]
    pilot["migrations"] = [one for one in pilot["migrations"] if one["dmsa"]["name"] == ID]
    plan["waves"] = [pilot]


def with_a_task(plan: dict[str, Any]) -> None:
    only_batch(plan)
    plan["waves"][0]["migrations"][0]["hosts"][0]["tasks"] = ["\\Batch\\Nightly"]


def task_on_host(estate: dict[str, Any]) -> None:
    estate["hosts"][1]["tasks"] = [{"path": "\\Batch\\Nightly", "log_on": "CORP\\svc-batch", "daily": "02:00"}]


def put(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change of one place in the estate file."""

    def change(estate: dict[str, Any]) -> None:
        place = estate
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


AT_PREFLIGHT = {
    "dc-writable-2025": put("dcs", 0, "build", value=20348),
    "schema-version": put("domain", "schema_version", value=88),
    "kds-root-key": put("domain", "kds_root_key_age", value="1h"),
    "account-is-user": put("users", 1, "kind", value="inetOrgPerson"),
    "account-not-privileged": put("users", 1, "admin_count", value=1),
    "account-not-linked": put("dmsas", value=[{"dn": "CN=evil,OU=Managed,DC=corp,DC=example", "supersedes": ACCOUNT}]),
    "dmsa-absent-or-fresh": put("dmsas", value=[{"dn": DMSA, "state": 3}]),
    "run-is-ours": put("dmsas", value=[{"dn": DMSA, "description": "dmsa run another"}]),
    "host-reachable": put("hosts", 1, "listening", value=False),
    "host-capable": put("hosts", 1, "build", value=20348),
    "workload-supported": task_on_host,
}


BAD_SUCCESSORS = {
    **{("ou-not-open", why): change for why, change in seeded_descriptors.OPEN.items()},
    **{("link-attributes-guarded", why): change for why, change in seeded_descriptors.WRITABLE.items()},
}
"""What BadSuccessor needs or leaves: many ways, each caught by the one guard."""


def refusing(world: World) -> set[str]:
    """Which guards did not pass when they were asked last."""
    asked = [event for event in world.events() if isinstance(event, GuardsAsked)][-1]
    return {answer.guard for answer in asked.answers if answer.verdict != "pass"}


@pytest.mark.parametrize("guard", AT_PREFLIGHT)
def test_held_before_anything_is_written(guard):
    plan = with_a_task if guard == "workload-supported" else only_batch
    world = World(change_plan=plan, change_estate=AT_PREFLIGHT[guard])
    state = world.run()[ID]
    assert state.held is not None
    assert state.held.reason == f"guard:{guard}"
    assert state.held.release
    assert (state.phase, state.failure) == (Phase.PLANNED, "refused")
    if guard != "host-reachable":  # a host that is out of reach cannot be asked anything else either
        assert refusing(world) == {guard}
    assert not any(world.arrived(name) for name in WRITES)


def half_linked(estate: dict[str, Any]) -> None:
    evil = {"dn": "CN=evil,OU=Managed,DC=corp,DC=example", "state": 2, "supersedes": ACCOUNT, "linked_by": "dmsa"}
    estate["dmsas"] = [evil]


def half_linked_by_the_account(estate: dict[str, Any]) -> None:
    half_linked(estate)
    estate["dmsas"][0]["linked_by"] = "account"


BAD_SUCCESSORS["account-not-linked", "half a link of a dMSA"] = half_linked
BAD_SUCCESSORS["account-not-linked", "half a link of the account"] = half_linked_by_the_account


@pytest.mark.parametrize(("guard", "why"), BAD_SUCCESSORS)
def test_held_where_somebody_outside_tier_0_is_let_in(guard, why):
    world = World(change_plan=only_batch, change_estate=BAD_SUCCESSORS[guard, why])
    state = world.run()[ID]
    assert state.held is not None
    assert state.held.reason == f"guard:{guard}"
    assert refusing(world) == {guard}
    assert not any(world.arrived(name) for name in WRITES)


@pytest.mark.parametrize("why", seeded_descriptors.HARMLESS)
def test_not_held_where_nobody_is_let_in(why):
    world = World(change_plan=only_batch, change_estate=seeded_descriptors.HARMLESS[why])
    assert world.run(until=Phase.PREPARED)[ID].phase is Phase.PREPARED


def somebody(world: World, name: str, **parameters: object) -> None:
    """Let somebody else change the directory."""
    request = Request(DC, UUID(int=9), UUID(int=9), world.principal, ((Command(name, {**parameters, "Server": DC}),),))
    result = world.estate.execute(request)
    assert result.failure is None, result.failure


def unprotect(world: World) -> None:
    directory = world.estate.directory  # the lab's cmdlet can only protect
    account = directory.replicas[DC].account("svc-batch")
    bare = directory.descriptor(account).without(PROTECTION)
    directory.write(DC, account.guid, {"nTSecurityDescriptor": bare})


def remove_host(world: World) -> None:
    somebody(world, "Set-ADServiceAccount", Identity=DMSA, PrincipalsAllowedToRetrieveManagedPassword=[])


def add_host(world: World) -> None:
    names = ["CN=APP02,CN=Computers,DC=corp,DC=example", "CN=DB01,CN=Computers,DC=corp,DC=example"]
    somebody(world, "Set-ADServiceAccount", Identity=DMSA, PrincipalsAllowedToRetrieveManagedPassword=names)


def undo(world: World) -> None:
    somebody(world, "Undo-ADServiceAccountMigration", Identity=DMSA, SupersededAccount=ACCOUNT)


def set_back(world: World) -> None:
    """Do what a group policy does that knows another value."""
    world.estate.machine("app02.corp.example").kerberos = 0


LATER = [
    ("original-protected", Phase.PREPARED, unprotect, "Start"),
    ("original-protected", Phase.SOAKED, unprotect, "Complete"),
    ("hosts-allowed", Phase.SOAKED, remove_host, "Complete"),
    ("no-unknown-host", Phase.SOAKED, add_host, "Complete"),
    ("ledger-flat", Phase.RESTARTED, remove_host, "Complete"),
    ("pair-matches", Phase.SOAKED, undo, "Complete"),
    ("host-registry-effective", Phase.SOAKED, set_back, "Complete"),
]


@pytest.mark.parametrize(("guard", "until", "happens", "verb"), LATER)
def test_held_before_what_somebody_else_did_does_harm(guard, until, happens, verb):
    world = World(change_plan=only_batch)
    world.run(until=until)
    happens(world)
    state = world.run()[ID]
    assert state.held is not None
    assert state.held.reason == f"guard:{guard}"
    assert state.phase is until
    assert not world.arrived(f"{verb}-ADServiceAccountMigration")


def test_every_guard_is_seeded_here():
    seeded = {*AT_PREFLIGHT, *(guard for guard, _ in BAD_SUCCESSORS), *(row[0] for row in LATER)}
    assert {guard.id for guard in all_guards()} - seeded == {"original-present", "dwell-minimum"}
