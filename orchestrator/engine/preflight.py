"""Every guard of the next gate, asked of many migrations while nothing moves.

The guards, their reads and their waivers are those of a run; only what is read for several migrations is asked once.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.engine.merge import unanswered
from orchestrator.engine.waves import Admission, NotYet
from orchestrator.errors import Exit
from orchestrator.guards import Answer, ask, probes
from orchestrator.model.call import Cmdlet, Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.dn import domain_dn
from orchestrator.model.guard_ids import Stage
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.observation import Unreadable
from orchestrator.model.state import MigrationState
from orchestrator.model.stray import Stray, linked_search, linked_seen, stray_links
from orchestrator.steps.controllers import controllers_read, knowing_controllers

_NEXT = {
    Phase.PLANNED: Stage.PREFLIGHT,
    Phase.PREPARED: Stage.START,
    **dict.fromkeys((Phase.STARTED, Phase.LINKED, Phase.REGISTERED, Phase.RESTARTED), Stage.COMPLETE),
    **dict.fromkeys((Phase.SOAKED, Phase.REOPENED), Stage.COMPLETE),
}


@dataclass(frozen=True)
class Asked:
    """What the guards of one gate say about one migration; ``wave``: which rule of its wave it waits for."""

    stage: Stage | None
    answers: tuple[Answer, ...]
    wave: NotYet | None

    @property
    def exit(self) -> Exit:
        """Held where a guard is firm, waiting where time is all that is missing."""
        against = [answer for answer in self.answers if not answer.lets_pass]
        if any(answer.verdict.waits is None for answer in against):
            return Exit.HELD
        return Exit.WAITING if against or self.wave else Exit.DONE


def next_gate(state: MigrationState) -> Stage | None:
    """Return at which gate a migration is asked next: before prepare, Start or Complete; None on a way back, or done.

    One that was rolled back is asked what its next attempt would be asked.
    """
    if state.phase is Phase.ROLLED_BACK:
        return Stage.PREFLIGHT
    return None if state.intention is Intention.BACK else _NEXT.get(state.phase)


def asks(case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
    """Return what must still be read; nothing once everything was asked that can be."""
    controllers = () if case.controllers else (controllers_read(case),)
    stray = Read(case.endpoint, (_linked(case),))
    return unanswered((*controllers, stray, *probes(_known(case, seen), stage, seen)), seen)


def asked(case: Case, stage: Stage, seen: Seen, admission: Admission | None) -> Asked:
    """Return what every guard of a gate says, and whether the migration's wave would let it begin now."""
    rule = admission if isinstance(admission, NotYet) and _is_rule(stage, admission) else None
    return Asked(stage, ask(_known(case, seen), stage, seen), rule)


def _is_rule(stage: Stage, waits: NotYet) -> bool:
    """Whether a wave's rule is one of the gate: that another wave comes first, or others are under way, is none."""
    return stage is not Stage.PREFLIGHT and waits.waiting_for.partition(":")[0] in {"window", "blackout", "approval"}


def strays(case: Case, seen: Seen) -> tuple[Stray, ...]:
    """Return the half links of the whole domain, whatever is migrated.

    Raises:
        Unreadable: they could not be searched for.
    """
    reply = seen.reply_to(_linked(case), case.endpoint)
    if reply is None:
        raise Unreadable(f"{case.server} was not asked what is linked in the domain")
    return stray_links(linked_seen(reply, case.server))


def _linked(case: Case) -> Cmdlet:
    return linked_search(domain_dn(case.plan.estate.domain or ""), case.server)


def _known(case: Case, seen: Seen) -> Case:
    try:
        return knowing_controllers(case, seen)
    except Unreadable:
        return case
