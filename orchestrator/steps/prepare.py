"""prepare: everything is known, written down, and as Start needs it.

Before the first write both objects, every host value and every workload go into a snapshot; then the dMSA is
created (state 0; Microsoft Learn, New-ADServiceAccount, parameter -CreateDelegatedServiceAccount) and the account
is protected from accidental deletion.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar

from orchestrator.model.action import Answer, Done, Observe, Perform, Record, Stop
from orchestrator.model.call import Cmdlet, Read, Write, cmdlet
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import PairSeen
from orchestrator.model.event import ControllersFound, HostBefore, ServiceBefore, SnapshotTaken
from orchestrator.model.guard_ids import Stage
from orchestrator.model.host import HostSeen, host_reads, services_read
from orchestrator.model.lifecycle import Pair, Phase, Trigger
from orchestrator.model.observation import Outcome, Unreadable
from orchestrator.model.plan import Host
from orchestrator.steps.step import Step, original_missing, pair_read


class Prepare(Step):
    """Take the snapshot, create the dMSA, protect the account."""

    trigger: ClassVar = Trigger.PREPARE
    stage: ClassVar = Stage.PREFLIGHT
    leads_to: ClassVar = Phase.PREPARED

    def asks_guards(self, case: Case) -> bool:
        """Ask before the snapshot and the first write; protecting what was just created asks nothing new."""
        return not case.state.performed

    def reads(self, case: Case, _subject: str) -> tuple[Read, ...]:
        """Ask for the pair, and until the snapshot is taken for every host and the domain controllers."""
        reads = [pair_read(case)]
        if not case.controllers:
            reads.insert(0, Read(case.endpoint, (_controllers(case),)))
        if case.state.snapshot is None:
            reads += [read for host in case.migration.hosts for read in host_reads(host)]
        return tuple(reads)

    def judge(self, case: Case, _subject: str, seen: Seen) -> Answer:
        """Snapshot, then dMSA, then protection."""
        if not case.controllers:
            return Record((_controllers_found(case, seen),))
        pair = seen.pair(case.endpoint, case.server)
        if pair.account is None:
            return original_missing(case, pair)
        if case.state.snapshot is None:
            return self._snapshot(case, seen, pair)
        if pair.dmsa is None:
            return Perform(Write(case.endpoint, _create(case)))
        if not pair.account.protected:
            return Perform(Write(case.endpoint, _protect(case)))
        return Done(pair=Pair.UNLINKED, evidence={"read": str(pair), "dmsa_guid": str(pair.dmsa.guid)})

    def _snapshot(self, case: Case, seen: Seen, pair: PairSeen) -> Answer:
        hosts = {}
        for host in case.migration.hosts:
            if host.workloads == "discover":
                return _not_discovered(host)
            found = seen.host(host.name)
            absent = _absent(host, found)
            if absent:
                return Stop(
                    "guard:host-inventory-complete",
                    f"{host.name} has no {', no '.join(absent)}. Nothing was changed.",
                    "correct the plan, or install what is missing, then `dmsa release`",
                )
            unseen = {n for s in found.services.values() for n in s.dependents or () if n.lower() not in found.services}
            if unseen:
                read = services_read(host.name, unseen)
                if seen.reply_to(read.statements[0], host.name) is not None:
                    raise Unreadable(f"{host.name} does not show {', '.join(sorted(unseen))}, on which others depend")
                return Observe((read,), more=True)
            hosts[host.name] = _before(host, found)
        return Record((_taken(case, pair, hosts),))


def _not_discovered(host: Host) -> Stop:
    # Without a list nothing would be restarted there, and everything would seem to be healthy.
    return Stop(
        "guard:host-inventory-complete",
        f"{host.name} says `workloads: discover`, and this version cannot discover. Nothing was changed.",
        "list its services, tasks and app_pools in the plan, and begin with another --journal",
    )


def _controllers(case: Case) -> Cmdlet:
    return cmdlet("Get-ADDomainController", Filter="*", Server=case.server)


def _controllers_found(case: Case, seen: Seen) -> ControllersFound:
    reply = seen.reply_to(_controllers(case), case.endpoint)
    if reply is None or reply.outcome is not Outcome.SUCCEEDED:
        raise Unreadable(f"{case.server} did not name the domain's controllers")
    writable = [
        record.text("HostName") for record in reply.of("ADDomainController") if record.need("IsReadOnly") is False
    ]
    if not writable:
        raise Unreadable(f"{case.server} named no writable domain controller")
    return ControllersFound(names=tuple(sorted(writable)))


def _create(case: Case) -> Cmdlet:
    dmsa = case.migration.dmsa
    parameters: dict[str, Any] = {
        "Name": dmsa.name,
        "DNSHostName": dmsa.dns_host_name,
        "CreateDelegatedServiceAccount": True,
        "KerberosEncryptionType": dmsa.encryption,
        "Description": f"dmsa run {case.plan.name}",
        "Server": case.server,
    }
    if dmsa.path:
        parameters["Path"] = dmsa.path
    if dmsa.principals:
        parameters["PrincipalsAllowedToRetrieveManagedPassword"] = dmsa.principals
    return Cmdlet("New-ADServiceAccount", parameters)


def _protect(case: Case) -> Cmdlet:
    return cmdlet("Set-ADObject", Identity=case.account, ProtectedFromAccidentalDeletion=True, Server=case.server)


def _absent(host: Host, found: HostSeen) -> list[str]:
    """Return the workloads that the plan names and the host does not have."""
    return [
        *(f"service {name}" for name in host.services if name.lower() not in found.services),
        *(f"task {task.path}" for task in host.tasks if task.path.lower() not in found.tasks),
        *(f"application pool {name}" for name in host.app_pools if name.lower() not in found.app_pools),
    ]


def _before(host: Host, found: HostSeen) -> HostBefore:
    services = {}
    for name in host.services:
        service = found.services[name.lower()]
        services[name] = ServiceBefore(
            state=service.state,
            start_mode=service.start_mode,
            start_name=service.start_name,
            dependents=tuple(name for name in service.dependents or () if found.services[name.lower()].running),
        )
    return HostBefore(
        computer_name=found.computer_name,
        key_exists=found.key_exists,
        value=found.value,
        services=services,
        tasks={task.path: found.tasks[task.path.lower()].state for task in host.tasks},
        app_pools={name: found.app_pools[name.lower()] for name in host.app_pools},
    )


def _taken(case: Case, pair: PairSeen, hosts: dict[str, HostBefore]) -> SnapshotTaken:
    if pair.account is None:
        raise Unreadable("a snapshot needs the account")
    account = {
        "dn": pair.account.dn,
        "sid": pair.account.sid,
        "enabled": pair.account.enabled,
        **pair.account.watched,
    }
    dmsa = {"dn": pair.dmsa.dn, "guid": str(pair.dmsa.guid), **pair.dmsa.watched} if pair.dmsa else None
    content = {
        "account": account,
        "dmsa": dmsa,
        "hosts": {name: before.model_dump(mode="json") for name, before in hosts.items()},
    }
    sha256 = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return SnapshotTaken(
        migration=case.migration.id,
        account_guid=pair.account.guid,
        account=account,
        dmsa=dmsa,
        hosts=hosts,
        sha256=sha256,
    )
