"""A state as text and back: at every row of every kind of journal, and for whatever its types allow."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime

from orchestrator.model.replay import fold_in
from orchestrator.model.run import RunState
from orchestrator.model.sheet import Scribe, SheetUnreadable, own_from, packed, shared_from, unpacked
from tests.histories import NAMES, folded, rows_of, runs_of

ROOT = Path(__file__).parents[2]


def read_back(state: RunState, scribe: Scribe | None = None) -> RunState:
    scribe = scribe or Scribe()
    found = own_from(state.run, unpacked(packed(scribe.own(state))))
    found.switches, found.claims = shared_from(unpacked(packed(scribe.shared(state))))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_at_every_row_what_is_read_back_is_the_same_and_folds_on_alike(name):
    """And so, row by row, whatever is folded into it later gives what folding everything gives."""
    rows = rows_of(name)
    for run in runs_of(rows):
        state, kept, scribe = RunState(run), RunState(run), Scribe()
        for row in rows:
            fold_in(state, row)
            fold_in(kept, row)
            assert kept == state, row.seq
            kept = read_back(state, scribe)
            assert kept == state, row.seq


@pytest.mark.parametrize("name", NAMES)
def test_equal_states_are_the_same_bytes_however_they_came_to_be(name):
    rows = rows_of(name)
    for run in runs_of(rows):
        state = folded(rows, run)
        once = read_back(state)
        for scribe in (Scribe(), Scribe()):
            assert scribe.own(once) == Scribe().own(state) == scribe.own(state)
            assert scribe.shared(once) == Scribe().shared(state) == scribe.shared(state)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Return any values of a type: for a field that somebody adds, too."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is not None:
        return _OF_SEVERAL[origin](inner)
    if kind in SIMPLE:
        return SIMPLE[kind]
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    hints = get_type_hints(kind, include_extras=True)
    left_out = {"touched", "admission", "_planned", "model_config"}
    return st.builds(
        kind,
        **{
            name: values(hint)
            for name, hint in hints.items()
            if name not in left_out and not name.startswith("__") and get_origin(hint) is not ClassVar
        },
    )


def _tuples(inner: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return _some(inner[0]).map(tuple) if inner[-1] is Ellipsis else st.tuples(*map(values, inner))


def _some(kind: Any) -> st.SearchStrategy[Any]:
    return st.lists(values(kind), max_size=2)


def _mappings(inner: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return st.dictionaries(*map(values, inner), max_size=2)


def _one(inner: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return st.one_of(*map(values, inner))


_OF_SEVERAL: dict[Any, Any] = {
    Annotated: lambda inner: values(inner[0]),
    Union: _one,
    UnionType: _one,
    Literal: st.sampled_from,
    tuple: _tuples,
    dict: _mappings,
    Mapping: _mappings,
    frozenset: lambda inner: _some(inner[0]).map(frozenset),
    set: lambda inner: _some(inner[0]).map(set),
    list: lambda inner: _some(inner[0]),
}
SIMPLE = {
    Any: JSON,
    object: JSON,
    NoneType: st.none(),
    str: st.text(max_size=4),
    bool: st.booleans(),
    int: st.integers(-(2**53) + 1, 2**53 - 1),
    datetime: st.datetimes(timezones=st.just(UTC)),
    AwareDatetime: st.datetimes(timezones=st.just(UTC)),
    timedelta: st.integers(0, 10**12).map(lambda spent: timedelta(microseconds=spent)),
    float: st.floats(allow_nan=False, allow_infinity=False),
    UUID: st.uuids(),
}


@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(values(RunState))
def test_every_state_of_these_types_is_read_back(state):
    """Whatever a field may hold by its type, also one that is added later."""
    found = read_back(state)
    for known in fields(RunState):
        if known.compare:
            assert getattr(found, known.name) == getattr(state, known.name), known.name
    assert Scribe().own(found) == Scribe().own(state)
    assert Scribe().shared(found) == Scribe().shared(state)


def test_only_what_changed_is_written_anew():
    state, scribe = folded(rows_of("seed-1"), "small"), Scribe()
    whole = scribe.own(state)
    id_, *_ = state.migrations
    state.migrations[id_] = replace(state.migrations[id_], attempt=99)
    lines, before = scribe.own(state).splitlines(), whole.splitlines()
    assert [one.split(b"\t")[1] for one, other in zip(lines, before, strict=True) if one != other] == [
        f'"{id_}"'.encode()
    ]
    assert scribe.own(state) == Scribe().own(state)


STATE = "released-3-soaking"


@pytest.mark.parametrize(
    "text",
    [
        b"what\t\t1\n",
        b"migrations\t1\n",
        b'migrations\t"a"\t{"id":"a","phase":"nowhere"}\n',
        b'migrations\t"a"\t{"id":"a","attempt":"1"}\n',
        b'migrations\t"a"\t{"id":"a","attempt":1\n',
        b'migrations\t["a"]\t{"id":"a"}\n',
        b"drills\t\t1",
        b"drills\t\t1\n\n",
        b"\xff\t\t1\n",
        b'_planned\t"a"\t{"id":"a"}\n',
        b'run\t\t"another"\n',
    ],
)
def test_what_is_no_such_text_is_not_read(text):
    with pytest.raises(SheetUnreadable):
        own_from("r", text)
    with pytest.raises(SheetUnreadable):
        shared_from(text)


@pytest.mark.parametrize("cut", [0, 1, 10, -10, -1])
def test_a_torn_package_is_not_opened(cut):
    package = packed(Scribe().own(folded(rows_of(STATE), "released")))
    with pytest.raises(SheetUnreadable):
        unpacked(package[:cut])


@pytest.mark.parametrize("package", ["", "x", "!!!!", b64encode(b"no zlib").decode(), packed(b"a")[:-4] + "AAAA"])
def test_what_is_no_package_is_not_opened(package):
    with pytest.raises(SheetUnreadable):
        unpacked(package)


def test_what_hashes_differently_in_another_process_is_the_same_text_there():
    code = (
        "import sys; from tests.histories import *; from orchestrator.model.sheet import Scribe;"
        "s = folded(rows_of('released-3-soaking'), 'released');"
        "sys.stdout.buffer.write(Scribe().own(s) + Scribe().shared(s))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
