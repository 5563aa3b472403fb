"""A run's state, written into its own history: what the rows before it make of the run, so that who only looks need not
fold them all.

Part of the journal's vocabulary (:mod:`orchestrator.model.event`). It says nothing new and changes nothing: it follows
from the rows before it, and ``dmsa journal verify`` shows that it does (:mod:`orchestrator.cli.proof`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class StateFolded(BaseModel):
    """The state up to the row before this one, as :mod:`orchestrator.model.sheet` writes it down, packed.

    ``own``: the run's. ``shared``: what every run of the journal counts for, hosts' switches and claims of accounts.
    ``form``: by which program's rules it was made. Who goes by others has no use for it, and folds the rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["state-folded"] = "state-folded"
    form: str
    own: str
    shared: str
