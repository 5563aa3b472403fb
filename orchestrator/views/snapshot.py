"""The snapshots of a run: what a way back finds again, and what it found at its end."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator
from typing import Any

from orchestrator.model.facts import Facts
from orchestrator.model.host import ENABLED
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.steps.comparison import facts_of
from orchestrator.steps.snapshot import Content
from orchestrator.views.shape import COUNT, DIALECT, DIGEST, NUMBER, TEXT, TIME, closed, list_of, one_of, or_null
from orchestrator.views.status import iso


def snapshot_document(run: RunState, plan: Plan, digest: str, chosen: Collection[str]) -> dict[str, Any]:
    """Return the snapshots of the chosen migrations, in the order of the plan; none for those that have none yet."""
    states = [run[migration.id] for migration in plan.migrations() if migration.id in chosen]
    return {"plan": plan.name, "digest": digest, "snapshots": [_of(state) for state in states if state.snapshot]}


def _of(state: MigrationState) -> dict[str, Any]:
    taken, repeated, compared = state.snapshot, state.repeated, state.compared
    assert taken is not None
    return {
        "dmsa": state.id,
        "attempt": state.attempt,
        "taken": iso(state.snapshot_at),
        "late": taken.late,
        "sha256": taken.sha256,
        "account_guid": str(taken.account_guid),
        "facts": _facts(facts_of(Content.of(taken))),
        "before_complete": {
            "taken": iso(state.repeated_at),
            "sha256": repeated.sha256,
            "facts": _facts(facts_of(Content.of(repeated))),
        }
        if repeated
        else None,
        "compared": compared.model_dump(mode="json", exclude={"kind", "migration"}) if compared else None,
    }


def _facts(facts: Facts) -> list[dict[str, Any]]:
    """Return the facts in order; that a host's switch is absent is one of them."""
    hosts = {what for what, _ in facts if what.startswith("host ")}
    facts = {(host, ENABLED): None for host in hosts} | facts
    return [{"object": what, "name": name, "value": value} for (what, name), value in sorted(facts.items())]


def snapshot_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the document that ``status --snapshot --json`` prints."""
    facts = list_of(closed(object=TEXT, name=TEXT, value={}))
    verdict = one_of(("declared", "foreign", "failed"))
    difference = closed(object=TEXT, name=TEXT, before={}, now={}, verdict=verdict, why=TEXT, by_hand=TEXT)
    snapshot = closed(
        dmsa=TEXT,
        attempt=NUMBER,
        taken=TIME,
        late={"type": "boolean"},
        sha256=DIGEST,
        account_guid=TEXT,
        facts=facts,
        before_complete=or_null(closed(taken=TIME, sha256=DIGEST, facts=facts)),
        compared=or_null(closed(snapshot=DIGEST, now=DIGEST, equal=COUNT, differences=list_of(difference))),
    )
    document = closed(plan=TEXT, digest=DIGEST, snapshots=list_of(snapshot))
    return {"$schema": DIALECT, "title": "dmsa status --snapshot", **document}


def snapshot_text(document: dict[str, Any]) -> str:
    """Return the snapshots for people, object by object; what was otherwise before Complete stands below its fact."""
    if not document["snapshots"]:
        return "There is no snapshot yet: it is taken in prepare, before anything is written."
    return "\n\n".join("\n".join(_lines(one)) for one in document["snapshots"])


def _lines(one: dict[str, Any]) -> Iterator[str]:
    late = ", late: of what was begun elsewhere" if one["late"] else ""
    yield f"{one['dmsa']}, attempt {one['attempt']}: taken {one['taken']}{late}, {one['sha256'][:12]}"
    again = one["before_complete"]
    later = {(f["object"], f["name"]): f["value"] for f in again["facts"]} if again else {}
    if again:
        yield f"  and once more before Complete, {again['taken']}, {again['sha256'][:12]}"
    what = ""
    for fact in one["facts"]:
        if fact["object"] != what:
            what = fact["object"]
            yield f"  {what}"
        yield from _fact(fact["name"], fact["value"])
        if again and later.get((what, fact["name"])) != fact["value"]:
            yield from _fact("  before Complete", later.get((what, fact["name"])))
    yield from _end(one["compared"])


def _fact(name: str, value: Any) -> Iterator[str]:
    shown = ", ".join(map(str, value)) if isinstance(value, list) else "unset" if value is None else str(value)
    yield from textwrap.wrap(f"{name}: {shown}", 80, initial_indent="    ", subsequent_indent="      ") or [
        f"    {name}:"
    ]


def _end(compared: dict[str, Any] | None) -> Iterator[str]:
    if compared is None:
        return
    yield f"  at the end of the way back {compared['equal']} facts were as here; these were not:"
    for one in compared["differences"]:
        said = f"{one['object']}: {one['name']} ({one['verdict']}: {one['why']})"
        yield from textwrap.wrap(said, 80, initial_indent="    ", subsequent_indent="      ")
