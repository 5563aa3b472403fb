"""A prediction as text for 80 columns: whom each wave reaches, what each step changes, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from orchestrator.model.directory import ACCOUNT_DISABLED
from orchestrator.model.host import KERBEROS_KEY, KERBEROS_PARENT
from orchestrator.views.verification import WIDTH, wrapped

_KEYS = {KERBEROS_KEY: r"key ...\Kerberos\Parameters", KERBEROS_PARENT: r"key ...\System\Kerberos"}
_KINDS = {"service": "service", "app-pool": "application pool", "task": "task", "computer": "the host itself"}
_OFTEN = {1: "once", 2: "twice"}
_LISTED = frozenset({"nTSecurityDescriptor", "msDS-GroupMSAMembership"})
"""Of these only what comes and what goes is told, not the whole value."""
DAY = 86400


def preview_text(document: Mapping[str, Any]) -> str:
    """Return the document as text for people."""
    return "\n".join(_lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    time = f", estate time {document['estate_time']}" if document["estate_time"] else ""
    yield f"{document['plan']} ({document['digest'][:12]}){time}"
    for wave in document["waves"]:
        yield from ("", f"wave {wave['name']}")
        yield from _radius(wave["radius"])
        for migration in wave["migrations"]:
            yield ""
            yield from _of_migration(migration)
    yield from ("", "Taken for granted:")
    for one in document["given"]:
        yield from wrapped(one, "  ", "    ")
    yield from ("", *wrapped(_end(document), "", ""))


def _radius(radius: Mapping[str, Any]) -> Iterator[str]:
    accounts, hosts = radius["accounts"], radius["hosts"]
    if not accounts:
        yield "  nothing would be changed"
        return
    many = f"{accounts} account{'s' if accounts > 1 else ''}, {len(hosts)} host{'' if len(hosts) == 1 else 's'}"
    restarts = radius["restarts"]
    things = f"{len(restarts)} thing{' restarts' if len(restarts) == 1 else 's restart'}"
    takes = f", each down for {radius['each_at_most']} at most" if restarts else ""
    yield f"  reaches {many}; {things if restarts else 'nothing restarts'}{takes}"
    for host, group in groupby(sorted(restarts, key=lambda one: one["host"].lower()), key=lambda one: one["host"]):
        for one in group:
            often = _OFTEN.get(one["times"], f"{one['times']} times")
            yield from wrapped(f"{host}  {_restarted(one)}, {often}", "    ", " " * 8)


def _restarted(one: Mapping[str, Any]) -> str:
    along = f" (with {', '.join(one['with'])})" if one["with"] else ""
    if one["kind"] == "computer":
        return f"reboots{along or ' (with all that runs there)'}"
    return f"{_KINDS[one['kind']]} {one['name']}{along}"


def _of_migration(one: Mapping[str, Any]) -> Iterator[str]:
    days = f", {one['lasts'] / DAY:,.1f} days" if one["lasts"] is not None else ""
    yield from wrapped(f"{one['dmsa']}  {one['phase']} -> {one['ends']}{days}", "  ", "    ")
    yield from wrapped(one["account"], "  ", "    ")
    yield from _sends(one["sends"], "    ")
    if one["held"]:
        word = "NOT PREDICTED" if one["held"]["unknown"] else "WOULD BE HELD"
        yield from wrapped(f"{word} at {one['ends']}: {one['held']['reason']}", "    ", " " * 6)
        for line in one["held"]["detail"].splitlines():
            yield from wrapped(line, " " * 6, " " * 8)
        yield "      What would follow is not predicted."
    elif one["waiting"]:
        yield from wrapped(f"waits for {one['waiting']['for']}: {one['waiting']['detail']}", "    ", " " * 6)
    elif not one["sends"]:
        yield "    nothing would be changed"
    if one["waits"]:
        yield from wrapped(f"waits on the way for: {', '.join(one['waits'])}", "    ", " " * 6)
    yield from _ways_back(one["ways_back"])


def _sends(sends: Iterable[Mapping[str, Any]], indent: str) -> Iterator[str]:
    for step, group in groupby(sends, key=lambda sent: sent["step"]):
        yield f"{indent}{step}"
        for sent in group:
            where = "" if sent["subject"] == "directory" else f"  {sent['subject']}"
            head = f"{sent['cmdlet']}{where}" if sent["cmdlet"] else f"by itself{where}"
            yield from wrapped(head, f"{indent}  ", f"{indent}    ")
            for change in sent["changes"]:
                yield from wrapped(_change(change), f"{indent}    ", f"{indent}      ")
            for again in sent["restarts"]:
                word = "" if again["kind"] == "computer" else "restarts "
                yield from wrapped(f"{word}{_restarted(again)}", f"{indent}    ", f"{indent}      ")
            if not sent["changes"] and not sent["restarts"]:
                yield f"{indent}    nothing: it is so already by then"


def _change(change: Mapping[str, Any]) -> str:
    object_, name, was, now = (change[key] for key in ("object", "name", "from", "to"))
    if name == "object":
        return f"{object_}: created, {now}"
    if name in _LISTED:
        listed = [*(f"- {one}" for one in was or ()), *(f"+ {one}" for one in now or ())]
        return f"{object_} {name}: {'; '.join(listed)}"
    absent = "absent" if object_.startswith("host ") else "unset"
    what = f"{_KEYS.get(name, name)}" if object_.startswith("host ") else f"{object_} {name}"
    note = ""
    if (
        name == "userAccountControl"
        and isinstance(was, int)
        and isinstance(now, int)
        and (was ^ now) & ACCOUNT_DISABLED
    ):
        note = " (disabled)" if now & ACCOUNT_DISABLED else " (enabled)"
    return f"{what}: {_value(was, absent)} -> {_value(now, absent)}{note}"


def _value(value: Any, absent: str) -> str:
    if value is None or value == []:
        return absent
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


_FROM = {"started": "started or linked", "restarted": "restarted or soaked", "completed": "switched or completed"}
"""From which phases it is the same: between the two nothing is written that a way back has to undo."""


def _ways_back(ways: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what ``rollback`` would do from each phase; phases from which it is the same share a line."""
    for told, group in groupby(ways, key=_back):
        phases = ", ".join(_FROM.get(way["phase"], way["phase"]) for way in group)
        yield from wrapped(f"back from {phases}: {told}", "    ", " " * 6)


def _back(way: Mapping[str, Any]) -> str:
    end = "" if way["ends"] == "rolled_back" else f"; ends at {way['ends']}: {way['why'] or 'it waits'}"
    writes: dict[str, list[str]] = {}
    for sent in way["sends"]:
        if sent["cmdlet"]:
            told = [_back_restart(again) for again in sent["restarts"]] or [_back_write(sent)]
            writes.setdefault(sent["subject"], []).extend(told)
    if not writes:
        return f"nothing has to be changed{end}"
    return (
        "; ".join(
            f"{'' if subject == 'directory' else f'{subject} '}{', '.join(dict.fromkeys(told))}"
            for subject, told in writes.items()
        )
        + end
    )


def _back_restart(again: Mapping[str, Any]) -> str:
    return f"restarts {_restarted(again)}"


def _back_write(sent: Mapping[str, Any]) -> str:
    values = [change for change in sent["changes"] if change["object"].startswith("host ")]
    if values:
        return ", ".join(_change(change) for change in values)
    states = [change for change in sent["changes"] if change["name"] == "msDS-DelegatedMSAState"]
    moves = f" ({states[0]['from']} -> {states[0]['to']})" if states else ""
    return f"{sent['cmdlet']}{moves}"


def _end(document: Mapping[str, Any]) -> str:
    migrations = [one for wave in document["waves"] for one in wave["migrations"]]
    unknown = sum(bool(one["held"] and one["held"]["unknown"]) for one in migrations)
    held = sum(bool(one["held"]) for one in migrations) - unknown
    changes = sum(len(sent["changes"]) for one in migrations for sent in one["sends"])
    told = [f"{changes:,} changes are predicted"]
    told += [f"{held} would be held"] if held else []
    told += [f"{unknown} cannot be predicted, for something could not be read"] if unknown else []
    return f"{'; '.join(told)}. Nothing was changed."


__all__ = ["WIDTH", "preview_text"]
