"""How a rehearsal ended, in the words of its report: each migration completed or with its reason, each wave in sum."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.engine.outcome import waiting_of
from orchestrator.engine.waves import admissible
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.rehearsal.invariants import Invariants
from orchestrator.rehearsal.play import Played
from orchestrator.views.rehearsal import End, WaveEnd


def ends(played: Played) -> Iterator[End]:
    """Yield where each migration stands, in the order of the plan."""
    plan = played.world.plan
    answers = admissible(played.state, plan, played.ended)
    asked_back = _judge(played).asked_back
    for migration in plan.migrations():
        state = played.state[migration.id]
        word = asked_back(migration.id) if state.intention is Intention.BACK else None
        back = (word.by, word.reason) if word else None
        yield End(migration, state, waiting_of(state, answers[migration.id]), back)


def wave_ends(played: Played) -> Iterator[WaveEnd]:
    """Yield each wave."""
    for wave in played.world.plan.waves:
        states = [played.state[migration.id] for migration in wave.migrations]
        forward = [state.phase for state in states if state.intention is Intention.FORWARD]
        tally = _judge(played).waves.tallies[wave.name]
        yield WaveEnd(
            name=wave.name,
            migrations=len(states),
            completed=forward.count(Phase.COMPLETED),
            rolled_back=sum(state.phase is Phase.ROLLED_BACK for state in states),
            failed=sum(state.failure == "failed" for state in states),
            refused=sum(state.failure == "refused" for state in states),
            allowed=tally.budget,
            most_failed=tally.most,
        )


def _judge(played: Played) -> Invariants:
    assert played.world.invariants is not None, "whoever plays is judged"
    return played.world.invariants
