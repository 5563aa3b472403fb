"""Every run of a journal at a glance: what ``status`` without a plan shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestrator.engine.outcome import WaveState, exit_of
from orchestrator.errors import Exit
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.views.shape import COUNT, DIALECT, DIGEST, TEXT, TIME, closed, list_of, one_of, or_null
from orchestrator.views.status import status_document
from orchestrator.views.status_schema import WAITING
from orchestrator.views.summary import until

COUNTED = ("planned", "moving", "waiting", "held", "completed", "rolled_back")
"""What each migration is counted as: exactly one of these."""

_SAYS = {
    Exit.DONE: "done",
    Exit.HELD: "a person is needed",
    Exit.FAILED: "ended with failures",
    Exit.WAITING: "waits",
    Exit.REFUSED: "the safety rule refused something",
}


def runs_document(runs: Iterable[tuple[RunState, Plan | None, str | None]], driver: str | None) -> dict[str, Any]:
    """Return every run of a journal.

    Args:
        runs: where each stands, with its plan; or None and why that cannot be told.
        driver: who drives now, if anybody does.
    """
    return {"driver": driver, "plans": [_run(state, plan, unread) for state, plan, unread in runs]}


def _run(state: RunState, plan: Plan | None, unread: str | None) -> dict[str, Any]:
    about = {"plan": state.run, "digest": state.digest, "unreadable": unread}
    if plan is None or state.digest is None:
        nothing = {"change": None, "owner": None, "exit": None, "estate_time": None}
        return about | nothing | {"waves": [], "migrations": None}
    status = status_document(state, plan, state.digest, state.last_at)
    counted = Counter(_counted(one) for wave in status["waves"] for one in wave["migrations"])
    return about | {
        "change": plan.change,
        "owner": plan.owner,
        "exit": int(exit_of(state, plan)),
        "estate_time": status["estate_time"],
        "waves": [{name: wave[name] for name in ("name", "state", "waiting")} for wave in status["waves"]],
        "migrations": {"total": counted.total()} | {name: counted[name] for name in COUNTED},
    }


def _counted(migration: Mapping[str, Any]) -> str:
    """Return what a migration is counted as. One that has not begun is planned, whatever it waits for."""
    if migration["held"]:
        return "held"
    forward, phase = migration["intention"] == "forward", migration["phase"]
    if phase == "completed" and forward:
        return "completed"
    if phase == "rolled_back" and not forward:
        return "rolled_back"
    if phase == "planned":
        return "planned"
    return "waiting" if migration["waiting"] else "moving"


def runs_text(document: Mapping[str, Any], journal: str) -> str:
    """Return the whole as text for 80 columns; *journal* is as it was typed."""
    plans = document["plans"]
    if not plans:
        return f"The journal {journal} holds no run yet. `dmsa run PLAN` begins one."
    driver = document["driver"]
    return "\n".join(
        (
            f"journal {journal}: {len(plans)} plan{'s' if len(plans) > 1 else ''}",
            f"driven by {driver}" if driver else "nobody drives",
            *(line for one in plans for line in ("", *_lines(one))),
            "",
            "`dmsa status PLAN` shows the migrations of one.",
        )
    )


def _lines(run: Mapping[str, Any]) -> Iterator[str]:
    if run["unreadable"]:
        yield f"{run['plan']}: cannot be told"
        yield f"  {run['unreadable']}"
        return
    time = f", estate time {run['estate_time']}" if run["estate_time"] else ""
    yield f"{run['plan']} ({run['digest'][:12]}): {_SAYS[Exit(run['exit'])]}{time}"
    said = [f"{key} {run[key]}" for key in ("change", "owner") if run[key]]
    if said:
        yield f"  {', '.join(said)}"
    counts = run["migrations"]
    several = "s" if counts["total"] > 1 else ""
    parts = ", ".join(f"{counts[name]} {name.replace('_', ' ')}" for name in COUNTED if counts[name])
    yield f"  {counts['total']} migration{several}: {parts}"
    width = max(len(wave["name"]) for wave in run["waves"])
    for wave in run["waves"]:
        yield f"  wave {wave['name']:<{width}}  {wave['state']}{until(wave['waiting'])}"


def runs_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the document that ``status --json`` without a plan prints."""
    wave = closed(name=TEXT, state=one_of(WaveState.__args__), waiting=WAITING)  # type: ignore[attr-defined]
    run = closed(
        plan=TEXT,
        digest=or_null(DIGEST),
        unreadable=or_null(TEXT),
        change=or_null(TEXT),
        owner=or_null(TEXT),
        exit=or_null({"enum": [int(code) for code in Exit]}),
        estate_time=TIME,
        waves=list_of(wave),
        migrations=or_null(closed(total=COUNT, **dict.fromkeys(COUNTED, COUNT))),
    )
    return {
        "$schema": DIALECT,
        "title": "dmsa status, without a plan",
        **closed(driver=or_null(TEXT), plans=list_of(run)),
    }
