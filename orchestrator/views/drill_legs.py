"""What became of each migration in a drill, leg by leg; a fold of the events between its first row and its last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.model.before import Compared, Difference, SnapshotTaken
from orchestrator.model.drilled import DrillBegan, DrillTurned, SteadyStateSeen, Turned
from orchestrator.model.event import DIRECTORY, Event, Moved, SubjectDone, WayBackAsked
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.run import RunState
from orchestrator.views.status import iso


def seconds_between(one: datetime | None, other: datetime | None) -> int | None:
    """Return the whole seconds between two times; None where one of them is not known."""
    return None if one is None or other is None else round((other - one).total_seconds())


@dataclass
class _Migration:
    dmsa: str
    account: str
    attempt: int = 1
    phase: Phase = Phase.PLANNED
    since: datetime | None = None
    asked_at: datetime | None = None
    back_at: datetime | None = None
    turned: Turned | None = None
    held: str | None = None
    legs: list[dict[str, Any]] = field(default_factory=list)
    hosts: dict[str, datetime | None] = field(default_factory=dict)
    snapshot: str | None = None
    compared: Compared | None = None
    steady: dict[str, SteadyStateSeen] = field(default_factory=dict)


class Legs:
    """All migrations of one drill."""

    def __init__(self, drill: DrillBegan, at: datetime | None, accounts: Mapping[str, str], state: RunState) -> None:
        self._of = {
            id_: _Migration(id_, accounts[id_], attempt=state[id_].attempt, phase=state[id_].phase, since=at)
            for id_ in drill.migrations
        }
        for id_, one in self._of.items():
            taken = state[id_].snapshot
            if one.phase is Phase.PLANNED and taken is not None:
                self._snapshot(one, taken)
        self.turned_at: datetime | None = None

    @property
    def back_at(self) -> datetime | None:
        """When the last of them was back; None where one is not, or none had to go back."""
        went = [one for one in self._of.values() if one.asked_at is not None and one.legs]
        times = [one.back_at for one in went if one.back_at is not None]
        return max(times) if times and len(times) == len(went) else None

    def take_in(self, event: Event, at: datetime | None, state: RunState) -> None:
        """Follow one event; *state* is that of the run with it."""
        if isinstance(event, DrillTurned):
            self.turned_at = at
            for id_, turned in event.reached.items():
                self._of[id_].turned = turned
            return
        one = self._of.get(getattr(event, "migration", ""))
        if one is not None:
            self._follow(one, event, at, state)

    def _follow(self, one: _Migration, event: Event, at: datetime | None, state: RunState) -> None:
        held = state[one.dmsa].held
        one.attempt, one.held = state[one.dmsa].attempt, f"held ({held.reason}): {held.detail}" if held else None
        match event:
            case SteadyStateSeen():
                one.steady[event.when] = event
            case SnapshotTaken():
                self._snapshot(one, event)
            case WayBackAsked():
                one.asked_at = one.since = at
            case Compared():
                one.compared = event
            case SubjectDone() if _host_is_back(one, event):
                one.hosts[event.subject] = at
            case Moved():
                _moved(one, event, at)

    def migrations(self) -> list[dict[str, Any]]:
        """Return what a certificate says of each."""
        return [_document(one) for one in self._of.values()]

    @staticmethod
    def _snapshot(one: _Migration, taken: SnapshotTaken) -> None:
        one.snapshot, one.compared = taken.sha256, None
        one.hosts = dict.fromkeys(taken.hosts)


def _host_is_back(one: _Migration, event: SubjectDone) -> bool:
    last_step = event.step is Trigger.RESTART and one.phase is Phase.RESTORED
    return last_step and event.subject != DIRECTORY


def _moved(one: _Migration, event: Moved, at: datetime | None) -> None:
    one.legs.append(
        {
            "way": "back" if one.asked_at is not None else "forward",
            "from": event.source.value,
            "to": event.dest.value,
            "began": iso(one.since),
            "ended": iso(at),
            "seconds": seconds_between(one.since, at),
        }
    )
    one.phase, one.since = event.dest, at
    if event.dest is Phase.ROLLED_BACK:
        one.back_at = at


def _verdict(one: _Migration) -> str:
    after = one.steady.get("after")
    well = after is not None and not after.troubles
    failed = one.compared is not None and any(found.verdict == "failed" for found in one.compared.differences)
    if not well or failed or one.phase not in {Phase.PLANNED, Phase.ROLLED_BACK}:
        return "not-restored"
    return "cut-short" if one.turned is None or one.turned.why else "restored"


def _document(one: _Migration) -> dict[str, Any]:
    return {
        "account": one.account,
        "dmsa": one.dmsa,
        "attempt": one.attempt,
        "verdict": _verdict(one),
        "reached": one.turned.phase.value if one.turned else None,
        "why": (one.turned.why or None) if one.turned else None,
        "ended": one.phase.value,
        "held": one.held,
        "steady": {when: _steady(one.steady.get(when)) for when in ("before", "after")},
        "snapshot": _snapshots(one),
        "legs": one.legs,
        "hosts": [{"name": name, "seconds": seconds_between(one.asked_at, at)} for name, at in one.hosts.items()],
        "seconds": seconds_between(one.asked_at, one.back_at),
    }


def _steady(seen: SteadyStateSeen | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {"account": seen.account, "workloads": seen.workloads, "troubles": list(seen.troubles)}


def _snapshots(one: _Migration) -> dict[str, Any]:
    """Return the hashes before and now, and what differs; nothing was compared where nothing had been linked."""
    found = one.compared
    differences = found.differences if found else ()
    return {
        "before": found.snapshot if found else one.snapshot,
        "now": found.now if found else None,
        "equal": found.equal if found else None,
        "differences": {
            verdict: [_difference(each) for each in differences if each.verdict == verdict]
            for verdict in ("failed", "foreign", "declared")
        },
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "object": one.object,
        "name": one.name,
        "before": one.before,
        "now": one.now,
        "why": one.why,
        "by_hand": one.by_hand,
    }
