"""A random plan on a random estate: predicted from what is read there, run there, and the two held together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from orchestrator.cli.previewing import Asked, question
from orchestrator.cli.readings import Readings
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.lifecycle import Phase
from orchestrator.preview import Prediction, Sent
from orchestrator.rehearsal.predicted import predicted
from orchestrator.rehearsal.rehearsed import Rehearsed
from orchestrator.rehearsal.watched import Watched
from orchestrator.rehearsal.world import World
from orchestrator.remote.inline import InlinePool
from tests.preview.truth import Truth, net
from tests.wayback.plans import rehearsed


def world_of(on: Rehearsed) -> World:
    """Return the true estate; nothing is judged there but what the far side shows."""
    return World(on, watch=False)


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


def watched(world: World) -> Watched:
    """Watch the true estate from its far side, too."""
    found = Watched(world.estate, {one.id: one.account for one in world.plan.migrations()})
    inner = world._appended

    def appended(entries: Any, lease: Any, driving: Any) -> None:
        from orchestrator.model.event import from_body

        found.told(from_body(one.kind, one.body) for one in entries)
        inner(entries, lease, driving)

    world._appended = appended  # type: ignore[method-assign]
    return found


def compared(seed: int) -> list[str]:
    """Predict, run, and return every difference; nothing where there is none."""
    world = world_of(rehearsed(seed))
    prediction = looked_ahead(world)
    accounts = {one.id: one.account for one in world.plan.migrations()}
    truth, far = Truth(world.estate, accounts), watched(world)
    state = world.run()
    found = list(differences(prediction.sends, far.sends, world.ids))
    ends = {id_: (state[id_].phase, state[id_].held.reason if state[id_].held else None) for id_ in world.ids}
    for id_, ending in prediction.endings.items():
        reason = ending.obstacle.reason if ending.obstacle else None
        if (ending.phase, reason) != ends[id_]:
            found.append(f"{id_} ends {ends[id_]}, predicted {(ending.phase, reason)} {ending.obstacle}")
    was, will = truth.net(), net(prediction.sends)
    for key in sorted({*was, *will}):
        one, other = was.get(key), will.get(key)
        if _plain(one) != _plain(other):
            found.append(f"far side {key}: {one}, predicted {other}")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return sorted((str(_plain(item)) for item in value)) if isinstance(value, list) else tuple(map(_plain, value))
    return value


def differences(predicted_: Iterable[Sent], done: Iterable[Sent], ids: Iterable[str]) -> Iterator[str]:
    """Yield what is not alike in two traces: the runner's writes one by one, by migration and subject; the rest as a set."""
    mine, theirs = _by_subject(predicted_), _by_subject(done)
    for key in sorted({*mine, *theirs}):
        one, other = mine[key], theirs[key]
        for at in range(max(len(one), len(other))):
            first = one[at] if at < len(one) else None
            second = other[at] if at < len(other) else None
            if first != second:
                yield f"{key} {at}: predicted {first}\n      done {second}"
    del ids


def _by_subject(sends: Iterable[Sent]) -> dict[tuple[str, str], list[Any]]:
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for one in sends:
        if one.cmdlet:
            found[one.migration, one.subject].append(
                (one.step, one.cmdlet, _params(one), one.changes, one.restarts)
            )
        else:
            found[one.migration, "by itself"] += [(change.object, change.name, change.after) for change in one.changes]
    for key, values in found.items():
        if key[1] == "by itself":
            values.sort(key=str)
    return found


def _params(sent: Sent) -> dict[str, Any]:
    return {name: value for name, value in sent.parameters.items()}
