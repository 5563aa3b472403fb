"""Whether any file at all makes ``dmsa check`` fail, or think for long.

    python -m tests.bench.fuzz --examples 100000 --seed 1

breaks plans, estates and cases in every way of :mod:`tests.planfile.mutations` and gives each file to the function
that ``dmsa check`` is. It must say that the plan is valid, or exit with 3 and say what is wrong and where, within
two seconds. The first file that it does not do this for is made smaller, printed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import typer

from orchestrator.cli.plans import check
from orchestrator.errors import Exit
from tests.bench.table import show
from tests.planfile.mutations import broken

LONGEST = 2.0
"""Seconds of processor time; of the wall's clock, other work on the machine takes its share."""
PROCESSES = 2
SLICE = 500
_PROBLEM = re.compile(r"^\S+:(\d+):(\d+): ", re.MULTILINE)


class Wrong(Exception):
    """The command did not do what it promises."""


@dataclass
class Figures:
    """What a number of examples came to."""

    examples: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    finding: tuple[str, bytes] | None = None

    def add(self, other: Figures) -> None:
        """Take over another's."""
        self.examples += other.examples
        self.seconds += other.seconds
        self.longest = max(self.longest, other.longest)
        self.outcomes += other.outcomes
        self.finding = self.finding or other.finding


def checked(file: Path, as_json: bool) -> set[str]:
    """Run the command on a file; return ``valid``, or the ids of its problems, which only the document tells.

    Raises:
        Wrong: it said nothing of use.
    """
    terminal = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="")
    code = 0
    with contextlib.redirect_stdout(terminal):
        try:
            check([file], json=as_json)
        except typer.Exit as ended:
            code = ended.exit_code
    terminal.seek(0)
    said = terminal.read()
    if code not in (0, Exit.INVALID):
        raise Wrong(f"exit code {code}")
    return _judge_json(said, code) if as_json else _judge_text(said, code)


def _judge_json(said: str, code: int) -> set[str]:
    (plan,) = json.loads(said)["plans"]
    problems = plan["problems"]
    if plan["valid"] is not (code == 0) or bool(problems) is plan["valid"]:
        raise Wrong("exit code and document do not agree")
    for problem in problems:
        if problem["line"] < 1 or problem["column"] < 1 or not problem["id"] or not problem["message"]:
            raise Wrong(f"a problem without position, id or message: {problem}")
    return {problem["id"] for problem in problems} or {"valid"}


def _judge_text(said: str, code: int) -> set[str]:
    if code == 0:
        if ": valid; " not in said:
            raise Wrong("exit code 0, and nothing is said to be valid")
        return {"valid"}
    positions = [(int(line), int(column)) for line, column in _PROBLEM.findall(said)]
    if not positions or positions != sorted(positions):
        raise Wrong(f"no positions, or in no order: {positions[:5]}")
    hostile = next((character for character in said if not character.isprintable() and character not in "\n\t"), None)
    if hostile is not None:
        raise Wrong(f"U+{ord(hostile):04X} is written to the terminal")
    return {"refused, as text"}


def judged(raw: bytes, file: Path, as_json: bool) -> tuple[set[str], float, str | None]:
    """Return what came out, the seconds it took, and what is wrong about it."""
    file.write_bytes(raw)
    began = time.process_time()
    try:
        outcomes = checked(file, as_json)
    except Exception:  # noqa: BLE001 - whatever it is, it is the finding
        return {"finding"}, time.process_time() - began, traceback.format_exc(limit=-3)
    took = time.process_time() - began
    return outcomes, took, f"it took {took:.1f} s" if took > LONGEST else None


def examine(first: int, count: int) -> Figures:
    """Check the examples of some seeds, up to the first finding."""
    figures = Figures()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan.yaml"
        for seed in range(first, first + count):
            raw, as_json = broken(random.Random(seed)), seed % 2 == 0
            outcomes, took, wrong = judged(raw, file, as_json)
            figures.examples += 1
            figures.longest = max(figures.longest, took)
            figures.outcomes.update(outcomes)
            if wrong is not None:
                last = wrong.splitlines()[-1]
                small = smaller(raw, lambda raw, a=as_json, w=last: _same_finding(raw, file, a, w))  # type: ignore[misc]
                figures.finding = (f"seed {seed}\n{wrong}", small)
                break
    figures.seconds = time.perf_counter() - began
    return figures


def _same_finding(raw: bytes, file: Path, as_json: bool, last: str) -> bool:
    wrong = judged(raw, file, as_json)[2]
    return wrong is not None and wrong.splitlines()[-1].split(":")[0] == last.split(":")[0]


def smaller(raw: bytes, still_wrong: Callable[[bytes], bool]) -> bytes:
    """Take out lines, then characters, as long as it stays wrong."""
    for separator in (b"\n", b""):
        parts = raw.split(separator) if separator else [raw[at : at + 1] for at in range(len(raw))]
        size = max(1, len(parts) // 2)
        while True:
            for start in reversed(range(0, len(parts), size)):
                fewer = parts[:start] + parts[start + size :]
                if still_wrong(separator.join(fewer)):
                    parts = fewer
            if size == 1:
                break
            size //= 2
        raw = separator.join(parts)
    return raw


def _slices(first: int, examples: int) -> Iterator[tuple[int, int]]:
    for start in range(0, examples, SLICE):
        yield first + start, min(SLICE, examples - start)


def main() -> int:
    """Print the figures; return 1 if there is a finding."""
    parser = argparse.ArgumentParser(description="Fuzz dmsa check.")
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    total = Figures()
    began = time.perf_counter()
    with ProcessPoolExecutor(PROCESSES) as pool:
        slices = list(zip(*_slices(given.seed * 10**9, given.examples), strict=True))
        for figures in pool.map(examine, *slices):
            total.add(figures)
            if total.finding:
                pool.shutdown(cancel_futures=True)
                break
    rows = [(total.examples, time.perf_counter() - began, total.longest, total.outcomes["valid"])]
    show(f"fuzz: dmsa check, seed {given.seed}", ("examples", "seconds", "longest, s", "valid"), rows)
    show("files with an outcome; a file may have several", ("outcome", "files"), total.outcomes.most_common())
    if total.finding is None:
        return 0
    wrong, raw = total.finding
    print(f"FINDING, {wrong}\nsmallest input: {raw!r}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
