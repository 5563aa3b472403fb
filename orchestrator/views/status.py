"""The status document: stable, the same for ``status --json`` and at the end of ``run --json``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from orchestrator.engine.outcome import exit_of, waiting_of, wave_state
from orchestrator.engine.outside import gate_of
from orchestrator.engine.waves import Admission, admissible
from orchestrator.model.case import Case
from orchestrator.model.event import WorkloadSeen
from orchestrator.model.lifecycle import PATH, Intention, Phase
from orchestrator.model.notices import Receiver
from orchestrator.model.plan import Host, Plan, Wave
from orchestrator.model.run import RunState
from orchestrator.model.state import HostProgress, MigrationState, Waiting
from orchestrator.views.approvals import known_time, migration_waivers, wave_approvals
from orchestrator.views.dwelling import dwell_of, ledger_of
from orchestrator.views.moment import iso

__all__ = ["Standing", "iso", "status_document"]


def status_document(run: RunState, plan: Plan, digest: str, at: datetime | None) -> dict[str, Any]:
    """Return where everything stands.

    Args:
        run: the folded journal; an empty one where no run has begun.
        plan: the plan that is asked about.
        digest: the plan's digest.
        at: estate time, read now or last known; None if there is none.
    """
    standing = Standing(run, plan, at)
    return {
        "plan": plan.name,
        "digest": digest,
        "exit": int(exit_of(run, plan)),
        "estate_time": iso(at),
        "waves": [
            {**standing.wave(wave), "migrations": [standing.migration(one.id) for one in wave.migrations]}
            for wave in plan.waves
        ],
        "receivers": [receiver_document(one) for one in run.notices.receivers.values()],
    }


class Standing:
    """Where everything stands, wave by wave and migration by migration, for whoever does not need all of it at once."""

    def __init__(self, run: RunState, plan: Plan, at: datetime | None) -> None:
        """See :func:`status_document`; the run must not go on meanwhile."""
        self._run, self._plan, self._at = run, plan, at
        self._known = known_time(run, at)
        self._answers = admissible(run, plan, self._known)

    def wave(self, wave: Wave) -> dict[str, Any]:
        """Return what a status document says of a wave, without its migrations."""
        state, waiting = wave_state(self._run, wave, self._answers)
        return {
            "name": wave.name,
            "state": state,
            "waiting": _waiting(waiting),
            "approvals": wave_approvals(self._run, self._plan, wave, self._known),
            "windows": _windows(wave, self._at),
        }

    def migration(self, id_: str) -> dict[str, Any]:
        """Return what a status document says of a migration."""
        return _migration(Case.of(self._run, self._plan, id_, self._at), self._answers[id_], self._known)


def receiver_document(one: Receiver) -> dict[str, Any]:
    """Return who receives notices, how many he has yet to take, and since when he has taken none, if he does not."""
    silent = one.silent
    return {
        "receiver": one.name,
        "on": sorted(one.on),
        "unsent": len(one.unsent),
        "missed": one.missed,
        "silent": {"since": iso(silent.since), "why": silent.why, "for_good": silent.for_good} if silent else None,
    }


def _waiting(waiting: Waiting | None) -> dict[str, Any] | None:
    if waiting is None:
        return None
    return {"for": waiting.waiting_for, "until": iso(waiting.until), "detail": waiting.detail}


def _windows(wave: Wave, at: datetime | None) -> dict[str, Any] | None:
    """Return how the windows of a wave stand; None where it has none, or where nobody knows the time."""
    found = {gate: gate_of(wave, gate, at) for gate in ("start", "complete")} if at else {}
    if not any(found.values()):
        return None
    return {
        gate: {
            "zone": one.window.zone,
            "open": one.is_open,
            "closes": iso(one.closes),
            "opens": iso(one.opens),
            "blackout": one.dark,
        }
        if one is not None
        else None
        for gate, one in found.items()
    }


def _migration(case: Case, admission: Admission, known: datetime | None) -> dict[str, Any]:
    state = case.state
    return {
        "account": case.migration.account,
        "dmsa": case.migration.dmsa.name,
        "phase": state.phase.value,
        "intention": state.intention.value,
        "attempt": state.attempt,
        "adopted": state.adopted,
        "failure": state.failure,
        "held": _held(state),
        "waiting": _waiting(waiting_of(state, admission)),
        "dwell": dwell_of(case),
        "ledger": ledger_of(case),
        "waivers": migration_waivers(case.run, case.plan, case.migration.id, known),
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
        "release": held.release,
        "down": [{"host": held.subject, "name": name} for name in held.down],
    }


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
        "allowed": allowed(case.state, host.name),
        "discovered": not host.discovers if case.discovers(host.name) else None,
        "workloads": [{"kind": w.kind, "name": w.name, "state": w.state} for w in _workloads(host, progress)],
        "lost": _lost(case, host.name, progress),
    }


def _lost(case: Case, host: str, progress: HostProgress) -> dict[str, Any] | None:
    """Return who released a host that is gone for good, and what is left there: the value as it was, and what of it."""
    lost = case.state.lost.get(host)
    if lost is None:
        return None
    before = case.original(host)
    return {
        "by": lost.by,
        "reason": lost.reason,
        "since": iso(lost.since),
        "before": None if before is None or before.value is None else str(before.value),
        "left": progress.registry,
    }


def allowed(state: MigrationState, host: str) -> bool | None:
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
