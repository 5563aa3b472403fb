"""What a runner that stays needs beside the loop: it is looked after, and goes on once its journal can be written.

A runner acts on nothing that is not on disk. Where the journal's disk is full, or the mirror's share away, it gives the
journal up in good order, waits, and takes it over again as a new process would: what it had under way is settled by
looking. That is what whoever restarts a service would do; here it works on every system, and says why.

A runner that stands by does nothing until nobody drives: the other one has ended, or its lease has lapsed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import TypeVar

import typer

from orchestrator.cli.notify_socket import NotifySocket
from orchestrator.cli.selection import this_runner
from orchestrator.conductor.attending import Attending
from orchestrator.errors import OrchestratorError
from orchestrator.journal import JournalHeld, JournalUnusable, Lease
from orchestrator.model.lifecycle import Phase
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.views.resting import Resting

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""Seconds before the journal is tried again: each time twice as long, but not longer than that."""
LOOK_EVERY = 0.5
TRY_EVERY = 0.25
"""Seconds after which a runner that stands by tries again: so much later than it could it takes over."""

Result = TypeVar("Result")


class Attendant(Attending):
    """Shows what a runner waits for, and tells the service manager."""

    def __init__(
        self, plan: Plan, chosen: Collection[str], until: Phase | None, show: Callable[[str, datetime | None], None]
    ) -> None:
        self._resting, self._show = Resting(plan, chosen, until), show
        self._socket = NotifySocket()

    def beats(self) -> None:
        """Tell that it is alive."""
        self._socket.beats()

    def rests(self, run: RunState, at: datetime | None, due: datetime | None, unread: str | None) -> None:
        """Show what it waits for where that has changed, or was not said for a day."""
        line = self._resting.line(run, at, due, unread)
        if line is not None:
            self._show(line, at)
            self._socket.status(line)


def in_spite_of_the_journal(
    drive: Callable[[], Result],
    attendant: Attending,
    stopped: Callable[[], bool],
    pause: Callable[[float], object] = time.sleep,
) -> Result:
    """Drive, and again after a pause where the journal failed in the middle of it (:func:`broken_on_the_way`).

    Raises:
        JournalUnusable: at the first time, before anything was driven: that is the operator's to see. Or once it was
            *stopped*.
    """
    waits = 0.0
    trouble: OrchestratorError
    while True:
        try:
            return drive()
        except JournalBroke as broke:
            if stopped():
                raise broke.trouble from None
            trouble, waits = broke.trouble, FIRST_PAUSE
        except JournalUnusable as still:
            if not waits:
                raise
            trouble, waits = still, min(LONGEST_PAUSE, 2 * waits)
        except JournalHeld as held:
            # A lease that could not be given back, for the database was gone, lapses soon.
            if not waits or held.holder != this_runner():
                raise
            trouble, waits = held, FIRST_PAUSE
        _say(f"{trouble}. Nothing is sent meanwhile, and it is tried again in {waits:.0f} s.")
        for _ in range(round(waits / LOOK_EVERY)):
            attendant.beats()
            pause(LOOK_EVERY)


@contextlib.contextmanager
def broken_on_the_way() -> Iterator[None]:
    """Tell a journal that failed on the way from one that could not be used to begin with."""
    try:
        yield
    except JournalUnusable as trouble:
        raise JournalBroke(trouble) from trouble


def standing_by(
    acquire: Callable[[], Lease], attendant: Attending, pause: Callable[[float], object] = time.sleep
) -> Lease:
    """Take the lease as soon as nobody holds it; say once of each holder that he drives.

    Raises:
        JournalBroke: the journal failed meanwhile.
        JournalUnusable: at the first try.
    """
    told = ""
    while True:
        try:
            with broken_on_the_way() if told else contextlib.nullcontext():
                return acquire()
        except JournalHeld as held:
            if held.holder != told:
                told = held.holder
                _say(f"{told} drives; this one stands by, and takes over when that one ends or is not heard of.")
        attendant.beats()
        pause(TRY_EVERY)


def _say(text: str) -> None:
    typer.echo(f"dmsa: {text}", err=True)


class JournalBroke(Exception):
    """The journal failed while a runner drove; ``trouble`` says what."""

    def __init__(self, trouble: JournalUnusable) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble
