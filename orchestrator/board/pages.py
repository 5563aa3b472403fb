"""Every page of the board, as a pure function of what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.board.courses import ledger_course, wave_course
from orchestrator.board.marks import mark_of, mark_of_exit, mark_of_need, mark_of_wave, phases_of
from orchestrator.board.needs import Need, needed
from orchestrator.board.page import Address, Page, Part
from orchestrator.board.sight import Line, Seen, Sight
from orchestrator.views.approvals import gate_lines
from orchestrator.views.summary import advice, notes
from orchestrator.views.windows import windows


def page_of(address: Address, sight: Sight) -> Page | None:
    """Return a page; None where the board has none at that address."""
    if address.kind == "overview":
        return _overview(sight)
    seen = sight.run(address.plan)
    if seen is None or address.before is not None:
        return None
    if address.kind == "journal":
        return None if address.name else _journal(sight, seen)
    if seen.status is None:
        return _unread(sight, seen) if address.kind == "plan" else None
    return _PAGES[address.kind](sight, seen, address.name)


def history(sight: Sight, seen: Seen, address: Address, rows: Sequence[Line], older: int | None) -> Page:
    """Return the page of rows that lie further back, or are about one migration.

    Args:
        sight: what was seen.
        seen: the run.
        address: of the page.
        rows: the rows, newest first.
        older: before which row the next page begins; None where there is nothing older.
    """
    frame = _frame(seen, "journal", rows=list(rows), older=older, migration=address.name, before=address.before)
    return Page(f"Journal of {seen.name}", "history.html", (_top(sight, seen),), frame)


def _overview(sight: Sight) -> Page:
    runs = [Part(f"run-{index}", "run.html", _run(seen)) for index, seen in enumerate(sight.runs)]
    needs = [(seen, need) for seen in sight.runs for need in _needs(seen)]
    parts = (_top(sight, None), _needs_part(needs), *runs)
    frame = {"plan": "", "section": "overview", "runs": [part.id for part in runs], "journal": sight.journal}
    return Page(_titled("All plans", needs), "overview.html", parts, frame)


def _run(seen: Seen) -> dict[str, Any]:
    status = seen.status or {"exit": None, "estate_time": None, "waves": []}
    waves = [
        {
            "name": wave["name"],
            "mark": mark_of_wave(wave["state"]),
            "waiting": wave["waiting"],
            "marks": _counted(wave["migrations"]),
        }
        for wave in status["waves"]
    ]
    return {
        "plan": seen.name,
        "about": _about(seen),
        "mark": mark_of_exit(status["exit"]),
        "unread": seen.unread if seen.status is None else None,
        "note": seen.note,
        "estate_time": status["estate_time"],
        "waves": waves,
    }


def _counted(migrations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each mark that a migration has, and how many have it, in the order in which they first occur."""
    found: dict[str, dict[str, Any]] = {}
    for one in migrations:
        mark = mark_of(one)
        found.setdefault(mark["word"], {"mark": mark, "count": 0})["count"] += 1
    return list(found.values())


def _plan(sight: Sight, seen: Seen, _name: str) -> Page:
    needs = [(seen, need) for need in _needs(seen)]
    waves = [_wave_parts(seen, index) for index in range(len(_waves(seen)))]
    drawn = Part("timeline", "timeline.html", {"waves": [wave_course(wave, seen.times) for wave in _waves(seen)]})
    parts = [
        _top(sight, seen),
        _needs_part(needs),
        _about_part(seen),
        drawn,
        *(part for wave in waves for part in wave),
    ]
    frame = _frame(seen, "plan", waves=[[part.id for part in wave] for wave in waves])
    return Page(_titled(seen.name, needs), "plan.html", tuple(parts), frame)


def _wave(sight: Sight, seen: Seen, name: str) -> Page | None:
    index = next((index for index, wave in enumerate(_waves(seen)) if wave["name"] == name), None)
    if index is None:
        return None
    needs = [(seen, need) for need in _needs(seen) if need.wave == name]
    parts = _wave_parts(seen, index)
    frame = _frame(seen, "wave", name=name, waves=[[part.id for part in parts]])
    return Page(
        _titled(f"Wave {name} of {seen.name}", needs),
        "wave.html",
        (_top(sight, seen), _needs_part(needs), *parts),
        frame,
    )


def _wave_parts(seen: Seen, index: int) -> list[Part]:
    wave = _waves(seen)[index]
    head = {
        "plan": seen.name,
        "name": wave["name"],
        "mark": mark_of_wave(wave["state"]),
        "waiting": wave["waiting"],
        "windows": [line.strip() for line in windows(wave["windows"] if wave["state"] != "done" else None)],
        "approvals": [[_typed(line, seen) for line in gate_lines(one)] for one in wave["approvals"]],
        "marks": _counted(wave["migrations"]),
    }
    rows = [
        Part(f"m-{index}-{place}", "migration_row.html", _migration_row(seen, one))
        for place, one in enumerate(wave["migrations"])
    ]
    return [Part(f"wave-{index}", "wave_head.html", head), *rows]


def _migration_row(seen: Seen, migration: Mapping[str, Any]) -> dict[str, Any]:
    held = migration["held"]
    return {
        "plan": seen.name,
        "dmsa": migration["dmsa"],
        "account": migration["account"],
        "phase": migration["phase"],
        "attempt": migration["attempt"],
        "back": migration["intention"] == "back",
        "mark": mark_of(migration),
        "phases": phases_of(migration),
        "waiting": migration["waiting"],
        "reason": held["reason"] if held else None,
    }


def _migration(sight: Sight, seen: Seen, name: str) -> Page | None:
    found = next(((wave, one) for wave in _waves(seen) for one in wave["migrations"] if one["dmsa"] == name), None)
    if found is None:
        return None
    wave, migration = found
    needs = [(seen, need) for need in _needs(seen) if name in need.names]
    row = _migration_row(seen, migration) | {"wave": wave["name"]}
    more = {"plan": seen.name, "notes": list(notes(dict(migration), seen.command)), "compared": migration["compared"]}
    recent = list(reversed(seen.recent.get(name, ())))
    parts = (
        _top(sight, seen),
        Part("state", "migration_head.html", row),
        _needs_part(needs),
        Part("notes", "notes.html", more),
        Part("hosts", "migration_hosts.html", {"plan": seen.name, "hosts": migration["hosts"]}),
        Part("ledger", "ledger.html", _ledger(seen, migration)),
        Part("recent", "recent.html", {"plan": seen.name, "dmsa": name, "rows": recent}),
    )
    return Page(_titled(f"{name} of {seen.name}", needs), "migration.html", parts, _frame(seen, "migration", name=name))


def _ledger(seen: Seen, migration: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "plan": seen.name,
        "dmsa": migration["dmsa"],
        "dwell": migration["dwell"],
        "ledger": migration["ledger"],
        "course": ledger_course(migration),
        "mark": mark_of(migration),
    }


def _ledgers(sight: Sight, seen: Seen, _name: str) -> Page:
    every = [one for wave in _waves(seen) for one in wave["migrations"]]
    parts = [Part(f"l-{index}", "ledger.html", _ledger(seen, one)) for index, one in enumerate(every)]
    frame = _frame(seen, "ledger", ledgers=[part.id for part in parts])
    return Page(f"Ledger of {seen.name}", "ledgers.html", (_top(sight, seen), *parts), frame)


def _hosts(sight: Sight, seen: Seen, _name: str) -> Page:
    parts = [
        Part(f"h-{index}", "host_row.html", {"plan": seen.name, "host": name, "uses": uses})
        for index, (name, uses) in enumerate(_by_host(seen).items())
    ]
    frame = _frame(seen, "hosts", hosts=[part.id for part in parts])
    return Page(f"Hosts of {seen.name}", "hosts.html", (_top(sight, seen), *parts), frame)


def _host(sight: Sight, seen: Seen, name: str) -> Page | None:
    uses = _by_host(seen).get(name)
    if uses is None:
        return None
    parts = (_top(sight, seen), Part("host", "host_head.html", {"plan": seen.name, "host": name, "uses": uses}))
    return Page(f"{name} of {seen.name}", "host.html", parts, _frame(seen, "host", name=name))


def _by_host(seen: Seen) -> dict[str, list[dict[str, Any]]]:
    """Return each host, and what every migration of the plan has there."""
    found: dict[str, list[dict[str, Any]]] = {}
    for wave in _waves(seen):
        for migration in wave["migrations"]:
            mark = mark_of(migration)
            for host in migration["hosts"]:
                use = {**host, "dmsa": migration["dmsa"], "phase": migration["phase"], "mark": mark}
                found.setdefault(host["name"], []).append(use)
    return dict(sorted(found.items()))


def _journal(sight: Sight, seen: Seen) -> Page:
    newest = tuple(reversed(seen.rows))
    before = newest[-1]["seq"] if newest else None
    parts = (_top(sight, seen), Part("older", "older.html", {"plan": seen.name, "before": before}))
    return Page(f"Journal of {seen.name}", "journal.html", parts, _frame(seen, "journal"), newest)


def _unread(sight: Sight, seen: Seen) -> Page:
    return Page(seen.name, "unread.html", (_top(sight, seen),), _frame(seen, "plan", unread=seen.unread))


# What several pages show.


def _frame(seen: Seen, section: str, **more: Any) -> dict[str, Any]:
    return {"plan": seen.name, "section": section, **more}


def _top(sight: Sight, seen: Seen | None) -> Part:
    time = seen.status["estate_time"] if seen and seen.status else None
    note = seen.note if seen else None
    return Part("now", "now.html", {"driver": sight.driver, "time": time, "trouble": sight.trouble, "note": note})


def _needs(seen: Seen) -> tuple[Need, ...]:
    return needed(seen.status, seen.command) if seen.status else ()


def _needs_part(needs: Sequence[tuple[Seen, Need]]) -> Part:
    told = [{**asdict(need), "plan": seen.name, "mark": mark_of_need(need.mark)} for seen, need in needs]
    return Part("needs", "needs.html", {"needs": told})


def _titled(title: str, needs: Sequence[object]) -> str:
    return f"({len(needs)}) {title}" if needs else title


def _about(seen: Seen) -> list[tuple[str, str]]:
    plan = seen.plan
    known = (("Change", plan.change), ("Owner", plan.owner)) if plan else ()
    return [(name, value) for name, value in known if value]


def _about_part(seen: Seen) -> Part:
    status = seen.status or {}
    about = [*_about(seen), ("Digest", str(status["digest"])[:12])]
    data = {
        "about": about,
        "description": seen.plan.description if seen.plan else "",
        "mark": mark_of_exit(status["exit"]),
    }
    return Part("about", "about.html", data)


def _typed(line: str, seen: Seen) -> str:
    line = advice(line.strip(), seen.command)
    return f"`{line}`" if line.startswith("dmsa ") else line


def _waves(seen: Seen) -> list[Mapping[str, Any]]:
    return list(seen.status["waves"]) if seen.status else []


_PAGES: Mapping[str, Callable[[Sight, Seen, str], Page | None]] = {
    "plan": _plan,
    "wave": _wave,
    "migration": _migration,
    "ledger": _ledgers,
    "hosts": _hosts,
    "host": _host,
}


def every_address(sight: Sight) -> Iterator[Address]:
    """Yield the address of every page that there is now, but for those that lie further back in a journal."""
    yield Address()
    for seen in sight.runs:
        kinds = ("plan", "ledger", "hosts", "journal") if seen.status else ("plan", "journal")
        yield from (Address(kind, seen.name) for kind in kinds)
        for wave in _waves(seen):
            yield Address("wave", seen.name, wave["name"])
            yield from (Address("migration", seen.name, one["dmsa"]) for one in wave["migrations"])
        yield from (Address("host", seen.name, name) for name in _by_host(seen))
