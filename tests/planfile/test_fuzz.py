"""No input whatever ends in a traceback; whatever is refused has a position."""

import random
import re
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.planfile import PlanInvalid, digest, parse_plan

SEEDS = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))]
SEEDS += [path.read_bytes() for path in sorted((Path(__file__).parent / "cases").glob("*.yaml"))]
PIECES = [
    *(b"&a ", b"*a", b"<<: *a", b"[", b"]", b"{", b"}", b"- ", b": ", b"? ", b"\n", b"\t", b"  ", b"#", b"'", b'"'),
    *(b"~", b"no", b"22:00", b"010", b"1.10", b"!!str ", b"\x00", b"\xff", b"\x85", b"---\n", b"|\n", b"${env:A}"),
    *(b"delete: 1\n", b"9" * 400, b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80", b"-1", b"[]", b"{}", b"''", b"=", b".nan"),
]


def survives(raw: bytes) -> None:
    refused: PlanInvalid | None = None
    try:
        assert digest(parse_plan(raw))
    except PlanInvalid as invalid:
        refused = invalid
    if refused is not None:
        lines = len(re.split("\r\n|[\n\r\x85\u2028\u2029]", raw.decode("utf-8", "replace")))
        assert refused.problems
        assert str(refused)
        for problem in refused.problems:
            assert 1 <= problem.line <= lines
            assert problem.column >= 1
            assert problem.message
            assert problem.id


@given(seed=st.integers(0, 2**64), edits=st.integers(1, 4))
@settings(max_examples=500, deadline=None)
def test_a_plan_with_a_few_bytes_changed(seed: int, edits: int):
    chance = random.Random(seed)
    raw = bytearray(chance.choice(SEEDS))
    for _ in range(edits):
        at = chance.randrange(len(raw) + 1)
        match chance.randrange(4):
            case 0:
                raw[at:at] = chance.choice(PIECES)
            case 1:
                del raw[at : at + chance.randrange(1, 30)]
            case 2:
                end = at + chance.randrange(1, 60)
                raw[at:at] = raw[at:end]
            case _:
                raw[at : at + chance.randrange(1, 8)] = chance.choice(PIECES)
    survives(bytes(raw))


@given(raw=st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
@example(raw=b"\xef\xbb\xbf")
@example(raw=b"a: .nan")
@example(raw=b"change: 9999-99-99")
def test_any_bytes(raw: bytes):
    survives(raw)


@given(text=st.text(max_size=100))
@settings(max_examples=200, deadline=None)
def test_any_text_where_text_is_wanted(text: str):
    survives(f"version: 1\nname: x\nchange: {text}\n".encode("utf-8", "surrogatepass"))
