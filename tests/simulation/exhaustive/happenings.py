"""What may happen next in a world: every choice that the far side, the network, an operator or the machine has.

Three choices are left out because another one stands for them:

- Looks are not interleaved with anything but each other. All that one migration looks at comes back at once, and
  where only one looks it comes back before anything else happens: reading changes nothing, whatever could land in
  between could also have landed before (it was in the air, or has a variant that arrives at once), and the order in
  which two migrations look and decide is tried both ways.
- A lost request, a lost reply and an effect that comes late are one choice, *unanswered*: the write may take effect at
  any later moment until its shell is deleted, or never.
- A change arrives at the other domain controller before time passes or never in that step: until then nobody looks at
  that copy but the migration that wrote, and while that has a write in the air, or one that may still come, the arrival
  may fall anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from orchestrator.errors import SafetyRefusal
from orchestrator.model.call import Read, Write
from orchestrator.model.event import Event, Released, WayBackAsked
from orchestrator.model.lifecycle import IllegalEvent, Phase, Way
from orchestrator.model.observation import Unreadable
from tests.simulation.exhaustive.laws import Broken
from tests.simulation.exhaustive.process import Waiting, forked_state
from tests.simulation.exhaustive.world import World


@dataclass(frozen=True)
class After:
    """A world after something happened. ``free``: nothing went wrong, and nobody said anything."""

    what: str
    world: World
    free: bool = True


def after(world: World) -> Iterator[After]:
    """Yield every world that may follow."""
    looking = world.reading()
    if looking:
        for id_ in looking:
            yield from _then(world, f"{id_} looks", _looks(id_))
        return
    yield from _answers(world)
    yield from _later(world)
    yield from _words(world)
    if world.faults:
        yield from _crashes(world, "the process dies; another takes over")


def beginning(world: World) -> Iterator[After]:
    """Yield the worlds in which the first process has begun."""
    return _at_rest(world, "the process begins", True)


Change = Callable[[World], object]


def _looks(id_: str) -> Change:
    return lambda world: world.look(id_)


def _then(world: World, what: str, change: Change, free: bool = True, cost: int = 0) -> Iterator[After]:
    """Yield what follows a change, with the process at rest again, and every way in which that may be disturbed."""
    with _named(what):
        other = world.fork()
        other.faults -= cost
        change(other)
        yield from _at_rest(other, what, free and not cost)


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Let a broken law, or a defect, say what had just happened."""
    try:
        yield
    except Broken as broken:
        broken.steps = broken.steps or [what]
        raise
    except (IllegalEvent, SafetyRefusal, Unreadable, LookupError, ValueError, TypeError, AttributeError) as defect:
        broken = Broken(f"{type(defect).__name__}: {defect}")
        broken.steps = [what]
        raise broken from defect


def _at_rest(world: World, what: str, free: bool) -> Iterator[After]:
    """Let the process go on until all it waits for are answers to writes, time, or a look that another may precede."""
    first = world.reading()
    written = world.journal.head()
    while True:
        progressed = world.turn()
        looking = world.reading()
        if looking:
            if world.journal.head() != written and world.faults:
                yield from _crashes(world, f"{what}; the process writes that down and dies; another takes over")
                written = world.journal.head()
            if len(looking) > 1 and looking[0] not in first:
                break
            if world.faults and world.size.reads_lost:
                yield from _unread(world, looking[0], what)
            world.look(looking[0])
        elif not progressed:
            break
        first = ()
    yield After(what, world, free)


def _unread(world: World, id_: str, what: str) -> Iterator[After]:
    """Yield the worlds in which one thing that a migration looks at is not answered."""
    for place, one in enumerate(world.pool.waiting):
        if isinstance(one.call, Read) and one.migration == id_:
            lost = f"{what}; {one} is not answered"
            yield from _then(world, lost, lambda other, place=place: _lose(other, place, id_), cost=1)


def _lose(world: World, place: int, id_: str) -> None:
    world.unanswered(world.pool.waiting[place])
    world.look(id_)


def _answers(world: World) -> Iterator[After]:
    """Yield how each write in the air may end."""
    for place, one in enumerate(world.pool.waiting):
        yield from _then(world, f"{one}", _at(place, World.land))
        if isinstance(one.call, Write) and _writes_directory(one):
            yield from _then(world, f"{one}, and the other domain controller hears of it at once", _prompt(place))
        if not world.faults:
            continue
        yield from _then(world, f"{one} is not answered", _at(place, World.unanswered), cost=1)
        if one.call is None:
            yield from _then(world, f"{one} happens and is not acknowledged", _at(place, _unacknowledged), cost=1)
        else:
            yield from _then(world, f"{one} arrives twice", _at(place, lambda w, o: w.land(o, 2)), cost=1)


def _writes_directory(one: Waiting) -> bool:
    """Whether a write may change the directory: cmdlets there, and a log-on that adds a host to the principals."""
    assert isinstance(one.call, Write)
    return one.ticket.endpoint.startswith("dc") or one.call.statement.name in {"Restart-Service", "Start-Service"}


def _at(place: int, how: Callable[[World, Waiting], object]) -> Change:
    return lambda world: how(world, world.pool.waiting[place])


def _prompt(place: int) -> Change:
    def change(world: World) -> None:
        world.land(world.pool.waiting[place])
        world.replicate()

    return change


def _unacknowledged(world: World, one: Waiting) -> None:
    world.late = tuple(late for late in world.late if late.ticket.shell != one.ticket.shell)
    world.unanswered(one)


def _later(world: World) -> Iterator[After]:
    """Yield what happens by itself: effects that come late, changes that arrive, time that passes."""
    for place, late in enumerate(world.late):
        with _named(f"late: {late}"):
            other = world.fork()
            other.take_effect(other.late[place])
            other.check()
        yield After(f"late: {late}", other)
    for source, target in world.estate.directory.outbox:
        if _may_arrive(world, source, target):
            what = f"a change of {source.partition('.')[0]} arrives at {target.partition('.')[0]}"
            with _named(what):
                other = world.fork()
                other.deliver(source, target)
            yield After(what, other)
    due = world.due()
    if due is not None and not world.pool.waiting:
        yield from _then(world, f"{int((due - world.now).total_seconds())} s pass", lambda other: other.pass_time(due))


def _may_arrive(world: World, source: str, target: str) -> bool:
    units = world.estate.directory.outbox[source, target]
    if not units:
        return False
    if not world.pool.waiting:
        return True
    replica = world.estate.directory.replicas[source]
    about = {replica.entries[change.guid].sam.rstrip("$")[-1] for change in units[0]}
    busy = {one.migration[-1] for one in world.pool.waiting} | {late.key[0][-1] for late in world.late}
    return bool(about & busy)


def _crashes(world: World, what: str) -> Iterator[After]:
    """Yield the worlds in which another process has taken over, and was or was not told that old shells are gone."""
    sent = any(state.open for state in world.state.migrations.values())
    for sweeps, told in ((True, ""), (False, ", and no host says that the old shells are gone"))[: 1 + sent]:
        yield from _then(world, what + told, lambda other, sweeps=sweeps: other.crash(sweeps), cost=1)
        if any(world.estate.directory.outbox.values()):
            arrived = f"all changes arrive; {what}{told}"
            yield from _then(world, arrived, lambda w, sweeps=sweeps: (w.replicate(), w.crash(sweeps)), cost=1)


# What an operator may say.


def _words(world: World) -> Iterator[After]:
    if not world.words:
        return
    for id_ in world.size.ids:
        for what, event in _sayable(world, id_):
            yield from _then(world, f"the operator says {what} of {id_}", _saying(event), free=False)
            if any(world.estate.directory.outbox.values()):
                yield from _then(
                    world, f"all changes arrive; the operator says {what} of {id_}", _saying(event, True), free=False
                )


def _saying(event: Event, arrived: bool = False) -> Change:
    def change(world: World) -> None:
        world.words -= 1
        if arrived:
            world.replicate()
        world.say(event)

    return change


def _sayable(world: World, id_: str) -> Iterator[tuple[str, Event]]:
    """Yield the words that the command line would let through."""
    state = world.state[id_]
    words: list[tuple[str, Event]] = []
    if state.phase is not Phase.PLANNED:
        words += [(way.value, WayBackAsked(migration=id_, way=way, by="operator")) for way in Way if _leads(state, way)]
    if state.held is not None:
        words.append(("release", Released(migration=id_, by="operator", reason="mended")))
    if state.phase in {Phase.ROLLED_BACK, Phase.REOPENED}:
        words.append(("release --forward", Released(migration=id_, by="operator", reason="again", forward=True)))
    for what, event in words:
        try:
            forked_state(world.law.replayed).apply(event, world.now)
        except IllegalEvent:
            continue
        yield what, event


def _leads(state: object, way: Way) -> bool:
    phase = state.phase  # type: ignore[attr-defined]
    done = {Phase.ROLLED_BACK} if way is Way.ROLLBACK else {Phase.UNLINKED, Phase.RESTORED, Phase.ROLLED_BACK}
    return phase not in done
