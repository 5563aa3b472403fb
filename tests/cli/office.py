"""An office: a plan and the journal of its run, and people who come in one after the other; no estate is needed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.cli.history import replay
from orchestrator.errors import OrchestratorError
from orchestrator.journal import Entry, open_journal
from orchestrator.model.driven import RunBegan, RunnerTook
from orchestrator.model.event import VERSION, Event, from_body, to_body
from orchestrator.model.run import RunState
from orchestrator.model.words import Approved, WaiverApproved
from orchestrator.planfile import canonical, load_plan
from orchestrator.views.status_schema import status_schema

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
GATE = ("--wave", "main", "--gate", "start")


class Ended(NamedTuple):
    """How a command ended: its exit code, and all that it said."""

    code: int
    said: str


class Office:
    """A folder with a plan, and the journal of a run that somebody has begun with it."""

    def __init__(
        self, folder: Path, *, lab: bool, change: Callable[[dict[str, Any]], None] = lambda _plan: None
    ) -> None:
        self.folder, self.file, self.journal = folder, folder / "plan.yaml", folder / "journal.db"
        estate: dict[str, Any] = {"lab": "estate.yaml"}
        if not lab:
            pinned = {"endpoint": "dc01.corp.example", "server": "dc01.corp.example"}
            connections = [{"match": "*", "auth": "kerberos"}]
            estate = {"domain": "corp.example", "directory": pinned, "connections": connections}
        self.plan: dict[str, Any] = {
            "version": 1,
            "name": "erp",
            "estate": estate,
            "policy": {"approvals": {"start": 1, "complete": 2}},
            "waves": [wave("main", "a", "b"), {**wave("free", "c"), "approvals": {"start": 0, "complete": 0}}],
        }
        change(self.plan)
        self.write()

    def write(self) -> None:
        self.file.write_text(yaml.safe_dump(self.plan), encoding="utf-8")

    def begin(self, driver: str = "operator", at: datetime | None = AT) -> Office:
        """Write down that a run began, and who drives."""
        loaded = load_plan(self.file)
        self.tell(RunBegan(digest=loaded.digest, plan=canonical(loaded.plan), by=driver, tool="test"), at=at)
        self.tell(RunnerTook(by=driver, host="mgmt01", pid=1, tool="test"), at=at)
        return self

    def tell(self, *events: Event, at: datetime | None = AT) -> None:
        """Append rows, as somebody could who has the file."""
        with contextlib.closing(open_journal(self.journal, create=True)) as journal:
            entries = [Entry("erp", at, event.kind, VERSION, to_body(event)) for event in events]
            journal.append(entries, expected=journal.head(), lease=None)

    def dmsa(self, verb: str, *args: str) -> Ended:
        """Run a verb on the plan; a foreseeable fault is its exit code and its text."""
        named = [] if verb == "journal" else [str(self.file)]
        ended = CliRunner().invoke(app, [verb, *named, *args, "--journal", str(self.journal)])
        if isinstance(ended.exception, OrchestratorError):
            return Ended(int(ended.exception.exit_code), ended.output + str(ended.exception))
        assert ended.exception is None or isinstance(ended.exception, SystemExit), repr(ended.exception)
        return Ended(ended.exit_code, ended.output)

    def approve(self, *args: str, by: str | None = None) -> Ended:
        return self.dmsa("approve", *args, *(("--as", by) if by else ()))

    def state(self) -> RunState:
        with contextlib.closing(open_journal(self.journal, create=False)) as journal:
            return replay(journal, "erp")[0]

    def words(self) -> list[Any]:
        """Return the approvals that were written down."""
        with contextlib.closing(open_journal(self.journal, create=False)) as journal:
            events = [from_body(row.kind, row.body, row.version) for row in journal.read()]
        return [event for event in events if isinstance(event, Approved | WaiverApproved)]

    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.dmsa("status", "--json").said)
        Draft202012Validator(status_schema()).validate(document)
        return document


def wave(name: str, *letters: str) -> dict[str, Any]:
    return {"name": name, "migrations": [migration(letter) for letter in letters]}


def migration(letter: str) -> dict[str, Any]:
    return {
        "account": f"CN=svc-{letter},OU=Accounts,DC=corp,DC=example",
        "dmsa": {"name": f"dmsa-{letter}", "dns_host_name": f"dmsa-{letter}.corp.example"},
        "hosts": [{"name": f"app-{letter}.corp.example", "services": ["App"]}],
    }
