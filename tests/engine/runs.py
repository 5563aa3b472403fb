"""Small runs for tables: plans of a few waves, and states of which only what matters is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.model.event import AttemptFinished, AttemptStarted, SubjectDone
from orchestrator.model.lifecycle import Intention, Phase, Trigger, Way
from orchestrator.model.observation import Outcome
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.model.state import Attempt, Hold, MigrationState, Waiting

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
HELD = Hold("operator", "because", "`dmsa release`", AT)


def plan(*waves: dict[str, Any], **policy: Any) -> Plan:
    """Return a plan; each wave has ``ids`` (a string of letters) and whatever the format allows."""
    return Plan.model_validate(
        {
            "version": 1,
            "name": "table",
            "estate": {"lab": "estate.yaml", "domain": "corp.example"},
            "policy": policy,
            "waves": [_wave(number, **wave) for number, wave in enumerate(waves, 1)],
        }
    )


def _wave(number: int, ids: str, **keys: Any) -> dict[str, Any]:
    migrations = [
        {
            "account": f"CN=svc-{id_},DC=corp,DC=example",
            "dmsa": {"name": id_, "dns_host_name": f"{id_}.corp.example"},
            "hosts": [{"name": f"host-{id_}.corp.example"}],
        }
        for id_ in ids
    ]
    return {"name": f"w{number}", "migrations": migrations, **keys}


def run(**states: MigrationState | Phase) -> RunState:
    """Return a run with these migrations."""
    made = RunState("table")
    for id_, state in states.items():
        made.migrations[id_] = replace(state, id=id_) if isinstance(state, MigrationState) else at(state, id_)
    return made


def at(phase: Phase | str, id_: str = "?", **more: Any) -> MigrationState:
    """Return a state."""
    return MigrationState(id=id_, phase=Phase(phase), **more)


def flying(phase: Phase | str, step: Trigger = Trigger.START, **more: Any) -> MigrationState:
    """Return a state that has a place in flight."""
    return at(phase, admitted=step, **more)


def failed(phase: Phase | str, **more: Any) -> MigrationState:
    """Return a held, failed state."""
    return at(phase, **{"held": HELD, "failure": "failed"} | more)


def held(reason: str) -> Hold:
    """Return a hold for a reason."""
    return replace(HELD, reason=reason)


def refused(phase: Phase | str = "planned") -> MigrationState:
    """Return a state that a guard refused before anything was written."""
    return at(phase, held=HELD, failure="refused")


def back(phase: Phase | str, way: Way = Way.ROLLBACK, **more: Any) -> MigrationState:
    """Return a state on its way back."""
    return at(phase, intention=Intention.BACK, way=way, **more)


def waits(what: str, until: datetime | None = None, subject: str = "directory") -> dict[str, Waiting]:
    """Return the waits of one subject."""
    return {subject: Waiting(what, until)}


def attempt(step: Trigger = Trigger.START, **more: Any) -> Attempt:
    """Return a write whose end is not known."""
    started = AttemptStarted.model_validate(
        {
            "migration": "a",
            "step": step,
            "subject": "directory",
            "endpoint": "dc01",
            "cmdlet": "Start",
            "parameters": {},
        }
        | {"shell": "00000000-0000-0000-0000-000000000001", "pipeline": "00000000-0000-0000-0000-000000000002"}
    )
    return Attempt(started, AT, **more)


def later(**delta: float) -> datetime:
    """Return a later moment."""
    return AT + timedelta(**delta)


def measure(run: RunState, id_: str, takes: timedelta, times: int = 1) -> None:
    """Let restarts of a migration have been measured."""
    started = attempt().started.model_copy(update={"migration": id_, "subject": "host", "cmdlet": "Restart-Service"})
    done = SubjectDone(migration=id_, step=Trigger.RESTART, subject="host")
    for _ in range(times):
        run.restarts.take_in(started, AT)
        run.restarts.take_in(AttemptFinished(migration=id_, subject="host", outcome=Outcome.SUCCEEDED), AT + takes)
        run.restarts.take_in(done, AT + takes)
