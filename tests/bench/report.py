"""The report of a large programme: how long it takes, how large it is, and how soon a browser shows it.

    python -m tests.bench.report
    python -m tests.bench.report --only built --keep DIR

``built``: the rehearsal of 500 accounts of ``tests.bench.programme`` is played in this process and its journal written
to a file; then the product's own command makes each form of the report, several times. ``opened``: the same of 2,000
accounts on the small estate of ``tests.bench.generate``, and Chromium opens the page: how long until something is
painted, until it is loaded, and until an account in the middle is open and painted. ``--keep`` keeps journals and
reports, and goes on from journals that are there.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import structlog

import tests.world
from orchestrator.journal import Row, line_of, restore, write_export
from orchestrator.planfile import load_plan
from orchestrator.rehearsal.bad_hosts import with_bad_hosts
from orchestrator.rehearsal.play import play
from orchestrator.rehearsal.stage import staged
from tests.bench import generate, programme
from tests.bench.process import command
from tests.bench.table import show

FORMS = ("html", "json", "csv")
CHROMIUM = "/usr/bin/chromium"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="The report of a large programme.")
    parser.add_argument("--only", choices=("built", "opened"))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--opened", type=int, default=2000, metavar="ACCOUNTS")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        place = given.keep or Path(folder)
        if given.only != "opened":
            _built(place / "built", given.times)
        if given.only != "built":
            _opened(place / "opened", given.opened, given.times)


def _built(place: Path, times: int) -> None:
    plan, journal = place / "programme.yaml", place / "journal.db"
    if not journal.exists():
        place.mkdir(parents=True, exist_ok=True)
        plan.write_text(programme.plan(500, 800, 12, approvals=True), encoding="utf-8")
        rehearsed, _ = with_bad_hosts(staged(load_plan(plan)), "5%", 1)
        _written(play(rehearsed, 1, attended=False).world.journal.read(), journal)
    rows = [_measured(plan, journal, place / f"report.{form}", times) for form in FORMS]
    show(
        "the report of the rehearsal of 500 accounts",
        ("form", "rows", "MB", "least, s", "median, s", "processor, s", "peak MiB", "load before"),
        rows,
    )


def _written(rows: Iterable[Row], journal: Path) -> None:
    """Write rows to a journal's file."""
    copy = journal.with_suffix(".jsonl")
    copy.unlink(missing_ok=True)
    write_export(copy, map(line_of, rows))
    restore(copy, journal)
    copy.unlink()


def _measured(plan: Path, journal: Path, file: Path, times: int) -> tuple[object, ...]:
    """Run the command, each time in a process of its own, and return its row."""
    load = os.getloadavg()[0]
    words = ("report", str(plan), "--journal", str(journal), "-o", str(file))
    took, used, highest = [], [], []
    for _ in range(times):
        began = time.perf_counter()
        seconds, memory = command(words, file.with_suffix(".out"))
        took.append(time.perf_counter() - began)
        used.append(seconds)
        highest.append(memory)
    size = file.stat().st_size / 1e6
    rows = _rows(plan, journal)
    return (file.suffix, rows, size, min(took), statistics.median(took), min(used), max(highest), load)


def _rows(plan: Path, journal: Path) -> int:
    shown = [sys.executable, "-m", "orchestrator", "journal", "verify", "--journal", str(journal), "--json"]
    done = subprocess.run(shown, check=True, stdout=subprocess.PIPE, cwd=plan.parent)
    return int(json.loads(done.stdout)["rows"])


def _opened(place: Path, accounts: int, times: int) -> None:
    plan, journal, file = place / "p.yaml", place / "journal.db", place / "report.html"
    if not journal.exists():
        (place / "estates").mkdir(parents=True, exist_ok=True)
        plan.write_text(generate.plan("p", accounts, 2, 6), encoding="utf-8")
        (place / "estates" / "p.yaml").write_text(generate.estate("p", accounts, 2), encoding="utf-8")
        tests.world.ROOT = place
        world = tests.world.World("p.yaml", "estates/p.yaml")
        world.estate.keeps_record = False
        world.run(together=None)
        _written(world.journal.read(), journal)
    built = _measured(plan, journal, file, 1)
    show(
        f"the report of {accounts:,} accounts",
        ("form", "rows", "MB", "least, s", "median, s", "processor, s", "peak MiB", "load before"),
        [built],
    )
    loads = [_loaded(file) for _ in range(times)]
    names = ("first paint, s", "loaded, s", "an account open and painted, s", "JavaScript heap, MiB", "elements")
    show(
        "opened in Chromium, a new one each time; median",
        ("accounts", "load before", *names),
        [(accounts, os.getloadavg()[0], *(statistics.median(one[name] for one in loads) for name in names))],
    )


_PAINTED = """
() => new Promise(done => {
  const all = document.querySelectorAll("details.m"), one = all[Math.floor(all.length / 2)];
  const began = performance.now();
  one.scrollIntoView(); one.open = true;
  requestAnimationFrame(() => requestAnimationFrame(() => done((performance.now() - began) / 1000)));
})
"""


def _loaded(file: Path) -> dict[str, float]:
    """Open the page in a new browser, and return how long that took."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.goto(file.resolve().as_uri())
            times = tab.evaluate(
                "() => [performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0, "
                "performance.getEntriesByType('navigation')[0].loadEventEnd, "
                "performance.memory.usedJSHeapSize, document.querySelectorAll('*').length]"
            )
            opened = tab.evaluate(_PAINTED)
        finally:
            browser.close()
    first, loaded, heap, elements = times
    return {
        "first paint, s": first / 1000,
        "loaded, s": loaded / 1000,
        "an account open and painted, s": opened,
        "JavaScript heap, MiB": heap / 2**20,
        "elements": elements,
    }


if __name__ == "__main__":
    main()
