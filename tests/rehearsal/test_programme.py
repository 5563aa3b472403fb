"""A small programme with everything that a big one has: it ends, each migration with its reason, no budget exceeded.

Four waves through a winter and a spring: windows at night in Berlin, the night that summer time begins, Easter as a
blackout, four weeks of dwell, and one host of five bad. The judge of the rehearsal is held against the journal here.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.model.event import Admitted, AttemptStarted, Held, Moved, WayBackAsked
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.planfile import load_plan
from orchestrator.rehearsal.bad_hosts import with_bad_hosts
from orchestrator.rehearsal.play import Played, play
from orchestrator.rehearsal.stage import staged
from orchestrator.views.rehearsal import rehearsal_schema
from tests.bench import programme

BERLIN = ZoneInfo("Europe/Berlin")
EASTER = (date(2026, 4, 2), date(2026, 4, 6))
SUMMER_TIME = datetime(2026, 3, 29, tzinfo=BERLIN)
SHARE, SEED = "20%", 4


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("programme") / "programme.yaml"
    place.write_text(programme.plan(24, 40, 4), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def document(file):
    done = CliRunner().invoke(app, ["rehearse", str(file), "--bad-hosts", SHARE, "--seed", str(SEED), "--json"])
    found = json.loads(done.stdout)
    assert found["exit"] == done.exit_code == 4
    Draft202012Validator(rehearsal_schema()).validate(found)
    return found["seeds"][0]


@pytest.fixture(scope="module")
def played(file) -> Played:
    spoiled, _ = with_bad_hosts(staged(load_plan(file)), SHARE, SEED)
    return play(spoiled, SEED, attended=False)


def test_it_is_what_it_is_meant_to_be(played, document):
    """Eight bad hosts, a summer time, an Easter; some complete, some fail, some are refused, some are taken back."""
    assert len(document["bad_hosts"]) == 8
    assert len({bad["kind"] for bad in document["bad_hosts"]}) >= 7
    assert played.began < SUMMER_TIME < played.ended
    ends = Counter(migration["phase"] for migration in document["migrations"])
    assert ends["completed"] >= 8
    reasons = Counter(one["held"]["reason"] for one in document["migrations"] if one["held"])
    assert {"guard:host-reachable", "guard:host-capable"} & set(reasons)
    assert any(wave["failed"] for wave in document["waves"])


def test_every_migration_is_completed_or_has_a_reason(document):
    for one in document["migrations"]:
        whole = one["phase"] == "completed" and one["intention"] == "forward"
        back = one["phase"] == "rolled_back" and one["back"] and one["back"]["by"] and one["back"]["reason"]
        held = one["held"] and all(one["held"].values())
        waits = one["waiting"] and one["waiting"]["for"] and one["waiting"]["detail"]
        assert whole or back or held or waits, one
        assert not (one["waiting"] and one["waiting"]["until"]), "what has a due time is waited for"


def test_no_budget_is_exceeded(played, document):
    """By the rows: once more of a wave have failed than may, nothing of it begins, and nothing is admitted."""
    assert document["violations"] == []
    failed: dict[str, set[str]] = {wave.name: set() for wave in played.world.plan.waves}
    budget = {wave["name"]: wave["allowed"] for wave in document["waves"]}
    started = set()
    spent = set()
    for event, _ in played.world.told():
        id_ = getattr(event, "migration", None)
        if id_ is None:
            continue
        wave = played.world.plan.wave_of(id_).name
        match event:
            case Held(reason=reason) if reason.startswith("guard:") and id_ not in started:
                pass
            case Held(reason=reason) if reason != "budget-spent":
                failed[wave].add(id_)
            case WayBackAsked(automatic=True):
                failed[wave].add(id_)
            case AttemptStarted(step=Trigger.START):
                started.add(id_)
            case Admitted(step=Trigger.START | Trigger.COMPLETE) | Moved(dest=Phase.PREPARED):
                assert wave not in spent, f"{id_} begins although the budget of {wave} is spent"
        if len(failed[wave]) > budget[wave]:
            spent.add(wave)
    most = {wave["name"]: wave["most_failed"] for wave in document["waves"]}
    assert most == {name: len(ids) for name, ids in failed.items()}
    assert spent == {name for name in budget if most[name] > budget[name]}
    assert spent, "there is a wave whose budget is spent"


def test_nothing_begins_outside_its_window_on_the_wall_clock(played):
    """Said a third time, with the days of these windows: nothing forward at Easter, Complete on Saturday nights."""
    begun = set()
    for event, at in played.world.told():
        if isinstance(event, AttemptStarted) and at is not None:
            local = at.astimezone(BERLIN)
            first = (event.migration, event.step) not in begun
            begun.add((event.migration, event.step))
            if first and event.step in {Trigger.START, Trigger.REGISTRY, Trigger.RESTART, Trigger.COMPLETE}:
                assert not EASTER[0] <= local.date() <= EASTER[1], event
            if first and event.step is Trigger.COMPLETE:
                night = local - timedelta(hours=6)
                assert (night.weekday(), local.hour in {22, 23, 0, 1, 2, 3}) == (5, True), local


def test_complete_comes_four_weeks_after_all_was_ready(played):
    ready: dict[str, datetime] = {}
    for event, at in played.world.told():
        if isinstance(event, Moved) and event.dest is Phase.RESTARTED:
            ready[event.migration] = at
        if isinstance(event, AttemptStarted) and event.step is Trigger.COMPLETE:
            assert at - ready[event.migration] >= timedelta(days=28) - timedelta(hours=2)


def test_a_wave_begins_when_those_that_it_needs_are_met(played):
    first: dict[str, datetime] = {}
    last: dict[str, datetime] = {}
    for event, at in played.world.told():
        if isinstance(event, Moved):
            wave = played.world.plan.wave_of(event.migration).name
            first.setdefault(wave, at)
            if event.dest is Phase.COMPLETED:
                last[wave] = at
    plan = played.world.plan
    needing = [(wave.name, needed) for wave in plan.waves for needed in plan.needs_of(wave)]
    assert needing == [("wave-01", "pilot"), ("wave-02", "wave-01"), ("wave-03", "wave-01")]
    for wave, needed in needing:
        assert first[wave] >= last[needed]


def test_the_same_again_is_the_same_byte_for_byte(file, played, document):
    again = CliRunner().invoke(app, ["rehearse", str(file), "--bad-hosts", SHARE, "--seed", str(SEED), "--json"])
    assert json.loads(again.stdout)["seeds"][0] == document
    assert document["rows"] == played.rows
    spoiled, _ = with_bad_hosts(staged(load_plan(file)), SHARE, SEED)
    rows = [row.hash for row in play(spoiled, SEED, attended=False).world.journal.read()]
    assert rows == [row.hash for row in played.world.journal.read()]


def test_a_person_reads_the_same(file, document):
    done = CliRunner().invoke(app, ["rehearse", str(file), "--bad-hosts", SHARE, "--seed", str(SEED)])
    lines = done.stdout.splitlines()
    for bad in document["bad_hosts"]:
        assert f"  bad host: {bad['host']}: {bad['kind']}: {bad['sentence']}" in lines
    for wave in document["waves"]:
        assert any(line.startswith(f"  wave {wave['name']}") and f"{wave['allowed']} allowed" in line for line in lines)
    assert lines[-1] == "Every invariant held at every step."


@pytest.mark.parametrize("share", ["none", "101%", "41"])
def test_a_share_that_makes_no_sense_is_a_usage_error(file, share):
    done = CliRunner().invoke(app, ["rehearse", str(file), "--bad-hosts", share])
    assert done.exit_code == 2
    assert "--bad-hosts" in done.output
