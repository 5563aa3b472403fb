"""The identity of a plan: approvals bind to it, the journal records it, a changed plan is recognised by it.

Two files that mean the same have the same digest, however they are written; so the digest is taken of the
resolved plan. What says only how hosts are reached, or is told to people, is left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import rfc8785

from orchestrator.model.plan import Approvals, Migration, Occasion, Plan, Policy, Retry, Wave
from orchestrator.model.receiver import masked

_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ALL_OCCASIONS = Occasion.__args__  # type: ignore[attr-defined]
_ONE_SITE = [{"name": "main", "match": ["*"]}]
_POLICY = set(Policy.model_fields)
_DURATIONS = frozenset(
    name
    for model in (Policy, Retry, Approvals)
    for name, field in model.model_fields.items()
    if field.annotation is timedelta
)
"""The keys whose values are seconds in a canonical plan; each has one meaning wherever it stands."""


def digest(plan: Plan) -> str:
    """Return the SHA-256 of the canonical plan (RFC 8785), in hexadecimal."""
    return hashlib.sha256(_canonical_json(canonical(plan))).hexdigest()


def _canonical_json(whole: dict[str, Any]) -> bytes:
    """Return the RFC 8785 form. Of ASCII text and whole numbers the standard library makes the same, in C."""
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode() if text.isascii() else rfc8785.dumps(whole)


def canonical(plan: Plan) -> dict[str, Any]:
    """Return the resolved plan as plain values.

    Defaults are filled in, policy stands on each migration and nowhere else, durations are seconds, dates are
    text, references to secrets stay references. The URL of a webhook is a secret, too, and this is what the journal
    keeps: its host and hash stand for it. Order counts where it has a meaning: not in days or occasions.
    """
    whole = plan.model_dump(mode="json", by_alias=True, exclude={"description", "policy", "waves"})
    for left_out in ("connections", "addresses"):
        del whole["estate"][left_out]
    whole["estate"]["sites"] = whole["estate"]["sites"] or _ONE_SITE
    for notify in whole["notify"]:
        notify["webhook"] = masked(notify["webhook"])
        notify["on"] = sorted(set(notify["on"] or _ALL_OCCASIONS))
        if notify["format"] is None:  # as if there were no such key: plans that do not have it keep their digest
            del notify["format"]
    whole["waves"] = [_wave(plan, wave) for wave in plan.waves]
    return whole


def as_kept(form: dict[str, Any]) -> dict[str, Any]:
    """Return a canonical form that an earlier version may have written, without what this one keeps to itself."""
    notify = [{**one, "webhook": masked(one["webhook"])} for one in form.get("notify", ())]
    return {**form, "notify": notify} if notify else form


def _wave(plan: Plan, wave: Wave) -> dict[str, Any]:
    fields = set(Wave.model_fields) - set(Policy.model_fields) - {"window", "migrations"}
    resolved = wave.model_dump(mode="json", by_alias=True, include=fields)
    both = wave.window.model_dump(mode="json") if wave.window else None
    resolved["windows"] = resolved["windows"] or {"start": both, "complete": both}
    for window in filter(None, resolved["windows"].values()):
        window["days"] = sorted(set(window["days"]), key=_WEEK.index)
    resolved["needs"] = list(plan.needs_of(wave))
    known: dict[int, dict[str, Any]] = {}
    resolved["migrations"] = [_migration(plan, migration, known) for migration in wave.migrations]
    return resolved


def _migration(plan: Plan, migration: Migration, known: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Return a migration with its policy; what was *known* of a policy that it shares with others is used again."""
    policy = plan.policy_of(migration.id)
    if id(policy) not in known:
        known[id(policy)] = policy.model_dump(mode="json")
    return {**migration.model_dump(mode="json", by_alias=True, exclude=_POLICY), **known[id(policy)]}


def plan_of(whole: Mapping[str, Any]) -> Plan:
    """Return the plan that a canonical one tells; its :func:`canonical` is that again.

    How hosts are reached is not in it, nor its description. What is written down of a run tells its plan so.

    Raises:
        ValueError: it is no canonical plan of this version.
    """
    return Plan.model_validate(_durations(whole))


def _durations(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: timedelta(seconds=one) if key in _DURATIONS and isinstance(one, int) else _durations(one)
            for key, one in value.items()
        }
    return [_durations(one) for one in value] if isinstance(value, list) else value
