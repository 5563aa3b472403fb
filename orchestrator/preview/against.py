"""A prediction held against what the journal says was done since: each write, each value, each restart.

Only what the journal holds counts: which writes were sent, what was read back, the snapshot before the first write, and
the one right before Complete. A value that none of these tells is said to be told by nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.model.event import AttemptStarted, Event
from orchestrator.model.event import Held as HeldEvent
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.preview.history import Done, History, short, split
from orchestrator.preview.prediction import Change, Prediction, Restart, Sent
from orchestrator.preview.witnesses import (
    MEMBERSHIP,
    NOT_TOLD,
    after,
    before,
    restarted,
    same,
    values_first,
    values_last,
)


class Verdict(StrEnum):
    """What became of something predicted."""

    AS_PREDICTED = "as-predicted"
    NOT_YET = "not-yet"
    NOT_TOLD = "not-told"
    """Its write was sent, and nothing in the journal tells the value."""
    OTHERWISE = "otherwise"
    UNFORESEEN = "unforeseen"
    TAKEN_BACK = "taken-back"
    """It was not done, because the migration went back first."""


@dataclass(frozen=True)
class Held:
    """One thing predicted, or done, and how the two agree."""

    migration: str
    step: str
    what: str
    verdict: Verdict
    why: str = ""


def held_against(prediction: Prediction, told: Iterable[tuple[int, Event]]) -> tuple[Held, ...]:
    """Return everything that was predicted or done, with its verdict.

    Args:
        prediction: as it was kept.
        told: the run's events with their rows; those up to the prediction tell how things were before.
    """
    known = list(told)
    return tuple(found for id_ in prediction.phases for found in _of(id_, prediction, known))


def _of(id_: str, prediction: Prediction, told: Sequence[tuple[int, Event]]) -> Iterator[Held]:
    forward, back = split(id_, told, prediction.head)
    went = back is not None
    shared = _Shared.of(id_, prediction, told)
    yield from _compared(id_, prediction.of(id_), forward, shared, went_back=went)
    yield from _holds(id_, prediction, forward)
    if back is None:
        return
    ways = prediction.ways_back.get(id_, ())
    way = next((one for one in ways if one.phase is LIKE.get(forward.phase, forward.phase)), None)
    if way is None or forward.left_open:
        why = f"it went back in the middle of {forward.phase}, and only ways back from a phase are predicted"
        writes = (done for done in back.done if done.matters)
        yield from (Held(id_, done.started.step, _written(done.started), Verdict.NOT_TOLD, why) for done in writes)
        return
    yield from _compared(id_, way.sends, back, shared, went_back=False)


LIKE = {Phase.LINKED: Phase.STARTED, Phase.SOAKED: Phase.RESTARTED, Phase.SWITCHED: Phase.COMPLETED}
"""From which other phase a way back has the same to undo: between the two nothing is written that it would."""

_OfHost = tuple[str, str]
"""A host, and a cmdlet that was or will be sent there."""


@dataclass(frozen=True)
class _Shared:
    """What other migrations were predicted to write to hosts, and wrote: of several on one host, the first does it."""

    predicted: frozenset[_OfHost]
    done: frozenset[_OfHost]

    @classmethod
    def of(cls, id_: str, prediction: Prediction, told: Sequence[tuple[int, Event]]) -> _Shared:
        """Return what there is beside one migration."""
        starts = (event for row, event in told if row > prediction.head and isinstance(event, AttemptStarted))
        ways = (sent for each in prediction.ways_back.values() for way in each for sent in way.sends)
        sends = [one for one in (*prediction.sends, *ways) if one.migration != id_ and one.step in _OF_HOST]
        return cls(
            frozenset((one.subject.lower(), one.cmdlet) for one in sends),
            frozenset(
                (one.subject.lower(), one.cmdlet) for one in starts if one.migration != id_ and one.step in _OF_HOST
            ),
        )

    def why_not_done(self, sent: Sent, *, ended: bool) -> str:
        """Return why a write was rightly left out though it was predicted; empty if nothing here says so."""
        host = sent.subject.lower()
        if sent.step in _OF_HOST and (host, sent.cmdlet) in self.done:
            return "another migration on that host sent it"
        if ended and sent.step in RESTARTS and (host, _REBOOT) in self.done:
            return "another migration rebooted that host meanwhile"
        return ""

    def why_not_predicted(self, started: AttemptStarted) -> str:
        """Return why a write was rightly sent though it was not predicted; empty if nothing here says so."""
        host = started.subject.lower()
        if started.step in _OF_HOST and (host, started.cmdlet) in self.predicted:
            return "predicted of another on that host"
        if started.step in RESTARTS and (host, _REBOOT) in self.predicted:
            return "the reboot for another migration came at another time"
        return ""


_OF_HOST = frozenset({Trigger.REGISTRY, Trigger.RESTORE})
RESTARTS = frozenset({Trigger.RESTART, Trigger.CONFIRM})
"""Steps that restart what was not restarted since they began: a reboot for another migration may have done it."""
_REBOOT = "Restart-Computer"


def _compared(id_: str, sends: Sequence[Sent], history: History, shared: _Shared, *, went_back: bool) -> Iterator[Held]:
    left = list(history.done)
    last, first = values_last(sends), values_first(sends)
    for sent in sends:
        if not sent.cmdlet:
            yield from _by_itself(id_, sent, history, went_back=went_back)
            continue
        write = f"{sent.subject}: {sent.cmdlet}"
        done = _match(sent, left)
        if done is None:
            ended = (sent.step, sent.subject) in history.ended
            why, verdict = shared.why_not_done(sent, ended=ended), Verdict.AS_PREDICTED
            if not why:
                verdict = Verdict.OTHERWISE if ended else Verdict.TAKEN_BACK if went_back else Verdict.NOT_YET
                why = "the step ended without it" if ended else ""
            yield Held(id_, sent.step, write, verdict, why)
            continue
        left.remove(done)
        left = [one for one in left if one.matters or one.started.cmdlet != sent.cmdlet]
        differs = _differing(sent.parameters, done.started.parameters)
        yield Held(id_, sent.step, write, Verdict.OTHERWISE if differs else Verdict.AS_PREDICTED, differs)
        for change in sent.changes:
            key = (change.object, change.name)
            ends = first[key] is change, last.get(key) is change
            yield _value(id_, sent, change, history, ends)
        for again in sent.restarts:
            yield _restart(id_, sent, again, history)
    yield from (_unforeseen(id_, one.started, shared) for one in left if one.matters)
    yield from _strangers(id_, sends, history)


def _unforeseen(id_: str, started: AttemptStarted, shared: _Shared) -> Held:
    why = shared.why_not_predicted(started)
    verdict = Verdict.AS_PREDICTED if why else Verdict.UNFORESEEN
    return Held(id_, started.step, _written(started), verdict, why or "no write like it was predicted")


def _match(sent: Sent, left: Sequence[Done]) -> Done | None:
    """Return the write of the journal that is this one; one that succeeded before one that did not."""
    alike = [
        done
        for done in left
        if (done.started.step, done.started.subject, done.started.cmdlet) == (sent.step, sent.subject, sent.cmdlet)
    ]
    exact = [done for done in alike if not _differing(sent.parameters, done.started.parameters)]
    return min(exact or alike, key=lambda done: not done.succeeded, default=None)


def _differing(predicted: Mapping[str, Any], sent: Mapping[str, Any]) -> str:
    names = sorted(name for name in {*predicted, *sent} if not _alike(predicted.get(name), sent.get(name)))
    told = (f"{name} was {sent.get(name)!r}, not {predicted.get(name)!r}" for name in names)
    return "; ".join(told)


def _alike(predicted: Any, sent: Any) -> bool:
    """Whether a parameter is as predicted; the objectGUID of what was yet to be created is whatever it became."""
    if isinstance(predicted, str) and predicted.startswith("<objectGUID of ") and isinstance(sent, str):
        return _GUID.fullmatch(sent) is not None
    return same(predicted, sent)


_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _written(started: AttemptStarted) -> str:
    return f"{started.subject}: {started.cmdlet}"


def _value(id_: str, sent: Sent, change: Change, history: History, ends: tuple[bool, bool]) -> Held:
    what = f"{change.object} {change.name}"
    is_first, is_last = ends
    was, is_ = before(change, history, is_first=is_first), after(sent, change, history, is_last=is_last)
    told = [
        f"it {verb} {value!r}, not {wanted!r}"
        for verb, value, wanted in (("was", was, change.before), ("is", is_, change.after))
        if value is not NOT_TOLD and not same(value, wanted)
    ]
    if told:
        return Held(id_, sent.step, what, Verdict.OTHERWISE, "; ".join(told))
    verdict = Verdict.NOT_TOLD if is_ is NOT_TOLD else Verdict.AS_PREDICTED
    return Held(id_, sent.step, what, verdict, "" if verdict is Verdict.AS_PREDICTED else "its write was sent")


def _restart(id_: str, sent: Sent, one: Restart, history: History) -> Held:
    what = f"host {one.host} {one.kind} {one.name} restarts"
    state = restarted(sent, one, history)
    if state is NOT_TOLD:
        return Held(id_, sent.step, what, Verdict.NOT_TOLD, "its write was sent")
    fine = state is True or state in {"running", "idle"}
    return Held(
        id_, sent.step, what, Verdict.AS_PREDICTED if fine else Verdict.OTHERWISE, "" if fine else f"it is {state}"
    )


def _by_itself(id_: str, sent: Sent, history: History, *, went_back: bool) -> Iterator[Held]:
    left = Verdict.TAKEN_BACK if went_back else Verdict.NOT_YET
    for change in sent.changes:
        what = f"{change.object} {change.name}"
        if change.name != MEMBERSHIP or not change.after:
            ended = (sent.step, sent.subject) in history.ended
            yield Held(id_, sent.step, what, Verdict.NOT_TOLD if ended else left, "it happens by itself")
            continue
        for name in change.after:
            seen = short(name) in map(short, history.principals)
            yield Held(id_, sent.step, f"{what}: {name} adds itself", Verdict.AS_PREDICTED if seen else left)


def _strangers(id_: str, sends: Sequence[Sent], history: History) -> Iterator[Held]:
    """Yield who was seen among the principals and was neither predicted nor there before."""
    expected = {
        short(name)
        for sent in sends
        for change in sent.changes
        if change.name == MEMBERSHIP and isinstance(change.after, list | tuple)
        for name in change.after
    }
    for name in sorted(history.principals):
        if short(name) not in expected | history.principals_before:
            yield Held(id_, "", f"dmsa {MEMBERSHIP}: {name}", Verdict.UNFORESEEN, "it was not predicted to be there")


def _holds(id_: str, prediction: Prediction, history: History) -> Iterator[Held]:
    ending = prediction.endings.get(id_)
    expected = ending.obstacle.reason if ending and ending.obstacle else None
    for event in history.events:
        if isinstance(event, HeldEvent) and event.reason != expected and event.by is None:
            what = f"held at {history.phase}: {event.reason}"
            yield Held(id_, event.step or "", what, Verdict.UNFORESEEN, event.detail)
