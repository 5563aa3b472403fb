"""The plan's own arithmetic: policy merged leaf by leaf, the wave above, durations."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.model.plan import Plan, parse_duration
from orchestrator.model.written import write_duration


def migration(name: str, **more: Any) -> dict[str, Any]:
    return {
        "account": f"CN=svc-{name},DC=corp,DC=example",
        "dmsa": {"name": name, "dns_host_name": f"{name}.corp.example"},
        "hosts": [{"name": "app01", "services": ["Spooler"]}],
        **more,
    }


def plan(*waves: dict[str, Any], **more: Any) -> Plan:
    return Plan.model_validate({"version": 1, "name": "x", "estate": {"lab": "x"}, "waves": waves, **more})


def test_policy_is_merged_leaf_by_leaf():
    made = plan(
        {
            "name": "one",
            "approvals": {"complete": 2},
            "migrations": [migration("a", approvals={"valid_for": "1d"}), migration("b", dwell="28d")],
        },
        policy={"approvals": {"start": 1, "complete": 1}, "dwell": "20d"},
    )
    a, b = made.policy_of("a"), made.policy_of("b")
    assert (a.approvals.start, a.approvals.complete, a.approvals.valid_for) == (1, 2, timedelta(days=1))
    assert (a.dwell, b.dwell) == (timedelta(days=20), timedelta(days=28))
    assert b.approvals.valid_for == timedelta(days=7)


def test_a_leaf_set_to_its_default_wins_over_the_layer_above():
    made = plan({"name": "one", "migrations": [migration("a", dwell="14d")]}, policy={"dwell": "28d"})
    assert made.policy_of("a").dwell == timedelta(days=14)


def test_without_needs_a_wave_needs_the_one_above():
    made = plan(
        {"name": "one", "migrations": [migration("a")]},
        {"name": "two", "migrations": [migration("b")]},
        {"name": "three", "needs": [], "migrations": [migration("c")]},
    )
    assert [made.needs_of(wave) for wave in made.waves] == [(), ("one",), ()]


def test_a_migration_is_found_by_its_dmsa():
    made = plan({"name": "one", "migrations": [migration("a"), migration("b")]})
    assert made.migration("b").account.startswith("CN=svc-b")
    assert made.wave_of("b").name == "one"
    assert [one.id for one in made.migrations()] == ["a", "b"]
    assert made.is_lab


def test_a_task_is_its_path_or_says_more():
    tasks = ["\\Nightly", {"path": "\\Reports\\Weekly", "run": True}]
    made = plan({"name": "one", "migrations": [migration("a", hosts=[{"name": "app01", "tasks": tasks}])]})
    assert [(task.path, task.run) for task in made.migration("a").host("app01").tasks] == [
        ("\\Nightly", False),
        ("\\Reports\\Weekly", True),
    ]


@given(st.integers(0, 3660 * 86400))
def test_a_duration_survives_being_written(seconds: int):
    duration = timedelta(seconds=seconds)
    assert parse_duration(write_duration(duration)) == duration


@pytest.mark.parametrize(
    "text", ["", "14", "d", "1d2d", "2h1d", "1.5h", "-1d", " 1d", "1D", "٣d", "9999999999d", "4000d", None, 5]
)
def test_no_duration(text: object):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize("reference", ["${env:NAME}", "${file:certs/runner.key}", "${keyring:dmsa/CORP\\runner}"])
def test_a_secret_is_a_reference(reference: str):
    connection = {"match": "*", "password": reference}
    made = plan({"name": "one", "migrations": [migration("a")]}, estate={"connections": [connection]})
    assert made.estate.connections[0].password == reference


@pytest.mark.parametrize("text", ["hunter2", "", "${env:}", "${env:A B}", "${keyring:x}", "${env:A}${env:B}", "$env:A"])
def test_anything_else_is_no_secret_for_a_plan_and_is_not_repeated(text: str):
    connection = {"match": "*", "password": text}
    with pytest.raises(ValidationError) as refused:
        plan({"name": "one", "migrations": [migration("a")]}, estate={"connections": [connection]})
    assert "hunter2" not in refused.value.errors()[0]["msg"]
