"""A plan file -> a plan, or every problem in it at once.

Nothing that the plan refers to is opened: neither the simulated estate nor certificates nor secrets. A plan is
checked on a desk where none of them need exist.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.model.plan import Plan
from orchestrator.planfile.convert import Converter
from orchestrator.planfile.digest import digest
from orchestrator.planfile.excerpt import Excerpts
from orchestrator.planfile.problem import PlanInvalid, Problem
from orchestrator.planfile.schema import plan_shape
from orchestrator.planfile.source import LARGEST, Unreadable, decode, lines_of
from orchestrator.planfile.tree import build
from orchestrator.planfile.validate import validate


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
    with _uncollected():
        plan = parse_plan(raw, str(path))
        return Loaded(plan, digest(plan), path, path.resolve().parent)


def parse_plan(raw: bytes, name: str = "plan") -> Plan:
    """Check the bytes of a plan file; *name* is what messages call it.

    Raises:
        PlanInvalid: something in it is wrong; carries every problem.
    """
    with _uncollected():
        return _parse(raw, name)


def _parse(raw: bytes, name: str) -> Plan:
    lines: list[str] = []
    try:
        text = decode(raw)
        lines = lines_of(text)
        root, problems = build(text, lines)
    except Unreadable as stopped:
        raise PlanInvalid([stopped.problem], name, Excerpts(lines, {})) from None
    converter = Converter(problems)
    values = converter.read(root, plan_shape())
    plan = validate(root, values, converter, problems)
    if plan is None or problems:
        excerpts = Excerpts(lines, converter.hidden)
        raise PlanInvalid(problems, name, excerpts, problems.skipped, problems.stopped)
    return plan


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the cycle collector from walking a growing tree, which has no cycles, again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
