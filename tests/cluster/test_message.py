"""What counts as a ring: three words that Celery packs, and nothing else."""

from __future__ import annotations

import json

import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cluster.message import LARGEST, RING, why_turned_away

WORD = st.text(min_size=1, max_size=300)
EMBEDDED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
CELERY = Celery(set_as_current=False)
HEADERS = {"task": RING, "id": "1"}


def turned_away(body: object, headers: object = HEADERS) -> str | None:
    return why_turned_away(headers, "application/json", "utf-8", json.dumps(body).encode())


@given(st.tuples(WORD, WORD, WORD))
def test_what_celery_makes_of_three_words_is_a_ring(words: tuple[str, str, str]):
    made = CELERY.amqp.as_task_v2("1", RING, words)
    raw = json.dumps(made.body).encode()
    assert why_turned_away(made.headers, "application/json", "utf-8", raw) == (
        "it is too large" if len(raw) > LARGEST else None
    )


@given(st.binary(max_size=200), st.dictionaries(st.text(max_size=8), st.none() | st.text(max_size=8), max_size=4))
def test_bytes_of_anybody_are_turned_away_and_raise_nothing(raw: bytes, headers: dict[str, str | None]):
    assert why_turned_away(headers, "application/json", "utf-8", raw) is not None
    assert why_turned_away(HEADERS, "application/json", "utf-8", raw) is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_json_of_anybody_is_a_ring_only_with_three_words_in_it(body: object):
    if turned_away(body) is None:
        assert isinstance(body, list)
        words, keywords, _ = body
        assert [type(word) for word in words] == [str] * 3
        assert keywords == {}


@pytest.mark.parametrize("name", ["eta", "expires", "group", "compression"])
def test_a_ring_asks_for_nothing_more(name: str):
    body = [["emea", "m", "s"], {}, EMBEDDED]
    assert turned_away(body) is None
    assert turned_away(body, {**HEADERS, name: "x"}) == "it asks for more than to be heard"


@pytest.mark.parametrize("raw", [b"[" * 4000, b"\xff\xfe", b"[[1e999,1,1],{},{}]", b"null", b""])
def test_odd_bytes_are_turned_away(raw: bytes):
    assert why_turned_away(HEADERS, "application/json", "utf-8", raw) is not None
