"""What is measured of each wave of a run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import get_args

from orchestrator.engine.outcome import WaveState
from orchestrator.engine.outside import gate_of
from orchestrator.engine.waves import allowed_failures
from orchestrator.model.case import Case
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.state import HostProgress, MigrationState
from orchestrator.views.approvals import known_time, wave_approvals
from orchestrator.views.dwelling import due_of
from orchestrator.views.marks import STANDINGS, standing
from orchestrator.views.measure import Measure, Sample, Seen, WaveSeen, each, found, moment
from orchestrator.views.status import allowed
from orchestrator.views.status_schema import REGISTRY


def _states(one: WaveSeen) -> Iterator[MigrationState]:
    return (case.state for case in one.cases)


def _standing(_seen: Seen, one: WaveSeen) -> Iterator[Sample]:
    return each(STANDINGS, (standing(state, state.id in one.waits) for state in _states(one)))


def _waits_until(_seen: Seen, one: WaveSeen) -> Iterator[Sample]:
    untils: dict[str, float] = {}
    for wait in one.waits.values():
        if wait.until is not None:
            at = wait.until.timestamp()
            untils[wait.waiting_for] = min(at, untils.get(wait.waiting_for, at))
    return (((name,), at) for name, at in sorted(untils.items()))


def _window_open(seen: Seen, one: WaveSeen) -> Iterator[Sample]:
    for gate in ("start", "complete"):
        found = gate_of(one.wave, gate, seen.at) if seen.at else None
        if found is not None:
            yield (gate,), found.is_open


def _window_changes(seen: Seen, one: WaveSeen) -> Iterator[Sample]:
    for gate in ("start", "complete"):
        found = gate_of(one.wave, gate, seen.at) if seen.at else None
        changes = (found.closes if found.is_open else found.opens) if found else None
        yield from (((gate,), at) for _, at in moment(changes))


def _approvals_missing(seen: Seen, one: WaveSeen) -> Iterator[Sample]:
    found = wave_approvals(seen.run, seen.plan, one.wave, known_time(seen.run, seen.at))
    return (((gate["gate"],), gate["missing"]) for gate in found)


def _dwells(one: WaveSeen) -> list[datetime]:
    soaking = (case for case in one.cases if case.state.phase in {Phase.RESTARTED, Phase.SOAKED})
    found = (due_of(case) for case in soaking if case.state.intention is Intention.FORWARD)
    return [due for due in found if due is not None]


def _hosts(one: WaveSeen) -> Iterator[tuple[Case, str, HostProgress]]:
    for case in one.cases:
        for name in dict.fromkeys((*case.planned_hosts, *case.state.lost)):
            yield case, name, case.state.hosts.get(name, HostProgress())


def _registry(_seen: Seen, one: WaveSeen) -> Iterator[Sample]:
    return each(
        REGISTRY,
        ("lost" if name in case.state.lost else progress.registry for case, name, progress in _hosts(one)),
    )


def _ledger(_seen: Seen, one: WaveSeen) -> Iterator[Sample]:
    states = list(_states(one))
    yield ("hosts",), sum(len(state.ledger.hosts_present) for state in states)
    yield ("unknown",), sum(len(state.ledger.present - state.ledger.hosts_present) for state in states)
    yield ("vanished",), sum(len(state.vanished) for state in states)


def _ledger_read(_seen: Seen, one: WaveSeen) -> Iterator[Sample]:
    soaking = (state for state in _states(one) if state.phase in {Phase.RESTARTED, Phase.SOAKED})
    return moment(min((s.ledger.read_at for s in soaking if s.ledger.read_at is not None), default=None))


OF_WAVES: tuple[Measure, ...] = (
    Measure(
        "dmsa_wave_state",
        "gauge",
        ("state",),
        "1 for the state that the wave is in, 0 for the others.",
        of_wave=lambda _seen, one: each(get_args(WaveState), (one.state,)),
    ),
    Measure(
        "dmsa_migrations",
        "gauge",
        ("phase",),
        "Migrations by the phase that was proved.",
        of_wave=lambda _seen, one: each(Phase, (state.phase for state in _states(one))),
    ),
    Measure(
        "dmsa_standing",
        "gauge",
        ("as",),
        "Migrations by how they stand, each counted once. `held` and `failed` need a person; `waiting` does not.",
        of_wave=_standing,
    ),
    Measure(
        "dmsa_held",
        "gauge",
        ("reason",),
        "Migrations that are held, failed ones included, by the reason; a reason without any is absent.",
        of_wave=lambda _seen, one: found(state.held.reason for state in _states(one) if state.held),
    ),
    Measure(
        "dmsa_waiting",
        "gauge",
        ("for",),
        "Migrations that wait, by what for; a kind without any is absent.",
        of_wave=lambda _seen, one: found(wait.waiting_for for wait in one.waits.values()),
    ),
    Measure(
        "dmsa_waiting_until_timestamp_seconds",
        "gauge",
        ("for",),
        "The earliest moment until which one of them waits; absent where no time is known.",
        of_wave=_waits_until,
    ),
    Measure(
        "dmsa_going_back",
        "gauge",
        (),
        "Migrations on a way back that has not ended.",
        of_wave=lambda _seen, one: [
            ((), sum(s.intention is Intention.BACK and s.phase is not Phase.ROLLED_BACK for s in _states(one)))
        ],
    ),
    Measure(
        "dmsa_in_flight",
        "gauge",
        (),
        "Places of the wave that are taken.",
        of_wave=lambda _seen, one: [((), sum(state.in_flight for state in _states(one)))],
    ),
    Measure(
        "dmsa_in_flight_limit",
        "gauge",
        (),
        "Places that the wave has (`at_once`).",
        of_wave=lambda _seen, one: [((), one.wave.at_once)],
    ),
    Measure(
        "dmsa_failures",
        "gauge",
        (),
        "Migrations that count against the wave's failure budget, also once they were rolled back.",
        of_wave=lambda _seen, one: [((), sum(state.failure == "failed" for state in _states(one)))],
    ),
    Measure(
        "dmsa_failures_allowed",
        "gauge",
        (),
        "The failure budget as a number; more failures, and nothing new is admitted.",
        of_wave=lambda _seen, one: [((), allowed_failures(one.wave))],
    ),
    Measure(
        "dmsa_approvals_missing",
        "gauge",
        ("gate",),
        "Approvals that a gate still needs; absent where nobody must approve, or no migration has the gate ahead.",
        of_wave=_approvals_missing,
    ),
    Measure(
        "dmsa_window_open",
        "gauge",
        ("gate",),
        "1 while the wave's window is open, 0 while it is closed; absent where work may begin at any time.",
        of_wave=_window_open,
    ),
    Measure(
        "dmsa_window_changes_timestamp_seconds",
        "gauge",
        ("gate",),
        "When the open window closes, or the closed one opens next; absent where it never does.",
        of_wave=_window_changes,
    ),
    Measure(
        "dmsa_dwell_due_first_timestamp_seconds",
        "gauge",
        (),
        "When the first hold time that is under way in the wave is over.",
        of_wave=lambda _seen, one: moment(min(_dwells(one), default=None)),
    ),
    Measure(
        "dmsa_dwell_due_last_timestamp_seconds",
        "gauge",
        (),
        "When the last hold time that is under way in the wave is over.",
        of_wave=lambda _seen, one: moment(max(_dwells(one), default=None)),
    ),
    Measure(
        "dmsa_hosts",
        "gauge",
        ("registry",),
        "Hosts by what was proved of their registry value; a host of several migrations counts for each.",
        of_wave=_registry,
    ),
    Measure(
        "dmsa_hosts_restarted",
        "gauge",
        (),
        "Hosts whose workloads were restarted and found well.",
        of_wave=lambda _seen, one: [((), sum(progress.restarted for _, _, progress in _hosts(one)))],
    ),
    Measure(
        "dmsa_hosts_allowed",
        "gauge",
        (),
        "Hosts of the plan that the directory shows among the allowed principals.",
        of_wave=lambda _seen, one: [((), sum(allowed(case.state, name) is True for case, name, _ in _hosts(one)))],
    ),
    Measure(
        "dmsa_ledger",
        "gauge",
        ("who",),
        "Who is on the ledgers of the wave: `hosts` of the plan, `unknown` to it, and `vanished` since.",
        of_wave=_ledger,
    ),
    Measure(
        "dmsa_ledger_read_timestamp_seconds",
        "gauge",
        (),
        "When the ledger was last written down of the soaking migration of which that is longest ago.",
        of_wave=_ledger_read,
    ),
)
