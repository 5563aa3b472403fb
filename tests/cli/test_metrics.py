"""``dmsa metrics``: which runs it tells of, and how the file comes into being."""

from __future__ import annotations

import contextlib
import shutil
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orchestrator.cli import app
from orchestrator.errors import InputInvalid
from orchestrator.journal import Entry, open_journal
from orchestrator.model.driven import RunBegan
from orchestrator.model.event import VERSION, Held, Moved, to_body
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.planfile import canonical, load_plan
from tests.cli.desk import ROOT

MOVED = Moved(migration="dmsa-batch", trigger=Trigger.PREPARE, source=Phase.PLANNED, dest=Phase.PREPARED)
HELD = Held(migration="dmsa-batch", reason="operator", detail="x", release="y", by="ann")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two plans, and a journal in which one of them has begun."""
    monkeypatch.chdir(tmp_path)
    for name in ("quickstart.yaml", "one-account.yaml", "estates"):
        source = ROOT / "plans" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    loaded = load_plan(Path("quickstart.yaml"))
    began = RunBegan(digest=loaded.digest, plan=canonical(loaded.plan), by="ann", tool="1")
    with contextlib.closing(open_journal("j.db", create=True)) as journal:
        rows = [Entry("quickstart", None, event.kind, VERSION, to_body(event)) for event in (began, MOVED, HELD)]
        journal.append(rows, expected=0, lease=None)
    return tmp_path


def metrics(*args: str) -> Result:
    return CliRunner().invoke(app, ["metrics", "--journal", "j.db", *args])


@pytest.mark.parametrize(
    ("plans", "named"),
    [
        ((), {"quickstart"}),
        (("quickstart.yaml",), {"quickstart"}),
        (("one-account.yaml", "quickstart.yaml", "quickstart.yaml"), {"quickstart", "one-account"}),
    ],
)
def test_it_tells_of_the_plans_that_are_named_or_of_every_run(desk: Path, plans: tuple[str, ...], named: set[str]):
    told = metrics(*plans)
    assert told.exit_code == 0, told.output
    assert {
        name for name in ("quickstart", "one-account") if f'dmsa_exit_code{{plan="{name}"}}' in told.stdout
    } == named
    assert 'dmsa_exit_code{plan="quickstart"} 4.0' in told.stdout
    assert "dmsa_journal_rows_total 3.0" in told.stdout
    assert "dmsa_journal_driven 0.0" in told.stdout


def test_the_file_is_replaced_whole_and_readable_for_the_exporter(desk: Path):
    file = desk / "dmsa.prom"
    file.write_text("old")
    with (desk / "dmsa.prom").open() as reader:
        assert metrics("-o", "dmsa.prom").exit_code == 0
        assert reader.read() == "old", "whoever reads meanwhile goes on reading the same file"
    assert file.read_text() == metrics().stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert sorted(one.name for one in desk.glob("dmsa.prom*")) == ["dmsa.prom"]


def test_a_file_that_cannot_be_written_is_said_and_stays(desk: Path):
    (desk / "dmsa.prom").mkdir()
    (desk / "dmsa.prom" / "kept").touch()
    ended = metrics("-o", "dmsa.prom")
    assert isinstance(ended.exception, InputInvalid)
    assert "cannot be written" in str(ended.exception)
    assert (desk / "dmsa.prom" / "kept").exists()


def test_no_journal_is_no_run_and_a_plan_is_at_its_beginning(desk: Path):
    told = metrics("quickstart.yaml", "--journal", "none.db", "--each")
    assert 'dmsa_migration_info{as="planned",dmsa="dmsa-batch"' in told.stdout
    assert "dmsa_journal_rows_total 0.0" in told.stdout
    assert not (desk / "none.db").exists()


def test_another_plan_under_the_same_name_is_refused(desk: Path):
    text = (desk / "quickstart.yaml").read_text(encoding="utf-8")
    (desk / "quickstart.yaml").write_text(text.replace("dmsa-batch", "dmsa-other"), encoding="utf-8")
    assert isinstance(metrics("quickstart.yaml").exception, InputInvalid)
