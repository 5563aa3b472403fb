"""The documents tell the same story as the program: generated parts, links, names, and commands that are run."""

from __future__ import annotations

import doctest
import itertools
import json
import re
import subprocess
from collections import Counter
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
from orchestrator.model.lifecycle import Phase, Trigger, mermaid, move
from orchestrator.model.plan import Plan
from orchestrator.model.waiting import WaitFor
from orchestrator.views.status_schema import HELD_REASONS, REGISTRY, status_schema
from tests import warm
from tests.documents import ASKED_ELSEWHERE, PAGES, PART, PARTS, ROOT, RUNBOOKS, refreshed
from tests.needs import served
from tests.pages import DATA, FENCE, RUNNABLE, STAYS, WALKTHROUGH, Step, begins_after, blocks, needs, steps, why_not
from tests.reader import Done, Reader, Shelf

README = ROOT / "README.md"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:\S*/)?dmsa .+")
CODE = re.compile(r"`(dmsa [^`]+)`")
by_name = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def page(name: str) -> str:
    return text(RUNBOOKS / name)


def texts(page: Path, language: str) -> list[str]:
    return [block.text for block in blocks(page) if block.language == language]


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


def test_the_diagram_shown_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]):
    typer.main.get_command(app).main(["lifecycle"], standalone_mode=False)
    assert texts(RUNBOOKS / "lifecycle.md", "mermaid") == [mermaid()] == [capsys.readouterr().out]


def test_the_drawing_in_readme_has_every_phase_and_only_moves_that_are_there():
    (drawn,) = texts(README, "mermaid")
    arrows = re.findall(r"^    (\w+) -->\|(.+)\| (\w+)$", drawn, re.MULTILINE)
    assert {phase for source, _, dest in arrows for phase in (source, dest)} == set(Phase)
    for source, words, dest in arrows:
        for word in re.split(r" / |, from", words)[:2]:
            assert word.startswith(" ") or move(Phase(source), Trigger(word), dest=Phase(dest))


def test_a_guard_without_a_file_is_not_said_to_be_asked_twice():
    assert not ASKED_ELSEWHERE.keys() & {guard.id for guard in all_guards()}
    assert ASKED_ELSEWHERE.keys() <= GUARDS.keys()


# What is named.


def test_the_page_of_exit_codes_knows_every_one():
    rows = [line for line in page("exit-codes.md").splitlines() if line.startswith("| ")]
    found = {cell for line in rows for cell in re.findall(r"\d+", line.split(" | ")[0])}
    assert found == {str(int(code)) for code in Exit} | {"129", "130", "143"}


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
    (shown,) = texts(RUNBOOKS / "read-the-status.md", "json")
    jsonschema.validate(json.loads(shown), status_schema())


def test_every_phase_is_explained_and_every_page_is_in_the_index():
    assert codes(page("lifecycle.md"), "## Forward") | codes(page("lifecycle.md"), "## Back") >= set(Phase)
    listed = {target for target in LINK.findall(page("README.md")) if not target.startswith("..")}
    assert listed == {file.name for file in RUNBOOKS.glob("*.md")} - {"README.md"}


def test_the_smallest_plan_shown_is_the_one_that_ships():
    shown = yaml.safe_load(texts(RUNBOOKS / "plan-format.md", "yaml")[0])
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
        shown = [line[2:] for block in texts(page, "console") for line in block.splitlines() if line.startswith("$ ")]
        for line in (*shown, *CODE.findall(FENCE.sub("", text(page)))):
            found = COMMAND.search(line)
            if found and "…" not in line:
                yield page.name, found[0].partition(" | ")[0].partition(" > ")[0]


def test_every_command_shown_is_one_that_the_program_has():
    checked = 0
    program = typer.main.get_command(app)
    for name, line in commands():
        command, words = program, _words(line)
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


def test_messages_name_no_verb_that_is_missing():
    verbs = {verb for group in _groups(typer.main.get_command(app), "") for verb in group}
    for file in (ROOT / "orchestrator").rglob("*.py"):
        for verb in re.findall(r"`dmsa ([a-z-]+)", text(file)):
            assert verb in verbs, f"{file.name} sends people to dmsa {verb}"


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


@by_name
def test_every_block_is_run_or_says_why_not(page: Path):
    for block in blocks(page):
        run = block.language == "console" and (not block.mark or block.mark.startswith(STAYS))
        read = block.language in DATA or block.mark in {"run", "tests"} or block.mark.startswith(WALKTHROUGH)
        assert run or read or why_not(block), f"{page.name}: a block is not run and does not say why:\n{block.text}"


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Shelf:
    own = tmp_path_factory.getbasetemp()
    place = (own.parent if hasattr(request.config, "workerinput") else own) / "shelf"
    place.mkdir(exist_ok=True)
    return Shelf(place, warm.shared())


def typed(page: Path) -> tuple[str, ...]:
    """Return all that is typed for a page up to what stays in another terminal, and what was done before it."""
    shown = itertools.takewhile(lambda step: step.stays_until is None, steps(page))
    return (*begins_after(page), *(step.command for step in shown if step.command != "echo $?"))


def prefixes(commands: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [commands[:number] for number in range(1, len(commands) + 1)]


BEGUN = Counter(prefix for page in RUNNABLE if not needs(page) for prefix in prefixes(typed(page)))
"""How many pages begin with the same commands: these are done once."""
SERVED = [pytest.param(page, marks=[pytest.mark.service] if needs(page) else []) for page in RUNNABLE]


@pytest.mark.parametrize("page", SERVED, ids=lambda page: page.stem)
def test_commands_of_a_page_do_what_it_shows(page: Path, shelf: Shelf, tmp_path: Path):
    before = begins_after(page)
    shared = max((one for one in prefixes(typed(page)) if BEGUN[one] > 1), key=len, default=())
    reader = shelf.reader(max(before, shared, key=len), tmp_path / "desk")
    with served(needs(page)) as environment:
        reader.finds(environment)
        follow(page, reader, shelf, before, shared)


def follow(page: Path, reader: Reader, shelf: Shelf, before: tuple[str, ...], shared: tuple[str, ...]) -> None:
    given, status = before, 0
    for step, following in itertools.zip_longest(steps(page), steps(page)[1:]):
        if step.command == "echo $?":
            assert step.shown.strip() == str(status)
            continue
        if step.stays_until is not None:
            reader.types_in_another_terminal(step)
            continue
        given = (*given, step.command)
        done = shelf.after(given)[1] if given == shared[: len(given)] else reader.types(step.command)
        status = done.status
        told = following is not None and following.command == "echo $?"
        assert status == 0 or told, f"{step.command}: {status}\n{done.stdout}{done.stderr}"
        assert_shown(step, done)
    for step, done in reader.leaves():
        assert_shown(step, done)


def assert_shown(step: Step, done: Done) -> None:
    matches = doctest.OutputChecker().check_output(step.shown, done.stdout, doctest.ELLIPSIS)
    assert matches, f"{step.command}\nshown:\n{step.shown}\nprinted:\n{done.stdout}{done.stderr}"
