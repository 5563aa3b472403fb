"""Reads of many migrations on their way: what goes in one pipeline, and what becomes of its reply.

A read that came to nothing because its session had died, or for a fault that may pass, is repeated once. What several
reads share is told apart again; where it cannot be, or where nobody knows which of them brought the others down, they
are asked in smaller parts, at last each alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from orchestrator.engine.apart import apart, as_one, packed
from orchestrator.engine.merge import merge
from orchestrator.model.call import Cmdlet, Read
from orchestrator.model.observation import FaultKind, Outcome, Reply
from orchestrator.remote.causes import GARBLED, REPLY_TOO_LARGE, TOO_LARGE

TRIES = 2
"""How often a read is sent that may work the next time."""
ROOM = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds after which an endpoint is asked again that had no room for a read: once for each."""
FEW = 8
"""So many reads are asked each alone where their common reply says nothing; more are halved first."""
_FOR_ITS_SIZE = frozenset({TOO_LARGE.code, REPLY_TOO_LARGE.code, GARBLED.code})
"""Lasting faults that a smaller trip may escape."""


@dataclass(frozen=True)
class Wanted:
    """One read, for one migration or for several."""

    ids: tuple[str, ...]
    read: Read


@dataclass
class Trip:
    """Reads that travel in one pipeline; ``tries``: how often it was sent.

    ``turned_away``: how often there was no room for it; ``rests``: seconds for which it is not to be sent again.
    """

    parts: tuple[Wanted, ...]
    tries: int = 0
    turned_away: int = 0
    rests: float = 0.0

    @property
    def endpoint(self) -> str:
        """Whom it asks."""
        return self.parts[0].read.endpoint

    @property
    def read(self) -> Read:
        """What is sent."""
        return as_one([one.read for one in self.parts])


Answers: TypeAlias = list[tuple[Wanted, Reply]]


def trips(asked: Mapping[str, tuple[Read, ...]]) -> list[Trip]:
    """Return the trips of one round: each statement once, whoever wants it, and as few pipelines as can be told apart.

    What many want goes last: what each wants for himself stands before it without being mixed up with it.
    """
    wanted = sorted(_once(asked), key=lambda one: len(one.ids))
    return [Trip(tuple(wanted[place] for place in places)) for places in packed([one.read for one in wanted])]


def _once(asked: Mapping[str, tuple[Read, ...]]) -> Iterator[Wanted]:
    """Yield the reads of a round: a statement that the same migrations want of an endpoint goes with its like."""
    wanting: dict[tuple[str, str], tuple[str, Cmdlet, list[str]]] = {}
    for id_, reads in asked.items():
        for read in reads:
            for one in read.statements:
                _, _, ids = wanting.setdefault((read.endpoint, repr(one)), (read.endpoint, one, []))
                if id_ not in ids[-1:]:
                    ids.append(id_)
    together: dict[tuple[str, ...], list[Read]] = {}
    for endpoint, one, ids in wanting.values():
        together.setdefault(tuple(ids), []).append(Read(endpoint, (one,)))
    for for_, alike in together.items():
        yield from (Wanted(for_, read) for read in merge(alike))


def settled(trip: Trip, reply: Reply) -> tuple[Answers, list[Trip]]:
    """Return whose answers a reply holds, and what is to be asked once more."""
    rests = rest(reply, trip.turned_away)
    if rests is not None:
        return [], [Trip(trip.parts, trip.tries - 1, trip.turned_away + 1, rests)]
    if trip.tries < TRIES and _worth_repeating(reply, alone=len(trip.parts) == 1):
        return [], [trip]
    if len(trip.parts) == 1 or _concerns_all(reply):
        return [(one, reply) for one in trip.parts], []
    told = apart([one.read for one in trip.parts], reply)
    if told is None:
        return [], list(_smaller(trip))
    answers = [(one, part) for one, part in zip(trip.parts, told, strict=True) if part is not None]
    left = tuple(one for one, part in zip(trip.parts, told, strict=True) if part is None)
    return answers, [Trip(left)] if left else []


def rest(reply: Reply, turned_away: int) -> float | None:
    """Return for how many seconds an endpoint is left alone that had no room; None where it had, or never has."""
    if reply.fault is None or not reply.fault.busy or turned_away >= len(ROOM):
        return None
    return max(ROOM[turned_away], min(reply.fault.after, ROOM[-1]))


def _worth_repeating(reply: Reply, *, alone: bool) -> bool:
    """Whether the same once more may help; a trip that was lost on the way is rather asked apart."""
    if reply.again or (alone and reply.outcome is Outcome.UNKNOWN):
        return True
    passes = reply.fault is not None and not reply.errors and reply.fault.kind is FaultKind.TRANSIENT
    return passes and (alone or _concerns_all(reply))


def _concerns_all(reply: Reply) -> bool:
    """Whether a reply says of the endpoint, and not of what it was asked, why it holds nothing."""
    fault = reply.fault
    if fault is None or reply.errors or reply.records or reply.outcome is not Outcome.FAILED:
        return False
    return not fault.reached or (fault.kind is FaultKind.PERMANENT and fault.code not in _FOR_ITS_SIZE)


def _smaller(trip: Trip) -> Iterable[Trip]:
    many = len(trip.parts)
    if many <= FEW:
        return (Trip((one,)) for one in trip.parts)
    return (Trip(trip.parts[: many // 2]), Trip(trip.parts[many // 2 :]))
