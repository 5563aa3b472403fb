"""Random plans on random estates, disturbed, and in the end all of it taken back: one seed decides everything."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import yaml

from orchestrator.lab.estate.spec import EstateSpec, Switches
from orchestrator.lab.estate.weather_spec import ObjectMoved, RegistryChanged, ServiceBroken
from orchestrator.model.before import Compared
from orchestrator.model.event import Released
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.plan import Plan
from orchestrator.planfile import canonical, digest
from orchestrator.rehearsal import hands
from orchestrator.rehearsal.disturbance import ACTS, Disturbance, draw
from orchestrator.rehearsal.play import Played, play
from orchestrator.rehearsal.process import Crash
from orchestrator.rehearsal.rehearsed import Rehearsed
from orchestrator.rehearsal.world import World
from tests.wayback.shapes import ACCOUNT, ACCOUNTS, DC, MANAGED, POLICY, ROOT, SECOND, SWITCHES
from tests.wayback.witness import About, Witnessed, unequal

_PINNED = yaml.safe_load((Path(__file__).parent / "pinned.yaml").read_text(encoding="utf-8"))
PINNED = {case["plan"]: case["found"] for case in _PINNED}
"""What seeds once found: their plans are played as they were then."""
_NO_DISCOVERY = frozenset(case["plan"] for case in _PINNED if not case.get("discovers"))
RELEASES = 10
"""How often an operator releases what is held on the way back before it counts as still held."""
LATER = timedelta(hours=24)
"""How long the far side is left alone before it is looked at: what is late has come, and copies agree again."""
_WORDS = ("undo", "reset", "rollback")
_BY_OTHERS = frozenset({"account-moved", "service-stopped", "service-restarted", "started-by-hand", "undone-by-hand"})


@dataclass
class Taken:
    """What came of a plan that was taken back."""

    seed: int
    ended: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def played(seed: int) -> Taken:
    """Play a plan forward with whatever goes wrong and ways back at random moments, then take all of it back."""
    on = rehearsed(seed)
    before = Witnessed.of(World(on, watch=False).estate)
    drawn = (*draw(on.plan, on.spec, seed), *_ways_back(on, seed))
    came = play(on, seed, [replace(one, number=number) for number, one in enumerate(drawn, 1)])
    taken = Taken(seed, wrong=[str(one) for one in came.violations])
    if not taken.wrong:
        _take_back(came, seed, taken)
    if not taken.wrong:
        _judge(came, before, taken)
    return taken


def _ways_back(on: Rehearsed, seed: int) -> list[Disturbance]:
    """Return an operator's words at random moments, for one migration or more."""
    chance = random.Random(f"ways back {seed}")
    ids = [one.id for one in on.plan.migrations()]
    asked = chance.sample(ids, chance.randint(1, len(ids)))
    return [_word(chance, id_, len(ids)) for id_ in asked]


def _word(chance: random.Random, id_: str, several: int) -> Disturbance:
    kind, at = chance.choice(_WORDS), chance.randint(20, 120 * several)
    return Disturbance(0, kind, f"{ACTS[kind].format(whom=id_)} (moment {at})", at=at, whom=id_)


def _take_back(came: Played, seed: int, taken: Taken) -> None:
    """Take everything back, each by a word of its own, and release what is held."""
    world, chance = came.world, random.Random(f"taken back {seed}")
    try:
        for id_ in world.ids:
            _say(world, id_, chance.choice(_WORDS))
        for again in range(RELEASES + 1):
            world.judge_end(world.run())
            if again == RELEASES or not _attend(world, chance):
                return
    except Crash:
        taken.wrong += [str(violation) for violation in world.violations]


def _say(world: World, id_: str, word: str) -> None:
    event = hands.word(world.state()[id_], word)
    if event is not None:
        world.say(event)


def _attend(world: World, chance: random.Random) -> bool:
    """Do for each migration what leads it on; say whether anything is to go on."""
    going = False
    for id_ in world.ids:
        state = world.state()[id_]
        if state.phase is Phase.PLANNED or (state.phase is Phase.ROLLED_BACK and state.held is None):
            continue
        going = True
        if state.intention is Intention.FORWARD or (state.held is not None and state.held.reason == "undone"):
            _say(world, id_, chance.choice(_WORDS) if state.phase is Phase.REOPENED else "rollback")
        elif state.held is not None:
            hands.mend(world)
            if state.held.reason == "restored-by-hand":
                hands.start_what_is_down(world, state)
            world.say(Released(migration=id_, by="operator", reason="taken back"))
        else:
            hands.mend(world)
    return going


def _judge(came: Played, before: Witnessed, taken: Taken) -> None:
    world, state = came.world, came.world.state()
    back, onward = [], []
    for one in world.plan.migrations():
        stands = state[one.id]
        account = one.account.partition(",")[0][3:]
        gone = stands.phase is Phase.ROLLED_BACK and stands.held is None
        (back if gone or stands.phase is Phase.PLANNED else onward).append((account, one.id))
        taken.ended.append(
            str(stands.phase) if stands.held is None else f"held at {stands.phase}: {stands.held.reason}"
        )
        if stands.held is None and not gone and stands.phase is not Phase.PLANNED:
            taken.wrong.append(f"{one.id} is left at {stands.phase}, going {stands.intention}: {dict(stands.waits)}")
    needed = [
        host.name.lower()
        for one in world.plan.migrations()
        if (one.account.partition(",")[0][3:], one.id) in onward
        for host in one.hosts
        if state.needs(host.name, one.id)
    ]
    excused = _excused(came)
    kept = [pair for pair in back if not excused & {pair[0], pair[1]}]
    others = [*onward, *(pair for pair in back if pair not in kept)]
    aside = [account for account, id_ in [*back, *onward] if (account, id_) in onward or _broken_between(came, id_)]
    about = About(kept, needed, others, excused, aside, _moved_to(came))
    world.estate.advance(LATER)
    taken.wrong += unequal(before, Witnessed.of(world.estate), about)
    taken.wrong += list(_told(world, came.disturbances))


def _told(world: World, disturbances: Sequence[Disturbance]) -> list[str]:
    """Return the last comparisons that blame others where nobody else touched anything."""
    if any(one.kind in _BY_OTHERS or one.kind in {"original-moved", "registry-changed"} for one in disturbances):
        return []
    last = {event.migration: event for event in world.events() if isinstance(event, Compared)}
    return [
        f"{id_}: compared as foreign, and nobody else was there: {one}"
        for id_, event in last.items()
        for one in event.differences
        if one.verdict == "foreign"
    ]


def _broken_between(came: Played, id_: str) -> bool:
    """Whether a service of a migration was broken, and a neighbour rebooted its host, while it was nobody's to look at.

    Its migration had been compared, or had not begun: then its snapshot, if it came to one, found the service down.
    """
    state, plan = came.world.state()[id_], came.world.plan
    account = plan.migration(id_).account.partition(",")[0][3:]
    for one in came.disturbances:
        if not isinstance(one.rule, ServiceBroken) or not one.rule.service.startswith(f"{account}-"):
            continue
        before = state.snapshot.hosts.get(one.rule.host) if state.snapshot else None
        found = before.services.get(one.rule.service) if before else None
        booted = came.world.estate.machine(one.rule.host).boot
        if found is None or found.state != "Running" or state.since is None or booted > state.since:
            return True
    return False


def _excused(came: Played) -> frozenset[str]:
    """Return the machines and pairs that others touched."""
    plan = came.world.plan
    found = set()
    for one in came.disturbances:
        if isinstance(one.rule, RegistryChanged):
            found.add(one.rule.host.lower())
        elif isinstance(one.rule, ObjectMoved):
            found.add(one.rule.dn.partition(",")[0][3:])
        elif one.kind in {"service-stopped", "service-restarted"}:
            found.add(one.where.partition("\\")[0].lower())
        elif one.kind in _BY_OTHERS:
            found |= {one.whom, plan.migration(one.whom).account.partition(",")[0][3:]}
    return frozenset(found)


def _moved_to(came: Played) -> frozenset[str]:
    """Return the containers that others moved an account to: protecting it there marks them."""
    moved = {one.rule.to for one in came.disturbances if isinstance(one.rule, ObjectMoved)}
    moved |= {one.where for one in came.disturbances if one.kind == "account-moved"}
    return frozenset(dn.partition(",")[0] for dn in moved)


# Plans and estates.


def rehearsed(seed: int) -> Rehearsed:
    """Return the plan of a seed with its estate; some hosts of it say themselves what runs there."""
    drawn = _Drawn(random.Random(f"plan {seed}"))
    data = drawn.plan()
    if seed not in _NO_DISCOVERY:
        _leave_it_to_hosts(data, random.Random(f"discover {seed}"))
    plan = Plan.model_validate(data)
    return Rehearsed(plan, digest(plan), canonical(plan), EstateSpec.model_validate(drawn.estate(seed)))


def _leave_it_to_hosts(plan: dict[str, Any], chance: random.Random) -> None:
    for migration in (one for wave in plan["waves"] for one in wave["migrations"]):
        for number, host in enumerate(migration["hosts"]):
            if chance.random() < 0.3:
                migration["hosts"][number] = {"name": host["name"], "workloads": "discover"}


class _Drawn:
    """A plan of one to four migrations in one to three waves, on one to four hosts that they share or do not."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._hosts = [f"app0{number}.corp.example" for number in range(1, chance.randint(1, 4) + 1)]
        self._names = [f"svc{number}" for number in range(1, chance.randint(1, 4) + 1)]
        self._runs: dict[str, dict[str, list[dict[str, Any]]]] = {
            host: {"services": [], "tasks": [], "app_pools": []} for host in self._hosts
        }
        self._protected = [chance.random() < 0.3 for _ in self._names]
        self._migrations = [self._migration(name) for name in self._names]

    def _migration(self, name: str) -> dict[str, Any]:
        chance = self._chance
        used = chance.sample(self._hosts, chance.randint(1, min(2, len(self._hosts))))
        guards = ("dwell-minimum", "workload-supported", "no-unconstrained-delegation")
        return {
            "account": f"CN={name},{ACCOUNTS}",
            "dmsa": {"name": f"dmsa-{name}", "dns_host_name": f"dmsa-{name}.corp.example", "path": MANAGED},
            "hosts": [self._host(host, name) for host in used],
            "waivers": [{"guard": guard, "reason": "weeks", "approved_by": ["ann", "bob"]} for guard in guards],
        }

    def _host(self, host: str, name: str) -> dict[str, Any]:
        chance, runs, log_on = self._chance, self._runs[host], f"CORP\\{name}"
        first = {"name": f"{name}-api", "log_on": log_on}
        runs["services"].append(first)
        used: dict[str, Any] = {"name": host, "services": [first["name"]]}
        for kind in chance.sample(
            ("stopped", "disabled", "dependent", "task", "pool", "idle-pool"), chance.randint(0, 3)
        ):
            match kind:
                case "stopped" | "disabled":
                    mode = "Disabled" if kind == "disabled" else "Manual"
                    more = {"name": f"{name}-{kind}", "log_on": log_on, "state": "Stopped", "start_mode": mode}
                    runs["services"].append(more)
                    used["services"].append(more["name"])
                case "dependent":
                    runs["services"].append({"name": f"{name}-feed", "depends_on": [first["name"]]})
                case "task":
                    path = f"\\{name}\\Nightly"
                    runs["tasks"].append({"path": path, "log_on": log_on, "daily": chance.choice(("02:00", "20:00"))})
                    used["tasks"] = [path]
                case _:
                    state = "Stopped" if kind == "idle-pool" else "Started"
                    runs["app_pools"].append({"name": f"{name}-{kind}", "log_on": log_on, "state": state})
                    used.setdefault("app_pools", []).append(f"{name}-{kind}")
        return used

    def plan(self) -> dict[str, Any]:
        """Return the plan as its file would have it."""
        chance = self._chance
        many = chance.randint(1, min(3, len(self._migrations)))
        waves: list[dict[str, Any]] = [
            {"name": f"wave{number}", "at_once": chance.randint(1, 2), "failures": {"allow": 4}, "migrations": []}
            for number in range(many)
        ]
        for number, migration in enumerate(self._migrations):
            waves[number % many]["migrations"].append(migration)
        policy = POLICY | {"rollback_by": chance.choice(("undo", "reset"))}
        policy |= {"reboot": "after_registry"} if chance.random() < 0.25 else {}
        policy |= {"hosts_missing": "add"} if chance.random() < 0.5 else {}
        return {"version": 1, "name": "random", "estate": {"lab": "random.yaml"}, "policy": policy, "waves": waves}

    def estate(self, seed: int) -> dict[str, Any]:
        """Return the estate as its file would have it."""
        chance = self._chance
        kinds = [ACCOUNT[chance.choice(tuple(ACCOUNT))] for _ in self._names]
        users = [
            kind
            | {"dn": f"CN={name},{ACCOUNTS}", "protected": protected}
            | {"spns": [f"{spn}/{name}" for spn in kind.get("spns", ())]}
            for name, kind, protected in zip(self._names, kinds, self._protected, strict=True)
        ]
        dcs = [{"name": DC, "site": "Berlin"}, {"name": SECOND, "site": "Hamburg", "latency": "45s"}]
        before = [f"CN=dmsa-{name},{MANAGED}" for name in self._names if chance.random() < 0.15]
        hosts = [
            {"name": host, "site": "Berlin", "kerberos": chance.choice(("no-key", "absent", 0, 1)), **self._runs[host]}
            | ({"registers": False} if chance.random() < 0.15 else {})
            for host in self._hosts
        ]
        return {
            "name": "random",
            "seed": seed,
            "domain": {"dns": "corp.example", "netbios": "CORP"},
            "clock": {"start": "2026-03-02T18:00:00Z"},
            "dcs": dcs[: chance.randint(1, 2)],
            "ous": [ACCOUNTS, MANAGED, f"OU=Elsewhere,{ROOT}"],
            "users": users,
            "dmsas": [{"dn": dn} for dn in before],
            "hosts": [*hosts, {"name": "front.corp.example"}],
            "switches": {name: chance.choice(_POSITIONS[name]) for name in SWITCHES},
        }


_POSITIONS = {name: get_args(Switches.model_fields[name].annotation) or (True, False) for name in SWITCHES}
