"""What the status document says of a hold time: since when it counts and why, and who is on the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from orchestrator.model.case import Case
from orchestrator.model.guard_ids import Stage
from orchestrator.model.ledger import dwell_due, flat_due, flat_since
from orchestrator.model.state import Ledger
from orchestrator.views.moment import iso
from orchestrator.views.shape import TIME, closed, list_of, or_null

_TEXT = {"type": "string"}
_MAYBE = {"type": ["boolean", "null"]}


def dwell_of(case: Case) -> dict[str, Any] | None:
    """Return when the dwell began, of which parts that is the latest, and when it is over; None before it begins."""
    if case.state.dwell_started is None:
        return None
    return {
        "started": iso(case.state.dwell_started),
        "due": iso(due_of(case)),
        "parts": {name: iso(at) for name, at in case.state.dwell_parts.items()},
    }


def due_of(case: Case) -> datetime | None:
    """Return when the dwell is over, by the waivers that count; None before it begins."""
    return dwell_due(case, floor_waived=case.waived("dwell-minimum", Stage.COMPLETE))


def ledger_of(case: Case) -> dict[str, Any] | None:
    """Return who may use the dMSA, since when each, and since when nobody new has come; None before it was read."""
    ledger = case.state.ledger
    if ledger.read_at is None and not ledger.present:
        return None
    known = {one.name: one for one in ledger.unknown}
    others = sorted(ledger.present - ledger.hosts_present)
    return {
        "read": iso(ledger.read_at),
        "hosts": [{"name": name, "first_seen": _first(ledger, name)} for name in sorted(ledger.hosts_present)],
        "unknown": [{"name": name, "first_seen": _first(ledger, name), **_known(known.get(name))} for name in others],
        "vanished": sorted(case.state.vanished),
        "flat_since": iso(flat_since(case.state)),
        "flat_due": iso(flat_due(case)),
    }


def _first(ledger: Ledger, name: str) -> str | None:
    return next((iso(at) for one, at in ledger.first_seen.items() if one.lower() == name.lower()), None)


def _known(one: Any) -> dict[str, Any]:
    names = ("os", "os_version", "enabled", "controller", "through")
    return {name: getattr(one, name, None) for name in names} | {"last_log_on": iso(getattr(one, "last_log_on", None))}


def dwell_shape() -> dict[str, Any]:
    """Return the JSON Schema of :func:`dwell_of`."""
    parts = closed(converged=TIME, registry=TIME, allowed=TIME, anew=TIME)
    return or_null(closed(started=TIME, due=TIME, parts=parts))


def ledger_shape() -> dict[str, Any]:
    """Return the JSON Schema of :func:`ledger_of`."""
    text = {"type": ["string", "null"]}
    about = {"os": text, "os_version": text, "last_log_on": TIME, "enabled": _MAYBE, "controller": _MAYBE}
    unknown = closed(name=_TEXT, first_seen=TIME, through=text, **about)
    return or_null(
        closed(
            read=TIME,
            hosts=list_of(closed(name=_TEXT, first_seen=TIME)),
            unknown=list_of(unknown),
            vanished=list_of(_TEXT),
            flat_since=TIME,
            flat_due=TIME,
        )
    )


def dwell_lines(migration: dict[str, Any]) -> Iterator[str]:
    """Yield what people are told of it: of what the dwell counts while it lasts, and always of strangers."""
    dwell, ledger = migration["dwell"], migration["ledger"]
    if dwell and migration["phase"] in {"restarted", "soaked"} and migration["intention"] == "forward":
        parts = dwell["parts"]
        anew = f", anew {parts['anew']}" if parts["anew"] else ""
        yield (
            f"    dwell since {dwell['started']} (pair everywhere {parts['converged']}, values {parts['registry']}, "
            f"hosts allowed {parts['allowed']}{anew}), due {dwell['due']}"
        )
    if ledger is None:
        return
    for one in ledger["unknown"]:
        yield f"    not in the plan, and may use the dMSA: {one['name']} ({_about(one)}), since {one['first_seen']}"


def _about(one: dict[str, Any]) -> str:
    known = [" ".join(filter(None, (one["os"] or "operating system not given", one["os_version"])))]
    known.append(f"last log-on {one['last_log_on']}" if one["last_log_on"] else "no log-on known")
    known += ["disabled"] if one["enabled"] is False else []
    known += ["a domain controller"] if one["controller"] else []
    known += [f"through {one['through']}"] if one["through"] else []
    return ", ".join(known)
