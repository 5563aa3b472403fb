"""The status document for people: a line per migration, and for everything that waits or is held, why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ENDS = {
    0: "All done.",
    4: "A person is needed: what is held says what for.",
    5: "Ended with failures, or rolled back.",
    7: "Nothing failed; it waits.",
    8: "The safety rule refused something; nothing outside the catalogue was sent.",
}


def summary(document: dict[str, Any], command: str, driver: str | None = None, end: str | None = None) -> str:
    """Return the whole as text for 80 columns.

    Args:
        document: as :func:`orchestrator.views.status.status_document` made it.
        command: the plan (and journal) as a person would give them to the next command.
        driver: who drives now, if anybody does.
        end: the last line, where it is not about what ``run`` would do next.
    """
    return "\n".join((*_lines(document, driver), "", end or _end(document, command)))


def _lines(document: dict[str, Any], driver: str | None) -> Iterator[str]:
    time = f", estate time {document['estate_time']}" if document["estate_time"] else ""
    yield f"{document['plan']} ({document['digest'][:12]}){time}"
    if driver:
        yield f"driven by {driver}"
    width = max(len(migration["dmsa"]) for wave in document["waves"] for migration in wave["migrations"])
    for wave in document["waves"]:
        yield ""
        yield f"wave {wave['name']}: {wave['state']}{_until(wave['waiting'])}"
        for migration in wave["migrations"]:
            yield from _migration(migration, width)


def _migration(migration: dict[str, Any], width: int) -> Iterator[str]:
    again = f" (attempt {migration['attempt']})" if migration["attempt"] > 1 else ""
    back = " on the way back" if migration["intention"] == "back" and migration["phase"] != "rolled_back" else ""
    state = f"{migration['phase']}{back}{again}"
    held, waiting = migration["held"], migration["waiting"]
    mark = "HELD " if held else "waits" if waiting else "     "
    yield f"  {migration['dmsa']:<{width}}  {mark}  {state}{'' if held else _until(waiting)}"
    if held:
        first, *more = held["detail"].splitlines() or [""]
        yield f"    {held['reason']}: {first}"
        yield from (f"      {line}" for line in more)
        yield f"    to go on: {held['release']}"


def _until(waiting: dict[str, Any] | None) -> str:
    if not waiting:
        return ""
    return f", for {waiting['for']}" + (f" until {waiting['until']}" if waiting["until"] else "")


def _end(document: dict[str, Any], command: str) -> str:
    code = document["exit"]
    if code == 0:
        return f"{ENDS[0]} `dmsa rollback {command} --all --yes` would bring everything back."
    if code == 7:
        return f"{ENDS[7]} `dmsa run {command}` goes on when it is due."
    return ENDS.get(code, f"exit {code}")
