"""Whoever looks after a runner that stays for weeks: told that it is alive, and what it rests for."""

from __future__ import annotations

from datetime import datetime

from orchestrator.model.run import RunState


class Attending:
    """Hears of nothing; what is of use to somebody is overridden."""

    def beats(self) -> None:
        """Hear that the loop has come round: several times a second, unless something keeps it."""

    def rests(self, run: RunState, at: datetime | None, due: datetime | None, unread: str | None) -> None:
        """Hear that nothing can be done now.

        Args:
            run: where everything stands; not to be kept.
            at: estate time, None if nobody knows it.
            due: when there will be something to do, None if that has no time.
            unread: why estate time cannot be read now; None if it could be.
        """
