"""By which rules this program makes a state of rows: an identity of the rules themselves, not of a version's number.

What was written down of a state may be used by the very same rules only. They are the room ``orchestrator/model`` (it
imports nothing of the program but the errors; ``tests/test_architecture.py`` keeps that) and pydantic, which reads and
writes its values. So the identity covers every byte of the one and the version of the other: whatever is changed there,
a field, a type, a fold or only a comment, what was written down before is not used any more. That costs time once, and
nobody has to think of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

import pydantic


@cache
def program() -> str | None:
    """Return the identity of this program's rules; None where its sources are not there to be read."""
    return identity(files("orchestrator.model"))


def identity(room: Traversable) -> str | None:
    """Return the identity of the rules in a folder of sources."""
    try:
        sources = {name: sha256(file.read_bytes()).hexdigest() for name, file in _sources(room, "")}
    except OSError:
        return None
    if not sources:
        return None
    lines = "".join(f"{name} {sources[name]}\n" for name in sorted(sources))
    return sha256(f"pydantic {pydantic.VERSION}\n{lines}".encode()).hexdigest()


def _sources(folder: Traversable, place: str) -> Iterator[tuple[str, Traversable]]:
    for one in folder.iterdir():
        if one.is_dir():
            yield from _sources(one, f"{place}{one.name}/")
        elif one.name.endswith(".py"):
            yield f"{place}{one.name}", one
