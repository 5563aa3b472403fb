"""What approved steps have written, by the journal or by the plan, and the export does not show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.expectation.attributes import LINKING
from orchestrator.expectation.expected import Expectation
from orchestrator.expectation.finding import MISSING, Finding
from orchestrator.expectation.names import short
from orchestrator.expectation.seen import ADDED, CHANGES, DELETED, SeenEvent
from orchestrator.expectation.values import NOTHING
from orchestrator.model.state import MIGRATION_CMDLETS

Hits = frozenset[tuple[int, str]] | set[tuple[int, str]]


@dataclass(frozen=True)
class Lacking:
    """Findings of what is missing; how many changes that must be there are there, and how many are not."""

    findings: tuple[Finding, ...]
    found: int
    lacking: int
    notes: tuple[str, ...]


def missing(
    expectations: Sequence[Expectation], hits: Hits, ids: frozenset[str], events: Sequence[SeenEvent]
) -> Lacking:
    """Return what is missing, each write of a step as one finding.

    Args:
        expectations: everything that is expected.
        hits: which of them were found, by number and operation.
        ids: the migrations that are asked about.
        events: the whole export.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, one in enumerate(expectations):
        if one.migration in ids:
            began = one.frame.attempt.began if one.frame.attempt else None
            groups.setdefault((one.migration, one.step, one.cmdlet, began), []).append(number)
    findings: list[Finding] = []
    found = lacking = 0
    for numbers in groups.values():
        required = [n for n in numbers if expectations[n].required and expectations[n].events[0] in CHANGES]
        gone = [n for n in required if _gone(n, expectations[n], hits)]
        found, lacking = found + len(required) - len(gone), lacking + len(gone)
        torn = _torn(numbers, expectations, hits)
        if torn:
            findings.append(_half(torn, expectations))
        elif gone:
            findings.append(_absent(gone, required, expectations))
    return Lacking(tuple(findings), found, lacking, tuple(_notes(expectations, events)))


def _wanted(one: Expectation) -> Iterator[str]:
    if one.created:
        yield ADDED
        return
    if one.old != NOTHING:
        yield DELETED
    if one.new != NOTHING:
        yield ADDED


def _gone(number: int, one: Expectation, hits: Hits) -> bool:
    return any((number, operation) not in hits for operation in _wanted(one))


def _torn(numbers: Sequence[int], expectations: Sequence[Expectation], hits: Hits) -> list[int]:
    """Return which link and state changes lack, where some are there though nobody knows that the operation ran."""
    linking = [n for n in numbers if _links(expectations[n])]
    attempt = expectations[numbers[0]].frame.attempt
    if not linking or (attempt is not None and attempt.landed is True):
        return []
    gone = [n for n in linking if _gone(n, expectations[n], hits)]
    some = any((n, operation) in hits for n in linking for operation in (ADDED, DELETED))
    return gone if some else []


def _links(one: Expectation) -> bool:
    return one.cmdlet in MIGRATION_CMDLETS and one.attribute.lower() in LINKING


def _half(gone: Sequence[int], expectations: Sequence[Expectation]) -> Finding:
    first = expectations[gone[0]]
    lacks = "; ".join(_change(expectations[n]) for n in gone)
    return Finding(
        "outside-operation", first.migration, first.object, "", f"{first.cmdlet} writes more than was seen",
        f"beside what was written there is lacking: {lacks}",
    )  # fmt: skip


def _absent(gone: Sequence[int], required: Sequence[int], expectations: Sequence[Expectation]) -> Finding:
    first = expectations[gone[0]]
    attempt = first.frame.attempt
    when = f" of {attempt.began:%Y-%m-%dT%H:%M:%SZ}" if attempt and attempt.began else ""
    lacks = "; ".join(_change(expectations[n]) for n in gone)
    return Finding(
        MISSING, first.migration, first.object, "", f"{first.cmdlet}{when}: {len(gone)} of {len(required)} changes",
        f"not in the export: {lacks}",
    )  # fmt: skip


def _change(one: Expectation) -> str:
    if one.created:
        return f"{one.object} created (5137)"
    return f"{one.object} {one.attribute}: {str(one.old) or 'unset'} -> {str(one.new) or 'unset'}"


def _notes(expectations: Sequence[Expectation], events: Sequence[SeenEvent]) -> Iterator[str]:
    """Say what the export as a whole does not hold, since that explains much of what is missing."""
    wanted = {one.computer for one in expectations if one.required}
    there = {short(event.computer) for event in events if event.id in CHANGES}
    for computer in sorted(wanted):
        if short(computer) not in there:
            yield f"not one directory service change (5136 to 5141) of {computer} is in the export"
