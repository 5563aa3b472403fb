"""What a measure of a run is, and how a run is seen once for all of its measures.

Pure: a run and its plan in, samples out; :mod:`orchestrator.views.metrics` writes them as Prometheus reads them. The
measures are those of waves and those of runs (``measures_of_waves``, ``measures_of_runs``).

How many series there are is bounded by the plan's waves and by the program's own words (phases, reasons, kinds of
waits), not by accounts or hosts: of those only numbers are given. Moments are estate time, as seconds since 1970, never
"seconds until": a file that nobody has written anew would count on by itself, wrongly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

from orchestrator.engine.outcome import WaveState, waiting_of, wave_state
from orchestrator.engine.waves import admissible_in
from orchestrator.model.case import Case
from orchestrator.model.plan import Plan, Wave
from orchestrator.model.run import RunState
from orchestrator.model.state import Waiting
from orchestrator.views.approvals import known_time

Sample: TypeAlias = tuple[tuple[str, ...], float]
"""The values of the labels that follow ``plan`` (and ``wave``), and the number."""


class WaveSeen(NamedTuple):
    """One wave as it stands: its migrations, and what each of them waits for."""

    wave: Wave
    cases: tuple[Case, ...]
    waits: dict[str, Waiting]
    state: WaveState


class Seen(NamedTuple):
    """One run as it stands at a moment."""

    run: RunState
    plan: Plan
    at: datetime | None
    waves: tuple[WaveSeen, ...]


@dataclass(frozen=True)
class Measure:
    """One name of the exposition. ``of``: its samples, of a run or of one of its waves."""

    name: str
    kind: Literal["gauge", "counter", "info"]
    labels: tuple[str, ...]
    means: str
    of_run: Callable[[Seen], Iterable[Sample]] | None = None
    of_wave: Callable[[Seen, WaveSeen], Iterable[Sample]] | None = None

    @property
    def all_labels(self) -> tuple[str, ...]:
        """Every label, in the order of :meth:`samples`."""
        return ("plan", *(("wave",) if self.of_wave else ()), *self.labels)

    def samples(self, seen: Seen) -> Iterator[Sample]:
        """Yield the samples of one run, each with the values of all labels."""
        plan = seen.plan.name
        if self.of_run is not None:
            yield from (((plan, *values), number) for values, number in self.of_run(seen))
        if self.of_wave is not None:
            for one in seen.waves:
                yield from (((plan, one.wave.name, *values), number) for values, number in self.of_wave(seen, one))


def seen(run: RunState, plan: Plan, at: datetime | None) -> Seen:
    """Return how a run stands.

    Args:
        run: the folded journal.
        plan: the plan that it goes by.
        at: estate time; None for the last that the journal knows.
    """
    at = at or run.last_at
    known = known_time(run, at)
    return Seen(run, plan, at, tuple(_wave(run, plan, wave, at, known) for wave in plan.waves))


def _wave(run: RunState, plan: Plan, wave: Wave, at: datetime | None, known: datetime | None) -> WaveSeen:
    answers = admissible_in(run, plan, wave, known)
    cases = tuple(Case.of(run, plan, one.id, at) for one in wave.migrations)
    found = {case.state.id: waiting_of(case.state, answers[case.state.id]) for case in cases}
    waits = {id_: wait for id_, wait in found.items() if wait is not None}
    return WaveSeen(wave, cases, waits, wave_state(run, wave, answers)[0])


def each(names: Iterable[str], found: Iterable[str]) -> Iterator[Sample]:
    """Yield how often each of these names was found, those that were not with 0."""
    counted = Counter(found)
    return (((name,), counted[name]) for name in names)


def found(found: Iterable[str]) -> Iterator[Sample]:
    """Yield how often each name was found that was found at all."""
    return (((name,), number) for name, number in sorted(Counter(found).items()))


def numbers(counts: dict[str, int], always: tuple[str, ...] = ()) -> Iterator[Sample]:
    """Yield counts by their names; those that are *always* told with 0, if need be."""
    return (((name,), counts.get(name, 0)) for name in (*always, *sorted(counts.keys() - {*always})))


def moment(at: datetime | None) -> Iterator[Sample]:
    """Yield a moment as Prometheus has it; nothing where it is not known."""
    if at is not None:
        yield (), at.timestamp()
