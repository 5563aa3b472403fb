"""What a plan means, whatever it looks like: over generated plans that use every key of the format."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model.guard_ids import GUARDS
from orchestrator.model.plan import Plan, Policy
from orchestrator.model.written import parse_duration, write_duration
from orchestrator.planfile import PlanInvalid, canonical, digest, json_schema, parse_plan
from orchestrator.planfile.digest import _canonical_json
from orchestrator.planfile.schema import Form, Items, Keys, Leaf, Shape, Table, plan_shape
from tests.planfile.generated import Author, Writer
from tests.planfile.written import as_written

SEEDS = st.integers(0, 2**64)
UNTOLD = (("estate", "connections"), ("estate", "addresses"), ("description",))
Path = tuple[str | int, ...]


def parsed(values: Any) -> Plan:
    return parse_plan(json.dumps(values, ensure_ascii=False).encode())


def generated(seed: int, full: bool = False) -> dict[str, Any]:
    return Author(random.Random(seed), full).plan(lab=seed % 3 == 0)


@given(seed=SEEDS, style=SEEDS)
@settings(max_examples=150, deadline=None)
def test_order_quotes_comments_anchors_and_merge_keys_change_nothing(seed: int, style: int):
    values = generated(seed)
    written = Writer(random.Random(style)).write(values)
    assert digest(parse_plan(written.encode())) == digest(parsed(values))


@given(seed=SEEDS)
@settings(max_examples=100, deadline=None)
def test_the_canonical_form_written_down_is_the_same_plan(seed: int):
    values = generated(seed)
    plan = parsed(values)
    form = as_written(canonical(plan), plan_shape())
    form["estate"] = (
        {"lab": plan.estate.lab} if plan.estate.lab else {**form["estate"], "connections": [{"match": "*"}]}
    )
    assert digest(parsed(form)) == digest(plan)


@given(seed=SEEDS)
@settings(max_examples=50, deadline=None)
def test_what_is_hashed_is_rfc_8785(seed: int):
    whole = canonical(parsed(generated(seed)))
    assert _canonical_json(whole) == rfc8785.dumps(whole)


def test_keys_beyond_the_basic_plane_are_sorted_as_rfc_8785_says():
    keys = {"\ufb01": "1", "\U0001f600": "2", "a": "3"}
    assert _canonical_json(keys) == rfc8785.dumps(keys) == '{"a":"3","\U0001f600":"2","\ufb01":"1"}'.encode()


@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_policy_is_merged_leaf_by_leaf(seed: int):
    values = generated(seed)
    plan = parsed(values)
    for wave in values["waves"]:
        for migration in wave["migrations"]:
            policy = plan.policy_of(migration["dmsa"]["name"])
            for leaf in policy_leaves():
                layers = (migration, wave, values.get("policy", {}))
                said = next((said for layer in layers if (said := at(layer, leaf)) is not None), None)
                expected = at_model(Policy(), leaf) if said is None else said
                found = at_model(policy, leaf)
                assert found == (parse_duration(expected) if isinstance(found, timedelta) else expected), leaf


def policy_leaves() -> Iterator[tuple[str, ...]]:
    policy = plan_shape().fields["policy"]
    assert isinstance(policy, Keys)
    for name, shape in policy.fields.items():
        yield from ((name, inner) for inner in shape.fields) if isinstance(shape, Keys) else ((name,),)


def at(layer: dict[str, Any], leaf: tuple[str, ...]) -> Any:
    for key in leaf:
        layer = layer.get(key, {})
    return None if layer == {} else layer


def at_model(policy: Any, leaf: tuple[str, ...]) -> Any:
    for key in leaf:
        policy = getattr(policy, key)
    return policy


def places(value: Any, shape: Shape, path: Path = ()) -> Iterator[tuple[Path, str, Leaf | Items]]:
    """Yield every leaf and every list of a plan's values, with the pattern of its path."""
    if isinstance(shape, Keys) and isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, shape.fields[name], (*path, name))
    elif isinstance(shape, Table):
        for name, inner in value.items():
            yield from places(inner, shape.value, (*path, name))
    elif isinstance(shape, Items):
        yield path, pattern(path), shape
        for index, item in enumerate(value):
            yield from places(item, shape.item, (*path, index))
    else:
        leaf = shape.shorthand if isinstance(shape, Keys) else shape
        assert isinstance(leaf, Leaf)
        yield path, pattern(path), leaf


def pattern(path: Path) -> str:
    named = ["[]" if isinstance(part, int) else part for part in path]
    for table in ("addresses", "keys"):
        if table in named[:-1]:
            named[named.index(table) + 1] = "*"
    return ".".join(named)


def patterns(shape: Shape, path: Path = ()) -> Iterator[str]:
    """Yield every pattern of the format."""
    if isinstance(shape, Keys):
        if shape.shorthand:
            yield pattern(path)
        for name, inner in shape.fields.items():
            yield from patterns(inner, (*path, name))
    elif isinstance(shape, Table):
        yield from patterns(shape.value, (*path, "x"))
    elif isinstance(shape, Items):
        yield pattern(path)
        yield from patterns(shape.item, (*path, 0))
    else:
        yield pattern(path)


def another(value: Any, key: str | int, shape: Leaf | Items) -> Any:
    """Return a value that means something else, and may stand in the same place."""
    if isinstance(shape, Items):
        return value[:-1]
    if shape.choices:
        return shape.choices[shape.choices.index(value) - 1]
    return another_text(value, key) if shape.form is Form.TEXT else another_scalar(value, shape.form)


def another_scalar(value: Any, form: Form) -> Any:
    match form:
        case Form.FLAG:
            return not value
        case Form.NUMBER:
            return value - 1 if value == 65535 else value + 1
        case Form.DURATION:
            return write_duration(parse_duration(value) + timedelta(seconds=1))
        case Form.DATE | Form.TIME:
            return value[:-1] + ("7" if value[-1] != "7" else "6")
        case Form.ALLOWANCE:
            return 7
        case _:
            return "${env:OTHER}"


def another_text(value: str, key: str | int) -> str:
    special = {"zone": "Asia/Tokyo", "domain": "example", "username": "other"}
    if key == "guard":
        return next(id_ for id_, rule in GUARDS.items() if rule.waivable and id_ != value)
    if isinstance(key, int) and value.startswith("wave-"):
        return "wave-1" if value == "wave-0" else "wave-0"
    if key == "path" and "=" in value:
        return f"OU=x,{value}"
    return value.replace("CN=", "CN=x") if key == "account" else special.get(str(key), f"{value}x")


def counts(values: dict[str, Any], path: Path) -> bool:
    """Say whether what stands at a path means anything for some migration: policy may be overridden everywhere."""
    if path[0] == "policy":
        leaf = tuple(map(str, path[1:3]))
        return any(
            at(wave, leaf) is None and any(at(one, leaf) is None for one in wave["migrations"])
            for wave in values["waves"]
        )
    if path[0] == "waves" and len(path) > 2 and path[2] in Policy.model_fields:
        leaf = tuple(map(str, path[2:4]))
        return any(at(one, leaf) is None for one in values["waves"][path[1]]["migrations"])
    return not any(path[: len(untold)] == untold for untold in UNTOLD)


def inheriting(values: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Take most policy off waves and migrations, so that what stands above them counts."""
    for wave in values["waves"]:
        for layer in (wave, *wave["migrations"]):
            for key in [key for key in layer if key in Policy.model_fields and chance.random() < 0.7]:
                del layer[key]
    return values


def with_another(values: dict[str, Any], path: Path, shape: Leaf | Items) -> dict[str, Any]:
    changed = deepcopy(values)
    inside: Any = changed
    for part in path[:-1]:
        inside = inside[part]
    inside[path[-1]] = another(inside[path[-1]], path[-1], shape)
    return changed


def test_every_change_of_meaning_is_another_digest_and_no_other_change_is():
    counted, moved = Counter[str](), Counter[str]()
    for seed in range(8):
        values = inheriting(generated(seed, full=True), random.Random(seed))
        original = digest(parsed(values))
        here = Counter[str]()
        for path, name, shape in places(values, plan_shape()):
            if here[name] > 1 or (isinstance(shape, Leaf) and path == ("version",)):
                continue
            try:
                other = with_another(values, path, shape)
                if other == values:
                    continue
                changed = digest(parsed(other))
            except PlanInvalid:
                continue  # not every change leaves a valid plan; the counts show that each place had one that does
            here[name] += 1
            counted[name] += 1
            moved[name] += changed != original
            assert (changed != original) is counts(values, path), (seed, path)
    # Without its last entry, which matches every host, neither of these lists is valid; their entries are changed.
    lists = {"estate.connections", "estate.sites"}
    everywhere = set(patterns(plan_shape())) - {"version", "waves.[].migrations.[].hosts.[].workloads"} - lists
    assert everywhere <= counted.keys()
    told = {name for name in everywhere if not name.startswith(tuple(".".join(untold) for untold in UNTOLD))}
    assert told <= {name for name, times in moved.items() if times}


def test_workloads_that_are_to_be_discovered_are_another_plan_than_a_list():
    values = generated(1)
    hosts = values["waves"][0]["migrations"][0]["hosts"]
    hosts[0] = {"name": "h", "services": ["A"]}
    named = digest(parsed(values))
    hosts[0] = {"name": "h", "workloads": "discover"}
    assert digest(parsed(values)) != named


@pytest.mark.parametrize("name", ["CleanupService", "DeleteOldFiles", "drop-folder", "Purge", "WipeCache"])
def test_a_service_may_be_called_what_it_likes(name: str):
    values = generated(3)
    values["waves"][0]["migrations"][0]["hosts"] = [{"name": "delete01", "services": [name], "tasks": [f"\\{name}"]}]
    assert parsed(values).waves[0].migrations[0].hosts[0].services == (name,)


def test_the_schema_takes_every_generated_plan():
    validator = jsonschema.Draft202012Validator(json_schema())
    for seed in range(60):
        validator.validate(generated(seed, full=seed % 2 == 0))
