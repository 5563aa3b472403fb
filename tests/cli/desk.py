"""An operator's desk: a folder with a plan, and the real command run in it, over the real wire.

Everything here goes through ``python -m orchestrator`` in a process of its own; what happened is asked of the far side
(the lab's record of every command that arrived) and of ``status --json``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from orchestrator.cli.history import replay
from orchestrator.journal import open_journal
from orchestrator.model.run import RunState
from orchestrator.planfile import load_plan
from orchestrator.report.schema import report_schema
from orchestrator.views.amendment import amendment_schema
from orchestrator.views.certificate_schema import certificate_schema, drills_schema
from orchestrator.views.check_schema import check_schema
from orchestrator.views.cluster import cluster_schema
from orchestrator.views.discovery_schema import discovery_schema
from orchestrator.views.expectation_schema import expectation_schema, reconciliation_schema
from orchestrator.views.jea_schema import jea_schema
from orchestrator.views.journal_schema import history_schema, rebuilt_schema, soundness_schema
from orchestrator.views.notices import notices_schema
from orchestrator.views.preflight_schema import preflight_schema
from orchestrator.views.preview_schema import foretold_schema, preview_schema
from orchestrator.views.probe_schema import probe_schema
from orchestrator.views.rehearsal import rehearsal_schema
from orchestrator.views.runs import runs_schema
from orchestrator.views.snapshot import snapshot_schema
from orchestrator.views.status import status_document
from orchestrator.views.status_schema import status_schema
from orchestrator.views.verification_schema import verification_schema
from tests import warm
from tests.cli.running import Running, Stream, running, running_freely
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "orchestrator")
DC = "dc01.corp.example"
SERVICES = {"ReportServer", "BatchRunner", "ErpApi", "ErpQueue", "WebFront", "DirSync"}

QUICKSTART = {
    ("New-ADServiceAccount", DC): 5,
    ("Set-ADObject", DC): 5,
    ("Start-ADServiceAccountMigration", DC): 5,
    ("Complete-ADServiceAccountMigration", DC): 5,
    ("New-Item", "app02.corp.example"): 2,
    ("New-ItemProperty", "app01.corp.example"): 1,
    ("New-ItemProperty", "app02.corp.example"): 1,
    ("New-ItemProperty", "app03.corp.example"): 1,
    ("New-ItemProperty", "db01.corp.example"): 1,
    ("Restart-Service", "app01.corp.example"): 2,
    ("Restart-Service", "app02.corp.example"): 4,
    ("Restart-Service", "app03.corp.example"): 2,
    ("Restart-Service", "db01.corp.example"): 2,
}
"""What the quick start writes on its way forward: cmdlet, host, and how often."""

Plan = dict[str, Any]


def read_plan(name: str) -> Plan:
    """Return one of the plans that ship."""
    plan: Plan = yaml.load((ROOT / "plans" / name).read_text(encoding="utf-8"), yaml.CSafeLoader)
    return plan


def hasten(plan: Plan) -> None:
    """Let two weeks be two hours: fewer readings of the lab's clock, the same steps. The floor is waived by name."""
    plan["policy"] = {**plan.get("policy", {}), "dwell": "2h", "flat_for": "2h"}
    waiver = {"guard": "dwell-minimum", "reason": "the estate is simulated", "approved_by": ["ad-lead"]}
    for wave in plan["waves"]:
        for migration in wave["migrations"]:
            migration["waivers"] = [*migration.get("waivers", []), waiver]


class Desk:
    """A folder with ``plan.yaml`` and ``estates/quickstart.yaml``; the journal is where it is by default."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def new(cls, folder: Path, change: Callable[[Plan], None] | None = hasten) -> Desk:
        """Put the quick start on a desk; as it ships, if nothing is to be changed."""
        (folder / "estates").mkdir(parents=True)
        shutil.copy(ROOT / "plans" / "estates" / "quickstart.yaml", folder / "estates")
        desk = cls(folder)
        if change is None:
            shutil.copy(ROOT / "plans" / "quickstart.yaml", folder / "plan.yaml")
        else:
            plan = read_plan("quickstart.yaml")
            change(plan)
            desk.write_plan(plan)
        return desk

    @property
    def journal(self) -> Path:
        """The default journal."""
        return self.folder / ".dmsa" / "journal.db"

    @property
    def lab(self) -> Path:
        """The state directory of the lab that ``run`` starts."""
        return self.folder / ".dmsa" / "journal.db.lab"

    def write_plan(self, plan: Plan) -> None:
        """Write the plan, as JSON, which is YAML without its traps."""
        (self.folder / "plan.yaml").write_text(json.dumps(plan, default=str), encoding="utf-8")

    def dmsa(self, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end, without a terminal and with an empty input."""
        ended = subprocess.run(
            [*_command(environment), *args],
            cwd=self.folder,
            env=_environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=PATIENCE,
        )
        assert_promised(args, ended.stdout)
        return ended

    def done(self, *args: str) -> str:
        """Run a command that must exit with 0; return what it printed."""
        ended = self.dmsa(*args)
        assert ended.returncode == 0, (ended.stdout, ended.stderr)
        assert "Traceback" not in ended.stderr
        return ended.stdout

    def running(
        self, *args: str, listen_to: Stream = "stdout", forked: bool = False, **environment: str
    ) -> AbstractContextManager[Running]:
        """Run a command beside the test, which holds it back; it is killed at the end of the context.

        A *forked* command is there sooner, and takes only the signals that end it.
        """
        command = _command(environment) if forked else COMMAND
        return running((*command, *args), self.folder, _environment(environment), listen_to=listen_to)

    def running_freely(self, *args: str, **environment: str) -> AbstractContextManager[Running]:
        """Run a command beside the test that is not held back, as one whose speed is the point."""
        return running_freely((*COMMAND, *args), self.folder, _environment(environment))

    def copy(self, folder: Path) -> Desk:
        """Return a desk in the same state, for a test that goes on from here."""
        shutil.copytree(self.folder, folder)
        return Desk(folder)

    def rows(self) -> int:
        """Return how many rows the journal has; 0 while there is none."""
        if not self.journal.exists():
            return 0
        with contextlib.closing(open_journal(self.journal, create=False)) as journal:
            return journal.head()

    def kill_after(self, lines: int, *command: str) -> bool:
        """Start a command and kill it -9 once it has printed so many lines; False if it ended before.

        A line is printed when its event is on disk, and before anything that it announces is sent.
        """
        with self.running(*command) as run:
            met = run.until_line(lines)
            run.signal(signal.SIGKILL)
            return run.end().returncode == -signal.SIGKILL and met

    def migrations(self) -> dict[str, dict[str, Any]]:
        """Return each migration as the status document shows it, read from the journal by this process."""
        loaded = load_plan(self.folder / "plan.yaml")
        state = self.state()
        document = status_document(state, loaded.plan, loaded.digest, state.last_at)
        return {one["dmsa"]: one for wave in document["waves"] for one in wave["migrations"]}

    def state(self) -> RunState:
        """Return the run as its journal tells it."""
        with contextlib.closing(open_journal(self.journal, create=False)) as journal:
            return replay(journal, load_plan(self.folder / "plan.yaml").plan.name)[0]

    @property
    def driver(self) -> str | None:
        """Who holds the journal's lease."""
        with contextlib.closing(open_journal(self.journal, create=False)) as journal:
            lease = journal.holder()
        return lease.holder if lease else None

    def phases(self) -> dict[str, str]:
        """Return where each migration stands."""
        return {name: one["phase"] for name, one in self.migrations().items()}

    def shown(self, state: Path | None = None) -> dict[str, Any]:
        """Return the simulated estate as ``lab show`` describes it."""
        shown: dict[str, Any] = json.loads(self.done("lab", "show", "--state", str(state or self.lab), "--json"))
        return shown


def reached(served: dict[str, Any]) -> dict[str, Any]:
    """Return the ``estate`` of a plan that reaches a served lab by TCP; ``ca.pem`` and ``password`` lie beside it."""
    connection = {"match": "*", "auth": "basic", "username": served["username"], "password": "${file:password}"}
    return {
        "simulated": True,
        "domain": "corp.example",
        "directory": {"endpoint": DC, "server": DC},
        "addresses": served["addresses"],
        "connections": [{**connection, "tls": {"ca": "ca.pem"}}],
    }


SHAPES = {
    ("check",): check_schema,
    ("run",): status_schema,
    ("status",): status_schema,
    ("status", "--snapshot"): snapshot_schema,
    ("status", "--json"): runs_schema,
    ("undo",): status_schema,
    ("reset",): status_schema,
    ("rollback",): status_schema,
    ("assert-done",): status_schema,
    ("adopt",): status_schema,
    ("amend",): amendment_schema,
    ("journal", "show"): history_schema,
    ("journal", "verify"): soundness_schema,
    ("journal", "restore"): rebuilt_schema,
    ("probe-windows",): probe_schema,
    ("rehearse",): rehearsal_schema,
    ("jea",): jea_schema,
    ("preflight",): preflight_schema,
    ("preview",): preview_schema,
    ("preview", "--against"): foretold_schema,
    ("verify",): verification_schema,
    ("expect",): expectation_schema,
    ("reconcile",): reconciliation_schema,
    ("drill",): certificate_schema,
    ("drill", "--history"): drills_schema,
    ("discover",): discovery_schema,
    ("notices",): notices_schema,
    ("report",): report_schema,
    ("cluster", "status"): cluster_schema,
}
"""The verbs whose ``--json`` has a schema; by an option too, where that decides."""


def assert_promised(args: tuple[str, ...], printed: str) -> None:
    """Hold whatever a verb printed with ``--json`` against the schema of that document."""
    options = [word for word in args[2:] if word.startswith("--") and word != "--json"]
    by_option = [SHAPES[args[0], word] for word in options if (args[0], word) in SHAPES]
    shape = by_option[0] if by_option else SHAPES.get(args[:2]) or SHAPES.get(args[:1])
    if shape is not None and "--json" in args and printed:
        Draft202012Validator(shape()).validate(json.loads(printed))


def record(state: Path) -> list[dict[str, Any]]:
    """Return every command that arrived on the far side."""
    lines = (state / "commands.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def writes(state: Path) -> list[dict[str, Any]]:
    """Return every write that arrived."""
    return [row for row in record(state) if row["write"]]


def counted(state: Path) -> dict[tuple[str, str], int]:
    """Return how often each cmdlet wrote on each host."""
    return dict(Counter((row["cmdlet"], row["host"]) for row in writes(state)))


def targets(state: Path, cmdlet: str) -> Counter[str]:
    """Return how often a cmdlet arrived for each object."""
    arrived = (row["parameters"] for row in record(state) if row["cmdlet"] == cmdlet)
    return Counter(str(one.get("SupersededAccount") or one.get("Identity") or one.get("Name")) for one in arrived)


def assert_once_each(state: Path, accounts: int = 5) -> None:
    """Exactly one Start and one Complete arrived for each account."""
    started = targets(state, "Start-ADServiceAccountMigration")
    completed = targets(state, "Complete-ADServiceAccountMigration")
    assert set(started.values()) == {1}
    assert len(started) == accounts
    assert completed == started


def _command(more: dict[str, str]) -> Sequence[str]:
    """Return the command: forked from a process that has read the program, unless it must know more before that."""
    if any(name.startswith(("PYTHON", "LD_")) for name in more):
        return COMMAND
    return (str(warm.shared().bin / "python"), *COMMAND[1:])


def _environment(more: dict[str, str]) -> dict[str, str]:
    """Return this process's environment without what would change the command: its own variables, buffers, colours."""
    own = ("DMSA_", "COV", "PYTHONUNBUFFERED")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {**inherited, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "80", **more}
