"""Runs as somebody meets them on a terminal, each by its name: where it stands, and what happened last."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.model.state import Hold, HostProgress, Waiting
from orchestrator.views.along import Along
from tests.engine.runs import AT, attempt, back, failed, flying, later, plan, run
from tests.engine.runs import at as stands

MONDAY = {"days": ["mon"], "open": "10:00", "close": "16:00", "zone": "UTC"}
"""Open at AT, a Monday noon."""
WEEKEND = {**MONDAY, "days": ["sat"]}


@dataclass(frozen=True)
class Scene:
    """A run as it stands."""

    plan: Plan
    state: RunState
    at: datetime | None = AT
    latest: str = ""
    chosen: Collection[str] | None = None

    @property
    def along(self) -> Along:
        """Return the same for whoever reads along."""
        self.state.last_at = self.at
        along = Along(self.plan, self.chosen)
        along.begin(self.state)
        along.ask(self.at)
        return along


def hosts(plan_: Plan, id_: str, count: int) -> Plan:
    """Return the plan with so many hosts for one migration."""
    waves = []
    for wave in plan_.waves:
        migrations = [
            one
            if one.id != id_
            else one.model_copy(
                update={
                    "hosts": tuple(
                        one.hosts[0].model_copy(update={"name": f"app0{n}.corp.example"}) for n in range(1, count + 1)
                    )
                }
            )
            for one in wave.migrations
        ]
        waves.append(wave.model_copy(update={"migrations": tuple(migrations)}))
    return plan_.model_copy(update={"waves": tuple(waves)})


def open_at(*names: str) -> dict[str, object]:
    return {name: replace(attempt(Trigger.RESTART)) for name in names}


def hold(reason: str, detail: str, release: str = "`dmsa release PLAN --only dmsa-web --reason TEXT`") -> Hold:
    return Hold(reason, detail, release, AT)


def waits(what: str, until: datetime | None, detail: str = "") -> dict[str, Waiting]:
    return {"directory": Waiting(what, until, detail)}


NAMES = ("dmsa-report", "dmsa-web", "dmsa-queue")
TWO = {"ids": NAMES, "window": MONDAY}, {"ids": ("dmsa-erp",)}


def moving() -> Scene:
    """One whose hosts are restarted, one that waits for a copy, one in the directory; a wave that waits for them."""
    two = hosts(plan(*TWO), "dmsa-web", 5)
    apps = [f"app0{n}.corp.example" for n in range(1, 6)]
    web = flying(
        Phase.REGISTERED,
        Trigger.START,
        done=frozenset(apps[:1]),
        open=open_at(*apps[1:4]),
        hosts={name: HostProgress(registry="set") for name in apps},
    )
    dc = {
        "directory": replace(attempt(), started=attempt().started.model_copy(update={"endpoint": "dc01.corp.example"}))
    }
    states = {
        "dmsa-report": flying(Phase.STARTED, waits=waits("replication", later(hours=12))),
        "dmsa-web": web,
        "dmsa-queue": flying(Phase.PREPARED, open=dc),
    }
    return Scene(two, run(**states), later(hours=1), "dmsa-web: restart: Restart-Service Web on app04.corp.example")


def gates() -> Scene:
    """Everything that waits to be admitted: for a window, for people, for another wave, for a place."""
    four = plan(
        {"ids": ("dmsa-a",), "window": WEEKEND},
        {"ids": ("dmsa-b", "dmsa-c"), "needs": [], "approvals": {"start": 2}},
        {"ids": ("dmsa-d",)},
        {"ids": ("dmsa-e", "dmsa-f"), "needs": [], "at_once": 1},
    )
    prepared = {f"dmsa-{letter}": stands(Phase.PREPARED) for letter in "abcf"}
    found = run(**prepared, **{"dmsa-e": flying(Phase.LINKED, Trigger.START)})
    found.driver = "CORP\\anna"
    return Scene(four, found, latest="at rest: 1 waits for window until 2026-03-07T10:00:00Z")


def troubles() -> Scene:
    """Held, failed, waiting and going back: four things that never look alike."""
    five = plan(
        {"ids": ("dmsa-held", "dmsa-failed", "dmsa-waits", "dmsa-back", "dmsa-moves"), "failures": {"allow": 2}}
    )
    mend = "free the disk, then `dmsa release PLAN --only dmsa-failed --reason TEXT`"
    states = {
        "dmsa-held": stands(
            Phase.RESTARTED, held=hold("operator", "incident 4711", "`dmsa release PLAN --only dmsa-held`")
        ),
        "dmsa-failed": failed(
            Phase.LINKED, held=hold("fault", "app07: the disk is full, and nothing was written", mend)
        ),
        "dmsa-waits": stands(Phase.RESTARTED, waits=waits("dwell", later(days=14))),
        "dmsa-back": back(Phase.UNLINKED, attempt=2),
        "dmsa-moves": flying(Phase.STARTED),
    }
    return Scene(five, run(**states), latest="dmsa-back: reopened -> unlinked")


def chosen() -> Scene:
    """Only one was asked for."""
    scene = moving()
    return replace(scene, chosen=("dmsa-web",), at=AT + timedelta(hours=1))


def ended() -> Scene:
    """Everything is at its end."""
    states = {name: stands(Phase.COMPLETED) for name in (*NAMES, "dmsa-erp")}
    return Scene(plan(*TWO), run(**states), later(days=15), "dmsa-erp: switched -> completed")


def beginning() -> Scene:
    """Nothing was done, and nobody knows what time it is there."""
    return Scene(plan(*TWO), run(), None)


def hostile() -> Scene:
    """What a directory says tries to steer the terminal."""
    bad = "\x1b[2J\x1b[31mall is well\r\n\u202eOK\x07 " + "x" * 90
    held = failed(Phase.LINKED, held=hold("fault", bad, f"type {bad}"))
    one = plan({"ids": ("dmsa-web",)})
    waves = (one.waves[0].model_copy(update={"name": "\x1b]0;mine\x07'w1"}),)
    return Scene(one.model_copy(update={"waves": waves}), run(**{"dmsa-web": held}), latest=bad)


def crowded(count: int = 500) -> Scene:
    """A programme: many that are planned, some of everything else."""
    ids = [f"dmsa-{number:05d}" for number in range(count)]
    size = count // 10
    waves = [
        {"ids": ids[at : at + size], "needs": [], "at_once": 8, "failures": {"allow": "50%"}}
        for at in range(0, count, size)
    ]
    states = {id_: stands(Phase.COMPLETED) for id_ in ids[:size]}
    states |= {id_: flying(Phase.LINKED) for id_ in ids[size : size + 3]}
    states |= {id_: stands(Phase.RESTARTED, waits=waits("dwell", later(days=9))) for id_ in ids[size + 3 : size + 20]}
    states |= {
        id_: stands(Phase.LINKED, held=hold("budget-spent", "too many failed", "mend them, then release this one"))
        for id_ in ids[size + 20 : size + 28]
    }
    broken = ids[size + 28 : size + 32]
    states |= {
        id_: failed(Phase.LINKED, held=hold("fault", f"{id_} broke", f"`dmsa release PLAN --only {id_}`"))
        for id_ in broken
    }
    return Scene(plan(*waves), run(**states), latest=f"{ids[size]}: linked -> registered")


SCENES = {scene.__name__: scene for scene in (beginning, moving, gates, troubles, chosen, ended, hostile, crowded)}
