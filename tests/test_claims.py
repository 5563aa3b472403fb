"""Each claim about Windows names tests that are there; each switch of the lab has a claim that says what is unknown."""

import pytest

from orchestrator.lab.estate.sessions_spec import SessionsSpec
from orchestrator.lab.estate.spec import Switches
from tests.claims import exists, load

CLAIMS = [claim for claims in load().values() for claim in claims]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.claim[:40])
def test_the_tests_that_depend_on_it_are_there(claim):
    assert [test for test in claim.tests if not exists(test)] == []


def test_a_test_that_is_not_there_is_noticed():
    assert not exists("tests/test_claims.py::test_of_nothing")
    assert not exists("tests/no_such_file.py")
    assert not exists("tests/no_such_file.py::test_of_nothing")
    assert not exists("tests/lab")


def test_every_switch_of_the_lab_is_an_open_question():
    of_sessions = {"dead_to_everyone"}  # the other keys of sessions are measures, and documented or reported
    assert of_sessions <= SessionsSpec.model_fields.keys()
    assert {switch for claim in CLAIMS for switch in claim.switch} == Switches.model_fields.keys() | of_sessions
    assert all(claim.confidence in {"open", "I"} for claim in CLAIMS if claim.switch)
