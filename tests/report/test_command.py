"""``report`` as it is typed: its three forms, what it refuses, and what becomes of a file that is there."""

from __future__ import annotations

import json
import shutil
import sqlite3
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

import tests.world
from orchestrator.cli import app
from orchestrator.journal import JournalCorrupt, open_journal
from orchestrator.model.lifecycle import Phase
from orchestrator.report.schema import report_schema
from tests.world import ROOT, World

NAME = "<img src=x onerror=alert(1)>"
HOSTILE: dict[str, Any] = {
    "version": 1,
    "name": "hostile",
    "description": "</title><script>alert(1)</script>",
    "change": '"><svg onload=alert(1)>',
    "owner": "=HYPERLINK(1)",
    "estate": {"lab": "estate.yaml"},
    "waves": [
        {
            "name": "wave <b>&amp;</b> '\"",
            "blackout": [{"from": "2027-01-01", "to": "2027-01-02", "reason": "<i>dark"}],
            "migrations": [
                {
                    "account": "CN=svc-\\<script\\>alert(1)\\</script\\>,OU=Service Accounts,DC=corp,DC=example",
                    "dmsa": {
                        "name": "dmsa-x",
                        "dns_host_name": "dmsa-x.corp.example",
                        "path": "OU=Managed,DC=corp,DC=example",
                    },
                    "hosts": [
                        {
                            "name": "mail01.corp.example",
                            "services": [NAME],
                            "tasks": [{"path": "\\a&amp;'Nightly", "run": True}],
                        }
                    ],
                    "waivers": [
                        {"guard": "workload-supported", "reason": "<u>because</u>", "approved_by": ["<s>lead</s>"]}
                    ],
                }
            ],
        }
    ],
}
ESTATE: dict[str, Any] = {
    "name": "hostile",
    "domain": {"dns": "corp.example", "netbios": "CORP"},
    "clock": {"start": "2026-04-13T20:00:00Z"},
    "dcs": [{"name": "dc01.corp.example"}],
    "ous": ["OU=Service Accounts,DC=corp,DC=example", "OU=Managed,DC=corp,DC=example"],
    "users": [
        {"dn": HOSTILE["waves"][0]["migrations"][0]["account"], "sam": "svc-x", "description": "<script>\u202e\x07"}
    ],
    "hosts": [
        {
            "name": "mail01.corp.example",
            "services": [{"name": NAME, "log_on": "CORP\\svc-x"}],
            "tasks": [{"path": "\\a&amp;'Nightly", "log_on": "CORP\\svc-x", "daily": "02:00"}],
        }
    ],
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plan and the journal of its run, which has ended."""
    folder = tmp_path_factory.mktemp("played")
    shutil.copytree(ROOT / "plans", folder / "plans")
    journal = open_journal(folder / "journal.db", create=True)
    World("plans/one-account.yaml", "plans/estates/one-account.yaml", journal=journal, sooner=False).run()
    journal.close()
    return folder


def report(folder: Path, *args: str, plan: str = "plans/one-account.yaml", journal: str = "journal.db") -> Result:
    words = ["report", str(folder / plan), "--journal", str(folder / journal), *args]
    ended = CliRunner().invoke(app, words)
    assert ended.exception is None or isinstance(ended.exception, SystemExit | Exception)
    return ended


def test_its_three_forms_go_to_a_file_by_its_name(played: Path, tmp_path: Path):
    for form in ("html", "json", "csv"):
        ended = report(played, "-o", str(tmp_path / f"r.{form}"))
        assert ended.exit_code == 0
        assert ended.stdout == ""
    document = json.loads((tmp_path / "r.json").read_bytes())
    Draft202012Validator(report_schema()).validate(document)
    assert document["summary"]["headline"] == "The account is completed."
    assert document["journal"]["witnessed"] == document["journal"]["rows"]
    assert (tmp_path / "r.html").read_bytes().startswith(b"<!DOCTYPE html>")
    assert (tmp_path / "r.csv").read_bytes().startswith(b"wave,dmsa,")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["r.csv", "r.html", "r.json"]


def test_the_same_goes_to_standard_output(played: Path, tmp_path: Path):
    report(played, "-o", str(tmp_path / "r.html"))
    report(played, "-o", str(tmp_path / "r.json"))
    report(played, "-o", str(tmp_path / "named"), "--format", "csv")
    assert report(played, "-o", "-").stdout_bytes == (tmp_path / "r.html").read_bytes()
    assert report(played, "--json").stdout_bytes == (tmp_path / "r.json").read_bytes()
    assert report(played, "-o", "-", "--format", "csv").stdout_bytes == (tmp_path / "named").read_bytes()


def test_a_file_that_is_there_is_replaced_whole_or_not_at_all(played: Path, tmp_path: Path):
    file = tmp_path / "r.html"
    file.write_text("the last one", encoding="utf-8")
    assert report(played, "-o", str(file)).exit_code == 0
    assert b"</html>" in file.read_bytes()
    missing = report(played, "-o", str(tmp_path / "no" / "r.html"))
    assert missing.exception is not None
    assert "cannot be written" in str(missing.exception)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "r.txt"), "must end with .html, .json or .csv"),
        (("-o", "r.html", "--journal", "nowhere.db"), "there is no journal at nowhere.db"),
    ],
)
def test_what_cannot_be_written_is_refused_in_words(played: Path, words, said):
    ended = report(played, *words)
    assert said in str(ended.exception)
    assert ended.exception.exit_code == 3


def test_a_plan_that_never_ran_has_no_report(played: Path, tmp_path: Path):
    ended = report(played, "-o", str(tmp_path / "r.html"), plan="plans/quickstart.yaml")
    assert "has no run of quickstart" in str(ended.exception)
    assert ended.exception.exit_code == 3
    assert not list(tmp_path.iterdir())


def test_another_plan_of_the_same_name_is_refused(played: Path, tmp_path: Path):
    plan = yaml.safe_load((played / "plans" / "one-account.yaml").read_text(encoding="utf-8"))
    plan["policy"] = {"dwell": "15d"}
    (tmp_path / "plan.yaml").write_text(json.dumps(plan), encoding="utf-8")
    ended = report(played, "-o", str(tmp_path / "r.html"), plan=str(tmp_path / "plan.yaml"))
    assert "is not the plan that the run one-account goes by" in str(ended.exception)


@pytest.mark.parametrize("words", [(), ("--json", "--format", "csv")])
def test_where_to_and_as_what_must_be_said(played: Path, words):
    assert report(played, *words).exit_code == 2


def test_a_journal_that_was_altered_makes_no_report(played: Path, tmp_path: Path):
    shutil.copytree(played, tmp_path / "altered")
    with sqlite3.connect(tmp_path / "altered" / "journal.db") as store:
        tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in tables:
            store.execute(f'DROP TRIGGER "{name}"')
        changed = store.execute("UPDATE entries SET body = replace(body, 'MailRelay', 'MailDelay')")
        assert changed.rowcount
    store.close()
    file = tmp_path / "r.html"
    file.write_text("the last one", encoding="utf-8")
    ended = report(tmp_path / "altered", "-o", str(file))
    assert isinstance(ended.exception, JournalCorrupt)
    assert ended.exception.exit_code == 3
    assert file.read_text(encoding="utf-8") == "the last one"


class _Elements(HTMLParser):
    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.said = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.said += data


def test_hostile_names_go_from_plan_and_directory_into_a_page_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "plan.yaml").write_text(json.dumps(HOSTILE), encoding="utf-8")
    (tmp_path / "estate.yaml").write_text(json.dumps(ESTATE), encoding="utf-8")
    monkeypatch.setattr(tests.world, "ROOT", tmp_path)
    journal = open_journal(tmp_path / "journal.db", create=True)
    world = World("plan.yaml", "estate.yaml", journal=journal, sooner=False)
    assert {str(state.phase) for state in world.run().migrations.values()} == {Phase.COMPLETED}
    journal.close()
    assert report(tmp_path, "-o", str(tmp_path / "r.html"), plan="plan.yaml").exit_code == 0
    content = (tmp_path / "r.html").read_text(encoding="utf-8")
    page = _Elements(content)
    assert not page.found & {"script", "img", "b i", "i", "u", "s", "iframe", "link", "object"}
    assert not [name for name in page.attributes if name.startswith("on") or name in {"src", "style", "srcset"}]
    told = (NAME, "<u>because</u>", "<s>lead</s>", "wave <b>&amp;</b> '\"", "<i>dark", "a&amp;'Nightly")
    for text in (*told, "<script>\\u202e\\x07"):
        assert text in page.said, text
    ended = report(tmp_path, "-o", "-", "--format", "csv", plan="plan.yaml")
    assert b"\n=" not in ended.stdout_bytes
    assert b",=" not in ended.stdout_bytes
