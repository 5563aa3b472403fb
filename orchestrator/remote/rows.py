"""What a row of the catalogue is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from orchestrator.remote.kinds import Kind


class Effect(StrEnum):
    """Whether a cmdlet may change something."""

    READS = "reads"
    WRITES = "writes"


@dataclass(frozen=True)
class Form:
    """One parameter set: what must be given, and what may be.

    ``used_by`` names who sends it. Empty: nobody in this version. The gate lets it through, but no endpoint shows it.
    """

    required: Mapping[str, Kind]
    optional: Mapping[str, Kind]
    used_by: tuple[str, ...] | None = None

    def __contains__(self, parameter: str) -> bool:
        return parameter in self.required or parameter in self.optional

    def kind(self, parameter: str) -> Kind:
        """Return the kind of one of this form's parameters."""
        return self.required.get(parameter) or self.optional[parameter]

    def by(self, *users: str) -> Form:
        """Return this parameter set as used by these alone, whoever else uses the cmdlet."""
        return replace(self, used_by=users)


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
    source: str
    idempotent: bool = True
    role_function: str | None = None

    @property
    def used_by(self) -> tuple[str, ...]:
        """Who uses some form of the row; nobody, where this version is not that far yet."""
        return tuple(dict.fromkeys(user for form in self.forms for user in form.used_by or ()))

    @property
    def parameters(self) -> frozenset[str]:
        """Every parameter that some form of the row knows."""
        return frozenset(name for form in self.forms for name in (*form.required, *form.optional))


def form(required: Mapping[str, Kind] | None = None, /, **optional: Kind) -> Form:
    """Write a parameter set the way a syntax line does: the required ones, then the others by name."""
    return Form(required or {}, optional)


def reads(cmdlet: str, *forms: Form, by: str, source: str, role_function: str | None = None) -> Row:
    """Write a row that changes nothing; *by*: who uses each form that does not say so itself."""
    return Row(cmdlet, _used(forms, by), Effect.READS, source, role_function=role_function)


def writes(
    cmdlet: str, *forms: Form, by: str, source: str, idempotent: bool = True, role_function: str | None = None
) -> Row:
    """Write a row that may change something; *by* as for :func:`reads`."""
    return Row(cmdlet, _used(forms, by), Effect.WRITES, source, idempotent, role_function)


def _used(forms: tuple[Form, ...], by: str) -> tuple[Form, ...]:
    return tuple(form if form.used_by is not None else form.by(*by.split()) for form in forms)
