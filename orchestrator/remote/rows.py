"""What a row of the catalogue is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.remote.kinds import Kind


class Effect(StrEnum):
    """Whether a cmdlet may change something."""

    READS = "reads"
    WRITES = "writes"


@dataclass(frozen=True)
class Form:
    """One parameter set: what must be given, and what may be."""

    required: Mapping[str, Kind]
    optional: Mapping[str, Kind]

    def __contains__(self, parameter: str) -> bool:
        return parameter in self.required or parameter in self.optional

    def kind(self, parameter: str) -> Kind:
        """Return the kind of one of this form's parameters."""
        return self.required.get(parameter) or self.optional[parameter]


@dataclass(frozen=True)
class Row:
    """One cmdlet of the catalogue.

    ``idempotent`` says whether a second, equal call leaves the far side as the first did. ``source`` is the
    documentation page the parameters were taken from. ``role_function`` names the function that stands for
    this row on a JEA endpoint, where the cmdlet itself cannot be offered safely; None: the cmdlet itself,
    with these parameters, is the form there.
    """

    cmdlet: str
    forms: tuple[Form, ...]
    effect: Effect
    used_by: tuple[str, ...]
    source: str
    idempotent: bool = True
    role_function: str | None = None

    @property
    def parameters(self) -> frozenset[str]:
        """Every parameter that some form of the row knows."""
        return frozenset(name for form in self.forms for name in (*form.required, *form.optional))


def form(required: Mapping[str, Kind] | None = None, /, **optional: Kind) -> Form:
    """Write a parameter set the way a syntax line does: the required ones, then the others by name."""
    return Form(required or {}, optional)


def reads(cmdlet: str, *forms: Form, by: str, source: str, role_function: str | None = None) -> Row:
    """Write a row that changes nothing."""
    return Row(cmdlet, forms, Effect.READS, tuple(by.split()), source, role_function=role_function)


def writes(
    cmdlet: str, *forms: Form, by: str, source: str, idempotent: bool = True, role_function: str | None = None
) -> Row:
    """Write a row that may change something."""
    return Row(cmdlet, forms, Effect.WRITES, tuple(by.split()), source, idempotent, role_function)
