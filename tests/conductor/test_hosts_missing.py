"""Hosts that do not register by themselves: held with what is known, or added; who comes between reading and writing.

The far side's record is the witness: what was on the list before a write of it must be on it after.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.lab.estate.events import carry_out
from orchestrator.lab.estate.migration import MEMBERSHIP
from orchestrator.lab.estate.weather_spec import HostRegisters
from orchestrator.model.event import AttemptStarted, Held, LedgerRead, Moved
from orchestrator.model.lifecycle import Phase, Way
from orchestrator.rehearsal.process import Doing
from tests.conductor.test_amendment import ID, NEW, OLD, joins, short, third_host
from tests.whole import some
from tests.world import Crash, Doom, World

STRANGER = "old07.corp.example"
SAM = "CORP\\svc-batch"
SET = "Set-ADServiceAccount"
LIST = "PrincipalsAllowedToRetrieveManagedPassword"


def plan(data: dict[str, Any], adds: bool = True) -> None:
    short(data)
    joins(data)
    data["policy"] |= {"dwell": "14d", "flat_for": "7d", "ledger_every": "6h", "register_within": "24h"}
    data["policy"] |= {"hosts_missing": "add"} if adds else {}


def estate(data: dict[str, Any], *silent: str, site: str = "Berlin") -> None:
    """Four hosts: two of the plan, one that shares, and a stranger whose service of the account is not started yet."""
    third_host(data)
    helper = {"name": "Helper", "log_on": SAM, "state": "Stopped", "start_mode": "Manual"}
    data["hosts"].append({"name": STRANGER, "site": site, "kerberos": 1, "services": [helper]})
    for host in data["hosts"]:
        host["registers"] = host["name"] not in silent


def world(*silent: str, adds: bool = True, site: str = "Berlin") -> World:
    return World(change_plan=lambda data: plan(data, adds), change_estate=lambda data: estate(data, *silent, site=site))


def members(one: World, dc: str = "dc01.corp.example") -> set[str]:
    """Return the hosts on the dMSA's list by one copy."""
    replica = one.estate.directory.replicas[dc]
    sids = replica.account(f"{ID}$").texts(MEMBERSHIP)
    return {entry.get("dNSHostName") for entry in replica.entries.values() if entry.sid in sids}


class Between:
    """A life in which something happens right before each write of the list leaves, after all was read for it."""

    def __init__(self, one: World, happens: Callable[[], object]) -> None:
        self.one, self.happens, self.times = one, happens, 0

    def moment(self, doing: Doing) -> None:
        announced = [event for event in self.one.events() if isinstance(event, AttemptStarted) and event.cmdlet == SET]
        if doing == "write" and len(announced) > self.times:
            self.times += 1
            self.happens()


def logs_on(one: World, host: str) -> Callable[[], object]:
    def act() -> None:
        machine = one.estate.machine(host)
        for service in machine.services.values():
            if "svc-batch" in service.spec.log_on:
                one.estate.workloads.start_service(machine, service)
        carry_out(one.estate, HostRegisters(kind="host-registers", host=host, account=SAM, at=one.estate.now))

    return act


class TestHeld:
    def test_a_host_that_never_registers_is_held_with_what_was_found_there(self):
        one = world(NEW, adds=False)
        held = one.run([ID])[ID].held
        assert held is not None
        assert held.reason == "hosts-missing"
        assert f"{NEW}: Microsoft Windows Server 2025" in held.detail
        assert "DelegatedMSAEnabled is 1" in held.detail
        assert OLD not in held.detail
        assert "reboot it" in held.detail
        assert not one.arrived(SET)

    def test_a_release_waits_anew_and_what_comes_meanwhile_is_enough(self):
        one = world(NEW, adds=False)
        one.run([ID])
        one.release(ID)
        machine = one.estate.machine(NEW)
        machine.spec = machine.spec.model_copy(update={"registers": True})
        state = one.run([ID])
        assert state[ID].phase is Phase.COMPLETED


class TestAdded:
    def test_what_is_missing_is_added_to_the_whole_list_and_the_dwell_begins_then(self):
        one = world(NEW)
        state = one.run([ID])
        assert state[ID].phase is Phase.COMPLETED, state[ID].held
        (sent,) = one.arrived(SET)
        assert [dn.partition(",")[0] for dn in sent[LIST]] == ["CN=APP02", "CN=APP09"]
        assert members(one) == members(one, "dc02.corp.example") == {OLD, NEW}
        added = next(at for event, at in one.told() if isinstance(event, LedgerRead) and NEW in event.hosts_present)
        switched = next(at for event, at in one.told() if isinstance(event, Moved) and event.dest is Phase.SWITCHED)
        began = next(at for event, at in one.told() if isinstance(event, Moved) and event.dest is Phase.REGISTERED)
        assert added - began >= timedelta(hours=24)
        assert switched - added >= timedelta(days=14)

    def test_one_that_registers_by_itself_is_never_added(self):
        one = world()
        assert one.run([ID])[ID].phase is Phase.COMPLETED
        assert not one.arrived(SET)

    def test_one_whose_switch_was_taken_away_is_not_added(self):
        one = world(NEW)
        one.run([ID], until=Phase.REGISTERED)
        one.estate.machine(NEW).kerberos = 0
        held = one.run([ID])[ID].held
        assert held is not None
        assert (held.reason, "DelegatedMSAEnabled is 0" in held.detail) == ("hosts-missing", True)
        assert not one.arrived(SET)

    def test_a_lost_reply_is_settled_by_looking(self):
        one = World(
            change_plan=plan,
            change_estate=lambda data: (
                estate(data, NEW),
                data.update(weather=[{"kind": "lost-reply", "when": {"cmdlet": SET}}]),
            ),
        )
        assert one.run([ID])[ID].phase is Phase.COMPLETED
        assert len(one.arrived(SET)) == 1

    def test_wherever_the_process_dies_everybody_is_on_the_list_in_the_end(self):
        one = world(NEW)
        one.run([ID], until=Phase.REGISTERED)
        doom = Doom()
        reference = world(NEW)
        reference.run([ID], until=Phase.REGISTERED)
        reference.run([ID], until=Phase.RESTARTED, doom=doom)
        for moment in some(range(1, doom.passed + 1), 3):
            one = world(NEW)
            one.run([ID], until=Phase.REGISTERED)
            with pytest.raises(Crash):
                one.run([ID], until=Phase.RESTARTED, doom=Doom(moment))
            assert one.run([ID], until=Phase.RESTARTED)[ID].phase is Phase.RESTARTED
            assert members(one) == {OLD, NEW}

    def test_back_again_leaves_what_was_added_on_the_unlinked_dmsa_as_declared(self):
        one = World(
            change_plan=plan,
            change_estate=lambda data: (
                estate(data, NEW),
                data.update(
                    switches={"undo_clears_membership": False},
                    dmsas=[{"dn": f"CN={ID},OU=Managed,DC=corp,DC=example"}],
                ),
            ),
        )
        one.run([ID], until=Phase.RESTARTED)
        one.ask_back(Way.ROLLBACK, [ID])
        state = one.run([ID])
        assert state[ID].phase is Phase.ROLLED_BACK
        found = {(item.object, item.name): item.verdict for item in state[ID].compared.differences}
        assert found["dmsa", LIST] == "declared"
        assert len(one.arrived(SET)) == 1, "it is not ours to take anybody off"


class TestBetweenReadingAndWriting:
    def test_a_host_of_the_plan_that_comes_just_then_is_on_the_list_all_the_same(self):
        one = world(OLD, NEW)
        came = one.estate.machine(OLD)

        def at_last() -> None:
            came.spec = came.spec.model_copy(update={"registers": True})
            logs_on(one, OLD)()
            assert members(one) == {OLD}, "it is on the list when the write arrives"

        life = Between(one, at_last)
        state = one.run([ID], until=Phase.RESTARTED, doom=life)
        assert life.times == 1
        assert state[ID].phase is Phase.RESTARTED
        assert members(one) == {OLD, NEW}
        assert len(one.arrived(SET)) == 1

    def test_a_stranger_that_comes_just_then_is_lost_and_learned_with_its_next_ticket(self):
        """What nobody can prevent does no harm: it is back before the dwell is over, and a person is waited for."""
        one = world(NEW)
        life = Between(one, logs_on(one, STRANGER))
        one.run([ID], until=Phase.RESTARTED, doom=life)
        assert life.times == 1
        assert STRANGER not in members(one), "the list that was written did not hold it"
        state = one.run([ID])
        assert STRANGER in members(one), "it added itself again"
        held = state[ID].held
        assert held is not None
        assert (held.reason, STRANGER in held.detail) == ("guard:no-unknown-host", True)
        assert "Windows Server 2025" in held.detail
        assert not one.arrived("Complete-ADServiceAccountMigration")
        learned = next(at for event, at in one.told() if isinstance(event, LedgerRead) and STRANGER in event.principals)
        held_at = next(at for event, at in one.told() if isinstance(event, Held))
        assert held_at - learned >= timedelta(days=7), "flatness began anew"

    def test_one_that_comes_at_another_site_just_then_is_not_lost_for_good(self):
        """Two copies are written at once, and one whole list wins; nobody of the plan is missing in the end."""
        one = world(OLD, NEW, site="Hamburg")
        came = one.estate.machine(OLD)
        came.site = "hamburg"

        def at_last() -> None:
            came.spec = came.spec.model_copy(update={"registers": True})
            logs_on(one, OLD)()
            assert members(one, "dc02.corp.example") == {OLD}

        life = Between(one, at_last)
        state = one.run([ID], until=Phase.RESTARTED, doom=life)
        assert life.times >= 1
        assert state[ID].phase is Phase.RESTARTED, state[ID].held
        assert members(one) == members(one, "dc02.corp.example") == {OLD, NEW}

    def test_a_stranger_at_another_site_whose_list_wins_does_not_take_the_added_one_off(self):
        one = world(NEW, site="Hamburg")
        life = Between(one, logs_on(one, STRANGER))
        state = one.run([ID], until=Phase.RESTARTED, doom=life)
        assert state[ID].phase is Phase.RESTARTED, state[ID].held
        assert {OLD, NEW} <= members(one)
        assert {OLD, NEW} <= members(one, "dc02.corp.example")

    def test_nothing_is_written_while_two_copies_show_different_lists(self):
        one = world(NEW, site="Hamburg")
        one.run([ID], until=Phase.REGISTERED)
        events_before = len(one.events())
        life = Between(one, lambda: None)
        machine = one.estate.machine(STRANGER)
        due = one.estate.now + timedelta(hours=24)
        one.estate.clock.at(due, logs_on(one, machine.name))
        one.run([ID], until=Phase.RESTARTED, doom=life)
        assert len(one.events()) > events_before
        for sent in one.arrived(SET):
            assert len(sent[LIST]) == 3, "the stranger was there before the write, so it is on the list"
        assert {OLD, NEW, STRANGER} == members(one)
