"""The documents tell the same story as the program: generated parts, links, names, and commands that are run."""

from __future__ import annotations

import doctest
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
import typer
import yaml

from orchestrator.cli import app
from orchestrator.engine.outcome import WaveState
from orchestrator.errors import Exit
from orchestrator.guards import all_guards
from orchestrator.model.event import WorkloadSeen
from orchestrator.model.guard_ids import GUARDS
from orchestrator.model.lifecycle import Phase, mermaid
from orchestrator.model.plan import Plan
from orchestrator.model.waiting import WaitFor
from orchestrator.views.status_schema import HELD_REASONS, REGISTRY, status_schema
from tests.documents import ASKED_ELSEWHERE, PAGES, PART, PARTS, ROOT, RUNBOOKS, refreshed

README = ROOT / "README.md"
RUN = (
    "first-run.md",
    "discover.md",
    "rehearse.md",
    "drill.md",
    "rollback.md",
    "resume-after-crash.md",
    "unknown-outcome.md",
    "lost-journal.md",
    "run-for-weeks.md",
    "probe-windows.md",
    "jea.md",
    "original-deleted.md",
    "verify.md",
    "report.md",
    "preflight.md",
    "preview.md",
    "soc.md",
    "approvals.md",
    "dwell-and-ledger.md",
    "plan-a-wave.md",
    "notices.md",
    "metrics.md",
)
"""Pages whose commands are run."""

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:\S*/)?dmsa .+")
CODE = re.compile(r"`(dmsa [^`]+)`")
by_name = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def page(name: str) -> str:
    return text(RUNBOOKS / name)


def blocks(page: Path, language: str) -> list[str]:
    return [match[3] for match in FENCE.finditer(text(page)) if match[2] == language]


def marked(name: str) -> str:
    """Return the one command that README shows between ``<!-- name -->`` and ``<!-- end -->``."""
    found = re.search(rf"^<!-- {name} -->\n```\n(.*)\n```\n<!-- end -->$", text(README), re.MULTILINE)
    assert found, f"README has no command marked {name}"
    return found[1]


def codes(page: str, heading: str) -> set[str]:
    """Return what stands as code in the first cells of a section's tables."""
    section = page.partition(f"\n{heading}\n")[2].partition("\n#")[0]
    cells = (line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `"))
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def slug(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")


# What is generated.


@by_name
def test_generated_parts_are_as_the_code_has_them(page: Path):
    assert refreshed(text(page)) == text(page), "python -m tests.documents writes them anew"


def test_every_generated_part_stands_somewhere_once():
    assert sorted(part["name"] for page in PAGES for part in PART.finditer(text(page))) == sorted(PARTS)


def test_the_diagram_in_readme_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]):
    typer.main.get_command(app).main(["lifecycle"], standalone_mode=False)
    assert blocks(README, "mermaid") == [mermaid()] == [capsys.readouterr().out]


def test_a_guard_without_a_file_is_not_said_to_be_asked_twice():
    assert not ASKED_ELSEWHERE.keys() & {guard.id for guard in all_guards()}
    assert ASKED_ELSEWHERE.keys() <= GUARDS.keys()


# What is named.


def test_readme_and_runbook_know_every_exit_code():
    stopped = {"129", "130", "143"}
    wanted = {str(int(code)) for code in Exit} | stopped
    for section in (text(README).partition("## Exit codes")[2], page("exit-codes.md")):
        first = {cell for line in section.splitlines() for cell in re.findall(r"\d+", line.split(" | ")[0])}
        assert first >= wanted
        assert {int(code) for code in first} <= {int(code) for code in wanted}


def test_every_reason_for_a_hold_has_its_section():
    headings = {heading.strip() for heading in re.findall(r"^## (.+)$", page("held.md"), re.MULTILINE)}
    assert headings == {reason for reason in HELD_REASONS if not reason.startswith("guard:")} | {
        "guard:&lt;id&gt;",
        "Not held",
    }


def test_the_status_page_lists_every_word_of_the_contract():
    status = page("read-the-status.md")
    assert codes(status, "## State of a wave") == set(get_args(WaveState))
    assert codes(status, "## What it waits for") == set(get_args(WaitFor))
    host = status.partition("## A host")[2]
    kinds, states = (get_args(WorkloadSeen.model_fields[name].annotation) for name in ("kind", "state"))
    for word in (*REGISTRY, *kinds, *states):
        assert f"`{word}`" in host


def test_the_status_shown_is_one_that_the_program_could_print():
    (shown,) = blocks(RUNBOOKS / "read-the-status.md", "json")
    jsonschema.validate(json.loads(shown), status_schema())


def test_every_phase_is_explained_and_every_page_is_in_the_index():
    assert codes(page("lifecycle.md"), "## Forward") | codes(page("lifecycle.md"), "## Back") >= set(Phase)
    listed = {target for target in LINK.findall(page("README.md")) if not target.startswith("..")}
    assert listed == {file.name for file in RUNBOOKS.glob("*.md")} - {"README.md"}


def test_the_smallest_plan_shown_is_the_one_that_ships():
    shown = yaml.safe_load(blocks(RUNBOOKS / "plan-format.md", "yaml")[0])
    ships = yaml.safe_load(text(ROOT / "plans" / "one-account.yaml"))
    assert Plan.model_validate(shown) == Plan.model_validate({**ships, "description": ""})


@by_name
def test_links_lead_to_a_file_of_the_project_and_a_heading_in_it(page: Path):
    for target in LINK.findall(text(page)):
        assert "://" not in target, f"{target} points outside the project"
        name, _, heading = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.is_relative_to(ROOT), target
        assert file.exists(), target
        headings = re.findall(r"^#+ (.+)$", text(file), re.MULTILINE) if heading else ()
        assert not heading or heading in map(slug, headings), target


def test_pages_that_messages_send_people_to_are_there():
    sources = [text(file) for file in (ROOT / "orchestrator").rglob("*.py")]
    named = {name for source in sources for name in re.findall(r"runbooks/([\w-]+\.md)", source)}
    assert named
    assert all((RUNBOOKS / name).is_file() for name in named)


# What is typed.


def commands() -> Iterator[tuple[str, str]]:
    """Yield every ``dmsa …`` that a reader may type, with the page it stands on."""
    for page in PAGES:
        shown = [line[2:] for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ ")]
        for line in (*shown, *CODE.findall(FENCE.sub("", text(page)))):
            found = COMMAND.search(line)
            if found and "…" not in line:
                yield page.name, found[0].partition(" | ")[0].partition(" > ")[0]


def test_every_command_shown_is_one_that_the_program_has():
    checked = 0
    for name, line in commands():
        command, words = typer.main.get_command(app), _words(line)
        while verbs := getattr(command, "commands", {}):
            if not words or words[0].startswith("-"):
                break
            assert words[0] in verbs, f"{name}: `{line}` has no {words[0]}"
            command, words = verbs[words[0]], words[1:]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        given = {word for word in words if word.startswith("--")}
        assert given <= known, f"{name}: `{line}`"
        checked += 1
    assert checked > 40


def _words(line: str) -> list[str]:
    return re.findall(r"""(?:"[^"]*"|[^\s"])+""", line)[1:]


def test_verbs_said_to_be_missing_are_missing():
    said = text(README).partition("Not in this version:")[2].partition(";")[0]
    verbs = {verb for group in _groups(typer.main.get_command(app), "") for verb in group}
    missing = re.findall(r"`([a-z -]+)`", said)
    assert missing
    assert not set(missing) & verbs


def test_messages_name_no_verb_that_is_missing():
    verbs = {verb for group in _groups(typer.main.get_command(app), "") for verb in group}
    for file in (ROOT / "orchestrator").rglob("*.py"):
        for verb, rest in re.findall(r"`dmsa ([a-z-]+)(.{0,80})", text(file), re.DOTALL):
            assert verb in verbs or "not in this version" in rest, f"{file.name} sends people to dmsa {verb}"


def _groups(command: object, above: str) -> Iterator[set[str]]:
    verbs: dict[str, object] = getattr(command, "commands", {})
    yield {f"{above}{verb}" for verb in verbs}
    for verb, inner in verbs.items():
        yield from _groups(inner, f"{above}{verb} ")


def test_readmes_two_commands_differ_only_in_what_they_install_and_run():
    run, tests = (marked(name).split(" && ") for name in ("run", "tests"))
    assert run[0] == tests[0] == "python3.11 -m venv --clear .venv"
    assert run[2] == tests[2]
    assert (run[1], run[3]) == (tests[1].replace("dev.txt", "lab.txt"), ".venv/bin/dmsa run plans/quickstart.yaml")
    assert tests[3].startswith(".venv/bin/python -m pytest ")


def test_ci_takes_its_test_command_from_readme():
    extract = next(line for line in text(ROOT / ".ci" / "run").splitlines() if line.startswith("tests="))
    done = subprocess.run(
        ["bash", "-c", f'{extract}\nprintf %s "$tests"'], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == marked("tests")


@pytest.mark.parametrize("name", ["lab.txt", "dev.txt", "runner.txt"])
def test_pinned_files_are_exact_hashed_and_say_nothing_of_where_packages_come_from(name):
    pinned = text(ROOT / "constraints" / name)
    assert not re.search(r"://|@|^\s*-[^-]|^\s*--(?!hash=sha256:)|(?:^|\s)/", pinned, re.MULTILINE)
    entries = [line for line in pinned.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(entries) > 20
    assert all(re.match(r"[a-z0-9.-]+==[\w.]+ (?:; .+ )?\\$", entry) for entry in entries)
    # Every entry has at least one hash.
    assert len(re.findall(r"\\\n    --hash=sha256:[0-9a-f]{64}", pinned)) >= len(entries)


def test_pins_of_the_three_files_agree():
    pins: dict[str, set[str]] = {}
    for name in ("lab.txt", "dev.txt", "runner.txt"):
        for package, version in re.findall(r"^([a-z0-9.-]+)==(\S+)", text(ROOT / "constraints" / name), re.MULTILINE):
            pins.setdefault(package, set()).add(version)
    assert {package: found for package, found in pins.items() if len(found) > 1} == {}


# What is run.


def steps(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the commands of a page, each with the output that the page shows."""
    for block in blocks(page, "console"):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = step.partition("\n")
            yield command, shown


@pytest.mark.parametrize("name", RUN)
def test_commands_of_a_page_do_what_it_shows(name, tmp_path: Path):
    shutil.copytree(ROOT / "plans", tmp_path / "plans")
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "dmsa").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m orchestrator "$@"\n', encoding="utf-8")
    (bin_ / "dmsa").chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DMSA_")}
    environment |= {"PATH": f"{bin_}:{environment['PATH']}", "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    status, following = 0, [*[command for command, _ in steps(RUNBOOKS / name)][1:], ""]
    for (command, shown), next_ in zip(steps(RUNBOOKS / name), following, strict=True):
        if command == "echo $?":
            assert shown.strip() == str(status)
            continue
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240
        )
        status = done.returncode if done.returncode >= 0 else 128 - done.returncode
        assert status == 0 or next_ == "echo $?", f"{command}: {status}\n{done.stdout}{done.stderr}"
        matches = doctest.OutputChecker().check_output(shown, done.stdout, doctest.ELLIPSIS)
        assert matches, f"{command}\nshown:\n{shown}\nprinted:\n{done.stdout}{done.stderr}"


def test_what_readme_shows_of_the_run_is_of_the_form_that_first_run_was_tested_with():
    (shown,) = blocks(README, "text")
    (run,) = (
        out
        for command, out in steps(RUNBOOKS / "first-run.md")
        if command == "dmsa run plans/quickstart.yaml" and "pilot" in out
    )
    end = run[run.index("wave pilot") :]
    assert shown.endswith(end)
