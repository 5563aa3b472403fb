"""What verbs share that only look: the estate, reached and left again, and the journal as it stands."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from orchestrator.cli.compose import clock_for, estate_of, traffic_for, transport_for
from orchestrator.cli.conversations import Separately
from orchestrator.cli.history import open_existing, refuse_other_plan, replay
from orchestrator.cli.readings import Readings
from orchestrator.cli.signals import Signals
from orchestrator.clock import EstateClock
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.planfile import Loaded
from orchestrator.remote.connection import Connections
from orchestrator.remote.pool import CallPool
from orchestrator.remote.traffic import Manners

PATIENCE = 5.0
"""Seconds for which threads are waited for whose hosts do not answer."""


@dataclass(frozen=True)
class Reached:
    """An estate that answers: the plan for it, its clock, read once, and what carries reads."""

    plan: Plan
    clock: EstateClock
    readings: Readings


@contextlib.contextmanager
def reached(
    loaded: Loaded, place: str, signals: Signals, manners: Manners, tell: Callable[[int, int], object]
) -> Iterator[Reached]:
    """Reach the estate of a plan; a signal ends its readings, and every session is closed afterwards.

    *tell* hears how much of what is asked was answered.
    """
    stops: list[bool] = []
    with estate_of(loaded, place) as resolved:
        plan, connections = resolved.plan, Connections(resolved.plan.estate, resolved.base)
        traffic = traffic_for(plan, manners)
        with contextlib.closing(Separately(lambda: transport_for(plan, connections, traffic))) as transport:
            clock = clock_for(plan, transport)
            clock.ask()
            pool: CallPool[int] = CallPool(transport, manners.threads)
            try:
                readings = Readings(transport, pool, lambda: bool(stops), manners.hosts_at_once, tell)
                with signals.stopping(lambda: stops.append(True)), contextlib.closing(readings):
                    yield Reached(plan, clock, readings)
            finally:
                pool.close(0.0 if stops else PATIENCE)


def journaled(loaded: Loaded, place: str) -> RunState:
    """Return where everything stands by the journal, which others may write to meanwhile.

    Raises:
        InputInvalid: its run goes by another plan.
    """
    opened = open_existing(place)
    with contextlib.closing(opened) if opened else contextlib.nullcontext():
        state, _ = replay(opened, loaded.plan.name)
    refuse_other_plan(state, loaded)
    return state
