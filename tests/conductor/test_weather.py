"""Runs through bad weather: what is retried, what is settled by looking, what is held; and what really arrived."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest

from orchestrator.engine.outcome import exit_of
from orchestrator.errors import Exit
from orchestrator.model.event import AttemptFinished, AttemptSettled, Event, Recovered, Released, RetryDue, ShellEnded
from orchestrator.model.lifecycle import Phase, Way
from orchestrator.model.observation import Outcome
from orchestrator.model.run import RunState
from orchestrator.views.status import status_document
from orchestrator.views.summary import summary
from tests.world import DC, World

BATCH, REPORT, ERP = "dmsa-batch", "dmsa-report", "dmsa-erp"
HOST = "app02.corp.example"
SAM = "CORP\\svc-batch"
ACCOUNT = "CN=svc-batch,OU=Service Accounts,DC=corp,DC=example"
START, COMPLETE = "Start-ADServiceAccountMigration", "Complete-ADServiceAccountMigration"


SHORT = {"dwell": "2h", "flat_for": "2h", "ledger_every": "1h"}
WAIVER = {"guard": "dwell-minimum", "reason": "the weather is the point of these tests", "approved_by": ["ann"]}


def weather(
    *rules: dict[str, Any],
    ids: tuple[str, ...] = (BATCH,),
    change: Callable[[dict[str, Any]], object] = lambda plan: plan["policy"].update(SHORT),
) -> World:
    """Return a world of a few migrations, in one wave and with a short dwell, under this weather."""

    def plan(data: dict[str, Any]) -> None:
        migrations = [one for wave in data["waves"] for one in wave["migrations"] if one["dmsa"]["name"] in ids]
        for migration in migrations:
            migration["waivers"] = [*migration.get("waivers", []), WAIVER]
        data["waves"] = [{"name": "only", "at_once": 4, "failures": {"allow": 1}, "migrations": migrations}]
        change(data)

    return World(change_plan=plan, change_estate=lambda estate: estate.update(weather=list(rules)))


def of(world: World, kind: type[Event], id_: str = BATCH) -> list[Any]:
    return [event for event in world.events() if isinstance(event, kind) and event.migration == id_]


def outcomes(world: World) -> list[str]:
    return [event.outcome for event in of(world, AttemptFinished)]


def service_starts(world: World, name: str = "BatchRunner", host: str = HOST) -> int:
    """How often the far side was told to restart a service."""
    return sum(parameters.get("Name") == name for parameters in world.arrived("Restart-Service"))


def reboot(plan: dict[str, Any]) -> None:
    plan["policy"].update(SHORT, reboot="after_registry")


class TestLost:
    """A write whose outcome is unknown is settled by looking: its effect is there exactly once."""

    WRITES = (
        (START, None),
        (COMPLETE, None),
        ("Restart-Service", HOST),
        ("New-ItemProperty", HOST),
        ("New-Item", HOST),
        ("New-ADServiceAccount", None),
        ("Set-ADObject", None),
    )
    SENT = MappingProxyType({"Restart-Service": 2, "New-Item": 2})
    """How often each is sent when nothing is lost: Restart-Service again after Complete, New-Item for two levels."""

    @pytest.mark.parametrize(("cmdlet", "host"), WRITES)
    def test_a_lost_reply_is_settled_by_looking(self, cmdlet, host):
        world = weather({"kind": "lost-reply", "when": {"cmdlet": cmdlet, **({"host": host} if host else {})}})
        state = world.run()
        assert state[BATCH].phase is Phase.COMPLETED
        assert len(world.arrived(cmdlet)) == self.SENT.get(cmdlet, 1)
        assert outcomes(world).count(Outcome.UNKNOWN) == 1
        assert len(of(world, ShellEnded)) == len(of(world, AttemptSettled)) == 1

    @pytest.mark.parametrize(("cmdlet", "host"), WRITES)
    def test_a_lost_request_is_sent_again_after_looking(self, cmdlet, host):
        world = weather({"kind": "lost-request", "when": {"cmdlet": cmdlet, **({"host": host} if host else {})}})
        state = world.run()
        assert state[BATCH].phase is Phase.COMPLETED
        assert len(world.arrived(cmdlet)) == self.SENT.get(cmdlet, 1)
        assert outcomes(world).count(Outcome.UNKNOWN) == 1

    @pytest.mark.parametrize("late", ["30s", "1h"])
    @pytest.mark.parametrize("cmdlet", [START, COMPLETE, "Restart-Service"])
    def test_a_late_effect_never_comes_on_top_of_a_second_one(self, cmdlet, late):
        """The shell is ended first: what has not taken effect by then never will."""
        world = weather({"kind": "lost-reply", "when": {"cmdlet": cmdlet}, "late": late})
        state = world.run()
        assert state[BATCH].phase is Phase.COMPLETED
        assert len(of(world, ShellEnded)) == 1

    def test_the_settling_time_passes_between_the_shell_s_end_and_the_look(self):
        world = weather({"kind": "lost-reply", "when": {"cmdlet": START}})
        world.run()
        rows = [row for row in world.journal.read() if row.body.get("migration") == BATCH]
        ended = next(row.at for row in rows if row.kind == "shell-ended")
        settled = next(row.at for row in rows if row.kind == "attempt-settled")
        assert (settled - ended).total_seconds() >= 60

    @pytest.mark.parametrize("kind", ["lost-reply", "lost-request"])
    @pytest.mark.parametrize(("verb", "nth"), [("Undo", 1), ("Undo", 2), ("Reset", 1)])
    def test_a_way_back_undoes_once(self, kind, verb, nth):
        def by_reset(plan: dict[str, Any]) -> None:
            plan["policy"].update(SHORT, rollback_by="reset" if verb == "Reset" else "undo")

        cmdlet = f"{verb}-ADServiceAccountMigration"
        world = weather({"kind": kind, "when": {"cmdlet": cmdlet, "nth": nth}}, change=by_reset)
        world.run()
        world.ask_back("rollback")
        assert world.run()[BATCH].phase is Phase.ROLLED_BACK
        assert len(world.arrived(cmdlet)) == (1 if verb == "Reset" else 2)

    def test_a_lost_registry_write_on_a_way_back_is_put_back(self):
        """The abort comes while the write's outcome is unknown: the value is ours all the same."""
        when = {"cmdlet": "New-ItemProperty"}
        world = weather(
            {"kind": "lost-reply", "when": when}, {"kind": "host-down", "host": HOST, "when": when, "lasts": "30d"}
        )
        state = world.run()
        assert state[BATCH].held.reason == "retries-spent"
        assert state[BATCH].open, "nobody could look yet"
        world.estate.machine(HOST).down_until = None
        world.ask_back("rollback")
        assert world.run()[BATCH].phase is Phase.ROLLED_BACK
        assert [dict(p)["Name"] for p in world.arrived("Remove-ItemProperty")] == ["DelegatedMSAEnabled"]
        assert world.estate.machine(HOST).kerberos == "absent"


class TestDown:
    """Endpoints that do not answer."""

    def test_at_preflight_the_migration_is_held_and_the_others_go_on(self):
        world = weather(
            {"kind": "host-down", "host": "app01.corp.example", "at": "2026-03-02T00:00:00Z", "lasts": "60d"},
            ids=(REPORT, BATCH),
        )
        state = world.run()
        assert state[REPORT].held.reason == "guard:host-reachable"
        assert "app01.corp.example refuses connections" in state[REPORT].held.detail
        assert (state[REPORT].phase, state[REPORT].failure) == (Phase.PLANNED, "refused")
        assert state[BATCH].phase is Phase.COMPLETED
        assert exit_of(state, world.plan) is Exit.HELD
        assert {p["Name"] for p in world.arrived("New-ADServiceAccount")} == {BATCH}

    def test_later_and_back_again_it_is_retried(self):
        world = weather({"kind": "host-down", "host": HOST, "when": {"cmdlet": "New-Item", "nth": 2}, "lasts": "3h"})
        state = world.run()
        assert state[BATCH].phase is Phase.COMPLETED
        assert of(world, RetryDue)
        assert of(world, Recovered)
        assert len(world.arrived(START)) == len(world.arrived(COMPLETE)) == 1

    def test_for_good_it_is_held_when_the_attempts_are_spent(self):
        world = weather({"kind": "host-down", "host": HOST, "when": {"cmdlet": START}, "lasts": "60d"})
        state = world.run()
        assert state[BATCH].held.reason == "retries-spent"
        assert state[BATCH].phase is Phase.LINKED
        assert [event.tries for event in of(world, RetryDue)] == [1, 2, 3, 4]
        assert not world.arrived("New-ItemProperty")

    def test_released_it_goes_on(self):
        world = weather({"kind": "host-down", "host": HOST, "when": {"cmdlet": START}, "lasts": "60d"})
        world.run()
        world.estate.machine(HOST).down_until = None
        world.say(Released(migration=BATCH, by="operator", reason="it is back"))
        assert world.run()[BATCH].phase is Phase.COMPLETED

    def test_a_busy_host_is_tried_again(self):
        world = weather({"kind": "busy", "when": {"cmdlet": "New-ItemProperty", "times": 2}})
        assert world.run()[BATCH].phase is Phase.COMPLETED
        assert len(world.arrived("New-ItemProperty")) == 1
        assert {event.of for event in of(world, RetryDue)} == {"write"}

    @pytest.mark.parametrize("cmdlet", ["New-ItemProperty", "Get-ADUser", "Restart-Service", START, COMPLETE])
    def test_without_room_it_comes_back_far_more_often_than_after_faults(self, cmdlet):
        world = weather({"kind": "busy", "when": {"cmdlet": cmdlet, "nth": 2 if "Get" in cmdlet else 1, "times": 40}})
        state = world.run()
        assert (state[BATCH].phase, state[BATCH].held, state[BATCH].failure) == (Phase.COMPLETED, None, None)
        turned_away = [event for event in of(world, RetryDue) if event.turned_away]
        assert [event.turned_away for event in turned_away] == list(range(1, len(turned_away) + 1))
        assert len(turned_away) == 40 or (len(turned_away) >= 20 and "Get" in cmdlet), "of a read, two ask at once"
        assert {event.tries for event in turned_away} == {0}
        waits = {event.until - at for event, at in world.told() if isinstance(event, RetryDue) and at}
        assert max(waits) <= timedelta(minutes=5)

    def test_what_had_no_room_does_not_count_as_sent(self):
        """Sent so often as a plan allows, and not to be read back: then a person looks."""
        world = weather({"kind": "busy", "when": {"cmdlet": "New-ItemProperty", "times": 9}})
        assert world.run()[BATCH].phase is Phase.COMPLETED
        assert outcomes(world).count(Outcome.FAILED) == 9
        assert len(world.arrived("New-ItemProperty")) == 1

    def test_after_all_its_patience_a_person_is_asked_and_a_release_goes_on(self):
        world = weather({"kind": "busy", "when": {"cmdlet": "New-ItemProperty", "times": 300}})
        held = world.run()[BATCH].held
        assert (held.reason, "turned away 300 times" in held.detail) == ("retries-spent", True)
        world.say(Released(migration=BATCH, by="operator", reason="sessions were closed"))
        assert world.run()[BATCH].phase is Phase.COMPLETED

    def test_a_way_back_comes_back_as_well(self):
        world = weather({"kind": "busy", "when": {"cmdlet": "Remove-ItemProperty", "times": 20}})
        world.run()
        world.ask_back(Way.ROLLBACK, [BATCH])
        assert world.run()[BATCH].phase is Phase.ROLLED_BACK

    def test_waiting_for_room_is_shown_as_waiting_with_its_cause(self):
        world = weather({"kind": "busy", "when": {"cmdlet": "New-ItemProperty", "times": 3}})
        world.run()
        state = RunState(world.plan.name)
        for event, at in world.told():
            state.apply(event, at)
            if isinstance(event, RetryDue):
                break
        document = status_document(state, world.plan, world.digest, at)
        (shown,) = document["waves"][0]["migrations"]
        assert (document["exit"], shown["held"], shown["waiting"]["for"]) == (7, None, "retry")
        assert "no shell to spare" in "".join(summary(document, "plan.yaml"))

    def test_failures_of_one_write_are_not_held_against_the_next(self):
        writes = ("New-ADServiceAccount", "Set-ADObject")
        cut = ({"kind": "session-disconnected", "when": {"cmdlet": cmdlet, "times": 3}} for cmdlet in writes)
        world = weather(*cut)
        assert world.run()[BATCH].phase is Phase.COMPLETED
        assert [event.tries for event in of(world, RetryDue)] == [1, 2, 3, 1, 2, 3]

    def test_a_reboot(self):
        world = weather(change=reboot)
        assert world.run()[BATCH].phase is Phase.COMPLETED
        assert world.state()[BATCH].hosts[HOST].rebooted
        assert not of(world, RetryDue), "a host that reboots is expected to be away"
        assert len(world.arrived("Restart-Computer")) == 1

    def test_a_reboot_whose_reply_is_lost(self):
        """A host that reboots cannot confirm that a shell is gone; it is waited for like any reboot."""
        world = weather({"kind": "lost-reply", "when": {"cmdlet": "Restart-Computer"}}, change=reboot)
        assert world.run()[BATCH].phase is Phase.COMPLETED
        assert world.state()[BATCH].hosts[HOST].rebooted
        assert len(world.arrived("Restart-Computer")) == 1

    def test_a_reboot_that_was_never_asked_for(self):
        """Nobody can tell a request that was lost from a host that takes its time: a person looks."""
        world = weather({"kind": "lost-request", "when": {"cmdlet": "Restart-Computer"}}, change=reboot)
        assert "was told to reboot" in world.run()[BATCH].held.detail
        world.say(Released(migration=BATCH, by="operator", reason="try again"))
        assert world.run()[BATCH].phase is Phase.COMPLETED
        assert len(world.arrived("Restart-Computer")) == 1

    def test_a_slow_host_is_only_slow(self):
        world = weather({"kind": "slow", "when": {"cmdlet": "Restart-Service"}, "takes": "2m"})
        assert world.run()[BATCH].phase is Phase.COMPLETED
        assert not of(world, RetryDue)


class TestHeld:
    """What only a person can mend."""

    def test_a_service_that_does_not_come_back(self):
        world = weather(
            {"kind": "service-broken", "host": HOST, "service": "BatchRunner", "when": {"cmdlet": COMPLETE}, "times": 9}
        )
        state = world.run()
        held = state[BATCH].held
        assert held.reason == "fault"
        assert "Cannot start service BatchRunner" in held.detail
        assert state[BATCH].phase is Phase.SWITCHED
        assert exit_of(state, world.plan) is Exit.HELD
        assert service_starts(world) == 2

    def test_a_log_on_that_fails_after_complete(self):
        """A group policy took the switch off: as the dMSA the service cannot log on any more (error 1069)."""
        world = weather({"kind": "registry-changed", "host": HOST, "value": 0, "when": {"cmdlet": COMPLETE}})
        state = world.run()
        assert state[BATCH].held.reason == "fault"
        assert "1069" in state[BATCH].held.detail
        assert exit_of(state, world.plan) is Exit.HELD
        world.ask_back("rollback")
        assert world.run()[BATCH].phase is Phase.ROLLED_BACK

    def test_and_goes_on_once_it_is_mended(self):
        world = weather(
            {"kind": "service-broken", "host": HOST, "service": "BatchRunner", "when": {"cmdlet": COMPLETE}, "times": 1}
        )
        assert world.run()[BATCH].held.reason == "fault"
        world.say(Released(migration=BATCH, by="operator", reason="mended"))
        assert world.run()[BATCH].phase is Phase.COMPLETED
        assert service_starts(world) == 3

    @pytest.mark.parametrize("cmdlet", ["New-ADServiceAccount", START, "New-ItemProperty", "Restart-Service", COMPLETE])
    def test_access_denied(self, cmdlet):
        world = weather({"kind": "access-denied", "when": {"cmdlet": cmdlet, "times": 9}})
        state = world.run()
        assert state[BATCH].held.reason == "fault"
        assert "denies access" in state[BATCH].held.detail
        assert not world.arrived(cmdlet)
        assert exit_of(state, world.plan) is Exit.HELD

    def test_access_denied_to_a_read(self):
        world = weather({"kind": "access-denied", "when": {"cmdlet": "Test-Path", "times": 9}})
        assert world.run()[BATCH].held.reason == "fault"
        assert not world.arrived("New-ADServiceAccount")

    def test_an_unknown_host_appears_during_the_hold(self):
        world = weather(
            {"kind": "registry-changed", "host": "db01.corp.example", "value": 1, "at": "2026-03-05T00:00:00Z"},
            {"kind": "host-registers", "host": "db01.corp.example", "account": SAM, "at": "2026-03-06T00:00:00Z"},
            change=lambda plan: plan["policy"].update(SHORT, dwell="9d", flat_for="7d", ledger_every="12h"),
        )
        state = world.run()
        assert state[BATCH].held.reason == "guard:no-unknown-host"
        assert "db01.corp.example" in state[BATCH].held.detail
        assert state[BATCH].phase is Phase.RESTARTED, "soaked proves that the ledger is known"
        assert not world.arrived(COMPLETE)
        learned = state[BATCH].ledger.learned_at
        assert (state[BATCH].held.since - learned).days >= 7, "flatness counts from the last host that was learned"

    @pytest.mark.parametrize("after", [START, COMPLETE])
    def test_the_original_is_deleted(self, after):
        world = weather({"kind": "object-deleted", "dn": ACCOUNT, "when": {"cmdlet": after}, "delay": "1s"})
        state = world.run()
        assert state[BATCH].held.reason == "original-missing"
        assert state[BATCH].failure == "failed"
        assert len(world.arrived(after)) == 1

    def test_the_original_is_moved_and_found_by_its_guid(self):
        world = weather(
            {"kind": "object-moved", "dn": ACCOUNT, "to": "OU=Managed,DC=corp,DC=example", "when": {"cmdlet": START}}
        )
        assert world.run()[BATCH].phase is Phase.COMPLETED
        assert world.arrived(COMPLETE)[0]["SupersededAccount"] == "CN=svc-batch,OU=Managed,DC=corp,DC=example"

    def test_a_copy_that_is_late_beyond_the_deadline(self):
        world = weather(
            {"kind": "partition", "host": "dc02.corp.example", "when": {"cmdlet": START}, "lasts": "20h"},
        )
        state = world.run()
        assert state[BATCH].held.reason == "not-converged"
        assert "dc02.corp.example" in state[BATCH].held.detail
        assert state[BATCH].phase is Phase.STARTED
        assert not world.arrived("New-ItemProperty")
        world.estate.advance_to(world.estate.now.replace(day=5))
        world.say(Released(migration=BATCH, by="operator", reason="mended"))
        assert world.run()[BATCH].phase is Phase.COMPLETED

    def test_a_copy_that_is_late_within_the_deadline(self):
        world = weather({"kind": "partition", "host": "dc02.corp.example", "when": {"cmdlet": START}, "lasts": "6h"})
        assert world.run()[BATCH].phase is Phase.COMPLETED


class TestClock:
    """Estate time that cannot be read."""

    def test_the_first_reading_is_lost(self):
        world = weather({"kind": "lost-request", "when": {"cmdlet": "Get-ADRootDSE", "host": DC}})
        world.run()
        assert world.run()[BATCH].phase is Phase.COMPLETED

    def test_during_the_hold_without_the_time_nothing_runs_away(self):
        world = weather({"kind": "lost-request", "when": {"cmdlet": "Get-ADRootDSE", "host": DC, "nth": 3}})
        world.run(until=Phase.RESTARTED)
        world.run()
        assert world.run()[BATCH].phase is Phase.COMPLETED
