"""What a runner that stays waits for, in a line: how many for what and until when, and how many stand for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from orchestrator.engine.outcome import at_its_end, waiting_of
from orchestrator.engine.waves import admissible
from orchestrator.model.lifecycle import Phase
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.views.status import iso

ALIVE_EVERY = timedelta(days=1)
"""How often it is said although nothing has changed."""


class Resting:
    """Says it when it changes, and else once a day: that nothing was said for long might mean that nobody is there."""

    def __init__(self, plan: Plan, chosen: Collection[str], until: Phase | None = None) -> None:
        self._plan, self._chosen, self._until = plan, chosen, until
        self._said, self._said_at = "", None  # type: tuple[str, datetime | None]

    def line(self, run: RunState, at: datetime | None, due: datetime | None, unread: str | None) -> str | None:
        """Return the line if it is worth saying now.

        Args:
            run: where everything stands.
            at: estate time.
            due: when something will be looked at next.
            unread: why estate time cannot be read.
        """
        said = "; ".join(self._parts(run, at, unread))
        if said == self._said and not self._long_ago(at):
            return None
        self._said, self._said_at = said, at
        return f"at rest: {said}" + (f" (looks again {iso(due)})" if due else "")

    def _long_ago(self, at: datetime | None) -> bool:
        return at is not None and (self._said_at is None or at - self._said_at >= ALIVE_EVERY)

    def _parts(self, run: RunState, at: datetime | None, unread: str | None) -> Iterator[str]:
        if unread is not None:
            yield f"NO ESTATE TIME: {unread}"
        answers = admissible(run, self._plan, at, self._chosen)
        held: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        waits: dict[str, list[datetime | None]] = {}
        ended = 0
        for id_ in self._chosen:
            state = run[id_]
            waiting = waiting_of(state, answers[id_])
            if at_its_end(state, self._until):
                ended += 1
            elif state.held is not None:
                (failed if state.failure == "failed" else held)[state.held.reason] += 1
            elif waiting is not None:
                waits.setdefault(waiting.waiting_for, []).append(waiting.until)
        for what, untils in sorted(waits.items()):
            known = [one for one in untils if one is not None]
            yield f"{len(untils)} waits for {what}" + (f" until {iso(min(known))}" if known else "")
        for word, found in (("FAILED", failed), ("HELD for a person", held)):
            if found:
                yield f"{found.total()} {word} ({', '.join(f'{n} {why}' for why, n in sorted(found.items()))})"
        yield f"{ended} of {len(self._chosen)} at an end"
