"""The table: each cmdlet's parameters with their types, and the function that does its work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias
from uuid import UUID

from orchestrator.lab.command import Command, LabError, LabObject, Request
from orchestrator.lab.estate import refusals
from orchestrator.lab.estate.refusals import Terminating

if TYPE_CHECKING:
    from orchestrator.lab.estate.estate import Estate
    from orchestrator.lab.estate.machine import Machine

Work: TypeAlias = Callable[["Invocation"], Iterable[object]]
Where: TypeAlias = Literal["dc", "anywhere", "pipeline", "ldap"]


@dataclass(frozen=True)
class Row:
    """One cmdlet. ``parameters`` maps the folded name to (name, type); ``where`` says which machines have it."""

    name: str
    parameters: Mapping[str, tuple[str, str]]
    mandatory: frozenset[str]
    writes: bool
    where: Where
    restricted_only: bool
    work: Work


TABLE: dict[str, Row] = {}
"""Every cmdlet by its folded name."""


def cmdlet(
    name: str, parameters: str, *, writes: bool = False, where: Where = "anywhere", restricted_only: bool = False
) -> Callable[[Work], Work]:
    """Enter a function into the table.

    *parameters* lists ``Name:type`` with types ``text``, ``texts``, ``flag``, ``bool``, ``number``, ``table``
    and ``any``; a ``!`` after the name marks a mandatory one. ``restricted_only`` marks a function that
    exists on restricted (JEA) endpoints only.
    """

    def enter(work: Work) -> Work:
        known = {}
        mandatory = set()
        for item in (*parameters.split(), "ErrorAction:text"):
            shown, _, kind = item.partition(":")
            plain = shown.rstrip("!")
            known[plain.lower()] = (plain, kind)
            if shown != plain:
                mandatory.add(plain)
        TABLE[name.lower()] = Row(name, known, frozenset(mandatory), writes, where, restricted_only, work)
        return work

    return enter


@dataclass
class Invocation:
    """One cmdlet being run: its bound parameters, its input, and where its errors go."""

    estate: Estate
    machine: Machine
    request: Request
    row: Row
    bound: dict[str, object]
    input: list[object]
    errors: list[LabError] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The cmdlet's name as PowerShell writes it."""
        return self.row.name

    def given(self, name: str) -> bool:
        """Say whether a parameter was passed."""
        return name.lower() in self.bound

    def text(self, name: str, default: str = "") -> str:
        """Return a text parameter."""
        return str(self.bound.get(name.lower(), default))

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a parameter of several texts."""
        value = self.bound.get(name.lower(), ())
        return value if isinstance(value, tuple) else (str(value),)

    def flag(self, name: str) -> bool:
        """Return a switch."""
        return bool(self.bound.get(name.lower(), False))

    def value(self, name: str) -> object:
        """Return a parameter as bound; None if it was not passed."""
        return self.bound.get(name.lower())

    def number(self, name: str, default: int) -> int:
        """Return an integer parameter."""
        value = self.bound.get(name.lower(), default)
        return value if isinstance(value, int) else default

    def error(self, error: LabError) -> None:
        """Write a non-terminating error, as ``-ErrorAction`` says.

        Raises:
            Terminating: the action is Stop.
        """
        action = self.text("ErrorAction", "Continue").lower()
        if action in {"stop", "1"}:
            raise Terminating(error)
        if action not in {"silentlycontinue", "ignore", "0", "4"}:
            self.errors.append(error)

    def fail(self, error: LabError) -> Terminating:
        """Return the exception that ends the statement with *error*."""
        return Terminating(error)

    @property
    def rights(self) -> frozenset[str]:
        """What the caller may do; a caller whom the estate file does not name may do everything."""
        operator = self.estate.spec.operator
        name = self.request.principal.rpartition("\\")[2].partition("@")[0]
        if name.lower() == operator.name.lower():
            return operator.rights
        return frozenset({"read", "read-dmsa", "write", "migrate", "hosts"})

    @property
    def hidden(self) -> frozenset[str]:
        """The folded names of attributes that the caller may not read."""
        operator = self.estate.spec.operator
        name = self.request.principal.rpartition("\\")[2].partition("@")[0]
        return frozenset(map(str.lower, operator.hidden)) if name.lower() == operator.name.lower() else frozenset()


def bind(command: Command, row: Row) -> dict[str, object]:
    """Return the parameters of *command* by folded name, converted to their types.

    Raises:
        Terminating: a parameter is unknown, missing, or its value does not fit.
    """
    bound = {}
    for shown, value in command.parameters.items():
        folded = shown.lower()
        known = row.parameters.get(folded)
        if known is None:
            raise Terminating(refusals.unknown_parameter(row.name, shown))
        bound[folded] = _converted(row.name, known[0], known[1], value)
    missing = [needed for needed in row.mandatory if needed.lower() not in bound]
    if missing:
        raise Terminating(refusals.missing_parameter(row.name, min(missing)))
    return bound


def _converted(cmdlet_name: str, parameter: str, kind: str, value: object) -> object:
    if type(value) is str and kind == "text":
        return value
    plain = _plain(value)
    if kind in {"flag", "bool"} and (isinstance(plain, bool) or (kind == "flag" and plain is None)):
        return True if plain is None else plain
    if plain is None:
        why = "The argument is null. Provide a valid value for the argument, and then try running the command again."
        raise Terminating(refusals.bad_value(cmdlet_name, parameter, why))
    if kind == "any":
        return plain
    if kind == "text" and isinstance(plain, str | int | UUID) and not isinstance(plain, bool):
        return str(plain)
    if kind == "texts" and isinstance(plain, str | UUID | list | tuple):
        return tuple(str(item) for item in plain) if isinstance(plain, list | tuple) else (str(plain),)
    if kind == "number" and isinstance(plain, int) and not isinstance(plain, bool):
        return plain
    if kind == "table" and isinstance(plain, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in plain.items()}
    why = f"Cannot convert a value of type {type(value).__name__}."
    raise Terminating(refusals.bad_value(cmdlet_name, parameter, why))


def _plain(value: object) -> object:
    """Take a wire's wrapper off: an enum or another object that is meant as its text."""
    if type(value) is str:
        return value
    if isinstance(value, LabObject):
        return value.text
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
