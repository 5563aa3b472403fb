"""The rules of a wave, said a second time, by the courses of its migrations alone: budget, needs, places in flight.

A budget that is exceeded is one in spite of which something new was admitted: what was in flight when it was spent may
still fail. How many had failed at most is kept for whoever reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from orchestrator.model.event import Admitted, AttemptStarted
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.plan import Plan, Wave
from orchestrator.rehearsal.course import Course
from orchestrator.rehearsal.judgements import Violation


@dataclass(frozen=True)
class Tally:
    """One wave: its budget as a count, how many of it have failed now, and how many had at most."""

    budget: int
    failed: int = 0
    most: int = 0

    def counted(self, change: int) -> Tally:
        """Return the same after one more has failed, or one fewer."""
        failed = self.failed + change
        return replace(self, failed=failed, most=max(self.most, failed))


class WaveRules:
    """What the waves allow, and what was made of it."""

    def __init__(self, plan: Plan, courses: Mapping[str, Course]) -> None:
        self._plan, self._courses = plan, courses
        self._waves = {wave.name: wave for wave in plan.waves}
        self.tallies = {wave.name: Tally(budget_of(wave)) for wave in plan.waves}

    def fork(self, courses: Mapping[str, Course]) -> WaveRules:
        """Return the same for other courses, to go on by itself."""
        other = WaveRules(self._plan, courses)
        other.tallies = dict(self.tallies)
        return other

    def count(self, course: Course, failed_before: bool) -> None:
        """Take in what an event made of a course."""
        change = course.failed - failed_before
        if change:
            name = self._plan.wave_of(course.id).name
            self.tallies[name] = self.tallies[name].counted(change)

    def begins(self, course: Course, event: AttemptStarted) -> Iterator[Violation]:
        """Judge a write of a migration that goes forward: with the first one of prepare it begins."""
        if course.back or course.begun or event.step is not Trigger.PREPARE:
            return
        wave = self._plan.wave_of(course.id)
        yield from self._spent(wave, course, event.step)
        for name in self._plan.needs_of(wave):
            if not self._met(self._waves[name]):
                yield Violation("needs", course.id, f"begins although wave {wave.name} needs {name}, which is not met")

    def admitted(self, course: Course, event: Admitted) -> Iterator[Violation]:
        """Judge that a migration was given a place."""
        wave = self._plan.wave_of(course.id)
        others = [one.id for one in wave.migrations if one.id != course.id and self._courses[one.id].in_flight]
        if len(others) + 1 > wave.at_once:
            said = f"admitted to {event.step} beside {', '.join(others)}; wave {wave.name} allows {wave.at_once}"
            yield Violation("at-once", course.id, said)
        if event.step in {Trigger.START, Trigger.COMPLETE}:
            yield from self._spent(wave, course, event.step)

    def _spent(self, wave: Wave, course: Course, step: Trigger) -> Iterator[Violation]:
        tally = self.tallies[wave.name]
        if tally.failed > tally.budget:
            said = f"begins {step} although {tally.failed} of wave {wave.name} failed, which allows {tally.budget}"
            yield Violation("failure-budget", course.id, said)

    def _met(self, wave: Wave) -> bool:
        """Whether all of a wave are completed, but for as many as may fail, each of which has failed or was refused."""
        courses = (self._courses[one.id] for one in wave.migrations)
        left = [one for one in courses if one.back or one.phase is not Phase.COMPLETED]
        return len(left) <= budget_of(wave) and all(one.failed or one.refused for one in left)


def budget_of(wave: Wave) -> int:
    """Return how many of a wave may fail: a share of it, rounded down, or a count."""
    allow = wave.failures.allow
    return int(len(wave.migrations) * int(allow.removesuffix("%")) / 100) if isinstance(allow, str) else allow
