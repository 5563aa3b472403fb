"""What may happen next in a world: every choice that the far side, the network, an operator or the machine has.

Some choices are left out because others stand for them:

- Looks are not interleaved with anything but each other. All that one migration looks at comes back at once, and
  where only one looks it comes back before anything else happens: reading changes nothing, whatever could land in
  between could also have landed before (it was in the air, or has a variant that arrives at once), and the order in
  which two migrations look and decide is tried both ways.
- A change arrives at the other domain controller before time passes or never in that step: until then nobody looks at
  that copy but the migration that wrote, and while that has a write in the air, or one that may still come, the arrival
  may fall anywhere.
- A write that is lost may also be late: it takes effect at any time until its shell is deleted, or never. A look whose
  request is lost is one whose reply is lost: nobody can tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from orchestrator.errors import SafetyRefusal
from orchestrator.model.call import Read, Write
from orchestrator.model.event import Event, Released, WayBackAsked
from orchestrator.model.lifecycle import IllegalEvent, Phase, Way
from orchestrator.model.observation import Unreadable
from tests.simulation.exhaustive.laws import Broken
from tests.simulation.exhaustive.process import Waiting
from tests.simulation.exhaustive.world import DCS, World


class Fault(StrEnum):
    """What may go wrong. All but a late arrival of what is on its way counts against a history's number of faults."""

    CRASH = "crash"
    LOST_REQUEST = "lost request"
    LOST_REPLY = "lost reply"
    LATE_EFFECT = "late effect"
    DUPLICATE = "duplicate"
    REPLICATION_DELAY = "replication delay"


@dataclass(frozen=True)
class After:
    """A world after something happened. ``free``: it took no fault, and nobody said anything."""

    what: str
    world: World
    free: bool = True
    fault: Fault | None = None


def after(world: World) -> Iterator[After]:
    """Yield every world that may follow."""
    if world.dead:
        yield from _take_overs(world)
        yield from _effects(world)
        yield from _arrivals(world)
        return
    looking = world.reading()
    if looking:
        for id_ in looking:
            yield from _then(world, f"{id_} looks", _looks(id_))
        return
    yield from _answers(world)
    yield from _later(world)
    yield from _words(world)
    if world.faults:
        yield from _deaths(world, "the process dies")


def beginning(world: World) -> Iterator[After]:
    """Yield the worlds in which the first process has begun."""
    return _at_rest(world, "the process begins")


Change = Callable[[World], object]


def _looks(id_: str) -> Change:
    return lambda world: world.look(id_)


def _then(world: World, what: str, change: Change, *, free: bool = True, fault: Fault | None = None) -> Iterator[After]:
    """Yield what follows a change, with the process at rest again, and every way in which that may be disturbed."""
    with _named(what):
        other = world.fork()
        other.faults -= fault is not None
        change(other)
        yield from _at_rest(other, what, free and fault is None, fault)


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Let a broken law, or a defect, say what had just happened."""
    try:
        yield
    except Broken as broken:
        broken.steps = broken.steps or [what]
        raise
    except (IllegalEvent, SafetyRefusal, Unreadable, LookupError, ValueError, TypeError, AttributeError) as defect:
        found = Broken(f"{type(defect).__name__}: {defect}")
        found.steps = [what]
        raise found from defect


def _at_rest(world: World, what: str, free: bool = True, fault: Fault | None = None) -> Iterator[After]:
    """Let the process go on until all it waits for are answers to writes, time, or a look that another may precede."""
    first = world.reading()
    written = world.journal.head()
    while True:
        progressed = world.turn()
        looking = world.reading()
        if looking:
            if world.journal.head() != written and world.faults:
                yield from _deaths(world, f"{what}; the process writes that down and dies")
                written = world.journal.head()
            if len(looking) > 1 and looking[0] not in first:
                break
            if world.faults and world.size.reads_lost:
                yield from _unread(world, looking[0], what)
            world.look(looking[0])
        elif not progressed:
            break
        first = ()
    yield After(what, world, free, fault)


def _unread(world: World, id_: str, what: str) -> Iterator[After]:
    """Yield the worlds in which one thing that a migration looks at is not answered."""
    for place, one in enumerate(world.pool.waiting):
        if isinstance(one.call, Read) and one.migration == id_:
            lost = f"{what}; {one} is not answered"
            yield from _then(world, lost, _at(place, _look_but_for), fault=Fault.LOST_REPLY)


def _look_but_for(world: World, one: Waiting) -> None:
    world.lose_reply(one)
    world.look(one.migration)


def _answers(world: World) -> Iterator[After]:
    """Yield how each write in the air may end."""
    for place, one in enumerate(world.pool.waiting):
        yield from _then(world, f"{one}", _at(place, World.land))
        if _writes_directory(one):
            said = f"{one}, and the other domain controller hears of it at once"
            yield from _then(world, said, _at(place, _land_everywhere))
        for said, change, fault in _mishaps(one) if world.faults else ():
            yield from _then(world, f"{one} {said}", _at(place, change), fault=fault)


def _land_everywhere(world: World, one: Waiting) -> None:
    world.land(one)
    world.replicate()


def _mishaps(one: Waiting) -> Iterator[tuple[str, Callable[[World, Waiting], object], Fault]]:
    yield "is lost", World.lose_request, Fault.LOST_REQUEST
    yield "happens, and the answer is lost", World.lose_reply, Fault.LOST_REPLY
    if one.call is not None:
        yield "happens twice", lambda world, write: world.land(write, 2), Fault.DUPLICATE


def _writes_directory(one: Waiting) -> bool:
    """Whether a call may change the directory: cmdlets there, and a log-on that adds a host to the principals."""
    if not isinstance(one.call, Write):
        return False
    return one.ticket.endpoint in DCS or one.call.statement.name in {"Restart-Service", "Start-Service"}


def _at(place: int, how: Callable[[World, Waiting], object]) -> Change:
    return lambda world: how(world, world.pool.waiting[place])


def _later(world: World) -> Iterator[After]:
    """Yield what happens by itself: effects that come late, changes that arrive, time that passes."""
    yield from _effects(world)
    yield from _arrivals(world)
    due = world.due()
    if due is not None and not world.pool.waiting:
        yield from _then(world, f"{int((due - world.now).total_seconds())} s pass", lambda other: other.pass_time(due))


def _effects(world: World) -> Iterator[After]:
    for place, late in enumerate(world.late):
        what = f"late: {late}"
        with _named(what):
            other = world.fork()
            other.take_effect(other.late[place])
        yield After(what, other, fault=Fault.LATE_EFFECT)


def _arrivals(world: World) -> Iterator[After]:
    for source, target in world.estate.directory.outbox:
        if _may_arrive(world, source, target):
            what = f"a change of {source.partition('.')[0]} arrives at {target.partition('.')[0]}"
            with _named(what):
                other = world.fork()
                other.deliver(source, target)
            yield After(what, other, fault=Fault.REPLICATION_DELAY)


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


def _deaths(world: World, what: str) -> Iterator[After]:
    with _named(what):
        other = world.fork()
        other.faults -= 1
        other.die()
        yield After(what, other, free=False, fault=Fault.CRASH)


def _take_overs(world: World) -> Iterator[After]:
    yield from _then(world, "another process takes over", World.take_over)
    for host in sorted({late.ticket.endpoint for late in world.late} if world.faults else ()):
        what = f"another process takes over; {host.partition('.')[0]} does not answer it"
        deaf = partial(World.take_over, deaf={host})
        yield from _then(world, what, deaf, fault=Fault.LOST_REQUEST)


# What an operator may say.


def _words(world: World) -> Iterator[After]:
    if not world.words:
        return
    for id_ in world.size.ids:
        for what, event in _sayable(world, id_):
            said = f"the operator says {what} of {id_}"
            yield from _then(world, said, partial(_say, event=event), free=False)
            if any(world.estate.directory.outbox.values()):
                yield from _then(
                    world, f"all changes arrive; {said}", partial(_say, event=event, settled=True), free=False
                )


def _say(world: World, event: Event, settled: bool = False) -> None:
    if settled:
        world.replicate()
    world.words -= 1
    world.say(event)


def _sayable(world: World, id_: str) -> Iterator[tuple[str, Event]]:
    """Yield the words that the command line would let through."""
    state = world.state[id_]
    words: list[tuple[str, Event]] = []
    if state.phase is not Phase.PLANNED:
        words += [
            (way.value, WayBackAsked(migration=id_, way=way, by="operator")) for way in Way if _leads(state.phase, way)
        ]
    if state.held is not None:
        words.append(("release", Released(migration=id_, by="operator", reason="mended")))
    if state.phase in {Phase.ROLLED_BACK, Phase.REOPENED}:
        words.append(("release --forward", Released(migration=id_, by="operator", reason="again", forward=True)))
    for what, event in words:
        try:
            world.law.replayed.copied().apply(event, world.now)
        except IllegalEvent:
            continue
        yield what, event


def _leads(phase: Phase, way: Way) -> bool:
    done = {Phase.ROLLED_BACK} if way is Way.ROLLBACK else {Phase.UNLINKED, Phase.RESTORED, Phase.ROLLED_BACK}
    return phase not in done
