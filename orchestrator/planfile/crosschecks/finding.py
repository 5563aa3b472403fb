"""What a cross-check says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from orchestrator.model.plan import Migration, Plan, Wave
from orchestrator.planfile.problem import Loc


@dataclass(frozen=True)
class Finding:
    """Something about a plan that no single value shows.

    ``loc`` is where a person should look; ``subject`` is what was judged (default: the same place), with what
    stands up to ``depth`` levels below. If some of that could not be read, the finding may be wrong and is not
    reported.
    """

    loc: Loc
    message: str
    hint: str = ""
    subject: Loc | None = None
    depth: int = 2
    id: str = ""

    def moved(self, move: Callable[[Loc], Loc]) -> Finding:
        """Return the finding with its locations translated."""
        subject = None if self.subject is None else move(self.subject)
        return replace(self, loc=move(self.loc), subject=subject)


Check: TypeAlias = Callable[[Plan], Iterator[Finding]]


def waves_of(plan: Plan) -> Iterator[tuple[Loc, Wave]]:
    """Yield every wave with its location."""
    for index, wave in enumerate(plan.waves):
        yield ("waves", index), wave


def migrations_of(plan: Plan) -> Iterator[tuple[Loc, Wave, Migration]]:
    """Yield every migration with its location and its wave."""
    for loc, wave in waves_of(plan):
        for index, migration in enumerate(wave.migrations):
            yield (*loc, "migrations", index), wave, migration
