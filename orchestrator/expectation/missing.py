"""What approved steps have written, by the journal or by the plan, and the export does not show.

A directory change must be there. An event beside it must, where its computer logs events of that number at all, and
that log is there for the time: what was not collected is said once, and is not missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from orchestrator.expectation.attributes import LINKING
from orchestrator.expectation.collected import Collected
from orchestrator.expectation.finding import MISSING, NOT_LOGGED, Finding
from orchestrator.expectation.history import SKEW
from orchestrator.expectation.names import short
from orchestrator.expectation.numbers import ADDED, CHANGES, DELETED, REGISTRY
from orchestrator.expectation.row import Expectation
from orchestrator.expectation.seen import SeenEvent
from orchestrator.expectation.values import NOTHING
from orchestrator.model.host import ENABLED
from orchestrator.model.state import MIGRATION_CMDLETS

Hits = frozenset[tuple[int, str]] | set[tuple[int, str]]


@dataclass(frozen=True)
class Lacking:
    """Findings of what is missing; how many changes that must be there are there, how many are not, and how many
    events beside them are not.
    """

    findings: tuple[Finding, ...]
    found: int
    lacking: int
    events: int
    notes: tuple[str, ...]


def missing(
    expectations: Sequence[Expectation],
    hits: Hits,
    ids: frozenset[str],
    events: Sequence[SeenEvent],
    not_logged: frozenset[int] = frozenset(),
) -> Lacking:
    """Return what is missing, each write of a step as one finding.

    Args:
        expectations: everything that is expected.
        hits: which of them were found, by number and operation.
        ids: the migrations that are asked about.
        events: the whole export.
        not_logged: numbers of events that nobody waits for.
    """
    beside = _Beside(Collected.of(events), not_logged, _switches_are_audited(events))
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
        findings += beside.of(numbers, expectations, hits)
        torn = _torn(numbers, expectations, hits)
        if torn:
            findings.append(_half(torn, expectations))
        elif gone:
            findings.append(_absent(gone, required, expectations))
    notes = (*_notes(expectations, events), *beside.notes())
    return Lacking(tuple(findings), found, lacking, beside.lacking, notes)


@dataclass
class _Beside:
    """Events that computers log of themselves beside a change: those that lack, and those that nobody collected."""

    collected: Collected
    not_logged: frozenset[int]
    switches: bool
    lacking: int = 0
    uncollected: dict[int, dict[str, int]] = field(default_factory=dict)
    out_of_reach: dict[int, dict[str, int]] = field(default_factory=dict)

    def of(self, numbers: Sequence[int], expectations: Sequence[Expectation], hits: Hits) -> Iterator[Finding]:
        """Yield the finding of one write, where something lacks."""
        gone = [
            (expectations[n], event)
            for n in numbers
            for event in expectations[n].logged
            if event not in self.not_logged and (n, str(event)) not in hits and self._judged(expectations[n], event)
        ]
        self.lacking += len(gone)
        if gone:
            first = gone[0][0]
            lacks = "; ".join(f"{event} of {one.object or one.computer} at {one.computer}" for one, event in gone)
            yield Finding(
                NOT_LOGGED, first.migration, first.object or first.computer, "", f"{first.cmdlet}{_of(first)}",
                f"not in the export: {lacks}",
            )  # fmt: skip

    def _judged(self, one: Expectation, event: int) -> bool:
        """Whether its absence says something; where not, that is counted for a note."""
        has = self.collected.has(one.computer, event) and (event != REGISTRY or self.switches)
        reaches = has and self.collected.reaches(one.computer, event, one.frame)
        if not reaches:
            counted = (self.out_of_reach if has else self.uncollected).setdefault(event, {})
            counted[one.computer] = counted.get(one.computer, 0) + 1
        return reaches

    def notes(self) -> Iterator[str]:
        """Say which events nobody collected, each number once."""
        for counts, why in ((self.uncollected, "is not in the export"), (self.out_of_reach, "is not of that time")):
            for event, computers in sorted(counts.items()):
                shown = sorted(computers)
                more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
                yield (
                    f"event {event} of {', '.join(shown[:_SHOWN])}{more} {why}: not collected, so nobody can tell "
                    f"whether the {sum(computers.values())} expected were logged"
                )


_SHOWN = 3


def _of(one: Expectation) -> str:
    attempt = one.frame.attempt
    return f" of {attempt.began:%Y-%m-%dT%H:%M:%SZ}" if attempt and attempt.began else ""


def _switches_are_audited(events: Sequence[SeenEvent]) -> bool:
    """Whether some host logs writes of the switch: 4657 of another key says nothing of this one's SACL."""
    return any(e.id == REGISTRY and e.get("objectvaluename").casefold() == ENABLED.casefold() for e in events)


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
    when = _of(first)
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
    changes = [event for event in events if event.id in CHANGES and event.at is not None]
    there = Collected.of(changes)
    for computer in sorted(wanted):
        span = there.spans.get((short(computer), False))
        if span is None:
            yield f"not one directory service change (5136 to 5141) of {computer} is in the export"
            continue
        begins = [one.frame.attempt.began for one in expectations if one.required and one.frame.attempt]
        before = sorted(began for began in begins if began and began < span[0] - SKEW)
        if before:
            yield (
                f"the directory service changes of {computer} begin at {span[0]:%Y-%m-%dT%H:%M:%SZ}, and the first "
                f"write of an approved step was at {before[0]:%Y-%m-%dT%H:%M:%SZ}"
            )
    modified = [event for event in changes if event.id == 5136]
    if modified and not any(event.get("attributevalue") for event in modified):
        yield "not one 5136 of the export says what was written (AttributeValue), so nothing explains any of them"
