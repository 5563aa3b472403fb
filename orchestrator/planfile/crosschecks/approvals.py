"""Cross-checks on approvals: whether those who must agree can, and with which keys."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.people import is_named, person
from orchestrator.model.plan import Approvals, Migration, Plan, Wave
from orchestrator.model.signature import public_key
from orchestrator.planfile.crosschecks.finding import Finding, migrations_of
from orchestrator.planfile.problem import Loc


def approvals_keys(plan: Plan) -> Iterator[Finding]:
    """Where only signed approvals count, there are as many keys of different people as approvals needed."""
    said: set[Loc] = set()
    for loc, wave, migration in migrations_of(plan):
        approvals = plan.policy_of(migration.id).approvals
        needed = max(approvals.start, approvals.complete)
        people = len(set(map(person, approvals.keys or ())))
        if approvals.keys is None or people >= needed:
            continue
        layers = ((loc, migration), (loc[:2], wave), (("policy",), plan.policy))
        at, _ = next(layer for layer in layers if "approvals" in layer[1].model_fields_set)
        if at not in said:
            said.add(at)
            message = f"{needed} people must approve, but only {people} have a key"
            yield Finding((*at, "approvals"), message, "add keys, or ask for fewer approvals")


def approvals_key_form(plan: Plan) -> Iterator[Finding]:
    """A public key of an approver is one of Ed25519: a line as OpenSSH writes it, or its 32 bytes in base64."""
    for at, approvals in _written(plan):
        for name, text in (approvals.keys or {}).items():
            try:
                public_key(text)
            except ValueError as wrong:
                hint = "write the line of its .pub file (ssh-ed25519 AAAA...), or the 32 bytes in base64"
                yield Finding((*at, "keys", name), f"no Ed25519 public key: {wrong}", hint, (*at, "keys", name))


def approvals_key_twice(plan: Plan) -> Iterator[Finding]:
    """Each approver has a key of his own, and one name: two of either would let one person count twice."""
    for at, approvals in _written(plan):
        names: dict[str, str] = {}
        owners: dict[bytes, str] = {}
        for name, text in (approvals.keys or {}).items():
            other = names.setdefault(person(name), name)
            if other != name:
                message = f"{name} may be the same person as {other}: domain and capitals are not compared"
                yield Finding((*at, "keys", name), message, "name each person once", (*at, "keys"))
            try:
                owner = owners.setdefault(public_key(text), name)
            except ValueError:
                continue
            if owner != name:
                yield Finding((*at, "keys", name), f"this is the key of {owner}, too", "", (*at, "keys"))


def waiver_keys(plan: Plan) -> Iterator[Finding]:
    """Where only signed approvals count, whoever must approve a waiver has a key."""
    if plan.is_lab:
        return
    for loc, _, migration in migrations_of(plan):
        keys = plan.policy_of(migration.id).approvals.keys
        for index, waiver in enumerate(migration.waivers) if keys is not None else ():
            for place, name in enumerate(waiver.approved_by):
                if not any(is_named(name, known) for known in keys or ()):
                    at = (*loc, "waivers", index, "approved_by", place)
                    yield Finding(at, f"{name} has no key, so this waiver never counts", "add the key, or the person")


def _written(plan: Plan) -> Iterator[tuple[Loc, Approvals]]:
    """Yield every ``approvals`` that the plan writes, with its place."""
    layers: list[tuple[Loc, Plan | Wave | Migration]] = [(("policy",), plan)]
    for index, wave in enumerate(plan.waves):
        layers.append((("waves", index), wave))
    layers += [(loc, migration) for loc, _, migration in migrations_of(plan)]
    for loc, layer in layers:
        policy = layer.policy if isinstance(layer, Plan) else layer
        if "approvals" in policy.model_fields_set:
            yield (*loc, "approvals"), policy.approvals
