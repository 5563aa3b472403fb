"""What ``discover`` prints: a document, its text for people, and CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from orchestrator.discovery import AccountFound, Discovered, HostFound, counted, decisions
from orchestrator.errors import Exit
from orchestrator.views.cell import harmless
from orchestrator.views.status import iso

COLUMNS = ("host", "kind", "name", "account", "log_on", "domain_named", "state", "start_mode", "build", "unread")


def discovery_document(found: Discovered, plan: str | None) -> dict[str, Any]:
    """Return everything that was found; *plan* is the file that was drafted, if one was."""
    return {
        "plan": plan,
        "exit": int(Exit.DONE if found.whole else Exit.HELD),
        "estate_time": iso(found.at),
        "domain": found.domain,
        "accounts": [_account(found, one) for one in found.accounts],
        "hosts": [_host(one) for one in found.hosts],
        "left_out": [{"computer": one.dn, "why": one.why} for one in found.left],
        "decisions": [
            {"account": one.account, "host": one.host, "guard": one.guard, "waivable": one.waivable, "text": one.text}
            for one in decisions(found)
        ],
    }


def _account(found: Discovered, one: AccountFound) -> dict[str, Any]:
    return {
        "account": one.asked,
        "dn": one.dn or None,
        "class": one.object_class or None,
        "fault": one.fault,
        "dmsa": found.names.get(one.asked),
        "sam": one.sam or None,
        "upn": one.upn,
        "enabled": one.enabled,
        "spns": list(one.spns),
        "delegation": {
            "unconstrained": one.unconstrained,
            "any_protocol": one.any_protocol,
            "to": list(one.delegates_to),
            "by": list(one.delegated_by),
        },
        "last_log_on": iso(one.last_log_on),
        "password_set": iso(one.password_set),
        "privileged": list(one.privileged),
        "hosts": sorted(host.name for host in found.hosts if host.of(one.asked)),
    }


def _host(one: HostFound) -> dict[str, Any]:
    return {
        "name": one.name,
        "fault": one.fault,
        "troubles": list(one.troubles),
        "build": one.build,
        "domain_controller": one.controller,
        "cluster": one.cluster,
        "workloads": [
            {
                "kind": work.kind,
                "name": work.name,
                "account": work.account,
                "log_on": work.log_on,
                "domain_named": not work.bare,
                "state": work.state,
                "start_mode": work.start_mode,
            }
            for work in one.workloads
        ],
    }


def discovery_text(document: dict[str, Any]) -> str:
    """Return the document as a person reads it."""
    return "\n".join(_lines(document))


def _lines(document: dict[str, Any]) -> Iterator[str]:
    works = [(host["name"], work) for host in document["hosts"] for work in host["workloads"]]
    for one in document["accounts"]:
        yield _headline(one, document["estate_time"])
        for host, work in works:
            if work["account"] == one["account"]:
                state = ", ".join(filter(None, (work["state"], work["start_mode"])))
                yield f"  {host:<28}  {work['kind']:<8}  {work['name']}  {state}".rstrip()
    if document["decisions"]:
        yield ""
        yield "To be decided by a person:"
    for one in document["decisions"]:
        by = f" ({one['guard']})" if one["guard"] else ""
        about = one["account"] if one["account"] and one["account"] not in one["text"] else None
        yield f"  {about}{by}: {one['text']}" if about else f"  {one['text']}{by}"
    silent = sum(host["fault"] is not None for host in document["hosts"])
    yield ""
    yield (
        f"{counted(len(document['accounts']), 'account')}, {counted(len(document['hosts']), 'host')}"
        + (f" ({silent} did not answer)" if silent else "")
        + f", {counted(len(works), 'workload')}, {counted(len(document['decisions']), 'decision')}."
        + " Nothing was changed."
    )
    if document["plan"]:
        yield f"Drafted: {document['plan']}. Next: decide what its comments ask, then dmsa check, dmsa rehearse."


def _headline(one: dict[str, Any], at: str | None) -> str:
    if one["fault"]:
        return f"{one['account']}: not read"
    if one["class"] != "user":
        return f"{one['account']}: a {one['class']}"
    words = [f"dMSA {one['dmsa']}" if one["dmsa"] else "used nowhere", counted(len(one["spns"]), "SPN")]
    if one["password_set"]:
        age = f" ({_days(one['password_set'], at)} days ago)" if at else ""
        words.append(f"password set {one['password_set'][:10]}{age}")
    words.append(
        f"last log-on {one['last_log_on'][:10]}, up to 14 days late" if one["last_log_on"] else "no log-on known"
    )
    return f"{one['account']}: {', '.join(words)}"


def _days(since: str, at: str) -> int:
    return (datetime.fromisoformat(at) - datetime.fromisoformat(since)).days


def discovery_csv(found: Discovered) -> str:
    """Return a row for each workload, and for each host on which there is none or that was not read in full."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(COLUMNS)
    for host in found.hosts:
        unread = host.fault or "; ".join(host.troubles)
        build = "" if host.build is None else str(host.build)
        for work in host.workloads:
            named = "no" if work.bare else "yes"
            cells = (host.name, work.kind, work.name, work.account, work.log_on, named, work.state, work.start_mode)
            rows.writerow([_cell(one) for one in (*cells, build, unread)])
        if not host.workloads:
            rows.writerow([_cell(one) for one in (host.name, *[""] * 7, build, unread)])
    return text.getvalue()


def _cell(text: str | None) -> str:
    return harmless(text or "")
