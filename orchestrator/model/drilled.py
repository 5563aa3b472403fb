"""What is written down of a drill: forward to a phase and back, so that the way back is known before it is needed.

Part of the journal's vocabulary (:mod:`orchestrator.model.event`). A drill moves migrations by the same law as a run;
these events say only where it began, how everything was, why it turned, and where it ended. They move nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from orchestrator.model.lifecycle import Phase

Verdict = Literal["restored", "cut-short", "not-restored"]
"""``cut-short``: everything is as it was, but not every migration came as far as the drill was to go."""


class _Drilled(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Origin(_Drilled):
    """Where a lab came from that stands in for a real estate.

    ``snapshots``: the migrations of which it is as a snapshot has them. ``made_up``: what of it nobody has seen.
    """

    snapshots: tuple[str, ...] = ()
    made_up: tuple[str, ...] = ()


class DrillBegan(_Drilled):
    """Migrations go forward to ``to`` and back. ``clock`` is the time of the machine that wrote this down."""

    kind: Literal["drill-began"] = "drill-began"
    number: int
    migrations: tuple[str, ...]
    to: Phase
    by: str
    tool: str
    clock: datetime
    estate: Literal["real", "lab"]
    origin: Origin | None = None


class SteadyStateSeen(_Drilled):
    """Whether all is well with a migration that is not under way, before a drill or after it.

    ``workloads`` are the states that were read, by host; ``troubles`` what is not well, each a sentence.
    """

    kind: Literal["steady-state-seen"] = "steady-state-seen"
    migration: str
    number: int
    when: Literal["before", "after"]
    account: str
    workloads: dict[str, dict[str, str]] = {}
    troubles: tuple[str, ...] = ()


class Turned(_Drilled):
    """How far a migration came; ``why`` it came no further than that, empty where it came as far as it should."""

    phase: Phase
    why: str = ""


class DrillTurned(_Drilled):
    """The way forward ended, and the way back was asked for, in the same transaction."""

    kind: Literal["drill-turned"] = "drill-turned"
    number: int
    reached: dict[str, Turned]


class DrillEnded(_Drilled):
    """The drill is over, whatever came of it: its certificate is made of the rows up to this one."""

    kind: Literal["drill-ended"] = "drill-ended"
    number: int
    clock: datetime
