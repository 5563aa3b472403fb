"""The lifecycle of one migration: every phase, every move, and why each move is allowed.

Theory of operation
-------------------
This file is the law. Everything that may ever change a migration's phase is a row of :data:`MOVES`; there is
no other way from one phase to another. The rows are given to one ``transitions`` machine, which serves as rule
book, and from which the diagram of :func:`mermaid` is drawn. The machine has no model, no callbacks and no automatic
transitions: durable effects cannot live in callbacks (a callback that raises leaves the state changed), and
an automatic ``to_<phase>`` would be a way around every guard.

A phase says what has been *proved by reading back*, never what has been attempted. ``AD`` is the pair
(``msDS-DelegatedMSAState`` of the dMSA / ``msDS-SupersededServiceAccountState`` of the account).

The way back depends on what was read, not on what we believe: each of its rows names the pair from which it
leaves. ``undo`` is one phase (2/2 to 1/1, 1/1 to unlinked; Microsoft Learn, Undo-ADServiceAccountMigration,
Description); ``reset`` goes straight to unlinked (Reset-ADServiceAccountMigration, Description).

Intention (forward or back) is kept beside the phase, so that an abort survives a crash in the middle of a step.
A hold is a flag beside the phase too: a held migration keeps its phase.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from transitions import Machine


class Phase(StrEnum):
    """What has been proved about one migration."""

    PLANNED = "planned"
    PREPARED = "prepared"
    STARTED = "started"
    LINKED = "linked"
    REGISTERED = "registered"
    RESTARTED = "restarted"
    SOAKED = "soaked"
    SWITCHED = "switched"
    COMPLETED = "completed"
    REOPENED = "reopened"
    UNLINKED = "unlinked"
    RESTORED = "restored"
    ROLLED_BACK = "rolled_back"


class Trigger(StrEnum):
    """What moves a migration: a step of the same name, or an operator's word."""

    PREPARE = "prepare"
    START = "start"
    LINK = "link"
    REGISTRY = "registry"
    RESTART = "restart"
    SOAK = "soak"
    COMPLETE = "complete"
    CONFIRM = "confirm"
    UNDO = "undo"
    RESET = "reset"
    RESTORE = "restore"
    RELEASE = "release"
    AMEND = "amend"
    ADOPT = "adopt"


class Pair(StrEnum):
    """The states of dMSA and account, as read together from one domain controller."""

    UNLINKED = "0/-"
    STARTED = "1/1"
    COMPLETED = "2/2"
    BROKEN = "broken"
    """The two objects contradict each other, or one of them is linked elsewhere."""


class Intention(StrEnum):
    """Which way a migration is meant to go."""

    FORWARD = "forward"
    BACK = "back"


class Way(StrEnum):
    """How far back an operator asked to go."""

    UNDO = "undo"
    RESET = "reset"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Move:
    """One row of the law. ``pair`` is what must have been read before the row may be used; None asks for nothing."""

    trigger: Trigger
    source: Phase
    dest: Phase
    reason: str
    pair: Pair | None = None


_P, _T = Phase, Trigger
_LINKED_BEFORE_SWITCH = (
    _P.PREPARED,
    _P.STARTED,
    _P.LINKED,
    _P.REGISTERED,
    _P.RESTARTED,
    _P.SOAKED,
    _P.REOPENED,
)

MOVES: tuple[Move, ...] = (
    Move(
        _T.PREPARE,
        _P.PLANNED,
        _P.PREPARED,
        "guards passed, snapshot taken, dMSA fresh and unlinked, account protected",
    ),
    Move(_T.PREPARE, _P.ROLLED_BACK, _P.PREPARED, "a new attempt, released by an operator, with its number"),
    Move(_T.START, _P.PREPARED, _P.STARTED, "Start issued on the pinned DC; 1/1 and both links read back there"),
    Move(_T.LINK, _P.STARTED, _P.LINKED, "the same pair and links read back on every DC that must agree"),
    Move(_T.REGISTRY, _P.LINKED, _P.REGISTERED, "DelegatedMSAEnabled=1 read back on every host"),
    Move(
        _T.RESTART,
        _P.REGISTERED,
        _P.RESTARTED,
        "every workload restarted and healthy; every host allowed to use the dMSA",
    ),
    Move(_T.SOAK, _P.RESTARTED, _P.SOAKED, "the dwell has passed and the ledger is flat and known"),
    Move(_T.COMPLETE, _P.SOAKED, _P.SWITCHED, "Complete issued; 2/2 on every DC; account present and disabled"),
    Move(
        _T.CONFIRM,
        _P.SWITCHED,
        _P.COMPLETED,
        "every workload restarted once more and healthy as the dMSA",
    ),
    # The way back. From `prepared` nothing was linked, so there is nothing to unlink or to restart.
    *(
        Move(trigger, _P.PREPARED, _P.ROLLED_BACK, "nothing was linked yet", Pair.UNLINKED)
        for trigger in (_T.UNDO, _T.RESET)
    ),
    *(
        Move(_T.UNDO, source, _P.UNLINKED, "Undo from the started side unlinks the pair", Pair.STARTED)
        for source in _LINKED_BEFORE_SWITCH
    ),
    *(
        Move(_T.UNDO, source, _P.REOPENED, "Undo after Complete returns to the started side", Pair.COMPLETED)
        for source in (_P.SOAKED, _P.SWITCHED, _P.COMPLETED)
    ),
    *(
        Move(_T.RESET, source, _P.UNLINKED, "Reset unlinks from wherever the pair is linked", pair)
        for source in (*_LINKED_BEFORE_SWITCH, _P.SWITCHED, _P.COMPLETED)
        for pair in (Pair.STARTED, Pair.COMPLETED)
    ),
    Move(_T.RESTORE, _P.UNLINKED, _P.RESTORED, "every host value is as it was, or still needed by another"),
    Move(
        _T.RESTART,
        _P.RESTORED,
        _P.ROLLED_BACK,
        "workloads healthy as the original account; everything equals the snapshot",
    ),
    # An operator's word.
    Move(_T.RELEASE, _P.REOPENED, _P.RESTARTED, "forward again; dwell and ledger start anew", Pair.STARTED),
    *(
        Move(_T.AMEND, source, _P.LINKED, "a host was added and must catch up", None)
        for source in (_P.REGISTERED, _P.RESTARTED, _P.SOAKED)
    ),
    # What was begun elsewhere enters where its read-back puts it; it was never soaked here.
    *(
        Move(_T.ADOPT, _P.PLANNED, dest, reason, pair)
        for dest, pair, reason in (
            (_P.PREPARED, Pair.UNLINKED, "begun elsewhere: a fresh dMSA is there, and nothing is linked"),
            (_P.STARTED, Pair.STARTED, "begun elsewhere: 1/1 and both links read on the pinned DC"),
            (_P.LINKED, Pair.STARTED, "begun elsewhere: 1/1 and both links read on every DC"),
            (_P.REGISTERED, Pair.STARTED, "begun elsewhere: DelegatedMSAEnabled=1 read on every host too"),
            (_P.RESTARTED, Pair.STARTED, "begun elsewhere: every host allowed and every workload healthy too"),
            (_P.SWITCHED, Pair.COMPLETED, "begun elsewhere: 2/2 read on every DC; workloads are restarted once more"),
        )
    ),
)

FINAL = frozenset({Phase.COMPLETED, Phase.ROLLED_BACK})
"""Phases in which nothing moves until an operator says so."""

_FORWARD = {
    _P.PLANNED: _T.PREPARE,
    _P.ROLLED_BACK: _T.PREPARE,
    _P.PREPARED: _T.START,
    _P.STARTED: _T.LINK,
    _P.LINKED: _T.REGISTRY,
    _P.REGISTERED: _T.RESTART,
    _P.RESTARTED: _T.SOAK,
    _P.SOAKED: _T.COMPLETE,
    _P.SWITCHED: _T.CONFIRM,
}
_TAIL = {_P.UNLINKED: _T.RESTORE, _P.RESTORED: _T.RESTART}
"""What follows an unlinked pair on the way to ``rolled_back``."""


def _path() -> Iterator[Phase]:
    """Follow the forward steps from the beginning."""
    phase: Phase | None = Phase.PLANNED
    while phase is not None:
        yield phase
        step = _FORWARD.get(phase)
        phase = next((row.dest for row in MOVES if (row.trigger, row.source) == (step, phase)), None)


PATH = tuple(_path())
"""The forward phases in their order."""


class IllegalEvent(Exception):
    """Something that cannot have happened, given what happened before. Nothing was changed."""


class IllegalMove(IllegalEvent):
    """A move that is not a row of the law. Nothing was changed."""

    def __init__(self, phase: Phase, trigger: Trigger, dest: Phase | None, pair: Pair | None) -> None:
        self.phase, self.trigger, self.dest, self.pair = phase, trigger, dest, pair
        allowed = ", ".join(f"{m.trigger} to {m.dest}" for m in MOVES if m.source == phase) or "nothing"
        aim = f" to {dest}" if dest else ""
        seen = f" with the pair at {pair}" if pair else ""
        super().__init__(f"{trigger} from {phase}{aim}{seen} is not a move; from {phase}: {allowed}")


@cache
def rule_book() -> Machine:
    """Return the machine that knows the rows and holds no state. Built once; never mutated."""
    return Machine(
        model=None,
        states=Phase,
        initial=Phase.PLANNED,
        auto_transitions=False,
        transitions=[
            {"trigger": trigger.value, "source": source, "dest": dest}
            for trigger, source, dest in dict.fromkeys((m.trigger, m.source, m.dest) for m in MOVES)
        ],
    )


def move(phase: Phase, trigger: Trigger, pair: Pair | None = None, dest: Phase | None = None) -> Move:
    """Return the row for *trigger* in *phase*, given the *pair* that was read (for rows that depend on it).

    Args:
        phase: where the migration stands.
        trigger: what would move it.
        pair: what was read before the move; rows that name a pair apply only to that one.
        dest: if given, the row must lead there.

    Raises:
        IllegalMove: there is no such row.
    """
    rows = [row for row in MOVES if (row.trigger, row.source) == (trigger, phase) and dest in {None, row.dest}]
    known = bool(rule_book().get_transitions(trigger.value, phase, dest or "*"))
    for row in rows if known else ():
        unasked = pair is None and dest is not None
        if row.pair is None or unasked or row.pair == pair:
            return row
    raise IllegalMove(phase, trigger, dest, pair)


def next_step(phase: Phase, intention: Intention, way: Way | None, rollback_by: Way) -> Trigger | None:
    """Return the step that a migration takes next, or None where only an operator's word moves it.

    Args:
        phase: where it stands.
        intention: which way it is meant to go.
        way: what the operator asked for, where the intention is back.
        rollback_by: how a rollback unlinks (``undo``, phase by phase, or ``reset``).
    """
    if intention is Intention.FORWARD:
        return _FORWARD.get(phase)
    if phase in {Phase.PLANNED, Phase.ROLLED_BACK}:
        return None
    if phase in _TAIL:
        return _TAIL[phase] if way is Way.ROLLBACK else None
    unlink_by = rollback_by if way is Way.ROLLBACK else way
    return Trigger.RESET if unlink_by is Way.RESET else Trigger.UNDO


def mermaid() -> str:
    """Draw the law as a Mermaid state diagram; one arrow per move, labelled with its trigger."""
    arrows: dict[tuple[Phase, Phase], list[str]] = {}
    for row in MOVES:
        words = arrows.setdefault((row.source, row.dest), [])
        if row.trigger.value not in words:
            words.append(row.trigger.value)
    lines = ["stateDiagram-v2", f"    [*] --> {Phase.PLANNED}"]
    lines += [f"    {source} --> {dest}: {' / '.join(words)}" for (source, dest), words in arrows.items()]
    lines += [f"    {phase} --> [*]" for phase in (*PATH, Phase.ROLLED_BACK) if phase in FINAL]
    return "\n".join(lines) + "\n"
