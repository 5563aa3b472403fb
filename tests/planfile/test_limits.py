"""Files that are made to hurt, or that no editor would have written."""

from pathlib import Path

import pytest

from orchestrator.errors import Exit
from orchestrator.planfile import PlanInvalid, load_plan, parse_plan
from orchestrator.planfile.source import LARGEST

VALID = Path(__file__).parents[2] / "plans" / "quickstart.yaml"


def only_problem(raw: bytes):
    with pytest.raises(PlanInvalid) as refused:
        parse_plan(raw)
    (problem,) = refused.value.problems
    return problem


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_depth_that_would_overflow_the_stack_of_a_composer_is_a_problem(opening: str):
    assert "nested deeper" in only_problem(opening.encode() * 100_000).message


def test_a_file_beyond_the_limit_is_refused_unread():
    assert only_problem(b"#" * (LARGEST + 1)).id == "too-large"


def test_many_aliases_to_little_are_no_bomb():
    services = ", ".join(["&s A"] + [f"B{index}" for index in range(3000)])
    raw = VALID.read_text().replace("[BatchRunner]", f"&all [{services}]").replace("[DirSync]", "*all")
    assert parse_plan(raw.encode()).migration("dmsa-sync").hosts[0].services[0] == "A"


def test_a_byte_order_mark_is_no_part_of_the_first_key():
    assert parse_plan(b"\xef\xbb\xbf" + VALID.read_bytes()).name == "quickstart"


def test_windows_line_ends_change_nothing():
    text = VALID.read_text()
    assert parse_plan(text.replace("\n", "\r\n").encode()) == parse_plan(text.encode())


def test_tabs_inside_text_are_text():
    text = VALID.read_text().replace("name: quickstart ", "description: |\n  a\n  \tb\nname: quickstart ")
    assert parse_plan(text.encode()).description == "a\n\tb\n"


@pytest.mark.parametrize("name", ["absent.yaml", "."])
def test_what_cannot_be_opened_is_input_that_is_invalid(tmp_path: Path, name: str):
    with pytest.raises(PlanInvalid, match="cannot be read") as refused:
        load_plan(tmp_path / name)
    assert refused.value.exit_code == Exit.INVALID


def test_nothing_that_a_plan_refers_to_is_opened(tmp_path: Path):
    path = tmp_path / "plan.yaml"
    path.write_bytes(VALID.read_bytes())
    loaded = load_plan(path)
    assert loaded.plan.estate.lab == "estates/quickstart.yaml"
    assert loaded.directory == tmp_path
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.yaml"]
