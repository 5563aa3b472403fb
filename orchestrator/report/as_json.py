"""A report as JSON: the same bytes as in one piece, written item by item."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.report.shelf import Shelved


def as_json(document: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield a document as JSON in ASCII, one space a level, and a line feed; what is shelved is held item by item."""
    before = b"{\n "
    for name, value in document.items():
        yield before + _text(name, 1) + b": "
        if isinstance(value, Shelved) and len(value):
            yield from _listed(value)
        else:
            yield _text([] if isinstance(value, Shelved) else value, 1)
        before = b",\n "
    yield b"\n}\n"


def _listed(items: Shelved) -> Iterator[bytes]:
    before = b"[\n  "
    for item in items:
        yield before + _text(item, 2)
        before = b",\n  "
    yield b"\n ]"


def _text(value: Any, depth: int) -> bytes:
    """Return a value as it stands so deep; a line feed that is text is written as an escape, and so stays."""
    return json.dumps(value, indent=1).replace("\n", "\n" + " " * depth).encode("ascii")
