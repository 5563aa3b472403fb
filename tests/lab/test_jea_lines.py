"""The quick start on JEA endpoints, by an operator without a single right; and no line of their files is too much.

Every line is taken away in turn. Without it a file is none, or something that the runs or the rest of the catalogue
send is refused, or runs otherwise. For what the runs send the run itself is repeated, and must not end well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import UUID

import pytest

from orchestrator.engine.outcome import exit_of
from orchestrator.lab.command import Request
from orchestrator.lab.jea import DataFileInvalid, Registered
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Cmdlet, Read, Write, cmdlet
from orchestrator.model.lifecycle import Phase, Way
from orchestrator.model.observation import Outcome
from orchestrator.remote import gate
from orchestrator.remote.catalogue import CATALOGUE, Effect
from orchestrator.remote.host_cmdlets import EVENT_LOGS, PARAMETERS, VALUE, WINDOWS
from tests.endpoints import DC, lay_out, lines, nobody, registered, without
from tests.world import World

COPY = "dc02.corp.example"
HOSTS = tuple(f"{name}.corp.example" for name in ("app01", "app02", "app03", "db01"))
MACHINES = (DC, "other-domain-controllers", *HOSTS)
ACCOUNT = "CN=svc-web,OU=Service Accounts,DC=corp,DC=example"
DMSA = "CN=dmsa-web,OU=Managed,DC=corp,DC=example"
CLASS = "msDS-DelegatedManagedServiceAccount"


def reads_of_a_controller(server: str) -> Iterator[Cmdlet]:
    """What the catalogue can ask of a domain controller and no run asks yet (on a copy: hardly anything)."""
    by = {"Server": server}
    target = {"Target": server, "Scope": "Server"}
    schema = "CN=Schema,CN=Configuration,DC=corp,DC=example"
    yield cmdlet("Get-ADRootDSE", Properties=("currentTime",), **by)
    yield cmdlet("Get-ADDomain", **by)
    yield cmdlet("Get-ADDomainController", Filter="*", **by)
    yield cmdlet("Get-ADObject", Identity=ACCOUNT, Properties=("cn",), IncludeDeletedObjects=True, **by)
    yield cmdlet("Get-ADObject", LDAPFilter=f"(cn={CLASS})", SearchBase=schema, SearchScope="OneLevel", **by)
    yield cmdlet("Get-ADServiceAccount", Identity=DMSA, Properties=("cn",), **by)
    yield cmdlet("Get-ADComputer", Identity="APP01$", **by)
    yield cmdlet("Get-ADComputer", LDAPFilter="(cn=app01)", Properties=("dNSHostName",), **by)
    yield cmdlet("Get-ADGroup", LDAPFilter="(cn=a)", **by)
    yield cmdlet("Get-ADReplicationPartnerMetadata", **target)
    yield cmdlet("Get-ADReplicationFailure", **target)
    yield cmdlet("Get-KdsRootKey")
    yield cmdlet("Get-WinEvent", LogName="Security", FilterXPath="*[System[EventID=4768]]", MaxEvents=10)
    yield cmdlet("Get-ItemProperty", LiteralPath=WINDOWS, Name=("CurrentBuild", "UBR"))
    yield cmdlet("Get-DmsaDescriptor", Identity=ACCOUNT, Attribute="nTSecurityDescriptor", Server=server)


def of_a_host() -> Iterator[Cmdlet]:
    """What the catalogue can ask of a host and the runs on these hosts do not."""
    yield cmdlet("Get-CimInstance", Namespace="root/MSCluster", ClassName="MSCluster_Resource")
    yield cmdlet("Get-WinEvent", ListLog="*Kerberos*")
    yield cmdlet("Get-WinEvent", FilterHashtable={"LogName": EVENT_LOGS[0], "Id": (307, 308)}, MaxEvents=10)
    yield cmdlet("wevtutil", arguments=("sl", EVENT_LOGS[0], "/e:true"))
    yield cmdlet("Remove-ItemProperty", LiteralPath=PARAMETERS, Name=VALUE)


def rest() -> dict[str, tuple[Cmdlet, ...]]:
    undo = cmdlet("Undo-ADServiceAccountMigration", Identity=DMSA, SupersededAccount=ACCOUNT, Server=DC)
    return {
        DC: (*reads_of_a_controller(DC), undo),
        COPY: tuple(reads_of_a_controller(COPY)),
        **dict.fromkeys(HOSTS, tuple(of_a_host())),
    }


@dataclass(frozen=True)
class Sent:
    """What arrived at the endpoints, each request once; those of the way forward, and all."""

    forward: tuple[Request, ...]
    runs: tuple[Request, ...]
    all: tuple[Request, ...]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return lay_out(tmp_path_factory.mktemp("jea"))


@cache
def sent(folder: Path) -> Sent:
    """Run forward, reset, and all the way back; then send the rest of the catalogue."""
    seen: dict[str, Request] = {}

    class Watched(Registered):
        def through(self, request):
            seen.setdefault(repr((request.host, request.statements)), request)
            return super().through(request)

    world = World(change_estate=nobody, registered=Watched(registered(folder).endpoints))
    assert exit_of(world.run(), world.plan) == 0
    forward = tuple(seen.values())
    for way in (Way.RESET, Way.ROLLBACK):
        world.ask_back(way)
        world.run()
    assert set(world.phases().values()) == {Phase.ROLLED_BACK}
    runs = tuple(seen.values())
    transport = MemoryTransport(world.estate, world.principal, registered=world.rehearsed.registered)
    for host, statements in rest().items():
        for statement in statements:
            writes = CATALOGUE[statement.name].effect is Effect.WRITES
            call = Write(host, statement) if writes else Read(host, (statement,))
            gate.check(call)
            transport.run(call, transport.ticket(host))
    return Sent(forward, runs, tuple(seen.values()))


def inside(endpoints: Registered, requests: tuple[Request, ...]) -> list[Request]:
    return [endpoints.through(request) for request in requests]


def refused(requests: list[Request]) -> list[str]:
    return [c.refused.id for request in requests for statement in request.statements for c in statement if c.refused]


def test_an_operator_without_any_right_finishes_the_quick_start_and_goes_back(folder):
    assert len(sent(folder).forward) > 50
    assert not refused(inside(registered(folder), sent(folder).all))


def test_without_the_endpoints_the_same_operator_does_nothing():
    world = World(change_estate=nobody)
    assert exit_of(world.run(), world.plan) == 4
    assert set(world.phases().values()) == {Phase.PLANNED}


def test_role_functions_do_their_work(folder):
    world = World(change_estate=nobody, registered=registered(folder))
    transport = MemoryTransport(world.estate, world.principal, registered=world.rehearsed.registered)
    (*_, descriptor) = reads_of_a_controller(DC)
    reply = transport.run(Read(DC, (descriptor,)), transport.ticket(DC))
    assert [record.text("Sddl")[:2] for record in reply.of("ActiveDirectorySecurity")] == ["O:"]
    assert not world.estate.machine("app01").event_log
    enable = Write(HOSTS[0], cmdlet("wevtutil", arguments=("sl", EVENT_LOGS[0], "/e:true")))
    assert transport.run(enable, transport.ticket(HOSTS[0])).outcome is Outcome.SUCCEEDED
    assert world.estate.machine("app01").event_log


def lines_of(place: Path, machine: str, part: int = 0, parts: int = 1) -> Iterator[tuple[str, str, Registered]]:
    """Take each line of a machine's files away in turn; yield file, line and endpoints, where there still are any."""
    host = COPY if machine == MACHINES[1] else machine
    for file in sorted((place / machine).rglob("*.ps*")):
        text = file.read_text(encoding="utf-8")
        for at, line in lines(text):
            if at % parts == part:
                file.write_text(without(text, at), encoding="utf-8")
                with suppress(DataFileInvalid):
                    yield file.name, line, Registered.read(place, [host], [DC, COPY])
        file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("machine", MACHINES)
def test_no_line_is_too_much(folder, tmp_path, machine):
    host = COPY if machine == MACHINES[1] else machine
    mine = tuple(request for request in sent(folder).all if request.host == host)
    whole = inside(registered(folder), mine)
    taken = 0
    for file, line, less in lines_of(lay_out(tmp_path), machine):
        taken += 1
        assert inside(less, mine) != whole, f"{file}: nothing needs {line}"
    assert taken > 20


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("machine", [DC, MACHINES[1], HOSTS[0]])
def test_the_run_does_not_end_well_without_a_line_that_it_needs(folder, tmp_path, machine, part):
    host = COPY if machine == MACHINES[1] else machine
    whole = registered(folder)
    ways = [tuple(r for r in some if r.host == host) for some in (sent(folder).forward, sent(folder).runs)]
    tried = 0
    for file, line, less in lines_of(lay_out(tmp_path), machine, part, 4):
        forward, back = (inside(less, some) != inside(whole, some) for some in ways)
        if forward or back:
            tried += 1
            endpoints = Registered({**whole.endpoints, **less.endpoints})
            assert not _ends_well(endpoints, back=not forward), f"{file}: the run does without {line}"
    assert tried


def _ends_well(endpoints: Registered, *, back: bool) -> bool:
    world = World(change_estate=nobody, registered=endpoints)
    state = world.run()
    if not back:
        return exit_of(state, world.plan) == 0
    world.ask_back(Way.RESET)
    world.run()
    if not set(world.phases().values()) <= {Phase.UNLINKED, Phase.ROLLED_BACK}:
        return False
    world.ask_back(Way.ROLLBACK)
    world.run()
    return set(world.phases().values()) == {Phase.ROLLED_BACK}


def test_what_the_runs_do_not_send_yet_is_known(folder):
    """The catalogue is ahead of the steps and guards; where they catch up, this list gets shorter."""
    used = {command.name for request in sent(folder).runs for statement in request.statements for command in statement}
    asked = {statement.name for statements in rest().values() for statement in statements}
    assert asked - used == {
        "Get-ADDomain",
        "Get-ADReplicationFailure",
        "Get-ADReplicationPartnerMetadata",
        "Get-DmsaDescriptor",
        "Get-WinEvent",
        "Undo-ADServiceAccountMigration",
        "wevtutil",
    }


def test_requests_are_told_apart_by_their_endpoint(folder):
    statement = (cmdlet("Get-KdsRootKey"),)
    request = Request(HOSTS[0], UUID(int=1), UUID(int=2), "CORP\\operator", (), "DmsaDirectory")
    assert registered(folder).through(request) is request, "a host has no such endpoint"
    world = World(change_estate=nobody, registered=registered(folder))
    transport = MemoryTransport(world.estate, "CORP\\svc-web", registered=world.rehearsed.registered)
    reply = transport.run(Read(DC, statement), transport.ticket(DC))
    assert (reply.outcome, reply.fault.code) == (Outcome.FAILED, "access-denied")
