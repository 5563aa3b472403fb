"""Somebody else uses the account: seen by a whole run, and what happens where nobody asks."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator import guards
from orchestrator.guards import all_guards
from orchestrator.model.lifecycle import Phase
from orchestrator.rehearsal.world import World as RehearsedWorld
from tests.guards.test_seeded import ID, only_batch, put, refusing
from tests.world import DC, World

START, COMPLETE = "Start-ADServiceAccountMigration", "Complete-ADServiceAccountMigration"


def other_use(**more: Any) -> Callable[[dict[str, Any]], None]:
    """Return an estate in which somebody outside the plan uses the account."""
    use = {"account": "svc-batch", "address": "10.9.9.9", "workstation": "OLD1", **more}
    return put("other_use", value=[use])


def on_the_second_dc(estate: dict[str, Any]) -> None:
    other_use(dc="dc02.corp.example")(estate)
    with_a_second_dc(estate)


def with_a_second_dc(estate: dict[str, Any]) -> None:
    if len(estate["dcs"]) < 2:
        estate["dcs"].append({"name": "dc02.corp.example"})


def nobody_may_read_the_second(estate: dict[str, Any]) -> None:
    with_a_second_dc(estate)
    estate["dcs"][1]["security_log_readable"] = False


OTHER_USE = {
    "a foreign address": (other_use(), "4768 at .* message names 10.9.9.9"),
    "in another spelling": (other_use(account="SVC-BATCH"), "4768 at "),
    "NTLM": (other_use(protocol="ntlm"), "4776 at "),
    "NTLM by the UPN": (other_use(protocol="ntlm", account="svc-batch@corp.example"), "4776 at "),
    "an LDAP bind": (other_use(protocol="ntlm", workstation="DC01"), "4776 at "),
    "on the second DC": (on_the_second_dc, "dc02.corp.example: .* 4768 at "),
    "ended six days ago": (other_use(ended="6d"), "4768 at "),
    "a short log": (put("dcs", 0, "security_log", value="2d"), "older than 168 hours"),
    "access denied": (nobody_may_read_the_second, "dc02.corp.example was not read: Could not retrieve"),
}
NO_OTHER_USE = {
    "ended eight days ago": other_use(ended="8d"),
    "another account's": other_use(account="svc-report"),
    "a host's own": other_use(address="127.77.0.4"),
}


@pytest.mark.parametrize("what", OTHER_USE)
def test_other_use_holds_before_start(what):
    change, says = OTHER_USE[what]
    world = World(change_plan=only_batch, change_estate=change)
    state = world.run()[ID]
    assert state.held is not None
    assert (state.held.reason, state.phase) == ("guard:no-other-use", Phase.PREPARED)
    assert refusing(world) == {"no-other-use"}
    assert re.search(says, state.held.detail)
    assert not world.arrived(START)


@pytest.mark.parametrize("what", OTHER_USE)
def test_where_the_guard_is_taken_out_start_is_sent(monkeypatch, what):
    left = tuple(one for one in all_guards() if one.id != "no-other-use")
    monkeypatch.setattr(guards, "all_guards", lambda: left)
    world = World(change_plan=only_batch, change_estate=OTHER_USE[what][0])
    world.run(until=Phase.STARTED)
    assert world.arrived(START)


@pytest.mark.parametrize("what", NO_OTHER_USE)
def test_what_is_no_other_use_lets_start_pass(what):
    world = World(change_plan=only_batch, change_estate=NO_OTHER_USE[what])
    assert world.run(until=Phase.STARTED)[ID].phase is Phase.STARTED


def begin_to_use(world: World) -> None:
    authority = world.estate.authority
    authority.note_ntlm(authority.controllers[DC], "svc-batch", "OLD1")


def test_other_use_that_begins_later_holds_before_complete():
    world = World(change_plan=only_batch)
    world.run(until=Phase.SOAKED)
    begin_to_use(world)
    state = world.run()[ID]
    assert state.held is not None
    assert state.held.reason == "guard:no-other-use"
    assert not world.arrived(COMPLETE)


def test_where_the_guard_is_taken_out_complete_is_sent_all_the_same(monkeypatch):
    left = tuple(one for one in all_guards() if one.id != "no-other-use")
    world = World(change_plan=only_batch)
    world.run(until=Phase.SOAKED)
    begin_to_use(world)
    monkeypatch.setattr(guards, "all_guards", lambda: left)
    world.run()
    assert world.arrived(COMPLETE)


class Passing(World):
    """A world whose runner's own clock runs with the estate's, also while it waits for an answer."""

    seconds_passed, clock_for = RehearsedWorld.seconds_passed, RehearsedWorld.clock_for


def slow_log(takes: str) -> Callable[[dict[str, Any]], None]:
    """Return an estate whose domain controllers take that long to search their Security logs, every time."""
    return put("weather", value=[{"kind": "slow", "when": {"cmdlet": "Get-WinEvent", "times": 1000}, "takes": takes}])


def arrivals(world: World) -> list[str]:
    """Return what a domain controller was asked before Start: searches of the log, readings of the account."""
    told = {"Get-WinEvent": "search", "Get-ADUser": "account", START: "start"}
    names = (command.name for request in world.record for statement in request.statements for command in statement)
    return [told[name] for name in names if name in told]


@pytest.mark.parametrize("takes", ["20s", "45s", "20m"])
def test_a_log_is_searched_once_for_a_move_however_slow_it_is_and_the_pair_is_read_after_it(takes):
    quick, slow = Passing(change_plan=only_batch), Passing(change_plan=only_batch, change_estate=slow_log(takes))
    for world in (quick, slow):
        assert world.run(until=Phase.STARTED)[ID].phase is Phase.STARTED
    searches = arrivals(quick).count("search")
    assert searches
    told = arrivals(slow)
    assert told.count("search") == searches
    before = told[: told.index("start")]
    assert takes == "20s" or "account" in before[len(before) - before[::-1].index("search") :]
