"""Waves that were run on the simulated estate, with what their domain logged: what a reconciliation is tried on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestrator.expectation import Case, SeenEvent, TimeForm, understood
from orchestrator.expectation.names import User
from orchestrator.model.lifecycle import Way
from orchestrator.planfile import load_plan
from orchestrator.rehearsal.stage import staged as stage
from orchestrator.rehearsal.world import World
from tests.expectation.attacks import Target
from tests.expectation.stream import Event, Recorder

ROOT = Path(__file__).parents[2]
PLANS = (
    *("plans/quickstart.yaml", "plans/shared-host.yaml", "plans/web-farm.yaml", "plans/reboot.yaml"),
    "plans/what-runs-there.yaml",
)


@dataclass(frozen=True)
class Staged:
    """A run, its case, and its events."""

    world: World
    recorder: Recorder
    case: Case
    events: tuple[Event, ...]

    def target(self, id_: str | None = None) -> Target:
        """Return one of its pairs, as somebody would attack it."""
        from tests.expectation.attacks import QUIET

        id_ = id_ or self.world.ids[0]
        attempt = next(
            (event, at) for event, at in self.case.told
            if event.kind == "attempt-started" and event.migration == id_ and event.cmdlet.startswith("Start-AD")
        )  # fmt: skip
        began = attempt[1]
        assert began is not None
        given = attempt[0].parameters
        dc = self.world.plan.estate.directory.server  # type: ignore[union-attr]
        return Target(given["SupersededAccount"], given["Identity"], dc, began + QUIET, began)


@cache
def run(plan: str, way: Way | None = None, seed: int = 0) -> Staged:
    """Run a plan forward, and on a way back; *seed* plays it with an interleaving of its own."""
    rehearsed = stage(load_plan(ROOT / plan))
    world = World(rehearsed, watch=False)
    recorder = Recorder(world)
    world.run(choose=lambda waiting: seed % waiting if waiting else 0, together=None if seed else 1)
    if way is not None:
        from orchestrator.model.event import WayBackAsked

        world.say(*(WayBackAsked(migration=id_, way=way, by="operator") for id_ in world.ids))
        world.run()
    case = Case(
        plan=world.plan,
        ids=tuple(world.ids),
        operators=(User.of(world.principal),),
        run=world.state(),
        told=tuple(world.told()),
    )
    return Staged(world, recorder, case, tuple(recorder.events()))


def seen(events: object) -> list[SeenEvent]:
    """Return events as they are understood."""
    form = TimeForm()
    return [understood(number, event, form) for number, event in enumerate(events, 1)]  # type: ignore[arg-type, var-annotated]
