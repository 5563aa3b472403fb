"""Why a Complete was legal, told from a journal's rows alone.

Nothing of the product is used: a row is its kind, its estate time and its body, as ``dmsa journal show --json`` prints
them. What the fold computes is computed here a second time, from other rows where there are any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

FLOOR = timedelta(days=14)
COMPLETE = "Complete-ADServiceAccountMigration"


@dataclass(frozen=True)
class Told:
    """One row, as anybody can read it."""

    kind: str
    at: datetime | None
    body: Mapping[str, Any]


@dataclass
class Proof:
    """What a reader has gathered of one migration when a Complete is announced, and what speaks against it."""

    converged: datetime | None = None
    values: dict[str, datetime] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    seen: dict[str, datetime] = field(default_factory=dict)
    """When each principal was seen first, without a gap since a person let it go."""
    present: set[str] = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)
    allowed: datetime | None = None
    anew: datetime | None = None
    waits_for_word: bool = False

    @property
    def began(self) -> datetime | None:
        """When the dwell began, by its parts."""
        parts = (self.converged, max(self.values.values(), default=None), self.allowed)
        if None in parts:
            return None
        return max(part for part in (*parts, self.anew) if part is not None)

    @property
    def flat(self) -> datetime | None:
        """Since when nobody new has come."""
        moments = [*self.seen.values(), *([self.anew] if self.anew else [])]
        return max(moments, default=None)


def objections(rows: Sequence[Told], id_: str) -> list[str]:
    """Return what the rows lack for each Complete of a migration to have been legal; nothing if all were."""
    return [said for at, proof, plan in _completes(rows, id_) for said in _against(proof, plan, at, id_)]


def proofs(rows: Sequence[Told], id_: str) -> list[Proof]:
    """Return what had been gathered at each Complete of a migration."""
    return [proof for _, proof, _ in _completes(rows, id_)]


def _completes(rows: Sequence[Told], id_: str) -> Iterator[tuple[datetime | None, Proof, Mapping[str, Any]]]:
    proof, plan = Proof(), {}
    for row in rows:
        if row.kind in {"run-began", "amended"}:
            plan = row.body["plan"]
        if row.body.get("migration") != id_:
            continue
        if row.kind == "attempt-started" and row.body["cmdlet"] == COMPLETE:
            yield row.at, proof, plan
        _gather(proof, row)


def _gather(proof: Proof, row: Told) -> None:
    body, at = row.body, row.at
    match row.kind:
        case "moved":
            _moved(proof, body, at)
        case "attempt-started" if body["step"] == "registry":
            proof.written.add(body["subject"])
        case "subject-done" if body.get("registry") in {"set", "was-set"}:
            host = body["subject"]
            if host not in proof.values or host in proof.written:
                proof.values[host] = at
            proof.written.discard(host)
        case "ledger-read":
            _read(proof, body, at)
        case "held":
            proof.waits_for_word = body["reason"] == "guard:ledger-flat"
        case "released":
            if proof.waits_for_word:
                proof.seen = {name: when for name, when in proof.seen.items() if name in proof.present}
            proof.waits_for_word = False


def _moved(proof: Proof, body: Mapping[str, Any], at: datetime | None) -> None:
    if body["trigger"] in {"link", "adopt"}:
        proof.converged = at
    if body["dest"] == "reopened" or body["trigger"] in {"amend", "adopt"}:
        proof.anew = at
    if body["trigger"] == "adopt":
        proof.values = dict.fromkeys(proof.values, at)


def _read(proof: Proof, body: Mapping[str, Any], at: datetime | None) -> None:
    listed, hosts = set(body["principals"]), set(body["hosts_present"])
    for name in listed - proof.seen.keys():
        proof.seen[name] = at
    if hosts - proof.hosts:
        proof.allowed = at
    proof.present, proof.hosts = listed, hosts


def _against(proof: Proof, plan: Mapping[str, Any], at: datetime | None, id_: str) -> Iterator[str]:
    mine = next(one for wave in plan["waves"] for one in wave["migrations"] if one["dmsa"]["name"] == id_)
    waived = {one["guard"] for one in mine["waivers"]}
    dwell = timedelta(seconds=mine["dwell"])
    if "dwell-minimum" not in waived:
        dwell = max(dwell, FLOOR)
    if proof.began is None:
        yield "the dwell never began"
    elif at is None or at - proof.began < dwell:
        yield f"Complete at {at}, the dwell began at {proof.began}"
    planned = {host["name"] for host in mine["hosts"]}
    if planned - proof.values.keys():
        yield f"no value was read back at {sorted(planned - proof.values.keys())}"
    if planned - proof.hosts:
        yield f"never seen on the list, or no longer: {sorted(planned - proof.hosts)}"
    if "no-unknown-host" not in waived and proof.present - planned:
        yield f"on the list and not in the plan: {sorted(proof.present - planned)}"
    if "ledger-flat" in waived:
        return
    flat_for = timedelta(seconds=mine["flat_for"])
    if proof.flat is None or at is None or at - proof.flat < flat_for:
        yield f"Complete at {at}, and somebody new came at {proof.flat}"
    if proof.seen.keys() - proof.present:
        yield f"seen once and gone: {sorted(proof.seen.keys() - proof.present)}"
