"""A journal of one estate told of another that looks alike: objects have other identifiers there.

Facts of a snapshot that are still as they were stand in the other estate as they are shown there; what has changed
since stays as the journal has it, so that a guard that compares finds the same difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestrator.journal import Entry, Row
from orchestrator.preview import Looked
from orchestrator.steps.snapshot import Content

Seen = Mapping[str, Looked]
_SNAPSHOTS = frozenset({"snapshot-taken", "snapshot-repeated"})


def words_of(there: Seen, here: Seen) -> dict[str, str]:
    """Return what the identifiers of one estate's objects are in the other."""
    words: dict[str, str] = {}
    for id_, one in there.items():
        other = here.get(id_)
        for mine, theirs in (
            (one.pair.account, other and other.pair.account),
            (one.pair.dmsa, other and other.pair.dmsa),
        ):
            if mine is not None and theirs:
                words[str(mine.guid)] = str(theirs.guid)
    return words


def told_here(rows: Iterable[Row], run: str, there: Seen, here: Seen) -> Iterator[Entry]:
    """Yield the rows of a journal as the other estate's would have them; other runs' rows come along."""
    words = words_of(there, here)
    for row in rows:
        body = in_words(row.body, words)
        id_ = body.get("migration")
        if row.kind in _SNAPSHOTS and row.run == run and id_ in there and id_ in here:
            body = _snapshot(body, in_words(there[id_].content.canonical, words), here[id_].content)
        yield Entry(row.run, row.at, row.kind, row.version, body)


def in_words(value: Any, words: Mapping[str, str]) -> Any:
    """Return JSON data with these words in place of those."""
    if isinstance(value, str):
        return words.get(value, value)
    if isinstance(value, Mapping):
        return {name: in_words(item, words) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [in_words(item, words) for item in value]
    return value


def _snapshot(body: dict[str, Any], there: dict[str, Any], here: Content) -> dict[str, Any]:
    shown = here.canonical
    told = dict(body)
    for part in ("account", "dmsa", "containers", "hosts"):
        was, now, then = body.get(part), there[part], shown[part]
        if was is not None and now is not None and then is not None:
            told[part] = _as_there(was, now, then)
    return told


def _as_there(was: Mapping[str, Any], now: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    names = dict.fromkeys((*was, *now, *then))
    unchanged = {name: then.get(name) for name in names if was.get(name) == now.get(name)}
    return {name: value for name, value in {**was, **unchanged}.items() if value is not None and name in {*was, *then}}
