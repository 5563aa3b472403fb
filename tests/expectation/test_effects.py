"""The table of what each write leaves, against what the simulated directory really wrote: both ways."""

from __future__ import annotations

import pytest

from orchestrator.model.directory import DMSA_CLASS
from orchestrator.model.lifecycle import Pair, Way
from orchestrator.model.state import MIGRATION_CMDLETS
from orchestrator.remote.catalogue import CATALOGUE
from orchestrator.remote.rows import Effect as Kind
from orchestrator.steps.effects import EFFECTS, MEMBERSHIP, SENDS, TRACES, Creation, Effect, On, effects
from tests.expectation.staged import PLANS, Staged, run
from tests.expectation.stream import SYSTEM, Written

WAYS = (None, Way.UNDO, Way.ROLLBACK, Way.RESET)
Change = tuple[On, str]


def test_every_write_of_the_catalogue_has_its_row():
    writes = {name for name, row in CATALOGUE.items() if row.effect is Kind.WRITES}
    directory = {name for name, _ in EFFECTS}
    assert directory | TRACES.keys() == writes
    assert not directory & TRACES.keys()


def test_the_steps_send_what_the_catalogue_says_they_do():
    by_catalogue = {
        name: set(row.used_by) - {"probe"}
        for name, row in CATALOGUE.items()
        if row.effect is Kind.WRITES and row.used_by
    }
    by_table: dict[str, set[str]] = {}
    for step, cmdlets in SENDS.items():
        for name in cmdlets:
            by_table.setdefault(name, set()).add(step.value)
    assert by_table == by_catalogue


def on(one: Written) -> On:
    if one.kind == DMSA_CLASS:
        return On.DMSA
    return On.ACCOUNT if one.kind == "user" else On.CONTAINER


def pair_before(written: list[Written], name: str) -> Pair | None:
    """Return what was linked before an operation, by what it took away."""
    states = {one.old[0] for one in written if one.name == "msDS-DelegatedMSAState" and one.old}
    return None if "Start" in name or "Complete" in name else {"1": Pair.STARTED, "2": Pair.COMPLETED}[states.pop()]


def table(name: str, pair: Pair | None) -> tuple[set[Change], set[Change]]:
    """Return what may be written, and of it what is sure."""
    may: set[Change] = set()
    sure: set[Change] = set()
    for one in effects(name, pair):
        if isinstance(one, Creation):
            may |= {(one.on, attribute.lower()) for attribute in (*one.given, *one.assigned)}
        else:
            may.add((one.on, one.attribute.lower()))
            sure |= {(one.on, one.attribute.lower())} if one.sure else set()
    return may, sure


def by_cmdlet(staged: Staged) -> list[tuple[str, list[Written]]]:
    found = []
    for name, _, begin, end in staged.recorder.performed:
        written = [one for one in staged.recorder.written[begin:end] if name in one.cmdlets]
        if name in {key for key, _ in EFFECTS}:
            found.append((name, written))
    return found


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("plan", PLANS)
def test_what_the_directory_wrote_stands_in_the_table_and_the_other_way_round(plan: str, way: Way | None):
    done = by_cmdlet(run(plan, way))
    assert {name for name, _ in done} >= {"New-ADServiceAccount", "Set-ADObject", "Start-ADServiceAccountMigration"}
    for name, written in done:
        pair = pair_before(written, name) if name in MIGRATION_CMDLETS else None
        may, sure = table(name, pair)
        changed = {(on(one), one.name.lower()) for one in written}
        assert changed <= may, f"{name} wrote what the table lacks: {changed - may}"
        assert sure <= changed, f"{name} did not write what the table is sure of: {sure - changed}"


@pytest.mark.parametrize("plan", PLANS)
def test_nothing_else_was_written_but_hosts_that_added_themselves(plan: str):
    staged = run(plan)
    named = {name for name, _ in EFFECTS}
    others = [one for one in staged.recorder.written if not named & set(one.cmdlets)]
    assert {one.name for one in others} <= {MEMBERSHIP}
    assert all(one.by[0] != staged.world.estate.spec.operator.name for one in others)


def test_a_creation_is_told_from_a_change_and_every_word_has_a_meaning():
    every = [one for found in EFFECTS.values() for one in found]
    assert sum(isinstance(one, Creation) for one in every) == 1
    assert all(one.old is not one.new or one.when or one.attribute for one in every if isinstance(one, Effect))
    assert next(one for one in every if isinstance(one, Creation)).assigned >= SYSTEM
