"""Follows a journal: folds the rows that are new, and says when something changed.

One reader, however many pages are open. Rows are folded once, into a state that lives as long as the board; what that
state says is written out only for runs that got rows. A journal that is not there yet, cannot be read for now, or was
replaced by another is opened again; until then the board shows what it saw last, and why that may be old.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from orchestrator.board.courses import times_of
from orchestrator.board.further_back import Found, further_back
from orchestrator.board.sight import Line, Seen, Sight
from orchestrator.errors import OrchestratorError
from orchestrator.journal import Journal, JournalUnusable, Row
from orchestrator.model.plan import Plan
from orchestrator.model.replay import OVERHEARD, RowUnreadable, fold_in
from orchestrator.model.run import RunState
from orchestrator.planfile import plan_of
from orchestrator.views.journal_rows import said_of
from orchestrator.views.moment import iso
from orchestrator.views.status import status_document

ROWS = 100
"""How many of a run's newest rows are kept at hand."""
RECENT = 15
"""And of each migration's, as far as they are found among the last :data:`AT_FIRST` rows or come later."""
AT_FIRST = 2_000

Recall = Callable[[Journal, str], tuple[RunState, int]]
"""Where a run stands, and the last row that counts there; raises RowUnreadable."""

Stands = tuple[RunState, Plan | None, str | None]
"""Where a run stands, its plan, and, where that cannot be told, why."""


@dataclass(frozen=True)
class Source:
    """Where the journal is, and how it is read.

    ``opened`` gives it, or None where none is there yet. ``identity`` is another value once another file is in its
    place. ``recall`` is how a run is folded at the beginning.
    """

    name: str
    opened: Callable[[], Journal | None]
    recall: Recall
    identity: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Wanted:
    """A plan that is to be shown, run or not, and how a person would name it to the next command."""

    name: str
    command: str
    plan: Plan
    digest: str


@dataclass
class _Run:
    """One run that is followed. ``after`` is the last row that is folded in; None before it began."""

    name: str
    state: RunState
    after: int | None = None
    unread: str | None = None
    stale: bool = True
    rows: deque[Line] = field(default_factory=lambda: deque(maxlen=ROWS))
    recent: dict[str, deque[Line]] = field(default_factory=dict)
    seen: Seen | None = None
    plan: Plan | None = None
    digest: str | None = None

    @property
    def met(self) -> bool:
        """Whether it has begun."""
        return self.after is not None

    def take_in(self, row: Row) -> None:
        """Fold a row in, of this run or of another."""
        if self.after is None or row.seq <= self.after:
            return
        self.after = row.seq
        own = row.run == self.name
        self.stale |= own or row.kind in OVERHEARD
        if own:
            self.show(row)
        if self.unread is None:
            try:
                fold_in(self.state, row)
            except RowUnreadable as error:
                self.unread, self.stale = str(error), True
            self.state.touched.clear()

    def show(self, row: Row) -> None:
        """Keep a row at hand, for people."""
        line = line_of(row)
        self.rows.append(line)
        if line["migration"]:
            self.recent.setdefault(line["migration"], deque(maxlen=RECENT)).append(line)


class Follower:
    """What the board sees. Not for two threads at once."""

    def __init__(self, source: Source, wanted: Sequence[Wanted], named: Callable[[str], str]) -> None:
        """Follow *source*.

        Args:
            source: the journal.
            wanted: the plans to show; every run of the journal where there are none.
            named: how a run is named to the next command, of which no plan file is known.
        """
        self._source, self._wanted, self._named = source, {one.name: one for one in wanted}, named
        self._journal: Journal | None = None
        self._identity: object = None
        self._runs = self._unbegun()
        self._head = 0
        self._trouble: str | None = None
        self._driver: str | None = None
        self._last: Sight | None = None

    def look(self) -> Sight | None:
        """Take in what is new; return what is seen now if that is not what was seen last."""
        try:
            self._take_in()
            self._trouble = None
        except OrchestratorError as error:
            self.close()
            self._trouble = str(error)
        sight = self._sight()
        if sight == self._last:
            return None
        self._last = sight
        return sight

    @property
    def troubled(self) -> bool:
        """Whether the journal could not be read at the last look."""
        return self._trouble is not None

    def states(self) -> Iterator[Stands]:
        """Yield where each run stands; not to be kept beyond the next look."""
        for run in self._runs.values():
            if run.seen is not None:
                yield run.state, run.seen.plan, run.seen.unread

    def further_back(self, run: str, migration: str, before: int | None, most: int) -> Found:
        """Return rows that lie further back; none while the journal cannot be read."""
        if self._journal is None or run not in self._runs:
            return Found((), None)
        try:
            return further_back(self._journal, run, migration, before, most)
        except OrchestratorError:  # the next look says why
            return Found((), None)

    def close(self) -> None:
        """Let go of the journal; the next look opens it again."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _take_in(self) -> None:
        identity = self._source.identity()
        if identity != self._identity:
            self.close()
        if self._journal is None:
            self._begin(identity)
        if self._journal is None:
            return
        head = self._journal.head()
        if head > self._head:
            self._follow(self._journal, head)
        lease = self._journal.holder()
        self._driver = lease.holder if lease else None

    def _begin(self, identity: object) -> None:
        """Open the journal, and fold every run that is shown; what was seen before stays until all of that is done."""
        journal = self._source.opened()
        if journal is None and self._head:
            remedy = "Put it back, or a copy; the board goes on with it"
            raise JournalUnusable(self._source.name, "it is not there any more", remedy)
        if journal is None:
            return
        self._journal = journal  # which is closed if what follows fails
        head = journal.head()
        found = self._unbegun() | {name: self._met(journal, name) for name in journal.runs() if self._is_shown(name)}
        self._identity, self._head, self._runs = identity, head, found

    def _unbegun(self) -> dict[str, _Run]:
        return {name: _Run(name, RunState(name)) for name in self._wanted}

    def _is_shown(self, name: str) -> bool:
        return not self._wanted or name in self._wanted

    def _met(self, journal: Journal, name: str) -> _Run:
        """Return a run, folded from where it was written down last, with its newest rows."""
        run = _Run(name, RunState(name))
        try:
            run.state, run.after = self._source.recall(journal, name)
        except RowUnreadable as error:
            run.unread, run.after = str(error), journal.head()
        for row in journal.read(journal.before_last(AT_FIRST, name), name):
            run.show(row)
        return run

    def _follow(self, journal: Journal, head: int) -> None:
        """Fold the rows up to *head*; a run that only now begins is met, as at the beginning."""
        new: dict[str, None] = {}
        for row in journal.read(self._head):
            if row.seq > head:
                break
            for run in self._runs.values():
                run.take_in(row)
            known = self._runs.get(row.run)
            if self._is_shown(row.run) and (known is None or not known.met):
                new[row.run] = None
        self._runs |= {name: self._met(journal, name) for name in new}
        self._head = head

    def _sight(self) -> Sight:
        runs = tuple(self._seen(run) for run in self._runs.values())
        return Sight(self._source.name, runs, self._driver, self._trouble, self._head)

    def _seen(self, run: _Run) -> Seen:
        if run.seen is None or run.stale:
            run.seen, run.stale = self._written_out(run), False
        return run.seen

    def _written_out(self, run: _Run) -> Seen:
        wanted = self._wanted.get(run.name)
        command = wanted.command if wanted else self._named(run.name)
        rows, unread, note = tuple(run.rows), run.unread, None
        try:
            plan, digest = _plan(run, wanted)
        except ValueError as error:
            plan, digest, unread = None, None, f"its plan is none of this version: {error}"
        if wanted and digest is not None and wanted.digest != digest:
            note = (
                "The plan file is not the plan that this run goes by; shown is the run's. "
                f"`dmsa amend {command}` shows the difference."
            )
        if unread is not None or plan is None or digest is None:
            return Seen(run.name, command, rows=rows, unread=unread or "it has no plan yet", note=note)
        recent = {id_: tuple(lines) for id_, lines in run.recent.items()}
        times = {id_: times_of(state) for id_, state in run.state.migrations.items()}
        document = status_document(run.state, plan, digest, run.state.last_at)
        return Seen(run.name, command, plan, document, rows, recent, times, None, note)


def _plan(run: _Run, wanted: Wanted | None) -> tuple[Plan | None, str | None]:
    """Return the plan that a run goes by, and its digest; before it began, the one that is to be shown."""
    if run.state.digest is None or run.state.plan is None:
        return (wanted.plan, wanted.digest) if wanted else (None, None)
    if run.digest != run.state.digest:
        run.plan, run.digest = plan_of(run.state.plan), run.state.digest
    return run.plan, run.digest


def line_of(row: Row) -> Line:
    """Return a row for people."""
    about = row.body.get("migration", "")
    return {"seq": row.seq, "at": iso(row.at), "kind": row.kind, "migration": f"{about}", "said": said_of(row)}
