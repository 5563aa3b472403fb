"""What is the same for many is written once on a page, with a number, and referred to."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import cached_property
from hashlib import blake2b
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Once(Generic[T]):
    """Things by number: those that more than one has. Of what only one has, a digest is kept and nothing else."""

    def __init__(self, uses: Iterable[tuple[T, int]] = ()) -> None:
        """Take in what there is, and who has it."""
        self._first: dict[bytes, int] = {}
        """Who has each thing, in the order in which they came."""
        self._several: dict[T, _Several] = {}
        for thing, who in uses:
            self.take_in(thing, who)

    def take_in(self, thing: T, who: int) -> None:
        """Take in that somebody has a thing: all of his before anything of another's, and before anything is asked."""
        known = self._several.get(thing)
        if known is None:
            digest = _digest(thing)
            first = self._first.setdefault(digest, who)
            if first == who:
                return
            known = self._several[thing] = _Several(digest, first)
        if known.last != who:
            known.count, known.last = known.count + 1, who

    @cached_property
    def all(self) -> list[tuple[T, int]]:
        """Each of them, and how many have it, in the order in which they came; its place is its number."""
        of = {known.digest: (thing, known.count) for thing, known in self._several.items()}
        return [of[digest] for digest in self._first if digest in of]

    @cached_property
    def _number(self) -> dict[T, int]:
        return {thing: number for number, (thing, _) in enumerate(self.all)}

    def number(self, thing: T) -> int | None:
        """Return the number of a thing; None for what only one has, and what stands where it belongs."""
        return self._number.get(thing)


class _Several:
    """A thing that several have: how many by now, and who was last."""

    __slots__ = ("count", "digest", "last")

    def __init__(self, digest: bytes, first: int) -> None:
        self.digest, self.count, self.last = digest, 1, first


def _digest(thing: Hashable) -> bytes:
    return blake2b(repr(thing).encode("utf-8"), digest_size=16).digest()
