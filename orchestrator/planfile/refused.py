"""What the model refuses, in the words of a plan's author instead of a validator's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from orchestrator.planfile.problem import Loc, shown

_LONGEST_MESSAGE = 400


@dataclass(frozen=True)
class Refused:
    """One value that does not do, with what to write instead."""

    loc: Loc
    id: str
    message: str
    hint: str = ""


def refusals(invalid: ValidationError, values: Any) -> Iterator[Refused]:
    """Yield what the model refused of *values*, but for what only follows from another refusal."""
    for error in invalid.errors(include_url=False):
        loc, kind, facts = error["loc"], error["type"], error.get("ctx", {})
        if kind == "too_short" and _at(values, loc):
            continue  # pydantic counts only the entries that are valid; those that are not have been named
        if kind == "missing":
            yield Refused(loc, "missing-key", f"the key {loc[-1]} is missing")
        elif "hint" in facts:
            hint = shown(facts["hint"], _LONGEST_MESSAGE)
            yield Refused(loc, kind, shown(facts["message"], _LONGEST_MESSAGE), hint)
        else:
            yield Refused(loc, *_explained(kind, facts, error["input"], error["msg"]))


def _explained(kind: str, facts: dict[str, Any], found: Any, said: str) -> tuple[str, str, str]:
    value = shown(str(found))
    if kind == "string_too_short":
        return "empty", "expected text, found an empty one", "give a value, or leave the key out"
    if kind == "too_short":
        return "empty", "expected at least one entry, found none", ""
    if kind == "greater_than_equal":
        return "too-small", f"expected at least {facts['ge']}, found {value}", ""
    if kind == "less_than_equal":
        return "too-large", f"expected at most {facts['le']}, found {value}", ""
    if kind == "literal_error":
        return "choice", f"expected {facts['expected']}, found {value}", ""
    if kind == "string_pattern_mismatch":
        slug = re.sub("[^a-z0-9-]+", "-", value.lower()).strip("-")[:64]
        return "name", f"expected 1 to 64 of a-z, 0-9 and -, found {value or 'none'}", f"write {slug}" if slug else ""
    if kind.startswith("date_"):
        return "date", f"{value} is not in the calendar", ""
    return kind.replace("_", "-"), said, ""


def _at(values: Any, loc: Loc) -> Any:
    for part in loc:
        values = values[part]
    return values
