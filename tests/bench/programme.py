"""A programme, rehearsed by the product's own command: twelve waves, windows, blackouts, weeks of dwell, bad hosts.

    python -m tests.bench.programme
    python -m tests.bench.programme --accounts 24 --hosts 40 --waves 4 --write DIR

The plan is one of a real domain: ``dmsa rehearse`` draws its estate up from it. Waves go in stages, a pilot first, then
one, then two beside each other, each of which needs those of the stage before. With ``--write`` the plan
is only written.
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
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.table import show

HEAD = """\
# A programme of {accounts} accounts on {hosts} hosts in {waves} waves. Made by tests/bench/programme.py: edit that.
version: 1
name: programme-{waves}
description: All service accounts of the company, in stages, at night and at weekends
owner: identity@corp.example
estate:
  domain: corp.example
  directory:
    endpoint: dc01.corp.example
    server: dc01.corp.example
    converge_on: [dc01.corp.example, dc02.corp.example]
  connections: [{{match: "*", auth: kerberos}}]
policy:
  dwell: {dwell}
  ledger_every: {ledger_every}
{approvals}waves:
"""
WAVE = """\
  - name: {name}
    needs: [{needs}]
    at_once: {at_once}
    failures: {{allow: "{allow}"}}
    on_failure: {on_failure}
    reboot: {reboot}
    windows:
      start: {{days: [{start_days}], open: "{start_opens}", close: "{start_closes}", zone: Europe/Berlin}}
      complete: {{days: [sat], open: "22:00", close: "04:00", zone: Europe/Berlin}}
    blackout:
      - {{from: 2026-04-02, to: 2026-04-06, reason: Easter}}
      - {{from: 2026-06-29, to: 2026-07-03, reason: the half-year is closed}}
      - {{from: 2026-12-18, to: 2027-01-06, reason: nobody is there}}
    migrations:
"""
MIGRATION = """\
      - account: CN=svc-{n:05d},OU=Service Accounts,DC=corp,DC=example
        dmsa: {{name: dmsa-{n:05d}, dns_host_name: dmsa-{n:05d}.corp.example, path: "OU=Managed,DC=corp,DC=example"}}
        hosts:
{hosts}
"""
NIGHTS = (("tue, thu", "20:00", "04:00"), ("mon, tue, wed, thu", "22:00", "02:00"), ("fri, sat, sun", "18:00", "06:00"))
REBOOT_EVERY = 4


def plan(
    accounts: int, hosts: int, waves: int, *, dwell: str = "28d", ledger_every: str = "1d", approvals: bool = False
) -> str:
    """Return the plan as YAML."""
    asked = "  approvals: {start: 1, complete: 2, valid_for: 60d}\n" if approvals else ""
    parts = [
        HEAD.format(
            accounts=accounts, hosts=hosts, waves=waves, dwell=dwell, ledger_every=ledger_every, approvals=asked
        )
    ]
    first = first_host = 0
    for number, size in enumerate(_sizes(accounts, waves)):
        last_host = round(hosts * (first + size) / accounts)
        parts.append(_wave(number, waves))
        for k, n in enumerate(range(first, first + size)):
            parts.append(MIGRATION.format(n=n, hosts="\n".join(_hosts(n, k, size, first_host, last_host))))
        first, first_host = first + size, last_host
    return "".join(parts)


def _wave(number: int, waves: int) -> str:
    days, opens, closes = NIGHTS[number % len(NIGHTS)]
    return WAVE.format(
        name=_name(number),
        needs=", ".join(map(_name, _needs(number))),
        at_once=10 if number else 4,
        allow="5%" if number == waves - 1 else "25%" if number else "50%",
        on_failure="undo" if number % 2 else "hold",
        reboot="after_registry" if number % REBOOT_EVERY == REBOOT_EVERY - 1 else "never",
        start_days=days,
        start_opens=opens,
        start_closes=closes,
    )


def _name(number: int) -> str:
    return f"wave-{number:02d}" if number else "pilot"


def _needs(number: int) -> tuple[int, ...]:
    """Return the waves of the stage before: 0; 1; 2 and 3; 4 and 5; and so on."""
    if number <= 2:
        return (number - 1,) if number else ()
    stage = number // 2 * 2
    return (1,) if stage == 2 else (stage - 2, stage - 1)


def _hosts(n: int, k: int, size: int, first: int, last: int) -> Iterator[str]:
    """Yield the two hosts of the k-th account of a wave: neighbours share some, and waves share none."""
    there = last - first
    places = dict.fromkeys((k * there // size, (k * there // size + 1) % there))
    for place in places:
        yield f"          - {{name: h{first + place:05d}.corp.example, services: [Svc{n:05d}]}}"


def _sizes(accounts: int, waves: int) -> list[int]:
    """Return the sizes of the waves: a small pilot, then equal ones."""
    pilot = max(2, accounts // (waves * 5))
    rest = accounts - pilot
    return [pilot, *(rest // (waves - 1) + (k < rest % (waves - 1)) for k in range(waves - 1))]


def main() -> None:
    """Rehearse it, and print what that took and how it ended."""
    parser = argparse.ArgumentParser(description="A programme, rehearsed.")
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--hosts", type=int, default=800)
    parser.add_argument("--waves", type=int, default=12)
    parser.add_argument("--dwell", default="28d")
    parser.add_argument("--ledger-every", default="1d")
    parser.add_argument("--bad-hosts", default="5%")
    parser.add_argument("--approvals", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    text = plan(
        given.accounts,
        given.hosts,
        given.waves,
        dwell=given.dwell,
        ledger_every=given.ledger_every,
        approvals=given.approvals,
    )
    if given.write is not None:
        given.write.mkdir(parents=True, exist_ok=True)
        (given.write / "programme.yaml").write_text(text, encoding="utf-8")
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "programme.yaml"
        file.write_text(text, encoding="utf-8")
        _rehearse(file, given.bad_hosts, given.seed)


def _rehearse(file: Path, bad_hosts: str, seed: int) -> None:
    began, load = time.perf_counter(), os.getloadavg()[0]
    words = ["rehearse", str(file), "--seed", str(seed), "--bad-hosts", bad_hosts, "--json"]
    done = subprocess.run([sys.executable, "-m", "orchestrator", *words], stdout=subprocess.PIPE, check=False)
    took, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    document = json.loads(done.stdout)
    one = document["seeds"][0]
    weeks = (datetime.fromisoformat(one["ended"]) - datetime.fromisoformat(one["began"])).days / 7
    show(
        "what it took",
        ("seconds", "processor, s", "peak MiB", "events", "weeks", "bad hosts", "exit", "violations", "load before"),
        [
            (
                *(took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, one["rows"], weeks),
                *(len(one["bad_hosts"]), document["exit"], len(one["violations"]), load),
            )
        ],
    )
    ends = Counter(map(_end, one["migrations"]))
    show("how they ended", ("end", "migrations"), sorted(ends.items(), key=lambda item: -item[1]))
    waves = [
        (w["name"], w["migrations"], w["completed"], w["failed"], w["refused"], w["allowed"], w["most_failed"])
        for w in one["waves"]
    ]
    show("the waves", ("wave", "migrations", "completed", "failed", "refused", "budget", "most failed at once"), waves)


def _end(migration: dict[str, Any]) -> str:
    if migration["held"]:
        return f"{migration['phase']}, held: {migration['held']['reason']}"
    if migration["waiting"]:
        return f"{migration['phase']}, waits: {migration['waiting']['for']}"
    return str(migration["phase"])


if __name__ == "__main__":
    main()
