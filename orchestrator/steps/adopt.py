"""adopt: take over what was begun by hand, or by a run whose journal is lost, at the phase that the read-back proves.

Nothing is believed: both objects are read on every domain controller, each host's switch and workloads, and the ledger.
What is found is written down first, as a late snapshot: how it was before the other one began nobody knows any longer.
The one write is the account's protection from deletion, which every phase stands for.
"""

from __future__ import annotations

from typing import ClassVar

from orchestrator.model.action import Answer, Observe, Perform, Record, Stop, Wait
from orchestrator.model.call import Read, Write
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import PairSeen
from orchestrator.model.event import Event, Moved, SubjectDone, WorkloadSeen
from orchestrator.model.guard_ids import Stage
from orchestrator.model.host import HostSeen
from orchestrator.model.ledger import LedgerSeen, ledger_reads, ledger_seen
from orchestrator.model.lifecycle import PATH, Pair, Phase, Trigger
from orchestrator.model.plan import Host
from orchestrator.steps.controllers import controllers_changed
from orchestrator.steps.convergence import converging, pair_reads_everywhere, pairs_everywhere, unread_copies
from orchestrator.steps.inventory import host_reads_of, read_too_early
from orchestrator.steps.prepare import protect, written_down
from orchestrator.steps.registry import being_restored
from orchestrator.steps.step import Step, original_missing

_RESTS = frozenset({"Disabled", "Manual"})
"""Start modes of services that need not run."""


class Adopt(Step):
    """Read everything, write it down, and enter at the phase that it proves."""

    trigger: ClassVar = Trigger.ADOPT
    stage: ClassVar = Stage.PREFLIGHT
    leads_to: ClassVar = Phase.PREPARED
    leaves_out: ClassVar = frozenset(
        {
            "account-enabled",
            "account-not-linked",
            "account-not-shared",
            "account-password-stable",
            "dmsa-absent-or-fresh",
            "dmsa-name-fits",
            "run-is-ours",
            "spn-unique",
        }
    )

    def asks_guards(self, case: Case) -> bool:
        """Ask before anything is written down; protecting the account asks nothing new."""
        return case.state.snapshot is None

    def reads(self, case: Case, _subject: str) -> tuple[Read, ...]:
        """Ask every domain controller for the pair, the pinned one for the ledger, and every host."""
        hosts = [read for host in case.migration.hosts for read in host_reads_of(case, host)]
        return (*ledger_reads(case), *pair_reads_everywhere(case), *hosts)

    def judge(self, case: Case, subject: str, seen: Seen) -> Answer:
        """Snapshot, then protection, then the phase."""
        pinned = seen.pair(case.endpoint, case.server)
        if pinned.account is None:
            return original_missing(case, seen)
        changed = controllers_changed(case, seen)
        if changed:
            return changed
        unread = unread_copies(case, seen)
        if unread:
            return Observe(unread, more=True)
        pairs = pairs_everywhere(case, seen)
        if pinned.dmsa is None or pinned.pair is Pair.BROKEN:
            return _nothing_to_adopt(case, pinned)
        in_flux = self._in_flux(case, subject, seen)
        if in_flux is not None:
            return in_flux
        if case.state.snapshot is None:
            return written_down(case, seen, pinned, self.reads(case, subject), late=True)
        if not pinned.account.protected:
            return Perform(Write(case.endpoint, protect(case)))
        late = converging(case, pairs, pinned.pair) if pinned.pair is not Pair.STARTED else None
        if late is not None:
            return late
        ledger = ledger_seen(case, seen)
        return Observe(ledger, more=True) if isinstance(ledger, tuple) else _enter(case, seen, pairs, ledger)

    def _in_flux(self, case: Case, subject: str, seen: Seen) -> Answer | None:
        """Return what comes first where another migration puts a host's switch back, or has since the host was read.

        What is found there then would count as this migration's, and be gone a moment later.
        """
        for name in case.planned_hosts:
            if case.needs_switch(name):
                continue
            restoring = being_restored(case, name, subject)
            if restoring is not None:
                return restoring
            if read_too_early(case, name, seen):
                return Observe(self.reads(case, subject))
        return None


def _nothing_to_adopt(case: Case, pair: PairSeen) -> Stop:
    if pair.dmsa is None:
        return Stop(
            "operator",
            f"there is nothing to adopt for {case.migration.id}; {pair}. Nothing was changed.",
            "`dmsa release`, then `dmsa run`, begins it",
        )
    return Stop(
        "guard:pair-matches",
        f"{case.migration.id} cannot be adopted: both objects must name each other, and their states must agree; "
        f"{pair}. Nothing was changed.",
        "find out who changed the pair and mend it, then `dmsa adopt`",
    )


def _enter(case: Case, seen: Seen, pairs: list[PairSeen], ledger: LedgerSeen) -> Record | Wait:
    """Return the events of entering: what each host has proved, who is allowed, and the move."""
    id_, dest = case.migration.id, _phase(case, seen, pairs, ledger)
    restarted = PATH.index(dest) >= PATH.index(Phase.RESTARTED)
    events: list[Event] = [
        SubjectDone(
            migration=id_,
            step=Trigger.ADOPT,
            subject=host.name,
            registry="was-set" if seen.host(host.name).enabled else None,
            workloads=tuple(_workloads(host, seen.host(host.name))) if restarted else None,
        )
        for host in case.migration.hosts
    ]
    if dest is not Phase.PREPARED:
        events.append(ledger.event(id_))
    dmsa = pairs[0].dmsa
    events.append(
        Moved(
            migration=id_,
            trigger=Trigger.ADOPT,
            source=Phase.PLANNED,
            dest=dest,
            pair=pairs[0].pair,
            dmsa_guid=dmsa.guid if dmsa else None,
            evidence={"read": [str(pair) for pair in pairs], "ledger": list(ledger.principals)},
        )
    )
    return Record(tuple(events))


def _phase(case: Case, seen: Seen, pairs: list[PairSeen], ledger: LedgerSeen) -> Phase:
    """Return the furthest phase that everything read stands for."""
    if pairs[0].pair is not Pair.STARTED:
        return Phase.SWITCHED if pairs[0].pair is Pair.COMPLETED else Phase.PREPARED
    if any(pair.pair is not Pair.STARTED for pair in pairs):
        return Phase.STARTED
    found = [(host, seen.host(host.name)) for host in case.migration.hosts]
    if not all(one.enabled for _, one in found):
        return Phase.LINKED
    allowed = set(case.planned_hosts) <= ledger.hosts
    return Phase.RESTARTED if allowed and all(_healthy(host, one) for host, one in found) else Phase.REGISTERED


def _healthy(host: Host, found: HostSeen) -> bool:
    services = (found.services.get(name.lower()) for name in host.services)
    return all(service is not None and (service.running or service.start_mode in _RESTS) for service in services)


def _workloads(host: Host, found: HostSeen) -> list[WorkloadSeen]:
    def state(up: bool) -> str:
        return "running" if up else "idle"

    up = [("service", name, state(found.services[name.lower()].running)) for name in host.services]
    up += [("task", task.path, "idle") for task in host.tasks]
    up += [("app-pool", name, state(found.app_pools.get(name.lower()) == "Started")) for name in host.app_pools]
    return [WorkloadSeen.model_validate({"kind": kind, "name": name, "state": word}) for kind, name, word in up]
