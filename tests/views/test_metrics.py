"""What Prometheus is told of a run, read back by Prometheus' own parser."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.model.counts import Counts
from orchestrator.model.event import AttemptFinished, AttemptSettled, FaultSeen, Held, RetryDue
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.observation import FaultKind, Outcome
from orchestrator.model.run import RunState
from orchestrator.model.state import HostProgress, Ledger
from orchestrator.views.metrics import MEASURES, JournalSeen, exposed, metrics_text
from tests.engine.runs import AT, attempt, back, failed, flying, later, plan, refused, run, waits
from tests.engine.runs import at as stands

WINDOW = {"days": ["mon"], "open": "10:00", "close": "16:00", "zone": "UTC"}
"""Open at AT, a Monday noon."""
THREE = plan(
    {"ids": "abcde", "at_once": 2, "window": WINDOW, "failures": {"allow": 1}},
    {"ids": "f", "needs": ["w1"]},
    {"ids": "g", "needs": [], "approvals": {"start": 2}},
)
LEDGER = Ledger(
    first_seen={"host-b.corp.example": AT, "old": AT, "gone": AT},
    present=frozenset({"host-b.corp.example", "old"}),
    hosts_present=frozenset({"host-b.corp.example"}),
    hosts_since=AT,
    read_at=AT,
)


def a_run() -> RunState:
    """One of each: in flight, soaking, held, failed, rolled back, and waves that wait."""
    host = {"host-b.corp.example": HostProgress(registry="set", restarted=True)}
    soaking = stands(
        Phase.RESTARTED,
        waits=waits("dwell", later(days=14)),
        converged_at=AT,
        registry_at=AT,
        ledger=LEDGER,
        hosts=host,
    )
    found = run(
        a=flying(Phase.STARTED, open={"directory": attempt(unsettled=True)}),
        b=soaking,
        c=refused(),
        d=failed(Phase.LINKED),
        e=back(Phase.ROLLED_BACK, failure="failed"),
    )
    found.last_at = AT
    return found


def read(text: str) -> dict[tuple[str, ...], float]:
    """Return every sample: its name, the values of its labels in the order of their names, the plan's left out."""
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    found = {}
    for one in samples:
        labels = {name: value for name, value in one.labels.items() if name != "plan"}
        found[one.name, *(labels[name] for name in sorted(labels))] = one.value
    assert len(found) == len(samples), "no sample twice"
    return found


@pytest.fixture(scope="module")
def told() -> dict[tuple[str, ...], float]:
    state = a_run()
    state.counts = Counts(begun=9, ended={"succeeded": 6, "unknown": 1}, retries={"read": 3}, holds={"fault": 2})
    return read(metrics_text([(state, THREE)], None, journal=JournalSeen(rows=70, driven=True)))


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        (("dmsa_plan_info", "", "", ""), 1),
        (("dmsa_exit_code",), 4),
        (("dmsa_wave_state", "waiting", "w1"), 1),
        (("dmsa_wave_state", "done", "w1"), 0),
        (("dmsa_wave_state", "pending", "w2"), 1),
        (("dmsa_migrations", "started", "w1"), 1),
        (("dmsa_migrations", "completed", "w1"), 0),
        (("dmsa_standing", "moving", "w1"), 1),
        (("dmsa_standing", "waiting", "w1"), 1),
        (("dmsa_standing", "held", "w1"), 1),
        (("dmsa_standing", "failed", "w1"), 1),
        (("dmsa_standing", "rolled_back", "w1"), 1),
        (("dmsa_standing", "planned", "w2"), 1),
        (("dmsa_held", "operator", "w1"), 2),
        (("dmsa_waiting", "dwell", "w1"), 1),
        (("dmsa_waiting", "needs", "w2"), 1),
        (("dmsa_waiting", "approval:start", "w3"), None),
        (("dmsa_waiting_until_timestamp_seconds", "dwell", "w1"), later(days=14).timestamp()),
        (("dmsa_going_back", "w1"), 0),
        (("dmsa_in_flight", "w1"), 1),
        (("dmsa_in_flight_limit", "w1"), 2),
        (("dmsa_failures", "w1"), 2),
        (("dmsa_failures_allowed", "w1"), 1),
        (("dmsa_approvals_missing", "start", "w3"), 2),
        (("dmsa_approvals_missing", "start", "w1"), None),
        (("dmsa_window_open", "start", "w1"), 1),
        (("dmsa_window_open", "start", "w2"), None),
        (("dmsa_window_changes_timestamp_seconds", "complete", "w1"), later(hours=4).timestamp()),
        (("dmsa_dwell_due_first_timestamp_seconds", "w1"), later(days=14).timestamp()),
        (("dmsa_dwell_due_last_timestamp_seconds", "w2"), None),
        (("dmsa_hosts", "set", "w1"), 1),
        (("dmsa_hosts", "pending", "w1"), 4),
        (("dmsa_hosts_restarted", "w1"), 1),
        (("dmsa_hosts_allowed", "w1"), 1),
        (("dmsa_ledger", "w1", "hosts"), 1),
        (("dmsa_ledger", "w1", "unknown"), 1),
        (("dmsa_ledger", "w1", "vanished"), 1),
        (("dmsa_ledger_read_timestamp_seconds", "w1"), AT.timestamp()),
        (("dmsa_writes_total", "succeeded"), 6),
        (("dmsa_writes_total", "failed"), 0),
        (("dmsa_writes_total", "unknown"), 1),
        (("dmsa_writes_begun_total",), 9),
        (("dmsa_retries_total", "read"), 3),
        (("dmsa_retries_total", "write"), 0),
        (("dmsa_holds_total", "fault"), 2),
        (("dmsa_unsettled",), 1),
        (("dmsa_safety_refused",), 0),
        (("dmsa_shells_open",), 1),
        (("dmsa_restart_p95_seconds",), None),
        (("dmsa_last_event_timestamp_seconds",), AT.timestamp()),
        (("dmsa_estate_timestamp_seconds",), AT.timestamp()),
        (("dmsa_journal_rows_total",), 70),
        (("dmsa_journal_driven",), 1),
        (("dmsa_journal_unreadable_runs",), 0),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_what_is_told_of_a_run(told: dict[tuple[str, ...], float], sample: tuple[str, ...], value: float | None):
    assert told.get(sample) == value


def test_the_moment_is_the_one_that_was_asked_for():
    closed = read(metrics_text([(a_run(), THREE)], later(hours=5)))
    assert closed["dmsa_window_open", "start", "w1"] == 0
    assert closed["dmsa_window_changes_timestamp_seconds", "start", "w1"] == (AT.timestamp() + 7 * 86400 - 2 * 3600)
    assert closed["dmsa_estate_timestamp_seconds",] == later(hours=5).timestamp()


def test_a_run_that_has_not_begun_and_whose_time_nobody_knows():
    told = read(metrics_text([(RunState("table"), THREE)], None))
    assert told["dmsa_exit_code",] == 7
    assert told["dmsa_standing", "planned", "w1"] == 5
    assert not [sample for sample in told if "timestamp" in sample[0] or sample[0] == "dmsa_window_open"]
    assert not [sample for sample in told if sample[0].startswith("dmsa_journal")]


def test_no_label_grows_with_accounts_unless_that_is_asked_for():
    many = plan({"ids": "".join(map(chr, range(ord("a"), ord("a") + 26)))})
    few = plan({"ids": "a"})
    series = [len(read(metrics_text([(RunState("table"), one)], AT))) for one in (few, many)]
    assert series[0] == series[1]
    each = read(metrics_text([(a_run(), THREE)], AT, each=True))
    assert [sample[1:] for sample in each if sample[0] == "dmsa_migration_info"] == [
        ("moving", "a", "started", "w1"),
        ("waiting", "b", "restarted", "w1"),
        ("held", "c", "planned", "w1"),
        ("failed", "d", "linked", "w1"),
        ("rolled_back", "e", "rolled_back", "w1"),
        ("planned", "f", "planned", "w2"),
        ("planned", "g", "planned", "w3"),
    ]
    names = re.compile(r"svc-|host-[a-z]|CN=")
    assert not names.search(metrics_text([(a_run(), THREE)], AT))


HOSTILE = 'a"b\\c\nd{e="f"} 1\n# TYPE dmsa_x gauge\r\udc80 <script>'


def test_what_a_plan_says_stays_inside_its_label():
    odd = THREE.model_copy(update={"owner": HOSTILE, "change": HOSTILE})
    text = metrics_text([(a_run(), odd)], AT)
    assert {line.split("{")[0].split()[0] for line in text.split("\n") if line and line[0] != "#"} <= {
        name for name, *_ in exposed()
    }
    (about,) = (
        one for family in text_string_to_metric_families(text) for one in family.samples if "change" in one.labels
    )
    assert about.labels["owner"] == HOSTILE.replace("\udc80", "\\udc80")


def test_two_runs_stand_beside_each_other_and_nothing_is_left_behind():
    other = THREE.model_copy(update={"name": "other"})
    before = list(REGISTRY.collect())
    text = metrics_text([(a_run(), THREE), (RunState("other"), other)], None)
    assert text == metrics_text([(a_run(), THREE), (RunState("other"), other)], None)
    assert text.count("# TYPE dmsa_exit_code gauge") == 1
    assert 'dmsa_exit_code{plan="table"} 4.0\ndmsa_exit_code{plan="other"} 7.0\n' in text
    assert [family.name for family in REGISTRY.collect()] == [family.name for family in before]


def test_names_follow_the_conventions():
    names = [name for name, *_ in exposed()]
    assert len(names) == len(set(names)) == len(MEASURES) + 5
    for name, kind, labels, means in exposed():
        assert re.fullmatch(r"dmsa_[a-z0-9_]+", name)
        assert name.endswith({"counter": "_total", "info": "_info", "gauge": name[-1]}[kind])
        assert all(re.fullmatch(r"[a-z]+", label) for label in labels)
        assert means.endswith(".")


def rules() -> list[dict[str, Any]]:
    page = (Path(__file__).parents[2] / "runbooks" / "metrics.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    (group,) = yaml.safe_load(block)["groups"]
    return list(group["rules"])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is(rule: dict[str, Any]):
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    labels = {name: {*labels, "instance", "file"} for name, _, labels, _ in exposed()}
    asked = re.findall(r"\b(dmsa_\w+)(?:\{(\w+)=)?", rule["expr"])
    assert asked or "node_textfile_mtime_seconds" in rule["expr"]
    for name, label in asked:
        assert name in labels
        assert not label or label in labels[name]
    said = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    assert all(said <= labels[name] for name, _ in asked[:1])


FAULT = FaultSeen(kind=FaultKind.TRANSIENT, code="x", message="busy")


def test_counts_only_ever_grow():
    state = RunState("r")
    retry = RetryDue(migration="a", subject="h", of="write", tries=1, until=AT, fault=FAULT)
    state.apply(attempt().started, AT)
    state.apply(AttemptFinished(migration="a", subject="directory", outcome=Outcome.UNKNOWN), AT)
    state.apply(AttemptSettled(migration="a", subject="directory"), AT)
    state.apply(retry, AT)
    state.apply(retry.model_copy(update={"turned_away": 2}), AT)
    state.apply(Held(migration="a", reason="fault", detail="x", release="y", step=Trigger.START), AT)
    apart = state.copied()
    apart.apply(retry, AT)
    expected = Counts(begun=1, ended={"unknown": 1}, settled=1, retries={"write": 1}, turned_away=1, holds={"fault": 1})
    assert state.counts == expected
    assert apart.counts == replace(expected, retries={"write": 2})


def test_restarts_are_told_in_seconds():
    state = RunState("table")
    state.restarts.every = (timedelta(seconds=4), timedelta(seconds=90))
    assert read(metrics_text([(state, THREE)], AT))["dmsa_restart_p95_seconds",] == 90
