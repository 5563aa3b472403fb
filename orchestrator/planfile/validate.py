"""Plain values -> a plan, with the model's and the cross-checks' objections placed in the file.

If the values are no plan, the cross-checks are given the largest part of them that is one: an author who mended
one kind of mistake should not meet the next kind only then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from orchestrator.model.plan import Plan
from orchestrator.planfile import crosschecks
from orchestrator.planfile.convert import Converter
from orchestrator.planfile.partial import Partial
from orchestrator.planfile.problem import Loc, Problem, Problems, path_of
from orchestrator.planfile.refused import Refused, refusals
from orchestrator.planfile.tree import Mapping, Node, Sequence


def validate(root: Node, values: Any, converter: Converter, problems: Problems) -> Plan | None:
    """Return the plan, or what is valid of it; add what the model and the cross-checks say against it."""
    if problems.full:
        problems.stopped = True
        return None
    try:
        plan = Plan.model_validate(values)
    except ValidationError as invalid:
        return _judge_rest(root, values, converter, invalid, problems)
    _cross_check(root, plan, problems, _Reach(converter.lost))
    return plan


def _judge_rest(
    root: Node, values: Any, converter: Converter, invalid: ValidationError, problems: Problems
) -> Plan | None:
    """Report what the model refused; let the cross-checks judge what is left without it."""
    refused: list[Refused] = []
    for one in refusals(invalid, values):
        if problems.full:
            problems.skipped += invalid.error_count() - len(refused)
            problems.stopped = True
            return None
        refused.append(one)
        if not _within(one.loc, converter.lost):
            problems.add(_problem(root, one))
    largest = Partial(values)
    plan, taken = _largest_valid(largest, {*converter.broken, *(one.loc for one in refused)})
    if plan is not None:
        _cross_check(root, plan, problems, _Reach(converter.lost | taken), largest.original)
    return plan


def _cross_check(
    root: Node, plan: Plan, problems: Problems, lost: _Reach, original: Callable[[Loc], Loc] = lambda loc: loc
) -> None:
    for finding in crosschecks.run(plan):
        if problems.full:
            problems.stopped = True
            return
        moved = finding.moved(original)
        if not lost.touches(moved.loc if moved.subject is None else moved.subject, moved.depth):
            problems.add(_problem(root, Refused(moved.loc, moved.id, moved.message, moved.hint)))


class _Reach:
    """How far up the tree it shows that something is lost."""

    def __init__(self, lost: Iterable[Loc]) -> None:
        self._nearest: dict[Loc, int] = {}
        for loc in lost:
            for length in range(len(loc) + 1):
                nearest = self._nearest.get(loc[:length], len(loc))
                self._nearest[loc[:length]] = min(nearest, len(loc))

    def touches(self, subject: Loc, depth: int) -> bool:
        """Say whether something is lost at the subject or at most *depth* levels below."""
        nearest = self._nearest.get(subject)
        return nearest is not None and nearest <= len(subject) + depth


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
