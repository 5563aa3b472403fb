"""The law, row by row: what the contract says, written down a second time and compared with the table."""

from itertools import product

import pytest

from orchestrator.model.lifecycle import (
    FINAL,
    MOVES,
    PATH,
    IllegalMove,
    Intention,
    Pair,
    Phase,
    Trigger,
    Way,
    mermaid,
    move,
    next_step,
    rule_book,
)

ANY = "any"
CONTRACT = """
prepare  planned     any    prepared
prepare  rolled_back any    prepared
start    prepared    any    started
link     started     any    linked
registry linked      any    registered
restart  registered  any    restarted
soak     restarted   any    soaked
complete soaked      any    switched
confirm  switched    any    completed
undo     prepared    0/-    rolled_back
undo     prepared    1/1    unlinked
undo     started     1/1    unlinked
undo     linked      1/1    unlinked
undo     registered  1/1    unlinked
undo     restarted   1/1    unlinked
undo     soaked      1/1    unlinked
undo     reopened    1/1    unlinked
undo     soaked      2/2    reopened
undo     switched    2/2    reopened
undo     completed   2/2    reopened
reset    prepared    0/-    rolled_back
reset    prepared    1/1    unlinked
reset    started     1/1    unlinked
reset    linked      1/1    unlinked
reset    registered  1/1    unlinked
reset    restarted   1/1    unlinked
reset    soaked      1/1    unlinked
reset    switched    1/1    unlinked
reset    completed   1/1    unlinked
reset    reopened    1/1    unlinked
reset    prepared    2/2    unlinked
reset    started     2/2    unlinked
reset    linked      2/2    unlinked
reset    registered  2/2    unlinked
reset    restarted   2/2    unlinked
reset    soaked      2/2    unlinked
reset    switched    2/2    unlinked
reset    completed   2/2    unlinked
reset    reopened    2/2    unlinked
restore  unlinked    any    restored
restart  restored    any    rolled_back
release  reopened    1/1    restarted
amend    registered  any    linked
amend    restarted   any    linked
amend    soaked      any    linked
adopt    planned     0/-    prepared
adopt    planned     1/1    started linked registered restarted
adopt    planned     2/2    switched
"""


def expected(phase: Phase, trigger: Trigger, pair: Pair) -> list[Phase]:
    for line in CONTRACT.split("\n"):
        if line:
            on, source, seen, *dests = line.split()
            if (on, source) == (trigger, phase) and seen in {ANY, pair}:
                return [Phase(dest) for dest in dests]
    return []


@pytest.mark.parametrize(("phase", "trigger", "pair"), list(product(Phase, Trigger, Pair)))
def test_every_phase_trigger_and_pair(phase, trigger, pair):
    wanted = expected(phase, trigger, pair)
    if not wanted:
        with pytest.raises(IllegalMove) as refused:
            move(phase, trigger, pair)
        assert phase in str(refused.value)
        assert trigger in str(refused.value)
    else:
        assert [row.dest for dest in Phase if dest in wanted for row in [move(phase, trigger, pair, dest)]] == wanted
        for dest in set(Phase) - set(wanted):
            with pytest.raises(IllegalMove):
                move(phase, trigger, pair, dest)


def test_the_rule_book_has_the_rows_and_nothing_else():
    machine = rule_book()
    rows = {(t, s, d) for t in Trigger for s in Phase for d in Phase if machine.get_transitions(t.value, s, d)}
    assert rows == {(m.trigger, m.source, m.dest) for m in MOVES}
    assert not [name for name in machine.events if name.startswith("to_")]


def test_every_row_has_a_reason_of_its_own_words():
    assert all(len(row.reason.split()) >= 3 for row in MOVES)


def test_every_phase_but_the_first_is_reached_and_every_unfinished_one_is_left():
    assert {row.dest for row in MOVES} == set(Phase) - {Phase.PLANNED}
    assert {row.source for row in MOVES} == set(Phase)


@pytest.mark.parametrize("phase", set(Phase) - {Phase.PLANNED})
@pytest.mark.parametrize("by", [Way.UNDO, Way.RESET])
def test_a_rollback_leads_home_from_every_phase(phase, by):
    """Whatever the pair is, following the steps of a rollback ends at rolled_back."""
    linked = {Phase.SWITCHED: Pair.COMPLETED, Phase.COMPLETED: Pair.COMPLETED, Phase.PREPARED: Pair.UNLINKED}
    pair = linked.get(phase, Pair.STARTED)
    for _ in Phase:
        if phase is Phase.ROLLED_BACK:
            break
        step = next_step(phase, Intention.BACK, Way.ROLLBACK, by)
        assert step is not None
        phase = move(phase, step, pair).dest
        pair = Pair.STARTED if phase is Phase.REOPENED else Pair.UNLINKED
    assert phase is Phase.ROLLED_BACK


def test_forward_visits_the_path_in_order():
    phase, seen = Phase.PLANNED, [Phase.PLANNED]
    while (step := next_step(phase, Intention.FORWARD, None, Way.UNDO)) is not None:
        phase = move(phase, step).dest
        seen.append(phase)
    assert tuple(seen) == PATH


def test_undo_alone_stops_after_one_phase():
    assert next_step(Phase.UNLINKED, Intention.BACK, Way.UNDO, Way.UNDO) is None
    assert next_step(Phase.RESTORED, Intention.BACK, Way.RESET, Way.UNDO) is None


def test_final_phases_are_drawn_as_ends():
    drawing = mermaid()
    assert all(f"{phase} --> [*]" in drawing for phase in FINAL)
    assert drawing.count("--> [*]") == len(FINAL)
    arrows = [line for line in drawing.splitlines() if "-->" in line and ":" in line]
    assert len(arrows) == len({(m.source, m.dest) for m in MOVES})
