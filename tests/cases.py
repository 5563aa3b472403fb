"""Cases as data: a file of YAML becomes a plan, a state and a far side. A new case needs no Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import yaml

from orchestrator.model.before import HostBefore, SnapshotRepeated, SnapshotTaken
from orchestrator.model.call import Write, cmdlet
from orchestrator.model.case import Case, Seen
from orchestrator.model.event import BaselineRead, FaultSeen
from orchestrator.model.lifecycle import Intention, Pair, Phase, Trigger, Way
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.model.state import HostProgress, Ledger, Limit, MigrationState, Waiting
from orchestrator.model.switches import RegistryUse, User
from orchestrator.steps.prepare import Prepare
from tests.reading import ACCOUNT, FarSide

MIGRATION = "dmsa-app"
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
BEFORE: dict[str, Any] = {"dmsa": None, "account": {"ProtectedFromAccidentalDeletion": False}}
"""What the snapshot saw, unless a case says otherwise."""


class Situation(NamedTuple):
    """A case file, ready to be asked about."""

    facts: dict[str, Any]
    case: Case
    far: FarSide
    subject: str


def files(folder: Path) -> list[Path]:
    """Return the case files below a folder."""
    return sorted(folder.rglob("*.yaml"))


def ident(path: Path) -> str:
    """Return a case's name for the test report."""
    return f"{path.parent.name}/{path.stem}"


def load(path: Path) -> Situation:
    """Read a case file."""
    return situation(yaml.safe_load(path.read_text(encoding="utf-8")))


def plan_of(facts: Mapping[str, Any]) -> Plan:
    """Return a plan of one migration; ``plan`` of a case changes the migration, ``estate`` the estate, ``top`` more."""
    migration: dict[str, Any] = {
        "account": ACCOUNT,
        "dmsa": {"name": MIGRATION, "dns_host_name": "dmsa-app.corp.example", "path": "OU=Managed,DC=corp,DC=example"},
        "hosts": [{"name": "app01.corp.example", "services": ["App"]}],
    }
    estate = {
        "lab": "estate.yaml",
        "domain": "corp.example",
        "directory": {
            "endpoint": "dc01.corp.example",
            "server": "dc01.corp.example",
            "converge_on": ["dc01.corp.example", "dc02.corp.example"],
        },
    }
    wave = {"name": "only", "migrations": [{**migration, **facts.get("plan", {})}]} | facts.get("wave", {})
    estate |= facts.get("estate", {})
    return Plan.model_validate(
        {"version": 1, "name": "cases", "estate": estate, "waves": [wave], **facts.get("top", {})}
    )


def situation(facts: dict[str, Any]) -> Situation:
    """Return the plan, the state and the far side of a case."""
    plan = plan_of(facts)
    at = _utc(facts["at"]) if "at" in facts else AT
    services = {host.name.partition(".")[0]: host.services for m in plan.migrations() for host in m.hosts}
    run = RunState(plan.name, controllers=tuple(facts.get("known_controllers", ())))
    state = facts.get("state", {})
    if state.get("snapshot", True):
        given = facts.get("before", {})
        account = {**BEFORE["account"], **(given.get("account") or {})}
        before = FarSide({**BEFORE, **given, "account": account}, services, at or AT)
        taken = snapshot(Case.of(run, plan, MIGRATION, at), before)
        run.apply(taken.model_copy(update={"unasked": tuple(given.get("unasked", ()))}), at)
    run.migrations[MIGRATION] = _state(run[MIGRATION], state)
    if "repeated" in facts:
        far = FarSide({"dmsa": {}, **facts["repeated"]}, services, at or AT)
        run.apply(repeated(Case.of(run, plan, MIGRATION, at), far), at)
    for host, use in facts.get("registry", {}).items():
        full = f"{host}.corp.example"
        original = HostBefore(computer_name=host.upper(), key_exists=True, value=use.get("value"))
        needed_by = (name.rpartition("/") for name in use.get("needed_by", [MIGRATION]))
        users = frozenset(User(of or plan.name, id_) for of, _, id_ in needed_by)
        run.switches.uses[full] = RegistryUse(original, users)
    for host, other in facts.get("restoring", {}).items():
        run.switches.restoring[f"{host}.corp.example"] = User(plan.name, other)
    run.switches.unread = facts.get("unread")
    for claim in facts.get("claims", ()):
        of, _, id_ = claim.rpartition("/")
        run.claims.by[User(of, id_)] = UUID(int=1)
    subject = facts.get("subject", "directory")
    subject = subject if subject == "directory" else f"{subject}.corp.example"
    far = FarSide(facts.get("read", {}), services, at or AT)
    apart = facts.get("apart", 0)
    apart = None if apart is None else timedelta(seconds=apart)
    return Situation(facts, Case.of(run, plan, MIGRATION, at, apart), far, subject)


def repeated(case: Case, far: FarSide) -> SnapshotRepeated:
    """Return what a far side is written down as right before Complete."""
    held = snapshot(replace(case, state=MigrationState(id=MIGRATION)), far)
    names = SnapshotRepeated.model_fields.keys() & SnapshotTaken.model_fields.keys() - {"kind"}
    return SnapshotRepeated.model_validate({name: getattr(held, name) for name in names})


def snapshot(case: Case, far: FarSide) -> SnapshotTaken:
    """Return the snapshot that prepare takes of a far side."""
    step = Prepare()
    seen = far.seen(MIGRATION, step.reads(case, "directory"))
    for _ in range(5):
        answer = step.judge(case, "directory", seen)
        for event in getattr(answer, "events", ()):
            if isinstance(event, SnapshotTaken):
                return event
        seen = far.seen(MIGRATION, getattr(answer, "reads", ()), seen)
    raise AssertionError(f"prepare did not take a snapshot: {answer}")


def _utc(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def _state(state: MigrationState, given: Mapping[str, Any]) -> MigrationState:
    """Return a state with what a case says of it."""
    make = {
        "phase": Phase,
        "intention": Intention,
        "way": Way,
        "wish": Pair,
        "reached": Pair,
        "admitted": Trigger,
        "sent": lambda verbs: frozenset(f"{verb}-ADServiceAccountMigration" for verb in verbs),
        "done": frozenset,
        "attempt": int,
        "converged_at": _utc,
        "registry_at": _utc,
        "snapshot_at": _utc,
        "anew_at": _utc,
        "since": _utc,
        "performed": _performed,
        "landed": lambda rows: frozenset((_full(subject), write) for subject, write in rows),
        "tries": lambda tries: {tuple(key.split(" ")): count for key, count in tries.items()},
        "touched": lambda rows: frozenset((_full(host), kind, name) for host, kind, name in rows),
        "baselines": lambda times: {_full(h): _baseline(_full(h), _utc(at)) for h, at in times.items()},
        "hosts": lambda hosts: {**state.hosts, **{_full(h): HostProgress(registry=r) for h, r in hosts.items()}},
        "waits": lambda waits: {_full(s): Waiting(w["for"], _utc(w.get("until"))) for s, w in waits.items()},
        "faults": lambda rows: {(_full(subject), write): FaultSeen(**fault) for subject, write, fault in rows},
        "ledger": _ledger,
    }
    made = {name: make[name](value) for name, value in given.items() if name not in {"snapshot", "deadlines"}}
    further = given.get("deadlines", ())
    if "waits" in made:
        limits = [(s, w) for s, w in made["waits"].items() if w.until is not None]
        limits += [(_full(subject), Waiting(for_, _utc(until))) for subject, for_, until in further]
        made["deadlines"] = {(s, w.waiting_for): _limit(w) for s, w in limits}
    made.setdefault("landed", frozenset(made.get("performed", ())))
    return replace(state, **made)


_WITHIN = {"replication": timedelta(hours=12), "registration": timedelta(hours=24)}
"""How long these may take by the policy's defaults."""


def _limit(wait: Waiting) -> Limit:
    assert wait.until is not None
    return Limit(wait.until, wait.until - _WITHIN.get(wait.waiting_for, timedelta(0)))


def _full(name: str) -> str:
    return name if name == "directory" else f"{name}.corp.example"


def _performed(rows: list[list[Any]]) -> dict[tuple[str, str], int]:
    return {(_full(subject), cmdlet_): count for subject, cmdlet_, count in rows}


def _baseline(host: str, at: datetime | None) -> BaselineRead:
    assert at is not None
    return BaselineRead(migration=MIGRATION, step=Trigger.RESTART, host=host, local_time=at, boot_time=at)


def _ledger(given: Mapping[str, Any]) -> Ledger:
    first = {name: _utc(at) or AT for name, at in given.get("first_seen", {}).items()}
    hosts = frozenset(given.get("hosts", ()))
    return Ledger(
        first, frozenset(given.get("present", first)), hosts, _utc(given.get("since")), _utc(given.get("read_at"))
    )


__all__ = ["AT", "MIGRATION", "Case", "Seen", "Situation", "Write", "cmdlet", "files", "ident", "load", "situation"]
