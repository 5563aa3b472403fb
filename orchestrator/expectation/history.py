"""The journal's attempts: each write that was sent, and in which span of time it can have taken effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from orchestrator.model.event import (
    DIRECTORY,
    AttemptFinished,
    AttemptSettled,
    AttemptStarted,
    Event,
    Moved,
    SubjectDone,
)
from orchestrator.model.lifecycle import Pair, Phase, Trigger
from orchestrator.model.observation import Outcome

Told: TypeAlias = tuple[Event, datetime | None]
"""An event of the journal, with estate time."""

SKEW = timedelta(minutes=5)
"""By how much the clocks of domain controllers, hosts and the journal may differ: what Kerberos and the guard
``clock-agrees`` allow.
"""


@dataclass(frozen=True)
class Attempt:
    """One write. ``ended``: when it finished, or was settled; None: nobody knows yet.

    ``converged``: when every domain controller was seen to show it. ``landed``: True where the journal says that it
    took effect, None where that is open, False where the far side said that it failed.
    """

    migration: str
    step: Trigger
    subject: str
    endpoint: str
    cmdlet: str
    parameters: Mapping[str, Any]
    pair: Pair | None
    began: datetime | None
    ended: datetime | None = None
    converged: datetime | None = None
    landed: bool | None = None

    def covers(self, at: datetime, *, elsewhere: bool = False) -> bool:
        """Whether the write can have taken effect at that time; *elsewhere*: have reached another domain controller."""
        until = (self.converged or self.ended) if elsewhere else self.ended
        begun = self.began is not None and at >= self.began - SKEW
        return begun and (until is None or at <= until + SKEW)


@dataclass
class History:
    """All attempts of a run in their order, and the spans in which each migration's hosts may register."""

    attempts: list[Attempt] = field(default_factory=list)
    registering: dict[str, list[tuple[datetime, datetime | None]]] = field(default_factory=dict)
    """From Start until Complete, or until unlinked."""
    guids: dict[str, str] = field(default_factory=dict)
    """The objectGUIDs of dMSAs, by migration."""

    _places: dict[str, list[int]] = field(default_factory=dict, repr=False, compare=False)
    _placed: int = field(default=0, repr=False, compare=False)

    def of(self, id_: str) -> Iterator[Attempt]:
        """Yield a migration's attempts."""
        for place in range(self._placed, len(self.attempts)):
            self._places.setdefault(self.attempts[place].migration, []).append(place)
        self._placed = len(self.attempts)
        return (self.attempts[place] for place in self._places.get(id_, ()))


def history(told: Iterable[Told]) -> History:
    """Return what the journal tells of writes."""
    return _Reading().read(told)


class _Reading:
    def __init__(self) -> None:
        self._found = History()
        self._open: dict[tuple[str, str], int] = {}
        self._unconverged: dict[str, list[int]] = {}
        self._pair: dict[str, Pair] = {}
        self._at: datetime | None = None

    def read(self, told: Iterable[Told]) -> History:
        for event, at in told:
            self._at = at or self._at
            match event:
                case AttemptStarted():
                    self._started(event)
                case AttemptFinished():
                    self._finished(event)
                case AttemptSettled():
                    self._ended(event.migration, event.subject, None)
                case SubjectDone() if event.subject == DIRECTORY:
                    self._done(event)
                case Moved():
                    self._moved(event)
        return self._found

    def _started(self, event: AttemptStarted) -> None:
        one = Attempt(
            event.migration,
            event.step,
            event.subject,
            event.endpoint,
            event.cmdlet,
            event.parameters,
            self._pair_before(event),
            self._at,
        )
        number = len(self._found.attempts)
        self._found.attempts.append(one)
        self._open[event.migration, event.subject] = number
        if event.subject == DIRECTORY:
            self._unconverged.setdefault(event.migration, []).append(number)
        if event.cmdlet == "Start-ADServiceAccountMigration" and self._at:
            self._registering(event.migration)

    def _pair_before(self, event: AttemptStarted) -> Pair | None:
        """Return what was linked: for an Undo what it is to reach says that, whatever was read before."""
        if event.cmdlet.startswith("Undo-") and event.wish is not None:
            return Pair.COMPLETED if event.wish is Pair.STARTED else Pair.STARTED
        return self._pair.get(event.migration)

    def _registering(self, id_: str) -> None:
        spans = self._found.registering.setdefault(id_, [])
        if self._at and (not spans or spans[-1][1] is not None):
            spans.append((self._at, None))

    def _finished(self, event: AttemptFinished) -> None:
        if event.outcome is not Outcome.UNKNOWN:
            self._ended(event.migration, event.subject, event.outcome is Outcome.SUCCEEDED)

    def _ended(self, id_: str, subject: str, landed: bool | None) -> None:
        number = self._open.pop((id_, subject), None)
        if number is None:
            return
        one = replace(self._found.attempts[number], ended=self._at, landed=landed)
        self._found.attempts[number] = one

    def _done(self, event: SubjectDone) -> None:
        if event.pair is not None:
            self._pair[event.migration] = event.pair
        if isinstance(event.evidence.get("dmsa_guid"), str):
            self._found.guids[event.migration] = event.evidence["dmsa_guid"]

    def _moved(self, event: Moved) -> None:
        if event.pair is not None:
            self._pair[event.migration] = event.pair
        if event.dmsa_guid is not None:
            self._found.guids[event.migration] = str(event.dmsa_guid)
        if event.dest is Phase.STARTED:
            return  # read back on the pinned domain controller alone
        for number in self._unconverged.pop(event.migration, ()):
            self._found.attempts[number] = replace(self._found.attempts[number], converged=self._at)
        spans = self._found.registering.get(event.migration, [])
        if event.dest in {Phase.SWITCHED, Phase.UNLINKED, Phase.ROLLED_BACK} and spans and spans[-1][1] is None:
            spans[-1] = (spans[-1][0], self._at)
        if event.dest in {Phase.REOPENED, Phase.STARTED, Phase.LINKED} and event.pair is Pair.STARTED:
            self._registering(event.migration)
