"""A plan that changes while weeks pass: a host joins and catches up, one leaves and is still restored."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.model.before import HostSnapshotTaken
from orchestrator.model.event import AttemptStarted, Moved, Released
from orchestrator.model.lifecycle import PATH, Phase, Trigger, Way
from tests.whole import some
from tests.world import Crash, Doom, World

ID, ERP = "dmsa-batch", "dmsa-erp"
OLD, NEW = "app02.corp.example", "app09.corp.example"
BACK_TO_LINK = (Phase.REGISTERED, Phase.RESTARTED, Phase.SOAKED)
BEFORE_COMPLETE = PATH[: PATH.index(Phase.SWITCHED)]


def short(plan: dict[str, Any]) -> None:
    """Two accounts, one wave each, with a dwell of hours."""
    pilot, main = plan["waves"]
    pilot["migrations"] = [one for one in pilot["migrations"] if one["dmsa"]["name"] == ID]
    main["migrations"] = [one for one in main["migrations"] if one["dmsa"]["name"] == ERP]
    weeks = {"guard": "dwell-minimum", "reason": "weeks are not the point", "approved_by": ["ann"]}
    helper = {"guard": "host-inventory-complete", "reason": "it joins later, or never", "approved_by": ["ann"]}
    for migration in (*pilot["migrations"], *main["migrations"]):
        migration["waivers"] = [weeks, helper]
    plan["policy"] = {"dwell": "2h", "flat_for": "2h", "ledger_every": "1h"}


def third_host(estate: dict[str, Any]) -> None:
    services = [
        {"name": "BatchNight", "log_on": "CORP\\svc-batch"},
        {"name": "BatchHelper", "log_on": "CORP\\svc-batch"},
    ]
    estate["hosts"].append({"name": NEW, "site": "Berlin", "kerberos": "absent", "services": services})


def world(**change: Any) -> World:
    return World(change_plan=short, change_estate=third_host, **change)


def hosts(plan: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plan["waves"][0]["migrations"][0]["hosts"]
    return found


def joins(plan: dict[str, Any]) -> None:
    hosts(plan).append({"name": NEW, "services": ["BatchNight"]})


def leaves(plan: dict[str, Any]) -> None:
    hosts(plan)[:] = [one for one in hosts(plan) if one["name"] != OLD]


def restarts(world: World) -> Counter[str]:
    return Counter(str(one["Name"]) for one in world.arrived("Restart-Service"))


def switch(world: World, host: str) -> object:
    return world.estate.machines[host].kerberos


@pytest.mark.parametrize("phase", BEFORE_COMPLETE)
def test_a_host_that_joins_catches_up_and_nothing_is_restarted_twice(phase):
    one = world()
    one.run([ID], until=phase)
    if phase is Phase.PLANNED:
        one.run([ERP], until=phase)  # the run has begun, and nothing of it
    before = one.state()[ID]
    found = one.amend(joins)
    assert not found.refusals
    after = one.state()[ID]
    assert after.phase is (Phase.LINKED if phase in BACK_TO_LINK else phase)
    assert [move.trigger for move in found.moves] == [Trigger.AMEND] * (phase in BACK_TO_LINK)

    one.run([ID], until=Phase.RESTARTED)
    state = one.state()[ID]
    assert restarts(one) == {"BatchRunner": 1, "BatchNight": 1}
    assert (state.hosts[OLD].restarted, state.hosts[NEW].restarted) == (True, True)
    assert state.dwell_started is not None
    if phase in BACK_TO_LINK:
        assert state.converged_at == before.converged_at
        assert before.registry_at is not None
        assert state.dwell_started > before.registry_at, "it begins anew with what was read back last"
    assert state.snapshot.hosts.keys() == {OLD, NEW}
    one.run()
    assert set(one.phases().values()) == {Phase.COMPLETED}
    assert len(one.arrived("Start-ADServiceAccountMigration")) == len(one.ids)


def test_its_before_is_on_disk_before_anything_is_written_there():
    one = world()
    one.run([ID], until=Phase.RESTARTED)
    one.amend(joins)
    one.run([ID], until=Phase.RESTARTED)
    about = [
        event
        for event in one.events()
        if (isinstance(event, HostSnapshotTaken) and event.host == NEW)
        or (isinstance(event, AttemptStarted) and event.subject == NEW)
    ]
    assert isinstance(about[0], HostSnapshotTaken)
    assert about[0].before.value is None
    assert len(about) > 2


def test_a_guard_looks_at_a_host_that_joins_first():
    one = World(change_plan=short, change_estate=lambda e: (third_host(e), e["hosts"][-1].update(build=20348)))
    one.run([ID], until=Phase.RESTARTED)
    one.amend(joins)
    state = one.run([ID])[ID]
    assert state.held is not None
    assert (state.held.reason, state.held.subject, state.phase) == ("guard:host-capable", "directory", Phase.LINKED)
    assert NEW in state.held.detail
    assert NEW not in state.snapshot.hosts
    one.amend(lambda plan: hosts(plan).pop())
    one.say(Released(migration=ID, by="ann", reason="the host is too old; it leaves the plan again"))
    one.run([ID])
    assert one.phases()[ID] is Phase.COMPLETED
    assert restarts(one)["BatchNight"] == 0


def test_a_workload_that_joins_is_restarted_and_its_neighbour_is_not():
    one = world()
    one.run([ID], until=Phase.RESTARTED)
    one.amend(joins)
    one.run([ID], until=Phase.RESTARTED)
    found = one.amend(lambda plan: hosts(plan)[-1]["services"].append("BatchHelper"))
    assert [follows.what for follows in found.follows] == ["host-joins", "returns-to-linked"]
    one.run([ID], until=Phase.RESTARTED)
    assert restarts(one) == {"BatchRunner": 1, "BatchNight": 1, "BatchHelper": 1}
    state = one.run([ID])[ID]
    assert state.phase is Phase.COMPLETED
    assert state.snapshot.hosts[NEW].services.keys() == {"BatchNight", "BatchHelper"}


@pytest.mark.parametrize("phase", [Phase.LINKED, Phase.REGISTERED, Phase.RESTARTED, Phase.SOAKED, Phase.COMPLETED])
def test_a_host_that_left_the_plan_is_restored_on_the_way_back(phase):
    one = world()
    one.run([ERP], until=Phase.PLANNED)
    one.amend(joins)
    one.run([ID], until=phase)
    found = one.amend(leaves)
    assert not found.refusals
    duties = [follows.detail for follows in found.follows if follows.what == "duties-stay"]
    written = phase is not Phase.LINKED
    assert duties == [
        f"{OLD}: a way back still {'restores its registry value, ' if written else ''}looks at BatchRunner"
    ]
    one.ask_back(Way.ROLLBACK, [ID])
    one.run([ID])
    assert one.phases()[ID] is Phase.ROLLED_BACK
    assert (switch(one, OLD), switch(one, NEW)) == ("absent" if written else "no-key", "absent")
    machine = one.estate.machines[OLD]
    assert all(service.running for service in machine.services.values())


def test_forward_nothing_more_is_done_at_a_host_that_left():
    one = world()
    one.run([ERP], until=Phase.PLANNED)
    one.amend(joins)
    one.run([ID], until=Phase.REGISTERED)
    one.amend(leaves)
    one.run([ID], until=Phase.RESTARTED)
    assert restarts(one) == {"BatchNight": 1}


def test_the_last_host_that_was_left_may_leave():
    """The others are done already: what is next is the move itself."""
    one = world()
    one.run([ERP], until=Phase.PLANNED)
    one.amend(joins)
    one.run([ID], until=Phase.LINKED)
    one.estate.machines[NEW].down_until = one.estate.now.replace(year=2027)
    state = one.run([ID])[ID]
    assert state.held is not None
    assert state.done == {OLD}
    one.amend(lambda plan: hosts(plan).pop())
    one.say(Released(migration=ID, by="ann", reason="the host is gone"))
    one.run([ID])
    assert one.phases()[ID] is Phase.COMPLETED


@pytest.mark.parametrize("phase", [Phase.COMPLETED, Phase.SWITCHED])
def test_no_host_joins_once_complete_was_sent(phase):
    one = world()
    one.run([ID], until=phase)
    (refusal,) = one.amend(joins).refusals
    assert f"{ID} is {phase}, and Complete was sent: {NEW} can no longer join" in refusal
    assert one.state()[ID].phase is phase


def test_no_host_joins_on_a_way_back_and_a_new_attempt_has_it():
    one = world()
    one.run([ID], until=Phase.RESTARTED)
    one.ask_back(Way.RESET, [ID])
    one.run([ID])
    (refusal,) = one.amend(joins).refusals
    assert f"{ID} is on its way back" in refusal
    one.ask_back(Way.ROLLBACK, [ID])
    one.run([ID])
    assert not one.amend(joins).refusals
    one.say(Released(migration=ID, by="ann", reason="again", forward=True))
    one.run([ID])
    assert one.phases()[ID] is Phase.COMPLETED
    assert one.state()[ID].snapshot.hosts.keys() == {OLD, NEW}


def other_account(plan: dict[str, Any]) -> None:
    plan["waves"][0]["migrations"][0]["account"] = "CN=svc-web,OU=Service Accounts,DC=corp,DC=example"


def other_dmsa(plan: dict[str, Any]) -> None:
    plan["waves"][0]["migrations"][0]["dmsa"]["dns_host_name"] = "other.corp.example"


def without(plan: dict[str, Any]) -> None:
    plan["waves"] = plan["waves"][1:]
    plan["waves"][0]["needs"] = []


@pytest.mark.parametrize("change", [other_account, other_dmsa, without])
@pytest.mark.parametrize("phase", [*PATH[1:], Phase.ROLLED_BACK])
def test_what_was_begun_keeps_its_account_and_its_dmsa_and_stays(change: Callable[..., None], phase):
    one = world()
    if phase is Phase.ROLLED_BACK:
        one.run([ID], until=Phase.PREPARED)
        one.ask_back(Way.ROLLBACK, [ID])
        one.run([ID])
    else:
        one.run([ID], until=phase)
    found = one.amend(change)
    may = change is without and phase is Phase.ROLLED_BACK
    assert bool(found.refusals) is not may
    assert one.state().digest == one.digest


@pytest.mark.parametrize("change", [other_account, other_dmsa, without])
def test_what_was_not_begun_may_become_another(change):
    one = world()
    one.run([ERP], until=Phase.PLANNED)
    assert not one.amend(change).refusals


def of_the_farm(*numbers: int) -> Callable[[dict[str, Any]], None]:
    def change(plan: dict[str, Any]) -> None:
        migration = plan["waves"][0]["migrations"][0]
        migration["hosts"] = [
            {"name": f"web0{n}.corp.example", "services": ["ShopFront"], "app_pools": ["Shop"]} for n in numbers
        ]

    return change


@pytest.mark.parametrize("phase", BACK_TO_LINK)
def test_application_pools_are_not_restarted_twice_either(phase):
    """Nothing can be read of a pool's restart: what was acknowledged, or seen done, is remembered."""
    one = World("plans/web-farm.yaml", "plans/estates/web-farm.yaml", change_plan=of_the_farm(1, 2))
    one.run(until=phase)
    one.amend(of_the_farm(1, 2, 3))
    one.run(until=Phase.RESTARTED)
    assert one.phases() == {"dmsa-www": Phase.RESTARTED}
    assert len(one.arrived("Restart-WebAppPool")) == 3
    assert restarts(one) == {"ShopFront": 3}


def test_nor_where_the_amendment_arrives_amid_the_restarts(monkeypatch):
    import tests.world

    amid = 0
    for n in range(8, 60, 2):
        one = World("plans/web-farm.yaml", "plans/estates/web-farm.yaml", change_plan=of_the_farm(1, 2))
        found: list[Any] = []

        def wrapped(inner: Any, _doom: Doom, one: World = one, n: int = n, found: list[Any] = found) -> AmendsAt:
            return AmendsAt(inner, n, lambda: found.append(one.amend(of_the_farm(1, 2, 3))))

        with monkeypatch.context() as patched:
            patched.setattr(tests.world, "MortalJournal", wrapped)
            one.run(until=Phase.RESTARTED)
        if not found:
            break  # the run has fewer appends
        amid += bool(one.arrived("Restart-WebAppPool")) and one.phases() == {"dmsa-www": Phase.LINKED}
        one.run(until=Phase.RESTARTED)
        assert len(one.arrived("Restart-WebAppPool")) == 3, n
        assert restarts(one) == {"ShopFront": 3}, n
    assert amid, "at least once pools had been restarted when it came"


def test_a_task_that_has_proved_itself_need_not_run_again():
    report, app01 = "dmsa-report", "app01.corp.example"

    def only_report(plan: dict[str, Any]) -> None:
        plan["waves"] = plan["waves"][:1]
        plan["waves"][0]["migrations"] = plan["waves"][0]["migrations"][:1]

    def joins_report(plan: dict[str, Any]) -> None:
        hosts(plan).append({"name": NEW, "services": ["ReportNight"]})

    def more(estate: dict[str, Any]) -> None:
        third_host(estate)
        estate["hosts"][-1]["services"] = [{"name": "ReportNight", "log_on": "CORP\\svc-report"}]

    one = World(change_plan=only_report, change_estate=more)
    one.run(until=Phase.RESTARTED)
    one.amend(joins_report)
    began = one.estate.now
    state = one.run(until=Phase.RESTARTED)[report]
    assert state.phase is Phase.RESTARTED
    assert (one.estate.now - began).total_seconds() < 3600, "the next night is not waited for"
    assert {seen.name: seen.state for seen in state.hosts[app01].workloads} == {
        "ReportServer": "running",
        "\\Reports\\Nightly": "idle",
    }


def test_who_catches_up_takes_a_place_of_the_wave():
    def together(plan: dict[str, Any]) -> None:
        short(plan)
        plan["waves"] = [
            {"name": "only", "at_once": 1, "migrations": [m for w in plan["waves"] for m in w["migrations"]]}
        ]

    one = World(change_plan=together, change_estate=third_host)
    one.run([ID], until=Phase.RESTARTED)
    one.run([ERP], until=Phase.LINKED)
    one.amend(joins)
    state = one.run([ID])
    assert state[ID].phase is Phase.LINKED
    assert not state[ID].in_flight
    one.run()
    assert set(one.phases().values()) == {Phase.COMPLETED}
    flying = 0
    for event in one.events():
        if isinstance(event, Moved) and event.dest in (Phase.RESTARTED, Phase.COMPLETED):
            flying -= 1
        flying += event.kind == "admitted"
        assert flying <= 1


class AmendsAt:
    """A handle on the journal before whose *n*-th append an operator's amendment arrives."""

    def __init__(self, inner: Any, n: int, amend: Callable[[], object]) -> None:
        self._inner, self._n, self._amend, self._appends = inner, n, amend, 0

    def append(self, entries: Any, **more: Any) -> int:
        self._appends += 1
        if self._appends == self._n:
            self._amend()
        head: int = self._inner.append(entries, **more)
        return head

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@functools.cache
def appends() -> int:
    one, doom = world(), Doom()
    one.run([ID], doom=doom)
    return doom.passed // 2


@pytest.mark.parametrize("part", range(4))
def test_an_amendment_that_arrives_at_any_moment_stops_the_runner_and_the_next_one_finishes(monkeypatch, part):
    import tests.world

    refused = stopped = 0
    for n in range(3 + part, appends(), 4):  # by the third the run has begun: the clock's shell came first
        one = world()
        found: list[Any] = []
        with monkeypatch.context() as patched:
            wrapped = lambda inner, _doom, one=one, n=n, found=found: AmendsAt(  # noqa: E731
                inner, n, lambda: found.append(one.amend(joins))
            )
            patched.setattr(tests.world, "MortalJournal", wrapped)
            one.run([ID], together=None if n % 2 else 1)
        if not found:
            continue
        (found_,) = found
        refused += bool(found_.refusals)
        if not found_.refusals:
            stopped += 1
            assert one.events()[-1].kind == "runner-left"
            assert one.events()[-1].reason == "the plan was amended"
        one.run([ID])
        assert one.phases()[ID] is Phase.COMPLETED, n
        assert len(one.arrived("Start-ADServiceAccountMigration")) == 1
        assert len(one.arrived("Complete-ADServiceAccountMigration")) == 1
        both = restarts(one)
        assert both["BatchRunner"] == 2, f"amended at append {n}"
        assert both["BatchNight"] == (0 if found_.refusals else 2)
    assert stopped > refused >= 0


@pytest.mark.parametrize("part", range(4))
def test_killed_at_any_moment_of_catching_up_nothing_is_done_twice(part):
    def begun() -> World:
        one = world()
        one.run([ID], until=Phase.RESTARTED)
        one.amend(joins)
        return one

    counting, doom = begun(), Doom()
    counting.run([ID], doom=doom)
    for at in some(range(1, doom.passed + 1), 3)[part::4]:
        one = begun()
        with pytest.raises(Crash):
            one.run([ID], doom=Doom(at))
        one.run([ID])
        assert one.phases()[ID] is Phase.COMPLETED
        assert restarts(one) == {"BatchRunner": 2, "BatchNight": 2}, f"killed at moment {at}"
