"""The measures of runs in Prometheus' text format: for the textfile collector of the node exporter, and for the board.

Nothing is kept between two expositions, neither here nor in the library: each is made of the journal alone, so that
counters go on across restarts, and no process has to be there to be asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator import __version__
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.views.marks import standing
from orchestrator.views.measure import Measure, Seen, seen
from orchestrator.views.measures_of_runs import OF_RUNS
from orchestrator.views.measures_of_waves import OF_WAVES

MEASURES = (*OF_RUNS, *OF_WAVES)
"""Every measure, in the order in which they are written."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What :func:`metrics_text` is, for whoever serves it."""


class JournalSeen(NamedTuple):
    """What is known of the journal that the runs stand in."""

    rows: int
    """The number of its last row."""
    driven: bool
    """Whether a runner holds its lease."""
    unreadable: int = 0
    """How many of its runs this version cannot read."""


OF_JOURNAL: tuple[tuple[str, str, str], ...] = (
    ("dmsa_build", "info", "The version of dmsa that wrote this."),
    ("dmsa_journal_rows", "counter", "Rows of the journal."),
    ("dmsa_journal_driven", "gauge", "1 while a runner holds the journal's lease."),
    ("dmsa_journal_unreadable_runs", "gauge", "Runs of the journal that this version of dmsa cannot read."),
)
"""The measures that are of no run: name, kind, meaning."""
OF_EACH = ("dmsa_migration", "info", "Where one migration stands; only where that was asked for.")
EACH_LABELS = ("plan", "wave", "dmsa", "phase", "as")


def metrics_text(
    runs: Sequence[tuple[RunState, Plan]],
    at: datetime | None,
    *,
    journal: JournalSeen | None = None,
    each: bool = False,
) -> str:
    """Return how runs stand, as Prometheus reads it.

    Args:
        runs: each folded journal, with its plan. A plan may not be among them twice.
        at: estate time by which windows and waits are judged; None for the last that each journal knows.
        journal: the journal that they stand in, where that is known.
        each: a series for each migration too, with its dMSA's name. Without it no label grows with the accounts.
    """
    registry = CollectorRegistry()
    registry.register(_Exposition([seen(run, plan, at) for run, plan in runs], journal, each=each))
    return generate_latest(registry).decode()


class _Exposition(Collector):
    """What one exposition holds."""

    def __init__(self, runs: Sequence[Seen], journal: JournalSeen | None, *, each: bool) -> None:
        self._runs, self._journal, self._each = runs, journal, each

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: the registry is this exposition's own."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        yield _info("dmsa_build", OF_JOURNAL[0][2], ("version",), [((__version__,), 1)])
        if self._journal is not None:
            numbers = (self._journal.rows, self._journal.driven, self._journal.unreadable)
            for (name, kind, means), number in zip(OF_JOURNAL[1:], numbers, strict=True):
                yield _family(name, kind, (), means, [((), number)])
        for one in MEASURES:
            yield self._measured(one)
        if self._each:
            yield _info(OF_EACH[0], OF_EACH[2], EACH_LABELS, self._one_by_one())

    def _measured(self, one: Measure) -> Metric:
        samples = (sample for run in self._runs for sample in one.samples(run))
        return _family(one.name, one.kind, one.all_labels, one.means, samples)

    def _one_by_one(self) -> Iterator[tuple[tuple[str, ...], float]]:
        for run in self._runs:
            for wave in run.waves:
                for case in wave.cases:
                    state = case.state
                    stands = standing(state, state.id in wave.waits)
                    yield (run.plan.name, wave.wave.name, state.id, state.phase.value, stands), 1


_FAMILIES: dict[str, type[GaugeMetricFamily | CounterMetricFamily]] = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
}


def _family(
    name: str, kind: str, labels: tuple[str, ...], means: str, samples: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    if kind == "info":
        return _info(name, means, labels, samples)
    family = _FAMILIES[kind](name, means, labels=labels)
    for values, number in samples:
        family.add_metric([_written(value) for value in values], float(number))
    return family


def _info(
    name: str, means: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], float]]
) -> InfoMetricFamily:
    family = InfoMetricFamily(name, means)
    for values, _ in samples:
        family.add_metric((), dict(zip(labels, map(_written, values), strict=True)))
    return family


def _written(value: str) -> str:
    """Return a label's value as UTF-8 can hold it: a plan may have half a pair of surrogates in a name."""
    return value.encode("utf-8", "backslashreplace").decode()


def exposed() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Yield every name as it is exposed, with its kind, its labels and its meaning; for the documentation."""
    ends = {"gauge": "", "counter": "_total", "info": "_info"}
    for name, kind, means in OF_JOURNAL:
        yield name + ends[kind], kind, ("version",) if name == "dmsa_build" else (), means
    for one in MEASURES:
        yield one.name + ends[one.kind], one.kind, one.all_labels, one.means
    yield OF_EACH[0] + ends["info"], "info", EACH_LABELS, OF_EACH[2]
