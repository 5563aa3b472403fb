"""What a report says is what the journal's rows say: nothing of them is left out, and nothing is added."""

from __future__ import annotations

import copy
import csv
import io
import json
from collections import Counter

import pytest
from jsonschema import Draft202012Validator

from orchestrator.journal.chain import canonical
from orchestrator.model.event import DIRECTORY
from orchestrator.planfile import plan_of
from orchestrator.report.document import Checked, in_full, report_document
from orchestrator.report.flat import COLUMNS
from orchestrator.report.glance import MARKS, headline
from orchestrator.report.page import MARKS as WORDS
from orchestrator.report.page import SHOWN as WORDS_OF_SHOWN
from orchestrator.report.schema import report_schema
from orchestrator.report.traced import SHOWN
from orchestrator.report.unverified import IDS
from orchestrator.views.status import status_document
from tests import story
from tests.histories import rows_of
from tests.report.reports import TOLD, page_of, reading_of, report_of, reported, table_of

each = pytest.mark.parametrize("name", TOLD)


def entries(document, kind):
    return [
        entry
        for one in document["migrations"]
        for chapter in one["history"]
        for entry in chapter["entries"]
        if entry["kind"] == kind
    ]


def of_run(name, kind):
    rows = rows_of(name)
    return [row for row in rows if row.kind == kind and row.run == rows[0].run]


@each
def test_it_has_the_shape_that_is_promised(name):
    Draft202012Validator(report_schema()).validate(reported(name))


@each
def test_the_same_rows_make_the_same_bytes(name):
    again = report_of(rows_of(name))
    assert canonical(again) == canonical(reported(name))
    assert page_of(again) == page_of(reported(name))
    assert table_of(again) == table_of(reported(name))


@each
def test_each_migration_stands_as_the_status_says(name):
    rows, document = rows_of(name), reported(name)
    state = reading_of(rows, rows[0].run).state
    plan = plan_of(state.plan)
    status = status_document(state, plan, state.digest, state.last_at)
    known = {one["dmsa"]: one for wave in status["waves"] for one in wave["migrations"]}
    for one in document["migrations"]:
        assert known[one["dmsa"]].items() <= one.items()
    assert document["exit"] == status["exit"]
    assert sum(document["summary"]["counts"].values()) == len(known)


@each
def test_every_write_is_told_with_its_row_and_its_end(name):
    told = {entry["row"]: entry for entry in entries(reported(name), "write")}
    begun = {row.seq: row for row in of_run(name, "attempt-started")}
    assert told.keys() == begun.keys()
    ends = Counter(row.body["outcome"] for row in of_run(name, "attempt-finished"))
    known = Counter(entry["outcome"] for entry in told.values())
    assert known["succeeded"] == ends["succeeded"]
    assert known["failed"] == ends["failed"]
    assert known["unknown"] <= ends["unknown"], "one write may be found without an end by several runners"
    settled = {entry["row"] for entry in told.values() if entry["settled"]}
    assert len(settled) == len(of_run(name, "attempt-settled"))
    writes = [write for one in reported(name)["migrations"] for write in one["writes"]]
    assert len(writes) == len(begun)


@each
def test_every_answer_of_a_guard_is_there(name):
    document = reported(name)
    asked = [answer for row in of_run(name, "guards-asked") for answer in row.body["answers"]]
    told = [
        document["answers"][number]
        for one in document["migrations"]
        for chapter in one["history"]
        for entry in chapter["entries"]
        for number in entry["answers"]
    ]
    said = ("guard", "subject", "verdict", "evidence")
    assert Counter(tuple(one[key] for key in said) for one in asked) == Counter(
        tuple(one[key] for key in said) for one in told
    )
    assert sum(one["asked"] for one in document["guards"]) == len(asked)


@each
def test_holds_retries_words_and_moves_are_all_told(name):
    document = reported(name)
    for kind, rows in {
        "held": ("held",),
        "retry": ("retry-due",),
        "moved": ("moved",),
        "compared": ("compared",),
        "read-back": ("subject-done",),
        "snapshot": ("snapshot-taken", "snapshot-repeated", "host-snapshot-taken"),
    }.items():
        there = {row.seq for of in rows for row in of_run(name, of)}
        assert {entry["row"] for entry in entries(document, kind)} == there
    spoken = {row.seq for of in ("released", "way-back-asked", "approved") for row in of_run(name, of)}
    assert spoken <= {word["row"] for word in document["words"]}
    assert len(document["ways_back"]) == len(of_run(name, "way-back-asked"))


@each
def test_restarts_are_measured_as_the_engine_measures_them(name):
    rows, document = rows_of(name), reported(name)
    state = reading_of(rows, rows[0].run).state
    measured = [
        (one["dmsa"], each["seconds"])
        for one in document["migrations"]
        for work in one["restarts"]["workloads"]
        for each in work["restarts"]
    ]
    assert len(measured) == state.restarts.measured == document["summary"]["restarts"]["measured"]
    for id_, took in state.restarts.own.items():
        youngest = sorted(seconds for whose, seconds in measured if whose == id_)
        assert youngest == sorted(round(one.total_seconds(), 3) for one in took)


@each
def test_the_curve_ends_where_the_ledger_stands(name):
    for one in reported(name)["migrations"]:
        if one["curve"] and one["curve"]["points"] and one["ledger"] and one["attempt"] == 1:
            last = one["curve"]["points"][-1]
            assert last["hosts"] == len(one["ledger"]["hosts"])
            assert last["others"] == len(one["ledger"]["unknown"])


@each
def test_what_was_read_back_is_what_a_reading_showed(name):
    """A change counts as read back only after a write whose step a reading ended."""
    document = reported(name)
    done = {(row.body["migration"], row.body["step"]) for row in of_run(name, "subject-done")}
    for one in document["migrations"]:
        for write in one["writes"]:
            for change in write["changes"]:
                assert change["shown"] in SHOWN
                if change["shown"] == "read-back":
                    assert (one["dmsa"], write["step"]) in done
                if write["landed"] is False:
                    assert change["shown"] in {"failed", "read-back"}


def test_a_completed_account_shows_what_a_journal_can_and_cannot_show():
    (one, *_) = reported("released-1-completed")["migrations"]
    start = next(write for write in one["writes"] if write["cmdlet"].startswith("Start-AD"))
    shown = {change["attribute"]: change["shown"] for change in start["changes"]}
    assert shown["msDS-DelegatedMSAState"] == shown["msDS-SupersededManagedAccountLink"] == "read-back"
    complete = next(write for write in one["writes"] if write["cmdlet"].startswith("Complete-AD"))
    shown = {change["attribute"]: change["shown"] for change in complete["changes"]}
    assert shown["msDS-SupersededServiceAccountState"] == "read-back"
    assert shown["nTSecurityDescriptor"] == "not-read"
    assert {write["landed"] for write in one["writes"]} == {True}


def test_the_page_says_everything_that_is_told_of_an_account():
    document = reported("seed-1")
    said = page_of(document).decode("utf-8")
    for one in document["migrations"]:
        for chapter in one["history"]:
            for entry in chapter["entries"]:
                if entry["kind"] not in {"clock", "admitted", "moved"}:
                    assert f"<tr><td>{entry['row']}<td>" in said
    for line in document["not_verified"]:
        assert line["what"].replace("'", "&#39;") in said
    assert document["journal"]["hash"] in said


def test_what_went_back_by_itself_is_told_with_how_to_begin_anew():
    document = report_of(story.rows())
    back = [one["dmsa"] for one in document["migrations"] if one["phase"] == "rolled_back"]
    assert back
    said = page_of(document).decode("utf-8")
    for name in back:
        assert f"{name}: it went back. To begin anew: " in said
        assert f"<code>dmsa release plan.yaml --only {name} --forward --reason TEXT</code>" in said


@each
def test_every_line_of_what_was_not_verified_has_its_place(name):
    found = [line["id"] for line in reported(name)["not_verified"]]
    assert found == [id_ for id_ in IDS if id_ in found]
    assert {"others", "since-then", "ledger-blind"} <= set(found)


def test_what_was_not_verified_follows_from_rows():
    lines = {name: {line["id"]: line for line in reported(name)["not_verified"]} for name in TOLD}
    assert "unknown-outcomes" in lines["seed-1"]
    assert "unknown-outcomes" not in lines["released-1-completed"]
    assert len(lines["seed-1"]["unknown-outcomes"]["about"]) == len(of_run("seed-1", "attempt-settled"))
    assert "no-drill" in lines["released-1-completed"]
    assert "no-drill" not in lines["seed-1"]
    assert "own-approval" in lines["seed-1"]
    assert "own-approval" not in lines["seed-7"]
    assert "time-unread" in lines["plan-4"]
    assert "not-asked-then" in lines["released-1-completed"]
    assert "unsettled" in lines["released-4-rolling-back"]


def test_a_witnessed_end_of_the_journal_is_not_among_it():
    rows = rows_of("plan-4")
    reading = reading_of(rows, rows[0].run)
    plan = plan_of(reading.state.plan)
    made = (report_document(reading, plan, reading.state.digest, Checked(9, "0" * 64, end)) for end in (None, 9))
    said = [in_full(one) for one in made]
    assert said[0]["answers"] == said[1]["answers"], "the first report took nothing from the second"
    assert [any(line["id"] == "journal-end" for line in one["not_verified"]) for one in said] == [True, False]


@each
def test_the_table_has_a_line_for_every_entry_and_every_answer(name):
    document = reported(name)
    rows = list(csv.DictReader(io.StringIO(table_of(document).decode("utf-8"), newline="")))
    assert tuple(rows[0]) == COLUMNS
    told = [entry for one in document["migrations"] for chapter in one["history"] for entry in chapter["entries"]]
    assert len(rows) == len(told) + sum(len(entry["answers"]) for entry in told)
    assert Counter(row["kind"] for row in rows if row["kind"] != "answer") == Counter(one["kind"] for one in told)
    assert {row["where"] for row in rows if row["kind"] == "write"} >= {DIRECTORY}


def test_a_headline_says_what_is_wrong():
    none = dict.fromkeys(MARKS, 0)
    assert headline(none | {"done": 5}, 5) == "All 5 accounts are completed."
    assert headline(none | {"held": 1}, 1) == "The account is held: a person is needed."
    said = headline(none | {"done": 1, "failed": 2, "waits": 1}, 4)
    assert said == "1 of 4 accounts is completed; 2 have failed; 1 waits for time or others."


def test_each_word_of_the_document_is_said_on_the_page():
    assert WORDS.keys() == set(MARKS)
    assert WORDS_OF_SHOWN.keys() == set(SHOWN)


def test_a_page_of_nothing_begun_is_a_page():
    document = copy.deepcopy(reported("plan-4"))
    document |= {"migrations": [], "waves": [], "waivers": [], "guards": [], "words": [], "not_verified": []}
    document["ledger"] = {"expected": 0, "last": None, "points": []}
    json.dumps(document)
    assert b"</html>" in page_of(document)
