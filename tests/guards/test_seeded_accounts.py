"""The account and the hosts of a migration: several reasons of one guard, each seen by no other, in a whole run."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.lab.estate.machine import Service
from orchestrator.lab.estate.spec import ServiceSpec
from orchestrator.model.event import GuardsAsked, WayBackAsked
from orchestrator.model.lifecycle import Intention, Phase, Way
from tests.guards.test_seeded import ACCOUNT, ID, WRITES, only_batch, put, refusing
from tests.world import DC, World


def several(*changes: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """Return one change that is all of these."""

    def change(estate: dict[str, Any]) -> None:
        for one in changes:
            one(estate)

    return change


def more(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change that adds to a list of the estate file, which may not be there yet."""

    def change(estate: dict[str, Any]) -> None:
        place = estate
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = [*place.get(path[-1], []), value]

    return change


def as_batch(name: str, **more_of_it: Any) -> dict[str, Any]:
    return {"name": name, "log_on": "CORP\\svc-batch", **more_of_it}


MAY_EXPIRE = put("users", 1, "pwd_never_expires", value=False)
EXPIRING = several(MAY_EXPIRE, put("users", 1, "pwd_last_set", value="2026-02-01T00:00:00Z"))
OF_ACCOUNT_AND_HOSTS = {
    "account-enabled: disabled": put("users", 1, "enabled", value=False),
    "account-enabled: locked out": put("users", 1, "locked", value=True),
    "account-enabled: expired": put("users", 1, "expires", value="2026-03-01T00:00:00Z"),
    "account-password-stable: expires in the hold": EXPIRING,
    "account-password-stable: expired": MAY_EXPIRE,
    "no-unconstrained-delegation: the account": put("users", 1, "unconstrained_delegation", value=True),
    "spn-unique: on another account": several(
        put("users", 1, "spns", value=["HTTP/batch"]), put("users", 2, "spns", value=["http/BATCH"])
    ),
    "host-inventory-complete: a service more": more("hosts", 1, "services", value=as_batch("Hidden")),
    "host-inventory-complete: a task more": more(
        "hosts", 1, "tasks", value={"path": "\\Batch\\Nightly", "log_on": "svc-batch@corp.example"}
    ),
    "host-inventory-complete: a pool more": more("hosts", 1, "app_pools", value=as_batch("Web")),
    "host-inventory-complete: a service less": put("hosts", 1, "services", value=[]),
    "no-cluster-role: a generic service": put("hosts", 1, "cluster", value=[{"name": "Batch"}]),
}


@pytest.mark.parametrize("seed", OF_ACCOUNT_AND_HOSTS)
def test_of_account_and_hosts_held_before_anything_is_written(seed):
    world = World(change_plan=only_batch, change_estate=OF_ACCOUNT_AND_HOSTS[seed])
    state = world.run()[ID]
    assert state.held is not None
    assert state.held.reason == f"guard:{seed.partition(':')[0]}"
    assert (state.phase, state.failure) == (Phase.PLANNED, "refused")
    assert refusing(world) == {seed.partition(":")[0]}
    assert not any(world.arrived(name) for name in WRITES)


def test_an_account_nested_in_protected_users_is_held_by_its_sid():
    group = {"dn": "CN=Inner,OU=Service Accounts,DC=corp,DC=example", "members": [ACCOUNT]}
    world = World(change_plan=only_batch, change_estate=put("groups", value=[group]))
    directory = world.estate.directory
    inner, outer = (directory.replicas[DC].account(name) for name in ("Inner", "Protected Users"))
    directory.write(DC, outer.guid, {"member": (inner.guid,), "rdn": "CN=Geschuetzte Benutzer"})
    state = world.run()[ID]
    assert state.held is not None
    assert "Geschuetzte Benutzer" in state.held.detail
    assert refusing(world) == {"account-not-privileged"}


def test_an_account_with_which_another_plan_has_begun_is_held():
    def again(plan: dict[str, Any]) -> None:
        only_batch(plan)
        plan["name"] = "again"
        plan["waves"][0]["migrations"][0]["dmsa"] = {"name": "dmsa-b2", "dns_host_name": "dmsa-b2.corp.example"}

    first = World(change_plan=only_batch)
    first.run(until=Phase.PREPARED)
    second = World(change_plan=again, beside=first)
    state = second.run()["dmsa-b2"]
    assert state.held is not None
    assert state.held.reason == "guard:account-not-shared"
    assert "quickstart/dmsa-batch" in state.held.detail
    assert refusing(second) == {"account-not-shared"}


def write(values: Callable[[Any], dict[str, Any]], whose: str = "svc-batch") -> Callable[[World], None]:
    """Return what writes attributes of an object on the pinned domain controller."""

    def happens(world: World) -> None:
        entry = world.estate.directory.replicas[DC].account(whose)
        assert entry is not None
        world.estate.directory.write(DC, entry.guid, values(entry))

    return happens


def one_service_more(world: World) -> None:
    spec = ServiceSpec(name="Hidden", log_on="corp.example\\svc-batch")
    world.estate.machine("app02.corp.example").services["hidden"] = Service(spec)


def its_name_elsewhere(world: World) -> None:
    write(lambda _entry: {"servicePrincipalName": ("HTTP/batch",)}, "svc-web")(world)


another_password = write(lambda one: {"pwdLastSet": one.number("pwdLastSet") + 1})
LATER_OF_ACCOUNT_AND_HOSTS = [
    ("account-enabled", Phase.PREPARED, write(lambda _entry: {"lockoutTime": 1}), "Start"),
    ("snapshot-fresh", Phase.PREPARED, write(lambda _entry: {"description": "others wrote this"}), "Start"),
    ("snapshot-fresh", Phase.SOAKED, write(lambda _entry: {"msDS-SupportedEncryptionTypes": 28}), "Complete"),
    (
        "account-password-stable",
        Phase.SOAKED,
        write(lambda one: {"pwdLastSet": one.number("pwdLastSet") + 1}),
        "Complete",
    ),
    (
        "no-unconstrained-delegation",
        Phase.PREPARED,
        write(lambda one: {"userAccountControl": one.number("userAccountControl") | 0x80000}, "dmsa-batch$"),
        "Start",
    ),
    ("spn-unique", Phase.SOAKED, its_name_elsewhere, "Complete"),
    ("host-inventory-complete", Phase.SOAKED, one_service_more, "Complete"),
]


@pytest.mark.parametrize(("guard", "until", "happens", "verb"), LATER_OF_ACCOUNT_AND_HOSTS)
def test_of_account_and_hosts_held_before_what_somebody_else_did_does_harm(guard, until, happens, verb):
    world = World(change_plan=only_batch, change_estate=put("users", 1, "spns", value=["HTTP/batch"]))
    world.run(until=until)
    happens(world)
    state = world.run()[ID]
    assert state.held is not None
    assert state.held.reason == f"guard:{guard}"
    assert refusing(world) == {guard}
    assert state.phase is until
    assert not world.arrived(f"{verb}-ADServiceAccountMigration")


def back(world: World, *, accept: bool = False, way: Way = Way.UNDO) -> None:
    world.say(WayBackAsked(migration=ID, way=way, by="operator", accept_password_risk=accept))


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("phase", [Phase.SOAKED, Phase.COMPLETED])
def test_a_way_back_waits_for_the_word_about_a_password_that_changed(phase, way):
    world = World(change_plan=only_batch)
    world.run(until=phase)
    another_password(world)
    back(world, way=way)
    state = world.run()[ID]
    assert state.held is not None
    assert state.held.reason == "guard:account-password-stable"
    assert f"dmsa {way} PLAN --only {ID} --accept-password-risk" in state.held.release
    assert refusing(world) == {"account-password-stable"}
    assert state.phase is phase
    assert not any(world.arrived(f"{verb}-ADServiceAccountMigration") for verb in ("Undo", "Reset"))
    back(world, accept=True, way=way)
    assert world.run()[ID].phase in {Phase.UNLINKED, Phase.REOPENED, Phase.ROLLED_BACK}
    assert any(world.arrived(f"{verb}-ADServiceAccountMigration") for verb in ("Undo", "Reset"))


def test_a_way_back_that_has_not_begun_is_taken_back():
    world = World(change_plan=only_batch)
    world.run(until=Phase.RESTARTED)
    another_password(world)
    back(world, way=Way.ROLLBACK)
    assert world.run()[ID].held is not None
    world.release(ID, forward=True)
    state = world.state()[ID]
    assert (state.intention, state.way, state.phase, state.held) == (Intention.FORWARD, None, Phase.RESTARTED, None)
    state = world.run()[ID]
    assert state.held is not None, "Complete asks for the password, too"
    assert (state.phase, state.held.reason) == (Phase.SOAKED, "guard:account-password-stable")


def test_a_way_back_with_the_password_of_the_snapshot_asks_and_goes_on():
    world = World(change_plan=only_batch)
    world.run(until=Phase.SOAKED)
    back(world)
    assert world.run()[ID].phase is Phase.UNLINKED
    asked = [event for event in world.events() if isinstance(event, GuardsAsked)][-1]
    assert (asked.step, [one.guard for one in asked.answers]) == ("undo", ["account-password-stable"])
