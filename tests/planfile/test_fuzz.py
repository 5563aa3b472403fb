"""No input whatever ends in a traceback; whatever is refused has a position. A sample of ``tests.bench.fuzz``."""

import random
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.bench.fuzz import checked, smaller
from tests.planfile.mutations import broken


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "plan.yaml"


def survives(raw: bytes, file: Path) -> set[str]:
    file.write_bytes(raw)
    as_text = checked(file, as_json=False)
    as_json = checked(file, as_json=True)
    assert ("valid" in as_text) is ("valid" in as_json)
    return as_json


@given(seed=st.integers(0, 2**64))
@settings(max_examples=400, deadline=None)
def test_whatever_a_plan_has_become(file: Path, seed: int):
    survives(broken(random.Random(seed)), file)


@given(raw=st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
@example(raw=b"\xef\xbb\xbf")
@example(raw=b"a: .nan")
@example(raw=b"change: 9999-99-99")
def test_any_bytes(file: Path, raw: bytes):
    survives(raw, file)


@given(text=st.text(max_size=100))
@settings(max_examples=150, deadline=None)
def test_any_text_where_text_is_wanted(file: Path, text: str):
    survives(f"version: 1\nname: x\nchange: {text}\n".encode("utf-8", "surrogatepass"), file)


def test_chance_breaks_plans_in_many_ways(file: Path):
    """The fuzzer would find nothing if all its files failed at their first line."""
    found: set[str] = set()
    for seed in range(300):
        found |= survives(broken(random.Random(seed)), file)
    assert len(found) >= 25
    assert {"valid", "syntax", "deletion", "duplicate-key", "unknown-key", "missing-key", "alias"} <= found


def test_a_finding_is_made_small():
    assert smaller(b"a\nb\nc x d\ne\n", lambda raw: b"x" in raw) == b"x"
