"""``check`` and ``schema``: what they print, and how they exit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from jsonschema import Draft202012Validator

from orchestrator.cli.plans import Document, check, schema
from orchestrator.planfile import json_schema
from orchestrator.views.check_schema import check_schema

ROOT = Path(__file__).parents[2]
GOOD = ROOT / "plans" / "erp.yaml"
BAD = ROOT / "tests" / "planfile" / "cases" / "at-once-zero.yaml"


def test_a_valid_plan_is_counted(capsys: pytest.CaptureFixture[str]):
    check([GOOD])
    assert "valid; 2 waves, 2 migrations, 4 hosts; digest " in capsys.readouterr().out


def test_every_plan_is_checked_before_it_exits(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(typer.Exit) as left:
        check([BAD, GOOD])
    shown = capsys.readouterr().out
    assert left.value.exit_code == 3
    assert ":6:14: waves[0].at_once: expected at least 1, found 0" in shown
    assert "1 problem\n" in shown
    assert "valid; " in shown


def test_for_machines_it_is_one_document(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(typer.Exit):
        check([BAD, GOOD], json=True)
    document = json.loads(capsys.readouterr().out)
    Draft202012Validator(check_schema()).validate(document)
    bad, good = document["plans"]
    assert bad["problems"] == [
        {
            "line": 6,
            "column": 14,
            "path": "waves[0].at_once",
            "id": "too-small",
            "message": "expected at least 1, found 0",
            "hint": "",
        }
    ]
    assert (bad["valid"], good["valid"], len(good["digest"])) == (False, True, 64)


@pytest.mark.parametrize("of", Document)
def test_every_schema_is_printed_whole_and_is_one(of, capsys: pytest.CaptureFixture[str]):
    schema(of)
    Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


def test_the_plans_schema_is_what_is_printed_if_none_is_named(capsys: pytest.CaptureFixture[str]):
    schema()
    assert json.loads(capsys.readouterr().out) == json_schema()


def test_naming_the_verbs_imports_neither_model_nor_yaml():
    code = "import sys, orchestrator.cli.plans; print([m for m in ('pydantic', 'yaml', 'rfc8785') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
