"""A programme of any size: a plan, and the estate on which it can be rehearsed.

    python -m tests.bench.generate --accounts 200 --hosts-each 2 --waves 6 --name programme DIR

writes ``DIR/programme.yaml`` and ``DIR/estates/programme.yaml``. The same arguments give the same files; the
200-account example in ``plans/`` was made with the ones above.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

HEAD = """\
# A programme of {accounts} accounts in {waves} waves, pilot first. Made by tests/bench/generate.py: edit that.
version: 1
name: {name}
description: All service accounts of the company, smallest blast radius first
owner: identity@corp.example
estate: {{lab: estates/{name}.yaml}}
policy:
  dwell: 14d
  ledger_every: 1d
waves:
"""
WAVE = """\
  - name: {name}
    at_once: {at_once}
    failures: {{allow: "5%"}}
    migrations:
"""
MIGRATION = """\
      - account: CN=svc-{n:05d},OU=Service Accounts,DC=corp,DC=example
        dmsa: {{name: dmsa-{n:05d}, dns_host_name: dmsa-{n:05d}.corp.example, path: "OU=Managed,DC=corp,DC=example"}}
        hosts:
{hosts}
"""
ESTATE = """\
# The estate of {name}.yaml. Made by tests/bench/generate.py: edit that.
name: {name}
domain: {{dns: corp.example, netbios: CORP}}
clock: {{start: 2026-03-02T18:00:00Z}}
dcs:
  - {{name: dc01.corp.example, site: North}}
  - {{name: dc02.corp.example, site: South, latency: 1m}}
ous: ["OU=Service Accounts,DC=corp,DC=example", "OU=Managed,DC=corp,DC=example"]
users:
{users}
hosts:
{hosts}
"""


def placed(accounts: int, hosts_each: int) -> dict[int, list[int]]:
    """Return the host numbers of each account: neighbours share hosts, so that values are counted."""
    hosts = max(hosts_each, accounts * hosts_each // 3)
    return {n: sorted({(n * hosts_each // 2 + k) % hosts for k in range(hosts_each)}) for n in range(accounts)}


def plan(
    name: str, accounts: int, hosts_each: int, waves: int, where: Mapping[int, Sequence[int]] | None = None
) -> str:
    """Return the plan as YAML; *where* says which hosts each account has, by default some of its neighbours'."""
    where = where or placed(accounts, hosts_each)
    sizes = _sizes(accounts, waves)
    parts, first = [HEAD.format(name=name, accounts=accounts, waves=waves)], 0
    for number, size in enumerate(sizes):
        parts.append(WAVE.format(name="pilot" if not number else f"wave-{number}", at_once=2 if not number else 12))
        for n in range(first, first + size):
            lines = (f"          - {{name: h{host:05d}.corp.example, services: [Svc{n:05d}]}}" for host in where[n])
            parts.append(MIGRATION.format(n=n, hosts="\n".join(lines)))
        first += size
    return "".join(parts)


def estate(name: str, accounts: int, hosts_each: int, where: Mapping[int, Sequence[int]] | None = None) -> str:
    """Return the estate as YAML; *where* as for the plan."""
    runs: dict[int, list[int]] = {}
    for n, numbers in (where or placed(accounts, hosts_each)).items():
        for host in numbers:
            runs.setdefault(host, []).append(n)
    users = (
        f'  - {{dn: "CN=svc-{n:05d},OU=Service Accounts,DC=corp,DC=example", spns: [APP/svc-{n:05d}.corp.example]}}'
        for n in range(accounts)
    )
    values = ("absent", "absent", "no-key", "0")
    hosts = (
        f"  - name: h{host:05d}.corp.example\n    site: {'South' if host % 3 == 0 else 'North'}\n"
        f"    kerberos: {values[host % 4]}\n    services:\n"
        + "\n".join(f"      - {{name: Svc{n:05d}, log_on: 'CORP\\svc-{n:05d}'}}" for n in sorted(served))
        for host, served in sorted(runs.items())
    )
    return ESTATE.format(name=name, users="\n".join(users), hosts="\n".join(hosts))


def _sizes(accounts: int, waves: int) -> list[int]:
    """Return the sizes of the waves: a small pilot, then equal ones."""
    pilot = max(1, accounts // (waves * 5)) if waves > 1 else accounts
    rest = accounts - pilot
    others = [rest // (waves - 1) + (1 if k < rest % (waves - 1) else 0) for k in range(waves - 1)] if waves > 1 else []
    return [pilot, *others]


def main() -> None:
    """Write the two files."""
    parser = argparse.ArgumentParser(description="Generate a plan and its estate.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--name", default="programme")
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--hosts-each", type=int, default=2)
    parser.add_argument("--waves", type=int, default=6)
    given = parser.parse_args()
    (given.directory / "estates").mkdir(parents=True, exist_ok=True)
    text = plan(given.name, given.accounts, given.hosts_each, given.waves)
    (given.directory / f"{given.name}.yaml").write_text(text, encoding="utf-8")
    text = estate(given.name, given.accounts, given.hosts_each)
    (given.directory / "estates" / f"{given.name}.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
