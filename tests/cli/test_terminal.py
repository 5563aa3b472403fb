"""How the command meets its reader: help, a terminal, a pipe that closes, no terminal at all."""

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

import pytest
import typer

from orchestrator import __version__
from orchestrator.cli import app
from orchestrator.model.lifecycle import mermaid
from tests.cli.desk import COMMAND, Desk
from tests.patience import PATIENCE

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def verbs() -> list[tuple[str, ...]]:
    """Every verb there is, as the program itself lists them."""
    root = typer.main.get_command(app)
    found = []
    for name, command in root.commands.items():
        inner = getattr(command, "commands", None)
        found += [(name, each) for each in inner] if inner else [(name,)]
    return found


def test_every_verb_has_help_with_an_example():
    for verb in verbs():
        command = typer.main.get_command(app)
        for name in verb:
            command = command.commands[name]
        text = " ".join(command.get_help(typer.Context(command, info_name=" ".join(verb))).split())
        assert f"Example: dmsa {' '.join(verb)}" in text, verb
        assert all(parameter.help for parameter in command.params if hasattr(parameter, "help")), verb


def test_help_is_printed(desk):
    assert "Example: dmsa run plans/quickstart.yaml" in desk.done("run", "--help")
    said = desk.dmsa()
    assert "rollback" in said.stdout + said.stderr


def test_the_version_and_the_law(desk):
    assert desk.done("--version") == f"dmsa {__version__}\n"
    assert desk.done("lifecycle") == mermaid()


class Terminal:
    """A command on a terminal of 80 columns and 24 lines; what it showed, and how it ended."""

    def __init__(self, desk: Desk, *args: str) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
        process = subprocess.Popen(
            [*COMMAND, *args],
            cwd=desk.folder,
            env={**environment, "TERM": "xterm-256color", "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        shown = bytearray()
        with contextlib.suppress(OSError):  # Linux says EIO when the other side is closed
            while piece := os.read(master, 65536):
                shown += piece
        os.close(master)
        self.shown = shown.decode()
        self.status = process.wait(PATIENCE)

    @property
    def lines(self) -> list[str]:
        """What stood on lines, without what moves the cursor or colours."""
        return re.split(r"[\r\n]+", CONTROL.sub("", self.shown))


def test_on_a_terminal_a_table_changes_in_place(prepared):
    """What a frame shows is for tests/views; how many there are, the machine decides, but the last is always drawn."""
    terminal = Terminal(prepared, "run", "plan.yaml", "--only", "dmsa-batch", "--until", "linked")
    assert terminal.status == 0, terminal.shown
    assert "Traceback" not in terminal.shown
    end = terminal.lines.index(next(line for line in terminal.lines if line.startswith("quickstart (")))
    frames, summary = terminal.lines[:end], terminal.lines[end:]
    assert max(map(len, frames)) <= 80
    heads = [number for number, line in enumerate(frames) if line.startswith("quickstart   estate time ")]
    assert len(heads) > 1
    last = [line.rstrip() for line in frames[heads[-1] :]]
    assert last[0].startswith("quickstart   estate time 2026-03-02T")
    assert "  dmsa-batch          ●●●◉····· linked" in last
    assert "  dmsa-report         ◉········ planned, not selected" in last, "what stands still is shown too"
    assert any("linked" in line for line in summary)
    assert terminal.shown.rstrip().endswith("What was selected is done. `dmsa run plan.yaml` goes on with the rest.")
    assert "\x1b[?25h" in terminal.shown, "the cursor is given back"


@pytest.mark.parametrize("verb", [("status", "plan.yaml"), ("journal", "show"), ("check", "plan.yaml"), ("lifecycle",)])
def test_on_a_terminal_the_readers_work_too(prepared, verb):
    terminal = Terminal(prepared, *verb)
    assert terminal.status == 0
    assert "Traceback" not in terminal.shown


def into_a_pipe_that_closes(desk: Desk, *args: str) -> tuple[str, str, int]:
    """Read the first line, then close: what `head -1` does."""
    process = subprocess.Popen(
        [*COMMAND, *args],
        cwd=desk.folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    first = process.stdout.readline()
    process.stdout.close()
    with process.stderr as stderr:
        said = stderr.read()
    return first, said, process.wait(PATIENCE)


def test_a_run_goes_on_when_nobody_reads_along_any_more(prepared):
    first, said, status = into_a_pipe_that_closes(
        prepared, "run", "plan.yaml", "--only", "dmsa-batch", "--until", "linked"
    )
    assert ("drives" in first, said, status) == (True, "", 0)
    assert prepared.phases()["dmsa-batch"] == "linked"


@pytest.mark.parametrize("verb", [("journal", "show"), ("lab", "show", "--state", ".dmsa/journal.db.lab"), ("schema",)])
def test_a_reader_that_has_seen_enough_hears_no_complaint(prepared, verb):
    first, said, status = into_a_pipe_that_closes(prepared, *verb)
    assert first
    assert (said, status) == ("", 0)


def test_logs_are_json_where_that_is_asked_for(prepared):
    run = prepared.dmsa(
        "run", "plan.yaml", "--only", "dmsa-batch", "--until", "prepared", "--json", "-v", "--log-format", "json"
    )
    assert run.returncode == 0
    assert json.loads(run.stdout)["plan"] == "quickstart"
    logged = [json.loads(line) for line in run.stderr.splitlines()]
    assert {"runner-took", "runner-left"} <= {line["event"] for line in logged}
