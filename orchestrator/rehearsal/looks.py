"""Looking at the far side: what every copy shows of a pair, who may use the dMSA, the switches, and the original.

Where the far side says what has changed, a look costs that; where it does not, everything is looked at as soon as
anything is not as it was.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

from orchestrator.model.lifecycle import Phase
from orchestrator.model.plan import Migration, Plan
from orchestrator.rehearsal.course import LEAVES, Course
from orchestrator.rehearsal.far_side import FarSide
from orchestrator.rehearsal.judgements import Violation


class Looks:
    """Takes into the courses what the far side shows; ``excused`` are accounts and migrations that others touched."""

    def __init__(self, plan: Plan, far: FarSide, courses: Mapping[str, Course], excused: AbstractSet[str]) -> None:
        self._plan, self._far, self._courses, self._excused = plan, far, courses, excused
        self._stamp: Hashable = None
        self._told: set[str] = set()
        self._last: datetime | None = None
        """When was looked last, where the far side says what has changed: what is another way now became so since."""

    def fork(self, far: FarSide, courses: Mapping[str, Course], excused: AbstractSet[str]) -> Looks:
        """Return the same for another far side and other courses, to go on by itself."""
        other = Looks(self._plan, far, courses, excused)
        other._stamp, other._told, other._last = self._stamp, set(self._told), self._last
        return other

    def told(self, course: Course) -> None:
        """Look at a course next time, whatever has changed there: what it was told changes what counts."""
        self._told.add(course.id)

    def look(self, anew: Course | None = None) -> list[Violation]:
        """Look where something is not as it was, and at a course that is to be looked at *anew*."""
        found: list[Violation] = []
        changed = self._far.changed()
        for id_ in self._all_if_any(anew) if changed is None else sorted(changed | self._told):
            migration = self._plan.migration(id_)
            self._look_at(migration, self._courses[id_])
            found += self._originals(migration)
        if changed is not None:
            self._last = self._far.now
        self._told.clear()
        return found

    def _all_if_any(self, anew: Course | None) -> Iterable[str]:
        stamp = self._far.stamp()
        if stamp == self._stamp and anew is None:
            return ()
        self._stamp = stamp
        return self._courses

    def _originals(self, migration: Migration) -> Iterable[Violation]:
        if self._excused & {migration.account, migration.id}:
            return ()
        return [
            Violation("original-safe", migration.account, f"it is not on {controller}")
            for controller in self._far.controllers
            if not self._far.has_account(migration.id, controller)
        ]

    def _look_at(self, migration: Migration, course: Course) -> None:
        now = self._far.now
        if course.phase is Phase.PLANNED and not course.effects:
            return
        shown = {self._far.pair(course.id, dc) for dc in self._far.controllers}
        course.look_for_convergence(shown == {(1, 1)}, self._last, now)
        course.heard |= {pair for pair in LEAVES.values() if shown == {pair}}
        course.members = self._far.principals(course.id)
        for name in course.members:
            course.member_at.setdefault(name, now)
        for host in migration.hosts:
            if self._far.switch(host.name) == 1:
                course.switch_at.setdefault(host.name, now)
            else:
                course.switch_at.pop(host.name, None)
