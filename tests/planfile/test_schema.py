"""The JSON Schema says to editors what the loader says to the shell."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from orchestrator.planfile import crosschecks, json_schema, parse_plan
from orchestrator.planfile.convert import Converter
from orchestrator.planfile.keys import asks_for_deletion
from orchestrator.planfile.problem import PlanInvalid
from orchestrator.planfile.schema import Items, Keys, plan_shape
from orchestrator.planfile.tree import build

ROOT = Path(__file__).parents[2]
PLANS = sorted((ROOT / "plans").glob("*.yaml"))
CASES = Path(__file__).parent / "cases"
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def values_of(path: Path) -> Any:
    text = path.read_text()
    root, _ = build(text, text.splitlines())
    return Converter().read(root, plan_shape())


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("plan", PLANS, ids=lambda path: path.stem)
def test_every_plan_that_ships_is_valid_for_both(plan: Path):
    parse_plan(plan.read_bytes(), str(plan))
    VALIDATOR.validate(values_of(plan))


@pytest.mark.parametrize(
    "case",
    ["at-once-zero", "version-two", "name-capitals", "no-hosts", "choice-typo", "day-long", "duration-unit",
     "time-without-zero", "allowance-too-much", "port-out-of-range", "wildcard-service", "waiver-nobody"],
)  # fmt: skip
def test_what_an_editor_can_know_it_is_told(case: str):
    path = CASES / f"{case}.yaml"
    with pytest.raises(PlanInvalid):
        parse_plan(path.read_bytes())
    assert not VALIDATOR.is_valid(yaml.safe_load(path.read_text()))


class Editor(yaml.SafeLoader):
    """Reads as editors do: a date is text."""


Editor.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
BOMBS = {"alias-of-itself", "billion-laughs", "billion-laughs-by-merge"}
"""What an editor would never finish reading."""
BEYOND_A_SCHEMA = {id_ for id_, _ in crosschecks.CHECKS} | {
    *("address", "host-name", "distinguished-name", "task-path", "url", "secret", "wildcard", "name", "duration"),
    *("control-character", "number", "allowance", "duplicate-key", "tag", "not-utf-8", "syntax", "text"),
}


@pytest.mark.parametrize("plan", PLANS, ids=lambda path: path.stem)
def test_an_editor_finds_nothing_in_a_plan_that_ships(plan: Path):
    VALIDATOR.validate(yaml.load(plan.read_text(), Editor))


def test_an_editor_misses_only_what_no_schema_can_say():
    caught, missed = 0, set()
    for case in sorted(set(CASES.glob("*.yaml")) - {CASES / f"{bomb}.yaml" for bomb in BOMBS}):
        try:
            values = yaml.load(case.read_bytes(), Editor)
        except (yaml.YAMLError, ValueError):
            caught += 1
            continue
        if not VALIDATOR.is_valid(values):
            caught += 1
            continue
        with pytest.raises(PlanInvalid) as refused:
            parse_plan(case.read_bytes())
        missed |= {problem.id for problem in refused.value.problems}
    assert missed <= BEYOND_A_SCHEMA
    assert caught >= 120


def objects(schema: dict[str, Any]) -> list[dict[str, Any]]:
    found = [schema, *schema["$defs"].values()]
    return [part for one in found for part in (one, *one.get("anyOf", ())) if part.get("type") == "object"]


def test_every_object_is_closed_and_every_key_is_described():
    for one in objects(SCHEMA):
        assert one["additionalProperties"] is False
        for name, key in one["properties"].items():
            target = SCHEMA["$defs"].get(key.get("$ref", "").rpartition("/")[2], {})
            assert key.get("description") or target.get("description"), name


def test_tasks_have_two_forms():
    forms = SCHEMA["$defs"]["Task"]["anyOf"]
    assert [form["type"] for form in forms] == ["string", "object"]


def test_defaults_are_valid_where_they_stand():
    for one in objects(SCHEMA):
        for name, key in one["properties"].items():
            if "default" in key:
                part = {**key, "$defs": SCHEMA["$defs"]}
                assert jsonschema.Draft202012Validator(part).is_valid(key["default"]), name


def test_inherited_policy_has_no_default_for_an_editor_to_fill_in():
    assert "default" not in SCHEMA["$defs"]["Migration"]["properties"]["dwell"]
    assert SCHEMA["$defs"]["Policy"]["properties"]["dwell"]["default"] == "14d"


def test_no_key_of_the_format_reads_like_deletion():
    waiting: list[Any] = [plan_shape()]
    while waiting:
        shape = waiting.pop()
        if isinstance(shape, Items):
            waiting.append(shape.item)
        elif isinstance(shape, Keys):
            assert not any(map(asks_for_deletion, shape.fields))
            waiting += shape.fields.values()
