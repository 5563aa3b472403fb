"""What a preflight costs on the wire, beside its floor.

    python -m tests.bench.preflight --accounts 500 --hosts-each 5

The floor, in pipelines of two requests (Command, Receive): one a host, for everything that is asked of it, and one an
account and domain controller, for both objects. A session costs four requests more (Create, twice Receive, Delete).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from tests.bench import generate
from tests.bench.table import show

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Requests of a preflight on the wire beside their floor.")
    parser.add_argument("--accounts", type=int, default=20)
    parser.add_argument("--hosts-each", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        took, counts, rows = _run(Path(folder), given.accounts, given.hosts_each)
    pipelines: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        pipelines[str(row["host"])].add(str(row["pipeline"]))
    hosts = {name: len(found) for name, found in pipelines.items() if not name.startswith("dc")}
    controllers = {name: len(found) for name, found in pipelines.items() if name.startswith("dc")}
    asked, read = sum(hosts.values()), sum(controllers.values())
    floor = given.accounts * len(controllers)
    sessions = Counter(str(row["host"]) for row in {row["shell"]: row for row in rows}.values())
    table = [
        (f"{len(hosts)} hosts", 2 * asked, 2 * len(hosts), asked / len(hosts)),
        (f"directory, {given.accounts} accounts, {len(controllers)} DCs", 2 * read, 2 * floor, read / floor),
        ("sessions", 4 * sessions.total(), 4 * len(pipelines), sessions.total() / len(pipelines)),
    ]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    of_processor = f"{used.ru_utime + used.ru_stime:.0f} s of processor time, lab included"
    show(f"preflight in {took:.0f} s, {of_processor}; {counts}", ("what", "requests", "floor", "ratio"), table)


def _run(folder: Path, accounts: int, hosts_each: int) -> tuple[float, str, list[dict[str, Any]]]:
    (folder / "estates").mkdir()
    (folder / "p.yaml").write_text(generate.plan("p", accounts, hosts_each, 1), encoding="utf-8")
    (folder / "estates" / "p.yaml").write_text(generate.estate("p", accounts, hosts_each), encoding="utf-8")
    began = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-m", "orchestrator", "preflight", "p.yaml", "--json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        stdout=subprocess.PIPE,
    )
    took = time.perf_counter() - began
    counts = json.loads(ended.stdout)["counts"]
    record = (folder / ".dmsa" / "journal.db.lab" / "commands.jsonl").read_text(encoding="utf-8")
    said = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    return took, said, [json.loads(line) for line in record.splitlines()]


if __name__ == "__main__":
    main()
