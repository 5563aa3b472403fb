"""What people say to a run, beyond holding it, releasing it and taking it back: events of the journal's vocabulary.

A word is not a proof. What follows from one is carried out by whoever drives, on the evidence of a read-back.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict

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


Gate: TypeAlias = Literal["start", "complete"]
"""What people approve before a migration is admitted to it."""


class Subject(NamedTuple):
    """What an approval is about: the gate of a wave, or the waiver of a guard for one migration."""

    kind: Literal["gate", "waiver"]
    about: str
    """The wave's name, or the migration's id."""
    what: str
    """The gate, or the guard's id."""

    @property
    def words(self) -> str:
        """As a person says it."""
        if self.kind == "gate":
            return f"wave {self.about}, before {self.what}"
        return f"the waiver of {self.what} for {self.about}"


class _Approval(_Word):
    """Somebody's word on the plan whose identity is ``digest``.

    ``given`` is estate time on a lab, and the UTC clock of the approver's machine elsewhere (``clock`` says which);
    from then on the approval is valid for as long as the plan says. ``principal``, the Kerberos principal of whoever
    ran the command, is noted beside ``by`` and decides nothing.
    """

    digest: str
    by: str
    given: AwareDatetime
    clock: Literal["estate", "machine"] = "estate"
    reason: str = ""
    principal: str | None = None
    signature: str | None = None
    """Ed25519, base64; of ``signed``: all that was said, but for the signature, and the plan's name."""

    def _signed(self, plan: str, **about: str) -> dict[str, str | None]:
        given = self.given.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
        said = {"by": self.by, "given": given, "clock": self.clock, "reason": self.reason, "principal": self.principal}
        return {"plan": plan, "digest": self.digest, **about, **said}


class Approved(_Approval):
    """Somebody lets the migrations of a wave be admitted to Start, or to Complete."""

    kind: Literal["approved"] = "approved"
    wave: str
    gate: Gate

    @property
    def subject(self) -> Subject:
        """The gate of the wave."""
        return Subject("gate", self.wave, self.gate)

    def signed(self, plan: str) -> dict[str, str | None]:
        """Return what the signature is of."""
        return self._signed(plan, wave=self.wave, gate=self.gate)


class WaiverApproved(_Approval):
    """Somebody whom a waiver of the plan names agrees that a migration does without that guard."""

    kind: Literal["waiver-approved"] = "waiver-approved"
    migration: str
    guard: str

    @property
    def subject(self) -> Subject:
        """The waiver."""
        return Subject("waiver", self.migration, self.guard)

    def signed(self, plan: str) -> dict[str, str | None]:
        """Return what the signature is of."""
        return self._signed(plan, migration=self.migration, guard=self.guard)


Approval: TypeAlias = Approved | WaiverApproved


class ApprovalWithdrawn(_Word):
    """Somebody takes his own approval of a wave's gate back. It never needs a key: it only makes approvals fewer."""

    kind: Literal["approval-withdrawn"] = "approval-withdrawn"
    wave: str
    gate: Gate
    by: str
    reason: str = ""

    @property
    def subject(self) -> Subject:
        """The gate of the wave."""
        return Subject("gate", self.wave, self.gate)


class WaiverWithdrawn(_Word):
    """Somebody takes his own approval of a waiver back."""

    kind: Literal["waiver-withdrawn"] = "waiver-withdrawn"
    migration: str
    guard: str
    by: str
    reason: str = ""

    @property
    def subject(self) -> Subject:
        """The waiver."""
        return Subject("waiver", self.migration, self.guard)
