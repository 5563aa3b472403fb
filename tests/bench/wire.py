"""What a migration costs on the wire, beside a floor that is derived, not measured.

    python -m tests.bench.wire --accounts 6 --hosts-each 2

The floor, in pipelines of two requests (Command, Receive), for D further domain controllers and P ledger polls, each
migration for itself:

    directory   prepare 6 + D    two reads, for the second is about what the first found; two writes, each read back
                start 3 + D      read with guards, write, read-back
                link D           each further copy once, and at the first look
                restart 1        who registered, at the first look
                soak P
                complete 3 + 2D  read with guards, write, read-back; each further copy once, and at the first look
                of a host 2      whether the original is there, before each restart
                searches 3       through the whole domain, before prepare, Start and Complete: slow, so they do not
                                 hold up what is quick
                logs 4 (1 + D)   what each domain controller's Security log says of the account, before Start and
                                 Complete; the rest of it is asked once the first part was
                snapshots 3 + 4  a descriptor comes back without a name, so each is asked for alone: the account's and
                                 two containers', before Complete the dMSA's too
                and 1            both objects once more, right before Complete, for those readings took time
    a host      snapshot 1, guards before Start 1, registry 3, restart 4, guards before Complete 1, confirm 4
                (read, write, read-back; after a restart also the new process's start, whose number is known only then)
                and 4 where two keys of the registry have to be made first (write, read-back)

What the safety rules force is in it: identity is resolved anew, and the guards asked, right before each migration
cmdlet (so Start has its read, although prepare read the same a moment ago); and the guards ask each further domain
controller before prepare, Start and Complete, by its own endpoint, whether it can be reached (the three D besides
those of convergence). ``without the guards`` leaves what they add to the directory out: these D, searches and logs, and
Start's read.

A session costs four requests more (Create, twice Receive, Delete), and its shell carries so many pipelines and no more.
Readings of the clock are counted apart, but wear out shells: on a lab, waiting is reading.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from orchestrator.remote.session import MOST_PIPELINES
from tests.bench import generate
from tests.bench.table import show

ROOT = Path(__file__).parents[2]
POLLS = 15
"""Fourteen days at one a day, and the one that finds the dwell over."""
FURTHER_CONTROLLERS = 1
CONVERGENCE = 12 + 2 * FURTHER_CONTROLLERS + POLLS
SEARCHES = 3
LOGS = 4 * (1 + FURTHER_CONTROLLERS)
GUARDS = 1 + 3 * FURTHER_CONTROLLERS + SEARCHES + LOGS
BEFORE_RESTARTS = 2
SNAPSHOTS = 3 + 4 + 1
HOST = 14
KEY = 4
"""For a host where the keys of the registry are missing."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Requests on the wire beside their floor.")
    parser.add_argument("--accounts", type=int, default=6)
    parser.add_argument("--hosts-each", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        took, rows = _run(Path(folder), given.accounts, given.hosts_each)
    pipelines: dict[str, set[str]] = defaultdict(set)
    cmdlets: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        pipelines[row["host"]].add(row["pipeline"])
        cmdlets[row["pipeline"]].add(row["cmdlet"])
    clock = {pipeline for pipeline, names in cmdlets.items() if names == {"Get-ADRootDSE"}}
    directory = sum(len(found - clock) for host, found in pipelines.items() if host.startswith("dc"))
    hosts = sum(len(found) for host, found in pipelines.items() if not host.startswith("dc"))
    pairs = given.accounts * given.hosts_each
    floor_hosts = HOST * pairs + KEY * len({row["host"] for row in rows if row["cmdlet"] == "New-Item"})
    convergence = CONVERGENCE + SNAPSHOTS + BEFORE_RESTARTS * given.hosts_each
    floor = convergence + GUARDS
    sessions = len({row["shell"] for row in rows})
    fewest = sum(-(-len(found) // MOST_PIPELINES) for found in pipelines.values())
    table = [
        (
            "directory, per migration",
            2 * directory / given.accounts,
            2 * floor,
            directory / given.accounts / floor,
        ),
        (
            "... without the guards",
            2 * directory / given.accounts,
            2 * convergence,
            directory / given.accounts / convergence,
        ),
        ("host, per migration and host", 2 * hosts / pairs, 2 * floor_hosts / pairs, hosts / floor_hosts),
        ("sessions", 4 * sessions, 4 * fewest, sessions / fewest),
        ("readings of the clock, in all", 2 * len(clock), "-", "-"),
    ]
    title = f"requests on the wire: {given.accounts} migrations x {given.hosts_each} hosts, {took:.0f} s"
    show(title, ("what", "requests", "floor", "ratio"), table)


def _run(folder: Path, accounts: int, hosts_each: int) -> tuple[float, list[dict[str, object]]]:
    (folder / "estates").mkdir()
    (folder / "p.yaml").write_text(generate.plan("p", accounts, hosts_each, 1), encoding="utf-8")
    (folder / "estates" / "p.yaml").write_text(generate.estate("p", accounts, hosts_each), encoding="utf-8")
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "orchestrator", "run", "p.yaml", "--json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    took = time.perf_counter() - began
    record = (folder / ".dmsa" / "journal.db.lab" / "commands.jsonl").read_text(encoding="utf-8")
    return took, [json.loads(line) for line in record.splitlines()]


if __name__ == "__main__":
    main()
