"""The run as it stands, and as it is written down: fold before append, and one transaction for many events.

An event is folded into the state first; the law may refuse it, and then it is never written. What was folded becomes
durable with :meth:`RunLog.commit`; nothing that an event speaks of may be sent before that.

The state begins with every row of the journal, folded here. Later on a copy of it, in memory, spares the first rows
where somebody else appended first and what was folded beyond the journal's end must be forgotten.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime

import structlog

from orchestrator.conductor.checkpoints import EVERY, Checkpoints
from orchestrator.journal import Entry, Journal, JournalConflict, Lease, LeaseLost
from orchestrator.model.event import VERSION, Event, to_body
from orchestrator.model.replay import fold_in
from orchestrator.model.run import RunState

log = structlog.get_logger()

Notice = Callable[[Event, datetime | None], None]


class Overtaken(Exception):
    """Somebody else's rows reached the journal first. Nothing was written, and the state was replayed."""


class RunLog:
    """One run's state, its journal, and what is between the two."""

    def __init__(
        self,
        run: str,
        journal: Journal,
        lease: Lease,
        now: Callable[[], datetime | None],
        notice: Notice,
        every: int = EVERY,
    ) -> None:
        """Replay the run, from the journal's first row.

        Args:
            run: the plan's name.
            journal: where it is written down.
            lease: the right to drive, which every append carries.
            now: estate time.
            notice: is told of every event from now on, once it is durable; what is history already is in ``state``.
            every: after how many rows the state is written down.

        Raises:
            RowUnreadable: here and wherever rows of others are read: one is of a newer version of dmsa.
        """
        self._run, self._journal, self._lease, self._now, self._notice = run, journal, lease, now, notice
        self._pending: list[tuple[Event, datetime | None]] = []
        self._head = 0
        self.state = RunState(run)
        self._told = journal.head()
        self._every, self._checkpoints = every, Checkpoints(run, every)
        self._read_new_rows()
        self.state.touched.clear()  # nobody has looked yet
        self._kept = self.state.copied(), self._head

    @property
    def head(self) -> int:
        """The journal's last row that is folded in."""
        return self._head

    @property
    def pending(self) -> bool:
        """Whether anything was written that is not on disk yet."""
        return bool(self._pending)

    def write(self, *events: Event) -> None:
        """Fold events in; they become durable with the next :meth:`commit`.

        Raises:
            IllegalMove: the law has no such move; neither state nor journal has it.
        """
        at = self._now()
        for event in events:
            self.state.apply(event, at)
            self._pending.append((event, at))

    def commit(self) -> None:
        """Put what was written on disk.

        Raises:
            Overtaken: somebody else appended first; what was pending is forgotten, for it was decided on less.
            LeaseLost: somebody else drives now.
        """
        pending, self._pending = self._pending, []
        if not pending:
            return
        entries = [Entry(self._run, at, event.kind, VERSION, to_body(event)) for event, at in pending]
        try:
            self._head = self._journal.append(entries, expected=self._head, lease=self._lease)
        except JournalConflict:
            kept, self._head = self._kept
            self.state = kept.copied()
            self._read_new_rows()
            self._check_lease()
            raise Overtaken from None
        self._told = self._head
        for (event, at), entry in zip(pending, entries, strict=True):
            log.debug(event.kind, at=at, **entry.body)
            self._notice(event, at)
        self._checkpoints.count(self._run, len(entries))

    def spoken_to(self) -> bool:
        """Whether somebody else has appended since, or was seen to have taken the lease."""
        return self._journal.head() != self._head or self._journal.lost(self._lease)

    def hear(self) -> bool:
        """Fold in what operators have appended; say whether there was anything.

        Where there was nothing, and nothing is pending, it may write the state down: then no call waits for it.

        Raises:
            LeaseLost: a runner has appended, or holds the lease: it drives now.
        """
        if not self.spoken_to():
            self._keep()
            return False
        self._read_new_rows()
        self._check_lease()
        return True

    def _check_lease(self) -> None:
        """See whether whoever appended was an operator, whose words are heard, or another runner, who is not followed.

        A lease that has lapsed, and that nobody took, is still ours to write under: the journal itself says so.

        Raises:
            LeaseLost: a runner.
        """
        now = self._journal.holder()
        if now is None:
            with contextlib.suppress(JournalConflict):
                self._journal.append([], expected=self._head, lease=self._lease)
        elif now != self._lease:
            raise LeaseLost(self._lease.epoch, now.epoch, now.holder)

    def _keep(self) -> None:
        """Keep a copy of what is on disk, and write the state down, each when many rows have come since the last.

        Nothing hangs on it: where somebody was faster, he is heard first, and a later turn tries again.
        """
        if self._pending:
            return
        if self._head - self._kept[1] >= self._every:
            self._kept = self.state.copied(), self._head
        if not self._checkpoints.due:
            return
        with contextlib.suppress(JournalConflict):
            entry = self._checkpoints.entry(self.state)
            self._told = self._head = self._journal.append([entry], expected=self._head, lease=self._lease)
            self._checkpoints.written(self._run)

    def _read_new_rows(self) -> None:
        """Fold in the rows after the last one that was read; tell of those that nobody was told of yet."""
        for row in self._journal.read(after=self._head):
            if row.epoch is not None and row.epoch > self._lease.epoch:
                raise LeaseLost(self._lease.epoch, row.epoch, None)
            event = fold_in(self.state, row)
            self._checkpoints.saw(row)
            if event is not None and row.seq > self._told:
                self._notice(event, row.at)
            self._head = row.seq
        self._told = max(self._told, self._head)
