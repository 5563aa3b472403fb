"""The plans that ship on JEA endpoints, by an operator without a single right; and no line of their files is too much.

Every line is taken away in turn, and every entry as a whole. Without it a file is none, so that it cannot be
registered, or something that a course sends is refused or runs otherwise. For a sample of them that course is tried
again, and must not end well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from uuid import UUID

import pytest

from orchestrator.engine.outcome import exit_of
from orchestrator.lab.command import Request
from orchestrator.lab.jea import DataFileInvalid, Registered
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Read, Write, cmdlet
from orchestrator.model.lifecycle import Phase
from orchestrator.model.observation import Outcome
from orchestrator.remote.catalogue import CATALOGUE
from orchestrator.remote.host_cmdlets import EVENT_LOGS
from orchestrator.remote.jea import OTHER_CONTROLLERS, Part, Role, Shown
from tests.endpoints import DC, files, lay_out, less, nobody, registered, spec, write
from tests.lab.courses import COURSES, Course, Probe, watched
from tests.whole import some
from tests.world import World

PLANS = tuple(dict.fromkeys(course.plan for course in COURSES))
COPY = "dc02.corp.example"


def machines(plan: str) -> tuple[str, ...]:
    others = [OTHER_CONTROLLERS] if len(spec(plan).dcs) > 1 else []
    return (DC, *others, *(host.name for host in spec(plan).hosts))


@dataclass(frozen=True)
class Laid:
    """A plan's endpoints, and what each of its courses sends through them."""

    endpoints: Registered
    sent: tuple[tuple[Course, tuple[Request, ...]], ...]

    def commands(self) -> set[str]:
        """The names of all commands that are sent."""
        return {
            c.name for _, requests in self.sent for each in requests for statement in each.statements for c in statement
        }


@pytest.fixture(scope="module")
def laid(tmp_path_factory) -> Callable[[str], Laid]:
    @cache
    def of(plan: str) -> Laid:
        endpoints = registered(lay_out(tmp_path_factory.mktemp(plan), plan), plan)
        return Laid(endpoints, tuple((one, watched(one, endpoints)) for one in COURSES if one.plan == plan))

    return of


def inside(endpoints: Registered, requests: tuple[Request, ...]) -> list[Request]:
    return [endpoints.through(request) for request in requests]


def refused(requests: list[Request]) -> list[str]:
    return [c.name for request in requests for statement in request.statements for c in statement if c.refused]


def lessened(place: Path, plan: str, machine: str) -> Iterator[tuple[str, Registered]]:
    """Take each thing that a machine's files say away; yield it and the endpoints, where there still are any."""
    hosts = [dc.name for dc in spec(plan).dcs if dc.name != DC] if machine == OTHER_CONTROLLERS else [machine]
    for file in sorted((lay_out(place, plan) / machine).rglob("*.ps*")):
        text = file.read_text(encoding="utf-8")
        for said, rest in less(text):
            file.write_text(rest, encoding="utf-8")
            with suppress(DataFileInvalid):
                yield f"{file.name}: {said}", Registered.read(place, hosts, [DC, *hosts])
        file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("plan", PLANS)
def test_an_operator_without_any_right_finishes_every_course(laid, plan):
    for _, requests in laid(plan).sent:
        assert len(requests) > 10
        assert not refused(inside(laid(plan).endpoints, requests))


@pytest.mark.parametrize(("plan", "machine"), [(plan, machine) for plan in PLANS for machine in machines(plan)])
def test_something_that_is_sent_needs_every_line(laid, tmp_path, plan, machine):
    whole = laid(plan).endpoints.endpoints
    with_all = [(requests, inside(laid(plan).endpoints, requests)) for _, requests in laid(plan).sent]
    tried = 0
    for said, endpoints in lessened(tmp_path, plan, machine):
        tried += 1
        without = Registered({**whole, **endpoints.endpoints})
        assert any(inside(without, requests) != was for requests, was in with_all), f"nothing needs {said}"
    assert tried > 5


TRIED = [
    *(
        (machine, "quickstart", part, 12)
        for machine in (DC, OTHER_CONTROLLERS, "app01.corp.example")
        for part in some(range(12), 5)
    ),
    ("scada02.corp.example", "reboot", 0, 1),
    ("web01.corp.example", "web-farm", 0, 1),
    (DC, "probe", 0, 1),
]
"""Machines whose courses are tried again: between them they are shown every command there is."""
WAITED_FOR = {"Start-ScheduledTask"}
"""Without it a run ends well, a day later: a task that cannot be started proves itself by its next scheduled run."""


@pytest.mark.parametrize(("machine", "plan", "part", "parts"), TRIED)
def test_the_course_does_not_end_well_without_a_line(laid, tmp_path, plan, machine, part, parts):
    whole = laid(plan).endpoints
    with_all = [(course, requests, inside(whole, requests)) for course, requests in laid(plan).sent]
    known = laid("quickstart").commands() if plan != "quickstart" else set()
    tried = 0
    for said, endpoints in islice(lessened(tmp_path, plan, machine), part, None, parts):
        without = Registered({**whole.endpoints, **endpoints.endpoints})
        tries = ((course, inside(without, requests), was) for course, requests, was in with_all)
        needs, changed = next((course, now) for course, now, was in tries if now != was)
        if set(refused(changed)) <= known and not isinstance(needs, Probe):
            continue
        tried += 1
        assert set(refused(changed)) == WAITED_FOR or not needs.ends_well(without), f"{needs} does without {said}"
    assert tried


def test_without_the_endpoints_the_same_operator_does_nothing():
    world = World(change_estate=nobody)
    assert exit_of(world.run(), world.plan) == 4
    assert set(world.phases().values()) == {Phase.PLANNED}


def test_requests_are_told_apart_by_their_endpoint(laid):
    endpoints = laid("quickstart").endpoints
    statement = (cmdlet("Get-KdsRootKey"),)
    request = Request("app01.corp.example", UUID(int=1), UUID(int=2), "CORP\\operator", (), "DmsaDirectory")
    assert endpoints.through(request) is request, "a host has no such endpoint"
    world = World(change_estate=nobody, registered=endpoints)
    transport = MemoryTransport(world.estate, "CORP\\svc-web", registered=world.rehearsed.registered)
    reply = transport.run(Read(DC, statement), transport.ticket(DC))
    assert (reply.outcome, reply.fault.code) == (Outcome.FAILED, "access-denied")


def test_role_functions_do_their_work(tmp_path):
    """Nothing asks for the second one yet, so that no plan's endpoint shows it: here it has one of its own."""
    world = World("plans/probe.yaml", "plans/estates/probe.yaml", change_estate=nobody)
    account = "CN=svc-probe,OU=Disposable,DC=corp,DC=example"
    descriptor = cmdlet("Get-DmsaDescriptor", Identity=account, Attribute="nTSecurityDescriptor", Server=DC)
    transport = through(world, registered(lay_out(tmp_path / "probe", "probe"), "probe"))
    reply = transport.run(Read(DC, (descriptor,)), transport.ticket(DC))
    assert [record.text("Sddl")[:2] for record in reply.of("ActiveDirectorySecurity")] == ["O:"]

    host = "probe01.corp.example"
    only = Role(Part.HOST, (Shown(CATALOGUE["wevtutil"], {}),))
    write(tmp_path / "log", files({host: only}, "probe"))
    transport = through(world, Registered.read(tmp_path / "log", [host], []))
    assert not world.estate.machine("probe01").event_log
    enable = Write(host, cmdlet("wevtutil", arguments=("sl", EVENT_LOGS[0], "/e:true")))
    assert transport.run(enable, transport.ticket(host)).outcome is Outcome.SUCCEEDED
    assert world.estate.machine("probe01").event_log


def through(world: World, endpoints: Registered) -> MemoryTransport:
    return MemoryTransport(world.estate, world.principal, registered=endpoints)
