"""Kinds of parameter values: what a row of the catalogue lets through.

Every kind is a closed description of text or data that the far side takes literally. Nothing here repairs a
value: it fits, or the gate refuses it. Wildcards are refused wherever a cmdlet would expand them
(Microsoft Learn, about_Wildcards), the backtick with them, because it is their escape.

A kind also says what a JEA endpoint can be told of it: its choices, or an expression that .NET reads. Such an
expression may let more through than the kind does, never less.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from orchestrator.model.call import Value
from orchestrator.model.dn import parse_dn

_ANY_CASE = re.IGNORECASE | re.ASCII
"""Of ASCII: without it a long s (U+017F) is an s, and the sign for kelvin (U+212A) a k."""
_REMEMBERED = 4096
"""How many texts of exactly type str each kind remembers its answer for: hosts, attributes and names come again."""


@dataclass(frozen=True)
class Kind:
    """A named set of values. ``accepts`` never raises and never changes anything.

    ``pattern`` is an expression for a whole value, written as PowerShell would show that value, for lists of each
    element; None where none comes near it. ``choices`` are the values themselves, where they are few.
    """

    name: str
    accepts: Callable[[Value], bool]
    pattern: str | None = None
    choices: tuple[str, ...] = ()

    def __or__(self, other: Kind) -> Kind:
        patterns = (self.pattern, other.pattern)
        both = None if None in patterns else "|".join(dict.fromkeys(map(str, patterns)))
        return Kind(
            f"{self.name} or {other.name}",
            lambda value: self.accepts(value) or other.accepts(value),
            both,
            tuple(dict.fromkeys(self.choices + other.choices)) if self.choices and other.choices else (),
        )


def _is_text(value: Value, limit: int = 1024) -> bool:
    """Say whether a person can read this: no control, format or lone surrogate character, not blank."""
    if type(value) is not str or not 0 < len(value) <= limit or not value.strip():
        return False
    if value.isascii():
        return value.isprintable()
    return not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in value)


def literally(text: str) -> str:
    """Return the expression that matches *text* and nothing else, for Python and for .NET alike."""
    return re.sub(r"[\\.^$*+?()\[\]{}|]", r"\\\g<0>", text)


def matching(name: str, pattern: str, flags: re.RegexFlag = re.NOFLAG) -> Kind:
    """Text that a pattern matches from end to end."""
    compiled = re.compile(pattern, flags)
    fits = lru_cache(_REMEMBERED)(lambda text: _is_text(text) and compiled.fullmatch(text) is not None)
    return Kind(name, lambda value: type(value) is str and fits(value), pattern.replace(r"\Z", r"\z"))


def one_of(*choices: str | int) -> Kind:
    """Exactly one of these values, of exactly their type (True is not 1 here)."""
    typed = frozenset((type(choice), choice) for choice in choices)
    return Kind(
        "one of " + ", ".join(map(repr, choices)),
        lambda value: (type(value) is str or type(value) is int) and (type(value), value) in typed,
        "|".join(literally(str(choice)) for choice in choices),
        tuple(map(str, choices)),
    )


def whole(low: int, high: int) -> Kind:
    """An integer between two bounds, both included."""
    return Kind(
        f"an integer from {low} to {high}",
        lambda value: type(value) is int and low <= value <= high,
        rf"[0-9]{{1,{len(str(high))}}}",
    )


def many(item: Kind, limit: int = 1000) -> Kind:
    """A non-empty array of one kind."""
    return Kind(
        f"a list, each {item.name}",
        lambda value: type(value) is tuple and 0 < len(value) <= limit and all(map(item.accepts, value)),
        item.pattern,
        item.choices,
    )


def one_or_many(item: Kind) -> Kind:
    """One value, or a non-empty array of them."""
    return item | many(item)


def table(required: Mapping[str, Kind], optional: Mapping[str, Kind] | None = None) -> Kind:
    """A hashtable with fixed keys."""
    kinds = {**required, **(optional or {})}

    def accepts(value: Value) -> bool:
        return (
            type(value) is dict
            and all(type(key) is str for key in value)
            and required.keys() <= value.keys() <= kinds.keys()
            and all(kinds[key].accepts(item) for key, item in value.items())
        )

    return Kind("a table of " + ", ".join(kinds), accepts)


def _is_dn(value: Value) -> bool:
    return type(value) is str and _names_an_object(value)


@lru_cache(_REMEMBERED)
def _names_an_object(text: str) -> bool:
    if not _is_text(text, 4096):
        return False
    try:
        parse_dn(text)
    except ValueError:
        return False
    return True


TEXT = Kind("readable text", _is_text)
SWITCH = Kind("$true", lambda value: value is True, "True", ("True",))
MOMENT = Kind("a time with its zone", lambda value: type(value) is datetime and value.tzinfo is not None)
EMPTY = Kind("the empty text", lambda value: type(value) is str and not value, "")
DN = Kind("a distinguished name", _is_dn, "[^=]+=.+")
_GUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
GUID = Kind("a GUID", lambda value: type(value) is UUID, _GUID) | matching("a GUID's text", _GUID, _ANY_CASE)
SID = matching("a SID", r"S-1-[0-9]{1,14}(-[0-9]{1,10}){1,15}")
ACCOUNT_NAME = matching("a sAMAccountName that ends in $", r"[\w.-]{1,19}\$", re.ASCII)
OBJECT = DN | GUID
PRINCIPAL = DN | GUID | SID | ACCOUNT_NAME
_LABELS = r"[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*"
HOST = matching("a host name", rf"(?=.{{1,253}}\Z){_LABELS}\.?", _ANY_CASE)
DIRECTORY_SERVER = HOST | matching("a host name with :3268", rf"(?=.{{1,258}}\Z){_LABELS}:3268", _ANY_CASE)
ATTRIBUTE = matching("an attribute's or property's name", r"[A-Za-z][A-Za-z0-9_-]{0,127}", re.ASCII)
ATTRIBUTES = many(ATTRIBUTE)
SERVICE_PRINCIPAL = matching("a service principal name", r"[^/]{1,256}(/[^/]{1,512}){1,2}")
EXACT_NAME = matching("a name without wildcards", r"[^*?\[\]`]{1,256}")
TASK_FOLDER = matching("a task folder without wildcards", r"\\([^*?\[\]`\\/]{1,240}\\)*")
