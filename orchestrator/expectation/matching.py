"""Whether something that is expected explains an event, and which expectations were met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.expectation.attributes import shown_attribute
from orchestrator.expectation.names import User, short
from orchestrator.expectation.numbers import ADDED
from orchestrator.expectation.ours import Object, Ours
from orchestrator.expectation.row import Expectation
from orchestrator.expectation.seen import SeenEvent
from orchestrator.expectation.values import Wanted, folded_dn
from orchestrator.model.host import ENABLED
from orchestrator.steps.effects import On

Hit = tuple[int, str]
"""Which expectation, and what of it was there: a value's operation, or an event's number."""


@dataclass
class Matching:
    """Expectations, by what they are about. ``hits`` are those that events have met."""

    expected: Sequence[Expectation]
    ours: Ours
    operators: tuple[User, ...]
    hits: set[Hit] = field(default_factory=set)
    _by_attribute: dict[tuple[str, On | None, str], list[int]] = field(default_factory=dict)
    _by_object: dict[tuple[str, On | None], list[int]] = field(default_factory=dict)
    _by_computer: dict[tuple[str, int], list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, one in enumerate(self.expected):
            self._by_attribute.setdefault((one.migration, one.on, one.attribute.lower()), []).append(number)
            self._by_object.setdefault((one.migration, one.on), []).append(number)
            for event in one.events:
                self._by_computer.setdefault((short(one.computer), event), []).append(number)

    def change(self, event: SeenEvent, object_: Object, attribute: str, value: str) -> bool:
        """Whether an expected change of an attribute is this one."""
        found = False
        pair = self.ours.pairs[object_.migration]
        for number, one in self._of(object_, attribute):
            if _fits(one, event, value, pair.account_sid) and self._met(one, event):
                self.hits.add((number, event.operation))
                found = True
        return found

    def container(self, event: SeenEvent) -> bool:
        """Whether an expected change of a container's descriptor is this one."""
        folded, value = folded_dn(event.get("objectdn")), event.get("attributevalue")
        for number, one in enumerate(self.expected):
            there = one.on is On.CONTAINER and folded_dn(one.object) == folded
            if there and _fits(one, event, value, None) and self._met(one, event):
                self.hits.add((number, event.operation))
                return True
        return False

    def creation(self, event: SeenEvent, object_: Object) -> bool:
        """Whether an expected creation is this one."""
        for number, one in self._of(object_, ""):
            if one.created and self._met(one, event):
                self.hits.add((number, ADDED))
                return True
        return False

    def beside(self, event: SeenEvent, object_: Object) -> bool:
        """Whether a write that is expected leaves this event of account management."""
        found = False
        for number in self._by_object.get((object_.migration, object_.on), ()):
            one = self.expected[number]
            if event.id in one.events and self._met(one, event):
                self.hits.add((number, str(event.id)))
                found = True
        return found

    def switch(self, event: SeenEvent) -> bool:
        """Whether a host's switch was expected to be written so; a value that is removed has no new one.

        Migrations that share a host share the switch, so one write may be what several of them expect.
        """
        found = False
        for number in self._by_computer.get((short(event.computer), event.id), ()):
            one = self.expected[number]
            here = one.attribute == ENABLED and self._met(replace(one, computer=event.computer), event)
            if here and _same_number(one.new, event.get("newvalue")):
                self.hits.add((number, str(event.id)))
                found = True
        return found

    def at_host(self, event: SeenEvent) -> None:
        """Take in that a host has logged something of a service or a restart."""
        assert event.at is not None
        for number in self._by_computer.get((short(event.computer), event.id), ()):
            if self.expected[number].frame.holds(event.at):
                self.hits.add((number, str(event.id)))

    def why(self, event: SeenEvent, object_: Object, attribute: str, value: str) -> str:
        """Say what is nearest to explaining a change, and what speaks against it."""
        near = [one for _, one in self._of(object_, attribute)]
        if not near:
            return f"no step that was sent for {object_.migration} writes {shown_attribute(attribute)}"
        sid = self.ours.pairs[object_.migration].account_sid
        fit = [one for one in near if _fits(one, event, value, sid)]
        if not fit:
            return f"the steps that write {shown_attribute(attribute)} write another value"
        timely = [one for one in fit if _in_place(one, event)]
        if not timely:
            return f"it lies outside the time of every {', '.join(sorted({one.cmdlet for one in fit}))}"
        return f"{timely[0].cmdlet} was under way, but it is not the runner who wrote this"

    def _of(self, object_: Object, attribute: str) -> Iterator[tuple[int, Expectation]]:
        numbers = self._by_attribute.get((object_.migration, object_.on, attribute), ())
        return ((number, self.expected[number]) for number in numbers)

    def _met(self, one: Expectation, event: SeenEvent) -> bool:
        allowed = self.operators if one.by == "operator" else self.ours.accounts[one.migration]
        return _in_place(one, event) and any(each.is_(event.by) for each in allowed)


def _fits(one: Expectation, event: SeenEvent, value: str, sid: str | None) -> bool:
    return (one.new if event.operation == ADDED else one.old).fits(value, sid)


def _in_place(one: Expectation, event: SeenEvent) -> bool:
    assert event.at is not None
    elsewhere = one.by == "operator" and short(one.computer) != short(event.computer)
    return one.frame.holds(event.at, elsewhere=elsewhere)


def _same_number(wanted: Wanted, shown: str) -> bool:
    return _number(wanted.exact) == _number(shown)


def _number(text: str | None) -> int | None:
    try:
        return int(text, 0) if text else None
    except ValueError:
        return None
