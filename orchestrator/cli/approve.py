"""``approve``: people agree that a wave begins, that it is completed, and that a guard is done without."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestrator.cli.options import (
    DEFAULT_JOURNAL,
    As,
    JournalPlace,
    MirrorPlace,
    Only,
    PlanFile,
    Reason,
    Verbose,
    as_typed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.cli.approving import Word
    from orchestrator.model.event import Event
    from orchestrator.model.run import RunState


def approve(
    plan: PlanFile,
    wave: Annotated[str | None, typer.Option("--wave", metavar="W", help="The wave; with --gate.")] = None,
    gate: Annotated[
        Literal["start", "complete"] | None, typer.Option("--gate", help="Before Start, or before Complete.")
    ] = None,
    waivers: Annotated[
        bool, typer.Option("--waivers", help="The waivers that name you, instead; --only narrows that.")
    ] = False,
    only: Only = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="Sign with this Ed25519 private key (OpenSSH or PEM)."),
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take your own approval back.")] = False,
    reason: Reason = "",
    as_: As = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    verbose: Verbose = False,
) -> None:
    """Approve that the migrations of a wave are admitted to Start, or to Complete; or the waivers that name you.

    It counts for the plan as it is now, for as long as policy.approvals.valid_for says, and never for who runs the
    plan. Where the plan names public keys it must be signed. A runner hears it at once.

    Exit codes: 0 approved, or nobody needs to; 3 plan, wave or key file cannot be used; 4 refused, nothing was written.

    Example: dmsa approve plans/erp.yaml --wave main --gate start --reason "CHG0031337 is approved"
    """
    from orchestrator.cli.approving import Desk
    from orchestrator.cli.backwards import append_words
    from orchestrator.cli.logs import configure
    from orchestrator.cli.selection import principal, select, speaker
    from orchestrator.cli.signing import Signer
    from orchestrator.planfile import load_plan

    _refuse_mixture(wave, gate, waivers=waivers, only=only, key=key, withdraw=withdraw)
    configure(verbose, "console")
    loaded = load_plan(plan)
    desk = Desk(
        loaded=loaded,
        by=speaker(loaded.plan, as_),
        principal=principal() if as_ is None else None,
        reason=reason,
        signer=Signer.of(key) if key else None,
        typed=as_typed(plan, journal, mirror),
    )
    about: list[Word] = []

    def words(state: RunState) -> Sequence[Event]:
        about[:] = desk.waivers(state, select(loaded.plan, only), withdraw=withdraw) if waivers else []
        if wave is not None and gate is not None:
            about[:] = desk.gate(state, wave, gate, withdraw=withdraw)
        return [word.event for word in about if word.event is not None]

    state = append_words(journal, loaded.plan.name, lambda found: list(words(found)), mirror)
    for word in about:
        desk.say(word, state)


def _refuse_mixture(
    wave: str | None, gate: str | None, *, waivers: bool, only: str | None, key: Path | None, withdraw: bool
) -> None:
    if waivers == (wave is not None or gate is not None) or (not waivers and (wave is None or gate is None)):
        raise typer.BadParameter("say what: `--wave W --gate start|complete`, or `--waivers [--only M]`")
    if only is not None and not waivers:
        raise typer.BadParameter("--only goes with --waivers; a gate is that of a whole wave")
    if key is not None and withdraw:
        raise typer.BadParameter("--key does not go with --withdraw: taking an approval back needs no key")
