"""The status document: stable, the same for ``status --json`` and at the end of ``run --json``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from orchestrator.engine.outcome import exit_of, waiting_of, wave_state
from orchestrator.engine.waves import Admission, admissible
from orchestrator.model.case import Case
from orchestrator.model.event import WorkloadSeen
from orchestrator.model.guard_ids import Stage
from orchestrator.model.ledger import dwell_due
from orchestrator.model.lifecycle import PATH, Intention, Phase
from orchestrator.model.plan import Host, Plan
from orchestrator.model.run import RunState
from orchestrator.model.state import HostProgress, MigrationState, Waiting


def status_document(run: RunState, plan: Plan, digest: str, at: datetime | None) -> dict[str, Any]:
    """Return where everything stands.

    Args:
        run: the folded journal; an empty one where no run has begun.
        plan: the plan that is asked about.
        digest: the plan's digest.
        at: estate time, read now or last known; None if there is none.
    """
    answers = admissible(run, plan, at)
    return {
        "plan": plan.name,
        "digest": digest,
        "exit": int(exit_of(run, plan)),
        "estate_time": iso(at),
        "waves": [
            {
                "name": wave.name,
                "state": (state_and_wait := wave_state(run, wave, answers))[0],
                "waiting": _waiting(state_and_wait[1]),
                "migrations": [_migration(Case.of(run, plan, m.id, at), answers[m.id]) for m in wave.migrations],
            }
            for wave in plan.waves
        ],
    }


def iso(at: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def _waiting(waiting: Waiting | None) -> dict[str, Any] | None:
    return {"for": waiting.waiting_for, "until": iso(waiting.until)} if waiting else None


def _migration(case: Case, admission: Admission) -> dict[str, Any]:
    state = case.state
    return {
        "account": case.migration.account,
        "dmsa": case.migration.dmsa.name,
        "phase": state.phase.value,
        "intention": state.intention.value,
        "attempt": state.attempt,
        "adopted": state.adopted,
        "held": _held(state),
        "waiting": _waiting(waiting_of(state, admission)),
        "dwell": _dwell(case),
        "compared": _compared(state),
        "hosts": [_host(case, case.host(name)) for name in dict.fromkeys((*case.planned_hosts, *state.lost))],
    }


def _held(state: MigrationState) -> dict[str, Any] | None:
    if state.held is None:
        return None
    held = state.held
    return {
        "reason": held.reason,
        "detail": held.detail,
        "since": iso(held.since),
        "by": held.by,
        "failed": state.failure == "failed",
        "release": held.release,
        "down": [{"host": held.subject, "name": name} for name in held.down],
    }


def _dwell(case: Case) -> dict[str, Any] | None:
    if case.state.dwell_started is None:
        return None
    waived = case.waived("dwell-minimum", Stage.COMPLETE)
    return {"started": iso(case.state.dwell_started), "due": iso(dwell_due(case, floor_waived=waived))}


def _compared(state: MigrationState) -> dict[str, Any] | None:
    """Return what a way back found at its end, where it was not as in the snapshot: names by whose difference it is."""
    if state.compared is None:
        return None
    found: dict[str, Any] = {"equal": state.compared.equal, "declared": [], "foreign": [], "failed": []}
    for one in state.compared.differences:
        found[one.verdict].append(f"{one.object}: {one.name}")
    return found


def _host(case: Case, host: Host) -> dict[str, Any]:
    progress = case.state.hosts.get(host.name, HostProgress())
    registry = "lost" if host.name in case.state.lost else progress.registry
    return {
        "name": host.name,
        "registry": registry,
        "kept_for": sorted(case.needed_elsewhere(host.name)) if registry == "kept" else [],
        "rebooted": progress.rebooted,
        "restarted": progress.restarted,
        "allowed": _allowed(case.state, host.name),
        "discovered": not host.discovers if case.discovers(host.name) else None,
        "workloads": [{"kind": w.kind, "name": w.name, "state": w.state} for w in _workloads(host, progress)],
        "lost": _lost(case, host.name, progress),
    }


def _lost(case: Case, host: str, progress: HostProgress) -> dict[str, Any] | None:
    """Return who released a host that is gone for good, and what is left there: the value as it was, and what of it."""
    lost, before = case.state.lost.get(host), case.original(host)
    if lost is None:
        return None
    return {
        "by": lost.by,
        "reason": lost.reason,
        "since": iso(lost.since),
        "before": None if before is None or before.value is None else str(before.value),
        "left": progress.registry,
    }


def _allowed(state: MigrationState, host: str) -> bool | None:
    """Whether the directory shows the host among the dMSA's principals; None before that is asked for."""
    if host in state.ledger.hosts_present:
        return True
    asked = state.intention is Intention.FORWARD and state.phase in PATH[PATH.index(Phase.REGISTERED) :]
    return False if asked else None


def _workloads(host: Host, progress: HostProgress) -> tuple[WorkloadSeen, ...]:
    if progress.workloads:
        return progress.workloads
    return (
        *(WorkloadSeen(kind="service", name=name, state="unknown") for name in host.services),
        *(WorkloadSeen(kind="task", name=task.path, state="unknown") for task in host.tasks),
        *(WorkloadSeen(kind="app-pool", name=name, state="unknown") for name in host.app_pools),
    )
