"""Where a run stands, without folding every row: from the newest state that a runner wrote into the journal, and the
rows after it.

For whoever looks, and for operators' words; a runner folds every row. That state is used only if it was made by the
very rules of this program (:func:`orchestrator.journal.program.program`), under a lease; otherwise the rows are folded
from the first, which takes longer and says the same. ``dmsa journal verify`` shows that it does.

A journal may hold many runs, and a run may be long at rest while others go on. So two things are looked for: the newest
state of this run, and the newest of any run, whose other half is what all runs share. Neither is further back than a
runner lets it be (:mod:`orchestrator.conductor.checkpoints`), and what operators have said since.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from itertools import takewhile
from typing import Any, TypeAlias

from orchestrator.journal import Journal, Row
from orchestrator.journal.program import program
from orchestrator.model.claims import Claims
from orchestrator.model.folded import StateFolded
from orchestrator.model.replay import RowUnreadable, event_of, fold_in
from orchestrator.model.run import RunState
from orchestrator.model.sheet import SheetUnreadable, own_from, shared_from, unpacked
from orchestrator.model.switches import Switches

KIND: str = StateFolded.model_fields["kind"].default
Shared: TypeAlias = tuple[Switches, Claims]


def recalled(journal: Journal, run: str) -> tuple[RunState, int]:
    """Return where a run stands, and the number of the journal's last row that counts there.

    Raises:
        RowUnreadable: a row of the run is of a newer version of dmsa.
    """
    head = journal.head()
    with without_collector():
        state, after = _written_down(journal, run)
        if not after:
            return folded(journal, run, head), head
        _fold(state, journal.read(after, run), head)
        state.switches, state.claims = _shared(journal, head)
    return state, head


def glimpsed(journal: Journal, run: str) -> RunState:
    """Return where a run stands; what all runs share is read when it is asked for, from *journal*, as long as it is
    open. For whoever only looks: it is not for folding events in.

    Raises:
        RowUnreadable: a row of the run is of a newer version of dmsa.
    """
    head = journal.head()
    state, unreadable = _glimpsed(journal, run, head, _Later(journal, head))
    if unreadable is not None:
        raise unreadable
    return state


def glimpsed_each(journal: Journal) -> dict[str, tuple[RunState, RowUnreadable | None]]:
    """Return where every run of a journal stands, as :func:`glimpsed` does, in the order in which they began.

    Of one that this version cannot read it is where it stood before that row, and why. The others are not the worse
    for it.
    """
    head = journal.head()
    later = _Later(journal, head)
    return {run: _glimpsed(journal, run, head, later) for run in journal.runs()}


def folded(journal: Journal, run: str, head: int) -> RunState:
    """Return where a run stands after row *head*, from the journal's first row on."""
    return _fold(RunState(run), journal.read(), head)


def _glimpsed(journal: Journal, run: str, head: int, later: _Later) -> tuple[RunState, RowUnreadable | None]:
    why = None
    with without_collector():
        state, after = _written_down(journal, run)
        try:
            _fold(state, journal.read(after, run), head)
        except RowUnreadable as unreadable:
            why = unreadable
    state.switches, state.claims = _LaterSwitches(later), _LaterClaims(later)
    return state, why


def _fold(state: RunState, rows: Iterable[Row], head: int) -> RunState:
    for row in takewhile(lambda row: row.seq <= head, rows):
        fold_in(state, row)
        state.touched.clear()
    return state


def _written_down(journal: Journal, run: str) -> tuple[RunState, int]:
    """Return the newest usable state of a run, without what all runs share, and its row; an empty one and 0 without."""
    found = _newest(journal, run)
    if found is not None:
        row, sheet = found
        with suppress(SheetUnreadable):
            return own_from(run, unpacked(sheet.own)), row.seq
    return RunState(run), 0


def _shared(journal: Journal, head: int) -> Shared:
    """Return what the rows of all runs make of switches and claims."""
    ear, after = RunState(""), 0  # a run of no name: every row is one of another
    found = _newest(journal, None)
    if found is not None:
        with suppress(SheetUnreadable):
            ear.switches, ear.claims = shared_from(unpacked(found[1].shared))
            after = found[0].seq
    _fold(ear, journal.read(after), head)
    return ear.switches, ear.claims


def _newest(journal: Journal, run: str | None) -> tuple[Row, StateFolded] | None:
    row = journal.latest(KIND, run)
    if row is None or row.epoch is None:  # without the lease nobody may write one
        return None
    try:
        sheet = event_of(row)
    except RowUnreadable:
        return None
    return (row, sheet) if isinstance(sheet, StateFolded) and sheet.form == program() else None


@contextmanager
def without_collector() -> Iterator[None]:
    """Let the cycle collector rest: it would walk over everything that is being made, again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Later:
    """What all runs of a journal share, read when it is asked for, once."""

    def __init__(self, journal: Journal, head: int) -> None:
        self._journal, self._head = journal, head
        self._known: Shared | None = None

    def __call__(self) -> Shared:
        if self._known is None:
            with without_collector():
                self._known = _shared(self._journal, self._head)
        return self._known


class _LaterSwitches(Switches):
    """The switches, read when one of their fields is asked for."""

    __slots__ = ("_later",)

    def __init__(self, later: _Later) -> None:
        self._later = later

    def __getattr__(self, name: str) -> Any:  # asked only while a field has no value
        return _filled(self, Switches, name)

    def copied(self) -> Switches:
        return self._later()[0].copied()


class _LaterClaims(Claims):
    """The claims, read when one of their fields is asked for."""

    __slots__ = ("_later",)

    def __init__(self, later: _Later) -> None:
        self._later = later

    def __getattr__(self, name: str) -> Any:  # asked only while a field has no value
        return _filled(self, Claims, name)

    def copied(self) -> Claims:
        return self._later()[1].copied()


def _filled(later: Any, kind: type[Any], name: str) -> Any:
    names = [one.name for one in fields(kind)]
    if name not in names:
        raise AttributeError(name)
    (found,) = (part for part in later._later() if isinstance(part, kind))
    for one in names:
        setattr(later, one, getattr(found, one))
    return getattr(later, name)
