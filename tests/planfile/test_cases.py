"""Each broken plan in ``cases/`` against the exact text that its author gets to read.

A new case is two files, NAME.yaml and NAME.txt; nothing here changes.
"""

import hashlib
import re
from pathlib import Path

import pytest

from orchestrator.planfile import PlanInvalid, crosschecks, parse_plan, tree

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
POSITION = re.compile(r"^\S+\.yaml:(\d+):(\d+): ", re.MULTILINE)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_author_reads_exactly_this(case: Path):
    with pytest.raises(PlanInvalid) as refused:
        parse_plan(case.read_bytes(), case.name)
    assert str(refused.value) + "\n" == case.with_suffix(".txt").read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_problems_are_sorted_and_inside_the_file(case: Path):
    with pytest.raises(PlanInvalid) as refused:
        parse_plan(case.read_bytes(), case.name)
    places = [(problem.line, problem.column) for problem in refused.value.problems]
    assert places == sorted(places)
    assert all(line >= 1 and column >= 1 for line, column in places)
    assert all(problem.id for problem in refused.value.problems)


def test_every_case_has_its_text_and_every_text_its_case():
    texts = (Path(__file__).parent / "cases").glob("*.txt")
    assert {case.stem for case in CASES} == {text.stem for text in texts}


def test_every_cross_check_is_the_reason_for_some_refusal():
    ids = set()
    for case in CASES:
        with pytest.raises(PlanInvalid) as refused:
            parse_plan(case.read_bytes(), case.name)
        ids |= {problem.id for problem in refused.value.problems}
    assert {id_ for id_, _ in crosschecks.CHECKS} <= ids


def test_no_case_shows_the_secret_in_it():
    secret = re.compile(rb"hunter2|MIIEvQ")
    holding = [case for case in CASES if secret.search(case.read_bytes())]
    assert holding
    for case in holding:
        assert not secret.search(case.with_suffix(".txt").read_bytes())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_without_the_c_library_the_same_problems_are_found(case: Path, monkeypatch: pytest.MonkeyPatch):
    """Wording and place of a syntax error may differ between the two parsers; everything else may not."""
    text = case.with_suffix(".txt").read_text()
    monkeypatch.setattr(tree, "_Parser", tree.yaml.SafeLoader)
    with pytest.raises(PlanInvalid) as refused:
        parse_plan(case.read_bytes(), case.name)
    if all(problem.id not in ("syntax", "tab") for problem in refused.value.problems):
        assert hashlib.sha256(f"{refused.value}\n".encode()).digest() == hashlib.sha256(text.encode()).digest()
