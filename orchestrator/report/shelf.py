"""What a report is made of, put aside until it is asked for: so one of any size is made in little memory."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from typing import Any, Protocol


class Shelf(Protocol):
    """Where pieces are put aside. Nobody but this process looks at them, and only as long as it lasts."""

    def put(self, piece: bytes) -> int:
        """Put a piece aside, and return its place."""
        ...

    def get(self, place: int) -> bytes:
        """Return the piece at a place, as it was put there; it stays."""
        ...


class InMemory:
    """A shelf for what is small."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def put(self, piece: bytes) -> int:
        """See :meth:`Shelf.put`."""
        self._pieces.append(piece)
        return len(self._pieces) - 1

    def get(self, place: int) -> bytes:
        """See :meth:`Shelf.get`."""
        return self._pieces[place]


def packed(data: Any) -> bytes:
    """Return JSON data as a piece."""
    return json.dumps(data, separators=(",", ":")).encode("ascii")


class Shelved:
    """A list of JSON data, of which nothing is kept: each item is made anew whenever it is asked for."""

    def __init__(self, shelf: Shelf, places: array[int] | None = None) -> None:
        """Begin a list, or take the one that has its items at these places."""
        self.shelf = shelf
        self.places = array("Q") if places is None else places

    def append(self, item: dict[str, Any]) -> None:
        """Put an item at the end."""
        self.places.append(self.shelf.put(packed(item)))

    def __len__(self) -> int:
        """Return how many items there are."""
        return len(self.places)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return an item; what is done to it is done to nothing else."""
        item: dict[str, Any] = json.loads(self.shelf.get(self.places[number]))
        return item

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield every item."""
        return (self[number] for number in range(len(self)))
