"""What a verification has found of a run; and whether a migration stood still while it was read."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestrator.errors import Exit
from orchestrator.model.run import RunState
from orchestrator.verification.finding import UNDER_WAY, Finding
from orchestrator.verification.verification import exit_of


@dataclass(frozen=True)
class Verified:
    """Every migration that was looked at, with its findings; ``run`` is what the journal says, ``at`` estate time."""

    run: RunState
    at: datetime | None
    found: Mapping[str, tuple[Finding, ...]]

    @property
    def exit(self) -> Exit:
        """What the command ends with."""
        return exit_of(one for findings in self.found.values() for one in findings)


def stand(run: RunState, id_: str, hosts: Iterable[str]) -> Hashable:
    """Return what must not change while a migration is read: else the reading is of neither before nor after."""
    state = run[id_]
    keys = [name.lower() for name in hosts]
    return (
        *(state.phase, state.intention, state.attempt, state.wish, state.sent, state.done),
        tuple(sorted((subject, one.started.pipeline.hex, one.unsettled) for subject, one in state.open.items())),
        tuple(sorted(state.performed.items())),
        tuple(sorted((name, one.registry) for name, one in state.hosts.items())),
        state.snapshot.sha256 if state.snapshot else None,
        state.repeated.sha256 if state.repeated else None,
        tuple(
            (use.needed_by, run.switches.restoring.get(name)) for name in keys if (use := run.switches.uses.get(name))
        ),
    )


def in_motion(id_: str) -> Finding:
    """Return that a migration moved on each time that it was read."""
    return Finding(
        UNDER_WAY,
        id_,
        "a runner moves it on faster than it can be read",
        "at rest for as long as it takes to read it",
        f"`dmsa verify PLAN --only {id_}` again, once it waits for something (`dmsa status PLAN`)",
    )
