"""Keys that nobody defined: what was meant, and what must never be meant.

A key that reads like deletion gets the safety rule's own answer and not "unknown key": its author must learn
that the wish cannot be expressed, not look for the right spelling.
"""

from __future__ import annotations

import difflib
import re
from functools import cache

from orchestrator.planfile.schema import Items, Keys, Shape, plan_shape

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_DELETION_WORDS = {"clean", "del", "drop", "drops", "dropped", "rm"}
_DELETION = re.compile(
    r"delet|remov|purg|destroy|destruct|cleanup|cleanse|eras(?:e|ing|ure)|wip(?:e|ing)|decommission"
    r"|obliterat|discard|dispos(?:e|al)|prune|retir(?:e|ing)|tombston|trash|terminat|annihilat|uninstall|scrub"
)
_LONGEST = 1_000
_LONGEST_COMPARED = 100
_MOST_COMPARED = 100
_SECRET = re.compile(r"pass|pwd|secret|token|credential|key|pin$", re.IGNORECASE)


def asks_for_deletion(key: str) -> bool:
    """Say whether a key or a choice reads like deletion: in one word, in several, or as part of one."""
    words = [word.lower() for word in _WORDS.findall(key[:_LONGEST])]
    return not _DELETION_WORDS.isdisjoint(words) or _DELETION.search("".join(words)) is not None


def names_secret(key: str) -> bool:
    """Say whether the value of an unknown key may be a secret, so that it is not shown."""
    return _SECRET.search(key) is not None


def nearest(text: str, known: tuple[str, ...]) -> str | None:
    """Return the known word that was probably meant; among very many, none."""
    if len(known) > _MOST_COMPARED:
        return None
    wanted = _folded(text[:_LONGEST_COMPARED])
    folded = {_folded(word): word for word in reversed(known)}
    if wanted in folded:
        return folded[wanted]
    close = difflib.get_close_matches(wanted, folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def _folded(text: str) -> str:
    return text.lower().replace("-", "_")


def unknown_key_hint(key: str, known: tuple[str, ...]) -> str:
    """Return what to write instead of an unknown key: the nearest one here, or where this one belongs."""
    close = nearest(key, known)
    if close:
        return f"did you mean {close}?"
    places = _places().get(key)
    if places:
        return f"{key} belongs in {' or '.join(places)}"
    return f"the keys here are {', '.join(known)}"


@cache
def _places() -> dict[str, list[str]]:
    """Return every key of the format with the places where it may stand."""
    places: dict[str, list[str]] = {}
    waiting: list[tuple[str, Shape]] = [("", plan_shape())]
    while waiting:
        path, shape = waiting.pop(0)
        if isinstance(shape, Items):
            waiting.append((f"{path}[]", shape.item))
        elif isinstance(shape, Keys):
            for name, inner in shape.fields.items():
                places.setdefault(name, []).append(path or "the plan itself")
                waiting.append((f"{path}.{name}" if path else name, inner))
    return places
