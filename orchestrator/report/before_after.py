"""Both objects and every host before the first write, right before Complete, and at the end of a way back."""

from __future__ import annotations

from typing import Any

from orchestrator.model.before import SnapshotRepeated, SnapshotTaken
from orchestrator.model.facts import Facts
from orchestrator.model.host import ENABLED
from orchestrator.model.state import MigrationState
from orchestrator.steps.comparison import facts_of
from orchestrator.steps.snapshot import Content
from orchestrator.views.moment import iso


def snapshots_of(state: MigrationState) -> dict[str, Any] | None:
    """Return the snapshots of one attempt, fact beside fact; None where none was taken."""
    taken, repeated, compared = state.snapshot, state.repeated, state.compared
    if taken is None:
        return None
    before = _facts(taken)
    later = _facts(repeated) if repeated else {}
    return {
        "attempt": state.attempt,
        "taken": iso(state.snapshot_at),
        "late": taken.late,
        "sha256": taken.sha256,
        "account_guid": str(taken.account_guid),
        "dmsa_guid": str(state.dmsa_guid) if state.dmsa_guid else None,
        "unasked": list(taken.unasked),
        "again": {"taken": iso(state.repeated_at), "sha256": repeated.sha256} if repeated else None,
        "facts": [
            {
                "object": what,
                "name": name,
                "before": before.get((what, name)),
                "again": later.get((what, name)) if repeated else None,
                "changed": repeated is not None and before.get((what, name)) != later.get((what, name)),
            }
            for what, name in sorted(before.keys() | later.keys())
        ],
        "compared": compared.model_dump(mode="json", exclude={"kind", "migration"}) if compared else None,
    }


def _facts(content: SnapshotTaken | SnapshotRepeated) -> Facts:
    """Return the facts of a snapshot; that a host's switch is absent is one of them."""
    facts = facts_of(Content.of(content))
    hosts = {what for what, _ in facts if what.startswith("host ")}
    return {(host, ENABLED): None for host in hosts} | facts
