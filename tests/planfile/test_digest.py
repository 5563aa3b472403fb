"""What changes a plan's identity and what does not."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.planfile import canonical, digest, parse_plan, plan_of
from orchestrator.planfile.convert import Converter
from orchestrator.planfile.schema import plan_shape
from orchestrator.planfile.tree import build
from tests.planfile.written import as_written

PLANS = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))
ERP = (Path(__file__).parents[2] / "plans" / "erp.yaml").read_text()


def values_of(text: str) -> Any:
    """Return a plan's plain values, as they are before the model sees them."""
    root, _ = build(text, text.splitlines())
    return Converter().read(root, plan_shape())


def rewrite(values: Any, seed: int) -> str:
    """Return the same values as other YAML: keys shuffled, every text quoted, flow or block, with comments."""
    chance = random.Random(seed)

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            items = [(key, shuffled(inner)) for key, inner in value.items()]
            chance.shuffle(items)
            return dict(items)
        return [shuffled(inner) for inner in value] if isinstance(value, list) else value

    shared = shuffled(values)
    hosts = [host for wave in shared["waves"] for one in wave["migrations"] for host in one["hosts"]]
    hosts[0]["services"] = hosts[0].get("services", [])
    for host in hosts[1:]:
        if host.get("services") == hosts[0]["services"]:
            host["services"] = hosts[0]["services"]  # the same object: written as an alias
    flow, quotes = chance.choice([True, False, None]), chance.choice(["'", '"'])

    class Quoting(yaml.SafeDumper):
        """Quotes every text, because a plain 04:00 is one of the traps."""

    Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, quotes))
    text = yaml.dump(shared, Dumper=Quoting, sort_keys=False, default_flow_style=flow, allow_unicode=True)
    return "# written by somebody else\n" + text


@pytest.mark.parametrize("plan", PLANS, ids=lambda path: path.stem)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_how_it_is_written_changes_nothing(plan: Path, seed: int):
    text = plan.read_text()
    assert digest(parse_plan(rewrite(values_of(text), seed).encode())) == digest(parse_plan(text.encode()))


UNTOLD = [
    ("description: ERP and reporting service accounts; the pilot goes first", "description: something else"),
    ("auth: kerberos", "auth: negotiate"),
    ("  connections:", "  addresses: {app01.corp.example: 10.0.0.7}\n  connections:"),
    ("dwell: 28d", "dwell: 672h"),
    ("days: [sat, sun]", "days: [sun, sat]"),
    ("    at_once: 1\n", "    at_once: 1\n    needs: []\n"),
    ("  - name: main\n", "  - name: main\n    needs: [pilot]\n    dwell: 28d\n"),
    ("tasks: ['\\Reports\\Nightly']", "tasks: [{path: '\\Reports\\Nightly', run: false}]"),
    ("reboot: after_registry", "reboot: after_registry\n        retry: {attempts: 5}"),
]
TOLD = [
    ("dwell: 28d", "dwell: 29d"),
    ("name: erp-2026q4", "name: erp-2027q1"),
    ("change: CHG0031337", "change: CHG0031338"),
    ("server: dc01.corp.example", "server: DC01.corp.example"),
    ("converge_on: [dc01.corp.example, dc02.corp.example]", "converge_on: [dc01.corp.example]"),
    ("CN=svc-erp,", "CN=svc-erq,"),
    ("approvals: {start: 1, complete: 2}", "approvals: {start: 1, complete: 3}"),
    ('allow: "5%"', "allow: 5"),
    ("to: 2027-01-06", "to: 2027-01-07"),
    ("days: [sat, sun]", "days: [sat]"),
    ("services: [ErpApi, ErpQueue]", "services: [ErpQueue, ErpApi]"),
    ("approved_by: [ad-lead]", "approved_by: [someone]"),
    ("reboot: after_registry", "reboot: never"),
    ("    at_once: 8\n", "    at_once: 8\n    needs: []\n"),
    ("tasks: ['\\Reports\\Nightly']", "tasks: [{path: '\\Reports\\Nightly', run: true}]"),
    ("reboot: after_registry", "reboot: after_registry\n        retry: {attempts: 6}"),
]


@pytest.mark.parametrize(("old", "new"), UNTOLD)
def test_what_is_only_told_or_only_reached_differently_changes_nothing(old: str, new: str):
    assert old in ERP
    assert digest(parse_plan(ERP.replace(old, new, 1).encode())) == digest(parse_plan(ERP.encode()))


@pytest.mark.parametrize(("old", "new"), TOLD)
def test_what_means_something_else_is_another_plan(old: str, new: str):
    assert old in ERP
    assert digest(parse_plan(ERP.replace(old, new, 1).encode())) != digest(parse_plan(ERP.encode()))


@pytest.mark.parametrize("plan", PLANS, ids=lambda path: path.stem)
def test_what_a_journal_keeps_of_a_plan_tells_the_plan(plan: Path):
    original = parse_plan(plan.read_bytes())
    kept = canonical(original)
    told = plan_of(json.loads(json.dumps(kept)))
    assert canonical(told) == kept
    assert all(told.policy_of(one.id) == original.policy_of(one.id) for one in original.migrations())


@pytest.mark.parametrize("plan", PLANS, ids=lambda path: path.stem)
def test_the_canonical_form_is_a_plan_with_the_same_digest(plan: Path):
    original = parse_plan(plan.read_bytes())
    form = as_written(canonical(original), plan_shape())
    if original.estate.lab:
        form["estate"] = {"lab": original.estate.lab, "sites": form["estate"]["sites"]}
    else:
        form["estate"]["connections"] = [{"match": "*"}]
    assert digest(parse_plan(json.dumps(form).encode())) == digest(original)  # JSON is YAML
