"""For each guard a fault of the estate or of the plan that it, and only it, catches; seen by a whole run.

Nothing here changes for a new guard whose fault is one of the estate: it is a file in ``seeded``.

``original-present`` cannot be seeded: every step that it guards looks for the account itself first and holds as
``original-missing``. ``dwell-minimum`` never holds: what time can satisfy is waited for.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from orchestrator.lab.command import Command, Request
from orchestrator.lab.estate.descriptor import PROTECTION
from orchestrator.model.event import GuardsAsked
from orchestrator.model.lifecycle import Phase
from tests.cases import files
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


def seeded(path: Path) -> Callable[[dict[str, Any]], None]:
    """Return the change of the estate that a file tells: places, as ``users.1.admin_count``, and what stands there."""
    told: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["estate"]

    def change(estate: dict[str, Any]) -> None:
        for place, value in told.items():
            put(*(int(key) if key.isdigit() else key for key in place.split(".")), value=value)(estate)

    return change


AT_PREFLIGHT = {
    **{path.stem: seeded(path) for path in files(Path(__file__).parent / "seeded")},
    "workload-supported": task_on_host,
}
"""A fault of a file, ``seeded/<guard-id>.yaml``, for each guard that one place of the estate suffices for."""


BAD_SUCCESSORS = {
    **{("ou-not-open", why): change for why, change in seeded_descriptors.OPEN.items()},
    **{("ou-not-open", f"handed down: {why}"): change for why, change in seeded_descriptors.HANDED_DOWN.items()},
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
    held_at_preflight(world, guard)
    if guard != "host-reachable":  # a host that is out of reach cannot be asked anything else either
        assert refusing(world) == {guard}


def held_at_preflight(world: World, guard: str) -> None:
    """Let it run, and see that it is held for one guard before anything was written."""
    state = world.run()[ID]
    assert state.held is not None
    assert state.held.reason == f"guard:{guard}"
    assert state.held.release
    assert (state.phase, state.failure) == (Phase.PLANNED, "refused")
    assert not any(world.arrived(name) for name in WRITES)


def cut_off(estate: dict[str, Any]) -> None:
    """Let the second domain controller hear nothing for longer than replication may take."""
    start = estate["clock"]["start"]
    estate["weather"] = [{"kind": "partition", "host": "dc02.corp.example", "at": start, "lasts": "20h"}]


def read_only_dc(**more: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change that adds a read-only domain controller, with which no copy must agree."""

    def change(estate: dict[str, Any]) -> None:
        estate["dcs"].append({"name": "rodc.corp.example", "writable": False, **more})

    return change


def with_a_ticket_required(plan: dict[str, Any]) -> None:
    only_batch(plan)
    plan["policy"]["require_change"] = True


DELEGATED = put("operator", value={"name": "operator", "domain_admin": False})
"""Somebody who may do everything here, and of whom no document says so."""
OF_THE_DOMAIN = [
    ("dc-patched", put("dcs", 0, "ubr", value=4945)),
    ("dc-patched", put("dcs", 1, "ubr", value=1742)),
    ("dc-patched", read_only_dc(ubr=4945)),
    ("replication-healthy", cut_off),
    ("operator-rights", put("operator", "hidden", value=["primaryGroupID"])),
    ("operator-rights", DELEGATED),
    ("recycle-bin", put("domain", "recycle_bin", value=False)),
    ("encryption-aes", put("users", 1, "encryption_types", value=4)),
    ("encryption-aes", put("users", 1, "encryption_types", value=None)),
    ("encryption-aes", put("hosts", 1, "encryption_types", value=7)),
    ("encryption-aes", put("hosts", 1, "encryption_types", value=None)),
    ("dmsa-name-fits", lambda estate: estate["hosts"].append({"name": "dmsa-batch.corp.example"})),
]


@pytest.mark.parametrize(("guard", "change"), OF_THE_DOMAIN)
def test_held_for_what_the_domain_is_like(guard, change):
    world = World(change_plan=only_batch, change_estate=change)
    held_at_preflight(world, guard)
    assert refusing(world) == {guard}


def test_a_pinned_one_that_is_no_global_catalog_leaves_three_questions_open():
    world = World(change_plan=only_batch, change_estate=put("dcs", 0, "global_catalog", value=False))
    held_at_preflight(world, "account-not-shared")
    assert refusing(world) == {"account-not-shared", "dmsa-name-fits"}


def test_held_for_want_of_a_change_ticket():
    world = World(change_plan=with_a_ticket_required)
    held_at_preflight(world, "change-ticket")
    assert refusing(world) == {"change-ticket"}


def healthy(change: Callable[[dict[str, Any]], None]) -> None:
    state = World(change_plan=only_batch, change_estate=change).run(until=Phase.PREPARED)[ID]
    assert (state.phase, state.held) == (Phase.PREPARED, None)


def test_what_no_guard_of_the_domain_minds():
    """Neither an older domain controller, which knows no dMSA, nor replication that comes back in time."""
    healthy(read_only_dc(build=20348, ubr=1))

    def for_a_while(estate: dict[str, Any]) -> None:
        cut_off(estate)
        estate["weather"][0]["lasts"] = "3h"

    healthy(for_a_while)


def test_who_may_do_everything_and_is_no_domain_administrator_needs_somebody_to_answer_for_it():
    waiver = {"guard": "operator-rights", "reason": "tried with a disposable pair", "approved_by": ["ad-lead"]}

    def waived(plan: dict[str, Any]) -> None:
        only_batch(plan)
        plan["waves"][0]["migrations"][0]["waivers"] = [waiver]

    state = World(change_plan=waived, change_estate=DELEGATED).run()[ID]
    assert (state.phase, state.held) == (Phase.COMPLETED, None)


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


def outdate(world: World) -> None:
    """Put a new domain controller in the second one's place that nobody has patched."""
    dc = world.estate.machine("dc02.corp.example")
    dc.spec = dc.spec.model_copy(update={"ubr": 1742})


def stop_replication(world: World) -> None:
    world.estate.directory.cut_off("dc02.corp.example", world.estate.now + timedelta(days=3))


def fast_clock(world: World) -> None:
    """Let the pinned domain controller's clock jump ahead, by less than replication would show: a dwell ends early."""
    dc = world.estate.machine(DC)
    dc.spec = dc.spec.model_copy(update={"clock_ahead": timedelta(hours=9)})


LATER = [
    ("dc-patched", Phase.PREPARED, outdate, "Start"),
    ("replication-healthy", Phase.PREPARED, stop_replication, "Start"),
    ("replication-healthy", Phase.SOAKED, stop_replication, "Complete"),
    ("clock-agrees", Phase.PREPARED, fast_clock, "Start"),
    ("clock-agrees", Phase.SOAKED, fast_clock, "Complete"),
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
    world = World(change_plan=only_batch, sooner=False)
    world.run(until=until)
    happens(world)
    state = world.run()[ID]
    assert state.held is not None
    assert state.held.reason == f"guard:{guard}"
    assert state.phase is until
    assert not world.arrived(f"{verb}-ADServiceAccountMigration")
