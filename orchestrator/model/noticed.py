"""What people are told, and whether it reached them: events of the journal's vocabulary.

A notice is a row of its own, in the transaction of what it tells of wherever that is the runner's: it can neither be
lost with a process nor be told twice under two names. What follows from these rows is a fold like any other
(:mod:`orchestrator.model.notices`).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, ConfigDict

from orchestrator.model.plan import Occasion


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NoticeRaised(_Row):
    """Something happened that people want to be told of. ``number``: counted over the run, from 1.

    ``about`` says which time it was, where the same may happen to the same again: the closing time of a window, the
    plan that needs approval. ``todo`` is what to do next; it calls the plan PLAN, as holds do.
    """

    kind: Literal["notice-raised"] = "notice-raised"
    number: int
    occasion: Occasion
    wave: str
    migrations: tuple[str, ...] = ()
    reason: str = ""
    about: str = ""
    detail: str
    todo: str = ""


class NoticeSent(_Row):
    """A receiver took a notice. ``missed``: how many earlier ones it told him had been dropped for him."""

    kind: Literal["notice-sent"] = "notice-sent"
    notice: str
    receiver: str
    status: int
    missed: int = 0


class NoticeUnsent(_Row):
    """A receiver did not take a notice. ``for_good``: he refused it, and it is not sent to him again."""

    kind: Literal["notice-unsent"] = "notice-unsent"
    notice: str
    receiver: str
    why: str
    for_good: bool = False


def id_of(run: str, digest: str | None, raised: NoticeRaised, at: datetime | None) -> str:
    """Return the id of a notice: the run, its number there, and a hash, so that a journal begun anew has other ids."""
    known = [digest, raised.model_dump(mode="json"), at.astimezone(UTC).isoformat() if at else None]
    hashed = sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
    return f"{run}/{raised.number}-{hashed[:12]}"
