"""Broken plans: what editors, merges, generators and bad luck make of good ones, on three levels.

Each function takes its decisions from the given source of chance only, so that a seed is a file.
"""

from __future__ import annotations

import json
import random
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from orchestrator.planfile.schema import Items, Keys, Shape, plan_shape
from tests.planfile.generated import Author, Writer

ROOT = Path(__file__).parents[2]
PIECES = [
    *(b"&a ", b"*a", b"*a ", b"<<: *a", b"<<: *a\n", b"[", b"]", b"{", b"}", b"- ", b": ", b"? ", b"\n", b"\t", b"  "),
    *(b"#", b"'", b'"', b"~", b"no", b"22:00", b"010", b"1.10", b"!!str ", b"\x00", b"\xff", b"\x85", b"---\n"),
    *(b"|\n", b">-\n", b"${env:A}", b"delete: 1\n", b"9" * 400, b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80", b"-1", b"[]"),
    *(b"{}", b"''", b"=", b".nan", b"%TAG !a! x\n", b"%YAML 1.2\n", b"...\n", b"\\", b"\\ud800", b"\\0", b"\\e[2J"),
    *(
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xe2\x80\xae",
        b"\xcc\x81",
        b"\xe6\xbc\xa2",
        b"\x1b",
        b"\x7f",
        b"\r",
        b"\r\n",
    ),
    *(b"1:30.5", b"2001-12-14 21:59:43", b"9" * 18, b"0x1f", b"0o17", b"1_000", b"1e999", b"yes", b"null", b"<<", b"@"),
    *(
        b"[" * 60,
        b"{a: " * 60,
        b"- " * 60,
        b"a" * 2000,
        b" " * 2000,
        b"pass" * 500,
        b"key: " * 300,
        b"1:" * 2000 + b"1",
    ),
]
JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 15, 10**14, 10**15, 2**63, 10**30, 1.5, float("inf"), float("nan"), [], {}, [[]]),
    *("", " ", "x", " x", "x\n", "no", "22:00", "010", "1.10", "a*", "a?", "[a]", "CN=a", "CN=a,DC=b", "CN=,", "\\a"),
    *("14d", "14", "1d2h3m4s", "0s", "99999d", "999999999d", "-1d", "1:30", "24:00", "9:00", "5%", "101%", "=",  "<<"),
    *("2026-12-18", "2026-13-40", "0000-01-01", "9999-12-31", "Europe/Berlin", "../etc", "localtime", "\0", "\x1b[2J"),
    *("${env:A}", "${env:}", "${file:../x}", "${keyring:a/b}x", "hunter2", "delete", "purge", "*", "a" * 300, "é" * 70),
    *("https://a", "http://", "10.0.0.1:0", "[::1]:99999", ":::::", "a.b.", "-a", "a" * 16, "a$", "😀", "\u202ex"),
    *([None], [1, 2], ["a", "a"], [{}], {"a": 1}, {"start": None}, {"delete": True}, {"name": "x", "name ": "y"}),
)  # fmt: skip
WORDS = ("delete", "removeOriginal", "clean_up", "purge-after", "password", "api_key", "", "<<", "x", "nam", "no", "22")


@cache
def seeds() -> tuple[bytes, ...]:
    """Return every plan that ships, every estate (which is no plan), and every case."""
    places = (("plans", "*.yaml"), ("plans/estates", "*.yaml"), ("tests/planfile/cases", "*.yaml"))
    return tuple(path.read_bytes() for place, glob in places for path in sorted((ROOT / place).glob(glob)))


def broken(chance: random.Random) -> bytes:
    """Return some file, broken on one level or on several."""
    level = chance.randrange(10)
    if level < 5:
        raw = structure(chance)
        return raw if level else characters(chance, raw)
    raw = chance.choice(seeds())
    if level > 6:
        raw = lines(chance, raw)
    return characters(chance, raw) if level < 9 else raw


def characters(chance: random.Random, raw: bytes) -> bytes:
    """Insert, take out, repeat and overwrite a few bytes."""
    changed = bytearray(raw)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(5):
            case 0:
                changed[at:at] = chance.choice(PIECES)
            case 1:
                del changed[at : at + chance.randrange(1, 30)]
            case 2:
                changed[at:at] = changed[at : at + chance.randrange(1, 60)]
            case 3:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case _:
                changed[at : at + chance.randrange(1, 8)] = chance.choice(PIECES)
    return bytes(changed)


def lines(chance: random.Random, raw: bytes) -> bytes:
    """Move, repeat, drop, indent and join whole lines, and give them anchors, aliases, merge keys and other values."""
    rows = raw.split(b"\n")
    for _ in range(chance.randint(1, 4)):
        at, other = chance.randrange(len(rows)), chance.randrange(len(rows))
        row = rows[at]
        indent = row[: len(row) - len(row.lstrip())]
        key, colon, value = row.partition(b":")
        match chance.randrange(9):
            case 0:
                rows[at], rows[other] = rows[other], row
            case 1:
                rows[at:at] = rows[other : other + chance.randrange(1, 12)]
            case 2:
                del rows[at : at + chance.randrange(1, 4)]
                rows = rows or [b""]
            case 3:
                rows[at] = chance.choice((b" ", b"  ", b"    ", b"\t", b"- ")) + row
            case 4:
                rows[at] = row[chance.randrange(1, 5) :]
            case 5:
                rows[at] = key + colon + b" &a" + value
            case 6:
                rows.insert(at, indent + chance.choice((b"<<: *a", b"<<: [*a, *a]", b"- *a", b"a: *a", b"<<: {x: 1}")))
            case 7:
                rows[at] = key + colon + b" " + chance.choice(PIECES)
            case _:
                rows[at : at + 2] = [b" ".join(rows[at : at + 2])]
    return b"\n".join(rows)


def structure(chance: random.Random) -> bytes:
    """Return YAML that is in order, with values and keys that are not."""
    author = Author(chance, full=chance.random() < 0.3)
    values: Any = author.plan(lab=chance.random() < 0.5)
    for _ in range(chance.randrange(5)):
        _disturb(chance, values)
    match chance.randrange(4):
        case 0:
            text = json.dumps(values, ensure_ascii=chance.random() < 0.5)
        case 1:
            text = Writer(chance).write(values)
        case 2:
            text = yaml.safe_dump(values, allow_unicode=True, sort_keys=False)
        case _:
            text = yaml.safe_dump(
                values, default_flow_style=None, allow_unicode=True, width=chance.choice((20, 10_000))
            )
    return text.encode("utf-8", "surrogatepass")


def _disturb(chance: random.Random, values: dict[str, Any]) -> None:
    """Change one thing somewhere."""
    inside: Any = values
    while True:
        keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
        key = chance.choice(keys)
        below = inside[key]
        if not isinstance(below, (dict, list)) or not below or chance.random() < 0.15:
            break
        inside = below
    junk = deepcopy(chance.choice(JUNK))
    match chance.randrange(6):
        case 3 if isinstance(inside, dict) and len(values) > 1:
            del inside[key]
        case 4 if isinstance(inside, list):
            inside.append(deepcopy(below))
        case 5 if isinstance(inside, dict):
            inside[chance.choice((*WORDS, *_known_keys()))] = chance.choice((deepcopy(below), junk))
        case _:
            inside[key] = junk


@cache
def _known_keys() -> tuple[str, ...]:
    """Return every key of the format: where it does not belong it is as wrong as any other."""
    found: dict[str, None] = {}
    waiting: list[Shape] = [plan_shape()]
    while waiting:
        shape = waiting.pop()
        if isinstance(shape, Items):
            waiting.append(shape.item)
        elif isinstance(shape, Keys):
            found |= dict.fromkeys(shape.fields)
            waiting += shape.fields.values()
    return tuple(found)
