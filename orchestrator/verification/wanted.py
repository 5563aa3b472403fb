"""What must be there, by what the journal says of one migration: the pair, and on which copies.

A write that this phase has sent may have landed or not; until its read-back has moved the phase, both are as the
journal says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.model.case import Case
from orchestrator.model.event import DIRECTORY
from orchestrator.model.lifecycle import Pair, Phase

_P = Phase
STANDS_FOR: Mapping[Phase, Pair] = {
    **dict.fromkeys((_P.PLANNED, _P.PREPARED, _P.UNLINKED, _P.RESTORED, _P.ROLLED_BACK), Pair.UNLINKED),
    **dict.fromkeys((_P.STARTED, _P.LINKED, _P.REGISTERED, _P.RESTARTED, _P.SOAKED, _P.REOPENED), Pair.STARTED),
    **dict.fromkeys((_P.SWITCHED, _P.COMPLETED), Pair.COMPLETED),
}
_MAY_HAVE_LANDED = {
    _P.PREPARED: ("Start-ADServiceAccountMigration", Pair.STARTED),
    _P.SOAKED: ("Complete-ADServiceAccountMigration", Pair.COMPLETED),
}
"""What a phase sends to leave it, and the pair that it leads to."""

BEFORE_ANYTHING = frozenset({Phase.PLANNED})
ALLOWED = frozenset({_P.RESTARTED, _P.SOAKED, _P.SWITCHED, _P.COMPLETED})
"""Phases that stand for every host being among the principals."""
AT_REST = frozenset({_P.UNLINKED, _P.RESTORED, _P.ROLLED_BACK})
"""Phases of a way back in which nothing is linked any more."""


_NOT_EVERYWHERE = frozenset({_P.PLANNED, _P.PREPARED, _P.STARTED})
"""Phases that are reached by what the pinned domain controller shows."""


@dataclass(frozen=True)
class Wanted:
    """The pairs that are as the journal says: ``base`` is what the phase stands for, others may have been made since.

    ``everywhere``: every domain controller was read to show it.
    """

    pairs: frozenset[Pair]
    everywhere: bool
    base: Pair

    def __str__(self) -> str:
        """Name them, in their order."""
        return " or ".join(sorted(pair.value for pair in self.pairs))


def wanted(case: Case) -> Wanted:
    """Return what the pinned domain controller must show of the pair."""
    state = case.state
    base = STANDS_FOR[state.phase]
    pairs = {base}
    if state.wish is not None:
        pairs.add(state.wish)
    sent, leads_to = _MAY_HAVE_LANDED.get(state.phase, ("", Pair.BROKEN))
    if sent in state.sent:
        pairs.add(leads_to)
    return Wanted(frozenset(pairs), len(pairs) == 1 and state.phase not in _NOT_EVERYWHERE, base)


def dmsa_must_be_there(case: Case) -> bool:
    """Whether the journal says that the dMSA exists; after a way back its owner may delete it."""
    return case.state.phase not in {Phase.PLANNED, Phase.ROLLED_BACK}


def is_written_to(case: Case, subject: str = DIRECTORY) -> bool:
    """Whether a write of this migration is on its way to a subject, or its outcome is not settled."""
    return subject in case.state.open
