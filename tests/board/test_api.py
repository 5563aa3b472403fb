"""What programs are given: the same documents as ``--json``, as the description says, whatever they ask."""

from __future__ import annotations

import functools
import warnings

import pytest
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator

from orchestrator.board.further_back import PAGE
from orchestrator.board.openapi import MOST_ROWS, described
from orchestrator.journal import Entry
from orchestrator.views.journal_rows import row_document
from orchestrator.views.metrics import CONTENT_TYPE, JournalSeen, metrics_text
from orchestrator.views.runs import runs_schema
from orchestrator.views.status import status_document
from orchestrator.views.status_schema import status_schema
from tests.board.inside import elsewhere, hub_of, on_loopback
from tests.board.stage import FAILED, NAME, journal_of, plan, rows, wanted
from tests.histories import folded

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about libraries that it brings itself
    import schemathesis


@functools.cache
def here():
    return on_loopback()


def test_the_status_is_that_of_the_command():
    document = here().get(f"/api/plans/{NAME}/status").json()
    state = folded(rows(), NAME)
    assert document == status_document(state, plan(), wanted().digest, state.last_at)
    Draft202012Validator(status_schema()).validate(document)


def test_the_runs_are_those_of_the_command():
    document = here().get("/api/runs").json()
    Draft202012Validator(runs_schema()).validate(document)
    assert [one["plan"] for one in document["plans"]] == [NAME]


def test_rows_are_those_of_the_journal_newest_first():
    document = here().get(f"/api/plans/{NAME}/journal").json()
    found = journal_of(rows()).read()
    assert document["rows"] == [row_document(row) for row in found][::-1][:PAGE]
    more = here().get(f"/api/plans/{NAME}/journal?before={document['older']}&limit=3&migration={FAILED}").json()
    assert len(more["rows"]) == 3
    assert {row["body"]["migration"] for row in more["rows"]} == {FAILED}


@pytest.mark.parametrize(
    "query",
    ["before=0", "before=-1", "before=x", "before=", "before=1&before=2", "limit=0", f"limit={MOST_ROWS + 1}",
     "limit=1e2", "migration=", "what=1", "before=%D9%A3", f"before={'9' * 16}"],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_and_not_passed_over(query):
    answer = here().get(f"/api/plans/{NAME}/journal?{query}")
    assert answer.status_code == 400
    assert "error" in answer.json()


def test_of_a_run_that_cannot_be_read_it_says_why():
    journal = journal_of(rows())
    journal.append([Entry(NAME, None, "of-tomorrow", 999, {})], expected=journal.head(), lease=None)
    browser = on_loopback(hub_of(journal))
    answer = browser.get(f"/api/plans/{NAME}/status")
    assert answer.status_code == 409
    assert "newer version" in answer.json()["error"]
    assert browser.get("/api/runs").json()["plans"][0]["unreadable"]


def test_the_board_says_what_it_reads():
    document = here().get("/api/board").json()
    assert (document["journal"], document["plans"], document["pages"]) == ("j.db", [NAME], 0)


def test_metrics_are_those_of_the_command():
    answer = here().get("/metrics?collect=x")
    state = folded(rows(), NAME)
    seen = JournalSeen(rows=len(rows()), driven=False)
    assert answer.text == metrics_text([(state, plan())], None, journal=seen)
    assert answer.headers["content-type"] == CONTENT_TYPE
    assert "dmsa_journal_rows_total" in answer.text


@pytest.mark.parametrize("locked", [True, False])
def test_the_description_points_nowhere_but_to_itself(locked):
    document = described(locked=locked)

    def pointers(value):
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else ())
            for one in value.values():
                yield from pointers(one)
        elif isinstance(value, list):
            for one in value:
                yield from pointers(one)

    found = set(pointers(document))
    assert len(found) > 50
    for pointer in found:
        assert pointer.removeprefix("#/components/schemas/") in document["components"]["schemas"]
    assert ("security" in document) is locked


def driven(browser, *, locked):
    """Return a test that asks for everything that the description allows, and for much that it does not.

    The board is asked by a browser of this process; what an answer must be, schemathesis says.
    """
    schema = schemathesis.openapi.from_dict(described(locked=locked))

    @schema.parametrize()
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    def test(case):
        if case.path_parameters.get("plan", "").isalpha():
            case.path_parameters["plan"] = NAME
        request = case.as_transport_kwargs(base_url="")
        asked = {name: value for name, value in (request.get("headers") or {}).items() if name.lower() != "host"}
        answer = browser().request(request["method"], request["url"], params=request.get("params"), headers=asked)
        assert answer.status_code < 500
        assert not locked or not answer.is_success, "it guessed a token"
        case.validate_response(answer)

    return test


test_on_loopback_schemathesis_finds_nothing = driven(here, locked=False)
test_elsewhere_schemathesis_does_not_get_in = driven(functools.cache(elsewhere), locked=True)
