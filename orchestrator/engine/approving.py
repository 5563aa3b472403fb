"""The approvals of a wave's gates: how many people must agree before a migration is admitted, and who has."""

from __future__ import annotations

from datetime import datetime

from orchestrator.model.approvals import Consent, Tally, tally
from orchestrator.model.lifecycle import PATH, Intention, Phase, Trigger
from orchestrator.model.plan import Approvals, Plan, Wave
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.model.words import Gate, Subject

GATES: tuple[Gate, ...] = ("start", "complete")
_FIRST_BEHIND = {"start": Phase.STARTED, "complete": Phase.SWITCHED}
"""The first phase that lies behind a gate."""


def wanted(rule: Approvals, gate: Gate) -> int:
    """Return how many people must agree before a gate."""
    return rule.start if gate == "start" else rule.complete


def rules_of(plan: Plan, wave: Wave) -> tuple[tuple[Gate, Approvals], ...]:
    """Return the different rules by which people must agree before the gates of a wave."""
    found: list[tuple[Gate, Approvals]] = []
    for migration in wave.migrations:
        rule = plan.policy_of(migration.id).approvals
        found += [(gate, rule) for gate in GATES if wanted(rule, gate) and (gate, rule) not in found]
    return tuple(found)


def unapproved(consent: Consent, wave: Wave, gate: Gate, rule: Approvals, at: datetime | None) -> str | None:
    """Say that people are missing before a gate: who has approved, how many are missing, who may not.

    None where enough have. A text stays the same while nobody says anything and nothing expires.
    """
    number = wanted(rule, gate)
    if not number:
        return None
    found = tally(consent, Subject("gate", wave.name, gate), number, rule, at)
    return missing(found, consent.driver, f"wave {wave.name} before {gate}") if found.missing else None


def missing(found: Tally, driver: str | None, what: str) -> str:
    """Say who must still approve something."""
    said = [f"{one.word.by} has" for one in found.counting]
    said += [f"that of {one.word.by} {one.why_not}" for one in found.said if one.why_not]
    people = "1 person" if found.wanted == 1 else f"{found.wanted} people"
    so_far = f" ({'; '.join(said)})" if said else ""
    barred = f"; {driver}, who drives, may not" if driver else ""
    return f"{people} must approve {what}{so_far}; missing: {found.missing}{barred}"


def is_ahead(state: MigrationState, gate: Gate) -> bool:
    """Whether a migration has still to be admitted at a gate, as things stand."""
    if state.phase is Phase.ROLLED_BACK:
        return True
    if state.intention is Intention.BACK or state.phase not in PATH or state.admitted is Trigger(gate):
        return False
    return PATH.index(state.phase) < PATH.index(_FIRST_BEHIND[gate])


def open_rule(run: RunState, plan: Plan, wave: Wave, gate: Gate, at: datetime | None) -> tuple[Approvals, Tally] | None:
    """Return the strictest rule of the migrations that a gate is still ahead of, with what was said by it.

    None where nobody needs to agree, or nothing is ahead of the gate.
    """
    rules = []
    for migration in wave.migrations:
        rule = plan.policy_of(migration.id).approvals
        if wanted(rule, gate) and is_ahead(run[migration.id], gate) and rule not in rules:
            rules.append(rule)
    subject = Subject("gate", wave.name, gate)
    found = [(rule, tally(run.consent, subject, wanted(rule, gate), rule, at)) for rule in rules]
    return max(found, key=lambda one: (one[1].missing, one[1].wanted), default=None)
