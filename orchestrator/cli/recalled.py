"""Where a run stands, without folding every row: from the newest state that a runner wrote into the journal, and the
rows after it.

For whoever looks, and for operators' words; a runner folds every row. That state is used only if it was made by the
very rules of this program (:func:`orchestrator.journal.program.program`), under a lease; otherwise the rows are folded
from the first, which takes longer and says the same. ``dmsa journal verify`` shows that it does.

A journal may hold many runs, and a run may be long at rest while others go on. So two things are looked for: the newest
state of this run, and the newest of any run, whose other half is what all runs share. Neither is further back than a
runner lets it be (:data:`orchestrator.conductor.checkpoints.EVERY`), and what operators have said since.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    with _without_collector():
        state = _own(journal, run, head)
        if state is None:
            return folded(journal, run, head), head
        state.switches, state.claims = _shared(journal, head)
    return state, head


def glimpsed(journal: Journal, run: str) -> RunState:
    """Return where a run stands; what all runs share is read when it is asked for, from *journal*, as long as it is
    open. For whoever only looks: it is not for folding events in.

    Raises:
        RowUnreadable: a row of the run is of a newer version of dmsa.
    """
    head = journal.head()
    with _without_collector():
        state = _own(journal, run, head)
        if state is None:
            return folded(journal, run, head)
    known: list[Shared] = []

    def shared() -> Shared:
        if not known:
            with _without_collector():
                known.append(_shared(journal, head))
        return known[0]

    state.switches, state.claims = _LaterSwitches(lambda: shared()[0]), _LaterClaims(lambda: shared()[1])
    return state


def folded(journal: Journal, run: str, head: int) -> RunState:
    """Return where a run stands after row *head*, from the journal's first row on."""
    state = RunState(run)
    for row in _until(head, journal.read()):
        fold_in(state, row)
        state.touched.clear()
    return state


def _own(journal: Journal, run: str, head: int) -> RunState | None:
    """Return what a run's own rows make of it, without those before its newest usable state; None if it has none."""
    found = _newest(journal, run)
    if found is None:
        return None
    row, sheet = found
    try:
        state = own_from(run, unpacked(sheet.own))
    except SheetUnreadable:
        return None
    for later in _until(head, journal.read(after=row.seq, run=run)):
        fold_in(state, later)
    state.touched.clear()
    return state


def _shared(journal: Journal, head: int) -> Shared:
    """Return what the rows of all runs make of switches and claims."""
    ear, after = RunState(""), 0  # a run of no name: every row is one of another
    found = _newest(journal, None)
    if found is not None:
        try:
            ear.switches, ear.claims = shared_from(unpacked(found[1].shared))
            after = found[0].seq
        except SheetUnreadable:
            pass
    for row in _until(head, journal.read(after=after)):
        fold_in(ear, row)
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


def _until(head: int, rows: Iterator[Row]) -> Iterator[Row]:
    return takewhile(lambda row: row.seq <= head, rows)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Let the cycle collector rest: it would walk over everything that is being made, again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _LaterSwitches(Switches):
    """The switches, read when one of their fields is asked for."""

    __slots__ = ("_ask",)

    def __init__(self, ask: Callable[[], Switches]) -> None:
        self._ask = ask

    def __getattr__(self, name: str) -> Any:  # asked only while a field has no value
        return _filled(self, Switches, name, object.__getattribute__(self, "_ask"))

    def copied(self) -> Switches:
        return self._ask().copied()


class _LaterClaims(Claims):
    """The claims, read when one of their fields is asked for."""

    __slots__ = ("_ask",)

    def __init__(self, ask: Callable[[], Claims]) -> None:
        self._ask = ask

    def __getattr__(self, name: str) -> Any:  # asked only while a field has no value
        return _filled(self, Claims, name, object.__getattribute__(self, "_ask"))

    def copied(self) -> Claims:
        return self._ask().copied()


def _filled(later: Any, kind: type[Any], name: str, ask: Callable[[], Any]) -> Any:
    names = [one.name for one in fields(kind)]
    if name not in names:
        raise AttributeError(name)
    found = ask()
    for one in names:
        setattr(later, one, getattr(found, one))
    return getattr(later, name)
