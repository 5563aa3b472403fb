"""The hash chain: each row's hash covers the row and the hash before it.

So no row can be changed, removed, inserted or moved without changing every hash after it; who knows the last hash
(a mirror, a report, a certificate) knows the whole history. Pure functions, the same for every store.

What is hashed is ``<hash of the row before> LF <canonical JSON of the row>``, in UTF-8; canonical JSON is RFC 8785. A
body is kept as its canonical text and hashed as kept: a flipped bit in the file cannot hide behind parsing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from json.encoder import encode_basestring
from typing import Any, NamedTuple

import rfc8785

from orchestrator.journal.errors import JournalCorrupt
from orchestrator.journal.protocol import Entry, Row

GENESIS = sha256(b"dmsa journal 1").hexdigest()
"""Stands where the first row's predecessor would have its hash."""


_EXACT = 2**53
_SURROGATE = re.compile("[\ud800-\udfff]")
_PLAIN = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


class Record(NamedTuple):
    """A row as a store keeps it: nothing but text and numbers, in the order of the store's columns."""

    seq: int
    run: str
    at: str | None
    kind: str
    version: int
    body: str
    epoch: int | None
    hash: str


def canonical(value: Any) -> str:
    """Return *value* as canonical JSON (RFC 8785).

    Raises:
        ValueError: it is not JSON data.
    """
    return _PLAIN.encode(value) if _is_plain(value) else rfc8785.dumps(value).decode()


def _is_plain(value: Any) -> bool:
    """Say whether the standard library writes a value just as RFC 8785 does, and many times faster.

    The two agree on escapes (section 3.2.2.2), on exact integers, and on the order of ASCII names (section 3.2.3). Not
    on floats, on larger integers, on names that differ in UTF-16, and on what is no JSON data.
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        kind = type(one)
        if kind is str:
            if not one.isascii() and _SURROGATE.search(one):
                return False
        elif kind is dict:
            if not all(type(name) is str and name.isascii() for name in one):
                return False
            waiting += one.values()
        elif kind is list or kind is tuple:
            waiting += one
        elif kind is int:
            if not -_EXACT < one < _EXACT:
                return False
        elif kind is not bool and one is not None:
            return False
    return True


def _quoted(text: str) -> str:
    """Return a text as canonical JSON; what is not one, in a damaged file, as whatever JSON it is."""
    return encode_basestring(text) if type(text) is str and text.isascii() else canonical(text)


def stamp(at: datetime | None) -> str | None:
    """Return a time as rows keep it: ISO 8601, UTC, with ``Z``."""
    return None if at is None else at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def bodies(entries: Iterable[Entry]) -> list[str]:
    """Return the canonical text of each entry's body; done before a store is touched, for it may raise ValueError."""
    return [canonical(entry.body) for entry in entries]


def link(previous: str, record: Record) -> str:
    """Return the hash that *record* must have after a row whose hash is *previous*."""
    # The canonical form of the whole row, spliced: keys in order, and the body is canonical already.
    at = "null" if record.at is None else _quoted(record.at)
    epoch = "null" if record.epoch is None else record.epoch
    row = (
        f'{{"at":{at},"body":{record.body},"epoch":{epoch},"kind":{_quoted(record.kind)},'
        f'"run":{_quoted(record.run)},"seq":{record.seq},"version":{record.version}}}'
    )
    return sha256(f"{previous}\n{row}".encode()).hexdigest()


def extend(
    previous: str, head: int, entries: Iterable[Entry], texts: Iterable[str], epoch: int | None
) -> Iterator[Record]:
    """Yield the records of *entries*, chained on to row *head* with hash *previous*."""
    for seq, (entry, body) in enumerate(zip(entries, texts, strict=True), start=head + 1):
        bare = Record(seq, entry.run, stamp(entry.at), entry.kind, entry.version, body, epoch, "")
        previous = link(previous, bare)
        yield bare._replace(hash=previous)


def _whole(digits: str) -> int | float:
    # RFC 8785 writes numbers as ECMAScript does: a large float comes without a point, a large int not at all.
    number = int(digits)
    return number if abs(number) < _EXACT else float(digits)


DECODER = json.JSONDecoder(parse_int=_whole)
"""Reads what :func:`canonical` writes, numbers included."""


def checked(previous: str | None, record: Record) -> Row:
    """Return the row of *record*, if it is what was once appended after a row whose hash is *previous*.

    Raises:
        JournalCorrupt: it is not, or (*previous* is None) the row before it is missing.
    """
    if previous is None:
        raise JournalCorrupt(record.seq - 1, "the row is missing")
    try:
        if link(previous, record) != record.hash:
            raise JournalCorrupt(record.seq, "its hash does not fit its content and the row before it")
        at = None if record.at is None else datetime.fromisoformat(record.at)
        body: dict[str, Any] = DECODER.decode(record.body)
    except (ValueError, TypeError, AttributeError) as error:
        raise JournalCorrupt(record.seq, f"it cannot be read ({error})") from error
    return Row(record.run, at, record.kind, record.version, body, record.seq, record.epoch, record.hash)
