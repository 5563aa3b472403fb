"""What people say to a run, beyond holding it, releasing it and taking it back: events of the journal's vocabulary.

A word is not a proof. What follows from one is carried out by whoever drives, on the evidence of a read-back.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from orchestrator.model.lifecycle import Trigger


class _Word(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Amended(_Word):
    """An operator accepted a changed plan: from here on the run goes by ``plan``, whose identity is ``digest``.

    What follows for single migrations stands in events of the same transaction.
    """

    kind: Literal["amended"] = "amended"
    digest: str
    plan: dict[str, Any]
    by: str
    reason: str


class HostReleased(_Word):
    """A second person says that a host is gone for good: it counts as done in every step of this attempt."""

    kind: Literal["host-released"] = "host-released"
    migration: str
    host: str
    by: str
    reason: str


class AssertedDone(_Word):
    """A person says that a step was done by hand. It counts if a read-back agrees; nothing is done for it."""

    kind: Literal["asserted-done"] = "asserted-done"
    migration: str
    step: Trigger
    by: str
    reason: str


class AdoptAsked(_Word):
    """An operator asks to take over what was begun by hand, or by a run whose journal is lost."""

    kind: Literal["adopt-asked"] = "adopt-asked"
    migration: str
    by: str
    reason: str
