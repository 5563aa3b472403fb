"""What is measured of each run as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.engine.outcome import exit_of
from orchestrator.model.restarts import p95
from orchestrator.views.measure import Measure, Sample, Seen, moment, numbers


def _about(seen: Seen) -> Iterator[Sample]:
    digest = (seen.run.digest or "")[:12]
    yield (digest, seen.plan.change or "", seen.plan.owner or ""), 1


def _lost_calls(seen: Seen) -> Iterator[Sample]:
    opens = (attempt for state in seen.run.migrations.values() for attempt in state.open.values())
    yield (), sum(attempt.unsettled for attempt in opens)


def _restart(seen: Seen) -> Iterator[Sample]:
    if seen.run.restarts.every:
        yield (), p95(seen.run.restarts.every).total_seconds()


def _unsent(seen: Seen) -> Iterator[Sample]:
    return (((one.name,), len(one.unsent) + one.missed) for one in seen.run.notices.receivers.values())


OF_RUNS: tuple[Measure, ...] = (
    Measure(
        "dmsa_plan",
        "info",
        ("digest", "change", "owner"),
        "The plan of a run: the first 12 characters of its digest, its change ticket and its owner.",
        of_run=_about,
    ),
    Measure(
        "dmsa_exit_code",
        "gauge",
        (),
        "What `dmsa run` would exit with now: 0 done, 4 a person is needed, 5 failures, 7 waits, 8 safety rule.",
        of_run=lambda seen: [((), int(exit_of(seen.run, seen.plan)))],
    ),
    Measure(
        "dmsa_writes",
        "counter",
        ("outcome",),
        "Writes that ended, by what was known of them then; `unknown`: the answer was lost.",
        of_run=lambda seen: numbers(seen.run.counts.ended, ("succeeded", "failed", "unknown")),
    ),
    Measure(
        "dmsa_writes_begun",
        "counter",
        (),
        "Writes whose intent was written down.",
        of_run=lambda seen: [((), seen.run.counts.begun)],
    ),
    Measure(
        "dmsa_settled",
        "counter",
        (),
        "Lost answers that were settled by looking.",
        of_run=lambda seen: [((), seen.run.counts.settled)],
    ),
    Measure(
        "dmsa_unsettled",
        "gauge",
        (),
        "Calls whose answer was lost and that were not settled yet.",
        of_run=_lost_calls,
    ),
    Measure(
        "dmsa_retries",
        "counter",
        ("of",),
        "Faults after which a read or write was tried again.",
        of_run=lambda seen: numbers(seen.run.counts.retries, ("read", "write")),
    ),
    Measure(
        "dmsa_turned_away",
        "counter",
        (),
        "How often an endpoint had no room for a call.",
        of_run=lambda seen: [((), seen.run.counts.turned_away)],
    ),
    Measure(
        "dmsa_holds",
        "counter",
        ("reason",),
        "Holds since the run began, by the reason.",
        of_run=lambda seen: numbers(seen.run.counts.holds),
    ),
    Measure(
        "dmsa_drills",
        "counter",
        (),
        "Drills that were begun.",
        of_run=lambda seen: [((), seen.run.drills)],
    ),
    Measure(
        "dmsa_restart_p95_seconds",
        "gauge",
        (),
        "What 95 of 100 of the last 200 measured restarts took at most.",
        of_run=_restart,
    ),
    Measure(
        "dmsa_safety_refused",
        "gauge",
        (),
        "1 if the safety rule refused a call and no runner has taken over since.",
        of_run=lambda seen: [((), seen.run.refused is not None)],
    ),
    Measure(
        "dmsa_shells_open",
        "gauge",
        (),
        "Shells on hosts that may be open.",
        of_run=lambda seen: [((), len(seen.run.left_open()))],
    ),
    Measure(
        "dmsa_notices_unsent",
        "gauge",
        ("receiver",),
        "Notices that a receiver has yet to take, those included that were dropped.",
        of_run=_unsent,
    ),
    Measure(
        "dmsa_last_event_timestamp_seconds",
        "gauge",
        (),
        "Estate time of the newest event whose time is known.",
        of_run=lambda seen: moment(seen.run.last_at),
    ),
    Measure(
        "dmsa_estate_timestamp_seconds",
        "gauge",
        (),
        "Estate time by which windows and waits were judged here.",
        of_run=lambda seen: moment(seen.at),
    ),
)
