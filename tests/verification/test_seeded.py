"""Healthy runs in every phase, and what others do to the estate meanwhile: found, each by the finding that is meant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.errors import Exit
from orchestrator.lab.estate.descriptor import PROTECTION, Ace
from orchestrator.lab.estate.migration import MEMBERSHIP, PRECEDED_BY, SUPERSEDED_BY
from orchestrator.lab.estate.replica import Entry
from orchestrator.model.lifecycle import PATH, Phase, Way
from orchestrator.rehearsal.hands import by_hand, move_account, stop_service
from tests.verification.looking import commands, ids, verified
from tests.world import DC, Crash, Doom, World

ID = "dmsa-report"
HOST = "app01.corp.example"
READS = {
    "Get-ADComputer", "Get-ADDomainController", "Get-ADObject", "Get-ADServiceAccount", "Get-ADUser", "Select-Object",
    "Get-CimInstance", "Get-Service", "Get-ScheduledTask", "Get-ScheduledTaskInfo", "Export-ScheduledTask",
    "Get-ItemProperty", "Test-Path", "Get-WebAppPoolState", "Get-WebConfigurationProperty",
}  # fmt: skip


def stood(phase: Phase, plan: str = "quickstart") -> World:
    world = World(f"plans/{plan}.yaml", f"plans/estates/{plan}.yaml")
    if phase is not Phase.PLANNED:
        world.run(world.ids[:1], until=phase)
    assert world.phases()[world.ids[0]] is phase
    return world


# Nothing is found where nothing is wrong.


@pytest.mark.parametrize("plan", ["quickstart", "shared-host", "web-farm", "reboot"])
@pytest.mark.parametrize("phase", PATH)
def test_a_healthy_run_is_as_its_journal_says(phase, plan):
    world = stood(phase, plan)
    assert ids(verified(world)) == {}
    assert verified(world).exit is Exit.DONE


@pytest.mark.parametrize("plan", ["quickstart", "shared-host", "web-farm"])
def test_so_is_a_whole_plan_and_every_way_back(plan):
    world = World(f"plans/{plan}.yaml", f"plans/estates/{plan}.yaml")
    world.run()
    assert ids(verified(world)) == {}
    for way, phase in ((Way.UNDO, Phase.REOPENED), (Way.UNDO, Phase.UNLINKED), (Way.ROLLBACK, Phase.ROLLED_BACK)):
        world.ask_back(way)
        world.run()
        assert set(world.phases().values()) == {phase}
        assert ids(verified(world)) == {}, phase


def test_what_was_adopted_is_as_its_journal_says():
    world = stood(Phase.COMPLETED)
    world.lose_journal()
    assert set(ids(verified(world))) == {ID}, "by an empty journal nobody asked for it"
    world.adopt(ID)
    world.run([ID])
    assert world.phases()[ID] is Phase.COMPLETED
    assert ids(verified(world)) == {}


@pytest.mark.parametrize("part", range(2))
def test_whenever_a_runner_dies_nothing_is_taken_for_drift(part):
    """Between an intent and its read-back both ends are possible: that is no drift, and never *as it should be*."""
    counting, doom = World(), Doom()
    counting.run([ID], doom=doom)
    for at in range(1 + part * 3, doom.passed + 1, 6):
        world = World()
        with pytest.raises(Crash):
            world.run([ID], doom=Doom(at))
        found = verified(world)
        assert {one.verdict for findings in found.found.values() for one in findings} <= {"under-way"}, (at, ids(found))
        assert found.exit in ({Exit.WAITING} if world.state()[ID].open else {Exit.WAITING, Exit.DONE}), at


@pytest.mark.parametrize("way", [Way.RESET, Way.ROLLBACK])
def test_nor_where_it_dies_on_a_way_back(way):
    def going_back() -> World:
        world = stood(Phase.COMPLETED)
        world.ask_back(way, [ID])
        return world

    counting, doom = going_back(), Doom()
    counting.run([ID], doom=doom)
    for at in range(1, doom.passed + 1, 5):
        world = going_back()
        with pytest.raises(Crash):
            world.run([ID], doom=Doom(at))
        found = verified(world)
        assert {one.verdict for findings in found.found.values() for one in findings} <= {"under-way"}, (at, ids(found))


# What others do.


def account(world: World) -> Entry:
    entry = world.far_side.account_entry(ID, DC)
    assert entry is not None
    return entry


def dmsa(world: World) -> Entry:
    entry = world.estate.directory.replicas[DC].account(f"{ID}$")
    assert entry is not None
    return entry


def write(world: World, entry: Entry, values: dict[str, Any]) -> None:
    world.estate.directory.write(DC, entry.guid, values)


def delete(world: World) -> None:
    world.estate.directory.delete(DC, account(world).guid)


def unprotect(world: World) -> None:
    entry = account(world)
    write(world, entry, {"nTSecurityDescriptor": world.estate.directory.descriptor(entry).without(PROTECTION)})


def allow(world: World) -> None:
    stranger = world.estate.directory.replicas[DC].account("app03$")
    assert stranger is not None
    write(world, dmsa(world), {MEMBERSHIP: (*dmsa(world).texts(MEMBERSHIP), stranger.sid)})


def set_back(value: object) -> Callable[[World], None]:
    def drift(world: World) -> None:
        world.estate.machine(HOST).kerberos = value  # type: ignore[assignment]

    return drift


def log_on_elsewhere(world: World) -> None:
    service = world.estate.machine(HOST).services["reportserver"]
    service.spec = service.spec.model_copy(update={"log_on": "LocalSystem"})


def enable(world: World) -> None:
    write(world, account(world), {"userAccountControl": 0x10200})


def grant(entry: Callable[[World], Entry]) -> Callable[[World], None]:
    def drift(world: World) -> None:
        world.estate.directory.grant(DC, entry(world).guid, Ace("A", "", "WP", f"{world.estate.directory.sid}-1999"))

    return drift


DRIFTS: dict[str, tuple[Callable[[World], None], str, tuple[Phase, ...]]] = {
    "the account is deleted": (delete, "original-missing", (Phase.PREPARED, Phase.RESTARTED, Phase.COMPLETED)),
    "its protection is lifted": (unprotect, "original-unprotected", (Phase.PREPARED, Phase.RESTARTED, Phase.COMPLETED)),
    "the dMSA's link is cut": (
        lambda world: write(world, dmsa(world), {PRECEDED_BY: None}),
        "half-link",
        (Phase.RESTARTED, Phase.COMPLETED),
    ),
    "the account's link is cut": (
        lambda world: write(world, account(world), {SUPERSEDED_BY: None}),
        "half-link",
        (Phase.LINKED, Phase.COMPLETED),
    ),
    "Start is sent by hand": (lambda world: by_hand(world, ID, "Start"), "state-unasked", (Phase.PREPARED,)),
    "Complete is sent by hand": (
        lambda world: by_hand(world, ID, "Complete"),
        "state-unasked",
        (Phase.LINKED, Phase.RESTARTED),
    ),
    "Undo is sent by hand": (lambda world: by_hand(world, ID, "Undo"), "state-unasked", (Phase.RESTARTED,)),
    "Reset is sent by hand": (lambda world: by_hand(world, ID, "Reset"), "state-unasked", (Phase.COMPLETED,)),
    "the switch is set to 0": (set_back(0), "registry-set-back", (Phase.REGISTERED, Phase.COMPLETED)),
    "the switch is taken away": (set_back(None), "registry-set-back", (Phase.RESTARTED,)),
    "its key is taken away": (set_back("no-key"), "registry-set-back", (Phase.RESTARTED, Phase.SWITCHED)),
    "a policy sets the switch": (set_back(1), "registry-changed", (Phase.PREPARED, Phase.STARTED)),
    "another host is allowed": (allow, "foreign-host", (Phase.RESTARTED, Phase.COMPLETED)),
    "nobody is allowed": (
        lambda world: write(world, dmsa(world), {MEMBERSHIP: ()}),
        "host-vanished",
        (Phase.RESTARTED, Phase.COMPLETED),
    ),
    "the service is stopped": (
        lambda world: stop_service(world, f"{HOST}\\ReportServer"),
        "workload-down",
        (Phase.PREPARED, Phase.RESTARTED, Phase.COMPLETED),
    ),
    "the service logs on as somebody else": (log_on_elsewhere, "workload-changed", (Phase.RESTARTED,)),
    "the account is moved": (
        lambda world: move_account(world, ID, "OU=Managed,DC=corp,DC=example"),
        "account-moved",
        (Phase.PREPARED, Phase.RESTARTED, Phase.COMPLETED),
    ),
    "its SPNs are changed": (
        lambda world: write(world, account(world), {"servicePrincipalName": ("HTTP/elsewhere",)}),
        "spns-changed",
        (Phase.PREPARED, Phase.RESTARTED),
    ),
    "the dMSA's SPNs are taken away": (
        lambda world: write(world, dmsa(world), {"servicePrincipalName": ()}),
        "spns-changed",
        (Phase.COMPLETED,),
    ),
    "the account is disabled": (
        lambda world: write(world, account(world), {"userAccountControl": 0x10202}),
        "account-disabled",
        (Phase.RESTARTED,),
    ),
    "the account is enabled": (enable, "account-enabled", (Phase.COMPLETED,)),
    "somebody is given rights on the account": (grant(account), "drift", (Phase.PREPARED, Phase.COMPLETED)),
    "somebody is given rights on the dMSA": (grant(dmsa), "drift", (Phase.COMPLETED,)),
    "the description is changed": (
        lambda world: write(world, account(world), {"description": "unused?"}),
        "drift",
        (Phase.RESTARTED, Phase.COMPLETED),
    ),
}


@pytest.mark.parametrize(
    ("what", "phase"), [(what, phase) for what, (_, _, phases) in DRIFTS.items() for phase in phases]
)
def test_what_others_do_is_found_by_the_finding_that_is_meant(what, phase):
    drift, meant, _ = DRIFTS[what]
    world = stood(phase)
    world.estate.advance(timedelta(minutes=2))
    drift(world)
    world.estate.advance(timedelta(minutes=2))
    before = len(world.record)
    found = verified(world)
    assert ids(found) == {ID: [meant]}, found.found[ID]
    assert found.exit is Exit.FAILED
    assert commands(world.record[before:]) <= READS, "it only reads"


def test_it_is_found_on_the_domain_controller_that_has_not_heard_of_it():
    world = stood(Phase.COMPLETED)
    world.estate.advance(timedelta(minutes=2))
    world.estate.directory.cut_off("dc02.corp.example", world.estate.now + timedelta(hours=1))
    by_hand(world, ID, "Undo")
    (state, copy) = verified(world).found[ID]
    assert (state.id, copy.id, copy.subject) == ("state-unasked", "copy-disagrees", "dc02.corp.example")


def test_what_was_put_right_again_is_found_no_more():
    world = stood(Phase.RESTARTED)
    for away, back in (
        (set_back(0), set_back(1)),
        (unprotect, lambda one: one.estate.directory.protect(DC, account(one).guid)),
    ):
        away(world)
        assert verified(world).exit is Exit.FAILED
        back(world)
        assert ids(verified(world)) == {}


def test_a_host_that_is_down_is_unknown_and_that_comes_first():
    world = stood(Phase.RESTARTED)
    world.estate.machine(HOST).down_until = world.estate.now + timedelta(days=1)
    found = verified(world)
    assert ids(found) == {ID: ["unreadable"]}
    (one,) = found.found[ID]
    assert (one.subject, found.exit) == (HOST, Exit.HELD)
    assert "refuses connections" in one.there
    unprotect(world)
    assert verified(world).exit is Exit.HELD, "a person is needed before drift is told"
