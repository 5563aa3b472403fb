"""The dMSA, and the pair it makes with the account, are as this moment of the lifecycle asks."""

from __future__ import annotations

import re
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
    """Whether an earlier attempt, or what was adopted, may have left principals on the dMSA (a declared difference)."""
    return case.state.attempt > 1 or case.state.adopted


class RunIsOurs(OfPair):
    """What another journal, or a person by hand, has begun is not touched before an operator adopts it."""

    id = "run-is-ours"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """No pair that was linked by others; no dMSA with the mark of a run that this journal does not know of."""
        del stage
        found = pinned_pair(case, seen)
        mark = _MARK.fullmatch(found.dmsa.description) if found.dmsa else None
        linked = found.pair in {Pair.STARTED, Pair.COMPLETED} and START not in case.state.sent
        stranger = mark is not None and not _known(case, mark[1])
        evidence = (
            "no dMSA yet" if found.dmsa is None else f"marked by run {mark[1]}" if mark else "no run has marked it"
        )
        if linked:
            evidence = f"the pair is linked, and not by this run's journal; {found}"
        elif stranger:
            evidence += ", and this journal does not know of it"
        yield Verdict.of(
            not linked and not stranger,
            case.migration.id,
            evidence,
            "find out who began it; `dmsa adopt` takes it over",
        )


START = "Start-ADServiceAccountMigration"
_MARK = re.compile(r"dmsa run (\S+)")


def _known(case: Case, run: str) -> bool:
    """Whether this journal knows of the dMSA: it was not there when this journal took its snapshot, or was adopted."""
    if case.state.adopted or case.state.adopting is not None:
        return True
    absent_before = case.state.snapshot is not None and case.state.snapshot.dmsa is None
    return run == case.plan.name and (absent_before or case.state.attempt > 1)


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
