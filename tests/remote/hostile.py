"""Calls that nobody should be able to send: what the gate lets pass, changed in one or several places by chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from orchestrator.model.call import Cmdlet, Read, Write

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "gate.yaml").read_text(encoding="utf-8"))
HOST = "app01.corp.example"

_HOSTILE = yaml.safe_load((Path(__file__).parent / "cases" / "hostile.yaml").read_text(encoding="utf-8"))
NAMES, PARAMETERS = tuple(_HOSTILE["names"]), tuple(_HOSTILE["parameters"])
VERBS = ("Remove", "Disable", "Clear", "Move", "Rename", "Stop", "Set", "Get", "New", "Reset", "Start")
TEXTS = (*_HOSTILE["texts"], "\ud800", "x" * 300, "x" * 70_000)


class Text(str):
    """Looks like text, is not."""

    __slots__ = ()


class Always(str):
    """Says that it is equal to whatever it is held against."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return hash("")


class Liar(type):
    """A kind of thing that says that it is whatever kind it is held against."""

    def __eq__(cls, other: object) -> bool:
        return True

    def __ne__(cls, other: object) -> bool:
        return False

    def __hash__(cls) -> int:
        return hash(str)


class Disguised(str, metaclass=Liar):
    """Text by its own word."""

    __slots__ = ()


class DisguisedRow(tuple, metaclass=Liar):  # type: ignore[type-arg]
    """A list of values by its own word."""

    __slots__ = ()


class DisguisedTable(dict, metaclass=Liar):  # type: ignore[type-arg]
    """A table by its own word."""


class DisguisedStatement(Cmdlet, metaclass=Liar):
    """A statement by its own word."""


class DisguisedRead(Read, metaclass=Liar):
    """A read by its own word."""


class DisguisedWrite(Write, metaclass=Liar):
    """A write by its own word."""


class Table(dict):  # type: ignore[type-arg]
    """Shows other entries than it has."""

    def items(self) -> Any:
        return {}.items()

    def keys(self) -> Any:
        return {}.keys()

    def __iter__(self) -> Any:
        return iter(())


class Several(tuple):  # type: ignore[type-arg]
    """Looks like a list of values, is not."""

    __slots__ = ()


class Statement(Cmdlet):
    """Looks like a statement, is not."""


class Reading(Read):
    """Looks like a read, is not."""


class Writing(Write):
    """Looks like a write, is not."""


def seeds() -> list[tuple[bool, str, str, dict[str, Any]]]:
    """Return what passes: whether it is a write, the endpoint, the cmdlet and its parameters."""
    found = [
        (case.get("as") == "write", HOST, case["cmdlet"], {k: plain(v) for k, v in case.get("with", {}).items()})
        for case in CASES["passes"]
    ]
    found += [
        (False, f"ldap:{HOST}", case["cmdlet"], {name: plain(value) for name, value in case["with"].items()})
        for case in CASES["ldap"]["passes"]
    ]
    return found


def plain(value: Any) -> Any:
    """Return a value of a case as a call carries it."""
    if isinstance(value, list):
        return tuple(map(plain, value))
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def value(chance: random.Random, depth: int = 0) -> Any:
    """Return any value at all."""
    pick = chance.randrange(13 if depth < 3 else 8)
    if pick < 4:
        return chance.choice(TEXTS)
    if pick < 5:
        return "".join(
            chr(chance.choice((chance.randrange(32, 127), chance.randrange(0x250))))
            for _ in range(chance.randrange(12))
        )
    if pick < 8:
        return chance.choice(
            (
                None,
                True,
                False,
                0,
                1,
                -1,
                307,
                200_000,
                1.0,
                2**70,
                float("nan"),
                b"x",
                UUID(int=7),
                datetime(2026, 1, 1, tzinfo=UTC),
                datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None),
                object(),
                str,
                len,
                Text("Stop"),
                Always("x"),
                Disguised("svc"),
                Several(("a",)),
                Table(a=1),
                [],
                ["a"],
                {"a"},
            ),
        )
    inner = [value(chance, depth + 1) for _ in range(chance.randrange(4))]
    if pick < 11:
        return tuple(inner)
    return {str(chance.choice(PARAMETERS)): item for item in inner}


def twisted(chance: random.Random, known: Any) -> Any:
    """Return a value close to one that passes."""
    if type(known) is tuple and known and chance.random() < 0.7:
        at = chance.randrange(len(known))
        changed = chance.choice((twisted(chance, known[at]), value(chance)))
        return chance.choice(
            ((*known[:at], changed, *known[at + 1 :]), [*known], Several(known), known[at], (known,), known * 700, ())
        )
    if type(known) is dict and known and chance.random() < 0.7:
        key = chance.choice(list(known))
        return chance.choice(
            (
                {key: twisted(chance, known[key])},
                {**known, chance.choice(PARAMETERS): value(chance)},
                Table(known),
                {Text(key): known[key]},
                {key.lower(): known[key]},
                {},
            ),
        )
    if type(known) is str and chance.random() < 0.8:
        at = chance.randrange(len(known) + 1)
        put = chance.choice(TEXTS[:-2])
        return chance.choice(
            (
                known[:at] + put + known[at:],
                known[:at] + put,
                put + known,
                known.upper(),
                known.lower(),
                known.swapcase(),
                f" {known}",
                f"{known} ",
                f"{known}\n",
                Text(known),
                Always(known),
                Disguised(known),
                (known,),
                known.encode(errors="replace"),
                known.replace("a", "\u0430"),
                known.replace("s", "\u017f").replace("k", "\u212a"),
                known.translate({ord("e"): "\uff45"}),
                known[::-1],
                known * 2,
                known[at:],
            ),
        )
    return value(chance)


Parts = tuple[bool, str, Any, dict[Any, Any]]


def _name(chance: random.Random, parts: Parts) -> Parts:
    writes, endpoint, known, given = parts
    name = str(known)
    near = (
        name.lower(),
        name.upper(),
        f"{name} ",
        name.replace("-", "\u2010"),
        f"ActiveDirectory\\{name}",
        f"{name}\x00",
        Text(name),
        Always(name),
        Disguised(name),
        name.replace("e", "\u0435"),
        name[:-1],
        (name,),
        None,
        f"& {name}",
        f"{name};",
    )
    verb, _, noun = name.partition("-")
    other = f"{chance.choice((*VERBS, verb))}-{noun}"
    return writes, endpoint, chance.choice((chance.choice(near), chance.choice(NAMES), other)), given


def _other_row(chance: random.Random, parts: Parts) -> Parts:
    writes, endpoint, _, given = parts
    return writes, endpoint, chance.choice(_SEEDS)[2], given


def _extra(chance: random.Random, parts: Parts) -> Parts:
    writes, endpoint, name, given = parts
    key = chance.choice(
        (chance.choice(PARAMETERS), chance.choice(_KEYS), Text("Identity"), Disguised("Identity"), None, 0)
    )
    return writes, endpoint, name, {**given, key: value(chance)}


def _common(chance: random.Random, parts: Parts) -> Parts:
    writes, endpoint, name, given = parts
    action = chance.choice(("Stop", "Continue", "SilentlyContinue", "Ignore", "stop", "Inquire", 0, 1, value(chance)))
    return writes, endpoint, name, {**given, "ErrorAction": action}


def _less(chance: random.Random, parts: Parts) -> Parts:
    writes, endpoint, name, given = parts
    gone = chance.choice([*given, None])
    return writes, endpoint, name, {key: item for key, item in given.items() if key is not gone}


def _renamed(chance: random.Random, parts: Parts) -> Parts:
    writes, endpoint, name, given = parts
    if not given:
        return parts
    key = chance.choice(list(given))
    new = chance.choice(
        (
            str(key).lower(),
            str(key).upper(),
            f"{key} ",
            f"-{key}",
            str(key)[:4],
            chance.choice(_KEYS),
            Text(key),
            Disguised(key),
        )
    )
    return writes, endpoint, name, {(new if one is key else one): item for one, item in given.items()}


def _value(chance: random.Random, parts: Parts) -> Parts:
    writes, endpoint, name, given = parts
    if not given:
        return parts
    key = chance.choice(list(given))
    return (
        writes,
        endpoint,
        name,
        {**given, key: chance.choice((twisted(chance, given[key]), value(chance), given[chance.choice(list(given))]))},
    )


def _as_other(_chance: random.Random, parts: Parts) -> Parts:
    writes, endpoint, name, given = parts
    return not writes, endpoint, name, given


def _elsewhere(chance: random.Random, parts: Parts) -> Parts:
    writes, _, name, given = parts
    where = chance.choice(
        (f"ldap:{HOST}", HOST, "ldap:", "ldap:ldap:x", "LDAP:x", Text(HOST), Disguised(HOST), f"{HOST}\n", None, *TEXTS)
    )
    return writes, where, name, given


CHANGES: tuple[Callable[[random.Random, Parts], Parts], ...] = (
    _name,
    _other_row,
    _extra,
    _common,
    _less,
    _renamed,
    _value,
    _value,
    _value,
    _as_other,
    _elsewhere,
)
_SEEDS = seeds()
_KEYS = sorted({key for seed in _SEEDS for key in seed[3]})


def call(chance: random.Random) -> tuple[str, Any]:
    """Return a call that was changed by chance, and the names of the changes."""
    parts: Parts = chance.choice(_SEEDS)
    changes = [chance.choice(CHANGES) for _ in range(chance.choice((0, 1, 1, 1, 1, 1, 2, 3)))]
    for change in changes:
        parts = change(chance, parts)
    writes, endpoint, name, given = parts
    said = (
        "+".join(sorted({change.__name__.strip("_") for change in changes}))
        if len(changes) == 1
        else f"{len(changes)} changes"
    )
    return said, _built(chance, writes, endpoint, name, given)


def _built(chance: random.Random, writes: bool, endpoint: Any, name: Any, given: Mapping[Any, Any]) -> Any:
    twist = chance.randrange(200)
    kind = Statement if twist == 0 else Cmdlet
    statement = kind(name, Table(given) if twist == 1 else given)  # type: ignore[arg-type]
    if writes:
        return (Writing if twist == 2 else Write)(endpoint, statement)
    others = (statement,) * (201 if twist == 3 else chance.choice((1, 1, 2)))
    statements: Any = {4: list(others), 5: Several(others), 6: (), 7: statement, 8: (statement, "Get-ADUser")}.get(
        twist, others
    )
    return (Reading if twist == 9 else Read)(endpoint, statements)
