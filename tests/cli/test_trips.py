"""Reads that share a pipeline: each gets just what it would have got alone, or is asked alone after all."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.cli.readings import KEPT, Readings
from orchestrator.cli.trips import ROOM, TRIES, Trip, Wanted, rest, settled, trips
from orchestrator.engine.apart import MOST
from orchestrator.engine.preflight import asks, next_gate
from orchestrator.engine.shapes import shape_of
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Call, Cmdlet, Read, Ticket, cmdlet
from orchestrator.model.case import Case, Seen
from orchestrator.model.lifecycle import Phase
from orchestrator.model.observation import Fault, FaultKind, Outcome, Record, RemoteError, Reply
from orchestrator.remote.inline import InlinePool
from orchestrator.remote.traffic import HOSTS_AT_ONCE
from orchestrator.remote.transport import Leave
from orchestrator.verification import asks as verification_asks
from tests.bench import generate
from tests.endpoints import lay_out, registered
from tests.world import World

ACCOUNTS, HOSTS_EACH = 7, 4
HOSTS = sorted({host for hosts in generate.placed(ACCOUNTS, HOSTS_EACH).values() for host in hosts})


class Frozen:
    """An estate whose time stands still, so that the same question has the same answer."""

    def __init__(self, world: World) -> None:
        self._estate = world.estate

    def advance(self, delta: timedelta) -> None:
        del delta

    def __getattr__(self, name: str) -> Any:
        return getattr(self._estate, name)


class Asker:
    """Sends reads one after the other, and counts them."""

    def __init__(self, world: World) -> None:
        self.transport = MemoryTransport(
            Frozen(world),  # type: ignore[arg-type]  # an estate for all that the transport wants
            world.principal,
            registered=world.rehearsed.registered,
        )
        self.sent: list[Read] = []

    def ask(self, read: Read) -> Reply:
        self.sent.append(read)
        ticket = self.transport.ticket(read.endpoint)
        assert ticket is not None
        return self.transport.run(read, ticket)

    def alone(self, one: Wanted) -> Reply:
        for _ in range(TRIES):
            reply = self.ask(one.read)
        return reply

    def carried(self, trip: Trip) -> list[Reply]:
        """Return every answer that a trip leads to, in the order of its parts."""
        waiting, answers = [trip], dict[int, Reply]()
        while waiting:
            one = waiting.pop(0)
            one.tries += 1
            found, again = settled(one, self.ask(one.read))
            waiting += again
            for wanted, reply in found:
                assert id(wanted) not in answers, "one answer each"
                answers[id(wanted)] = reply
        return [answers[id(wanted)] for wanted in trip.parts]


def world(changes: dict[str, Any]) -> World:
    """Return a world of many accounts on few hosts, in which some things are not as they should be."""

    def plan(data: dict[str, Any]) -> None:
        data.clear()
        data.update(yaml.safe_load(generate.plan("p", ACCOUNTS, HOSTS_EACH, 1)))
        for migration in data["waves"][0]["migrations"]:
            for host in migration["hosts"]:
                number = int(host["name"][1:6])
                if number in changes["pools"]:
                    host["app_pools"] = [f"Pool-{migration['dmsa']['name']}", "Shared"]
                if number in changes["tasks"]:
                    host["tasks"] = [f"\\{migration['dmsa']['name']}\\Nightly", "\\Same"]

    def estate(data: dict[str, Any]) -> None:
        data.clear()
        data.update(yaml.safe_load(generate.estate("p", ACCOUNTS, HOSTS_EACH)))
        spoil(data, changes)

    return World(change_plan=plan, change_estate=estate)


def spoil(data: dict[str, Any], changes: dict[str, Any]) -> None:
    data["switches"] = {"batch_goes_on_after_error": changes["goes_on"]}
    data["operator"] = {"rights": changes["rights"]}
    names = [user["dn"] for user in data["users"]]
    data["users"] = [user for n, user in enumerate(data["users"]) if n not in changes["missing"]]
    for n in changes["same_spn"]:
        spn = f"APP/svc-{n:05d}.corp.example"
        data["users"].append({"dn": f"CN=other-{n},OU=Service Accounts,DC=corp,DC=example", "spns": [spn, "APP/more"]})
    there = {user["dn"] for user in data["users"]}
    data["groups"] = [
        {
            "dn": f"CN=group-{k},OU=Service Accounts,DC=corp,DC=example",
            "members": sorted(there & {names[n] for n in who}),
        }
        for k, who in enumerate(changes["groups"])
    ]
    data["dmsas"] = [
        {"dn": f"CN=dmsa-{n:05d},OU=Managed,DC=corp,DC=example"}
        | (
            {"state": 2, "supersedes": names[n], "linked_by": "dmsa"}
            if n in changes["half"] and names[n] in there
            else {}
        )
        for n in changes["dmsas"]
    ]
    for host in data["hosts"]:
        number = int(host["name"][1:6])
        host["listening"] = number not in changes["deaf"]
        host["services"] = host["services"][1:] if number in changes["fewer_services"] else host["services"]
        host["cluster"] = [] if number in changes["nodes"] else None
        if number in changes["pools"]:
            host["app_pools"] = [{"name": "Shared"}, {"name": "Pool-dmsa-00001", "log_on": "CORP\\svc-00001"}]
        if number in changes["tasks"]:
            host["tasks"] = [{"path": "\\Same", "log_on": "CORP\\svc-00000"}]
            host["tasks"] += [{"path": f"\\dmsa-{n:05d}\\Nightly", "log_on": f"CORP\\svc-{n:05d}"} for n in range(4)]


some_accounts = st.sets(st.integers(0, ACCOUNTS - 1), max_size=4)
some_hosts = st.sets(st.sampled_from(HOSTS), max_size=3)
estates = st.fixed_dictionaries(
    {
        "goes_on": st.booleans(),
        "rights": st.sampled_from([["read", "read-dmsa", "write", "hosts"], ["read", "hosts"], ["read-dmsa"]]),
        "missing": some_accounts,
        "same_spn": some_accounts,
        "groups": st.lists(some_accounts, max_size=4),
        "dmsas": some_accounts,
        "half": some_accounts,
        "deaf": some_hosts,
        "fewer_services": some_hosts,
        "nodes": some_hosts,
        "pools": some_hosts,
        "tasks": some_hosts,
    }
)
WELL: dict[str, Any] = {
    **dict.fromkeys(("missing", "same_spn", "groups", "dmsas", "half", "deaf", "fewer_services", "nodes"), ()),
    **dict.fromkeys(("pools", "tasks"), ()),
    "goes_on": False,
    "rights": ["read", "read-dmsa", "hosts"],
}


def rounds(of: World) -> Iterator[tuple[dict[str, tuple[Read, ...]], dict[str, list[tuple[Read, Reply]]]]]:
    """Yield what each round asks, and a place for the answers that the next one goes by."""
    run, at = of.state(), of.estate.now
    cases = {id_: Case.of(run, of.plan, id_, at, timedelta(0)) for id_ in of.ids}
    stages = {id_: stage for id_, case in cases.items() if (stage := next_gate(case.state))}
    seen = {id_: Seen(id_, since=at) for id_ in of.ids}
    while True:
        asked = {id_: asks(case, stages[id_], seen[id_]) for id_, case in cases.items()}
        if not any(asked.values()):
            return
        came: dict[str, list[tuple[Read, Reply]]] = {id_: [] for id_ in of.ids}
        yield asked, came
        seen = {id_: seen[id_].plus(replies) for id_, replies in came.items()}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(estates)
def test_together_each_is_answered_as_if_it_were_asked_alone(changes: dict[str, Any]):
    some = world(changes)
    for asked, came in rounds(some):
        for trip in trips(asked):
            answers = Asker(some).carried(Trip(trip.parts))
            for one, answer in zip(trip.parts, answers, strict=True):
                alone = Asker(some).alone(one)
                assert answer == alone, one.read
                for id_ in one.ids:
                    came[id_].append((one.read, alone))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(estates)
def test_whatever_a_statement_puts_out_fits_its_shape(changes: dict[str, Any]):
    some = world(changes)
    asker = Asker(some)
    for asked, came in rounds(some):
        for trip in trips(asked):
            for one in trip.parts:
                for statement in one.read.statements:
                    shape, reply = shape_of(statement), asker.ask(Read(one.read.endpoint, (statement,)))
                    if shape is not None:
                        assert all(shape.fits(record) for record in reply.records), statement
                        many = len(reply.records)
                        assert many <= (shape.most or many)
                        assert shape.least <= many or reply.errors or reply.fault
                reply = asker.alone(one)
                for id_ in one.ids:
                    came[id_].append((one.read, reply))


@pytest.mark.parametrize("jea", [False, True], ids=["plain", "JEA"])
def test_descriptors_that_share_a_pipeline_are_read_on_every_endpoint(tmp_path: Path, jea: bool):
    """A restricted endpoint gives them as bare text, among the objects of everything else."""
    some = World(registered=registered(lay_out(tmp_path)) if jea else None)
    asker, shared = Asker(some), 0
    for asked, came in rounds(some):
        for trip in trips(asked):
            for one, reply in zip(trip.parts, asker.carried(Trip(trip.parts)), strict=True):
                assert reply == Asker(some).alone(one), one.read
                if one.read.statements[0].name == "Get-DmsaDescriptor":
                    shared += len(trip.parts) > 1
                    assert [record.text("Sddl")[:2] for record in reply.records] == ["O:"]
                for id_ in one.ids:
                    came[id_].append((one.read, reply))
    assert shared >= len(some.ids)


@pytest.mark.parametrize("phase", [None, Phase.PREPARED, Phase.RESTARTED, Phase.COMPLETED])
def test_verify_is_answered_together_as_alone(phase: Phase | None):
    """The same for what another command asks, in every phase."""
    some = World()
    if phase is not None:
        some.run(until=phase)
    run = some.state()
    cases = {id_: Case.of(run, some.plan, id_, some.estate.now) for id_ in some.ids}
    seen = {id_: Seen(id_) for id_ in some.ids}
    while any((asked := {id_: verification_asks(cases[id_], seen[id_]) for id_ in some.ids}).values()):
        for trip in trips(asked):
            answers = Asker(some).carried(Trip(trip.parts))
            for one, answer in zip(trip.parts, answers, strict=True):
                assert answer == Asker(some).alone(one), one.read
                for id_ in one.ids:
                    seen[id_] = seen[id_].plus([(one.read, answer)])


def test_a_host_that_many_share_is_asked_once_and_so_is_the_directory():
    some = world(WELL)
    asker = Asker(some)
    for asked, came in rounds(some):
        for trip in trips(asked):
            for one, reply in zip(trip.parts, asker.carried(trip), strict=True):
                for id_ in one.ids:
                    came[id_].append((one.read, reply))
    many = Counter(read.endpoint for read in asker.sent)
    assert {many[f"h{host:05d}.corp.example"] for host in HOSTS} == {1}
    statements = Counter(read.endpoint for read in asker.sent for _ in read.statements)
    assert many["dc02.corp.example"] == 1
    assert statements["dc01.corp.example"] > 8 * many["dc01.corp.example"] > 0


def test_no_trip_asks_for_more_than_a_pipeline_should():
    many = {f"m{n}": (Read("dc", (_named(n),)),) for n in range(5 * MOST)}
    assert [len(trip.parts) for trip in trips(many)] == [MOST] * 5


def test_what_nobody_can_tell_travels_alone():
    token = cmdlet("Get-ADRootDSE", Properties=("tokenGroups",), Server="dc")
    log = cmdlet("Get-WinEvent", LogName="Security", FilterXPath="*")
    group = [cmdlet("Get-ADGroup", LDAPFilter=f"(member:1.2.840.113556.1.4.1941:=CN={n})", Server="dc") for n in "ab"]
    asked = [token, log, *group]
    assert len(trips({f"m{n}": (Read("dc", (one,)),) for n, one in enumerate(asked)})) == len(asked)


# What becomes of a reply that holds nothing, or not everything.


def _named(number: int) -> Cmdlet:
    return cmdlet("Get-ADServiceAccount", LDAPFilter=f"(sAMAccountName=d{number}$)", Server="dc")


def trip_of(many: int, tries: int = 1) -> Trip:
    return Trip(tuple(Wanted((f"m{n}",), Read("dc", (_named(n),))) for n in range(many)), tries)


def failed(
    kind: FaultKind,
    code: str = "x",
    *,
    reached: bool = True,
    again: bool = False,
    busy: bool = False,
    after: float = 0.0,
) -> Reply:
    return Reply(Outcome.FAILED, fault=Fault(kind, code, "no", reached=reached, busy=busy, after=after), again=again)


LOST = Reply(Outcome.UNKNOWN, fault=Fault(FaultKind.UNKNOWN, "lost-reply", "no"))


@pytest.mark.parametrize(
    ("reply", "answered", "sizes"),
    [
        (failed(FaultKind.TRANSIENT, reached=False), 0, [3]),
        (failed(FaultKind.TRANSIENT, again=True), 0, [3]),
        (failed(FaultKind.PERMANENT, reached=False), 3, []),
        (failed(FaultKind.PERMANENT, "access-denied"), 3, []),
        (failed(FaultKind.PERMANENT, "request-too-large"), 0, [1, 1, 1]),
        (failed(FaultKind.PERMANENT, "garbled"), 0, [1, 1, 1]),
        (failed(FaultKind.TRANSIENT, "unfinished"), 0, [1, 1, 1]),
        (LOST, 0, [1, 1, 1]),
    ],
    ids=["not reached", "session died", "certificate", "denied", "too large", "garbled", "given up", "lost"],
)
def test_a_reply_that_holds_nothing(reply: Reply, answered: int, sizes: list[int]):
    answers, again = settled(trip_of(3), reply)
    assert ([one for _, one in answers], [len(trip.parts) for trip in again]) == ([reply] * answered, sizes)


def test_who_is_not_reached_twice_is_unknown_to_all():
    reply = failed(FaultKind.TRANSIENT, reached=False)
    answers, again = settled(trip_of(3, TRIES), reply)
    assert ([one for _, one in answers], again) == ([reply] * 3, [])


def test_an_endpoint_without_room_is_asked_again_after_a_while_each_time_later():
    full = failed(FaultKind.TRANSIENT, busy=True)
    trip, rests = Trip(trip_of(1).parts, TRIES), []
    while True:
        answers, again = settled(trip, full)
        if answers:
            break
        (left,) = again
        rests.append(left.rests)
        trip = Trip(left.parts, left.tries + 1, left.turned_away)
        if len(rests) > len(ROOM):
            break
    assert rests[: len(ROOM)] == list(ROOM)
    assert rest(failed(FaultKind.TRANSIENT, busy=True, after=90.0), 0) == ROOM[-1]
    assert rest(failed(FaultKind.TRANSIENT), 0) is None


def test_readings_wait_for_room(monkeypatch):
    monkeypatch.setattr("orchestrator.cli.trips.ROOM", (0.01, 0.02, 0.04))
    full, once = failed(FaultKind.TRANSIENT, busy=True), Reply(Outcome.SUCCEEDED)
    replies = iter([full, full, full, once])
    sent = []

    class Full:
        def ticket(self, endpoint):
            return Ticket(endpoint, uuid4(), uuid4())

        def run(self, call, _ticket, _leave=None):
            sent.append(call)
            return next(replies)

        def discard(self, _endpoint, _shell):
            return True

    readings = Readings(Full(), InlinePool(Full()))
    read = Read("dc", (cmdlet("Get-KdsRootKey"),))
    seen = readings.all_of(("a",), lambda _id, known: () if known.replies else (read,))
    assert len(sent) == 4
    assert [reply for _, reply in seen["a"].replies] == [once]


def test_many_are_halved_until_few_are_left_to_be_asked_alone():
    waiting, sizes = [trip_of(20)], []
    while waiting:
        trip = waiting.pop(0)
        sizes.append(len(trip.parts))
        waiting += settled(Trip(trip.parts, TRIES), LOST)[1]
    assert sizes == [20, 10, 10, 5, 5, 5, 5, *[1] * 20]


def test_what_stands_behind_the_error_is_asked_again_together():
    error = RemoteError("x,GetADServiceAccount", "NotSpecified", "E", "no", "", "Get-ADServiceAccount")
    reads = (*trip_of(2).parts, Wanted(("all",), Read("dc", (cmdlet("Get-KdsRootKey"),))), *trip_of(4).parts[2:])
    kds = RemoteError("x,GetKdsRootKey", "PermissionDenied", "E", "no", "", "Get-KdsRootKey")
    fault = Fault(FaultKind.PERMANENT, "x", "no")
    found = Record("Microsoft.ActiveDirectory.Management.ADServiceAccount", {"SamAccountName": "d1$"})
    answers, again = settled(Trip(reads, 1), Reply(Outcome.FAILED, (found,), (kds,), fault))
    assert [reply.outcome for _, reply in answers] == [Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.FAILED]
    assert [reply.records for _, reply in answers] == [(), (found,), ()]
    assert [[one.ids for one in trip.parts] for trip in again] == [[("m2",), ("m3",)]]
    ambiguous = settled(Trip(reads, 1), Reply(Outcome.FAILED, (found,), (error,), fault))
    assert (ambiguous[0], [len(trip.parts) for trip in ambiguous[1]]) == ([], [1] * 5)


# Sessions.


class Counted(MemoryTransport):
    """A transport that knows which endpoints have a session, and how many had one at a time."""

    def __init__(self, some: World) -> None:
        super().__init__(some.estate, some.principal)
        self.open: set[str] = set()
        self.opened, self.most = 0, 0

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        self.opened += call.endpoint not in self.open
        self.open.add(call.endpoint)
        self.most = max(self.most, len(self.open))
        return super().run(call, ticket, leave)

    def discard(self, endpoint: str, shell: Any) -> bool:
        self.open.discard(endpoint)
        return super().discard(endpoint, shell)


def test_hundreds_of_hosts_cost_a_session_each_and_few_at_a_time():
    some = world(WELL)
    transport = Counted(some)
    hosts = [f"host{number}.corp.example" for number in range(3 * KEPT)]
    readings = Readings(transport, InlinePool(transport))
    once = cmdlet("Get-CimInstance", ClassName="Win32_OperatingSystem")
    fall = itertools.chain([tuple(Read(host, (once,)) for host in hosts)], itertools.repeat(()))

    def one_round(_id: str, _seen: Seen) -> Sequence[Read]:
        return next(fall)

    for host in hosts:
        some.estate.machines[host] = some.estate.machines[f"h{HOSTS[0]:05d}.corp.example"]
    assert readings.all_of(("m",), one_round) is not None  # type: ignore[arg-type]
    assert transport.opened == len(hosts)
    assert transport.most <= KEPT + HOSTS_AT_ONCE + 1
    readings.close()
    assert transport.open == set()
