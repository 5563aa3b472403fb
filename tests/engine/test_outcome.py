"""How a run stands as a whole: exit codes and their precedence, the states of waves, what is waited for."""

from dataclasses import replace

import pytest

from orchestrator.engine.outcome import exit_of, reached, waiting_of, wave_state
from orchestrator.engine.waves import Go, NotYet, admissible
from orchestrator.errors import Exit
from orchestrator.model.driven import CallRefused, RunnerTook
from orchestrator.model.lifecycle import PATH, Intention, Phase
from orchestrator.model.state import Waiting
from tests.engine.runs import AT, HELD, at, back, failed, flying, later, plan, refused, run, waits

THREE = plan({"ids": "abc"})
UNDONE = plan({"ids": "abc"}, on_failure="undo")
DOWN = replace(HELD, reason="fault", down=("ErpApi",))

EXITS = [
    ("nothing has begun", run(), Exit.WAITING),
    ("all completed", run(a=Phase.COMPLETED, b=Phase.COMPLETED, c=Phase.COMPLETED), Exit.DONE),
    ("one waits", run(a=Phase.COMPLETED, b=Phase.RESTARTED, c=Phase.COMPLETED), Exit.WAITING),
    ("held counts more than waiting", run(a=Phase.RESTARTED, b=at("linked", held=HELD)), Exit.HELD),
    ("held counts more than failed", run(a=back("rolled_back"), b=at("linked", held=HELD)), Exit.HELD),
    ("a way back that leaves something down has failed", run(a=back("linked", held=DOWN)), Exit.FAILED),
    ("held counts more than that", run(a=back("linked", held=DOWN), b=at("linked", held=HELD)), Exit.HELD),
    ("failed counts more than waiting", run(a=back("rolled_back"), b=Phase.RESTARTED), Exit.FAILED),
    ("a new attempt is under way", run(a=at("rolled_back"), b=Phase.COMPLETED, c=Phase.COMPLETED), Exit.WAITING),
    ("completed and on its way back", run(a=back("completed"), b=Phase.COMPLETED, c=Phase.COMPLETED), Exit.WAITING),
]


@pytest.mark.parametrize(("why", "state", "code"), EXITS, ids=[row[0] for row in EXITS])
def test_exit(why, state, code):
    assert exit_of(state, THREE) is code


def test_a_refusal_of_the_gate_counts_most_until_somebody_drives_again():
    state = run(a=at("linked", held=HELD))
    state.apply(CallRefused(migration="a", detail="Remove-ADUser"), AT)
    assert exit_of(state, THREE) is Exit.REFUSED
    state.apply(RunnerTook(by="x", host="h", pid=1, tool="t"), AT)
    assert exit_of(state, THREE) is Exit.HELD


def test_only_what_was_chosen_counts():
    state = run(a=Phase.COMPLETED, b=at("linked", held=HELD))
    assert exit_of(state, THREE, {"a"}) is Exit.DONE
    assert exit_of(state, THREE, {"a", "b"}) is Exit.HELD


def test_until_a_phase():
    state = run(a=Phase.SOAKED, b=Phase.RESTARTED, c=Phase.COMPLETED)
    assert exit_of(state, THREE, until=Phase.RESTARTED) is Exit.DONE
    assert exit_of(state, THREE, until=Phase.SOAKED) is Exit.WAITING


@pytest.mark.parametrize("until", PATH)
def test_reached_is_that_phase_or_beyond_on_the_way_forward(until):
    for phase in PATH:
        assert reached(at(phase), until) is (PATH.index(phase) >= PATH.index(until))
        assert not reached(at(phase, intention=Intention.BACK), until)
        assert not reached(at(phase), None)
    assert not reached(at("reopened"), until)


WAVES = [
    ("nobody has begun", run(), "pending", None),
    ("somebody moves", run(a=Phase.PREPARED), "running", None),
    ("all done", run(a=Phase.COMPLETED, b=Phase.COMPLETED, c=Phase.COMPLETED), "done", None),
    (
        "everybody waits",
        run(
            a=at("restarted", waits=waits("dwell", later(days=9))),
            b=at("restarted", waits=waits("ledger", later(days=2))),
            c=Phase.COMPLETED,
        ),
        "waiting",
        "ledger",
    ),
    ("all held", run(a=at("linked", held=HELD), b=refused(), c=refused()), "held", None),
    ("one held, the others done", run(a=at("linked", held=HELD), b=Phase.COMPLETED, c=Phase.COMPLETED), "held", None),
    ("rolled back and nothing moves", run(a=back("rolled_back"), b=Phase.COMPLETED, c=Phase.COMPLETED), "failed", None),
    (
        "rolled back, but another still moves",
        run(a=back("rolled_back"), b=Phase.LINKED, c=Phase.COMPLETED),
        "running",
        None,
    ),
    (
        "the budget is spent",
        run(a=failed("linked"), b=at("planned", held=HELD), c=at("planned", held=HELD)),
        "failed",
        None,
    ),
    (
        "one failed, and the policy takes it back",
        run(a=failed("linked", held=replace(HELD, reason="fault")), b=Phase.COMPLETED, c=Phase.COMPLETED),
        "running",
        None,
    ),
    ("on its way back", run(a=back("linked"), b=Phase.COMPLETED, c=Phase.COMPLETED), "running", None),
]


@pytest.mark.parametrize(("why", "state", "word", "waiting"), WAVES, ids=[row[0] for row in WAVES])
def test_wave(why, state, word, waiting):
    one = UNDONE if "policy" in why else THREE
    found, wait = wave_state(state, one.waves[0], admissible(state, one, AT))
    assert (found, wait.waiting_for if wait else None) == (word, waiting)


def test_a_wave_that_has_not_begun_says_what_it_waits_for():
    two = plan({"ids": "a"}, {"ids": "b"})
    state = run(a=Phase.RESTARTED)
    assert wave_state(state, two.waves[1], admissible(state, two, AT)) == (
        "pending",
        Waiting("needs", None, "wave w2 needs w1, which is not done"),
    )


def test_one_that_the_policy_took_back_counts_against_the_budget_and_meets_it():
    one, two = plan({"ids": "ab", "failures": {"allow": 1}}, {"ids": "c"}, on_failure="undo"), run(b=Phase.COMPLETED)
    two.migrations["a"] = back("rolled_back", id_="a", failure="failed")
    answers = admissible(two, one, AT)
    assert wave_state(two, one.waves[0], answers)[0] == "done"
    assert isinstance(answers["c"], Go)
    assert exit_of(two, one, {"a", "b"}) is Exit.FAILED
    by_a_person = run(a=back("rolled_back"), b=Phase.COMPLETED)
    assert not isinstance(admissible(by_a_person, one, AT)["c"], Go), "what a person took back is for a person to mend"


def test_what_one_waits_for():
    soonest = {**waits("dwell", later(days=2)), **waits("retry", later(hours=1), "app01")}
    assert waiting_of(at("linked", waits=soonest), None) == Waiting("retry", later(hours=1))
    assert waiting_of(at("linked", waits={**waits("registration"), **waits("retry", AT, "x")}), None).until == AT
    admission = NotYet("window", AT, "closed")
    assert waiting_of(at("prepared"), admission) == Waiting("window", AT, "closed")
    for silent in (at("linked", held=HELD), at("completed"), back("rolled_back"), flying("linked")):
        assert waiting_of(silent, None) is None
    assert waiting_of(at("linked", held=HELD), admission) is None
