"""What each write was expected to change, beside what the journal says came of it.

Expected is what :mod:`orchestrator.expectation` says of a write: the same table from which a SOC is told. Traced is
what this journal holds: that the write was sent, what the far side answered, and which later reading showed the new
value. A journal cannot show that nothing else was changed, nor by whom; exported events can (``dmsa reconcile``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.expectation import Expectation, expected
from orchestrator.expectation.history import Attempt, Told, history
from orchestrator.model.dn import domain_dn
from orchestrator.model.host import ENABLED
from orchestrator.model.plan import Directory, Plan
from orchestrator.model.run import RunState
from orchestrator.report.traced import SHOWN, followed, shown_by
from orchestrator.views.moment import iso


def changes_of(plan: Plan, ids: Sequence[str], run: RunState, told: Sequence[Told]) -> dict[str, list[dict[str, Any]]]:
    """Return for each migration its writes in order, with what each was expected to change and what showed it.

    Args:
        plan: the plan that the run goes by.
        ids: the migrations.
        run: where everything stands.
        told: the events that tell of writes.
    """
    known = history(told)
    resolved = _resolved(plan, known.attempts)
    after = dict(zip(map(id, known.attempts), followed(told), strict=True))
    found: dict[str, dict[int, dict[str, Any]]] = {id_: {} for id_ in ids}
    for one in known.attempts:
        if one.migration in found:
            found[one.migration][id(one)] = _write(one)
    for each in expected(resolved, ids, run, known):
        attempt = each.frame.attempt
        if each.done and attempt is not None and each.by == "operator" and each.log == "Security" and _is_change(each):
            shown = shown_by(each, attempt, after[id(attempt)], run[each.migration])
            found[each.migration][id(attempt)]["changes"].append(_change(each, shown))
    return {id_: list(writes.values()) for id_, writes in found.items()}


def counted(writes: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many expected changes were shown by what; those that are expected for sure alone."""
    found = Counter(change["shown"] for write in writes for change in write["changes"] if change["sure"])
    return {name: found[name] for name in SHOWN}


def _resolved(plan: Plan, attempts: Iterable[Attempt]) -> Plan:
    """Return the plan with its domain and domain controller, as the writes name them where the plan does not."""
    if plan.estate.directory is not None and plan.estate.domain is not None:
        return plan
    server = next((str(one.parameters["Server"]) for one in attempts if one.parameters.get("Server")), "")
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
