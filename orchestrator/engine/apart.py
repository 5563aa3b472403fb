"""Which reads share a pipeline, and whose its answers are.

Statements of one pipeline run one after the other, and put their objects into one stream in that order (PowerShell's
source, hostifaces/PowerShell.cs, DoRemainingBatchCommands: each begins when the one before has ended). So a reply can
be cut where one read ends and the next begins, if the objects themselves leave one possibility and no more. Where they
leave several, or none, nobody guesses: the reads are asked apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.engine.shapes import Shape, is_about, may_have_raised, shape_of
from orchestrator.model.call import Cmdlet, Read
from orchestrator.model.observation import Outcome, Record, RemoteError, Reply
from orchestrator.model.witness import WITNESS

MOST = 50
"""How much one pipeline asks. On the wire that is some 130 kB out, for pairs, and some 180 kB back. A message may have
500 kB by default (MaxEnvelopeSizekb, Microsoft Learn, "Installation and configuration for WinRM"), of which the client
uses 150 kB. What is larger is no error, for PowerShell Remoting breaks it up (MS-PSRP 2.2.4), but more requests."""
_IN_CHAIN = "1.2.840.113556.1.4.1941"
_CHAIN_COSTS = 5
"""A directory follows chains of groups slowly; what one pipeline asks must be answered before a call is given up."""


def packed(reads: Sequence[Read]) -> list[list[int]]:
    """Return which reads travel together, by their places, in their order.

    None goes with one whose answers could be taken for its own. No statement stands in two reads.
    """
    trips: list[list[int]] = []
    open_: dict[str, _Filling] = {}
    for place, read in enumerate(reads):
        shapes = [shape_of(one) for one in read.statements]
        told = [shape for shape in shapes if shape is not None]
        if len(told) < len(shapes) or read.endpoint.startswith(WITNESS):
            trips.append([place])
            continue
        filling = open_.get(read.endpoint)
        if filling is None or not filling.takes(told, _cost(read)):
            filling = open_[read.endpoint] = _Filling([])
            trips.append(filling.places)
        filling.add(place, told, _cost(read))
    return trips


def _cost(read: Read) -> int:
    return sum(_CHAIN_COSTS if _IN_CHAIN in str(one.parameters.get("LDAPFilter")) else 1 for one in read.statements)


class _Filling:
    """A trip that may take more: ``_last`` are the shapes that nothing separates from what comes next."""

    def __init__(self, places: list[int]) -> None:
        self.places = places
        self._last: list[Shape] = []
        self._cost = 0

    def takes(self, shapes: Sequence[Shape], cost: int) -> bool:
        """Whether a read may come next: what looks alike must have an object of another kind between, or be counted."""
        if self._cost + cost > MOST:
            return False
        last = list(self._last)
        for shape in shapes:
            if any(one.like(shape) and not (one.exact and shape.exact) for one in last):
                return False
            last = _behind(last, shape)
        return True

    def add(self, place: int, shapes: Sequence[Shape], cost: int) -> None:
        """Take it."""
        self.places.append(place)
        self._cost += cost
        for shape in shapes:
            self._last = [*_behind(self._last, shape), shape]


def _behind(last: Iterable[Shape], shape: Shape) -> list[Shape]:
    """Return what still looks like something to come, once an object of *shape* has certainly come."""
    return [one for one in last if not shape.least or one.kind == shape.kind]


def as_one(reads: Sequence[Read]) -> Read:
    """Return reads of one endpoint as one, in their order."""
    return Read(reads[0].endpoint, tuple(one for read in reads for one in read.statements))


def apart(reads: Sequence[Read], reply: Reply) -> tuple[Reply | None, ...] | None:
    """Return each read's own reply, as if it had been asked alone; or None where that cannot be told.

    A read that stands behind the error that ended the pipeline has None: it is asked again.
    """
    if reply.outcome is not Outcome.SUCCEEDED and (reply.fault is None or not reply.errors):
        return None
    laid = _Laid.of(reads)
    if laid is None:
        return None
    ended = None if reply.outcome is Outcome.SUCCEEDED else reply.errors[-1]
    others = reply.errors if ended is None else reply.errors[:-1]
    whose = [laid.raised(error) for error in others]
    if any(len({laid.reads[at] for at in places}) != 1 for places in whose):
        return None
    doubtful = {at for places in whose for at in places}
    errors: list[list[RemoteError]] = [[] for _ in reads]
    for error, places in zip(others, whose, strict=True):
        errors[laid.reads[min(places)]].append(error)
    if ended is None:
        cuts = laid.cuts(reply.records, doubtful)
        return None if cuts is None else tuple(_parts(reply, cuts, errors, len(reads)))
    return _until(laid, reply, ended, doubtful, errors)


def _until(
    laid: _Laid, reply: Reply, ended: RemoteError, doubtful: set[int], errors: list[list[RemoteError]]
) -> tuple[Reply | None, ...] | None:
    """Tell a reply apart that an error ended. What comes behind may have run all the same: its output is not used."""
    found: set[tuple[int, tuple[int, ...]]] = set()
    for at in laid.raised(ended):
        cuts = laid.all_cuts(reply.records, doubtful | set(range(at, len(laid.shapes))))
        known = cuts[: laid.reads[at] + 2]
        if any(len(places) > 1 for places in known):
            return None
        if all(known):
            found.add((laid.reads[at], tuple(min(places) for places in known)))
    if len(found) != 1:
        return None
    (last, cut), *_ = found
    errors[last].append(ended)
    done = list(_parts(reply, cut, errors, last + 1))
    return (*done[:-1], _with_end(done[-1], reply), *(None for _ in range(last + 1, len(errors))))


def _with_end(part: Reply, reply: Reply) -> Reply:
    return Reply(reply.outcome, part.records, part.errors, reply.fault)


def _parts(reply: Reply, cuts: Sequence[int], errors: Sequence[Sequence[RemoteError]], many: int) -> Iterator[Reply]:
    for read in range(many):
        yield Reply(Outcome.SUCCEEDED, reply.records[cuts[read] : cuts[read + 1]], tuple(errors[read]))


@dataclass(frozen=True)
class _Laid:
    """The statements of a trip one after the other: each with its shape, and with the place of its read."""

    statements: tuple[Cmdlet, ...]
    shapes: tuple[Shape, ...]
    reads: tuple[int, ...]

    @classmethod
    def of(cls, reads: Sequence[Read]) -> _Laid | None:
        """Lay them out; None where one of them puts out what nobody can tell."""
        laid = [(place, one, shape_of(one)) for place, read in enumerate(reads) for one in read.statements]
        shapes = tuple(shape for _, _, shape in laid if shape is not None)
        if len(shapes) < len(laid):
            return None
        return cls(tuple(one for _, one, _ in laid), shapes, tuple(place for place, _, _ in laid))

    def raised(self, error: RemoteError) -> list[int]:
        """Return the statements whose error it may be: that of the object it names, if it names one."""
        places = [at for at, one in enumerate(self.statements) if may_have_raised(one, error)]
        return [at for at in places if is_about(self.statements[at], error)] or places

    def cuts(self, records: Sequence[Record], doubtful: set[int]) -> tuple[int, ...] | None:
        """Return where each read's objects begin, and the last one's end; None unless there is just one way."""
        found = self.all_cuts(records, doubtful)
        return tuple(min(places) for places in found) if all(len(places) == 1 for places in found) else None

    def all_cuts(self, records: Sequence[Record], doubtful: set[int]) -> list[set[int]]:
        """Return every place where each read's objects may begin, and where the last one's end.

        Args:
            records: the objects, in order.
            doubtful: statements that may have put out less than they should, for something went wrong.
        """
        forward = [{0}]
        for at, shape in enumerate(self.shapes):
            least = 0 if at in doubtful else shape.least
            forward.append({end for place in forward[at] for end in _ends(shape, least, records, place)})
        alive = [forward[-1] & {len(records)}]
        for at in range(len(self.shapes) - 1, -1, -1):
            least = 0 if at in doubtful else self.shapes[at].least
            ends = alive[-1]
            alive.append(
                {one for one in forward[at] if not ends.isdisjoint(_ends(self.shapes[at], least, records, one))}
            )
        alive.reverse()
        begins = [at for at, place in enumerate(self.reads) if at == 0 or self.reads[at - 1] != place]
        return [*(alive[at] for at in begins), alive[-1]]


def _ends(shape: Shape, least: int, records: Sequence[Record], place: int) -> range:
    """Return where the objects of one statement may end that begin at a place."""
    end, limit = place, len(records) if shape.most is None else min(len(records), place + shape.most)
    while end < limit and shape.fits(records[end]):
        end += 1
    return range(place + least, end + 1)
