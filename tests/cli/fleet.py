"""Many accounts, each with a host of its own, on a desk; and what their hosts noted of the runner."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from tests.bench import generate
from tests.cli.desk import Desk, hasten, reached


def host_of(number: int) -> str:
    """Return the host of an account's number."""
    return f"h{number:05d}.corp.example"


def fleet(folder: Path, accounts: int, weather: list[dict[str, Any]] | None = None, **sessions: Any) -> Desk:
    """Return a desk with a plan of so many migrations in one wave, whose endpoints treat sessions as it is said."""
    (folder / "estates").mkdir(parents=True)
    plan = yaml.safe_load(generate.plan("fleet", accounts, 1, 1))
    hasten(plan)
    (wave,) = plan["waves"]
    wave["at_once"] = accounts
    for number, migration in enumerate(wave["migrations"]):
        (host,) = migration["hosts"]
        migration["hosts"] = [{**host, "name": host_of(number)}]
    estate = yaml.safe_load(generate.estate("fleet", accounts, 1))
    del estate["dcs"][1]["latency"]  # where a host hangs, the estate's time is ours: half a minute for a look again
    account = "CORP\\svc-{:05d}"
    estate["hosts"] = [
        {"name": host_of(n), "services": [{"name": f"Svc{n:05d}", "log_on": account.format(n)}]}
        for n in range(accounts)
    ]
    estate |= {"weather": weather or [], "sessions": sessions}
    (folder / "estates" / "fleet.yaml").write_text(json.dumps(estate, default=str), encoding="utf-8")
    desk = Desk(folder)
    desk.write_plan(plan)
    return desk


def reach(desk: Desk, served: dict[str, Any], timeout: str) -> None:
    """Let the plan of a desk reach a lab that is served, with so much patience for each answer."""
    (desk.folder / "ca.pem").write_bytes(Path(served["ca"]).read_bytes())
    (desk.folder / "password").write_text(served["password"], encoding="utf-8")
    plan = json.loads((desk.folder / "plan.yaml").read_text(encoding="utf-8"))
    plan["estate"] = reached(served)
    plan["estate"]["connections"][0]["timeout"] = timeout
    desk.write_plan(plan)


class Visits:
    """What the hosts of a lab noted of their visitors."""

    def __init__(self, state: Path) -> None:
        lines = (state / "visits.jsonl").read_text(encoding="utf-8").splitlines()
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def of(self, what: str) -> list[dict[str, Any]]:
        """Return the rows of one sort."""
        return [row for row in self.rows if row["what"] == what]

    def most(self, what: str, count: str) -> dict[str, int]:
        """Return the highest number that each host noted."""
        found: dict[str, int] = {}
        for row in self.of(what):
            found[row["host"]] = max(found.get(row["host"], 0), row[count])
        return found

    @property
    def turned_away(self) -> Counter[int]:
        """How often each quota was said to be spent, by its code."""
        return Counter(row["code"] for row in self.of("turned-away"))

    def per_second(self, what: str, hosts: str = "h") -> list[int]:
        """Return for each row of one sort, of hosts that begin so, how many there were in the second that it began."""
        times = sorted(row["seconds"] for row in self.of(what) if row["host"].startswith(hosts))
        return [sum(begin <= one < begin + 1.0 for one in times) for begin in times]
