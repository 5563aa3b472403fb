"""A random plan on a random estate: predicted from what is read there, run there, and the two held together."""

from __future__ import annotations

import gc
import logging
import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog

from orchestrator.cli.previewing import Asked, question
from orchestrator.cli.readings import Readings
from orchestrator.journal import Entry, Lease
from orchestrator.lab.estate.spec import EstateSpec, ServiceSpec, Switches, UserSpec
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.event import Event, WayBackAsked, from_body
from orchestrator.model.lifecycle import PATH, Phase, Trigger, Way
from orchestrator.model.run import RunState
from orchestrator.planfile import canonical, digest
from orchestrator.preview import Prediction, Sent, unknown_guid
from orchestrator.preview.against import LIKE, RESTARTS
from orchestrator.rehearsal.predicted import predicted
from orchestrator.rehearsal.rehearsed import Rehearsed
from orchestrator.rehearsal.watched import Watched
from orchestrator.rehearsal.world import World
from orchestrator.remote.inline import InlinePool
from tests.preview.truth import Truth, net
from tests.wayback.plans import rehearsed
from tests.wayback.shapes import ACCOUNTS
from tests.world import Crash, Doom


class TrueWorld(World):
    """The true estate; nothing is judged there but what the far side shows. ``notice`` hears what is written down."""

    notice: Callable[[Iterable[Event]], None] = staticmethod(lambda _events: None)

    def handle_for(self, handle: Any, life: Any, appended: Callable[[Sequence[Entry], Lease | None], None]) -> Any:
        def told(entries: Sequence[Entry], lease: Lease | None) -> None:
            self.notice(from_body(one.kind, one.body) for one in entries)
            appended(entries, lease)

        return super().handle_for(handle, life, told)


def world_of(on: Rehearsed) -> TrueWorld:
    """Return the true estate of a plan."""
    return TrueWorld(on, watch=False)


def looked_ahead(world: World, until: Phase | None = None, *, ways_back: bool = False) -> Prediction:
    """Predict as the verb does, by what is read there now."""
    transport = MemoryTransport(world.estate, world.principal, registered=world.rehearsed.registered)
    readings = Readings(transport, InlinePool(transport))
    asked = Asked(
        world.plan, world.rehearsed.digest, world.rehearsed.canonical, list(world.journal.read()), world.ids, until
    )
    found = question(asked, readings, world.estate.now, world.estate.now - world.estate.now)
    assert found is not None
    transport.close()
    return predicted(found, ways_back=ways_back)


BEGUN = tuple(phase for phase in PATH if phase not in {Phase.PLANNED, Phase.COMPLETED})


def registering(on: Rehearsed) -> Rehearsed:
    """Return the same, but every host registers itself: nobody can tell which will not, and prediction expects it."""
    hosts = tuple(host.model_copy(update={"registers": True}) for host in on.spec.hosts)
    return replace(on, spec=on.spec.model_copy(update={"hosts": hosts}), first_day=[])


def varied(on: Rehearsed, chance: random.Random) -> Rehearsed:
    """Return the same with more that a run must look at: accounts a guard refuses, neighbours, spellings, hours."""
    spec = registering(on).spec
    users = [_user(user, chance) for user in spec.users]
    if chance.random() < 0.3:
        users.append(UserSpec(dn=f"CN=neighbour,{ACCOUNTS}", protected=True))
    upns = {f"CORP\\{user.dn.partition(',')[0][3:]}": user.upn for user in users if user.upn}
    hosts = [
        host.model_copy(
            update={
                "services": tuple(_service(one, upns) for one in host.services),
                "site": chance.choice(("Berlin", "Hamburg")),
            }
        )
        for host in spec.hosts
    ]
    data = spec.model_copy(update={"users": tuple(users), "hosts": tuple(hosts)}).model_dump()
    return replace(on, spec=EstateSpec.model_validate(data), first_day=[])


def _user(user: UserSpec, chance: random.Random) -> UserSpec:
    given: dict[str, Any] = {"enabled": chance.random() > 0.07}
    if chance.random() < 0.3:
        given["upn"] = f"{user.dn.partition(',')[0][3:]}@corp.example"
    if chance.random() < 0.2:
        given |= {"encryption_types": chance.choice((4, 24, 28, None)), "description": "Runs the shop"}
    return user.model_copy(update=given)


def _service(one: ServiceSpec, upns: Mapping[str, str]) -> ServiceSpec:
    return one.model_copy(update={"log_on": upns.get(one.log_on, one.log_on)})


def watched(world: TrueWorld) -> Watched:
    """Watch the true estate from its far side."""
    found = Watched(world.estate, {one.id: one.account for one in world.plan.migrations()})
    world.notice = found.told
    return found


@dataclass(frozen=True)
class Compared:
    """What came of one plan: where the prediction began, how much it was of, and every difference."""

    seed: int
    begun: str
    migrations: int
    writes: int
    changes: int
    held: int
    wrong: tuple[str, ...]


def of_plans(seeds: Sequence[int]) -> list[Compared]:
    """Predict and run plans by their seeds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.disable()  # as in tests.simulation.seeds: looking for cycles takes longer than they are worth
    try:
        found = []
        for seed in seeds:
            found.append(compared(seed))
            if not seed % 5:
                gc.collect()
        return found
    finally:
        gc.enable()


def compared(seed: int, interfere: Callable[[World], None] = lambda _world: None) -> Compared:
    """Predict, run, and compare; *interfere* is what somebody else does to the true estate in between."""
    chance = random.Random(f"preview {seed}")
    world = world_of(varied(rehearsed(seed), chance))
    begun = _begun(world, chance)
    prediction = looked_ahead(world)
    accounts = {one.id: one.account for one in world.plan.migrations()}
    truth, far = Truth(world.estate, accounts), watched(world)
    interfere(world)
    state = world.run()
    far.look_around()
    wrong = [*differences(prediction.sends, far.sends), *_ends(prediction, state), *_net(prediction, truth)]
    sends = [one for one in far.sends if one.cmdlet]
    return Compared(
        seed=seed,
        begun=begun,
        migrations=len(world.ids),
        writes=len(sends),
        changes=sum(len(one.changes) + len(one.restarts) for one in far.sends),
        held=sum(state[id_].held is not None for id_ in world.ids),
        wrong=tuple(wrong),
    )


def _begun(world: TrueWorld, chance: random.Random) -> str:
    """Let the run come to where the prediction is made: nowhere, to a phase, or to the death of its process."""
    how = chance.random()
    if how < 0.5:
        return "nothing begun"
    if how < 0.8:
        phase = chance.choice(BEGUN)
        world.run(until=phase)
        return f"{phase}"
    world.astray = lambda: chance.choice((None, timedelta(0)))
    try:
        world.run(life=Doom(chance.randint(5, 60 * len(world.ids))))
    except Crash:
        world.estate.advance(timedelta(minutes=10))  # a host that was told to reboot answers again
        return "in the middle of something, the process dead"
    return "everything has ended"


def _ends(prediction: Prediction, state: RunState) -> Iterator[str]:
    for id_, ending in prediction.endings.items():
        held = state[id_].held
        came = (state[id_].phase, held.reason if held else None)
        will = (ending.phase, ending.obstacle.reason if ending.obstacle else None)
        if came != will:
            yield f"{id_} ends {came}, predicted {will}: {ending.obstacle or held}"


def _net(prediction: Prediction, truth: Truth) -> Iterator[str]:
    """Yield what the whole of the far side shows otherwise in the end: every object, and every machine."""
    was, will = truth.net(), net(prediction.sends)
    for key in sorted({*was, *will}):
        if _plain(was.get(key)) != _plain(will.get(key)):
            yield f"far side {key}: {was.get(key)}, predicted {will.get(key)}"


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return sorted(str(_plain(item)) for item in value) if isinstance(value, list) else tuple(map(_plain, value))
    return value


def differences(predicted_: Iterable[Sent], done: Iterable[Sent]) -> Iterator[str]:
    """Yield what is not alike in two traces.

    The runner's writes are compared one by one, in their order, by migration and subject. Two things are compared as
    sets, because nothing that can be read decides them: which of two migrations that share a host sets its value, or
    reboots it (replication decides who comes first), and how often a host adds itself (where two domain controllers
    write the list at once, one addition is lost, and made again). And one is not compared: whether a migration still
    restarts what another's reboot of that host may have restarted already.
    """
    predicted_, done = list(predicted_), list(done)
    rebooted = {(one.subject, one.migration) for one in (*predicted_, *done) if one.cmdlet == "Restart-Computer"}
    mine, theirs = (_by_subject(one for one in trace if _decided(one, rebooted)) for trace in (predicted_, done))
    for key in sorted({*mine, *theirs}, key=str):
        one, other = mine[key], theirs[key]
        for at in range(max(len(one), len(other))):
            first = one[at] if at < len(one) else None
            second = other[at] if at < len(other) else None
            if first != second:
                yield f"{key} {at}: predicted {first}\n      done {second}"


def _decided(one: Sent, rebooted: Collection[tuple[str, str]]) -> bool:
    return one.step not in RESTARTS or all(host != one.subject or who == one.migration for host, who in rebooted)


def _by_subject(sends: Iterable[Sent]) -> dict[tuple[str, str], list[Any]]:
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for one in sends:
        if not one.cmdlet:
            for change in one.changes:
                whose = change.object if change.object.startswith("host ") else one.migration
                found[whose, "by itself"].append((change.object, change.name, change.after))
        elif one.step is Trigger.REGISTRY:
            seen = (one.cmdlet, one.parameters, one.changes, one.restarts)
            found["by host", one.subject] += [seen] if one.changes else []
        else:
            parameters = dict(one.parameters)
            found[one.migration, one.subject].append((one.step, one.cmdlet, parameters, one.changes, one.restarts))
    as_sets = {key: sorted({str(value): value for value in values}.values(), key=str) for key, values in found.items()}
    return defaultdict(list, {key: as_sets[key] if key[1] == "by itself" else found[key] for key in found})


def twice_looked(seed: int) -> tuple[Prediction, Prediction]:
    """Predict the same twice."""
    return looked_ahead(world_of(rehearsed(seed)), ways_back=True), looked_ahead(
        world_of(rehearsed(seed)), ways_back=True
    )


TURNS = tuple(phase for phase in PATH if phase is not Phase.PLANNED)


def ways_back_compared(seed: int) -> list[str]:
    """Predict the way back from a phase, go it on the true estate, and return every difference.

    What Undo and Reset give back nobody documents; the true estate's does here what the prediction takes for granted.
    """
    chance = random.Random(f"back {seed}")
    on = freed(varied(rehearsed(seed), chance))
    world, phase = world_of(on), chance.choice(TURNS)
    kept = looked_ahead(world, ways_back=True)
    world.run(until=phase)
    going = [id_ for id_ in world.ids if world.state()[id_].phase is phase]
    far = watched(world)
    if going:
        world.say(*(WayBackAsked(migration=id_, way=Way.ROLLBACK, by="operator") for id_ in going))
        world.run(going)
    far.look_around()
    like = LIKE.get(phase, phase)
    ways = {id_: next((way for way in kept.ways_back[id_] if way.phase is like), None) for id_ in going}
    sends = [sent for way in ways.values() if way is not None for sent in way.sends]
    wrong = list(differences(sends, [replace(one, parameters=_made(world, one.parameters)) for one in far.sends]))
    state = world.state()
    wrong += [
        f"{id_} from {phase} ends at {state[id_].phase}, predicted {way.ends if way else None}"
        for id_, way in ways.items()
        if way is None or way.ends is not state[id_].phase
    ]
    return wrong


def _made(world: World, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in which a dMSA that the run created is named as a prediction has to name it."""
    replica = next(iter(world.estate.directory.replicas.values()))
    first = next(iter(world.rehearsed.first_day[0].replicas.values()))
    found = ((id_, replica.account(f"{id_}$")) for id_ in world.ids)
    guids = {
        str(one.guid): unknown_guid(id_) for id_, one in found if one is not None and one.guid not in first.entries
    }
    return {name: guids.get(str(value), value) for name, value in parameters.items()}


def freed(on: Rehearsed) -> Rehearsed:
    """Return the same where no migration waits for another, and Undo does what most believe it does."""
    waves = tuple(wave.model_copy(update={"needs": (), "at_once": len(wave.migrations)}) for wave in on.plan.waves)
    plan = on.plan.model_copy(update={"waves": waves})
    for cached in ("_index", "_needs"):
        plan.__dict__.pop(cached, None)
    spec = on.spec.model_copy(update={"switches": Switches()})
    return replace(on, plan=plan, digest=digest(plan), canonical=canonical(plan), spec=spec, first_day=[])
