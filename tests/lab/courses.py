"""What an operator without a right does through JEA endpoints: runs of plans that ship, verifications, and a probe."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from orchestrator.engine.outcome import exit_of
from orchestrator.lab.command import Request
from orchestrator.lab.estate.workloads import Workloads
from orchestrator.lab.jea import Registered
from orchestrator.model.lifecycle import Phase, Way
from tests.endpoints import nobody
from tests.probe.bench import Bench
from tests.verification.looking import verified
from tests.world import World

ENDS = {Way.UNDO: Phase.REOPENED, Way.RESET: Phase.UNLINKED, Way.ROLLBACK: Phase.ROLLED_BACK}


class Course(Protocol):
    """Something that is done from beginning to end."""

    @property
    def plan(self) -> str:
        """The plan's name."""

    def ends_well(self, endpoints: Registered) -> bool:
        """Do it through these endpoints, and say whether it came to its end."""


@dataclass(frozen=True)
class Run:
    """A plan carried out, and then taken back these ways, each of which begins where the one before ended.

    ``unforeseen``: the estate is one that the plan does not tell from its own, and by the way back every service is
    down.
    """

    plan: str
    ways: tuple[Way, ...] = ()
    unforeseen: bool = False

    def ends_well(self, endpoints: Registered) -> bool:
        world = World(
            f"plans/{self.plan}.yaml",
            f"plans/estates/{self.plan}.yaml",
            change_estate=_otherwise if self.unforeseen else _soon,
            registered=endpoints,
        )
        if exit_of(world.run(), world.plan) != 0:
            return False
        if self.unforeseen:
            _stop_services(world)
        for way in self.ways:
            world.ask_back(way)
            world.run()
            if set(world.phases().values()) != {ENDS[way]}:
                return False
        return True


@dataclass(frozen=True)
class Probe:
    """A disposable pair probed; it ends well where it learns all that it learns without any endpoint."""

    plan: str = "probe"

    def ends_well(self, endpoints: Registered) -> bool:
        return _learned(Bench(nobody, endpoints)) == _in_the_open()


@cache
def _in_the_open() -> Any:
    return _learned(Bench())


def _learned(bench: Bench) -> Any:
    inquiry = bench.ask()
    answers = {id_: finding.answer.value for id_, finding in inquiry.findings.items() if id_ != "second_hop"}
    return answers, inquiry.controller, inquiry.left, inquiry.ended_early


@dataclass(frozen=True)
class Verification:
    """A plan that is verified, once it is completed and one of its accounts was deleted by somebody.

    It ends well where that is found, what is left of the account is told, and nothing else is unknown.
    """

    plan: str

    def ends_well(self, endpoints: Registered) -> bool:
        world = World(
            f"plans/{self.plan}.yaml", f"plans/estates/{self.plan}.yaml", change_estate=_soon, registered=endpoints
        )
        if exit_of(world.run(), world.plan) != 0:
            return False
        account = world.far_side.account_entry(world.ids[0], world.far_side.controllers[0])
        if account is None:
            return False
        world.estate.directory.delete(world.far_side.controllers[0], account.guid)
        found = verified(world)
        told = [one for findings in found.found.values() for one in findings]
        return [one.id for one in told] == ["original-missing"] and "as a deleted object" in told[0].there


def _soon(estate: dict[str, Any]) -> None:
    """The operator has no right, and weeks pass in long jumps: fewer readings of a clock, the same commands."""
    nobody(estate)
    estate["clock"]["jump"] = "6h"


def _otherwise(estate: dict[str, Any]) -> None:
    """No host has the registry key, and every account has an SPN that goes away with it."""
    _soon(estate)
    for host in estate["hosts"]:
        host["kerberos"] = "no-key"
    for number, user in enumerate(estate["users"]):
        user.setdefault("spns", [f"HTTP/service{number}"])


def _stop_services(world: World) -> None:
    for migration in world.plan.migrations():
        for host in migration.hosts:
            for name in host.services:
                Workloads.stop_service(world.estate.machine(host.name).services[name.lower()])


PLANS = ("quickstart", "one-account", "reboot", "shared-host", "web-farm", "probe")
COURSES: tuple[Course, ...] = (
    *(Run(plan, ways) for plan in PLANS for ways in ((), (Way.RESET, Way.ROLLBACK), (Way.UNDO, Way.ROLLBACK))),
    *(Run(plan, (Way.RESET, Way.ROLLBACK), unforeseen=True) for plan in PLANS),
    *(Verification(plan) for plan in PLANS),
    Probe(),
)
"""The less is done the earlier: what a plan needs at all is found with its first one."""


def watched(course: Course, endpoints: Registered) -> tuple[Request, ...]:
    """Return what arrives at the endpoints in a course that ends well, each request once."""
    seen: dict[str, Request] = {}

    class Watched(Registered):
        def through(self, request: Request) -> Request:
            seen.setdefault(repr((request.host, request.configuration, request.statements)), request)
            return super().through(request)

    assert course.ends_well(Watched(endpoints.endpoints)), course
    return tuple(seen.values())
