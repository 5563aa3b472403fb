"""Plain values -> a plan, with the model's and the cross-checks' objections placed in the file.

If the values are no plan, the cross-checks are given the largest part of them that is one: an author who mended
one kind of mistake should not meet the next kind only then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from orchestrator.model.plan import Plan
from orchestrator.planfile import crosschecks
from orchestrator.planfile.convert import Converter
from orchestrator.planfile.partial import Partial
from orchestrator.planfile.problem import Loc, Problem, path_of
from orchestrator.planfile.refused import Refused, refusals
from orchestrator.planfile.tree import Mapping, Node, Sequence


def validate(root: Node, values: Any, converter: Converter) -> tuple[Plan | None, list[Problem]]:
    """Return the plan, or what is valid of it, and what the model and the cross-checks say against it."""
    plan: Plan | None
    largest: Partial | None = None
    lost = converter.lost
    problems: list[Problem] = []
    try:
        plan = Plan.model_validate(values)
    except ValidationError as invalid:
        refused = list(refusals(invalid, values))
        problems = [_problem(root, one) for one in refused if not _within(one.loc, converter.lost)]
        largest = Partial(values)
        plan, taken = _largest_valid(largest, {*converter.broken, *(one.loc for one in refused)})
        lost = converter.lost | taken
    for finding in crosschecks.run(plan) if plan is not None else ():
        moved = finding.moved(largest.original) if largest is not None else finding
        if not moved.rests_on(lost):
            problems.append(_problem(root, Refused(moved.loc, moved.id, moved.message, moved.hint)))
    return plan, problems


def _largest_valid(partial: Partial, gone: set[Loc]) -> tuple[Plan | None, set[Loc]]:
    """Take out what is refused, and what is refused for its absence, until a plan is left; or nothing."""
    lost: set[Loc] = set()
    while gone:
        taken = partial.without(gone)
        if taken is None:
            break
        lost |= gone | taken
        values = partial.values()
        try:
            return Plan.model_validate(values), lost
        except ValidationError as invalid:
            gone = {partial.original(one.loc) for one in refusals(invalid, values)}
    return None, lost


def _within(loc: Loc, lost: set[Loc]) -> bool:
    return any(loc[:length] in lost for length in range(len(loc) + 1))


def _problem(root: Node, refused: Refused) -> Problem:
    line, column = locate(root, refused.loc)
    loc = refused.loc[:-1] if refused.loc[-1:] == ("[key]",) else refused.loc
    return Problem(line, column, path_of(loc), refused.message, refused.hint, refused.id)


def locate(root: Node, loc: Loc) -> tuple[int, int]:
    """Return line and column of what stands at a location, or of the nearest thing around it."""
    *_, node = _way(root, loc)
    return node.line, node.column


def _way(node: Node, loc: Loc) -> Iterator[Node]:
    yield node
    key: Node = node
    for part in loc:
        if part == "[key]":
            yield key
            return
        if isinstance(node, Mapping) and part in node.entries:
            key, node = node.entries[str(part)]
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            return
        yield node
