"""What rings: tells whoever serves a site that something is to be done there. It decides nothing.

A ring is three words, ``(site, migration, step)``, and carries no work. Whoever hears it asks the journal's board
(:mod:`orchestrator.journal.jobs`) what there is to do, and must win a claim there before he does it, and once more to
hand in what came of it. So a ring may be lost, late or doubled: a lost one is rung again, a late or doubled one finds
nothing left. Timers, retries and approvals are the journal's; an engine has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from orchestrator.errors import Exit, OrchestratorError

Handle: TypeAlias = Callable[[str, str, str], None]
"""Hears a ring: site, migration, step. It may take as long as the work does, and raises nothing."""


class EngineUnreachable(OrchestratorError):
    """What rings cannot be asked now. No work is lost by it: what is to be done is in the journal."""

    exit_code: ClassVar[Exit] = Exit.HELD


@dataclass(frozen=True)
class SiteHealth:
    """What an engine knows of a site: how many rings nobody has heard yet, how many there are who listen."""

    waiting: int
    listening: int


class Engine(Protocol):
    """Everything that an engine has to do. ``ring`` and ``health`` may be called from any thread."""

    def ring(self, site: str, migration: str, step: str) -> None:
        """Tell one of those who serve a site; at least once, best effort.

        It does not raise where the ring cannot be delivered now: who rings, rings again.
        """

    def run(self, sites: Sequence[str], slots: int, handle: Handle, until: Callable[[], bool]) -> None:
        """Serve sites: hand each ring to *handle*, at most *slots* at the same time, each on a thread of its own.

        Blocks until *until* says so, hears nothing new then, lets what is being handled end, and returns. An engine
        that cannot be reached meanwhile is tried again.
        """

    def health(self, sites: Sequence[str]) -> Mapping[str, SiteHealth]:
        """Return what is known of sites; those of which nothing is known are left out.

        Raises:
            EngineUnreachable: it cannot be asked now.
        """
