"""One thing that is expected: a change of the directory, or an event beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from orchestrator.expectation.frames import Frame
from orchestrator.expectation.values import Wanted
from orchestrator.model.lifecycle import Trigger
from orchestrator.steps.effects import On

By = Literal["operator", "account", "host"]
"""Who writes it: whom the runner logs on as, the superseded account, or the host itself."""


@dataclass(frozen=True)
class Expectation:
    """One change, or one event beside it. ``events``: ids, the first is the one that proves it.

    ``sure``: it happens wherever the write takes effect; otherwise ``note`` says when. ``logged``: those of the events
    that a computer logs of itself, so that their absence says something where it logs that number at all.
    """

    migration: str
    step: Trigger
    cmdlet: str
    computer: str
    by: By
    log: str
    events: tuple[int, ...]
    on: On | None
    object: str
    attribute: str
    old: Wanted
    new: Wanted
    sure: bool
    note: str
    source: str
    frame: Frame
    done: bool
    created: bool = False
    logged: tuple[int, ...] = ()

    @property
    def required(self) -> bool:
        """Whether its absence from a complete export says something."""
        return self.sure and self.on is not None and self.by == "operator" and bool(self.events)
