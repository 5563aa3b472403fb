"""What each write was expected to change, beside what the journal says came of it.

Expected is what :mod:`orchestrator.expectation` says of a write: the same table from which a SOC is told. Traced is
what this journal holds: that the write was sent, what the far side answered, and which later reading showed the new
value. A journal cannot show that nothing else was changed, nor by whom; exported events can (``dmsa reconcile``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.expectation import Expectation, Told, expected_of_sent
from orchestrator.expectation.history import Attempt, history
from orchestrator.model.dn import domain_dn
from orchestrator.model.host import ENABLED
from orchestrator.model.plan import Directory, Plan
from orchestrator.model.state import MigrationState
from orchestrator.report.traced import followed, shown_by
from orchestrator.views.moment import iso


def changes_of(plan: Plan, state: MigrationState, told: Sequence[Told]) -> list[dict[str, Any]]:
    """Return the writes of a migration in order, with what each was expected to change and what showed it.

    Args:
        plan: the plan that the run goes by, as :func:`as_written_to` returns it.
        state: where the migration stands.
        told: its events that tell of writes.
    """
    known = history(told)
    after = dict(zip(map(id, known.attempts), followed(told), strict=True))
    found = {id(one): _write(one) for one in known.attempts}
    for each in expected_of_sent(plan, state, known):
        attempt = each.frame.attempt
        if attempt is not None and each.by == "operator" and each.log == "Security" and _is_change(each):
            shown = shown_by(each, attempt, after[id(attempt)], state)
            found[id(attempt)]["changes"].append(_change(each, shown))
    return list(found.values())


def as_written_to(plan: Plan, server: str) -> Plan:
    """Return the plan with its domain and domain controller, where it does not name them.

    Args:
        plan: the plan that the run goes by.
        server: the domain controller that the run's first write to the directory named; empty without one.
    """
    if plan.estate.directory is not None and plan.estate.domain is not None:
        return plan
    directory = plan.estate.directory or (Directory(endpoint=server, server=server) if server else None)
    domain = plan.estate.domain or next(map(_domain, (one.account for one in plan.migrations())), "")
    return plan.model_copy(
        update={"estate": plan.estate.model_copy(update={"directory": directory, "domain": domain or None})}
    )


def _domain(dn: str) -> str:
    parts = [part.strip() for part in dn.split(",")]
    dns = ".".join(part[3:] for part in parts if part.upper().startswith("DC="))
    return dns if domain_dn(dns) else ""


def _is_change(one: Expectation) -> bool:
    return bool(one.attribute or one.created)


def _write(one: Attempt) -> dict[str, Any]:
    return {
        "step": one.step.value,
        "cmdlet": one.cmdlet,
        "where": one.endpoint,
        "sent": iso(one.began),
        "ended": iso(one.ended),
        "everywhere": iso(one.converged),
        "landed": one.landed,
        "changes": [],
    }


def _change(one: Expectation, shown: str) -> dict[str, Any]:
    return {
        "object": one.object,
        "attribute": one.attribute or None,
        "old": str(one.old) or None,
        "new": "created" if one.created and not one.attribute else str(one.new) or None,
        "sure": one.sure or one.attribute == ENABLED,
        "note": "" if one.attribute == ENABLED else one.note,
        "shown": shown,
    }
