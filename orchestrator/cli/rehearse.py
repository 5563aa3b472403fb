"""``rehearse``: the whole plan on a simulated estate in this process, with whatever a seed lets go wrong."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import Json, PlanFile, Verbose

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.errors import Exit
    from orchestrator.planfile import Loaded
    from orchestrator.rehearsal.play import Played
    from orchestrator.rehearsal.rehearsed import Rehearsed


def rehearse(
    plan: PlanFile,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides everything: the same again gives the same.")] = 1,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds, from --seed on.")] = 1,
    faults: Annotated[
        str, typer.Option("--faults", metavar="LIST|none|all", help="What goes wrong: kinds, or numbers of the draw.")
    ] = "none",
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="DMSA", help="Leave a migration out; may be repeated.")
    ] = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Play the whole plan through, weeks included, on a simulated estate in seconds; nothing real is touched.

    A plan for a lab is played on its estate file, any other on an ordinary estate drawn up from what it names. Without
    faults it ends as `run` would; with faults an operator is simulated too, who mends and releases what is held.

    Exit codes: 0 everything has ended, 4 something is held, 7 something waits, 1 what must never be has happened.

    Example: dmsa rehearse plans/quickstart.yaml --seeds 20 --faults all
    """
    from orchestrator.cli.logs import configure
    from orchestrator.planfile import load_plan
    from orchestrator.rehearsal.stage import staged
    from orchestrator.views.output import say_document

    configure(verbose, "console", least=logging.CRITICAL)  # runners freeze and die here on purpose; the seed tells it
    loaded = load_plan(plan)
    rehearsed = _without(staged(loaded), without or [])
    shown = [_one(plan, rehearsed, number, faults, quiet=json) for number in range(seed, seed + seeds)]
    code = _worst(shown)
    if json:
        say_document(_document(loaded, faults, plan, rehearsed, shown, code))
    elif seeds > 1:
        _say_sum(shown)
    raise typer.Exit(int(code))


def _without(rehearsed: Rehearsed, names: list[str]) -> Rehearsed:
    from orchestrator.errors import InputInvalid

    for name in names:
        fewer = rehearsed.without(name)
        if fewer is None or fewer.plan.waves == rehearsed.plan.waves:
            raise InputInvalid(f"--without {name}: the plan has no such migration, or no other. Nothing was done.")
        rehearsed = fewer
    return rehearsed


def _one(plan: Path, rehearsed: Rehearsed, seed: int, faults: str, *, quiet: bool) -> Played:
    from orchestrator.rehearsal.disturbance import draw, selected
    from orchestrator.rehearsal.play import play
    from orchestrator.views.output import say

    try:
        drawn = selected(draw(rehearsed.whole.plan, rehearsed.spec, seed), faults)
    except ValueError as strange:
        raise typer.BadParameter(f"--faults {faults}: {strange}") from None
    known = {one.id for one in rehearsed.plan.migrations()}
    drawn = tuple(one for one in drawn if not one.whom or one.whom in known)
    played = play(rehearsed, seed, drawn, attended=bool(drawn))
    if not quiet:
        say(_told(plan, rehearsed, played))
    return played


def _told(plan: Path, rehearsed: Rehearsed, played: Played) -> str:
    """Return what a person reads of one seed."""
    from orchestrator.model.driven import RunnerTook
    from orchestrator.model.event import Held, Moved, Released, WayBackAsked
    from orchestrator.model.words import ApprovalWithdrawn, Approved
    from orchestrator.views.sentence import sentence
    from orchestrator.views.status import iso

    lines = [f"seed {played.seed}"]
    store = (("in store" if one.rule else "at a moment", one) for one in played.disturbances)
    lines += [f"  {when}: {one}{_whether(played, one)}" for when, one in store]
    first = True
    for event, at in played.world.told():
        if isinstance(event, RunnerTook):
            if not first:
                lines.append(f"{iso(at)}  a new process takes over")
            first = False
        elif isinstance(event, Approved | ApprovalWithdrawn):
            lines.append(f"{iso(at)}  {'':<16} {sentence(event)}")
        elif isinstance(event, Moved | Held | Released | WayBackAsked):
            lines.append(f"{iso(at)}  {event.migration:<16} {sentence(event)}")
    days = played.lasted.total_seconds() / 86400
    lines.append(
        f"It took {days:,.1f} days of estate time, {played.processes} "
        f"process{'' if played.processes == 1 else 'es'}, {played.rows:,} rows of the journal."
    )
    return "\n".join((*lines, *_verdict(plan, rehearsed, played)))


def _whether(played: Played, one: object) -> str:
    from orchestrator.rehearsal.disturbance import Disturbance

    late = isinstance(one, Disturbance) and one.at and one.number not in played.happened
    return "; everything had ended before" if late else ""


def _verdict(plan: Path, rehearsed: Rehearsed, played: Played) -> list[str]:
    from orchestrator.rehearsal.shrink import replay_command, shrink

    if not played.violations:
        ends = [f"  {one.id:<16} {_standing(played, one.id)}" for one in rehearsed.plan.migrations()]
        return [*ends, "Every invariant held at every step."]
    on, least = shrink(rehearsed, played)
    return [
        "What must never be has happened; this is a defect of the program:",
        *(f"  {violation}" for violation in least.violations),
        "The shortest history that shows it:",
        *(f"  {one}" for one in least.disturbances),
        f"  {replay_command(str(plan), on, least)}",
    ]


def _standing(played: Played, id_: str) -> str:
    """Return where a migration stands in the end, and what it waits for or why it is held."""
    from orchestrator.engine.outcome import waiting_of
    from orchestrator.engine.waves import admissible

    state = played.state[id_]
    if state.held is not None:
        return f"{state.phase}  HELD {state.held.reason}: {state.held.detail}"
    waiting = waiting_of(state, admissible(played.state, played.world.plan, played.ended)[id_])
    return f"{state.phase}  waits for {waiting.waiting_for}: {waiting.detail}" if waiting else f"{state.phase}"


def _exit_of(played: Played) -> Exit:
    from orchestrator.engine.outcome import exit_of
    from orchestrator.errors import Exit

    if played.violations:
        return Exit.DEFECT
    code = exit_of(played.state, played.world.plan)
    return Exit.DONE if code is Exit.FAILED else code  # what the simulated operator rolled back has ended as asked


def _worst(shown: list[Played]) -> Exit:
    from orchestrator.errors import PRECEDENCE, Exit

    found = {_exit_of(played) for played in shown}
    return next((code for code in PRECEDENCE if code in found), Exit.DONE)


def _say_sum(shown: list[Played]) -> None:
    from orchestrator.views.output import say

    broken = [str(played.seed) for played in shown if played.violations]
    end = f"violated by {', '.join(broken)}" if broken else "every invariant held at every step of each"
    say(f"{len(shown):,} seeds: {end}.")


def _document(
    loaded: Loaded, faults: str, plan: Path, rehearsed: Rehearsed, shown: list[Played], code: Exit
) -> dict[str, object]:
    from orchestrator.rehearsal.shrink import replay_command
    from orchestrator.views.rehearsal import seed_document

    return {
        "plan": loaded.plan.name,
        "digest": loaded.digest,
        "faults": faults,
        "exit": int(code),
        "seeds": [
            seed_document(
                seed=played.seed,
                states=[(one, played.state[one.id]) for one in rehearsed.plan.migrations()],
                violations=[(one.rule, one.about, one.sentence) for one in played.violations],
                faults=[
                    (one.number, one.kind, one.sentence, one.number in played.happened if one.at else None)
                    for one in played.disturbances
                ],
                span=(played.began, played.ended),
                counts=(played.processes, played.rows),
                again=replay_command(str(plan), rehearsed, played),
            )
            for played in shown
        ],
    }
