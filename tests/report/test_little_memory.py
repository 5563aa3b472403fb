"""A report that is made migration by migration says what one says that is made at once; and it holds little."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cli.report import _keep
from orchestrator.cli.scratch import Scratch
from orchestrator.errors import InputInvalid
from orchestrator.expectation import expected
from orchestrator.expectation.history import history
from orchestrator.journal import Row
from orchestrator.model import event as e
from orchestrator.model.folded import StateFolded
from orchestrator.model.lifecycle import Trigger
from orchestrator.model.replay import fold_in
from orchestrator.model.run import RunState
from orchestrator.planfile import plan_of
from orchestrator.report.as_json import as_json
from orchestrator.report.before_after import snapshots_of
from orchestrator.report.changes import _change, _is_change, _write, as_written_to
from orchestrator.report.chapters import Chapters
from orchestrator.report.document import Checked, in_full, report_document
from orchestrator.report.flat import flat
from orchestrator.report.once import Once
from orchestrator.report.page import page
from orchestrator.report.reading import WRITES, Reading
from orchestrator.report.shelf import InMemory, Shelf, Shelved
from orchestrator.report.traced import followed, shown_by
from tests.histories import NAMES, rows_of, runs_of
from tests.report.reports import TOLD, page_of, report_of, reported, rows_made, table_of
from tests.report.test_unverified import AT, begun
from tests.world import ROOT

each = pytest.mark.parametrize("name", TOLD)
every = pytest.mark.parametrize("name", NAMES)


def shelved(name: str, shelf: Shelf) -> dict[str, Any]:
    """Return the report of a journal's first run with its long parts on a shelf."""
    rows = rows_of(name)
    reading = Reading(rows[0].run, shelf)
    for row in rows:
        reading.take_in(row)
    plan = plan_of(reading.state.plan or {})
    return report_document(reading, plan, reading.state.digest or "", Checked(len(rows), rows[-1].hash, None))


class AtOnce:
    """What the rows of a run tell of its migrations, all of it held until the last row is read."""

    def __init__(self, rows: Iterable[Row], run: str) -> None:
        self.state = RunState(run)
        self.told: list[Any] = []
        self.chapters: dict[str, Chapters] = {}
        self.earlier: dict[str, list[Any]] = {}
        self.answers: dict[e.GuardSaid, set[str]] = {}
        self._number: dict[e.GuardSaid, int] = {}
        for row in rows:
            known = self.state.migrations.get(row.body.get("migration", ""))
            event: Any = fold_in(self.state, row)
            id_ = getattr(event, "migration", None)
            if id_ is None or isinstance(event, StateFolded):
                continue
            if isinstance(event, WRITES):
                self.told.append((event, row.at))
            now = self.state[id_].attempt
            if isinstance(event, e.Released) and known is not None and now != known.attempt:
                self.earlier.setdefault(id_, []).append(known)
            begins = known is None or isinstance(event, e.Moved | e.Released)
            attempt = now if begins or known is None else known.attempt
            numbers = list(self._numbers(event)) if isinstance(event, e.GuardsAsked) else []
            self.chapters.setdefault(id_, Chapters()).take_in(event, row.seq, row.at, attempt, numbers)

    def _numbers(self, event: e.GuardsAsked) -> Iterator[int]:
        for said in event.answers:
            self.answers.setdefault(said, set()).add(event.migration)
            yield self._number.setdefault(said, len(self._number))

    def writes(self, ids: list[str]) -> dict[str, list[dict[str, Any]]]:
        known, plan = history(self.told), plan_of(self.state.plan or {})
        servers = (str(one.parameters["Server"]) for one in known.attempts if one.parameters.get("Server"))
        after = dict(zip(map(id, known.attempts), followed(self.told), strict=True))
        found: dict[str, dict[int, dict[str, Any]]] = {id_: {} for id_ in ids}
        for one in known.attempts:
            found[one.migration][id(one)] = _write(one)
        for change in expected(as_written_to(plan, next(servers, "")), ids, self.state, known):
            attempt = change.frame.attempt
            if change.done and attempt and (change.by, change.log) == ("operator", "Security") and _is_change(change):
                shown = shown_by(change, attempt, after[id(attempt)], self.state[change.migration])
                found[change.migration][id(attempt)]["changes"].append(_change(change, shown))
        return {id_: list(writes.values()) for id_, writes in found.items()}


@every
def test_migration_by_migration_it_says_what_it_says_of_all_at_once(name):
    rows = rows_of(name)
    for run in runs_of(rows):
        document, at_once = report_of(rows, run), AtOnce(rows, run)
        writes = at_once.writes([one["dmsa"] for one in document["migrations"]])
        for one in document["migrations"]:
            id_ = one["dmsa"]
            told = at_once.chapters[id_].told if id_ in at_once.chapters else []
            states = (*at_once.earlier.get(id_, ()), at_once.state[id_])
            wanted = {
                "history": [chapter.document() for chapter in told],
                "writes": writes[id_],
                "snapshots": [found for state in states if (found := snapshots_of(state)) is not None],
            }
            assert json.dumps({name: one[name] for name in wanted}) == json.dumps(wanted)
        counted = [(said.guard, said.subject, said.evidence, len(of)) for said, of in at_once.answers.items()]
        keys = ("guard", "subject", "evidence", "migrations")
        assert [tuple(one[key] for key in keys) for one in document["answers"]] == counted


@each
def test_in_a_file_or_in_memory_every_form_has_the_same_bytes(name):
    whole = reported(name)
    with closing(Scratch()) as scratch:
        for document in (shelved(name, scratch), shelved(name, InMemory())):
            assert isinstance(document["migrations"], Shelved)
            assert in_full(document) == whole
            assert b"".join(as_json(document)) == json.dumps(whole, indent=1).encode("ascii") + b"\n"
            assert b"".join(page(document, "plan.yaml")) == page_of(whole)
            assert b"".join(flat(document)) == table_of(whole)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=()), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
ITEMS = st.lists(st.dictionaries(st.text(max_size=4), JSON, max_size=3), max_size=4)


@given(st.dictionaries(st.text(max_size=4), JSON | ITEMS.map(lambda items: ("shelved", items)), min_size=1, max_size=4))
def test_json_item_by_item_is_json_in_one_piece(document):
    apart: dict[str, Any] = {}
    for name, value in document.items():
        apart[name] = value
        if isinstance(value, tuple):
            apart[name] = Shelved(InMemory())
            for item in value[1]:
                apart[name].append(item)
    whole = {name: value[1] if isinstance(value, tuple) else value for name, value in document.items()}
    assert b"".join(as_json(apart)) == json.dumps(whole, indent=1).encode("ascii") + b"\n"


@given(st.lists(st.lists(st.sampled_from(("a", "b", ("a",), ("a", "b"), ("'", "a"), 1, "1", "\ud800")), max_size=5)))
def test_once_numbers_what_more_than_one_has(of_each: list[list[Hashable]]):
    by: dict[Hashable, set[int]] = {}
    for who, things in enumerate(of_each):
        for thing in things:
            by.setdefault(thing, set()).add(who)
    once = Once((thing, who) for who, things in enumerate(of_each) for thing in things)
    assert once.all == [(thing, len(of)) for thing, of in by.items() if len(of) > 1]
    assert [once.number(thing) for thing, _ in once.all] == list(range(len(once.all)))
    assert {once.number(thing) for thing, of in by.items() if len(of) == 1} <= {None}


@given(st.lists(st.tuples(st.binary(max_size=40), st.sampled_from((0, 1, 200, 70_000)), st.booleans()), max_size=60))
@settings(deadline=None)
def test_what_is_put_aside_comes_back_as_it_was(pieces):
    with closing(Scratch()) as scratch:
        known = {}
        for piece, times, asks in pieces:
            known[scratch.put(piece * times)] = piece * times
            if asks:
                assert all(scratch.get(place) == whole for place, whole in known.items())
        assert len(known) == len(pieces)
        assert all(scratch.get(place) == whole for place, whole in known.items())


# How much it holds.


def held(work: Callable[[], object]) -> tuple[int, int]:
    """Return how many bytes are held after some work, and how many were at most."""
    gc.collect()
    tracemalloc.start()
    try:
        kept = work()
        gc.collect()
        now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    del kept
    return now, most


def asking(times: int) -> tuple[Row, ...]:
    """Return a journal in which the guards of a migration were asked so often."""
    said = tuple(
        e.GuardSaid(guard="host-reachable", subject=f"app{number:02d}.corp.example", verdict="pass", evidence="it is")
        for number in range(20)
    )
    asked = e.GuardsAsked(migration="a", step=Trigger.START, answers=said)
    return rows_made("told", [(one, AT) for one in begun()] + [(asked, AT + timedelta(n)) for n in range(times)])


class Nowhere:
    """A shelf on which nothing stays."""

    def put(self, piece: bytes) -> int:
        return len(piece)

    def get(self, place: int) -> bytes:
        raise AssertionError(f"nobody asks for {place}")


def test_of_a_row_little_more_is_held_than_its_place():
    few, many = asking(100), asking(1_100)

    def read(rows: tuple[Row, ...]) -> Reading:
        reading = Reading("told", Nowhere())
        for row in rows:
            reading.take_in(row)
        return reading

    read(few)  # what is kept for good, for whatever comes first
    (less, _), (more, _) = held(lambda: read(few)), held(lambda: read(many))
    assert (more - less) / 1_000 < 32, "bytes a row"


@pytest.mark.parametrize(
    "form", [as_json, flat, lambda document: page(document, "plan.yaml")], ids=["json", "csv", "html"]
)
def test_a_form_is_written_with_one_migration_at_a_time(form):
    whole = reported("seed-1")
    with closing(Scratch()) as scratch:

        def documents(times: int) -> dict[str, Any]:
            answers, migrations = Shelved(scratch), Shelved(scratch)
            for one in whole["answers"]:
                answers.append(one)
            for number in range(times):
                migrations.append({**whole["migrations"][0], "dmsa": f"dmsa-{number}"})
            return whole | {"answers": answers, "migrations": migrations}

        few, many = documents(20), documents(120)
        assert sum(map(len, form(few)))
        size = len(json.dumps(whole["migrations"][0]))
        (_, less), (_, more) = (
            held(lambda document=document: sum(map(len, form(document)))) for document in (few, many)
        )
    assert (more - less) / 100 < size / 10, "bytes a migration"


# What becomes of the file.


def test_what_ends_the_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    file = tmp_path / "r.html"
    file.write_text("the last one", encoding="utf-8")

    def pieces() -> Iterator[bytes]:
        yield b"the beginning"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _keep(file, pieces())
    assert file.read_text(encoding="utf-8") == "the last one"
    assert list(tmp_path.iterdir()) == [file]


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
from orchestrator.cli.scratch import Scratch
place = (scratch := Scratch()).put(b"x" * 8192)
scratch.get(place)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_where_there_is_no_room_it_says_so():
    ended = subprocess.run([sys.executable, "-c", LIMITED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert f"{InputInvalid.__name__}: what is put aside" in ended.stderr
    assert "TMPDIR names another folder" in ended.stderr
