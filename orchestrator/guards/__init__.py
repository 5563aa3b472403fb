"""One file a guard, or a tight family. A file placed here is found; nothing else is needed to add a guard.

:func:`probes` and :func:`ask` are all that the engine knows of them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from orchestrator.guards.guard import Guard
from orchestrator.model.approvals import Tally
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.event import GuardSaid
from orchestrator.model.found_there import with_found
from orchestrator.model.guard_ids import GUARDS, Stage
from orchestrator.model.observation import Unreadable
from orchestrator.model.plan import Waiver


@dataclass(frozen=True)
class Answer:
    """One verdict of one guard, and whether a waiver lets the migration pass all the same."""

    guard: str
    verdict: Verdict
    waived: bool

    @property
    def lets_pass(self) -> bool:
        """Whether the move may happen as far as this verdict goes."""
        return self.verdict.passed is True or self.waived

    @property
    def said(self) -> GuardSaid:
        """What the journal keeps."""
        return GuardSaid(
            guard=self.guard,
            subject=self.verdict.subject,
            verdict=self.verdict.word,
            evidence=self.verdict.evidence,
            remedy=self.verdict.remedy,
            waived=self.waived,
        )


@cache
def all_guards() -> tuple[Guard, ...]:
    """Return every guard in this package, in the order of the contract."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    found = {kind.id: kind() for kind in _kinds(Guard)}  # type: ignore[type-abstract]  # only searched
    return tuple(found[id_] for id_ in GUARDS if id_ in found)


def _kinds(of: type[Guard]) -> Iterator[type[Guard]]:
    """Yield every guard below a class; one without an id is only what others share."""
    for kind in of.__subclasses__():
        if hasattr(kind, "id"):
            yield kind
        yield from _kinds(kind)


def guards_at(stage: Stage) -> tuple[Guard, ...]:
    """Return the guards that are asked at a stage."""
    return tuple(guard for guard in all_guards() if stage in GUARDS[guard.id].stages)


def probes(case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
    """Return what the guards of a stage want to read, given what was read so far.

    A guard that cannot go on from what it read asks nothing more, and keeps no other from asking.
    """
    case = with_found(case, seen)
    return tuple(read for guard in guards_at(stage) for read in _probe(guard, case, stage, seen))


def _probe(guard: Guard, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
    try:
        return guard.probe(case, stage, seen)
    except Unreadable:
        return ()


def ask(case: Case, stage: Stage, seen: Seen, about_host: bool = False) -> tuple[Answer, ...]:
    """Return every guard's verdicts (or of those alone that look at hosts). What could not be read refuses too.

    Where the plan says ``workloads: discover`` they judge what the host reports, or has reported.
    """
    case = with_found(case, seen)
    return tuple(
        _answer(guard.id, verdict, case, stage)
        for guard in guards_at(stage)
        if guard.of_host or not about_host
        for verdict in _verdicts(guard, case, stage, seen)
    )


def _answer(id_: str, verdict: Verdict, case: Case, stage: Stage) -> Answer:
    """Take in whether a waiver counts. One that people have still to approve makes a refusal wait for them."""
    waiver = None if verdict.passed is True or not verdict.waivable else case.waiver(id_, stage)
    if waiver is None:
        return Answer(id_, verdict, False)
    agreement = case.agreement(waiver)
    if agreement.missing and verdict.waits is None:
        gate = "complete" if stage is Stage.COMPLETE else "start"
        verdict = replace(verdict, waits=(f"approval:{gate}", None), remedy=_to_approve(case, waiver, agreement))
    return Answer(id_, verdict, not agreement.missing)


def _to_approve(case: Case, waiver: Waiver, agreement: Tally) -> str:
    counting = {one.word.by.casefold() for one in agreement.counting}
    left = ", ".join(name for name in waiver.approved_by if name.casefold() not in counting)
    against = "".join(f"; that of {one.word.by} {one.why_not}" for one in agreement.said if one.why_not)
    return (
        f"it may be waived once {left} has approved: `dmsa approve PLAN --waivers --only {case.migration.id}`{against}"
    )


def probes_about_host(case: Case, host: str, seen: Seen) -> tuple[Read, ...]:
    """Return what the guards of preflight want to read of one host that joins later."""
    alone, stage = with_found(_alone(case, host), seen), Stage.PREFLIGHT
    return tuple(read for guard in guards_at(stage) if guard.of_host for read in _probe(guard, alone, stage, seen))


def ask_about_host(case: Case, host: str, seen: Seen) -> tuple[Answer, ...]:
    """Return what the guards of preflight say about one host that joins a migration after its preflight."""
    return ask(_alone(case, host), Stage.PREFLIGHT, seen, about_host=True)


def _alone(case: Case, host: str) -> Case:
    return replace(case, migration=case.migration.model_copy(update={"hosts": (case.migration.host(host),)}))


def _verdicts(guard: Guard, case: Case, stage: Stage, seen: Seen) -> tuple[Verdict, ...]:
    try:
        return tuple(guard.judge(case, stage, seen))
    except Unreadable as unreadable:
        return (Verdict.unknown(case.migration.id, str(unreadable), "make it readable for the operator"),)
