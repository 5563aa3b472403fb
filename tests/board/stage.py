"""A run in which everything happened that a page can show, as rows of a journal; and what follows it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import structlog

from orchestrator.board.follower import Follower, Source, Wanted
from orchestrator.board.ink import Ink
from orchestrator.board.page import Page
from orchestrator.board.showing import Showing
from orchestrator.board.sight import Sight
from orchestrator.cli.recalled import recalled
from orchestrator.journal import Entry, Journal, MemoryJournal, Row
from orchestrator.model.event import Held, LedgerRead, UnknownHost
from orchestrator.model.lifecycle import Phase, Way
from orchestrator.model.plan import Plan
from orchestrator.planfile import digest, plan_of
from tests.world import World

NAME = "quickstart"
FAILED, HELD, BACK, WAITS = "dmsa-report", "dmsa-web", "dmsa-batch", "dmsa-erp"
HOST = "app01.corp.example"


def _change(plan: dict[str, Any]) -> None:
    plan["change"], plan["owner"] = "CHG0031337", "identity team"
    plan["waves"][1] |= {
        "needs": [],
        "approvals": {"start": 1},
        "window": {"days": ["sat"], "open": "22:00", "close": "04:00", "zone": "Europe/Berlin"},
    }
    plan["waves"][1]["migrations"][0]["waivers"] = [
        {"guard": "dwell-minimum", "reason": "it is a lab", "approved_by": ["ad-lead"]}
    ]


@cache
def rows() -> tuple[Row, ...]:
    """Return the rows: one failed with a stranger on its ledger, one held, one rolled back, one waits for approval."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    world = World(change_plan=_change)
    world.run(until=Phase.RESTARTED)
    world.ask_back(Way.ROLLBACK, [BACK])
    world.run([BACK])
    stranger = UnknownHost(name="app99.corp.example", principal="CN=APP99,DC=corp,DC=example", os="Windows")
    seen = world.state()[FAILED].ledger
    world.say(
        LedgerRead(
            migration=FAILED,
            principals=(*sorted(seen.present), "app99.corp.example"),
            hosts_present=tuple(sorted(seen.hosts_present)),
            sha256="5" * 64,
            unknown=(stranger,),
        ),
        Held(migration=FAILED, reason="fault", detail="It broke.\nTwice.", release="mend it, then `dmsa release PLAN`"),
        Held(migration=HELD, reason="operator", detail="Lunch.", release="`dmsa release PLAN --only x`", by="ann"),
    )
    world.run()
    return tuple(world.journal.read())


def plan() -> Plan:
    """Return the plan that the run goes by."""
    began = next(row for row in rows() if row.kind == "run-began")
    return plan_of(began.body["plan"])


def wanted() -> Wanted:
    """Return the plan as one that was given to the board."""
    return Wanted(NAME, "plans/quickstart.yaml", plan(), digest(plan()))


def append(journal: Journal, some: Iterable[Row]) -> None:
    """Append rows as another process would."""
    entries = [Entry(row.run, row.at, row.kind, row.version, row.body) for row in some]
    journal.append(entries, expected=journal.head(), lease=None)


def journal_of(some: Sequence[Row]) -> MemoryJournal:
    """Return a journal with these rows."""
    journal = MemoryJournal()
    append(journal, some)
    return journal


def follower(journal: Journal | None, *plans: Wanted) -> Follower:
    """Return what follows a journal."""
    return Follower(Source("j.db", lambda: journal, recalled), plans, lambda name: f"PLAN # {name}")


@cache
def sight() -> Sight:
    """Return what is seen of the run."""
    found = follower(journal_of(rows()), wanted()).look()
    assert found is not None
    return found


INK = Ink()


def drawn(page: Page) -> str:
    """Return a page as a browser gets it."""
    return str(Showing(INK, page, 1).whole({"live": "/live?of=x&since=y"}))
