"""The one message there is: three words, ``[site, migration, step]``, as the arguments of the task ``dmsa.ring``.

It is a message of Celery's protocol 2 (Celery, "Message Protocol"), in JSON: what is not, is turned away before Celery
looks at it, and so is whatever would make Celery do something else: run at a later time, call back, unpack.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

RING = "dmsa.ring"
"""The name of the task. It is part of the contract between releases: runners of two releases hear each other."""
KEPT_FOR = 15
"""Seconds that the broker keeps a ring that nobody hears. Whoever rang, rings again; so what waits stays few."""
LARGEST = 4096
"""Octets. Three words of 300 letters each, written as escapes, and what Celery adds, fit."""
_LONGEST_WORD = 300
_SET_BY_OTHERS = ("eta", "expires", "group", "compression")
_CALLED_BACK = ("callbacks", "errbacks", "chain", "chord")


def queue_of(site: str) -> str:
    """Return the name of a site's queue."""
    return f"dmsa.{site}"


def why_turned_away(headers: object, content_type: object, content_encoding: object, body: object) -> str | None:
    """Return why a message is none of ours, in a few words that quote nothing of it; None for a ring."""
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    if not isinstance(raw, bytes | bytearray | memoryview) or len(raw) > LARGEST:
        return "it is too large"
    if (content_type, str(content_encoding).lower()) != ("application/json", "utf-8"):
        return "it is not JSON"
    if not isinstance(headers, Mapping) or headers.get("task") != RING or not isinstance(headers.get("id"), str):
        return "it is for another task"
    if any(headers.get(name) is not None for name in _SET_BY_OTHERS):
        return "it asks for more than to be heard"
    return _why_not_three_words(bytes(raw))


def _why_not_three_words(raw: bytes) -> str | None:
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError):
        return "it is not JSON"
    if not isinstance(said, list) or len(said) != 3:
        return "it has another form"
    words, keywords, embedded = said
    if keywords != {} or not isinstance(embedded, dict):
        return "it has another form"
    if any(embedded.get(name) for name in _CALLED_BACK):
        return "it asks for more than to be heard"
    return None if are_three_words(words) else "it is not three words"


def are_three_words(words: Any) -> bool:
    """Whether these are a site, a migration and a step."""
    return (
        isinstance(words, list)
        and len(words) == 3
        and all(isinstance(word, str) and 0 < len(word) <= _LONGEST_WORD for word in words)
    )
