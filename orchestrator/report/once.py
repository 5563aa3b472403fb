"""What is the same for many is written once on a page, with a number, and referred to."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Once(Generic[T]):
    """Things by number: those that more than one has."""

    def __init__(self, uses: Iterable[tuple[T, Hashable]]) -> None:
        """Take in what there is, and who has it."""
        found: dict[T, set[Hashable]] = {}
        for thing, who in uses:
            found.setdefault(thing, set()).add(who)
        self.all = [(thing, len(by)) for thing, by in found.items() if len(by) > 1]
        """Each of them, and how many have it; its place is its number."""
        self._number = {thing: number for number, (thing, _) in enumerate(self.all)}

    def number(self, thing: T) -> int | None:
        """Return the number of a thing; None for what only one has, and what stands where it belongs."""
        return self._number.get(thing)
