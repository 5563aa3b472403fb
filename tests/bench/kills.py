"""The kill matrix: the quick start over the real wire, killed at every moment, and then run again.

    python -m tests.bench.kills [--every N] [--minutes N] [--jobs 2] [--back]

A moment is one before or after an append to the journal, or one around a write (:mod:`tests.cli.mortal`). At each of
them a real process is killed -9, on an estate of its own whose endpoints outlive it, and the same command is run again.
It must end as if nothing had happened: the same estate, no write more than the undisturbed run had (so one Start and
one Complete for each account, and no restart twice), a sound journal, and no shell of ours left open on any host.
``--back`` kills the way back of the finished quick start instead. Hold times are hours instead of weeks. After
``--minutes`` no further moment is begun; they are tried in an order that makes what was done a fair sample.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.journal import open_journal
from orchestrator.lab.record import read_estate
from tests.bench.table import show
from tests.cli.desk import COMMAND, PATIENCE, ROOT, hasten, read_plan, writes
from tests.cli.inside import Inside, inside

MORTAL = (sys.executable, "-m", "tests.cli.mortal")
FORWARD = ("run",)
BACK = ("rollback", "--all", "--yes")
ALL = 5
"""The accounts of the quick start."""
MOVING = frozenset({"now", "started", "last_run", "last_result", "events", "pwdLastSet"})
"""What two undisturbed runs differ in: times, and what only happens because time passes."""
NUMBERED = frozenset({"objectGUID", "objectSid"})
"""What the directory numbers: two objects that are created at the same time get theirs in the order of arrival."""
Arrived = Counter[tuple[str, str, str]]


@dataclass(frozen=True)
class End:
    """How a run left things."""

    estate: Any
    arrived: Arrived


@dataclass
class Killed:
    """What became of a run that was killed at one moment. ``wrong``: what is not as it must be; nothing, if all is."""

    at: str
    what: str
    seconds: float
    extra: int = 0
    wrong: list[str] = field(default_factory=list)


@contextmanager
def placed(folder: Path, accounts: int = ALL) -> Iterator[Inside]:
    """Serve the quick start's estate in *folder*, as it stands there, with a plan of all accounts, or of one."""
    with inside(folder) as place:
        if accounts != ALL:
            yield place
            return
        file = folder / "plan.json"
        plan, whole = json.loads(file.read_text(encoding="utf-8")), read_plan("quickstart.yaml")
        hasten(whole)
        file.write_text(json.dumps({**whole, "estate": plan["estate"]}, default=str), encoding="utf-8")
        yield place


def command(place: Inside, verb: tuple[str, ...], program: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run a verb of the program on the plan, to its end."""
    args = (verb[0], str(place.folder / "plan.json"), *verb[1:], "--journal", str(place.folder / "journal.db"))
    return subprocess.run([*program, *args], cwd=ROOT, capture_output=True, text=True, timeout=3 * PATIENCE)


def steady(value: Any, moving: frozenset[str] = MOVING) -> Any:
    """Return a description without what moves by itself."""
    if isinstance(value, dict):
        return {
            name: steady(each, moving | NUMBERED if name.startswith("CN=dmsa-") else moving)
            for name, each in value.items()
            if name not in moving
        }
    return value


def end_of(lab: Path) -> End:
    """Return the estate as its record has it, and how often each write arrived for each thing."""
    arrived = Counter((row["cmdlet"], row["host"], _thing(row["parameters"])) for row in writes(lab))
    return End(steady(read_estate(lab).describe()), arrived)


def _thing(parameters: dict[str, Any]) -> str:
    names = ("SupersededAccount", "Identity", "Name", "LiteralPath", "Path")
    return next((str(parameters[name]) for name in names if name in parameters), "")


def moments(told: Path) -> list[str]:
    """Return what each moment was, in the order in which they passed."""
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    return [line.split("\t", 1)[1] for line in lines]


def undisturbed(folder: Path, verb: tuple[str, ...], accounts: int = ALL) -> tuple[End, list[str]]:
    """Run to the end in *folder*; return how that left things, and at which moments it could have died."""
    with placed(folder, accounts) as place:
        ended = command(place, verb, (*MORTAL, "--at", "0", "--told", str(folder / "told")))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return end_of(folder / "lab"), moments(folder / "told")


def killed(at: str, stage: Path | None, verb: tuple[str, ...], expected: End, accounts: int = ALL) -> Killed:
    """Kill a run at one moment (as :mod:`tests.cli.mortal` names them), run it again, and compare."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "place"
        if stage is None:
            folder.mkdir()
        else:
            copied(stage, folder)
        told = folder / "told-killed"
        with placed(folder, accounts) as place:
            first = command(place, verb, (*MORTAL, "--at", at, "--told", str(told)))
            again = command(place, verb, COMMAND)
            left = place.sessions()
        passed = moments(told)
        died = first.returncode == -signal.SIGKILL
        one = Killed(at, passed[-1] if died else "it ended before", time.monotonic() - began)
        if not died and first.returncode != 0:
            one.wrong.append(f"it was not killed ({first.returncode}): {first.stderr[-500:]}")
        if again.returncode != 0:
            one.wrong.append(f"exit {again.returncode}: {again.stdout[-800:]}{again.stderr[-800:]}")
        if left:
            one.wrong.append(f"shells left open: {left}")
        judge(one, end_of(folder / "lab"), expected)
        with closing(open_journal(folder / "journal.db", create=False)) as journal:
            journal.verify()
    return one


def judge(one: Killed, found: End, expected: End) -> None:
    """Write down what is not as it must be."""
    one.extra = sum((found.arrived - expected.arrived).values())
    if found.arrived != expected.arrived:
        more, less = dict(found.arrived - expected.arrived), dict(expected.arrived - found.arrived)
        one.wrong.append(f"writes too many: {more}, too few: {less}")
    for room in ("directory", "machines"):
        for name, was in expected.estate[room].items():
            if found.estate[room][name] != was:
                differs = {key for key in was if found.estate[room][name].get(key) != was[key]}
                one.wrong.append(f"{name} differs in {sorted(differs)}")


def every(number: int, jobs: int, minutes: float, *, back: bool) -> tuple[int, list[Killed]]:
    """Kill at every *number*-th moment, and print what goes wrong; return how many there are, and what became."""
    verb = BACK if back else FORWARD
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary)
        (base / "forward").mkdir()
        expected, found = undisturbed(base / "forward", FORWARD)
        stage = base / "forward" if back else None
        if stage is not None:
            expected, found = undisturbed(copied(stage, base / "back"), BACK)
        print(f"{len(found)} moments, of which every {number}. is tried", file=sys.stderr)
        one = partial(killed, stage=stage, verb=verb, expected=expected)
        order = list(range(1, len(found) + 1, number))
        random.Random(len(order)).shuffle(order)
        until = time.monotonic() + 60 * minutes
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
            waiting = [pool.submit(one, str(at)) for at in order]
            results = []
            for future in as_completed(waiting):
                if future.cancelled():
                    continue
                results.append(future.result())
                for wrong in results[-1].wrong:
                    print(f"moment {results[-1].at} ({results[-1].what}): {wrong}", file=sys.stderr)
                if time.monotonic() > until:
                    for other in waiting:
                        other.cancel()
    return len(found), sorted(results, key=lambda result: int(result.at))


def copied(stage: Path, folder: Path) -> Path:
    """Return a copy of a place, without what was told of its run."""
    return Path(shutil.copytree(stage, folder, ignore=shutil.ignore_patterns("told*")))


def main() -> None:
    """Print the table; exit with 1 if any moment did not end as if nothing had happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--back", action="store_true")
    options = parser.parse_args()
    moments, results = every(options.every, options.jobs, options.minutes, back=options.back)
    kinds: dict[str, list[Killed]] = defaultdict(list)
    for one in results:
        kinds[one.what.split("\t", maxsplit=1)[0]].append(one)
    kinds["all"] = results
    rows = [
        (
            kind,
            len(them),
            sum(not one.wrong for one in them),
            sum(one.extra for one in them),
            sum(one.seconds for one in them) / len(them),
        )
        for kind, them in kinds.items()
    ]
    way = "back" if options.back else "forward"
    head = ("killed", "points", "reached the undisturbed end", "extra writes", "seconds a point")
    show(f"kill matrix, {way}, {len(results)} of {moments} moments", head, rows)
    raise SystemExit(any(one.wrong for one in results))


if __name__ == "__main__":
    main()
