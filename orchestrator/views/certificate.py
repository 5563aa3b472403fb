"""The certificate of a drill: what a run's rows tell of it, up to the row that ended it. A pure function of them.

Whoever has the journal makes the same bytes again (``dmsa journal verify --certificate``), so a certificate is as good
as its journal and needs no signature of its own. A form that was released is never changed; another has another number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from orchestrator.journal import Row
from orchestrator.journal.chain import canonical
from orchestrator.model.drilled import DrillBegan, DrillEnded
from orchestrator.model.replay import fold_in
from orchestrator.model.run import RunState
from orchestrator.views.drill_legs import Legs, seconds_between
from orchestrator.views.status import iso

FORM = 1
"""The number of this form."""


def certificates(rows: Iterable[Row], run: str) -> Iterator[dict[str, Any]]:
    """Yield the certificate of every drill of a run that has ended, as its last row is read."""
    for drill in drills(rows, run):
        if drill.ended is not None:
            yield drill.document()


def drills(rows: Iterable[Row], run: str) -> Iterator[Drill]:
    """Yield the drills of a run: each when its last row is read, and in the end the one that is under way."""
    state = RunState(run)
    drill: Drill | None = None
    for row in rows:
        event = fold_in(state, row)
        if event is None:
            continue
        if isinstance(event, DrillBegan):
            drill = Drill(state, event, row.at)
        if drill is None:
            continue
        drill.legs.take_in(event, row.at, state)
        if isinstance(event, DrillEnded):
            drill.end(event, row)
            yield drill
            drill = None
    if drill is not None:
        yield drill


def as_bytes(document: dict[str, Any]) -> bytes:
    """Return a certificate as its file has it: canonical JSON (RFC 8785), and a line feed."""
    return canonical(document).encode() + b"\n"


class Drill:
    """One drill, as far as it has come."""

    def __init__(self, state: RunState, began: DrillBegan, at: datetime | None) -> None:
        self.began, self.at = began, at
        self.ended: DrillEnded | None = None
        self.head: Row | None = None
        self._run, self._digest = state.run, state.digest or ""
        accounts = _accounts(state.plan)
        self.legs = Legs(began, at, {id_: accounts.get(id_, "") for id_ in began.migrations}, state)

    def end(self, event: DrillEnded, row: Row) -> None:
        """Take in its last row."""
        self.ended, self.head = event, row

    def document(self) -> dict[str, Any]:
        """Return its certificate; only of a drill that has ended."""
        assert self.ended is not None, "a drill that is under way has no certificate"
        assert self.head is not None, "it ended with a row"
        began, legs = self.began, self.legs
        migrations = legs.migrations()
        return {
            "certificate": FORM,
            "plan": self._run,
            "digest": self._digest,
            "drill": began.number,
            "verdict": verdict(migrations),
            "estate": began.estate,
            "origin": _origin(began),
            "by": began.by,
            "tool": began.tool,
            "to": began.to.value,
            "began": {"estate": iso(self.at), "clock": iso(began.clock)},
            "turned": {"estate": iso(legs.turned_at)},
            "ended": {"estate": iso(self.head.at), "clock": iso(self.ended.clock)},
            "restore": {"seconds": seconds_between(legs.turned_at, legs.back_at), "slowest": slowest(migrations)},
            "migrations": migrations,
            "head": {"seq": self.head.seq, "hash": self.head.hash},
        }


def verdict(migrations: Iterable[dict[str, Any]]) -> str:
    """Return the word for the whole: ``not-restored`` if one is not, else ``cut-short`` if one came not far enough."""
    found = {one["verdict"] for one in migrations}
    return next((word for word in ("not-restored", "cut-short") if word in found), "restored")


def slowest(migrations: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the host whose workloads were back last, None where nothing had to be restored."""
    known = [
        {"host": host["name"], "dmsa": one["dmsa"], "seconds": host["seconds"]}
        for one in migrations
        for host in one["hosts"]
        if host["seconds"] is not None
    ]
    return max(known, key=lambda one: (one["seconds"], one["host"]), default=None)


def _accounts(plan: dict[str, Any] | None) -> dict[str, str]:
    waves = (plan or {}).get("waves", [])
    return {one["dmsa"]["name"]: one["account"] for wave in waves for one in wave["migrations"]}


def _origin(began: DrillBegan) -> dict[str, Any] | None:
    if began.origin is None:
        return None
    return {"snapshots": list(began.origin.snapshots), "made_up": list(began.origin.made_up)}
