"""Who has approved what, and which of it counts at a moment: for a gate of a wave, and for a waiver.

What was said stands in :class:`Given`, a fold of the journal. Whether it counts is asked anew each time: by whom it is
(not by whoever drives now), of which plan, how old it is, and whether its signature fits, where the plan has keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from orchestrator.model.people import is_named, person, same_person
from orchestrator.model.plan import Approvals, Plan
from orchestrator.model.signature import fits, message
from orchestrator.model.words import (
    Amended,
    Approval,
    ApprovalWithdrawn,
    Approved,
    Subject,
    WaiverApproved,
    WaiverWithdrawn,
)

CLOCKS_AGREE = timedelta(minutes=5)
"""By how much an approver's clock may be ahead of the domain controller's (as ``clock-agrees`` has it)."""


@dataclass(slots=True)
class Given:
    """The approvals that stand, and those that an amendment withdrew. Changed by :meth:`take_in` alone."""

    standing: dict[Subject, tuple[Approval, ...]] = field(default_factory=dict)
    fallen: dict[Subject, tuple[Approval, ...]] = field(default_factory=dict)
    """Withdrawn by an amendment, and not given again by the same person since."""

    def copied(self) -> Given:
        """Return the same, to fold other events into."""
        return Given(dict(self.standing), dict(self.fallen))

    def take_in(self, event: Any) -> None:
        """Fold an event in; most say nothing of approvals. Never raises: whether one counts is asked later.

        A second approval by the same person takes the place of the first.
        """
        match event:
            case Approved() | WaiverApproved():
                _take_out(self.fallen, event.subject, event.by)
                _take_out(self.standing, event.subject, event.by)
                self.standing[event.subject] = (*self.standing.get(event.subject, ()), event)
            case ApprovalWithdrawn() | WaiverWithdrawn():
                _take_out(self.standing, event.subject, event.by)
            case Amended():
                for subject, words in list(self.standing.items()):
                    for word in words:
                        if word.digest != event.digest:
                            _take_out(self.standing, subject, word.by)
                            _take_out(self.fallen, subject, word.by)
                            self.fallen[subject] = (*self.fallen.get(subject, ()), word)


def _take_out(of: dict[Subject, tuple[Approval, ...]], subject: Subject, by: str) -> None:
    kept = tuple(word for word in of.pop(subject, ()) if not is_named(word.by, by))
    if kept:
        of[subject] = kept


@dataclass(frozen=True, slots=True)
class Consent:
    """What decides, beside the clock, whether approvals count: what was given, of which plan, and who drives."""

    plan: str
    digest: str | None
    driver: str | None
    given: Mapping[Subject, tuple[Approval, ...]]
    fallen: Mapping[Subject, tuple[Approval, ...]]


@dataclass(frozen=True, slots=True)
class Judged:
    """One approval: until when it counts, or why it does not."""

    word: Approval
    until: datetime
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many people must agree, and what was said."""

    wanted: int
    said: tuple[Judged, ...]

    @property
    def counting(self) -> tuple[Judged, ...]:
        """The approvals that count; each is another person's."""
        return tuple(one for one in self.said if one.why_not is None)

    @property
    def missing(self) -> int:
        """How many people are still missing."""
        return max(0, self.wanted - len(self.counting))


def tally(consent: Consent, subject: Subject, wanted: int, rule: Approvals, at: datetime | None) -> Tally:
    """Count the people who have approved something, as things stand at a moment.

    Args:
        consent: what was said, and who drives.
        subject: what is to be approved.
        wanted: how many different people it takes.
        rule: for how long an approval counts, and whose.
        at: estate time; None (it could not be read): nothing counts, for nobody knows what has expired.
    """
    return Tally(wanted, tuple(_once_each(consent, consent.given.get(subject, ()), rule, at)))


def names_suffice(plan: Plan, guard: str) -> bool:
    """Whether the names in a waiver of a guard are enough, and nobody must approve: nothing real is at stake there."""
    if plan.is_lab:
        return True
    return guard in _ONLY_TIME and all(migration.drill for migration in plan.migrations())


_ONLY_TIME = frozenset({"dwell-minimum", "ledger-flat"})
"""Guards that a plan of disposable pairs may waive by name."""


def agreed(consent: Consent, subject: Subject, names: Sequence[str], rule: Approvals, at: datetime | None) -> Tally:
    """Count those of the people whom a plan names that have approved a waiver; all of them are wanted."""
    words = tuple(word for word in consent.given.get(subject, ()) if any(is_named(word.by, name) for name in names))
    return Tally(len({person(name) for name in names}), tuple(_once_each(consent, words, rule, at)))


def _once_each(consent: Consent, words: Sequence[Approval], rule: Approvals, at: datetime | None) -> Iterator[Judged]:
    """Judge approvals in the order in which they were given; one person counts once, under whatever name."""
    counted: dict[str, str] = {}
    for word in words:
        one = Judged(word, word.given + rule.valid_for, why_not(word, consent, rule, at))
        if one.why_not is None:
            earlier = counted.get(person(word.by))
            counted.setdefault(person(word.by), word.by)
            if earlier is not None:
                one = replace(one, why_not=f"may be the same person as {earlier}")
        yield one


def why_not(word: Approval, consent: Consent, rule: Approvals, at: datetime | None) -> str | None:
    """Say why an approval does not count at a moment; None if it does."""
    if consent.digest is None or word.digest != consent.digest:
        return f"was given to another plan (digest {word.digest[:12]})"
    unsigned = unsigned_because(word, consent.plan, rule.keys)
    if unsigned is not None:
        return unsigned
    if same_person(word.by, consent.driver):
        return f"does not count, for {consent.driver} drives"
    if at is None:
        return "cannot be judged: estate time could not be read"
    if at >= word.given + rule.valid_for:
        return "has expired"
    if word.given > at + CLOCKS_AGREE:
        return "is of a time that is still to come: the clock it was given by is ahead"
    return None


def unsigned_because(word: Approval, plan: str, keys: Mapping[str, str] | None) -> str | None:
    """Say why an approval's signature does not do; None if it does, or if the plan has no keys.

    Args:
        word: the approval.
        plan: the name of the plan.
        keys: the public keys of those who may approve, by name.
    """
    if keys is None:
        return None
    key = next((key for name, key in keys.items() if is_named(word.by, name)), None)
    if key is None:
        return "is by somebody who has no key in the plan"
    if word.signature is None:
        return "is not signed, and the plan has keys"
    return None if fits(word.signature, key, message(word.signed(plan))) else "has a signature that does not fit"
