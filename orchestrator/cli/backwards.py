"""What ``undo``, ``reset`` and ``rollback`` ask for, and whether it was reached."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli.history import open_existing, refuse_other_plan, replay
from orchestrator.cli.selection import who
from orchestrator.engine.outcome import held_exit
from orchestrator.errors import PRECEDENCE, Exit, InputInvalid, PersonNeeded
from orchestrator.journal import Entry, Journal, JournalConflict, open_journal
from orchestrator.model.event import VERSION, Event, WayBackAsked, to_body
from orchestrator.model.lifecycle import Phase, Way
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.planfile import Loaded

_NOTHING_TO_DO = {
    Way.UNDO: frozenset({Phase.UNLINKED, Phase.RESTORED, Phase.ROLLED_BACK}),
    Way.RESET: frozenset({Phase.UNLINKED, Phase.RESTORED, Phase.ROLLED_BACK}),
    Way.ROLLBACK: frozenset({Phase.ROLLED_BACK}),
}
_LOOK_EVERY = 0.5


@dataclass(frozen=True)
class Asked:
    """Ways back that were written down. ``driver`` is who carries them out, if it is not us."""

    ids: tuple[str, ...]
    driver: str | None
    state: RunState
    wait: Callable[[], RunState]


def append_words(
    place: str,
    run: str,
    events: Callable[[RunState], list[Event]],
    mirror: Path | None = None,
    *,
    create: bool = False,
) -> RunState:
    """Append an operator's words, decided on the newest state; return the state with them.

    A journal that is not there is begun with them where *create* says so.

    Raises:
        InputInvalid: there is no run to speak about.
        IllegalMove: the law does not allow it; nothing was written.
    """
    journal = open_existing(place, mirror) or (open_journal(place, create=True, mirror=mirror) if create else None)
    if journal is None:
        raise InputInvalid(f"there is no journal at {place}: no run has begun. `dmsa run` begins one")
    with contextlib.closing(journal):
        while True:
            state, head = replay(journal, run)
            words = events(state)
            for word in words:
                state.apply(word, state.last_at)
            try:
                entries = [Entry(run, state.last_at, word.kind, VERSION, to_body(word)) for word in words]
                if entries:
                    journal.append(entries, expected=head, lease=None)
            except JournalConflict:
                continue
            return state


def ask_way_back(
    loaded: Loaded,
    place: str,
    chosen: tuple[str, ...],
    way: Way,
    reason: str,
    mirror: Path | None = None,
    *,
    accept_password_risk: bool = False,
) -> Asked:
    """Write down that migrations are to go back.

    Raises:
        PersonNeeded: one of them is still planned; nothing was written.
    """
    ids: list[str] = []

    def words(state: RunState) -> list[Event]:
        refuse_other_plan(state, loaded)
        planned = [id_ for id_ in chosen if state[id_].phase is Phase.PLANNED]
        if planned:
            raise PersonNeeded(
                f"{', '.join(planned)} is still planned: nothing was changed for it, so there is nothing to go back "
                "from. Nothing was done. Name the others with --only."
            )
        ids[:] = [id_ for id_ in chosen if not _there(state[id_], way)]
        said = {"way": way, "by": who(), "reason": reason, "accept_password_risk": accept_password_risk}
        return [WayBackAsked.model_validate({"migration": id_, **said}) for id_ in ids]

    state = append_words(place, loaded.plan.name, words, mirror)
    journal = open_existing(place)
    if journal is None:
        raise InputInvalid(f"the journal {place} is gone")
    with contextlib.closing(journal):
        lease = journal.holder()
    return Asked(tuple(ids), lease.holder if lease else None, state, lambda: _wait(place, loaded, tuple(ids), way))


def _there(state: MigrationState, way: Way) -> bool:
    return state.phase in _NOTHING_TO_DO[way]


def _wait(place: str, loaded: Loaded, ids: tuple[str, ...], way: Way) -> RunState:
    """Wait until whoever drives has carried the words out, or has gone."""
    while True:
        journal = open_existing(place)
        if journal is None:
            raise InputInvalid(f"the journal {place} is gone")
        with contextlib.closing(journal):
            state, _ = replay(journal, loaded.plan.name)
            if journal.holder() is None or all(_there(state[i], way) or state[i].held for i in ids):
                return state
        time.sleep(_LOOK_EVERY)


def reached_of(state: RunState, ids: tuple[str, ...], way: Way) -> Exit:
    """Return 0 if what was asked for is reached, 4 if a person is needed, 5 if a workload stays down, 7 if it is under
    way; of several the first that the contract names.
    """
    if state.refused:
        return Exit.REFUSED
    codes = {_exit(state[id_], way) for id_ in ids}
    return next((code for code in PRECEDENCE if code in codes), Exit.DONE)


def way_back_end(state: RunState, way: Way, ids: tuple[str, ...], chosen: tuple[str, ...], code: Exit) -> str:
    """Say in a line or two what came of it."""
    if not ids:
        return f"Nothing to do: {', '.join(chosen)} went back before."
    down = [
        f"{held.subject}: {', '.join(held.down)}" for id_ in ids if (held := state[id_].held) is not None and held.down
    ]
    if down:
        return (
            f"{way} of {len(ids)} FAILED: down, and not to be started, is {'; '.join(down)}. What is held says why. "
            "Mend it and release; the same command then goes on."
        )
    if code is not Exit.DONE:
        return f"{way} of {len(ids)} did not end: see above. The same command goes on."
    return {
        Way.ROLLBACK: f"Rolled back: {len(ids)}, each compared with its snapshot.",
        Way.UNDO: f"Undone by one phase: {len(ids)}.",
        Way.RESET: f"Unlinked: {len(ids)}.",
    }[way]


def _exit(state: MigrationState, way: Way) -> Exit:
    if _there(state, way) or (state.held and state.held.reason == "undone" and way is not Way.ROLLBACK):
        return Exit.DONE
    return held_exit(state.held) if state.held else Exit.WAITING


__all__ = ["Asked", "Journal", "ask_way_back", "reached_of"]
