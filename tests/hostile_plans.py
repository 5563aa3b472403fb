"""Plans that somebody would write to get something said: hostile names, DNs and workloads, on an estate with them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml

from orchestrator.lab.command import Command
from orchestrator.lab.estate.estate import Estate
from orchestrator.lab.estate.spec import EstateInvalid, EstateSpec, load_spec
from orchestrator.model.event import WayBackAsked
from orchestrator.model.lifecycle import Phase, Way
from orchestrator.model.plan import Plan
from orchestrator.planfile import canonical, digest
from orchestrator.planfile.load import parse_plan
from orchestrator.planfile.problem import PlanInvalid
from orchestrator.rehearsal.rehearsed import Rehearsed
from orchestrator.rehearsal.world import World
from orchestrator.remote.catalogue import CATALOGUE
from tests.remote import said
from tests.remote.hostile import NAMES, TEXTS

BASE = "DC=corp,DC=example"
_TEXTS = tuple(text for text in TEXTS if text.isprintable() and len(text) < 400 and text != "\ud800")
_RAW = (*_TEXTS, *(text for text in TEXTS if text not in _TEXTS and "\ud800" not in text), *NAMES)


class Drawn(NamedTuple):
    """A plan's file and the estate it would run on: as the plan names things, where an estate can have them."""

    raw: bytes
    spec: EstateSpec


def _text(chance: random.Random, usual: str, often: float = 0.35) -> str:
    """Return a name that is hostile now and then: whole, or with something hostile in it."""
    if chance.random() > often:
        return usual
    hostile = chance.choice(_RAW if chance.random() < 0.1 else _TEXTS)
    at = chance.randrange(len(usual) + 1)
    return chance.choice((hostile, f"{usual[:at]}{hostile}{usual[at:]}", f"{usual} {hostile}", usual.upper()))


def _escaped(text: str) -> str:
    """Return a text as the value of a relative name (RFC 4514, 2.4)."""
    out = "".join(f"\\{character}" if character in ',+"\\<>;=#' else character for character in text)
    return out.replace("\x00", "\\00")


def _dn(chance: random.Random, name: str, above: str) -> str:
    value = chance.choice((_escaped(name), _escaped(name), name))
    return _text(chance, f"CN={value},{above}", 0.05)


def drawn(chance: random.Random) -> Drawn:
    """Return a plan by chance."""
    account = _dn(chance, _text(chance, "svc-app"), _text(chance, f"OU=Service Accounts,{BASE}", 0.05))
    host = _text(chance, "app01.corp.example", 0.08)
    services = [_text(chance, name) for name in ("AppServer", "Cache")[: chance.randrange(1, 3)]]
    tasks = [{"path": _text(chance, "\\Reports\\Nightly"), "run": chance.random() < 0.5}] * chance.choice((0, 0, 1))
    pools = [_text(chance, "Portal")] * chance.choice((0, 0, 1))
    dmsa = {
        "name": _text(chance, "dmsa-app", 0.08),
        "dns_host_name": _text(chance, "dmsa-app.corp.example", 0.05),
        "path": _text(chance, f"OU=Managed,{BASE}", 0.05),
    }
    waivers = [
        {"guard": guard, "reason": _text(chance, "a test"), "approved_by": ["ann", "ben"]}
        for guard in ("dwell-minimum", "workload-supported")
    ]
    plan = {
        "version": 1,
        "name": _text(chance, "hostile", 0.05),
        "description": _text(chance, "what somebody would write"),
        "estate": {"lab": "estate.yaml"},
        "policy": {"dwell": "1h", "flat_for": "1h", "ledger_every": "1h"},
        "waves": [
            {
                "name": _text(chance, "only", 0.05),
                "migrations": [
                    {
                        "account": account,
                        "dmsa": dmsa,
                        "waivers": waivers,
                        "hosts": [{"name": host, "services": services, "tasks": tasks, "app_pools": pools}],
                    }
                ],
            }
        ],
    }
    raw = yaml.safe_dump(plan, allow_unicode=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    return Drawn(raw, _estate(account, host, services, [task["path"] for task in tasks], pools))


def _estate(account: str, host: str, services: list[str], tasks: list[str], pools: list[str]) -> EstateSpec:
    """Return an estate that has all of this, or as much of it as an estate can have."""
    log_on = "CORP\\svc-app"
    usual = "CN=svc-app,OU=Service Accounts," + BASE
    for dn, name in ((account, host), (account, "app01.corp.example"), (usual, host), (usual, "app01.corp.example")):
        machine = {
            "name": name,
            "services": [{"name": service, "log_on": log_on} for service in dict.fromkeys(services)],
            "tasks": [{"path": path, "log_on": log_on, "daily": "02:00"} for path in tasks],
            "app_pools": [{"name": pool, "user": log_on} for pool in pools],
        }
        for shown in (machine, {"name": name}):
            estate = {
                "name": "hostile",
                "domain": {"dns": "corp.example", "netbios": "CORP"},
                "clock": {"start": "2026-04-13T20:00:00Z"},
                "dcs": [{"name": "dc01.corp.example"}],
                "ous": [f"OU=Service Accounts,{BASE}", f"OU=Managed,{BASE}"],
                "users": [{"dn": dn, "sam": "svc-app"}],
                "hosts": [shown],
            }
            try:
                spec = load_spec(yaml.safe_dump(estate))
                if dn == account:
                    Estate(spec)  # it may name a container that is not there
            except EstateInvalid:
                continue
            return spec
    raise AssertionError("not even the usual estate is one")


def accepted(raw: bytes) -> Plan | None:
    """Return the plan, if ``dmsa check`` takes it."""
    try:
        return parse_plan(raw)
    except PlanInvalid:
        return None


class Driven(NamedTuple):
    """What came of a plan: what is wrong about it, how far it got, and what arrived."""

    wrong: tuple[str, ...]
    phase: Phase
    writes: int
    calls: int


def driven(plan: Plan, spec: EstateSpec, back: bool) -> Driven:
    """Drive a plan forward, and back if asked; judge by the far side's own record."""
    world = World(Rehearsed(plan, digest(plan), canonical(plan), spec), watch=False)
    before = dict(_standing(world.estate))
    (id_,) = world.ids
    world.run()
    phase = world.state()[id_].phase
    if back and phase is not Phase.PLANNED:
        world.say(WayBackAsked(migration=id_, way=Way.ROLLBACK, by="operator"))
        world.run()
    arrived = [command for request in world.record for pipe in request.statements for command in pipe]
    writes = sum(said.TABLE[one.name.lower()].writes for one in arrived if one.name.lower() in said.TABLE)
    return Driven(tuple(_wrong(world, before)), phase, writes, len(arrived))


def _wrong(world: World, before: dict[Any, Any]) -> Iterator[str]:
    for request in world.record:
        for pipe in map(_alone, request.statements):
            for command in pipe:
                row = said.TABLE.get(command.name.lower())
                writes = row is not None and row.writes
                found = said.objection(command.name, dict(command.parameters), writes=writes)
                if command.is_script or len(pipe) != 1 or command.name not in CATALOGUE:
                    found = found or "it is not of the catalogue"
                if found:
                    yield f"{command}: {found}"
    after = dict(_standing(world.estate))
    for guid, stood in before.items():
        if after.get(guid) != stood:
            yield f"{stood} became {after.get(guid)}"


def _alone(pipe: Sequence[Command]) -> Sequence[Command]:
    """Return a pipeline; of that which takes a descriptor out of its object, for it travels no other way, the object's
    reading alone.
    """
    taken_out = Command("Select-Object", {"ExpandProperty": "nTSecurityDescriptor"})
    reads = len(pipe) == 2 and pipe[0].name == "Get-ADObject" and pipe[1] == taken_out
    return pipe[:1] if reads and pipe[0].parameters.get("Properties") == ["nTSecurityDescriptor"] else pipe


def _standing(estate: Estate) -> Iterator[tuple[Any, Any]]:
    """Yield where every object stands, and whether it can log on; that Complete disables its original is declared."""
    (replica,) = estate.directory.replicas.values()
    for guid, entry in list(replica.entries.items()):
        completed = entry.get("msDS-SupersededServiceAccountState") == 2
        disabled = bool(entry.number("userAccountControl") & 2) and not completed
        yield guid, (entry.get("rdn"), entry.get("parent"), entry.deleted, disabled)
