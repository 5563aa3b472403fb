"""The dMSA, and the pair it makes with the account, are as this moment of the lifecycle asks."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.guards.guard import OfPair, pinned_pair
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.directory import DMSA_CLASS
from orchestrator.model.guard_ids import Stage
from orchestrator.model.lifecycle import Pair, Phase


class DmsaAbsentOrFresh(OfPair):
    """Start takes only a dMSA in state 0: one in state 3 is a standalone dMSA, and Start would fail."""

    id = "dmsa-absent-or-fresh"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Absent (before prepare), or of the right class, in state 0, unlinked, without foreign principals."""
        found = pinned_pair(case, seen).dmsa
        name = case.migration.dmsa.name
        if found is None:
            yield Verdict.of(
                stage is Stage.PREFLIGHT,
                name,
                "does not exist yet" if stage is Stage.PREFLIGHT else "is gone since it was prepared",
                "find out who removed it, then `dmsa rollback` and begin anew",
            )
            return
        known = {dn.lower() for dn in case.migration.dmsa.principals}
        foreign = [dn for dn in found.principals if dn.lower() not in known and not _ours(case)]
        fresh = found.object_class == DMSA_CLASS and found.state == 0 and found.link is None and not foreign
        yield Verdict.of(
            fresh,
            found.dn,
            f"class {found.object_class}, state {found.state}, linked to {found.link or 'nothing'}, "
            f"{len(foreign)} principals that the plan does not name",
            "choose another name, or look at what uses this dMSA; state 3 means standalone",
        )


def _ours(case: Case) -> bool:
    """Whether an earlier attempt of this run may have left principals on the dMSA (a declared difference)."""
    return case.state.attempt > 1


_WANTED = {
    Phase.SOAKED: Pair.STARTED,
    Phase.SWITCHED: Pair.COMPLETED,
    Phase.COMPLETED: Pair.COMPLETED,
}


class PairMatches(OfPair):
    """Both objects name each other, and their states agree with where the migration stands."""

    id = "pair-matches"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Compare with the phase."""
        del stage
        found = pinned_pair(case, seen)
        wanted = _WANTED.get(case.state.phase, Pair.STARTED)
        yield Verdict.of(
            found.pair is wanted,
            case.migration.id,
            f"{found}; {wanted} is wanted",
            "find out who changed the pair; `dmsa rollback` or `dmsa reset` leads to a known state",
        )
