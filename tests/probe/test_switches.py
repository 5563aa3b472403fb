"""What the inquiry reports is what the lab was set to: every switch in every position, every two of them together."""

from __future__ import annotations

import itertools
import random
from typing import Any, get_args

import pytest

from orchestrator.lab.estate.spec import Switches
from orchestrator.probe import QUESTIONS, SWITCHES
from tests.probe.bench import Bench

POSITIONS: dict[str, tuple[Any, ...]] = {
    name: get_args(field.annotation) or (True, False) for name, field in Switches.model_fields.items()
}
Setting = dict[str, Any]


def pairwise() -> list[Setting]:
    """Return settings, drawn with a seed, among which every two switches have met in all their positions."""
    chance = random.Random(2025)
    names = sorted(POSITIONS)
    missing = {
        ((one, a), (other, b))
        for one, other in itertools.combinations(names, 2)
        for a in POSITIONS[one]
        for b in POSITIONS[other]
    }
    settings = []
    while missing:
        drawn = [{name: chance.choice(POSITIONS[name]) for name in names} for _ in range(40)]
        best = max(drawn, key=lambda setting: len(missing & met(setting)))
        missing -= met(best)
        settings.append(best)
    return settings


def met(setting: Setting) -> set[tuple[tuple[str, Any], tuple[str, Any]]]:
    return set(itertools.combinations(sorted(setting.items()), 2))


SINGLE = [{name: position} for name, positions in POSITIONS.items() for position in positions]


def expected(setting: Setting) -> Setting:
    """Return what can be seen of a setting: where every way back enables the account, none is ever disabled."""
    full = Switches(**setting).model_dump()
    if full["undo_enables_account"] and full["reset_restores"]:
        del full["start_refuses_disabled_account"]
    return full


def test_every_switch_of_the_lab_is_asked_about():
    assert Switches.model_fields.keys() == SWITCHES
    assert QUESTIONS.keys() >= SWITCHES


@pytest.mark.parametrize("setting", [*SINGLE, *pairwise()], ids=lambda s: "-".join(map(str, s.values())))
def test_what_it_reports_is_what_was_set(setting: Setting):
    bench = Bench(**setting)
    inquiry = bench.ask()
    assert inquiry.switches == expected(setting)
    assert (inquiry.ended_early, inquiry.astray, inquiry.account_differs) == ("", "", False)
    assert bench.changed() == {}
    assert inquiry.findings.keys() == QUESTIONS.keys()


@pytest.mark.parametrize("setting", [{}, {"reset_of_unlinked": "nothing", "undo_restores_spns": False}], ids=str)
def test_an_estate_file_takes_the_answers_and_then_gives_them_again(setting: Setting):
    first = Bench(**setting).ask()
    assert Switches.model_validate(first.switches) == Switches(**setting)
    assert Bench(**first.switches).ask().switches == first.switches


def test_where_the_account_is_never_left_disabled_the_default_stays_and_it_says_why():
    inquiry = Bench(reset_restores=True).ask()
    assert "start_refuses_disabled_account" not in inquiry.switches
    assert "the catalogue disables no account" in inquiry.findings["start_refuses_disabled_account"].answer.why


def test_what_is_no_switch_is_answered_too():
    findings = Bench().ask().findings
    refused = ("complete_of_unlinked", "undo_of_unlinked", "start_of_started", "complete_of_completed")
    for id_ in (*refused, "start_of_completed"):
        assert findings[id_].answer.value == "refuse"
        (act,) = [a for a in findings[id_].evidence if a["went"] == "refused" and a["act"].lower() == id_.split("_")[0]]
        assert act["said"]["id"].startswith("ActiveDirectoryServer:8245")
        assert act["before"] == act["after"]
    for id_ in ("complete_disables_account", "complete_takes_spns", "complete_gives_spns", "complete_withdraws_grant"):
        assert findings[id_].answer.value is True
    granted = findings["start_grants"].answer.value
    assert isinstance(granted, str)
    assert "888eedd6-ce04-df40-b462-b8a50e41ba38" in granted
    for id_ in ("operations_on_standalone", "right_to_migrate"):
        assert findings[id_].answer.value is None


def test_the_evidence_is_what_the_estate_had_at_that_moment():
    tried = Bench(complete_refuses_empty_membership=True).ask().findings["complete_refuses_empty_membership"].evidence
    assert [(act["act"], act["went"], bool(act["before"]["dmsa_principals"])) for act in tried] == [
        ("Complete", "refused", False),
        ("Complete", "done", True),
        ("Undo", "done", True),
    ]


def test_the_evidence_says_where_the_spns_were():
    findings = Bench(undo_restores_spns=False).ask().findings
    undo = next(act for act in findings["undo_restores_spns"].evidence if act["act"] == "Undo")
    assert (undo["before"]["pair"], undo["after"]["pair"]) == ("2/2", "1/1")
    assert undo["after"]["account_spns"] == []
    assert undo["after"]["dmsa_spns"] == ["HTTP/probe", "HTTP/probe.corp.example"]
