"""What is recalled from a state in the journal is what all its rows make; where it cannot be used, they are folded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.cli.proof import Proof
from orchestrator.cli.recalled import KIND, glimpsed, glimpsed_each, recalled
from orchestrator.journal import Entry, Journal, JournalCorrupt, MemoryJournal, Row
from orchestrator.journal.program import program
from orchestrator.model.event import VERSION, to_body
from orchestrator.model.folded import StateFolded
from orchestrator.model.replay import RowUnreadable
from orchestrator.model.run import RunState
from orchestrator.model.sheet import Scribe, packed, unpacked
from orchestrator.planfile import load_plan
from orchestrator.views.status import status_document
from tests.histories import NAMES, SHARED, again, folded, rows_of, runs_of

SOAKING = "released-3-soaking"


class Counting(MemoryJournal):
    """A journal that says which rows were read."""

    def __init__(self, of: MemoryJournal) -> None:
        super().__init__()
        self._store = of._store
        self.seen: list[int] = []

    def read(self, after: int = 0, run: str | None = None):
        for row in super().read(after, run):
            self.seen.append(row.seq)
            yield row


def written(name: str, every: int) -> Counting:
    journal = again(rows_of(name), every)
    assert isinstance(journal, MemoryJournal)
    return Counting(journal)


def states(journal: Journal) -> list[Row]:
    return [row for row in journal.read() if row.kind == KIND]


def equal(found: RunState, wanted: RunState) -> bool:
    """Whether two are the same, what is read later of one of them included."""
    shared = [
        all(getattr(one, name) == getattr(other, name) for name in type(other).__slots__)
        for one, other in ((found.switches, wanted.switches), (found.claims, wanted.claims))
    ]
    return all(shared) and replace(found, switches=wanted.switches, claims=wanted.claims) == wanted


@pytest.mark.parametrize("every", [15])
@pytest.mark.parametrize("name", NAMES)
def test_recalled_is_what_all_rows_make(name, every):
    rows, journal = rows_of(name), written(name, every)
    for run in runs_of(rows):
        wanted = folded(rows, run)
        state, head = recalled(journal, run)
        assert state == wanted
        assert head == journal.head()
        assert equal(glimpsed(journal, run), wanted)
        assert equal(glimpsed_each(journal)[run][0], wanted)
    assert list(glimpsed_each(journal)) == runs_of(rows)


@pytest.mark.parametrize("name", SHARED)
def test_a_run_that_is_at_rest_while_others_go_on_knows_of_them(name):
    """The newest state of that run is far back; what all runs share comes from another run's."""
    journal = written(name, 19)
    own, resting = min((journal.latest(KIND, run).seq, run) for run in runs_of(rows_of(name)))
    newest = journal.latest(KIND)
    assert own < newest.seq - 40
    assert recalled(journal, resting)[0] == folded(rows_of(name), resting)
    journal.seen.clear()
    state = glimpsed(journal, resting)
    assert len(journal.seen) <= 19 + 1
    assert not [seq for seq in journal.seen if seq >= newest.seq]
    journal.seen.clear()
    assert state.switches.uses is not None
    assert min(journal.seen) == newest.seq + 1, "what all runs share is read when it is asked for"
    journal.seen.clear()
    assert state.claims.by is not None
    assert not journal.seen, "and once"


def test_few_rows_are_read_however_long_the_journal_is():
    journal = written("seed-7", 25)
    (run,) = runs_of(rows_of("seed-7"))
    journal.seen.clear()
    recalled(journal, run)
    assert journal.head() > 150
    assert len(journal.seen) <= 2 * 25 + 4, "of this run, and of all"


@pytest.mark.parametrize("name", ["released-1-completed", "released-2-held", SOAKING, "released-3-rolling-back"])
def test_status_says_the_same_of_both(name):
    loaded = load_plan(Path("tests/journal/released/plan.yaml"))
    wanted = folded(rows_of(name), "released")
    found = glimpsed(written(name, 10), "released")
    documents = [status_document(state, loaded.plan, loaded.digest, state.last_at) for state in (found, wanted)]
    assert json.dumps(documents[0]) == json.dumps(documents[1])


def with_state(change, lease: bool = True) -> Counting:
    """Return a journal whose newest state was changed, and whose rows fit the hash chain all the same."""
    rows, journal = rows_of(SOAKING), MemoryJournal()
    holder = journal.acquire("x")
    entries = [Entry(row.run, row.at, row.kind, row.version, row.body) for row in rows]
    body = to_body(event_at(rows))
    state = Entry("released", None, KIND, VERSION, change(body))
    journal.append(entries, expected=0, lease=holder)
    journal.append([state], expected=len(rows), lease=holder if lease else None)
    return Counting(journal)


def event_at(rows) -> StateFolded:
    state, scribe = folded(rows, rows[0].run), Scribe()
    return StateFolded(form=program(), own=packed(scribe.own(state)), shared=packed(scribe.shared(state)))


def bent(body):
    """Say of a migration that it is further than it is."""
    text = unpacked(body["own"])
    assert b'"restarted"' in text
    return body | {"own": packed(text.replace(b'"phase":"restarted"', b'"phase":"soaked"'))}


def torn(body):
    return body | {"own": body["own"][: len(body["own"]) // 2]}


def of_another_form(body):
    return body | {"form": "0" * 64}


def of_no_form(body):
    return {"content": "as a later version may write it"}


@pytest.mark.parametrize(("change", "lease"), [(torn, True), (of_another_form, True), (bent, False)])
def test_a_state_that_cannot_be_used_is_not_and_every_row_is_folded(change, lease):
    journal = with_state(change, lease)
    state, _ = recalled(journal, "released")
    assert state == folded(rows_of(SOAKING), "released")
    assert 1 in journal.seen


def test_what_is_no_state_at_all_is_refused_as_any_row_that_cannot_be_read():
    with pytest.raises(RowUnreadable, match=r"\(state-folded, version"):
        recalled(with_state(of_no_form), "released")


def test_a_shared_half_that_is_torn_is_folded_anew():
    journal = with_state(lambda body: body | {"shared": "x" + body["shared"]})
    assert recalled(journal, "released")[0] == folded(rows_of(SOAKING), "released")


def test_what_is_read_later_has_no_other_attributes():
    state = glimpsed(with_state(lambda body: body), "released")
    assert not hasattr(state.switches, "nothing")
    assert state.switches.copied() == folded(rows_of(SOAKING), "released").switches
    assert state.claims.copied() == folded(rows_of(SOAKING), "released").claims


def test_the_good_state_is_used():
    journal = with_state(lambda body: body)
    journal.seen.clear()
    recalled(journal, "released")
    assert not journal.seen, "nothing follows it"


@pytest.mark.parametrize("change", [torn, of_another_form])
def test_where_no_state_can_be_used_who_only_looks_reads_the_run_s_rows(change):
    journal = with_state(change)
    journal.seen.clear()
    assert equal(glimpsed(journal, "released"), folded(rows_of(SOAKING), "released"))
    assert min(journal.seen) == 1


def test_a_run_that_cannot_be_read_does_not_hide_the_others():
    journal = MemoryJournal()
    again(rows_of(SHARED[0]), 20, journal)
    first, *others = runs_of(rows_of(SHARED[0]))
    journal.append([Entry(first, None, "from-the-future", VERSION + 1, {})], expected=journal.head(), lease=None)
    found = glimpsed_each(journal)
    stood, why = found[first]
    assert isinstance(why, RowUnreadable)
    assert stood.migrations == folded(rows_of(SHARED[0]), first).migrations
    with pytest.raises(RowUnreadable):
        glimpsed(journal, first)
    for run in others:
        wanted = folded([*journal.read()], run)
        assert wanted.switches.unread
        assert equal(found[run][0], wanted)
        assert found[run][1] is None


# The proof.


def proved(journal: Journal) -> Proof:
    proof = Proof.of(journal)
    journal.verify(proof.take_in)
    return proof


@pytest.mark.parametrize("every", [7])
@pytest.mark.parametrize("name", NAMES)
def test_every_state_that_was_written_is_proved(name, every):
    journal = written(name, every)
    proof = proved(journal)
    assert (proof.proved, proof.unproved) == (len(states(journal)), 0)
    assert bool(proof.proved) == (len(rows_of(name)) > every)


def test_a_forged_state_is_used_by_who_looks_and_named_by_verify():
    """Whoever can write the file can make every hash anew; what the rows make he cannot change."""
    journal = with_state(bent)
    assert recalled(journal, "released")[0] != folded(rows_of(SOAKING), "released")
    with pytest.raises(JournalCorrupt, match=r"at row \d+: the state of the run released .*where the run stands") as no:
        proved(journal)
    assert no.value.seq == len(rows_of(SOAKING)) + 1


def test_a_forged_shared_half_is_named_too():
    other = packed(b'claims\t["a","b"]\t"00000000-0000-0000-0000-000000000001"\n')
    with pytest.raises(JournalCorrupt, match="switches and claims"):
        proved(with_state(lambda body: body | {"shared": other}))


def test_every_single_changed_fact_is_found():
    """Line by line: each fact of the state, left out."""
    body = to_body(event_at(rows_of(SOAKING)))
    lines = unpacked(body["own"]).splitlines(keepends=True)
    assert len(lines) > 4
    for number in range(len(lines)):
        less = packed(b"".join(lines[:number] + lines[number + 1 :]))
        with pytest.raises(JournalCorrupt):
            proved(with_state(lambda body, less=less: body | {"own": less}))


@pytest.mark.parametrize("change", [of_another_form, of_no_form])
def test_what_other_rules_made_is_counted_and_not_proved(change):
    proof = proved(with_state(change))
    assert (proof.proved, proof.unproved) == (0, 1)


def test_a_run_of_which_a_row_cannot_be_read_has_no_proof_and_the_others_have():
    journal = MemoryJournal()
    again(rows_of(SHARED[0]), 20, journal)
    before = len(states(journal))
    first, *_ = runs_of(rows_of(SHARED[0]))
    journal.append([Entry(first, None, "from-the-future", VERSION + 1, {})], expected=journal.head(), lease=None)
    proof = proved(journal)
    assert (proof.proved, proof.unproved) == (before, 0)


def test_of_a_journal_without_states_nothing_is_folded():
    journal = MemoryJournal()
    journal.append([Entry("r", None, "moved", VERSION, {"nonsense": 1})], expected=0, lease=None)
    proof = proved(journal)
    assert (proof.proved, proof.unproved, proof._states) == (0, 0, {})
