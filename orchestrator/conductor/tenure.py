"""A runner's tenure: how it takes over from whoever was there before, and how it leaves.

Taking over begins with the fence at the target: the shells that a predecessor left open are deleted before anything
else is sent, so that nothing of his can still take effect unseen. A host that cannot be asked now delays this by
:data:`SWEEP_TAKES` at most: a write that was lost there keeps its subject waiting until its shell is ended
(:func:`~orchestrator.engine.decide.after_end_shell`), and what carried reads only is tried again when this runner
leaves.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from orchestrator.clock import EstateClock
from orchestrator.conductor.flightdeck import FlightDeck
from orchestrator.conductor.runlog import RunLog
from orchestrator.journal import JournalUnusable, LeaseLost
from orchestrator.model.driven import RunBegan, RunnerLeft, RunnerTook
from orchestrator.model.event import AttemptFinished, Event, FaultSeen
from orchestrator.model.observation import FaultKind, Outcome
from orchestrator.remote.transport import Transport

log = structlog.get_logger()

LISTEN = 0.2
"""Seconds between two looks at the journal while calls are open."""
LAST_CALLS = 10.0
"""Seconds that calls in the air are given when the runner is told to stop."""
SWEEP_TAKES = 10.0
"""Seconds that all hosts together are given for deleting what a predecessor left open."""
LAST_SWEEP_TAKES = 2.0
"""The same when the runner leaves."""


class Tenure:
    """The beginning and the end of one runner's work on a journal."""

    def __init__(self, deck: FlightDeck, run: RunLog, clock: EstateClock, transport: Transport) -> None:
        self._deck, self._log, self._clock, self._transport = deck, run, clock, transport

    def take_over(self, who: Callable[[], RunnerTook], first: Callable[[], RunBegan]) -> None:
        """Delete what was left open, read the time, and say *who* drives; *first* begins a run that has not begun."""
        left = self._deck.shells.left()
        self._deck.flights.sweep(left, SWEEP_TAKES)
        if still := self._deck.shells.left():
            log.warning("shells of an earlier run could not be deleted", hosts=sorted(set(still.values())))
        if self._clock.ask() is None and not self._clock.refused:
            self._clock.ask()  # one lost reading must not make every migration a question that nobody answered
        self._deck.surely(lambda: self._say_who_drives(who, first))

    def _say_who_drives(self, who: Callable[[], Event], first: Callable[[], Event]) -> None:
        if self._deck.state.digest is None:
            self._log.write(first())
        self._log.write(who())
        self._give_up_open_attempts("the runner ended before the outcome was known")

    def _give_up_open_attempts(self, why: str) -> None:
        fault = FaultSeen(kind=FaultKind.UNKNOWN, code="runner-ended", message=why)
        for state in list(self._deck.state.migrations.values()):
            for subject in [subject for subject, attempt in state.open.items() if not attempt.unsettled]:
                lost = AttemptFinished(migration=state.id, subject=subject, outcome=Outcome.UNKNOWN, fault=fault)
                self._deck.shells.give_up(lost)

    def leave(self, reason: str) -> None:
        """Let calls in the air end, write down those that did not as unknown, and close the shells that are ours."""
        deadline = time.monotonic() + LAST_CALLS
        flights = self._deck.flights
        flights.ground()
        try:
            while flights.any and time.monotonic() < deadline:
                self._deck.collect(LISTEN)
            self._deck.surely(self._say_what_became_of_calls)
            self._transport.close()
            flights.sweep(self._deck.shells.left(), LAST_SWEEP_TAKES)
            self._deck.surely(lambda: self._say_farewell(reason))
        except (LeaseLost, JournalUnusable) as lost:
            log.warning("the runner left without a last word", why=str(lost))
        finally:
            flights.close(1.0)

    def _say_farewell(self, reason: str) -> None:
        self._deck.shells.write_gone()
        self._log.write(RunnerLeft(reason=reason))

    def _say_what_became_of_calls(self) -> None:
        self._deck.take_in()
        self._give_up_open_attempts("the runner was told to stop before the outcome was known")
