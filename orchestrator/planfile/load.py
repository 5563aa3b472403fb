"""A plan file -> a plan, or every problem in it at once.

Nothing that the plan refers to is opened: neither the simulated estate nor certificates nor secrets. A plan is
checked on a desk where none of them need exist.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.model.plan import Plan
from orchestrator.planfile.convert import Converter
from orchestrator.planfile.digest import digest
from orchestrator.planfile.problem import PlanInvalid, Problem
from orchestrator.planfile.schema import plan_shape
from orchestrator.planfile.source import LARGEST, Unreadable, decode, lines_of
from orchestrator.planfile.tree import build
from orchestrator.planfile.validate import validate

# What the tree cannot tell (there may be none, or a key stands twice), the look of a line must.
_SECRET = re.compile(r"^(.*?(?:pass|pwd|secret|token|key\b)\w*[\"']?\s*:\s*)(?!\s*[\"']?\$\{).*", re.IGNORECASE)


@dataclass(frozen=True)
class Loaded:
    """A valid plan, its identity, and where it came from: relative paths in it start at ``directory``."""

    plan: Plan
    digest: str
    path: Path
    directory: Path


def load_plan(path: Path | str) -> Loaded:
    """Read and check a plan file.

    Raises:
        PlanInvalid: it cannot be read, or something in it is wrong; carries every problem.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as wrong:
        message = f"the file cannot be read: {wrong.strerror or wrong}"
        raise PlanInvalid([Problem(1, 1, "", message, "check path and permissions", "unreadable")], str(path)) from None
    plan = parse_plan(raw, str(path))
    return Loaded(plan, digest(plan), path, path.resolve().parent)


def parse_plan(raw: bytes, name: str = "plan") -> Plan:
    """Check the bytes of a plan file; *name* is what messages call it.

    Raises:
        PlanInvalid: something in it is wrong; carries every problem.
    """
    lines: list[str] = []
    try:
        text = decode(raw)
        lines = lines_of(text)
        root, problems = build(text, lines)
    except Unreadable as stopped:
        raise PlanInvalid([stopped.problem], name, _masked(lines, {})) from None
    converter = Converter()
    values = converter.read(root, plan_shape())
    problems += converter.problems
    plan, more = validate(root, values, converter)
    problems += more
    if plan is None or problems:
        raise PlanInvalid(problems, name, _masked(lines, converter.hidden))
    return plan


def _masked(lines: list[str], hidden: Mapping[int, int]) -> list[str]:
    """Return the lines without what is, or looks like, a secret; *hidden* is line -> first column of one."""
    shown = [line if number not in hidden else line[: hidden[number] - 1] for number, line in enumerate(lines, 1)]
    return [_SECRET.sub(r"\1", line) for line in shown]
