"""A prediction as a document, which is also the form in which it is kept, and read again to be held against a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.errors import PRECEDENCE, Exit
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.plan import Plan
from orchestrator.model.written import write_duration
from orchestrator.preview import Change, Ending, Obstacle, Prediction, Restart, Sent, WayBack
from orchestrator.views.status import iso


def preview_document(plan: Plan, digest: str, found: Prediction) -> dict[str, Any]:
    """Return a prediction as JSON data; its shape is in :mod:`orchestrator.views.preview_schema`."""
    codes = {_exit(ending) for ending in found.endings.values()}
    return {
        "plan": plan.name,
        "digest": digest,
        "exit": int(next((code for code in PRECEDENCE if code in codes), Exit.DONE)),
        "estate_time": iso(found.began),
        "journal_rows": found.head,
        "given": list(found.given),
        "waves": [
            {
                "name": wave.name,
                "radius": _radius(plan, [one.id for one in wave.migrations if one.id in found.endings], found),
                "migrations": [_migration(plan, one.id, found) for one in wave.migrations if one.id in found.endings],
            }
            for wave in plan.waves
            if any(one.id in found.endings for one in wave.migrations)
        ],
    }


def _exit(ending: Ending) -> Exit:
    if ending.obstacle is not None:
        return Exit.HELD
    return Exit.WAITING if ending.waiting is not None else Exit.DONE


def _radius(plan: Plan, ids: Sequence[str], found: Prediction) -> dict[str, Any]:
    """Return whom a wave reaches: accounts, hosts, and what goes down there, how often and for how long at most."""
    sends = [sent for id_ in ids for sent in found.of(id_)]
    times: dict[tuple[str, str, str], int] = {}
    along: dict[tuple[str, str, str], set[str]] = {}
    for one in (restart for sent in sends for restart in sent.restarts):
        key = (one.host, one.kind, one.name)
        times[key] = times.get(key, 0) + 1
        along.setdefault(key, set()).update(one.along)
    takes = max((plan.policy_of(id_).restart_takes for id_ in ids), default=None)
    touched = {sent.subject for sent in sends if sent.cmdlet and sent.subject != "directory"}
    return {
        "accounts": sum(bool(found.of(id_)) for id_ in ids),
        "hosts": sorted(touched, key=str.lower),
        "restarts": [
            {"host": host, "kind": kind, "name": name, "with": sorted(along[host, kind, name]), "times": count}
            for (host, kind, name), count in times.items()
        ],
        "each_at_most": write_duration(takes) if takes is not None else None,
    }


def _migration(plan: Plan, id_: str, found: Prediction) -> dict[str, Any]:
    ending = found.endings[id_]
    obstacle, lasts = ending.obstacle, ending.lasts
    return {
        "account": plan.migration(id_).account,
        "dmsa": id_,
        "phase": found.phases[id_].value,
        "ends": ending.phase.value,
        "held": {"reason": obstacle.reason, "detail": obstacle.detail, "unknown": obstacle.unknown}
        if obstacle
        else None,
        "waiting": dict(zip(("for", "detail"), ending.waiting, strict=True)) if ending.waiting else None,
        "waits": list(ending.waits),
        "lasts": int(lasts.total_seconds()) if lasts is not None else None,
        "sends": [_sent(one) for one in found.of(id_)],
        "ways_back": [
            {
                "phase": way.phase.value,
                "ends": way.ends.value,
                "why": way.why,
                "sends": [_sent(one) for one in way.sends],
            }
            for way in found.ways_back.get(id_, ())
        ],
    }


def _sent(one: Sent) -> dict[str, Any]:
    return {
        "step": one.step.value,
        "subject": one.subject,
        "cmdlet": one.cmdlet or None,
        "parameters": dict(one.parameters),
        "changes": [
            {"object": change.object, "name": change.name, "from": change.before, "to": change.after}
            for change in one.changes
        ],
        "restarts": [
            {"host": again.host, "kind": again.kind, "name": again.name, "with": list(again.along)}
            for again in one.restarts
        ],
    }


# Read again.


class NoPreview(ValueError):
    """A document is none of a preview."""


def kept_preview(document: Mapping[str, Any]) -> Prediction:
    """Return the prediction that a document holds.

    Raises:
        NoPreview: it holds none.
    """
    try:
        migrations = [one for wave in document["waves"] for one in wave["migrations"]]
        at = document["estate_time"]
        return Prediction(
            began=datetime.fromisoformat(at) if at else None,
            head=int(document["journal_rows"]),
            phases={one["dmsa"]: Phase(one["phase"]) for one in migrations},
            sends=tuple(sent for one in migrations for sent in _sends(one["dmsa"], one["sends"])),
            endings={one["dmsa"]: _ending(one) for one in migrations},
            ways_back={one["dmsa"]: tuple(_way(one["dmsa"], way) for way in one["ways_back"]) for one in migrations},
            given=tuple(document["given"]),
        )
    except (KeyError, TypeError, ValueError) as strange:
        raise NoPreview(f"{type(strange).__name__}: {strange}") from strange


def _ending(one: Mapping[str, Any]) -> Ending:
    held, waiting = one["held"], one["waiting"]
    obstacle = Obstacle(held["reason"], held["detail"], held["unknown"]) if held else None
    return Ending(Phase(one["ends"]), obstacle, (waiting["for"], waiting["detail"]) if waiting else None)


def _way(id_: str, way: Mapping[str, Any]) -> WayBack:
    return WayBack(Phase(way["phase"]), tuple(_sends(id_, way["sends"])), Phase(way["ends"]), way["why"])


def _sends(id_: str, sends: Iterable[Mapping[str, Any]]) -> Iterable[Sent]:
    for one in sends:
        yield Sent(
            migration=id_,
            step=Trigger(one["step"]),
            subject=one["subject"],
            cmdlet=one["cmdlet"] or "",
            parameters=one["parameters"],
            changes=tuple(Change(two["object"], two["name"], two["from"], two["to"]) for two in one["changes"]),
            restarts=tuple(
                Restart(two["host"], two["kind"], two["name"], tuple(two["with"])) for two in one["restarts"]
            ),
        )
