"""The calls of one wave three times: by ``dmsa run``, through pypsrp by hand, and as an Ansible play.

    python -m tests.bench.peers --hosts 20 --rounds 5

First a wave is run once (:mod:`tests.bench.forward_wave`), and what its far side recorded is the list of calls: for
each endpoint the pipelines in their order, readings of the clock included. Then, in turns, as many times as there are
rounds, each a process of its own on a lab that was started before and begins anew:

``dmsa run``
    The whole product: plan, journal with a sync for each transaction, guards, decisions, read-backs, waiting (on a
    lab, reading the clock), a report at the end. Its calls are counted by the far side of that very run.
``pypsrp by hand``
    :mod:`tests.bench.bare`: the recorded calls in 32 threads, one runspace pool for each host and four for a domain
    controller, as many as the product has there; the same cmdlets and parameters. No state, no journal, no decisions;
    it need not wait for anything, and has no budget of log-ons. On the same simulated estate; what fails there, for
    what it is about is not there yet, is counted.
``Ansible``
    ansible-core with its ``psrp`` connection and 32 forks, in an environment that pip makes for it: each call one task
    on its host, by a module in PowerShell that takes the call as its argument, without facts. Each of a domain
    controller's calls goes to one of four aliases of it, for Ansible does one task of a host at a time. Its far side
    answers with the JSON of a module that changed nothing (:mod:`tests.bench.canned`): so what is measured is the
    controller's own work, not that of any Windows, and less is asked of the far side than by the other two.

Seconds are of the whole process, processor seconds its own and its children's, the lab not among them. All of them
share the machine with the lab. All have their byte code cached, as whatever pip installs has. The ratios are of the
medians.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tests.bench import forward_wave, wave
from tests.bench.bare import LANES
from tests.bench.table import show
from tests.conformance import environment

ROOT = Path(__file__).parents[2]
THREADS = 32
HOSTS_EACH = 10

MODULE = """#!powershell
#AnsibleRequires -CSharpUtil Ansible.Basic
$spec = @{options = @{script = @{type = "str"}}; supports_check_mode = $true}
$module = [Ansible.Basic.AnsibleModule]::Create($args, $spec)
$module.Result.output = & ([ScriptBlock]::Create($module.Params.script))
$module.ExitJson()
"""
"""What a play would have as a module for each cmdlet; nobody here runs it, but it travels, with all that it needs."""

Calls: TypeAlias = dict[str, list[list[list[tuple[str, dict[str, Any], list[Any]]]]]]
"""For each endpoint its pipelines: of statements, of commands, each with parameters and arguments."""


@dataclass(frozen=True)
class Took:
    """What one round of one of them took."""

    seconds: float
    processor: float
    calls: int
    failed: int = 0
    to_floor: float | None = None
    """Requests for each host beside their floor, as :mod:`tests.bench.wave` counts both."""


def calls_of(rows: Sequence[Mapping[str, Any]]) -> Calls:
    """Return the calls that a far side recorded."""
    calls: Calls = defaultdict(list)
    for _, pipeline in groupby(rows, key=lambda row: row["pipeline"]):
        parts = list(pipeline)
        statements = [[_command(row) for row in of] for _, of in groupby(parts, key=lambda row: row["statement"])]
        calls[parts[0]["host"]].append(statements)
    return calls


def _command(row: Mapping[str, Any]) -> tuple[str, dict[str, Any], list[Any]]:
    named = {name: _plain(value) for name, value in row["parameters"].items()}
    arguments = named.pop("arguments", [])
    return row["cmdlet"], named, arguments


def _plain(value: Any) -> Any:
    """Return a recorded value as a script would give it: what JSON has no word for as text."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith("$"):
        return str(next(iter(value.values())))
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


@contextmanager
def lab(plan: Path, folder: Path, module: str = "orchestrator.lab.serve") -> Iterator[dict[str, Any]]:
    """Serve a plan's estate, begun anew in *folder*; yields how it is reached."""
    command = [sys.executable, "-m", module, str(plan.parent / "estates" / "p.yaml"), str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(30)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _timed(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[float, float, str]:
    """Run a process; return its seconds, its processor seconds and what it printed."""
    with (folder / "said").open("w+", encoding="utf-8") as said, (folder / "complained").open("w+") as complained:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=dict(environment), stdout=said, stderr=complained)
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        complained.seek(0)
        text, complaints = said.read(), complained.read()
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}:\n{text[-2000:]}\n{complaints[-2000:]}")
    return took, used.ru_utime + used.ru_stime, text


def ours(plan: Path, folder: Path, calls: Calls) -> Took:
    """Run the wave on a lab that runs already."""
    with lab(plan, folder / "lab") as ready:
        estate = {
            "simulated": True,
            "domain": "corp.example",
            "directory": {"endpoint": "dc01.corp.example", "server": "dc01.corp.example"},
            "addresses": ready["addresses"],
            "connections": [
                {
                    "match": "*",
                    "auth": "basic",
                    "username": ready["username"],
                    "password": f"${{file:{folder / 'lab' / 'password'}}}",
                    "tls": {"ca": ready["ca"]},
                }
            ],
        }
        document = {**yaml.safe_load(plan.read_text(encoding="utf-8")), "estate": estate}
        (folder / "p.yaml").write_text(json.dumps(document), encoding="utf-8")  # JSON quotes what YAML would not
        command = [sys.executable, "-m", "orchestrator", "run", "p.yaml", "--json"]
        seconds, processor, _ = _timed(command, folder, _environment())
    rows = [json.loads(line) for line in (folder / "lab" / "commands.jsonl").read_text(encoding="utf-8").splitlines()]
    failed = len({row["pipeline"] for row in rows if row["outcome"] != "succeeded"})
    hosts = sum(not name.startswith("dc") for name in calls)
    to_floor = wave.counted(rows, hosts, HOSTS_EACH).ratio
    return Took(seconds, processor, len({row["pipeline"] for row in rows}), failed, to_floor)


def by_hand(plan: Path, folder: Path, calls: Calls) -> Took:
    """Make the calls through pypsrp."""
    with lab(plan, folder / "lab") as ready:
        (folder / "calls.json").write_text(json.dumps({**ready, "threads": THREADS, "calls": calls}), encoding="utf-8")
        command = [sys.executable, "-m", "tests.bench.bare", "calls.json"]
        seconds, processor, said = _timed(command, folder, _environment())
    return Took(seconds, processor, sum(map(len, calls.values())), json.loads(said)["failed"])


def by_ansible(plan: Path, folder: Path, calls: Calls) -> Took:
    """Make as many calls by an Ansible play."""
    lanes = _in_lanes(calls)
    with lab(plan, folder / "lab", "tests.bench.canned") as ready:
        (folder / "inventory.json").write_text(json.dumps(_inventory(ready, lanes)), encoding="utf-8")
        (folder / "play.json").write_text(json.dumps(_plays(lanes)), encoding="utf-8")
        (folder / "library").mkdir()
        (folder / "library" / "call.ps1").write_text(MODULE, encoding="utf-8")
        playbook = environment.python("ansible").with_name("ansible-playbook")
        command = [str(playbook), "-i", "inventory.json", "-f", str(THREADS), "play.json"]
        home = {"HOME": str(folder), "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"), "ANSIBLE_NOCOLOR": "1"}
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        seconds, processor, _ = _timed(command, folder, {**kept, **home})
    return Took(seconds, processor, sum(map(len, calls.values())))


def _in_lanes(calls: Calls) -> dict[str, tuple[str, list[str]]]:
    """Return for each name in the inventory its endpoint, and its calls as scripts."""
    lanes: dict[str, tuple[str, list[str]]] = {}
    for host, pipelines in calls.items():
        scripts = [" ; ".join(map(_script, statements)) for statements in pipelines]
        if host.startswith("dc"):
            lanes |= {f"{host}-{lane}": (host, scripts[lane::LANES]) for lane in range(LANES)}
        else:
            lanes[host] = (host, scripts)
    return lanes


def _untemplated(script: str) -> str:
    """Keep Ansible from reading a template into what is a script."""
    return script.replace("{", "(").replace("}", ")")


def _script(commands: Sequence[tuple[str, dict[str, Any], list[Any]]]) -> str:
    return " | ".join(
        " ".join(
            (name, *(f"-{key} {shlex.quote(str(value))}" for key, value in parameters.items()), *map(str, arguments))
        )
        for name, parameters, arguments in commands
    )


def _inventory(ready: Mapping[str, Any], lanes: Mapping[str, tuple[str, list[str]]]) -> dict[str, Any]:
    common = {
        "ansible_connection": "psrp",
        "ansible_user": ready["username"],
        "ansible_password": ready["password"],
        "ansible_psrp_protocol": "https",
        "ansible_psrp_auth": "basic",
        "ansible_psrp_ca_cert": ready["ca"],
        "ansible_shell_type": "powershell",
    }
    hosts = {}
    for name, (host, scripts) in lanes.items():
        address, port = ready["addresses"][host].rsplit(":", 1)
        hosts[name] = {"ansible_host": address, "ansible_port": int(port), "scripts": scripts}
    return {"all": {"vars": common, "hosts": hosts}}


def _plays(lanes: Mapping[str, tuple[str, list[str]]]) -> list[dict[str, Any]]:
    """Return plays in which no host skips a task: each has the hosts that have so many calls at least."""
    plays, done = [], 0
    for count in sorted({len(scripts) for _, scripts in lanes.values()}):
        names = [name for name, (_, scripts) in lanes.items() if len(scripts) >= count]
        tasks = [{"call": {"script": f"{{{{ scripts[{at}] }}}}"}} for at in range(done, count)]
        plays.append({"hosts": ",".join(names), "gather_facts": False, "tasks": tasks})
        done = count
    return plays


Contender: TypeAlias = Callable[[Path, Path, Calls], Took]
CONTENDERS: dict[str, Contender] = {"dmsa run": ours, "pypsrp by hand": by_hand, "Ansible": by_ansible}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="The calls of one wave by three.")
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without", action="append", default=[], choices=CONTENDERS, help="leave one out")
    given = parser.parse_args()
    contenders = {name: run for name, run in CONTENDERS.items() if name not in given.without}
    if "Ansible" in contenders:
        environment.python("ansible")
    loads, took = [os.getloadavg()[0]], defaultdict[str, list[Took]](list)
    with tempfile.TemporaryDirectory() as place:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{place}/byte code"
        plan = forward_wave.write(Path(place) / "first", given.hosts, HOSTS_EACH)
        calls = calls_of(forward_wave.run(plan).rows)
        for number in range(given.rounds):
            for name, run in contenders.items():
                folder = Path(place) / f"{number} {name}"
                folder.mkdir()
                took[name].append(run(plan, folder, calls))
                print(f"round {number + 1}, {name}: {took[name][-1]}", file=sys.stderr, flush=True)
                shutil.rmtree(folder)
                loads.append(os.getloadavg()[0])
    load = f"load {min(loads):.1f} to {max(loads):.1f} on {os.cpu_count()} processors"
    head = (
        *("by", "calls", "failed", "seconds", "least", "most", "processor, s", "a call, ms", "to dmsa run"),
        "requests to floor",
    )
    rows = _table(took)
    show(f"the calls of a wave over {given.hosts} hosts, medians of {given.rounds} in turns; {load}", head, rows)


def _table(took: Mapping[str, Sequence[Took]]) -> list[tuple[object, ...]]:
    def median(name: str, part: Callable[[Took], float]) -> float:
        return statistics.median(map(part, took[name]))

    rows = []
    for name, rounds in took.items():
        seconds, processor = median(name, lambda one: one.seconds), median(name, lambda one: one.processor)
        number = int(median(name, lambda one: one.calls))
        least, most = min(one.seconds for one in rounds), max(one.seconds for one in rounds)
        failed = int(median(name, lambda one: one.failed))
        ratio = seconds / median("dmsa run", lambda one: one.seconds) if "dmsa run" in took else 0.0
        to_floor = [one.to_floor for one in rounds if one.to_floor is not None]
        floor = statistics.median(to_floor) if to_floor else "-"
        rows.append((name, number, failed, seconds, least, most, processor, 1000 * processor / number, ratio, floor))
    return rows


if __name__ == "__main__":
    main()
