"""The word and the shape under which a state is shown. What waits, what is held and what failed never look alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.model.lifecycle import PATH

SHORT = ("plan", "prep", "start", "link", "reg", "rest", "soak", "switch", "done")
"""The forward phases, short enough for a row of them on a small screen."""

Marked = Mapping[str, str]
"""``kind`` names shape and colour, ``word`` is what is read."""


def mark_of(migration: Mapping[str, Any]) -> Marked:
    """Return how a migration of a status document is marked."""
    back = migration["intention"] == "back"
    if migration["failure"] == "failed":
        return _marked("failed", "FAILED")
    if migration["held"]:
        return _marked("held", "HELD")
    if back and migration["phase"] == "rolled_back":
        return _marked("back", "rolled back")
    if migration["waiting"]:
        return _marked("waits", "waits")
    if back:
        return _marked("back", "going back")
    if migration["phase"] == "completed":
        return _marked("done", "completed")
    return _marked("quiet", "planned") if migration["phase"] == "planned" else _marked("moving", "moving")


_WAVES = {
    "pending": "quiet",
    "running": "moving",
    "waiting": "waits",
    "held": "held",
    "done": "done",
    "failed": "failed",
}


def mark_of_wave(state: str) -> Marked:
    """Return how a wave is marked."""
    word = {"held": "HELD", "failed": "FAILED", "waiting": "waits"}.get(state, state)
    return _marked(_WAVES[state], word)


_NEEDS = {"FAILED": "failed", "HELD": "held", "approve": "waits", "rolled back": "back"}


def mark_of_need(mark: str) -> Marked:
    """Return how something is marked that a person is needed for."""
    return _marked(_NEEDS[mark], mark)


_EXITS = {
    0: ("done", "done"),
    4: ("held", "a person is needed"),
    5: ("failed", "ended with failures"),
    7: ("waits", "waits"),
}


def mark_of_exit(code: int | None) -> Marked:
    """Return how a whole run is marked, by what ``run`` would exit with."""
    if code is None:
        return _marked("held", "cannot be told")
    return _marked(*_EXITS.get(code, ("failed", "the safety rule refused something")))


def phases_of(migration: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """Return the forward phases in a row, each with whether it is behind, here or ahead."""
    names = [one.value for one in PATH]
    here = names.index(migration["phase"]) if migration["phase"] in names else -1
    where = ("past" if index < here else "here" if index == here else "ahead" for index in range(len(names)))
    return [{"name": name, "short": short, "where": at} for name, short, at in zip(names, SHORT, where, strict=True)]


def _marked(kind: str, word: str) -> Marked:
    return {"kind": kind, "word": word}
