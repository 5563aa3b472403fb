"""One migration's state after what stops it or turns it round: a hold, and the words of people.

See :mod:`orchestrator.model.fold`, whose table these are part of.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from orchestrator.model.event import Held, Released, WayBackAsked
from orchestrator.model.lifecycle import MOVES, IllegalEvent, IllegalMove, Intention, Pair, Phase, Trigger, Way, move
from orchestrator.model.state import Hold, Ledger, Lost, MigrationState, Waiting
from orchestrator.model.state import replaced as replace
from orchestrator.model.words import AdoptAsked, AssertedDone, HostReleased

_BACK = frozenset({Trigger.UNDO, Trigger.RESET})
_NO_FAILURE = {"operator", "undone", "budget-spent"}


def _held(state: MigrationState, event: Held, at: datetime | None) -> MigrationState:
    hold = Hold(event.reason, event.detail, event.release, at, event.subject, event.by, event.down)
    failure = state.failure
    admitted = state.admitted
    if event.reason.startswith("guard:") and "Start-ADServiceAccountMigration" not in state.sent:
        failure, admitted = "refused", None
    elif event.reason not in _NO_FAILURE:
        failure = "failed"
    return replace(_unasserted(state), held=hold, failure=failure, admitted=admitted)


def _unasserted(state: MigrationState) -> MigrationState:
    """Return a migration without the word of a person that its step was done by hand, or that it is to be adopted."""
    if state.asserted is None:
        return replace(state, adopting=None) if state.adopting else state
    other = state.asserted.step in _BACK and state.intention is Intention.FORWARD
    return replace(
        state, asserted=None, done=frozenset() if other else state.done, reached=None if other else state.reached
    )


def _released(state: MigrationState, event: Released, at: datetime | None) -> MigrationState:
    released = replace(
        _unasserted(state),
        held=None,
        failure=None,
        waits={} if event.forward else _waited_on(state),
        deadlines={},
        tries={},
        faults={},
        performed={},
        asked={},
        landed=frozenset(),
        ledger=state.ledger.without_vanished() if _looked_for(state) else state.ledger,
    )
    if not event.forward or state.intention is Intention.FORWARD:
        return released
    released = replace(released, password_risk_accepted=False)
    if state.back_not_begun and state.phase is not Phase.REOPENED:
        return replace(released, intention=Intention.FORWARD, way=None)
    if state.phase is Phase.ROLLED_BACK:
        return replace(
            released,
            intention=Intention.FORWARD,
            way=None,
            attempt=state.attempt + 1,
            sent=frozenset(),
            touched=frozenset(),
            snapshot=None,
            repeated=None,
            compared=None,
            adopted=False,
            lost={},
            ledger=Ledger(),
            converged_at=None,
            registry_at=None,
            anew_at=None,
        )
    row = move(state.phase, Trigger.RELEASE, Pair.STARTED)
    return replace(
        released,
        phase=row.dest,
        since=at,
        intention=Intention.FORWARD,
        way=None,
        admitted=None,
        done=frozenset(),
        baselines={},
        wish=None,
        reached=None,
    )


def _looked_for(state: MigrationState) -> bool:
    """Whether it is held because somebody vanished: a release says that a person knows why."""
    return state.held is not None and state.held.reason == "guard:ledger-flat"


def _waited_on(state: MigrationState) -> dict[str, Waiting]:
    """Return what a migration goes on to wait for once it is released: nothing, if something was wrong and was mended.

    An operator's hold came over it for a reason of his own; what it waited for before, it waits for again. Only a fault
    is tried again at once.
    """
    if state.held is None or state.held.by is None:
        return {}
    return {subject: wait for subject, wait in state.waits.items() if wait.waiting_for != "retry"}


def _way_back(state: MigrationState, event: WayBackAsked, _at: datetime | None) -> MigrationState:
    if state.phase is Phase.PLANNED:
        move(state.phase, Trigger(event.way) if event.way is not Way.ROLLBACK else Trigger.UNDO)
    same_way = state.intention is Intention.BACK
    same_step = same_way and state.way is event.way
    return replace(
        state,
        intention=Intention.BACK,
        way=event.way,
        password_risk_accepted=event.accept_password_risk or (state.password_risk_accepted and same_way),
        failure="failed" if event.automatic else state.failure,
        asserted=None,
        adopting=None,
        held=None,
        waits={},
        deadlines={},
        tries={},
        faults={},
        performed={},
        asked={},
        landed=frozenset(),
        done=state.done if same_step else frozenset(),
        baselines=state.baselines if same_step else {},
        wish=state.wish if same_step else None,
        reached=state.reached if same_step else None,
    )


def _host_released(state: MigrationState, event: HostReleased, at: datetime | None) -> MigrationState:
    if state.snapshot is None or event.host not in state.snapshot.hosts:
        raise IllegalEvent(f"{state.id} has no {event.host} that could be lost: it was never written down")
    about = state.held is not None and state.held.subject == event.host
    return replace(
        state,
        lost={**state.lost, event.host: Lost(event.by, event.reason, at)},
        waits={subject: wait for subject, wait in state.waits.items() if subject != event.host},
        held=None if about else state.held,
        failure=None if about else state.failure,
    )


def _asserted(state: MigrationState, event: AssertedDone, _at: datetime | None) -> MigrationState:
    if not any(row.trigger is event.step and row.source is state.phase for row in MOVES):
        raise IllegalMove(state.phase, event.step, None, None)
    other = event.step in _BACK and state.intention is Intention.FORWARD
    calm: dict[str, Any] = {"waits": {}, "deadlines": {}, "tries": {}, "faults": {}, "performed": {}, "asked": {}}
    return replace(
        state,
        asserted=event,
        held=None,
        failure=None,
        **calm,
        done=frozenset() if other else state.done,
        wish=None if other else state.wish,
        reached=None if other else state.reached,
    )


def _adopt_asked(state: MigrationState, event: AdoptAsked, _at: datetime | None) -> MigrationState:
    if state.phase is not Phase.PLANNED or (state.snapshot is not None and not state.snapshot.late):
        raise IllegalEvent(f"{state.id} is {state.phase} in this journal: it was begun here")
    calm: dict[str, Any] = {"waits": {}, "deadlines": {}, "tries": {}, "faults": {}}
    return replace(state, adopting=event, snapshot=None, held=None, failure=None, **calm)


OF_WORDS: dict[type[Any], Callable[[MigrationState, Any, datetime | None], MigrationState]] = {
    Held: _held,
    Released: _released,
    WayBackAsked: _way_back,
    HostReleased: _host_released,
    AssertedDone: _asserted,
    AdoptAsked: _adopt_asked,
}
