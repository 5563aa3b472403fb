"""What a programme costs as it grows: time and memory for each migration, however many there are.

    python -m tests.bench.growth
    python -m tests.bench.growth --sizes 100 1000 --times 1

Plans of a hundred to ten thousand migrations on three hosts each, and journals in which these stand in every phase
(:mod:`tests.bench.grown`). Each measurement is a process of its own, several times by turns; shown is the median, and
the most memory of any. ``parse`` is PyYAML's C loader on the same file: as a program that calls ``yaml.load`` gets it,
and with the cycle collector off, as the loader has it. ``load`` is ``load_plan``, in process. ``admissible`` is asked
again after each of many events; ``turn`` is what a turn of the conductor's agenda costs after one. ``replay`` folds
every row, as a runner's start does; ``check``, ``status`` and ``report`` are whole processes, with starting Python.
Seconds are of processor time, but for those of ``admissible`` and ``turn``.
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

import yaml

from orchestrator.cli.recalled import folded, recalled
from orchestrator.conductor.agenda import Agenda
from orchestrator.engine.waves import admissible, asked_anew
from orchestrator.journal import open_journal
from orchestrator.model.event import LedgerRead
from orchestrator.model.lifecycle import Phase
from orchestrator.planfile import load_plan
from tests.bench import grown
from tests.bench.process import ROOT, command, most
from tests.bench.table import show

SIZES = (100, 300, 1_000, 3_000, 10_000)
ASKED = 200
Figures = dict[str, float]


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
    anew = _processor(lambda: asked_anew(run, plan, at))
    first = _processor(lambda: admissible(run, plan, at))
    ids = [id_ for id_, state in run.migrations.items() if state.phase is Phase.RESTARTED]
    agenda = Agenda(plan, [migration.id for migration in plan.migrations()])
    list(agenda.worth_a_look(run, at))
    asked, turned = [], []
    for number in range(ASKED):
        at += timedelta(seconds=1)
        run.apply(LedgerRead(migration=ids[number % len(ids)], principals=(), hosts_present=(), sha256="5" * 64), at)
        asked.append(_wall(lambda at=at: admissible(run, plan, at)))  # type: ignore[misc]
        turned.append(_wall(lambda at=at: list(agenda.worth_a_look(run, at))))  # type: ignore[misc]
    return {
        "anew": anew,
        "first": first,
        "admissible": statistics.median(asked),
        "admissible, 99 of 100": sorted(asked)[int(ASKED * 0.99)],
        "turn": statistics.median(turned),
        "admission, MiB": most(),
    }


ALONE: dict[str, Callable[[Path], Figures]] = {
    "parse": _parse,
    "load": _load,
    "replay": _replay,
    "admission": _admission,
}


def _processor(work: Callable[[], object]) -> float:
    """Return the seconds of processor time."""
    began = time.process_time()
    made = work()
    took = time.process_time() - began
    del made
    return took


def _wall(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


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
        *("migrations", "rows", "replay, us a row", "status, s", "us each", "each rule of each, us each"),
        *("`admissible` after an event, ms", "99 of 100, ms", "a turn of the agenda, ms"),
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
        *(one["anew"] / size * 1e6, one["admissible"] * 1e3, one["admissible, 99 of 100"] * 1e3, one["turn"] * 1e3),
        *told,
    )


def _show_memory(title: str, everything: list[Figures]) -> None:
    names = ("load", "check", "replay", "admission", "status", "status, JSON", "report")
    rows = [
        (int(one["size"]), *(round(one[key]) if (key := f"{name}, MiB") in one else "-" for name in names))
        for one in everything
    ]
    show(title, ("migrations", *(f"{name}, MiB" for name in names)), rows)


if __name__ == "__main__":
    main()
