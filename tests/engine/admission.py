"""The table of admission: small runs at moments, and what is answered to each migration, word for word.

A file of ``tests/engine/admission`` is a list of groups: ``about``, a plan (``waves``, ``policy``), a ``run`` and
``rows``. A row has a moment (``at``; null where estate time cannot be read), the answer to each migration by its
letter, and may say what is otherwise than in the group (``run``, ``measured``, ``chosen``).

Where a migration stands is said in words: its phase, then any of ``+start`` (admitted), ``back`` or ``back:undo``,
``held:REASON``, ``failed``, ``refused``, ``waits:WHAT@HOST``, ``sent:complete``, ``wrote`` (this step has written),
``lost-call``, ``done:HOST``, ``set:HOST``, ``clock:HOST`` (read before a restart), ``touched:HOST``, ``gone:HOST``,
``adopted``, ``adopting``, ``by-hand:STEP``, ``attempt:2``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from orchestrator.engine.failing import Spent, TurnBack
from orchestrator.engine.waves import Admission, Go, NotYet, Still
from orchestrator.model.event import BaselineRead
from orchestrator.model.lifecycle import Intention, Phase, Trigger, Way
from orchestrator.model.plan import Plan, parse_duration
from orchestrator.model.run import RunState
from orchestrator.model.state import HostProgress, Lost, MigrationState, Waiting
from orchestrator.model.words import AdoptAsked, AssertedDone
from tests.engine.runs import AT, attempt, held, measure

TABLE = Path(__file__).parent / "admission"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    plan: Plan
    run: RunState
    at: datetime | None
    chosen: list[str] | None
    says: dict[str, str]


def groups() -> Iterator[tuple[str, list[Row]]]:
    """Yield the groups of all files, each with its rows."""
    for file in sorted(TABLE.glob("*.yaml")):
        for group in yaml.safe_load(file.read_text(encoding="utf-8")):
            yield f"{file.stem}: {group['about']}", list(rows_of(file.stem, group))


def rows_of(stem: str, group: dict[str, Any]) -> Iterator[Row]:
    """Yield the rows of a group."""
    plan = plan_of(group["waves"], group.get("policy", {}))
    ids = [migration.id for migration in plan.migrations()]
    for number, row in enumerate(group["rows"], 1):
        run = RunState("table")
        for id_, words in {**group.get("run", {}), **row.get("run", {})}.items():
            run.migrations[id_] = state_of(id_, words)
        for id_, minutes in row.get("measured", group.get("measured", {})).items():
            takes, _, times = minutes.partition("*")
            measure(run, id_, parse_duration(takes), int(times))
        at = datetime.fromisoformat(row["at"]) if row["at"] else None
        says = {id_: row[id_] for id_ in ids}
        yield Row(f"{stem}: {group['about']} {number}", plan, run, at, row.get("chosen"), says)


def plan_of(waves: list[dict[str, Any]], policy: dict[str, Any]) -> Plan:
    """Return the plan: ``ids`` are letters, ``hosts`` how many services run on each host of a letter."""
    return Plan.model_validate(
        {
            "version": 1,
            "name": "table",
            "estate": {"lab": "estate.yaml", "domain": "corp.example"},
            "policy": _durations(policy),
            "waves": [_wave(number, **wave) for number, wave in enumerate(waves, 1)],
        }
    )


def _durations(policy: dict[str, Any]) -> dict[str, Any]:
    return {key: parse_duration(value) if key == "restart_takes" else value for key, value in policy.items()}


def _wave(number: int, ids: str, hosts: dict[str, dict[str, int]] | None = None, **keys: Any) -> dict[str, Any]:
    known = {id_: (hosts or {}).get(id_, {f"host-{id_}": 1}) for id_ in ids}
    migrations = [
        {
            "account": f"CN=svc-{id_},DC=corp,DC=example",
            "dmsa": {"name": id_, "dns_host_name": f"{id_}.corp.example"},
            "hosts": [_host(name, count) for name, count in known[id_].items()],
        }
        for id_ in ids
    ]
    return {"name": f"w{number}", "migrations": migrations, **_durations(keys)}


def _host(name: str, services: int) -> dict[str, Any]:
    listed = {"services": [f"s{n}" for n in range(services)]} if services else {"tasks": [r"\Nightly"]}
    return {"name": name, **listed}


def state_of(id_: str, words: str) -> MigrationState:
    """Return the state that words say."""
    phase, *more = words.split()
    state = MigrationState(id=id_, phase=Phase(phase))
    for word in more:
        state = _with(state, *word.partition(":")[::2])
    return state


def _with(state: MigrationState, word: str, what: str) -> MigrationState:
    if word.startswith("+"):
        return replace(state, admitted=Trigger(word[1:]))
    made: dict[str, Any] = {
        "back": lambda: {"intention": Intention.BACK, "way": Way(what or "rollback")},
        "held": lambda: {"held": held(what)},
        "failed": lambda: {"failure": "failed"},
        "refused": lambda: {"failure": "refused"},
        "waits": lambda: {"waits": {**state.waits, what.partition("@")[2] or "directory": _wait(what)}},
        "sent": lambda: {"sent": state.sent | {f"{what.capitalize()}-ADServiceAccountMigration"}},
        "wrote": lambda: {"performed": {("directory", "Some-Write"): 1}},
        "lost-call": lambda: {"open": {"directory": attempt()}},
        "done": lambda: {"done": state.done | {what}},
        "set": lambda: {"hosts": {**state.hosts, what: HostProgress("set")}},
        "clock": lambda: {"baselines": {**state.baselines, what: _baseline(state.id, what)}},
        "touched": lambda: {"touched": state.touched | {(what, "service", "s0")}},
        "gone": lambda: {"lost": {**state.lost, what: Lost("bob", "burnt", AT)}},
        "adopted": lambda: {"adopted": True},
        "adopting": lambda: {"adopting": AdoptAsked(migration=state.id, by="bob", reason="ours")},
        "by-hand": lambda: {"asserted": AssertedDone(migration=state.id, step=Trigger(what), by="bob", reason="did")},
        "attempt": lambda: {"attempt": int(what)},
    }[word]()
    return replace(state, **made)


def _wait(what: str) -> Waiting:
    return Waiting(what.partition("@")[0], None)


def _baseline(id_: str, host: str) -> BaselineRead:
    moment = AT - timedelta(hours=1)
    return BaselineRead(migration=id_, step=Trigger.RESTART, host=host, local_time=moment, boot_time=moment)


def said(answer: Admission) -> str:
    """Return an answer as the table writes it."""
    match answer:
        case Go(step, admits):
            return f"go {step}{'!' if admits else ''}"
        case NotYet(waiting_for, until, detail):
            return f"wait {waiting_for}{f' until {until:%Y-%m-%dT%H:%M%z}' if until else ''}: {detail}"
        case Spent(detail):
            return f"spent: {detail}"
        case TurnBack(why):
            return f"back: {why}"
        case Still(why):
            return f"still: {why}"
    raise AssertionError(answer)
