r"""Distinguished names, compared as names and not as text.

``CN=svc\2Cerp,DC=corp`` and ``cn=SVC\,erp, dc=CORP`` are one object in two spellings; so accounts are
compared after parsing. Syntax: RFC 4514, section 3, and the spaces around separators that RFC 2253, section 4,
obliges readers to accept. Comparison: attributes by the short names of RFC 4514, section 3, or their OIDs;
values without regard to case and to the number of inner spaces (RFC 4518, sections 2.2, 2.3 and 2.6.1).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TypeAlias

Rdn: TypeAlias = frozenset[tuple[str, str]]
Dn: TypeAlias = tuple[Rdn, ...]
"""Relative names from the leaf to the root, each a set of (attribute, value), folded for comparison."""

_TYPE = re.compile(r" *([A-Za-z][A-Za-z0-9-]*|(?:OID\.)?[0-9]+(?:\.[0-9]+)+) *= *", re.IGNORECASE | re.ASCII)
_HEX = re.compile(r"#((?:[0-9A-Fa-f]{2})+) *")
_PLAIN = re.compile(r'[^\\,+"<>;\x00]+')
_ESCAPED = re.compile(r'\\(?:([ #=,+"<>;\\])|((?:[0-9A-Fa-f]{2})))')
_HEX_RUN = re.compile(r"(?:\\[0-9A-Fa-f]{2})+")
# Nothing escaped, no spaces that do not count, letters that fold alone: nearly every name there is, and quick to read.
_VALUE = "[A-Za-z]+=[A-Za-z0-9._-]+(?: [A-Za-z0-9._-]+)*"
_EVERYDAY = re.compile(f"{_VALUE}(?:,{_VALUE})*")
_SHORT_NAME = {
    "2.5.4.3": "cn",
    "2.5.4.7": "l",
    "2.5.4.8": "st",
    "2.5.4.10": "o",
    "2.5.4.11": "ou",
    "2.5.4.6": "c",
    "2.5.4.9": "street",
    "0.9.2342.19200300.100.1.25": "dc",
    "0.9.2342.19200300.100.1.1": "uid",
}


def parse_dn(text: str) -> Dn:
    """Return the name in a form in which equal names are equal, and may be keys of a dict.

    Raises:
        ValueError: the text is not a distinguished name; says where, and what was expected there.
    """
    if _EVERYDAY.fullmatch(text):
        return tuple([_everyday(rdn) for rdn in text.split(",")])
    return _spelled_out(text)


def _spelled_out(text: str) -> Dn:
    """Read a name of any spelling, character by character."""
    rdns: list[Rdn] = []
    avas: list[tuple[str, str]] = []
    at = 0
    while True:
        name, at = _attribute(text, at)
        value, at = _value(text, at)
        avas.append((name, value))
        separator = text[at : at + 1]
        if separator != "+":
            rdns.append(frozenset(avas))
            avas = []
        if not separator:
            return tuple(rdns)
        if separator not in "+,":
            raise ValueError(f"{separator!r} at character {at + 1} must be escaped with a backslash")
        at += 1


@lru_cache(maxsize=4096)
def _everyday(rdn: str) -> Rdn:
    name, _, value = rdn.lower().partition("=")
    return frozenset(((name, value),))


def same_dn(one: str, other: str) -> bool:
    """Say whether two texts name the same object.

    Raises:
        ValueError: one of them is not a distinguished name.
    """
    return parse_dn(one) == parse_dn(other)


def is_under(name: str, ancestor: str) -> bool:
    """Say whether *name* lies below *ancestor*; nothing lies below itself.

    Raises:
        ValueError: one of them is not a distinguished name.
    """
    below, above = parse_dn(name), parse_dn(ancestor)
    return len(below) > len(above) and below[-len(above) :] == above


def parent_dn(name: str) -> str:
    """Return the name of what contains an object, in the same spelling; empty for a name of one part.

    Raises:
        ValueError: *name* is not a distinguished name.
    """
    at, separator = 0, "+"
    while separator == "+":
        _, at = _attribute(name, at)
        _, at = _value(name, at)
        separator = name[at : at + 1]
        at += 1
    return name[at:].lstrip(" ")


def domain_dn(domain: str) -> str:
    """Return a domain's root: ``corp.example`` is ``DC=corp,DC=example`` (RFC 2247, section 2)."""
    return ",".join(f"DC={label}" for label in domain.rstrip(".").split("."))


def _attribute(text: str, at: int) -> tuple[str, int]:
    match = _TYPE.match(text, at)
    if match is None:
        raise ValueError(f"expected an attribute such as CN= at character {at + 1}")
    name = match[1].lower().removeprefix("oid.")
    return _SHORT_NAME.get(name, name), match.end()


def _value(text: str, at: int) -> tuple[str, int]:
    if text[at : at + 1] == "#":
        match = _HEX.match(text, at)
        if match is None:
            raise ValueError(f"expected pairs of hexadecimal digits after # at character {at + 1}")
        return f"#{match[1].lower()}", match.end()
    # Unescaped spaces at the end do not belong to the value, so a trailing plain piece is stripped.
    pieces: list[str] = []
    while True:
        if match := _PLAIN.match(text, at):
            at = match.end()
            ends = text[at : at + 1] != "\\"
            pieces.append(match[0].rstrip(" ") if ends else match[0])
        elif match := _ESCAPED.match(text, at):
            piece, at = _unescape(text, at, match)
            pieces.append(piece)
        elif text[at : at + 1] == "\\":
            raise ValueError(f"the backslash at character {at + 1} escapes nothing (RFC 4514)")
        else:
            break
    if not pieces or pieces == [""]:
        raise ValueError(f"expected a value at character {at + 1}")
    return _fold("".join(pieces)), at


def _unescape(text: str, at: int, match: re.Match[str]) -> tuple[str, int]:
    if match[1]:
        return match[1], match.end()
    run = _HEX_RUN.match(text, at)
    assert run is not None
    try:
        return bytes.fromhex(run[0].replace("\\", "")).decode(), run.end()
    except UnicodeDecodeError:
        raise ValueError(f"the escaped bytes at character {at + 1} are not UTF-8") from None


def _fold(value: str) -> str:
    return re.sub("  +", " ", unicodedata.normalize("NFKC", value).casefold())
