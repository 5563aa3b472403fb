"""What a role file holds a parameter's value to, and what PowerShell answers when a value does not fit.

A pattern must match a whole value and a set must contain it, both without regard to case; of a list, each element is
looked at, as the text it shows itself as (Microsoft Learn, about_Functions_Advanced_Parameters, ValidateSet and
ValidatePattern; ValidateEnumeratedArgumentsAttribute).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from orchestrator.lab.command import LabError, LabObject
from orchestrator.lab.jea.datafile import DataFileInvalid

_ONLY_DOTNET = re.compile(r"\\[pPkGX]|\(\?[^:=!]|\[[^\]]*-\[")
"""Constructs that Python reads otherwise than .NET, or not at all."""


@dataclass(frozen=True)
class Validation:
    """Choices, or a pattern (``shown`` as .NET would print it), or neither: then any value fits."""

    choices: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    shown: str = ""

    @classmethod
    def matching(cls, pattern: str, file: str, line: int) -> Validation:
        """Return a validation by an expression of .NET.

        Raises:
            DataFileInvalid: the lab cannot read the expression.
        """
        if _ONLY_DOTNET.search(pattern):
            raise DataFileInvalid(file, line, f"the lab cannot read the expression {pattern}")
        try:
            return cls((), re.compile(pattern.replace(r"\z", r"\Z"), re.IGNORECASE), pattern)
        except re.error as error:
            raise DataFileInvalid(file, line, f"{pattern} is no expression: {error}") from None

    def objection(self, value: object) -> str | None:
        """Return why PowerShell refuses a value, None if it does not."""
        items = value if isinstance(value, list | tuple) else [value]
        return next((why for why in map(self._refuses, items) if why is not None), None)

    def _refuses(self, item: object) -> str | None:
        text = shown(item)
        if self.choices and text.lower() not in {choice.lower() for choice in self.choices}:
            allowed = ",".join(self.choices)
            return (
                f'The argument "{text}" does not belong to the set "{allowed}" specified by the ValidateSet attribute. '
                "Supply an argument that is in the set and then try the command again."
            )
        if self.pattern is not None and self.pattern.search(text) is None:
            return (
                f'The argument "{text}" does not match the "{self.shown}" pattern. '
                f'Supply an argument that matches "{self.shown}" and try the command again.'
            )
        return None


def shown(item: object) -> str:
    """Return a value as .NET shows it as text."""
    match item:
        case None:
            return ""
        case bool():
            return str(item)
        case LabObject():
            return item.text or ""
        case UUID():
            return str(item)
        case Mapping():
            return "System.Collections.Hashtable"
    return str(item)


def by_function(error: LabError) -> LabError:
    """Return a binder's answer as a function gives it: what a session shows are functions, proxies of the cmdlets."""
    return replace(error, id=f"{error.id.partition(',')[0]},{error.cmdlet}")


def invalid(command: str, parameter: str, why: str) -> LabError:
    """Return the binder's answer to a value that a validation refuses."""
    return LabError(
        f"ParameterArgumentValidationError,{command}",
        "InvalidData",
        "System.Management.Automation.ParameterBindingValidationException",
        f"Cannot validate argument on parameter '{parameter}'. {why}",
        "",
        command,
    )
