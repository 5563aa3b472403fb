"""Errands: what may take its time, and nobody waits for. Beside the pool of calls, the only place with threads.

Each errand has a daemon thread of its own that ends with it, so that one that hangs keeps neither another nor the
program from ending. Its methods are for one thread.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Errands(Generic[Result]):
    """Runs errands by name, one of each name at a time."""

    def __init__(self) -> None:
        self._under_way: set[str] = set()
        self._ended: queue.SimpleQueue[tuple[str, Result | Exception]] = queue.SimpleQueue()

    def under_way(self, name: str) -> bool:
        """Whether an errand of that name was begun, and its end not handed out yet."""
        return name in self._under_way

    def begin(self, name: str, work: Callable[[], Result]) -> None:
        """Begin an errand.

        Raises:
            ValueError: one of that name is under way.
        """
        if name in self._under_way:
            raise ValueError(f"an errand {name} is under way")
        self._under_way.add(name)
        threading.Thread(target=self._run, args=(name, work), name=f"errand-{name}", daemon=True).start()

    def ended(self, timeout: float = 0.0) -> Iterator[tuple[str, Result | Exception]]:
        """Yield what has ended, waiting so many seconds for the first; an exception for a result is a defect."""
        while self._under_way:
            try:
                name, result = self._ended.get(timeout=timeout) if timeout else self._ended.get_nowait()
            except queue.Empty:
                return
            timeout = 0.0
            self._under_way.discard(name)
            yield name, result

    @property
    def any_ended(self) -> bool:
        """Whether something has ended that was not handed out yet."""
        return not self._ended.empty()

    def _run(self, name: str, work: Callable[[], Result]) -> None:
        try:
            result: Result | Exception = work()
        except Exception as error:  # noqa: BLE001 - handed to whoever can act on it
            result = error
        self._ended.put((name, result))
