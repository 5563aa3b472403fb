"""What a programme costs as it grows: time and memory for each migration, however many there are.

    python -m tests.bench.growth
    python -m tests.bench.growth --sizes 100 1000 --times 1

Plans of a hundred to ten thousand migrations on three hosts each, and journals in which these stand in every phase
(:mod:`tests.bench.grown`). Each measurement is a process of its own, several times by turns; shown is the median, and
the most memory of any. ``parse`` is PyYAML's C loader on the same file: as a program that calls ``yaml.load`` gets it,
and with the cycle collector off, as the loader has it. ``load`` is ``load_plan``, in process. ``admissible`` is asked
for the first time, again after each of many events, and, the same plan with a window for every wave, at the moments at
which that opens or closes; the cycle collector is on, as in a program, and has walked once over what was read, which is
told by itself. ``turn`` is what a turn of the conductor's agenda costs after an event. ``replay`` folds every row, as a
runner's start does; ``check``, ``status`` and ``report`` are whole processes, with starting Python. Seconds are of
processor time, but where it says wall.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import yaml

from orchestrator.cli.recalled import folded, recalled
from orchestrator.conductor.agenda import Agenda
from orchestrator.engine.waves import admissible, asked_anew
from orchestrator.journal import open_journal
from orchestrator.model.event import LedgerRead
from orchestrator.model.lifecycle import Phase
from orchestrator.model.plan import Plan, Window
from orchestrator.planfile import load_plan
from tests.bench import grown
from tests.bench.process import ROOT, command, most
from tests.bench.table import show

SIZES = (100, 300, 1_000, 3_000, 10_000)
ASKED, EDGES = 1_000, 40
HOUR = timedelta(hours=1)
Figures = dict[str, float]
Result = TypeVar("Result")


def main() -> None:
    """Print the tables, or measure one thing and print that."""
    parser = argparse.ArgumentParser(description="What a programme costs as it grows.")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--no-report", action="store_true", help="Leave out what takes longest.")
    parser.add_argument("--keep", type=Path, help="Make plans and journals in this folder, or measure those there.")
    parser.add_argument("--alone", choices=sorted(ALONE), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        print(json.dumps(ALONE[given.alone](given.keep)))
        return
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        everything = [_measured(given.keep or Path(folder), size, given) for size in given.sizes]
    load = f"load {os.getloadavg()[0]:.1f}"
    _show_plan(f"growth: a plan of three hosts each, {load}", everything)
    _show_run(f"growth: a run in every phase, {load}", everything)
    _show_admission(f"growth: who may move, processor time in ms, {load}", everything)
    _show_memory("growth: memory", everything)
    took = os.times()
    spent = took.user + took.system + took.children_user + took.children_system
    print(f"All of it took {spent:.0f} s of processor time, {time.perf_counter() - began:.0f} s on the clock.")


def _measured(folder: Path, size: int, given: argparse.Namespace) -> Figures:
    place = folder / str(size)
    if not (place / "j.db").exists():
        plan = grown.plan_file(place, size)
        grown.journal_file(place, plan, size)
    plan, journal = place / "p.yaml", ("--journal", str(place / "j.db"))
    whole = {
        "check": ("check", str(plan)),
        "status": ("status", str(plan), *journal),
        "status, JSON": ("status", str(plan), *journal, "--json"),
    }
    found: dict[str, list[float]] = {"size": [size]}
    for _ in range(given.times):
        for name in ALONE:
            for key, value in _alone(name, place).items():
                found.setdefault(key, []).append(value)
        for name, words in whole.items():
            _command(name, words, place, found)
    if not given.no_report:
        page = place / "report.html"
        _command("report", ("report", str(plan), *journal, "-o", str(page)), place, found)
        found["report, bytes"] = [page.stat().st_size]
    return {key: max(values) if key.endswith("MiB") else statistics.median(values) for key, values in found.items()}


def _alone(name: str, place: Path) -> Figures:
    """Return what a process of its own measures."""
    words = ["-m", "tests.bench.growth", "--alone", name, "--keep", str(place)]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    told: Figures = json.loads(done.stdout)
    return told


def _command(name: str, words: tuple[str, ...], place: Path, found: dict[str, list[float]]) -> None:
    """Run the product's own command, and put down what its process took."""
    seconds, highest = command(words, place / "out")
    found.setdefault(name, []).append(seconds)
    found.setdefault(f"{name}, MiB", []).append(highest)


# What is measured in a process of its own.


def _parse(place: Path) -> Figures:
    text = (place / "p.yaml").read_text(encoding="utf-8")
    as_it_is = _processor(lambda: yaml.load(text, yaml.CSafeLoader))
    gc.disable()
    return {"parse": as_it_is, "parse, no collector": _processor(lambda: yaml.load(text, yaml.CSafeLoader))}


def _load(place: Path) -> Figures:
    took = _processor(lambda: load_plan(place / "p.yaml"))
    return {"load": took, "load, MiB": most()}


def _replay(place: Path) -> Figures:
    gc.disable()
    with closing(open_journal(place / "j.db", create=False)) as journal:
        head = journal.head()
        took = _processor(lambda: folded(journal, "p", head))
    return {"rows": head, "replay": took, "replay, MiB": most()}


def _admission(place: Path) -> Figures:
    plan = load_plan(place / "p.yaml").plan
    with closing(open_journal(place / "j.db", create=False)) as journal:
        run, _ = recalled(journal, "p")
    at = run.last_at
    assert at is not None
    walked = _processor(gc.collect)
    first = _processor(lambda: admissible(run, plan, at))
    anew = _processor(lambda: asked_anew(run, plan, at))
    ids = [id_ for id_, state in run.migrations.items() if state.phase is Phase.RESTARTED]
    agenda = Agenda(plan, [migration.id for migration in plan.migrations()])
    list(agenda.worth_a_look(run, at))
    asked, turned = _Took(), _Took()
    for number in range(ASKED):
        at += timedelta(seconds=1)
        run.apply(LedgerRead(migration=ids[number % len(ids)], principals=(), hosts_present=(), sha256="5" * 64), at)
        asked.by(lambda at=at: admissible(run, plan, at))  # type: ignore[misc]
        turned.by(lambda at=at: list(agenda.worth_a_look(run, at)))  # type: ignore[misc]
    return {
        "collector": walked,
        "first": first,
        "anew": anew,
        "admissible": asked.of_100(50),
        "admissible, 99 of 100": asked.of_100(99),
        "admissible, wall": asked.of_100(50, asked.wall),
        "admissible, 99 of 100, wall": asked.of_100(99, asked.wall),
        "turn": turned.of_100(50),
        "admission, MiB": most(),
    }


def _edges(place: Path) -> Figures:
    """Return what it costs when the windows of all waves open or close at once, in turns."""
    plan = _with_windows(load_plan(place / "p.yaml").plan)
    with closing(open_journal(place / "j.db", create=False)) as journal:
        run, _ = recalled(journal, "p")
    at = run.last_at
    assert at is not None
    gc.collect()
    plan.needs_of(plan.waves[0]), plan.policy_of(next(plan.migrations()).id)  # both build an index once
    first = _processor(lambda: admissible(run, plan, at))
    anew = _processor(lambda: asked_anew(run, plan, at))
    edges, others = _Took(), 0
    at = at.replace(hour=12, minute=0, second=0, microsecond=0)
    while len(edges.processor) < EDGES:
        at += HOUR
        before = admissible(run, plan, at - timedelta(microseconds=1))
        if at.hour in {OPENS, CLOSES}:
            answers = edges.by(lambda at=at: admissible(run, plan, at))  # type: ignore[misc]
            others = max(others, sum(answers[id_] != before[id_] for id_ in answers))
    return {
        "windows, first": first,
        "windows, anew": anew,
        "edge": edges.of_100(50),
        "edge, least": min(edges.processor),
        "edge, most": max(edges.processor),
        "edge, wall": edges.of_100(50, edges.wall),
        "edge, others": others,
    }


OPENS, CLOSES = 22, 4


def _with_windows(plan: Plan) -> Plan:
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    window = Window(days=days, open=f"{OPENS:02d}:00", close=f"{CLOSES:02d}:00", zone="UTC")
    waves = tuple(wave.model_copy(update={"window": window}) for wave in plan.waves)
    return Plan.model_construct(**{**dict(plan), "waves": waves})


class _Took:
    """What each of many calls took, in processor time and by the clock on the wall."""

    def __init__(self) -> None:
        self.processor: list[float] = []
        self.wall: list[float] = []

    def by(self, work: Callable[[], Result]) -> Result:
        """Do it once more."""
        processor, wall = time.process_time(), time.perf_counter()
        made = work()
        self.wall.append(time.perf_counter() - wall)
        self.processor.append(time.process_time() - processor)
        return made

    def of_100(self, number: int, of: list[float] | None = None) -> float:
        """Return what so many of a hundred did not exceed, in processor time or *of* another."""
        found = sorted(self.processor if of is None else of)
        return found[len(found) * number // 100]


ALONE: dict[str, Callable[[Path], Figures]] = {
    "parse": _parse,
    "load": _load,
    "replay": _replay,
    "admission": _admission,
    "edges": _edges,
}


def _processor(work: Callable[[], object]) -> float:
    """Return the seconds of processor time."""
    began = time.process_time()
    made = work()
    took = time.process_time() - began
    del made
    return took


# What is shown.


def _show_plan(title: str, everything: list[Figures]) -> None:
    head = (
        *("migrations", "parse, s", "parse without collector, s", "load and check, s", "ratio"),
        *("ratio without collector", "load, us each", "`dmsa check` whole, s", "us each"),
    )
    show(title, head, [_plan_row(one) for one in everything])


def _plan_row(one: Figures) -> tuple[object, ...]:
    size, parse, bare, load = one["size"], one["parse"], one["parse, no collector"], one["load"]
    return (
        *(int(size), parse, bare, load, load / parse, load / bare, load / size * 1e6),
        *(one["check"], one["check"] / size * 1e6),
    )


def _show_run(title: str, everything: list[Figures]) -> None:
    head = (
        *("migrations", "rows", "replay, us a row", "status, s", "us each"),
        *("report, s", "ms each", "bytes each"),
    )
    show(title, head, [_run_row(one) for one in everything])


def _run_row(one: Figures) -> tuple[object, ...]:
    size, report = one["size"], one.get("report")
    told: tuple[object, ...] = ("-", "-", "-")
    if report is not None:
        told = (report, report / size * 1e3, round(one["report, bytes"] / size))
    return (
        *(int(size), int(one["rows"]), one["replay"] / one["rows"] * 1e6, one["status"], one["status"] / size * 1e6),
        *told,
    )


def _show_admission(title: str, everything: list[Figures]) -> None:
    names = {
        "each rule of each": "anew",
        "first call": "first",
        "after an event": "admissible",
        "99 of 100": "admissible, 99 of 100",
        "wall": "admissible, wall",
        "99 of 100, wall": "admissible, 99 of 100, wall",
        "a turn of the agenda": "turn",
        "with windows: each rule of each": "windows, anew",
        "first call with windows": "windows, first",
        "edge of all windows": "edge",
        "least": "edge, least",
        "most": "edge, most",
        "edge, wall": "edge, wall",
        "the collector, once": "collector",
    }
    rows = [
        (int(one["size"]), *(one[key] * 1e3 for key in names.values()), int(one["edge, others"])) for one in everything
    ]
    show(title, ("migrations", *names, "other answers at an edge"), rows)


def _show_memory(title: str, everything: list[Figures]) -> None:
    names = ("load", "check", "replay", "admission", "status", "status, JSON", "report")
    rows = [
        (int(one["size"]), *(round(one[key]) if (key := f"{name}, MiB") in one else "-" for name in names))
        for one in everything
    ]
    show(title, ("migrations", *(f"{name}, MiB" for name in names)), rows)


if __name__ == "__main__":
    main()
