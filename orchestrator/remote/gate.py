"""The last check before the wire: a call is in the catalogue, whole and literally, or it is not sent.

The gate trusts nobody above it. It looks at exact types, so that an object that merely behaves like a string
or a call cannot pass. Its refusals name the cmdlet, the parameter and the kind of value that was expected,
never the value.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.errors import SafetyRefusal
from orchestrator.model.call import Call, Cmdlet, Read, Value, Write
from orchestrator.model.witness import WITNESS
from orchestrator.remote.catalogue import CATALOGUE, COMMON, Effect, Form, Row
from orchestrator.remote.kinds import HOST
from orchestrator.remote.searches import SEARCHES

MOST_STATEMENTS = 200
"""Statements in one read: far above what a step asks, far below what an envelope carries."""


class Refused(SafetyRefusal):
    """The gate did not let a call through; nothing was sent."""


def check(call: Call) -> None:
    """Let a call pass that the catalogue contains.

    Raises:
        Refused: it does not; the text says which cmdlet and parameter, and what would have been allowed.
    """
    if type(call) is Read:
        if type(call.statements) is not tuple or not 0 < len(call.statements) <= MOST_STATEMENTS:
            raise _refusal("a read", f"holds no statement, or more than {MOST_STATEMENTS}")
        statements, effect = call.statements, Effect.READS
    elif type(call) is Write:
        statements, effect = (call.statement,), Effect.WRITES
    else:
        raise _refusal(type(call).__name__, "is neither a read nor a write")
    by_ldap = type(call.endpoint) is str and call.endpoint.startswith(WITNESS)
    if not HOST.accepts(call.endpoint.removeprefix(WITNESS) if by_ldap else call.endpoint):
        raise _refusal("a call", "names an endpoint that is not a host name")
    for statement in statements:
        _check_statement(statement, effect, SEARCHES if by_ldap else CATALOGUE)


def _check_statement(statement: Cmdlet, effect: Effect, rows: Mapping[str, Row]) -> None:
    if type(statement) is not Cmdlet or type(statement.name) is not str:
        raise _refusal("a statement", "is not one cmdlet with named parameters")
    row = rows.get(statement.name)
    if row is None:
        raise _refusal(ascii(statement.name), "is not in the catalogue")
    if row.effect is not effect:
        carried = "a read" if effect is Effect.READS else "a write"
        raise _refusal(row.cmdlet, f"{row.effect.value}, and was to travel in {carried}")
    if type(statement.parameters) is not dict or any(type(name) is not str for name in statement.parameters):
        raise _refusal(row.cmdlet, "has parameters that are not plain names with values")
    own = {name: value for name, value in statement.parameters.items() if name not in COMMON}
    for name in statement.parameters.keys() & COMMON.keys():
        if not COMMON[name].accepts(statement.parameters[name]):
            raise _refusal(row.cmdlet, f"-{name} takes {COMMON[name].name}")
    _check_parameters(row, own)


def _check_parameters(row: Row, given: Mapping[str, Value]) -> None:
    faults = []
    for form in row.forms:
        fault = _misfit(form, given)
        if fault is None:
            return
        faults.append(fault)
    unknown = sorted(given.keys() - row.parameters)
    if unknown:
        raise _refusal(row.cmdlet, f"has no parameter {unknown[0]!a} in the catalogue")
    # The form that shares most with what was given is the one that was meant.
    _, fault = max(zip(row.forms, faults, strict=True), key=lambda pair: sum(name in pair[0] for name in given))
    raise _refusal(row.cmdlet, fault)


def _misfit(form: Form, given: Mapping[str, Value]) -> str | None:
    """Say why these parameters are not this form; None if they are."""
    for name, value in given.items():
        kind = form.required.get(name) or form.optional.get(name)
        if kind is None:
            return f"-{name} does not go with the other parameters"
        if not kind.accepts(value):
            return f"-{name} takes {kind.name}, not this {type(value).__name__}"
    if form.required.keys() <= given.keys():
        return None
    return f"needs -{min(form.required.keys() - given.keys())}"


def _refusal(subject: str, reason: str) -> Refused:
    return Refused(
        f"safety rule: {subject} {reason}. Nothing was sent, and the run stops here. "
        "Every remote call must be in the catalogue; this is a defect of the program or of what called it."
    )
