"""Whatever happens in the middle, the account is as it was found, or it is said how it stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.cli.inquire import Adrift
from orchestrator.model.call import Call, Write
from orchestrator.probe import QUESTIONS, Found, Inquiry
from tests.probe.bench import ACCOUNT, Bench
from tests.probe.test_switches import expected
from tests.world import DC, Crash

WRITES = 33
"""How many writes a whole inquiry of the default estate sends."""
OPERATIONS = [f"{verb}-ADServiceAccountMigration" for verb in ("Start", "Complete", "Undo", "Reset")]
NOTHING_BACK = {"undo_enables_account": False, "undo_restores_spns": False, "undo_removes_copies": False}


def at_write(number: int, do: Callable[[], None]) -> Callable[[Call], None]:
    """Do something when so many writes have been announced."""
    seen = [0]

    def before(call: Call) -> None:
        seen[0] += isinstance(call, Write)
        if isinstance(call, Write) and seen[0] == number:
            do()

    return before


def die() -> None:
    raise Crash


def killed(bench: Bench, number: int) -> Found:
    """Let the process die at one of its writes; return what its file has by then, as text would keep it."""
    inquiry = bench.inquiry()
    with pytest.raises(Crash):
        bench.hold(inquiry, before=at_write(number, die))
    assert inquiry.found is not None
    return Found.from_document(json.loads(json.dumps(inquiry.found.document())))


def without_a_fresh_dmsa(again: Inquiry) -> dict[str, Any]:
    """Return what a second inquiry can answer: once principals were set, the catalogue cannot take them away."""
    answers = expected(NOTHING_BACK)
    if "cannot empty the list" in again.findings["complete_refuses_empty_membership"].answer.why:
        del answers["complete_refuses_empty_membership"]
    return answers


def test_the_number_of_writes_is_as_said():
    bench = Bench()
    bench.ask()
    assert len(bench.sent) == WRITES


@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_after_a_crash_the_next_one_begins_with_the_way_back(number):
    bench = Bench(**NOTHING_BACK)
    found = killed(bench, number)
    again = bench.ask(found)
    assert again.switches == without_a_fresh_dmsa(again)
    assert (again.astray, again.account_differs) == ("", False)
    assert bench.changed() == {}
    assert again.found == found


@pytest.mark.parametrize("number", range(1, WRITES + 1, 3))
def test_a_stop_ends_the_questions_and_not_the_way_back(number):
    bench, stop = Bench(**NOTHING_BACK), [False]
    inquiry = bench.ask(stopped=lambda: stop[0], before=at_write(number, lambda: stop.__setitem__(0, True)))
    assert bench.changed() == {}
    assert inquiry.astray == ""
    assert inquiry.ended_early == "it was stopped"
    assert inquiry.findings.keys() == QUESTIONS.keys()
    unasked = [finding for finding in inquiry.findings.values() if finding.answer.why == "not asked: it was stopped"]
    assert unasked


def test_a_stop_on_the_way_back_changes_nothing():
    bench = Bench()
    holder: list[Inquiry] = []
    inquiry = bench.inquiry()
    holder.append(inquiry)
    bench.hold(inquiry, stopped=lambda: holder[0].leaving)
    assert inquiry.ended_early == ""
    assert bench.changed() == {}


def weather(*rules: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    return lambda estate: estate.update(weather=list(rules))


@pytest.mark.parametrize("kind", ["lost-request", "lost-reply"])
@pytest.mark.parametrize("name", [*OPERATIONS, "New-ADServiceAccount", "Set-ADServiceAccount"])
@pytest.mark.parametrize("nth", [1, 2])
def test_what_was_lost_is_settled_by_looking(name, kind, nth):
    bench = Bench(weather({"kind": kind, "when": {"cmdlet": name, "nth": nth}}))
    inquiry = bench.ask()
    assert bench.changed() == {}
    assert inquiry.astray == ""
    assert inquiry.switches.items() <= expected({}).items()
    if name in OPERATIONS:
        assert inquiry.switches == expected({})


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_effect_that_comes_late_never_comes(name):
    """Its session is ended before anything else is sent, and what runs in a session ends with it."""
    bench = Bench(weather({"kind": "lost-reply", "when": {"cmdlet": name}, "late": "20s"}))
    assert bench.ask().switches == expected({})
    assert bench.changed() == {}


def test_what_is_busy_for_a_while_is_asked_again():
    bench = Bench(weather({"kind": "busy", "when": {"cmdlet": "Get-ADUser", "nth": 5, "times": 3}}))
    assert bench.ask().switches == expected({})


def test_an_account_that_is_gone_ends_it_and_is_named():
    delete = {"kind": "object-deleted", "dn": ACCOUNT, "when": {"cmdlet": "Complete-ADServiceAccountMigration"}}
    inquiry = Bench(weather(delete)).ask()
    assert "does not show the account any more" in inquiry.ended_early
    assert "does not show the account any more" in inquiry.astray
    assert inquiry.findings.keys() == QUESTIONS.keys()


def test_an_account_that_was_moved_is_still_brought_back_and_the_move_is_named():
    to = "CN=Users,DC=corp,DC=example"
    when = {"cmdlet": "Complete-ADServiceAccountMigration", "nth": 2}
    bench = Bench(weather({"kind": "object-moved", "dn": ACCOUNT, "to": to, "when": when}), **NOTHING_BACK)
    inquiry = bench.ask()
    assert inquiry.switches == expected(NOTHING_BACK)
    assert inquiry.astray == ""
    assert inquiry.account_differs
    assert inquiry.left[0] == f"account: dn was {ACCOUNT} and is CN=svc-probe,{to}"


def test_a_controller_that_stays_away_leaves_it_astray_and_the_next_one_comes_back():
    down = {"kind": "host-down", "host": DC, "when": {"cmdlet": "Complete-ADServiceAccountMigration", "nth": 3}}
    bench = Bench(weather({**down, "lasts": "1h"}), **NOTHING_BACK)
    inquiry = bench.ask()
    assert inquiry.astray
    assert inquiry.ended_early
    assert bench.changed()
    bench.world.estate.advance_to(bench.world.estate.now.replace(hour=23))
    again = bench.ask(inquiry.found)
    assert again.switches == without_a_fresh_dmsa(again)
    assert bench.changed() == {}


def test_a_call_that_nobody_can_end_ends_it():
    second = {"cmdlet": "Complete-ADServiceAccountMigration", "nth": 2}
    lost, down = {"kind": "lost-reply", "when": second}, {"kind": "host-down", "host": DC, "when": second}
    bench = Bench(weather(lost, {**down, "lasts": "1h"}))
    inquiry = bench.inquiry()
    with pytest.raises(Adrift, match="may still be running"):
        bench.hold(inquiry)
    assert bench.sent[-1] == "Complete-ADServiceAccountMigration"
    assert not inquiry.leaving, "nothing more was sent, not even on the way back"
