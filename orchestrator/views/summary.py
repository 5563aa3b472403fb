"""The status document for people: a line per migration, and for everything that waits or is held, why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from orchestrator.views.approvals import gate_lines, waiver_lines
from orchestrator.views.dwelling import dwell_lines
from orchestrator.views.marks import MARK_WIDTH, mark
from orchestrator.views.windows import windows

WIDTH = 80
"""How long a row of a migration or a wave is at most, whatever it waits for."""
_PLAN = re.compile(r"\bPLAN\b")

ENDS = {
    0: "All done. `dmsa rollback {plan} --all --yes` would bring everything back.",
    4: "A person is needed: what is held says what for. Then `dmsa run {plan}` goes on.",
    7: "Nothing failed; it waits. `dmsa run {plan}` goes on when it is due.",
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
    return "\n".join((*_lines(document, command, driver), "", end or _end(document, command)))


def advice(release: str, command: str) -> str:
    """Return how a held migration goes on. Holds call the plan PLAN, for the journal does not know its file."""
    return _PLAN.sub(lambda _: command, release)


def _lines(document: dict[str, Any], command: str, driver: str | None) -> Iterator[str]:
    time = f", estate time {document['estate_time']}" if document["estate_time"] else ""
    yield f"{document['plan']} ({document['digest'][:12]}){time}"
    if driver:
        yield f"driven by {driver}"
    width = max(len(migration["dmsa"]) for migration in _migrations(document))
    for wave in document["waves"]:
        yield ""
        yield from _with_wait(f"wave {wave['name']}: {wave['state']}", until(wave["waiting"]), "  ")
        yield from windows(wave.get("windows") if wave["state"] != "done" else None)
        yield from (f"  {advice(line, command)}" for one in _asked(wave) for line in gate_lines(one))
        told = {""}
        yield from _why(wave["waiting"], told, "  ")
        for migration in wave["migrations"]:
            yield from _migration(migration, width, command, told)
    yield from _silent(document["receivers"])


def _silent(receivers: list[dict[str, Any]]) -> Iterator[str]:
    """Yield who is to be told what happens and does not take it; the waves go on all the same."""
    silent = [one for one in receivers if one["silent"]]
    if silent:
        yield ""
    for one in silent:
        said = one["silent"]
        yield f"receiver {one['receiver']} has taken no notice since {said['since'] or '-'} ({one['unsent']} unsent)"
        yield f"    {said['why']}"


def _migrations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [migration for wave in document["waves"] for migration in wave["migrations"]]


def _why(waiting: dict[str, Any] | None, told: set[str], margin: str) -> Iterator[str]:
    """Say why something waits, where the same was not said above it in the wave."""
    why = waiting.get("detail", "") if waiting else ""
    if why not in told:
        told.add(why)
        yield from (f"{margin}{line}" for line in why.splitlines())


def _migration(migration: dict[str, Any], width: int, command: str, told: set[str]) -> Iterator[str]:
    again = f" (attempt {migration['attempt']})" if migration["attempt"] > 1 else ""
    back = " on the way back" if migration["intention"] == "back" and migration["phase"] != "rolled_back" else ""
    held, waiting = migration["held"], migration["waiting"]
    failed = migration.get("failure") == "failed"
    state = f"{migration['phase']}{back}{again}{', held' if held and failed else ''}"
    marked = mark(held=bool(held), failed=failed, waits=bool(waiting))
    row = f"  {migration['dmsa']:<{width}}  {marked:<{MARK_WIDTH}} {state}"
    yield from _with_wait(row, "" if held else until(waiting), "    ")
    if not held:
        yield from _why(waiting, told, "    ")
    yield from (f"    {line}" for line in notes(migration, command))
    if held:
        lines = held["detail"].splitlines()
        if len(lines) == 1:
            yield f"    {held['reason']}{_by(held)}: {lines[0]}"
        else:
            yield f"    {held['reason']}:"
            yield from (f"      {line}" for line in lines)
        yield f"    to go on: {advice(held['release'], command)}"


def notes(migration: dict[str, Any], command: str) -> Iterator[str]:
    """Yield what else people should know of a migration, whether it waits or is held or neither."""
    yield from (line.strip() for line in dwell_lines(migration))
    if migration["adopted"]:
        yield "adopted: its snapshot was taken late; a way back restores what was found then"
    yield from (advice(line, command) for one in _wanted(migration) for line in waiver_lines(one))
    yield from _by_others(migration)
    yield from (_lost(host) for host in migration["hosts"] if host["lost"])
    unasked = [host["name"] for host in migration["hosts"] if host["discovered"] is False]
    if unasked:
        yield f"not asked yet: what runs under the account on {', '.join(unasked)}"
    for host in migration["hosts"]:
        if host["kept_for"]:
            yield f"kept: DelegatedMSAEnabled at {host['name']}, for {', '.join(host['kept_for'])}"


def _with_wait(row: str, wait: str, margin: str) -> Iterator[str]:
    """Yield a row with what is waited for behind it, or below it where that would be too long."""
    if len(row) + len(wait) <= WIDTH:
        yield row + wait
    else:
        yield from (row, f"{margin}{wait.removeprefix(', ')}")


def _asked(wave: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the gates that somebody waits at now, or that somebody has approved, or had: others are not due yet."""
    waits = {one["waiting"]["for"] for one in wave["migrations"] if one["waiting"]}
    return [one for one in wave["approvals"] if one["given"] or one["withdrawn"] or f"approval:{one['gate']}" in waits]


def _wanted(migration: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the waivers that people have still to approve; which others there are stands in the plan."""
    return [one for one in migration["waivers"] if not one["counts"] and migration["phase"] != "completed"]


def _by(held: dict[str, Any]) -> str:
    return f" ({held['by']})" if held["by"] else ""


def _by_others(migration: dict[str, Any]) -> Iterator[str]:
    """Say what a way back found changed that nothing here touches: its owner should know."""
    found = (migration["compared"] or {}).get("foreign", [])
    if found:
        yield f"changed by others since the snapshot: {'; '.join(found)}"


_LEFT = {"pending": "untouched", "set": "left at 1", "was-set": "left as it was", "kept": "left at 1"}


def _lost(host: dict[str, Any]) -> str:
    lost = host["lost"]
    value = f"DelegatedMSAEnabled was {lost['before'] or 'absent'}, {_LEFT.get(lost['left'], lost['left'])}"
    seen = ", ".join(f"{one['name']} {one['state']}" for one in host["workloads"])
    return f"lost: {host['name']} (says {lost['by']}: {lost['reason']}); {value}" + (
        f"; last seen {seen}" if seen else ""
    )


def until(waiting: dict[str, Any] | None) -> str:
    """Return what is waited for, and until when, as the end of a line; nothing where nothing is."""
    if not waiting:
        return ""
    return f", for {waiting['for']}" + (f" until {waiting['until']}" if waiting["until"] else "")


def anew(name: str, command: str) -> str:
    """Return what is typed to let a migration that was rolled back begin anew, each command between backticks."""
    return f"`dmsa release {command} --only {name} --forward --reason TEXT`, then `dmsa run {command}`"


def _end(document: dict[str, Any], command: str) -> str:
    migrations = _migrations(document)
    back = [one["dmsa"] for one in migrations if one["phase"] == "rolled_back"]
    if document["exit"] == 5:
        down = [f"{one['name']} on {one['host']}" for m in migrations if m["held"] for one in m["held"]["down"]]
        if down:
            return (
                f"Going back has FAILED: down, and not to be started, is {', '.join(down)}. Mend it, release what is "
                f"held, then `dmsa run {command}` goes on."
            )
        name = back[0] if len(back) == 1 else "NAME"
        return f"Rolled back: {len(back)} of {len(migrations)}. To begin anew: {anew(name, command)}."
    if document["exit"] == 7 and all(one["phase"] == "planned" for one in migrations):
        return f"Nothing was changed yet. `dmsa run {command}` begins."
    return ENDS[document["exit"]].format(plan=command)
