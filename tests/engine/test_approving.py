"""People before a gate: how many let a migration in, what is said of those who are missing, and who is asked when."""

import pytest

from orchestrator.engine.approving import is_ahead, open_rule, rules_of
from orchestrator.engine.waves import NotYet, admissible
from orchestrator.model.lifecycle import Phase, Trigger, Way
from orchestrator.model.plan import Migration
from orchestrator.model.words import Approved
from tests.engine.runs import AT, at, back, flying, later, plan, run
from tests.engine.test_waves import check


def approved(*people: str, gate: str = "start", wave: str = "w1") -> list[Approved]:
    return [Approved(wave=wave, gate=gate, digest="this", by=by, given=AT) for by in people]


APPROVALS = [
    ("one of one", {"start": 1}, approved("ann"), "ben", "prepared", "go:start!"),
    ("one of two", {"start": 2}, approved("ann"), "ben", "prepared", "wait:approval:start"),
    ("two of two", {"start": 2}, approved("ann", "cleo"), "ben", "prepared", "go:start!"),
    ("who drives is none of them", {"start": 2}, approved("ann", "ben"), "ben", "prepared", "wait:approval:start"),
    ("nobody drives yet", {"start": 1}, approved("ann"), None, "prepared", "go:start!"),
    ("a start is not a complete", {"complete": 1}, approved("ann"), "ben", "soaked", "wait:approval:complete"),
    ("complete", {"complete": 1}, approved("ann", gate="complete"), "ben", "soaked", "go:complete!"),
    ("another wave's", {"start": 1}, approved("ann", wave="w2"), "ben", "prepared", "wait:approval:start"),
    ("prepare needs nobody", {"start": 2}, [], "ben", "planned", "go:prepare"),
    ("soaking needs nobody", {"complete": 2}, [], "ben", "restarted", "go:soak"),
]


@pytest.mark.parametrize(("rule", "words", "driver", "phase", "answer"), [c[1:] for c in APPROVALS], ids=lambda _: "")
def test_how_many_people_let_a_migration_in(rule, words, driver, phase, answer):
    one, states = plan({"ids": "a"}, approvals=rule), run(a=Phase(phase))
    states.digest, states.driver = "this", driver
    for word in words:
        states.apply(word, AT)
    check(one, states, AT, f"a {answer}")


def test_what_is_missing_is_said_with_names():
    one, states = plan({"ids": "a"}, approvals={"start": 2, "valid_for": "1d"}), run(a=Phase.PREPARED)
    states.digest, states.driver = "this", "ben"
    for word in approved("ann", "CORP\\ann", "ben"):
        states.apply(word, AT)
    assert admissible(states, one, AT)["a"] == NotYet(
        "approval:start",
        None,
        "2 people must approve wave w1 before start (ann has; that of CORP\\ann may be the same person as ann; that of "
        "ben does not count, for ben drives); missing: 1; ben, who drives, may not",
    )
    later_on = admissible(states, one, later(days=1))["a"]
    assert isinstance(later_on, NotYet)
    assert "(that of ann has expired; that of CORP\\ann has expired; " in later_on.detail
    unknown = admissible(states, one, None)["a"]
    assert isinstance(unknown, NotYet)
    assert "that of ann cannot be judged: estate time could not be read" in unknown.detail


def test_a_migration_may_ask_for_more_people_than_its_wave():
    two = plan({"ids": "ab"}, approvals={"start": 1})
    stricter = Migration.model_validate(
        two.waves[0].migrations[1].model_dump(exclude_unset=True) | {"approvals": {"start": 2}}
    )
    wave = two.waves[0].model_copy(update={"migrations": (two.waves[0].migrations[0], stricter)})
    one, states = two.model_copy(update={"waves": (wave,)}), run(a=Phase.PREPARED, b=Phase.PREPARED)
    one.__dict__.pop("_index", None)
    states.digest = "this"
    states.apply(approved("ann")[0], AT)
    check(one, states, AT, "a go:start! b wait:approval:start")


NIGHT = {"days": ["tue"], "open": "22:00", "close": "04:00", "zone": "UTC"}
"""It is Monday noon: the window opens in 34 hours."""


@pytest.mark.parametrize(
    ("valid_for", "given", "hours", "answer"),
    [
        ("2d", None, 0, "wait:approval:start"),  # whoever approves now has approved when the window opens
        ("34h", None, 0, "wait:window"),  # what is said now is void by then
        ("34h", None, 1, "wait:approval:start"),
        ("2d", 0, 0, "wait:window"),
        ("34h", 0, 1, "wait:approval:start"),  # given too early: it will not last until then
        ("34h", 1, 1, "wait:window"),
        ("34h", 1, 34, "go:start!"),
        ("34h", None, 34, "wait:approval:start"),
        ("35h", 0, 35, "wait:approval:start"),  # it lasted until the window, and expired in it
    ],
)
def test_people_are_asked_before_the_window_opens_once_their_word_would_last_until_then(
    valid_for, given, hours, answer
):
    one = plan({"ids": "a", "window": NIGHT}, approvals={"start": 1, "valid_for": valid_for})
    states = run(a=Phase.PREPARED)
    states.digest = "this"
    if given is not None:
        states.apply(approved("ann")[0].model_copy(update={"given": later(hours=given)}), AT)
    check(one, states, later(hours=hours), f"a {answer}")


def test_that_it_would_not_last_is_said_with_the_time():
    one, states = (
        plan({"ids": "a", "window": NIGHT}, approvals={"start": 1, "valid_for": "1d12h"}),
        run(a=Phase.PREPARED),
    )
    states.digest = "this"
    states.apply(approved("ann")[0].model_copy(update={"given": later(hours=-6)}), AT)
    answer = admissible(states, one, AT)["a"]
    assert isinstance(answer, NotYet)
    assert answer.detail == (
        "1 person must approve wave w1 before start (that of ann has expired); missing: 1; the window is closed "
        "and opens Tue 2026-03-03 22:00 UTC"
    )


def test_a_way_back_asks_nobody():
    one = plan({"ids": "bc", "window": NIGHT}, approvals={"start": 1, "complete": 1})
    check(one, run(b=back("started"), c=back("completed", Way.UNDO)), AT, "b go:undo c go:undo")


AHEAD = [
    ("nothing has begun", at("planned"), "start complete"),
    ("prepared", at("prepared"), "start complete"),
    ("admitted to start", flying("prepared"), "complete"),
    ("started", at("started"), "complete"),
    ("soaked", at("soaked"), "complete"),
    ("admitted to complete", flying("soaked", Trigger.COMPLETE), ""),
    ("switched", at("switched"), ""),
    ("completed", at("completed"), ""),
    ("on its way back", back("linked"), ""),
    ("reopened", back("reopened", Way.UNDO), ""),
    ("rolled back, a next attempt would begin anew", back("rolled_back"), "start complete"),
]


@pytest.mark.parametrize(("state", "gates"), [case[1:] for case in AHEAD], ids=[case[0] for case in AHEAD])
def test_which_gates_lie_ahead(state, gates):
    assert [gate for gate in ("start", "complete") if is_ahead(state, gate)] == gates.split()


def test_the_strictest_rule_of_what_lies_ahead_is_the_one_that_is_told():
    one = plan({"ids": "ab"}, approvals={"start": 1})
    states = run(a=Phase.PREPARED, b=Phase.STARTED)
    found = open_rule(states, one, one.waves[0], "start", AT)
    assert found is not None
    assert found[1].missing == 1
    assert open_rule(states, one, one.waves[0], "complete", AT) is None
    assert open_rule(run(a=Phase.STARTED, b=Phase.STARTED), one, one.waves[0], "start", AT) is None
    assert [gate for gate, _ in rules_of(one, one.waves[0])] == ["start"]
