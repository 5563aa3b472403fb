"""Whether a run may go on by a changed plan, and what follows from it.

What was begun stays what it was: its account, its dMSA, the directory it lives in, and every duty to restore what was
changed. Everything else may change while weeks pass. A host that joins late catches up; nothing is restarted twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.engine.difference import Change, differences, hosts_of, migrations_of
from orchestrator.model.dn import same_dn
from orchestrator.model.event import DIRECTORY, Event, Moved
from orchestrator.model.lifecycle import PATH, Intention, Phase, Trigger
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.model.words import Amended, Subject

Kind = Literal[
    "migration-joins",
    "migration-leaves",
    "host-joins",
    "returns-to-linked",
    "duties-stay",
    "workloads-change",
    "as-found",
    "approvals-fall",
    "stays-held",
]
"""What may follow from an amendment."""

_CATCHES_UP = frozenset({Phase.REGISTERED, Phase.RESTARTED, Phase.SOAKED})
_ON_ONE_COPY = frozenset({Phase.PREPARED, Phase.STARTED})
"""Phases that were read on the pinned domain controller alone."""


@dataclass(frozen=True)
class Follows:
    """One consequence, for a person; ``migration`` is None where it is not about a single one."""

    migration: str | None
    what: Kind
    detail: str


@dataclass(frozen=True)
class Amendment:
    """A changed plan, held against the one that the run goes by, and against where the run stands."""

    changes: tuple[Change, ...]
    refusals: tuple[str, ...]
    follows: tuple[Follows, ...]
    moves: tuple[Moved, ...]

    def events(self, digest: str, plan: dict[str, Any], by: str, reason: str) -> list[Event]:
        """Return what is written down when it is accepted, in one transaction."""
        return [Amended(digest=digest, plan=plan, by=by, reason=reason), *self.moves]


def amendment(run: RunState, before: Mapping[str, Any], after: Mapping[str, Any]) -> Amendment:
    """Hold a changed plan against the run.

    Args:
        run: where everything stands.
        before: the canonical plan that the run goes by.
        after: the canonical plan that it is to go by.
    """
    pairs = list(_pairs(run, before, after))
    growing = [one for one in pairs if _joining(one) or _more(one)]
    return Amendment(
        differences(before, after),
        tuple(refusal for refusals in (_estate(run, before, after), *map(_refused, pairs)) for refusal in refusals),
        tuple(follows for one in pairs for follows in _follows(run, one)) + tuple(_approvals(run, after)),
        tuple(_back_to_link(one.state) for one in growing if one.state.phase in _CATCHES_UP),
    )


@dataclass(frozen=True)
class _Pair:
    """One migration in both plans: None where a plan does not have it.

    ``hosts`` have what was found there in place of ``workloads: discover``, where it was written down.
    """

    state: MigrationState
    was: Mapping[str, Any] | None
    now: Mapping[str, Any] | None

    @property
    def hosts(self) -> tuple[dict[str, Mapping[str, Any]], dict[str, Mapping[str, Any]]]:
        was, now = (hosts_of(one) if one else {} for one in (self.was, self.now))
        return _as_found(was, self.state), _as_found(now, self.state)

    @property
    def only(self) -> str:
        return f"--only {self.state.id}"


def _as_found(hosts: dict[str, Mapping[str, Any]], state: MigrationState) -> dict[str, Mapping[str, Any]]:
    known = state.snapshot.hosts if state.snapshot else {}
    return {
        name: {
            **host,
            "services": list(known[name].services),
            "tasks": [{"path": path} for path in known[name].tasks],
            "app_pools": list(known[name].app_pools),
        }
        if _discovers(host) and name in known
        else host
        for name, host in hosts.items()
    }


def _discovers(host: Mapping[str, Any]) -> bool:
    return bool(host.get("workloads") == "discover")


def _pairs(run: RunState, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[_Pair]:
    old, new = migrations_of(before), migrations_of(after)
    for id_ in dict.fromkeys((*old, *new)):
        yield _Pair(run[id_], old[id_][1] if id_ in old else None, new[id_][1] if id_ in new else None)


def _begun(state: MigrationState) -> bool:
    """Whether anything was written down or changed for a migration; its first snapshot binds it to its account."""
    return state.phase is not Phase.PLANNED or state.snapshot is not None


def _at_rest(state: MigrationState) -> bool:
    """Whether a migration is as it was before, and the next attempt looks at everything anew."""
    return state.phase is Phase.ROLLED_BACK or not _begun(state)


def _may_grow(state: MigrationState) -> bool:
    before_complete = state.phase in PATH[: PATH.index(Phase.SWITCHED)]
    sent = "Complete-ADServiceAccountMigration" in state.sent
    return _at_rest(state) or (state.intention is Intention.FORWARD and before_complete and not sent)


def _joining(one: _Pair) -> list[str]:
    """Return the hosts that join a migration which has begun."""
    old, new = one.hosts
    return [] if one.was is None or _at_rest(one.state) else [name for name in new if name not in old]


def _more(one: _Pair) -> dict[str, list[str]]:
    """Return the workloads that hosts of a begun migration are given besides."""
    if one.was is None or one.now is None or _at_rest(one.state):
        return {}
    old, new = one.hosts
    more = {name: _but(_workloads(new[name]), _workloads(old[name])) for name in new if name in old}
    return {name: names for name, names in more.items() if names}


def _workloads(host: Mapping[str, Any]) -> dict[str, str]:
    """Return the workloads of a host by their names in small letters: Windows knows them in any case."""
    names = (*host["services"], *(task["path"] for task in host["tasks"]), *host["app_pools"])
    return {name.lower(): name for name in names}


def _but(some: Mapping[str, str], others: Mapping[str, str]) -> list[str]:
    return sorted(name for key, name in some.items() if key not in others)


# What is refused.


def _refused(one: _Pair) -> Iterator[str]:
    id_, state = one.state.id, one.state
    if one.now is None:
        if not _at_rest(state):
            yield (
                f"{id_} is {state.phase} and would no longer be in the plan: nobody could take it back. "
                f"`dmsa rollback PLAN {one.only}` first; what is rolled_back or planned may leave."
            )
        return
    if _begun(state):
        yield from _identity(one)
    if one.was is not None and not _at_rest(state):
        yield from _hosts_refused(one)


def _identity(one: _Pair) -> Iterator[str]:
    """What can never be amended: the account and the dMSA of a migration that has left planned."""
    state, now = one.state, one.now or {}
    snapshot = state.snapshot.account.get("dn") if state.snapshot else None
    was = one.was or {"account": snapshot, "dmsa": now["dmsa"]}
    if was["account"] is None or not same_dn(was["account"], now["account"]):
        yield f"{state.id} has begun with the account {was['account']}; {now['account']} needs a migration of its own."
    changed = sorted(key for key in now["dmsa"] if now["dmsa"][key] != was["dmsa"][key])
    if changed:
        yield (
            f"{state.id} has begun, and {', '.join(changed)} of its dMSA can no longer change. "
            f"`dmsa rollback PLAN {one.only}` and another dMSA is the way."
        )


def _hosts_refused(one: _Pair) -> Iterator[str]:
    state = one.state
    old, new = one.hosts
    spelled = {name.lower(): name for name in old}
    respelled = [name for name in new if name not in old and name.lower() in spelled]
    for name in respelled:
        yield f"{state.id}: the journal knows {spelled[name.lower()]}; write {name} as it was."
    grows = [name for name in _joining(one) if name not in respelled]
    grows += [f"{', '.join(names)} on {host}" for host, names in _more(one).items()]
    if grows and not _may_grow(state):
        back = state.intention is Intention.BACK
        why = "is on its way back" if back else f"is {state.phase}, and Complete was sent"
        yield (
            f"{state.id} {why}: {', '.join(grows)} can no longer join. "
            + ("End the way back first." if back else "Take it back to the started side with `dmsa undo` first.")
        )


def _estate(run: RunState, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    old, new = before["estate"], after["estate"]
    begun = [state.id for state in run.migrations.values() if _begun(state)]
    for key in ("lab", "simulated", "domain"):
        if begun and old[key] != new[key]:
            yield f"estate.{key} cannot change: {', '.join(begun)} has begun there. Another estate is another run."
    pins = [{key: (one["directory"] or {}).get(key) for key in ("server", "endpoint")} for one in (old, new)]
    unsettled = [state.id for state in run.migrations.values() if _on_one_copy(state)]
    if pins[0] != pins[1] and unsettled:
        yield (
            f"the pinned domain controller cannot change now: a change of {', '.join(unsettled)} may not be on every "
            "copy yet. Wait until it is."
        )


def _on_one_copy(state: MigrationState) -> bool:
    """Whether the directory may have been changed for a migration on the pinned domain controller alone."""
    writing = DIRECTORY in state.open or any(subject == DIRECTORY for subject, _ in state.performed)
    return writing or (state.phase in _ON_ONE_COPY and state.intention is Intention.FORWARD)


# What follows.


def _back_to_link(state: MigrationState) -> Moved:
    return Moved(migration=state.id, trigger=Trigger.AMEND, source=state.phase, dest=Phase.LINKED)


def _follows(run: RunState, one: _Pair) -> Iterator[Follows]:
    id_, state = one.state.id, one.state
    if one.was is None:
        yield Follows(id_, "migration-joins", f"it is {state.phase}, and moves when its wave lets it")
    if one.now is None:
        yield Follows(id_, "migration-leaves", f"it is {state.phase}: nothing of it is left to do")
    if one.was is None or one.now is None or _at_rest(state):
        return
    joins = [*_joining(one), *(f"{', '.join(names)} on {host}" for host, names in _more(one).items())]
    yield from (
        Follows(id_, "host-joins", f"{name} is written down before anything is changed there") for name in joins
    )
    if joins and state.phase in _CATCHES_UP:
        yield Follows(
            id_,
            "returns-to-linked",
            f"from {state.phase}; it takes a place of its wave, what joins catches up, what is done is only looked at, "
            "and the dwell begins anew with the last read-back",
        )
    yield from _duties(run, one)
    yield from _listed_as_found(one)
    if state.held is not None:
        yield Follows(
            id_, "stays-held", f"{state.held.reason}; `dmsa release PLAN {one.only} --reason TEXT` lets it go on"
        )


def _duties(run: RunState, one: _Pair) -> Iterator[Follows]:
    state = one.state
    old, new = one.hosts
    for name, host in old.items():
        left = _but(_workloads(host), _workloads(new[name]) if name in new else {})
        before = state.snapshot.hosts.get(name) if state.snapshot else None
        if before is None or (name in new and not left):
            continue
        looks = f"looks at {', '.join(left)}" if left else "looks at it"
        if name in new:
            yield Follows(
                state.id,
                "workloads-change",
                f"{name}: forward nothing more is done there for these; a way back {looks}",
            )
        else:
            switch = "restores its registry value, " if run.needs(name, state.id) else ""
            yield Follows(state.id, "duties-stay", f"{name}: a way back still {switch}{looks}")


def _listed_as_found(one: _Pair) -> Iterator[Follows]:
    """Say of a host whose list takes the place of ``workloads: discover``, or the other way, that it means the same."""
    old, new = one.hosts
    for name in old:
        if name not in new or _discovers(old[name]) is _discovers(new[name]):
            continue
        if _workloads(old[name]).keys() == _workloads(new[name]).keys():
            meant = ", ".join(sorted(_workloads(old[name]).values()))
            yield Follows(one.state.id, "as-found", f"{name}: {meant}, as written down before; nothing changes there")


def _approvals(run: RunState, after: Mapping[str, Any]) -> Iterator[Follows]:
    """Say which approvals an amendment withdraws, and how many people are needed afterwards."""
    for wave in after["waves"]:
        open_ = [one for one in wave["migrations"] if run[one["dmsa"]["name"]].phase is not Phase.COMPLETED]
        wanted = {
            gate: count
            for gate in ("start", "complete")
            if (count := max((o["approvals"][gate] for o in open_), default=0))
        }
        fallen = [f"{who} before {gate}" for gate in ("start", "complete") for who in _who(run, wave["name"], gate)]
        if wanted or fallen:
            gates = ", ".join(f"{gate} needs {count}" for gate, count in wanted.items()) or "nobody is needed any more"
            said = f"; {len(fallen)} withdrawn ({', '.join(fallen)})" if fallen else ""
            bind = "approvals bind to the plan as it was"
            yield Follows(None, "approvals-fall", f"wave {wave['name']}: {bind}{said}; {gates}")
    for subject, words in run.approvals.standing.items():
        if subject.kind == "waiver":
            people = ", ".join(word.by for word in words)
            detail = f"{len(words)} of the waiver of {subject.what} withdrawn ({people})"
            yield Follows(subject.about, "approvals-fall", detail)


def _who(run: RunState, wave: str, gate: str) -> list[str]:
    return [word.by for word in run.approvals.standing.get(Subject("gate", wave, gate), ())]
