"""``rehearse``: the whole plan on a simulated estate in this process, with whatever a seed lets go wrong."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import Json, PlanFile, Verbose

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.errors import Exit
    from orchestrator.planfile import Loaded
    from orchestrator.rehearsal.bad_hosts import BadHost
    from orchestrator.rehearsal.play import Played
    from orchestrator.rehearsal.rehearsed import Rehearsed
    from orchestrator.views.working import Work


def rehearse(
    plan: PlanFile,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides everything: the same again gives the same.")] = 1,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds, from --seed on.")] = 1,
    faults: Annotated[
        str, typer.Option("--faults", metavar="LIST|none|all", help="What goes wrong: kinds, or numbers of the draw.")
    ] = "none",
    bad_hosts: Annotated[
        str | None,
        typer.Option("--bad-hosts", metavar="SHARE", help="How many of the plan's hosts are bad: 5%, or a count."),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="DMSA", help="Leave a migration out; may be repeated.")
    ] = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Play the whole plan through, weeks included, on a simulated estate in seconds; nothing real is touched.

    A plan for a lab is played on its estate file, any other on an ordinary estate drawn up from what it names. Without
    faults it ends as `run` would; with faults an operator is simulated too, who mends and releases what is held. Bad
    hosts do not answer, are too old, refuse the switch, lose it again: what they hold up stays held, with its reason.

    Exit codes: 0 everything has ended, 4 something is held, 7 something waits, 1 what must never be has happened.

    Example: dmsa rehearse plans/programme.yaml --bad-hosts 5%
    """
    from orchestrator.cli.logs import configure
    from orchestrator.planfile import load_plan
    from orchestrator.rehearsal.stage import staged
    from orchestrator.views.output import say_document
    from orchestrator.views.working import working

    configure(verbose, "console", least=logging.CRITICAL)  # runners freeze and die here on purpose; the seed tells it
    loaded = load_plan(plan)
    rehearsed = _without(staged(loaded), without or [])
    asked = _Asked(plan, rehearsed, faults, bad_hosts)
    with working("rehearsing", quiet=json) as work:
        shown = [_one(asked, number, work, quiet=json) for number in range(seed, seed + seeds)]
    code = _worst(shown)
    if json:
        say_document(_document(loaded, asked, shown, code))
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


@dataclass(frozen=True)
class _Asked:
    """What is to be rehearsed, as it was typed."""

    plan: Path
    rehearsed: Rehearsed
    faults: str
    bad_hosts: str | None

    def again(self, on: Rehearsed, played: Played) -> str:
        """Return the command that plays the same again, perhaps with fewer migrations."""
        from orchestrator.rehearsal.shrink import replay_command

        bad = f" --bad-hosts {self.bad_hosts}" if self.bad_hosts else ""
        return replay_command(str(self.plan), on, played) + bad


@dataclass(frozen=True)
class _Shown:
    """What came of one seed, on what, and with which bad hosts."""

    rehearsed: Rehearsed
    bad: tuple[BadHost, ...]
    played: Played


def _one(asked: _Asked, seed: int, work: Work, *, quiet: bool) -> _Shown:
    from orchestrator.rehearsal.bad_hosts import with_bad_hosts
    from orchestrator.rehearsal.disturbance import draw, selected
    from orchestrator.rehearsal.play import play
    from orchestrator.views.output import say

    rehearsed = asked.rehearsed
    bad: tuple[BadHost, ...] = ()
    try:
        drawn = selected(draw(rehearsed.whole.plan, rehearsed.spec, seed), asked.faults)
    except ValueError as strange:
        raise typer.BadParameter(f"--faults {asked.faults}: {strange}") from None
    try:
        if asked.bad_hosts is not None:
            rehearsed, bad = with_bad_hosts(rehearsed, asked.bad_hosts, seed)
    except ValueError as strange:
        raise typer.BadParameter(f"--bad-hosts {asked.bad_hosts}: {strange}") from None
    known = {one.id for one in rehearsed.plan.migrations()}
    drawn = tuple(one for one in drawn if not one.whom or one.whom in known)
    work.now(f"rehearsing seed {seed}, rows")
    shown = _Shown(rehearsed, bad, play(rehearsed, seed, drawn, attended=bool(drawn), tell=work.at))
    if not quiet:
        told = _told(asked, shown)
        with work.aside():
            say(told)
    return shown


def _told(asked: _Asked, shown: _Shown) -> str:
    """Return what a person reads of one seed."""
    from orchestrator.model.driven import RunnerTook
    from orchestrator.model.event import Held, Moved, Released, WayBackAsked
    from orchestrator.model.words import ApprovalWithdrawn, Approved
    from orchestrator.views.sentence import sentence
    from orchestrator.views.status import iso

    played = shown.played
    lines = [f"seed {played.seed}", *(f"  bad host: {one}" for one in shown.bad)]
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
    return "\n".join((*lines, *_verdict(asked, shown)))


def _whether(played: Played, one: object) -> str:
    from orchestrator.rehearsal.disturbance import Disturbance

    late = isinstance(one, Disturbance) and one.at and one.number not in played.happened
    return "; everything had ended before" if late else ""


def _verdict(asked: _Asked, shown: _Shown) -> list[str]:
    from orchestrator.cli.rehearse_ends import ends, wave_ends
    from orchestrator.rehearsal.shrink import shrink

    played = shown.played
    if not played.violations:
        lines = [f"  {end.migration.id:<16} {end.sentence}" for end in ends(played)]
        waves = [f"  wave {wave.name:<11} {wave.sentence}" for wave in wave_ends(played)]
        return [*lines, *(waves if len(waves) > 1 else ()), "Every invariant held at every step."]
    on, least = shrink(shown.rehearsed, played)
    return [
        "What must never be has happened; this is a defect of the program:",
        *(f"  {violation}" for violation in least.violations),
        "The shortest history that shows it:",
        *(f"  {one}" for one in least.disturbances),
        f"  {asked.again(on, least)}",
    ]


def _exit_of(played: Played) -> Exit:
    from orchestrator.engine.outcome import exit_of
    from orchestrator.errors import Exit

    if played.violations:
        return Exit.DEFECT
    code = exit_of(played.state, played.world.plan)
    return Exit.DONE if code is Exit.FAILED else code  # what the simulated operator rolled back has ended as asked


def _worst(shown: list[_Shown]) -> Exit:
    from orchestrator.errors import PRECEDENCE, Exit

    found = {_exit_of(one.played) for one in shown}
    return next((code for code in PRECEDENCE if code in found), Exit.DONE)


def _say_sum(shown: list[_Shown]) -> None:
    from orchestrator.views.output import say

    broken = [str(one.played.seed) for one in shown if one.played.violations]
    end = f"violated by {', '.join(broken)}" if broken else "every invariant held at every step of each"
    say(f"{len(shown):,} seeds: {end}.")


def _document(loaded: Loaded, asked: _Asked, shown: list[_Shown], code: Exit) -> dict[str, object]:
    return {
        "plan": loaded.plan.name,
        "digest": loaded.digest,
        "faults": asked.faults,
        "bad_hosts": asked.bad_hosts,
        "exit": int(code),
        "seeds": [_seed(asked, one) for one in shown],
    }


def _seed(asked: _Asked, shown: _Shown) -> dict[str, object]:
    from orchestrator.cli.rehearse_ends import ends, wave_ends
    from orchestrator.views.rehearsal import seed_document

    played = shown.played
    return seed_document(
        seed=played.seed,
        ends=tuple(ends(played)),
        waves=tuple(wave_ends(played)),
        violations=[(one.rule, one.about, one.sentence) for one in played.violations],
        faults=[
            (one.number, one.kind, one.sentence, one.number in played.happened if one.at else None)
            for one in played.disturbances
        ],
        bad_hosts=[(one.host, one.kind, one.sentence) for one in shown.bad],
        span=(played.began, played.ended),
        counts=(played.processes, played.rows),
        again=asked.again(shown.rehearsed, played),
    )
