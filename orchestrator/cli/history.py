"""A run as its journal tells it, for verbs that read it or add a word; nothing that talks to hosts is loaded here."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli.recalled import glimpsed_each, recalled
from orchestrator.errors import InputInvalid
from orchestrator.journal import Journal, is_there, open_journal
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.planfile import Loaded, plan_of


@dataclass(frozen=True)
class OneRun:
    """One run of a journal: where it stands, and its plan.

    ``unread`` says why that cannot be told; then ``plan`` is None, and ``state`` says nothing.
    """

    state: RunState
    plan: Plan | None
    unread: str | None = None


def open_existing(place: str, mirror: Path | None = None, *, read_only: bool = False) -> Journal | None:
    """Open a journal that is there, to look only or to write; None where no run has begun yet.

    Raises:
        MirrorUnusable: the mirror cannot be written, or is not this journal's.
        JournalUnusable: it cannot be opened; also where only what lies beside a journal is left of it.
    """
    there = is_there(place)
    return open_journal(place, create=False, mirror=mirror, read_only=read_only) if there else None


def driver_of(place: str) -> str | None:
    """Return who drives now; None if nobody does."""
    journal = open_existing(place)
    if journal is None:
        return None
    with contextlib.closing(journal):
        lease = journal.holder()
    return lease.holder if lease else None


def replay(journal: Journal | None, plan: str) -> tuple[RunState, int]:
    """Return where a run stands by its journal, and the number of the journal's last row that counts there.

    For whoever looks or speaks: it may begin with a state that a runner wrote down (:mod:`~orchestrator.cli.recalled`).

    Raises:
        RowUnreadable: a row of the run is of a newer version of dmsa.
    """
    return (RunState(plan), 0) if journal is None else recalled(journal, plan)


def refuse_other_plan(state: RunState, loaded: Loaded) -> None:
    """Refuse to go on with a plan that is not the one the run began with.

    Raises:
        InputInvalid: the digests differ.
    """
    if state.digest is not None and state.digest != loaded.digest:
        raise InputInvalid(
            f"{loaded.path} is not the plan that the run {loaded.plan.name} goes by (digest {loaded.digest[:12]}, "
            f"the journal has {state.digest[:12]}). Nothing was done. `dmsa amend {loaded.path}` shows the difference "
            "and accepts it; or use the plan as it was, or another --journal."
        )


def runs_of(journal: Journal) -> tuple[OneRun, ...]:
    """Return every run of a journal, in the order in which they began.

    Who else needs a host's switch, and who else has an account, can be asked as long as the journal is open.
    """
    found = glimpsed_each(journal).values()
    return tuple(_one(state, str(why) if why else None) for state, why in found if state.plan or why)


def _one(state: RunState, unread: str | None) -> OneRun:
    if unread is None and state.plan is not None:
        try:
            return OneRun(state, plan_of(state.plan))
        except ValueError as error:
            unread = f"its plan is none of this version: {error}"
    return OneRun(state, None, unread)


def refuse_collisions(loaded: Loaded, place: str, chosen: Collection[str]) -> None:
    """Refuse to begin what a migration of another plan of the journal has begun with.

    Raises:
        InputInvalid: names each.
    """
    from orchestrator.engine.collisions import collisions

    opened = open_existing(place)
    if opened is None:
        return
    with contextlib.closing(opened):
        if set(opened.runs()) <= {loaded.plan.name}:
            return
        runs = runs_of(opened)
        own = next((one.state for one in runs if one.state.run == loaded.plan.name), RunState(loaded.plan.name))
        others = [(one.plan, one.state) for one in runs if one.plan is not None and one.state is not own]
        found = collisions(loaded.plan, own, others, chosen)
    if found:
        lines = "\n".join(f"  {one}" for one in found)
        raise InputInvalid(
            f"{loaded.path} collides with what other plans of this journal have begun:\n{lines}\n"
            "Nothing was done. Take it out of one of the plans (`dmsa amend`), or end it there first (`dmsa "
            "rollback`); `--only` leaves it out of this command; `dmsa status` without a plan shows every run."
        )
