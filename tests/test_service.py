"""The unit on the page about weeks is one that systemd takes, and it treats each exit code as the page says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
import typer

from orchestrator.cli import app
from orchestrator.cli.notify_socket import BEATS_EVERY
from orchestrator.conductor.tenure import LAST_CALLS, LAST_SWEEP_TAKES
from orchestrator.errors import Exit

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "runbooks" / "run-for-weeks.md").read_text(encoding="utf-8")
UNIT = PAGE.partition("```ini\n")[2].partition("```")[0]
STOPPED = {129, 130, 143}


def settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for line in UNIT.splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


def numbers(text: str) -> set[int]:
    return {int(number) for number in re.findall(r"\d+", text)}


def test_each_exit_code_is_treated_as_the_page_says():
    table = PAGE.partition("| code | after it |")[2].partition("\n\n")[0]
    rows = [line.split(" | ") for line in table.splitlines() if re.match(r"\| \d", line)]
    said = {code: after for codes, after, _ in rows for code in numbers(codes)}
    assert set(said) == {int(code) for code in Exit} | STOPPED
    never = numbers(settings()["RestartPreventExitStatus"][0])
    fine = numbers(settings()["SuccessExitStatus"][0])
    assert settings()["Restart"] == ["on-failure"]
    for code, after in said.items():
        if code in fine | {0}:
            assert after == "ended", code
        else:
            assert after.startswith("not started again" if code in never else "started again"), code
    assert fine == STOPPED


def test_what_must_not_go_on_is_never_started_again():
    never = numbers(settings()["RestartPreventExitStatus"][0])
    assert never >= {Exit.JOURNAL_HELD, Exit.REFUSED, Exit.USAGE}
    assert not never & {Exit.DEFECT, Exit.INVALID, Exit.WAITING}


def test_its_command_is_one_that_the_program_has():
    _, verb, _, *options = shlex.split(settings()["ExecStart"][0])
    command = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in options if word.startswith("--")} <= known


def test_its_times_are_longer_than_what_they_wait_for():
    assert settings()["WatchdogSec"] == ["5min"]
    assert 10 * BEATS_EVERY < 300
    assert int(settings()["TimeoutStopSec"][0]) > 2 * (LAST_CALLS + LAST_SWEEP_TAKES)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_it(tmp_path: Path):
    """Its program, user and alert are not on this machine, and it is told so: nothing else is wrong."""
    unit = tmp_path / "dmsa-erp.service"
    there = re.sub(r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", UNIT, flags=re.MULTILINE)
    unit.write_text(re.sub(r"^OnFailure=.*\n", "", there, flags=re.MULTILINE), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if unit.name in line]
    assert complaints == []
