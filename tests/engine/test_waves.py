"""Who may move, as tables of small runs."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.failing import LEFT_TO_A_PERSON, Spent, TurnBack
from orchestrator.engine.waves import Go, NotYet, Still, admissible, allowed_failures, is_met
from orchestrator.model.lifecycle import PATH, Phase, Trigger, Way
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from tests.engine.runs import AT, HELD, at, attempt, back, failed, flying, held, later, plan, refused, run, waits

NIGHT = {"days": ["mon", "tue", "wed", "thu", "fri"], "open": "22:00", "close": "04:00", "zone": "UTC"}
IN_IT = datetime.fromisoformat("2026-03-02T23:00+00:00")


def say(answers: dict[str, Any]) -> str:
    """Return the answers as one line: ``a go:start! b wait:needs c still``."""
    return " ".join(f"{id_} {_word(answer)}" for id_, answer in answers.items())


def _word(answer: Any) -> str:
    match answer:
        case Go(step, admits):
            return f"go:{step}{'!' if admits else ''}"
        case NotYet(waiting_for):
            return f"wait:{waiting_for}"
        case Spent():
            return "spent"
        case TurnBack(why):
            return f"back:{why.partition(':')[0]}"
        case Still(why):
            return f"still:{why}".replace(" ", "-")
    raise AssertionError(answer)


def check(one: Plan, state: RunState, when: datetime | None, wanted: str, chosen: list[str] | None = None) -> None:
    assert say(admissible(state, one, when, chosen)) == wanted


STARTED = frozenset({"Start-ADServiceAccountMigration"})
COMPLETED = frozenset({"Complete-ADServiceAccountMigration"})
UNDO = plan({"ids": "ab"}, on_failure="undo")
ONE = plan({"ids": "ab", "at_once": 1})
TWO = plan({"ids": "ab", "at_once": 2}, {"ids": "c"})

ORDER = [
    ("nothing has begun", TWO, run(), "a go:prepare b go:prepare c wait:needs"),
    ("the first wave is not done", TWO, run(a=Phase.COMPLETED), "a still:completed b go:prepare c wait:needs"),
    (
        "the first wave is done",
        TWO,
        run(a=Phase.COMPLETED, b=Phase.COMPLETED),
        "a still:completed b still:completed c go:prepare",
    ),
    (
        "what was completed and goes back is open again",
        TWO,
        run(a=back("completed"), b=Phase.COMPLETED),
        "a go:undo b still:completed c wait:needs",
    ),
    (
        "what has begun goes on, whatever its wave needs",
        TWO,
        run(c=Phase.STARTED),
        "a go:prepare b go:prepare c go:link",
    ),
    (
        "needs gates prepare of a new attempt too",
        TWO,
        run(c=Phase.ROLLED_BACK),
        "a go:prepare b go:prepare c wait:needs",
    ),
    (
        "no needs",
        plan({"ids": "a"}, {"ids": "b", "needs": []}),
        run(),
        "a go:prepare b go:prepare",
    ),
    (
        "needs of a wave further up",
        plan({"ids": "a"}, {"ids": "b"}, {"ids": "c", "needs": ["w1"]}),
        run(a=Phase.COMPLETED),
        "a still:completed b go:prepare c go:prepare",
    ),
]

IN_FLIGHT = [
    ("one place", ONE, run(a=Phase.PREPARED, b=Phase.PREPARED), "a go:start! b wait:at-once"),
    ("the place is taken", ONE, run(a=flying("linked"), b=Phase.PREPARED), "a go:registry b wait:at-once"),
    ("soaking takes none", ONE, run(a=Phase.RESTARTED, b=Phase.PREPARED), "a go:soak b go:start!"),
    ("preparing takes none", ONE, run(a=Phase.PLANNED, b=Phase.PREPARED), "a go:prepare b go:start!"),
    (
        "a task's next run takes none",
        ONE,
        run(a=flying("registered", waits=waits("task-run")), b=Phase.PREPARED),
        "a go:restart b go:start!",
    ),
    (
        "any other wait does",
        ONE,
        run(a=flying("registered", waits=waits("registration")), b=Phase.PREPARED),
        "a go:restart b wait:at-once",
    ),
    (
        "held in between does",
        ONE,
        run(a=flying("linked", held=HELD), b=Phase.PREPARED),
        "a still:held:-operator b wait:at-once",
    ),
    ("a way back does", ONE, run(a=back("restarted"), b=Phase.PREPARED), "a go:undo b wait:at-once"),
    (
        "one that is rolled back does not",
        ONE,
        run(a=back("rolled_back"), b=Phase.PREPARED),
        "a still:rolled_back b go:start!",
    ),
    ("a way back does not wait for a place", ONE, run(a=flying("linked"), b=back("linked")), "a go:registry b go:undo"),
    (
        "Complete takes a place again",
        ONE,
        run(a=Phase.SOAKED, b=Phase.SOAKED),
        "a go:complete! b wait:at-once",
    ),
    (
        "who has a place keeps it",
        ONE,
        run(a=Phase.PREPARED, b=flying("prepared")),
        "a wait:at-once b go:start",
    ),
    (
        "the place of Start is not Complete's",
        ONE,
        run(a=flying("soaked", Trigger.COMPLETE), b=Phase.SOAKED),
        "a go:complete b wait:at-once",
    ),
    (
        "confirm needs no place of its own",
        ONE,
        run(a=flying("switched", Trigger.COMPLETE), b=Phase.PREPARED),
        "a go:confirm b wait:at-once",
    ),
]

CATCHING_UP = [
    (
        "who catches up takes a place again",
        plan({"ids": "ab", "at_once": 1}),
        run(a=at("linked"), b=at("linked")),
        "a go:registry! b wait:at-once",
    ),
    (
        "and waits for one while all are taken",
        plan({"ids": "ab", "at_once": 1}),
        run(a=at("linked"), b=flying("registered")),
        "a wait:at-once b go:restart",
    ),
    (
        "no approval is asked for a second time",
        plan({"ids": "a"}, approvals={"start": 1}),
        run(a=at("linked")),
        "a go:registry!",
    ),
]

BUDGET = [
    (
        "one failure, none allowed: nothing begins",
        plan({"ids": "abc"}),
        run(a=failed("linked")),
        "a still:held:-operator b spent c spent",
    ),
    (
        "what is in flight is held",
        plan({"ids": "ab"}),
        run(a=failed("linked"), b=flying("linked")),
        "a still:held:-operator b spent",
    ),
    (
        "what is in flight goes back where failures are undone, and nothing begins",
        plan({"ids": "abcd"}, on_failure="undo"),
        run(a=failed("linked"), b=flying("linked", sent=STARTED), c=Phase.ROLLED_BACK, d=Phase.PREPARED),
        "a still:held:-operator b back:budget-spent c spent d spent",
    ),
    (
        "what was admitted and has sent nothing is held: there is nothing to undo",
        UNDO,
        run(a=failed("linked"), b=flying("prepared")),
        "a still:held:-operator b spent",
    ),
    (
        "what soaks is not in flight; it is held when it would be completed",
        plan({"ids": "abc"}, on_failure="undo"),
        run(a=failed("linked"), b=at("restarted", sent=STARTED), c=at("soaked", sent=STARTED)),
        "a still:held:-operator b go:soak c spent",
    ),
    (
        "what waits for the next run of a task is in flight by its admission",
        UNDO,
        run(a=failed("linked"), b=flying("registered", sent=STARTED, waits=waits("task-run"))),
        "a still:held:-operator b back:budget-spent",
    ),
    (
        "what was adopted is held: how it was before nobody knows",
        UNDO,
        run(a=failed("linked"), b=flying("linked", sent=STARTED, adopted=True)),
        "a still:held:-operator b spent",
    ),
    (
        "once Complete was sent it runs to its end, held or undone",
        plan({"ids": "ab"}),
        run(a=failed("linked"), b=flying("soaked", Trigger.COMPLETE, sent=STARTED | COMPLETED)),
        "a still:held:-operator b go:complete",
    ),
    (
        "once Complete was sent it runs to its end where failures are undone too",
        UNDO,
        run(a=failed("linked"), b=flying("soaked", Trigger.COMPLETE, sent=STARTED | COMPLETED)),
        "a still:held:-operator b go:complete",
    ),
    (
        "one allowed",
        plan({"ids": "abc", "failures": {"allow": 1}}),
        run(a=failed("linked")),
        "a still:held:-operator b go:prepare c go:prepare",
    ),
    ("a refusal is no failure", plan({"ids": "ab"}), run(a=refused()), "a still:held:-operator b go:prepare"),
    (
        "once Complete was sent, confirm runs to its end",
        plan({"ids": "ab"}),
        run(a=failed("linked"), b=flying("switched", Trigger.COMPLETE)),
        "a still:held:-operator b go:confirm",
    ),
    (
        "a way back ignores the budget",
        plan({"ids": "ab"}),
        run(a=failed("linked"), b=back("linked")),
        "a still:held:-operator b go:undo",
    ),
    (
        "the budget is the wave's own",
        plan({"ids": "a", "needs": []}, {"ids": "b", "needs": []}),
        run(a=failed("linked")),
        "a still:held:-operator b go:prepare",
    ),
]


FAILED = [
    ("it goes back", failed("linked", held=held("fault")), "back:fault"),
    ("from prepared too", failed("prepared", held=held("fault")), "back:fault"),
    ("after Complete too", failed("switched", held=held("retries-spent")), "back:retries-spent"),
    ("a guard that refused after Start", failed("soaked", held=held("guard:ledger-flat")), "back:guard"),
    ("a host that never registered", failed("registered", held=held("hosts-missing")), "back:hosts-missing"),
    ("nothing was begun", failed("planned", held=held("fault")), "still:held:-fault"),
    ("the next attempt has not begun", failed("rolled_back", held=held("fault")), "still:held:-fault"),
    ("a guard that refused before Start", refused("prepared"), "still:held:-operator"),
    (
        "refused, whatever the guard",
        at("prepared", held=held("guard:host-capable"), failure="refused"),
        "still:held:-guard:host-capable",
    ),
    ("what fails on a way back is held", back("linked", held=held("fault"), failure="failed"), "still:held:-fault"),
    ("what was adopted", failed("linked", held=held("fault"), adopted=True), "still:held:-fault"),
    ("a person's hold after a failure", failed("linked"), "still:held:-operator"),
    *(
        (f"{reason} is left to a person", failed("linked", held=held(reason)), f"still:held:-{reason}")
        for reason in LEFT_TO_A_PERSON
    ),
]


@pytest.mark.parametrize(("why", "state", "wanted"), FAILED, ids=[one[0] for one in FAILED])
def test_what_becomes_of_a_failure_where_the_policy_is_undo(why, state, wanted):
    check(UNDO, run(a=state), AT, f"a {wanted} b go:prepare" if state.failure != "failed" else f"a {wanted} b spent")
    held_ = plan({"ids": "ab"}, on_failure="hold")
    assert isinstance(admissible(run(a=state), held_, AT)["a"], Still), "and where it is hold"


def test_the_word_says_who_took_it_back_and_why():
    answer = admissible(run(a=failed("linked", held=held("fault"))), UNDO, AT)["a"]
    event = answer.event("a")
    assert (event.way, event.by, event.automatic) == (Way.ROLLBACK, "policy on_failure", True)
    assert event.reason == "fault: because"


@pytest.mark.parametrize(
    ("why", "one", "state", "wanted"),
    [*ORDER, *IN_FLIGHT, *CATCHING_UP, *BUDGET],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_admission(why, one, state, wanted):
    check(one, state, AT, wanted)


def test_only_what_is_chosen_moves_but_everything_counts():
    check(ONE, run(a=flying("linked"), b=Phase.PREPARED), AT, "a still:not-selected b wait:at-once", ["b"])
    check(TWO, run(), AT, "a still:not-selected b go:prepare c still:not-selected", ["b"])


@pytest.mark.parametrize(
    ("phase", "outside", "inside"),
    [
        ("planned", "go:prepare", "go:prepare"),
        ("prepared", "wait:window", "go:start!"),
        ("started", "go:link", "go:link"),
        ("linked", "wait:window", "go:registry!"),
        ("registered", "wait:window", "go:restart!"),
        ("restarted", "go:soak", "go:soak"),
        ("soaked", "wait:window", "go:complete!"),
        ("switched", "go:confirm", "go:confirm"),
    ],
)
def test_which_steps_need_a_window(phase, outside, inside):
    one = plan({"ids": "a", "window": NIGHT})
    check(one, run(a=Phase(phase)), AT, f"a {outside}")
    check(one, run(a=Phase(phase)), IN_IT, f"a {inside}")
    check(one, run(a=back(phase)), AT, "a still:planned" if phase == "planned" else "a go:undo")


def test_two_windows():
    halves = {"start": None, "complete": NIGHT}
    one = plan({"ids": "ab", "windows": halves})
    check(one, run(a=Phase.PREPARED, b=Phase.SOAKED), AT, "a go:start! b wait:window")


def test_without_the_time_every_window_is_closed():
    check(plan({"ids": "a", "window": NIGHT}), run(a=Phase.PREPARED), None, "a wait:window")


def test_a_closed_window_says_when_it_opens():
    answer = admissible(run(a=Phase.PREPARED), plan({"ids": "a", "window": NIGHT}), AT)["a"]
    assert isinstance(answer, NotYet)
    assert answer.until == later(hours=10)


def test_a_blackout_says_which():
    dark = [
        {"from": "2026-12-18", "to": "2027-01-03", "reason": "year end"},
        {"from": "2026-03-02", "to": "2026-03-02", "reason": "audit"},
    ]
    one = plan({"ids": "a", "window": NIGHT, "blackout": dark})
    for when in (IN_IT, datetime.fromisoformat("2026-03-03T01:00+00:00")):
        answer = admissible(run(a=Phase.PREPARED), one, when)["a"]
        assert isinstance(answer, NotYet)
        assert (answer.waiting_for, answer.detail) == (
            "blackout",
            "nothing begins on Mon 2026-03-02: audit; the window opens Tue 2026-03-03 22:00 UTC",
        )
        assert answer.until == datetime.fromisoformat("2026-03-03T22:00+00:00")


@pytest.mark.parametrize(
    ("phase", "minutes_left", "word"),
    [
        ("registered", 5, "go:restart!"),
        ("registered", 4, "wait:window"),
        ("soaked", 5, "go:complete!"),
        ("soaked", 4, "wait:window"),
        ("prepared", 1, "go:start!"),
        ("linked", 1, "go:registry!"),
    ],
)
def test_only_what_restarts_must_fit_into_the_window(phase, minutes_left, word):
    closes = datetime.fromisoformat("2026-03-03T04:00+00:00")
    when = closes - (later(minutes=minutes_left) - AT)
    check(plan({"ids": "a", "window": NIGHT}), run(a=Phase(phase)), when, f"a {word}")


@pytest.mark.parametrize("phase", ["prepared", "linked", "registered", "soaked"])
def test_a_step_that_began_ends_whatever_the_window(phase):
    one = plan({"ids": "a", "window": NIGHT})
    step = {"prepared": "start", "linked": "registry", "registered": "restart", "soaked": "complete"}[phase]
    admitted = Trigger.COMPLETE if phase == "soaked" else Trigger.START
    sent = flying(phase, admitted, performed={("directory", "Some-Write"): 1})
    check(one, run(a=sent), AT, f"a go:{step}")
    lost = flying(phase, admitted, open={"directory": attempt()})
    check(one, run(a=lost), AT, f"a go:{step}")


def test_approvals_come_before_admission_and_not_after():
    one = plan({"ids": "ab"}, approvals={"start": 1, "complete": 2})
    check(one, run(a=Phase.PREPARED, b=Phase.SOAKED), AT, "a wait:approval:start b wait:approval:complete")
    check(one, run(a=flying("prepared"), b=Phase.STARTED), AT, "a go:start b go:link")


def test_a_way_back_of_each_kind():
    one = plan({"ids": "abc"})
    states = run(a=back("completed", Way.UNDO), b=back("completed", Way.RESET), c=back("unlinked", Way.UNDO))
    check(one, states, AT, "a go:undo b go:reset c still:unlinked")
    check(
        one, run(a=back("unlinked"), b=back("restored"), c=back("reopened")), AT, "a go:restore b go:restart c go:undo"
    )
    resetting = plan({"ids": "a"}, rollback_by="reset")
    check(resetting, run(a=back("completed")), AT, "a go:reset")


@pytest.mark.parametrize(
    ("allow", "size", "count"),
    [(0, 20, 0), (3, 20, 3), ("5%", 19, 0), ("5%", 20, 1), ("5%", 39, 1), ("5%", 40, 2), ("100%", 3, 3), ("0%", 9, 0)],
)
def test_a_share_rounds_down(allow, size, count):
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert allowed_failures(plan({"ids": letters[:size], "failures": {"allow": allow}}).waves[0]) == count


MET = [
    ("all completed", 0, run(a=Phase.COMPLETED, b=Phase.COMPLETED), True),
    ("one failed, none allowed", 0, run(a=failed("linked"), b=Phase.COMPLETED), False),
    ("one failed within the budget", 1, run(a=failed("linked"), b=Phase.COMPLETED), True),
    ("one refused within the budget", 1, run(a=refused(), b=Phase.COMPLETED), True),
    ("one refused and one failed, one allowed", 1, run(a=refused(), b=failed("linked")), False),
    ("one still moves, which no budget covers", 1, run(a=Phase.LINKED, b=Phase.COMPLETED), False),
    ("rolled back by choice is not done", 1, run(a=back("rolled_back"), b=Phase.COMPLETED), False),
    ("rolled back after a failure is", 1, run(a=back("rolled_back", failure="failed"), b=Phase.COMPLETED), True),
]


@pytest.mark.parametrize(("why", "allow", "state", "met"), MET, ids=[row[0] for row in MET])
def test_when_a_wave_is_met(why, allow, state, met):
    assert is_met(state, plan({"ids": "ab", "failures": {"allow": allow}}).waves[0]) is met


phases = st.sampled_from([phase for phase in Phase if phase is not Phase.REOPENED])
some = st.builds(
    lambda phase, held, admitted: at(phase, held=HELD if held else None, admitted=admitted),
    phases,
    st.booleans(),
    st.sampled_from([None, Trigger.START, Trigger.COMPLETE]),
)


@given(st.lists(some, min_size=6, max_size=6), st.integers(1, 4))
def test_never_more_admitted_than_there_are_places(states, at_once):
    one = plan({"ids": "abcdef", "at_once": at_once})
    made = run(**dict(zip("abcdef", states, strict=True)))
    admitted = [a for a in admissible(made, one, AT).values() if isinstance(a, Go) and a.admits]
    taken = sum(state.in_flight for state in made.migrations.values())
    assert len(admitted) <= max(0, at_once - taken)


@given(st.sampled_from(PATH), st.sampled_from(PATH))
def test_the_answer_for_everybody_in_the_order_of_the_plan(one, other):
    assert list(admissible(run(b=one, a=other), ONE, AT)) == ["a", "b"]


FREEZE = "nothing begins from Fri 2026-12-18 to Sun 2026-12-20: freeze; work may begin Mon 2026-12-21 00:00 UTC"


def test_a_wave_with_nothing_but_a_blackout_keeps_its_dates_in_utc():
    """There is no window whose zone could say when a date begins."""
    one = plan({"ids": "a", "blackout": [{"from": "2026-12-18", "to": "2026-12-20", "reason": "freeze"}]})
    last_minute = datetime.fromisoformat("2026-12-17T23:59+00:00")
    check(one, run(a=Phase.PREPARED), last_minute, "a go:start!")
    answer = admissible(run(a=Phase.PREPARED), one, datetime.fromisoformat("2026-12-18T00:00+00:00"))["a"]
    assert answer == NotYet("blackout", datetime.fromisoformat("2026-12-21T00:00+00:00"), FREEZE)
