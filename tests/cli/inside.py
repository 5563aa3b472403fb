"""A small plan over the real wire, all in this process: the lab's server on a thread, the command on this one.

It costs a second, where a desk (:mod:`tests.cli.desk`) costs several: so it can be gone through for every injury.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pypsrp.powershell import RunspacePool
from pypsrp.wsman import WSMan
from typer.testing import CliRunner, Result

from orchestrator.cli import app
from orchestrator.lab.estate import load_spec
from orchestrator.lab.record import Lab
from orchestrator.lab.wire.auth import Account, Basic
from orchestrator.lab.wire.recorded import RecordedEstate, fidelity
from orchestrator.lab.wire.server import Server
from tests.cli.desk import DC, ROOT, hasten, read_plan

HOST = "app02.corp.example"
PASSWORD = "correct horse"
DMSA = "dmsa-batch"

WRITES = {
    ("New-ADServiceAccount", DC): 1,
    ("Set-ADObject", DC): 1,
    ("Start-ADServiceAccountMigration", DC): 1,
    ("New-Item", HOST): 2,
    ("New-ItemProperty", HOST): 1,
    ("Restart-Service", HOST): 2,
    ("Complete-ADServiceAccountMigration", DC): 1,
}
"""What one account on one host takes: cmdlet, host, and how often. Whatever goes wrong, it is never more."""


SILENT = frozenset({"hang", "slow"})
"""The weather in which an answer does not come, or late: two seconds are waited for it, and a minute in any other."""


@dataclass
class Inside:
    """A running estate, and a plan of one account on one host that reaches it."""

    folder: Path
    addresses: dict[str, str]
    later: float = 0.0
    """Seconds by which the endpoints' clocks for idle sessions are ahead of real time."""

    @property
    def lab(self) -> Path:
        """The state directory of the estate."""
        return self.folder / "lab"

    def dmsa(self, *args: str) -> Result:
        """Run a verb on the plan; it must end in good order, whatever its exit code."""
        verb, *rest = args
        journal = ("--journal", str(self.folder / "journal.db"))
        ended = CliRunner().invoke(app, [verb, str(self.folder / "plan.json"), *journal, *rest])
        assert ended.exception is None or isinstance(ended.exception, SystemExit), repr(ended.exception)
        assert "Traceback" not in ended.output
        return ended

    @contextlib.contextmanager
    def client(self, host: str, user: str = "operator") -> Iterator[WSMan]:
        """Connect somebody else to a host."""
        address, port = self.addresses[host].split(":")
        ca = str(self.folder / "ca.pem")
        wsman = WSMan(address, port=int(port), username=user, password=PASSWORD, auth="basic", cert_validation=ca)
        try:
            yield wsman
        finally:
            wsman.close()

    def sessions(self) -> dict[str, int]:
        """Return how many sessions of the operator each host still has, of those that have any."""
        found = {}
        for host in self.addresses:
            with self.client(host) as wsman:
                found[host] = len(RunspacePool.get_runspace_pools(wsman))
        return {host: count for host, count in found.items() if count}


@contextlib.contextmanager
def inside(folder: Path, *weather: dict[str, Any], **sessions: Any) -> Iterator[Inside]:
    """Serve the quick start's estate under this weather, with these rules for sessions."""
    ships = (ROOT / "plans" / "estates" / "quickstart.yaml").read_text(encoding="utf-8")
    estate = yaml.load(ships, yaml.CSafeLoader)
    text = yaml.dump({**estate, "weather": list(weather), "sessions": sessions}, Dumper=yaml.CSafeDumper)
    accounts = {name: Account(f"CORP\\{name}", PASSWORD) for name in ("operator", "other")}
    found = Inside(folder, {})
    with contextlib.closing(Lab(text, found.lab, time.monotonic)) as lab:
        server = Server(
            RecordedEstate(lab),
            Basic(accounts),
            fidelity=fidelity(load_spec(text).sessions),
            monotonic=lambda: time.monotonic() + found.later,
        )
        with _on_a_thread(server):
            found.addresses = server.addresses
            (folder / "ca.pem").write_bytes(server.ca)
            (folder / "password").write_text(PASSWORD)
            patience = "2s" if any(one["kind"] in SILENT for one in weather) else "1m"
            (folder / "plan.json").write_text(json.dumps(_plan(server.addresses, patience), default=str))
            yield found


@contextlib.contextmanager
def _on_a_thread(server: Server) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(60)
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _plan(addresses: dict[str, str], patience: str) -> dict[str, Any]:
    plan = read_plan("quickstart.yaml")
    mine = [one for wave in plan["waves"] for one in wave["migrations"] if one["dmsa"]["name"] == DMSA]
    plan["waves"] = [{"name": "only", "migrations": mine}]
    hasten(plan)
    connection = {
        "match": "*",
        "auth": "basic",
        "username": "operator",
        "password": "${file:password}",
        "tls": {"ca": "ca.pem"},
        "timeout": patience,
    }
    directory = {"endpoint": DC, "server": DC}
    plan["estate"] = {"simulated": True, "domain": "corp.example", "directory": directory}
    plan["estate"] |= {"addresses": addresses, "connections": [connection]}
    return plan
