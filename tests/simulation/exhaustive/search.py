"""The search: every state that can be reached, each once, breadth first, and what the graph of them says."""

from __future__ import annotations

import gc
import time
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.exhaustive.form import form_of
from tests.simulation.exhaustive.happenings import After, Fault, after, beginning
from tests.simulation.exhaustive.laws import Broken
from tests.simulation.exhaustive.world import Size, World


@dataclass
class Violation:
    """A state that must not be, and the shortest way to it."""

    what: str
    path: list[str]

    def __str__(self) -> str:
        """Return what is wrong, and the events that lead there, one a line."""
        steps = "\n".join(f"  {number:3}. {step}" for number, step in enumerate(self.path, 1))
        return f"{self.what}\nafter\n{steps}"


@dataclass
class Found:
    """What a search found.

    ``ends``: how histories end in which nothing moves any more, and in how many states. ``faults``: what went wrong, on
    how many transitions.
    """

    states: int = 0
    transitions: int = 0
    depth: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    faults: Counter[Fault] = field(default_factory=Counter)
    seconds: float = 0.0
    ended: bool = False
    violations: list[Violation] = field(default_factory=list)


class Search:
    """One search through one small world."""

    def __init__(self, size: Size, told: Callable[[str], object] = lambda _line: None) -> None:
        self._size, self._told = size, told
        self._known: dict[bytes, int] = {}
        self._parents, self._depths = array("l"), array("l")
        self._labels: list[str] = []
        self._free_from, self._free_to = array("l"), array("l")
        self._good = set[int]()
        self._waiting = deque[tuple[int, World]]()
        self.found = Found()

    def run(self, most: int | None = None) -> Found:
        """Visit everything; stop at the first violation, or after *most* states."""
        began = time.process_time()
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            self._visit(most)
        finally:
            gc.enable()
            gc.unfreeze()
        self.found.states = len(self._known)
        if self.found.ended:
            self._no_dead_end()
        self.found.seconds = time.process_time() - began
        return self.found

    def _visit(self, most: int | None) -> None:
        for one in beginning(World.first(self._size)):
            self._take(-1, one)
        while self._waiting and (most is None or len(self._known) < most):
            index, world = self._waiting.popleft()
            try:
                self._expand(index, world)
            except Broken as broken:
                self.found.violations.append(Violation(broken.what, [*self._path(index), *broken.steps]))
                return
            if index % 1000 == 999:
                gc.collect()
                self._told(f"{index + 1} visited, {len(self._known)} known, depth {self._depths[index]}")
        self.found.ended = not self._waiting

    def _expand(self, index: int, world: World) -> None:
        for one in after(world):
            self._take(index, one)
        if not world.dead and not world.pool.waiting and world.due() is None:
            quiet = not world.late and not any(world.estate.directory.outbox.values())
            self.found.ends[world.law.ended(world.state, quiet)] += 1
            self._good.add(index)

    def _take(self, parent: int, one: After) -> None:
        self.found.transitions += 1
        if one.fault is not None:
            self.found.faults[one.fault] += 1
        form = form_of(one.world)
        index = self._known.get(form)
        if index is None:
            index = self._known[form] = len(self._known)
            self._parents.append(parent)
            self._labels.append(one.what)
            self._depths.append(self._depths[parent] + 1 if parent >= 0 else 0)
            self.found.depth = max(self.found.depth, self._depths[index])
            self._waiting.append((index, one.world))
        if one.free and parent >= 0:
            self._free_from.append(parent)
            self._free_to.append(index)

    def _path(self, index: int) -> list[str]:
        path = []
        while index >= 0:
            path.append(self._labels[index])
            index = self._parents[index]
        return path[::-1]

    def _no_dead_end(self) -> None:
        """From every state some way on without further faults or words leads to an end."""
        before = defaultdict[int, list[int]](list)
        for source, target in zip(self._free_from, self._free_to, strict=True):
            before[target].append(source)
        reached, waiting = set(self._good), list(self._good)
        while waiting:
            for source in before.get(waiting.pop(), ()):
                if source not in reached:
                    reached.add(source)
                    waiting.append(source)
        lost = next((index for index in range(len(self._known)) if index not in reached), None)
        if lost is not None:
            self.found.violations.append(Violation("from here nothing leads to an end", self._path(lost)))
