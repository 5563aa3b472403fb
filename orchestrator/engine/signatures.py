"""Every signature of a journal, checked against the keys of the plan that the run went by when it was given.

The plans stand in the journal themselves, in the rows that began a run and that amended its plan: nothing else is
needed. Fed row by row, so that whoever reads a journal for another reason checks this on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.model.approvals import unsigned_because
from orchestrator.model.driven import RunBegan
from orchestrator.model.replay import RowUnreadable, Written, event_of
from orchestrator.model.words import Amended, Approval, Approved, Subject, WaiverApproved

_KINDS = frozenset(kind.model_fields["kind"].default for kind in (RunBegan, Amended, Approved, WaiverApproved))


@dataclass
class SignatureCheck:
    """What was checked so far. ``signed`` counts signatures that fit; ``wrong`` is the first row that does not."""

    signed: int = 0
    wrong: tuple[int, str] | None = None
    _plans: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict, repr=False)
    """By run: the digest of the plan that it goes by, and the plan."""

    def take_in(self, row: Written) -> None:
        """Check one row; most have nothing to check. What cannot be read by this version is left to others."""
        if self.wrong is not None or row.kind not in _KINDS:
            return
        try:
            event = event_of(row)
        except RowUnreadable:
            return
        if isinstance(event, RunBegan | Amended):
            self._plans[row.run] = (event.digest, event.plan)
        elif isinstance(event, Approved | WaiverApproved):
            why = self._trouble(row.run, event)
            if why is not None:
                self.wrong = (row.seq, f"{event.subject.words}: the approval of {event.by} {why}")
            self.signed += why is None and event.signature is not None

    def _trouble(self, run: str, word: Approval) -> str | None:
        digest, plan = self._plans.get(run, ("", {}))
        if word.digest != digest:
            return f"is of a plan (digest {word.digest[:12]}) that the run did not go by"
        keyed = [keys for keys in _keys(plan, word.subject) if keys is not None]
        if not keyed:
            return "is signed, and the plan names no keys" if word.signature is not None else None
        whys = [unsigned_because(word, run, keys) for keys in keyed]
        return whys[0] if all(whys) else None


def _keys(plan: Mapping[str, Any], subject: Subject) -> Iterator[Mapping[str, str] | None]:
    """Yield the public keys of every migration that a subject is about; None for one without."""
    for wave in plan.get("waves", ()):
        for migration in wave["migrations"]:
            about = wave["name"] if subject.kind == "gate" else migration["dmsa"]["name"]
            if about == subject.about:
                yield migration["approvals"]["keys"]
