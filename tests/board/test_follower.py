"""What the board sees is what ``status`` says, after every row, whatever the journal and whenever it is there."""

from __future__ import annotations

import pytest

from orchestrator.board.follower import RECENT, ROWS, Follower, Source
from orchestrator.board.further_back import FURTHEST, STRETCH, further_back
from orchestrator.cli.recalled import recalled
from orchestrator.journal import Entry, JournalCorrupt, JournalUnusable, MemoryJournal
from orchestrator.planfile import plan_of
from orchestrator.views.status import status_document
from tests.board.stage import NAME, append, follower, journal_of, plan, rows, wanted
from tests.histories import cuts, folded, rows_of, runs_of

HISTORIES = ("seed-5", "seed-12", "plan-3", "shared-in-three-plans", "shared-in-two-plans,-one-of-two-waves")


def said(state):
    return status_document(state, plan_of(state.plan), state.digest, state.last_at)


@pytest.mark.parametrize("name", HISTORIES)
def test_it_sees_what_the_rows_make_however_they_come(name):
    found = rows_of(name)
    journal = MemoryJournal()
    follows = follower(journal)
    at = 0
    for cut in cuts(found, 12):
        append(journal, found[at:cut])
        at = cut
        sight = follows.look()
        if sight is None:
            assert cut == 0
            continue
        before = found[:cut]
        assert {run.name: run.status for run in sight.runs} == {
            run: said(folded(before, run)) for run in runs_of(before)
        }
        assert all([line["seq"] for line in run.rows] == seqs(before, run.name) for run in sight.runs)


def seqs(found, run):
    return [row.seq for row in found if row.run == run][-ROWS:]


def test_it_may_begin_in_the_middle():
    found = rows()
    journal = journal_of(found[:60])
    follows = follower(journal, wanted())
    assert follows.look() is not None
    append(journal, found[60:])
    sight = follows.look()
    assert sight is not None
    assert sight.runs[0].status == said(folded(found, NAME))


def test_of_each_migration_the_newest_rows_are_at_hand_however_much_others_do():
    seen = follower(journal_of(rows()), wanted()).look().runs[0]
    for id_, lines in seen.recent.items():
        about = [row.seq for row in rows() if row.body.get("migration") == id_]
        assert [line["seq"] for line in lines] == about[-RECENT:]
    assert set(seen.recent) == {migration.id for migration in plan().migrations()}


def test_it_says_nothing_when_nothing_happened_and_writes_out_only_what_got_rows():
    found = rows_of("shared-in-three-plans")
    journal = journal_of(found[:-1])
    follows = follower(journal)
    first = follows.look()
    assert follows.look() is None
    last = found[-1]
    append(journal, [last])
    second = follows.look()
    assert first is not None
    assert second is not None
    same = {one.name for one, two in zip(first.runs, second.runs, strict=True) if one is two}
    assert same == {run.name for run in first.runs} - {last.run}


def test_a_plan_is_shown_before_it_runs_and_comes_alive():
    journal = MemoryJournal()
    follows = follower(journal, wanted())
    sight = follows.look()
    assert sight is not None
    phases = {m["phase"] for wave in sight.runs[0].status["waves"] for m in wave["migrations"]}
    assert phases == {"planned"}
    append(journal, rows())
    sight = follows.look()
    assert sight is not None
    assert sight.runs[0].status == said(folded(rows(), NAME))


def test_of_other_plans_nothing_is_shown_but_they_count():
    found = rows_of("shared-in-three-plans")
    name = runs_of(found)[1]
    began = next(row for row in found if row.run == name and row.kind == "run-began")
    one = follower(journal_of(found)).look().run(name)
    other = follower(journal_of(found), type(wanted())(name, "p.yaml", one.plan, began.body["digest"])).look()
    assert [run.name for run in other.runs] == [name]
    assert other.runs[0].status == one.status


def test_a_plan_file_that_the_run_does_not_go_by_is_told():
    other = type(wanted())(NAME, "p.yaml", plan(), "0" * 64)
    seen = follower(journal_of(rows()), other).look().runs[0]
    assert "dmsa amend p.yaml" in seen.note
    assert seen.status["digest"] == wanted().digest


def test_a_row_of_a_newer_version_ends_that_run_alone():
    found = rows_of("shared-in-three-plans")
    journal = journal_of(found)
    follows = follower(journal)
    before = follows.look()
    name = runs_of(found)[0]
    journal.append([Entry(name, None, "of-tomorrow", 999, {})], expected=journal.head(), lease=None)
    after = follows.look()
    assert "newer version" in after.run(name).unread
    assert after.run(name).status is None
    assert [run.status for run in after.runs if run.name != name] == [
        run.status for run in before.runs if run.name != name
    ]
    assert follower(journal).look().run(name).unread == after.run(name).unread


def test_who_drives_is_seen_without_a_row():
    journal = journal_of(rows())
    follows = follower(journal)
    assert follows.look().driver is None
    lease = journal.another().acquire("ann on runner1")
    assert follows.look().driver == "ann on runner1"
    assert follows.look() is None
    journal.another().release(lease)


class Journals:
    """What lies at one place, one after the other."""

    def __init__(self):
        self.journal, self.opened = None, 0

    def open(self):
        self.opened += 1
        if isinstance(self.journal, Exception):
            raise self.journal
        return self.journal

    def follower(self, *plans):
        return Follower(Source("j.db", self.open, recalled, lambda: id(self.journal)), plans, lambda _: "PLAN")


def test_a_journal_that_cannot_be_read_is_told_and_what_was_seen_stays():
    place = Journals()
    place.journal = journal_of(rows())
    follows = place.follower(wanted())
    before = follows.look()
    place.journal = JournalUnusable("j.db", "the disk failed", "Mend it")
    sight = follows.look()
    assert "the disk failed" in sight.trouble
    assert follows.troubled
    assert sight.runs == before.runs
    assert follows.look() is None
    place.journal = journal_of(rows())
    again = follows.look()
    assert again.trouble is None
    assert not follows.troubled
    assert again.runs[0].status == before.runs[0].status


class Torn(MemoryJournal):
    """Opens, and cannot be read."""

    def read(self, *_which):
        raise JournalCorrupt(7, "it is not what was written")


def test_what_was_seen_stays_where_a_journal_opens_and_cannot_be_read():
    place = Journals()
    place.journal = journal_of(rows())
    follows = place.follower(wanted())
    before = follows.look()
    place.journal = Torn()
    append(place.journal, rows())
    sight = follows.look()
    assert "row 7" in sight.trouble
    assert (sight.runs, sight.rows) == (before.runs, before.rows)


def test_a_journal_that_is_gone_is_told_to_be_gone():
    place = Journals()
    place.journal = journal_of(rows())
    follows = place.follower(wanted())
    before = follows.look()
    place.journal = None
    sight = follows.look()
    assert "not there any more" in sight.trouble
    assert sight.runs == before.runs


def test_a_journal_that_was_put_in_the_place_of_another_is_the_one_that_counts():
    place = Journals()
    place.journal = journal_of(rows())
    follows = place.follower()
    assert follows.look().run(NAME)
    place.journal = journal_of(rows_of("seed-5"))
    assert [run.name for run in follows.look().runs] == runs_of(rows_of("seed-5"))
    assert place.opened == 2


def test_a_journal_that_is_not_there_is_no_trouble():
    place = Journals()
    follows = place.follower()
    sight = follows.look()
    assert (sight.runs, sight.trouble) == ((), None)
    assert follows.further_back(NAME, "", None, 10).rows == ()


# Further back.


@pytest.mark.parametrize("migration", ["", "dmsa-report", "dmsa-nobody"])
@pytest.mark.parametrize("most", [7, 100, 1000])
def test_page_by_page_every_row_comes_once_the_newest_first(most, migration):
    journal = journal_of(rows())
    found, before = [], None
    for _ in range(200):
        page = further_back(journal, NAME, migration, before, most)
        assert len(page.rows) <= most
        found += [row.seq for row in page.rows]
        before = page.older
        if before is None:
            break
    wanted = [row.seq for row in rows() if not migration or row.body.get("migration") == migration]
    assert found == wanted[::-1]


class Counting(MemoryJournal):
    """Counts what is read."""

    read_rows = 0

    def read(self, after=0, run=None):
        for row in super().read(after, run):
            self.read_rows += 1
            yield row


def test_what_is_rare_is_looked_for_a_stretch_at_a_time():
    journal = Counting()
    entries = [Entry("r", None, "of-some-kind", 1, {"migration": "m" if n == 0 else "n"}) for n in range(2 * FURTHEST)]
    journal.append(entries, expected=0, lease=None)
    page = further_back(journal, "r", "m", None)
    assert (page.rows, page.older) == ([], FURTHEST + 1)
    assert journal.read_rows <= FURTHEST + FURTHEST // STRETCH
    page = further_back(journal, "r", "m", page.older)
    assert [row.seq for row in page.rows] == [1]
    assert page.older is None


def test_before_the_first_row_there_is_nothing():
    assert further_back(journal_of(rows()), NAME, "", 1).older is None
    assert further_back(MemoryJournal(), NAME, "", None).rows == []
