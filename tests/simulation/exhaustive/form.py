"""The canonical form of a world: two worlds of one form have the same future, whatever their histories.

Times are relative to now, and saturated where nothing that is still to come can tell them apart. Ids of shells and
pipelines are left out, and how many shells are open: what matters of one is whether something in it may still take
effect. Texts for people are left out. On a host only the order of processes and baselines counts. Of a value that two
copies of the directory show differently, or that is on its way, the order of the stamps counts; of one that they share,
only the value. What the invariants remember is part of a world, or histories would meet that they judge differently.

Whoever adds a field to what is formed here is told by a test to say what the form makes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from datetime import datetime, timedelta
from hashlib import blake2b
from marshal import dumps
from typing import Any, TypeAlias

from orchestrator.engine.decide import next_action
from orchestrator.lab.estate.replica import Change
from orchestrator.model.action import Perform
from orchestrator.model.before import SnapshotRepeated, SnapshotTaken
from orchestrator.model.call import Write
from orchestrator.model.case import Case
from orchestrator.model.lifecycle import Phase
from orchestrator.model.state import MigrationState, spelled
from tests.simulation.exhaustive.process import Waiting
from tests.simulation.exhaustive.world import TICK, World

Part: TypeAlias = Any
_NUMBERS: dict[Hashable, int] = {}
_OBJECTS: dict[int, tuple[object, int]] = {}


def number(value: Hashable) -> int:
    """Return a small number that stands for a value, the same for equal values."""
    return _NUMBERS.setdefault(value, len(_NUMBERS))


def _number_of(value: object, parts: Callable[[Any], Hashable] = repr) -> int:
    """Return the number of what *parts* makes of a value that never changes; made once for each object."""
    known = _OBJECTS.get(id(value))
    if known is None or known[0] is not value:
        if len(_OBJECTS) > 20_000:
            _OBJECTS.clear()
        known = _OBJECTS[id(value)] = (value, number(parts(value)))
    return known[1]


def form_of(world: World) -> bytes:
    """Return the form of a world, hashed."""
    return blake2b(dumps(parts_of(world), 2), digest_size=12).digest()


def parts_of(world: World) -> Part:
    """Return the form of a world, readable enough to compare two of them."""
    now = world.now
    run = world.state
    switches = run.switches
    return (
        world.faults,
        world.words,
        tuple(_migration(run[id_], now) for id_ in world.size.ids),
        tuple(sorted((host, _number_of(use)) for host, use in switches.uses.items())),
        tuple(sorted((*user, _number_of(before)) for user, before in switches.befores.items())),
        *(run.controllers, tuple(sorted((host, *user) for host, user in switches.restoring.items()))),
        tuple(sorted((host, _since(at, now, _LOOK)) for host, at in switches.restored_at.items())),
        tuple(_host(world, name) for name in world.size.hosts),
        _directory(world),
        "dead" if world.dead else _process(world, now),
        tuple(sorted((*late.key, _said(late.call)) for late in world.late)),
        tuple(_course(world, id_, now) for id_ in world.size.ids),
    )


def _since(at: datetime | None, now: datetime, matters_for: timedelta) -> int | None:
    """Return how long ago something was, up to where it no longer matters."""
    return None if at is None else min(int((now - at).total_seconds()), int(matters_for.total_seconds()))


def _until(at: datetime | None, now: datetime) -> int | None:
    """Return how far ahead something lies; what is over is over."""
    return None if at is None else max(int((at - now).total_seconds()), 0)


# One migration, as the journal knows it.

_LOOK = _SETTLE = _DWELL = TICK


def _migration(state: MigrationState, now: datetime) -> Part:
    return (
        _number_of(state, _of_state),
        _since(state.since, now, _LOOK),
        tuple(sorted((subject, w.waiting_for, _until(w.until, now)) for subject, w in state.waits.items())),
        tuple(sorted((*key, _until(limit.until, now)) for key, limit in state.deadlines.items())),
        tuple(sorted((subject, _since(a.unsettled_since, now, _SETTLE)) for subject, a in state.open.items())),
        _since(state.ledger.read_at, now, timedelta(days=1)) if state.phase is Phase.RESTARTED else None,
        _since(state.ledger.learned_at, now, _DWELL),
        _since(state.dwell_started, now, _DWELL),
        _since(state.anew_at, now, _DWELL),
    )


def _of_state(state: MigrationState) -> Part:
    held, ledger = state.held, state.ledger
    dwell = (state.converged_at is None, state.registry_at is None, ledger.hosts_since is None)
    return (
        *(state.id, state.phase, state.intention, state.way, state.attempt, state.failure, state.admitted),
        held and (held.reason, held.subject),
        tuple(sorted((*key, count) for key, count in state.tries.items())),
        tuple(sorted((*key, fault.kind, fault.code) for key, fault in state.faults.items())),
        tuple(
            sorted(
                (
                    *(subject, a.started.step, a.started.endpoint),
                    spelled(a.started.cmdlet, a.started.parameters),
                    *(repr(a.started.parameters), a.unsettled, a.shell_ended),
                )
                for subject, a in state.open.items()
            )
        ),
        tuple(sorted(state.done)),
        tuple(sorted((*key, count, repr(state.asked.get(key))) for key, count in state.performed.items())),
        tuple(sorted(state.landed)),
        *(state.wish, state.reached, state.password_risk_accepted),
        tuple(sorted(state.sent)),
        tuple(sorted(state.touched)),
        *(_content(state.snapshot), _content(state.repeated)),
        str(state.dmsa_guid),
        tuple(sorted((host, progress.registry, progress.rebooted) for host, progress in state.hosts.items())),
        tuple(sorted((host, one.step) for host, one in state.baselines.items())),
        *(tuple(sorted(ledger.present)), tuple(sorted(ledger.hosts_present)), tuple(sorted(ledger.vanished))),
        dwell,
        *(state.adopted, str(state.adopting), str(state.asserted), tuple(sorted(state.lost))),
    )


def _content(taken: SnapshotTaken | SnapshotRepeated | None) -> Part:
    return repr((taken.account, taken.dmsa, taken.containers, taken.hosts)) if taken else None


# The far side.


def _host(world: World, name: str) -> Part:
    machine = world.estate.machine(name)
    baselines = [
        (id_, one.local_time) for id_ in world.size.ids if (one := world.state[id_].baselines.get(name)) is not None
    ]
    services = tuple(
        (key, one.running, tuple(id_ for id_, at in baselines if one.started is not None and one.started > at))
        for key, one in machine.services.items()
    )
    return (machine.kerberos, machine.kerberos_parent, services)


def _directory(world: World) -> Part:
    """Return what each copy shows of the pairs, and what is on its way."""
    directory = world.estate.directory
    if directory.formed is None:
        directory.formed = _formed(world)
    return directory.formed


def _formed(world: World) -> Part:
    directory = world.estate.directory
    pinned, other = directory.replicas.values()
    cells: dict[tuple[str, str], list[tuple[str, Change]]] = {}
    for where, unit_number, change in _on_the_way(world):
        cells.setdefault((str(change.guid), change.name.lower()), []).append((f"{where} {unit_number}", change))
    shared: list[Part] = []
    for guid in _objects(world):
        here, there = pinned.entries.get(guid), other.entries.get(guid)
        names = {*(here.cells if here else ()), *(there.cells if there else ())}
        for name in sorted(names - _UNSEEN):
            one = here.cells.get(name) if here is not None else None
            two = there.cells.get(name) if there is not None else None
            if one is not None and two is not None and one.stamp == two.stamp:
                shared.append((str(guid), name, number(one.value)))
                continue
            known = cells.setdefault((str(guid), name), [])
            known += [(where, cell) for where, cell in (("pinned", one), ("other", two)) if cell is not None]
    apart = tuple(sorted((*key, _stamped(found)) for key, found in cells.items()))
    return (number(tuple(shared)), apart, tuple(len(units) for units in directory.outbox.values()))


_UNSEEN = frozenset({"objectsid", "description"})


def _objects(world: World) -> Iterator[Any]:
    """The objects that anything here writes to."""
    pinned = next(iter(world.estate.directory.replicas.values()))
    for id_ in world.size.ids:
        for entry in (pinned.account(f"{id_}$"), pinned.account(f"svc-{id_[-1]}")):
            if entry is not None:
                yield entry.guid


def _on_the_way(world: World) -> Iterator[tuple[str, int, Change]]:
    for (source, _), units in world.estate.directory.outbox.items():
        for place, unit in enumerate(units):
            for change in unit:
                yield source, place, change


def _stamped(found: list[tuple[str, Change]]) -> Part:
    """Return values with the order of their stamps, and by how many versions they are apart."""
    oldest = min(change.stamp.version for _, change in found)
    order = sorted({change.stamp for _, change in found})
    return tuple(
        sorted(
            (where, number(change.value), change.stamp.version - oldest, order.index(change.stamp), change.stamp.origin)
            for where, change in found
        )
    )


# The process.


def _process(world: World, now: datetime) -> Part:
    process = world.process
    agenda = process._agenda
    again = tuple(
        sorted(
            (id_, subject, -1 if due is None else _until(due, now))
            for id_, dues in agenda._again.items()
            for subject, due in dues.items()
        )
    )
    stirred = tuple(sorted(id_ for ids in agenda._stirred.values() for id_ in ids))
    changed = tuple(sorted(id_ for standing in agenda._waves.values() for id_ in standing._changed))
    seen = tuple(
        sorted(
            (id_, subject, _would(world, id_, subject, known))
            for id_, all_ in process._deck._seen.items()
            for subject, known in all_.items()
        )
    )
    return (tuple(sorted(map(_call, world.pool.waiting))), again, stirred, changed, seen)


def _call(one: Waiting) -> Part:
    stage = (one.flight.stage[0].value, one.flight.stage[1].value)
    if one.call is None:
        return (*one.flight.key, *stage, "end of shell")
    if isinstance(one.call, Write):
        return (*one.flight.key, *stage, _said(one.call))
    return (*one.flight.key, *stage, f"{one.call.endpoint} {one.flight.more} {number(repr(one.call))}")


def _said(write: Write) -> str:
    return f"{write.endpoint} {write.statement}"


def _would(world: World, id_: str, subject: str, seen: Any) -> str:
    """Return what a reading that is kept would lead to: it waits for another restart at its host."""
    case = Case.of(world.state, world.process._plan, id_, world.now)
    if case.state.held is not None:
        return "held"
    action = next_action(case, subject, seen)
    return f"perform {action.write.statement}" if isinstance(action, Perform) else type(action).__name__


# What the invariants remember.


def _course(world: World, id_: str, now: datetime) -> Part:
    one, gone = world.law.course(id_), world.law.invariants._shared.gone
    open_ = sorted((subject, sent.event.cmdlet, sent.unknown, sent.event.shell) for subject, sent in one.open.items())
    # Of what the dwell begins with, the latest counts: whatever is taken away comes back later than all of it.
    ready = [at for at in (one.converged_at, *one.switch_at.values(), *one.member_at.values()) if at is not None]
    timeless = (
        *(one.phase, one.back, one.attempt, one.admitted, one.begun, *sorted(one.heard), one.held and one.held.reason),
        *(one.failed, one.refused),
        *(tuple(sorted(one.waits.items())), tuple(sorted(one.switched)), _number_of(one.before)),
        *(tuple(sorted(one.restarting)), tuple(sorted(one.disrupted))),
        *(tuple(sorted(one.effects.items())), tuple(sorted(one.restarts.items()))),
        *(one.converged_at is None, one.apart_at is None, tuple(sorted(one.switch_at)), tuple(sorted(one.member_at))),
        tuple(sent[:3] for sent in open_),
    )
    return (
        number(timeless),
        tuple(_since(gone.get(shell), now, _SETTLE) for *_, shell in open_),
        _since(max(ready, default=None), now, _DWELL),
    )
