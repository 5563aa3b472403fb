"""Who is there of a cluster, what waits for whom, and what to do where somebody is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestrator.errors import Exit
from orchestrator.journal.jobs import Present
from orchestrator.journal.protocol import Lease
from orchestrator.model.sites import DIRECTORY
from orchestrator.remote.engine import SiteHealth
from orchestrator.views.shape import COUNT, DIALECT, TEXT, TIME, closed, list_of, or_null


@dataclass(frozen=True)
class Found:
    """What was found. ``hosts``: how many each site has. ``health`` is None where the broker was not asked, or did not
    answer; then ``unheard`` says why, if it was asked."""

    plan: str
    typed: str
    hosts: Mapping[str, int]
    present: Sequence[Present]
    oldest: Mapping[str, datetime]
    driver: Lease | None
    health: Mapping[str, SiteHealth] | None = None
    unheard: str | None = None


def cluster_document(found: Found) -> dict[str, Any]:
    """Return what ``cluster status --json`` prints."""
    sites = [_site(found, site) for site in found.hosts]
    todo = [*_todo(found), *(line for site in sites for line in site.pop("todo"))]
    return {
        "plan": found.plan,
        "exit": int(Exit.HELD if todo else Exit.DONE),
        "driver": None if found.driver is None else {"holder": found.driver.holder, "since": _time(found.driver.since)},
        "standing_by": [_runner(one) for one in found.present if one.site == DIRECTORY],
        "sites": sites,
        "todo": todo,
    }


def cluster_text(document: Mapping[str, Any]) -> str:
    """Return the document for people."""
    driver = document["driver"]
    lines = [f"{document['plan']}: {driver['holder'] if driver else 'nobody'} drives."]
    lines += [f"  of the directory  {_runner_text(one)}" for one in document["standing_by"]]
    for site in document["sites"]:
        waits = "" if site["waiting"] is None else f", {site['listening']} listen, {site['waiting']} rings wait"
        oldest = "" if site["oldest"] is None else f", calls nobody has claimed since {site['oldest']}"
        lines.append(f"{site['site']}: {site['hosts']} hosts, {len(site['runners'])} runners{waits}{oldest}")
        lines += [f"  {_runner_text(one)}" for one in site["runners"]]
    return "\n".join([*lines, *(f"-> {line}" for line in document["todo"])])


def cluster_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document."""
    runner = closed(runner=TEXT, version=TEXT, since=TIME, seen=TIME)
    site = closed(
        site=TEXT,
        hosts=COUNT,
        runners=list_of(runner),
        listening=or_null(COUNT),
        waiting=or_null(COUNT),
        oldest=TIME,
    )
    document = closed(
        plan=TEXT,
        exit={"enum": [0, 4]},
        driver=or_null(closed(holder=TEXT, since=TIME)),
        standing_by=list_of(runner),
        sites=list_of(site),
        todo=list_of(TEXT),
    )
    return {"$schema": DIALECT, "title": "dmsa cluster status", **document}


def _site(found: Found, site: str) -> dict[str, Any]:
    runners = [_runner(one) for one in found.present if one.site == site]
    health = None if found.health is None else found.health.get(site)
    return {
        "site": site,
        "hosts": found.hosts[site],
        "runners": runners,
        "listening": None if health is None else health.listening,
        "waiting": None if health is None else health.waiting,
        "oldest": _time(found.oldest.get(site)),
        "todo": _todo_at(found, site, len(runners), health),
    }


def _todo(found: Found) -> list[str]:
    todo = []
    if found.unheard is not None:
        todo.append(f"{found.unheard}. Rings wait until it answers; no work is lost by that")
    if found.driver is None:
        todo.append(f"nobody drives: start `{_runner_of(found, DIRECTORY)}`")
    return todo


def _todo_at(found: Found, site: str, runners: int, health: SiteHealth | None) -> list[str]:
    if found.health is not None and health is None:
        return [f"{site} has no queue: `dmsa cluster definitions` prints what the broker's administrator imports"]
    if not runners:
        return [f"nobody serves {site}: start `{_runner_of(found, site)}` where its hosts are reached"]
    if health is not None and not health.listening:
        return [f"{site} has runners, but none of them hears the broker: their logs say why"]
    return []


def _runner_of(found: Found, site: str) -> str:
    return f"dmsa runner {found.typed} --site {site}"


def _runner(one: Present) -> dict[str, Any]:
    return {"runner": one.runner, "version": one.version, "since": _time(one.since), "seen": _time(one.seen)}


def _runner_text(one: Mapping[str, Any]) -> str:
    return f"{one['runner']}, dmsa {one['version']}, since {one['since']}, seen {one['seen']}"


def _time(at: datetime | None) -> str | None:
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
