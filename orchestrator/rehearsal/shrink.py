"""The shortest history that still fails: fewer disturbances, then fewer migrations."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.rehearsal.disturbance import Disturbance
from orchestrator.rehearsal.play import Played, play
from orchestrator.rehearsal.rehearsed import Rehearsed

MOST_TRIES = 60


def shrink(rehearsed: Rehearsed, failed: Played) -> tuple[Rehearsed, Played]:
    """Return the smallest rehearsal found that violates the same rule, and what came of it.

    Args:
        rehearsed: what was played.
        failed: a play with a violation.
    """
    rule = failed.violations[0].rule
    tries = 0

    def fails(of: Rehearsed, with_: Sequence[Disturbance]) -> Played | None:
        nonlocal tries
        tries += 1
        played = play(of, failed.seed, with_)
        return played if any(one.rule == rule for one in played.violations) else None

    again = True
    while again and tries < MOST_TRIES:
        again = False
        for one in failed.disturbances:
            smaller = fails(rehearsed, [other for other in failed.disturbances if other is not one])
            if smaller is not None:
                failed, again = smaller, True
                break
    for id_ in [migration.id for migration in rehearsed.plan.migrations()]:
        fewer = rehearsed.without(id_)
        if fewer is None:
            break
        kept = [one for one in failed.disturbances if one.whom != id_]
        smaller = fails(fewer, kept)
        if smaller is not None:
            rehearsed, failed = fewer, smaller
    return rehearsed, failed


def replay_command(plan: str, rehearsed: Rehearsed, played: Played) -> str:
    """Return the command that plays the same again.

    Args:
        plan: the plan file, as it is typed.
        rehearsed: what was played, perhaps with fewer migrations than the plan has.
        played: what came of it.
    """
    faults = ",".join(str(one.number) for one in played.disturbances) or "none"
    without = "".join(f" --without {id_}" for id_ in rehearsed.left_out)
    return f"dmsa rehearse {plan} --seed {played.seed} --faults {faults}{without}"
