"""prepare: everything is known, written down, and as Start needs it.

Before the first write both objects, every host value and every workload go into a snapshot; then the dMSA is
created (state 0; Microsoft Learn, New-ADServiceAccount, parameter -CreateDelegatedServiceAccount) and the account
is protected from accidental deletion.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from orchestrator.model.action import Answer, Done, Observe, Perform, Record
from orchestrator.model.before import HostBefore, SnapshotTaken
from orchestrator.model.call import Cmdlet, Read, Write, cmdlet
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import ACCOUNT_BACK_LINK, ACCOUNT_DISABLED, ACCOUNT_LINK, ACCOUNT_STATE, PairSeen
from orchestrator.model.event import DIRECTORY
from orchestrator.model.guard_ids import Stage
from orchestrator.model.lifecycle import Pair, Phase, Trigger
from orchestrator.model.observation import Unreadable
from orchestrator.steps import snapshot
from orchestrator.steps.controllers import controllers_found, controllers_read
from orchestrator.steps.inventory import host_reads_of, inventory, read_too_early
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
            reads.insert(0, controllers_read(case))
        if case.state.snapshot is None:
            reads += [read for host in case.migration.hosts for read in host_reads_of(case, host)]
        return tuple(reads)

    def judge(self, case: Case, _subject: str, seen: Seen) -> Answer:
        """Snapshot, then dMSA, then protection."""
        pair = seen.pair(case.endpoint, case.server)
        if pair.account is None:
            return original_missing(case, seen)
        if not case.controllers:
            return Record((controllers_found(case, seen),))
        if case.state.snapshot is None:
            return written_down(case, seen, pair, self.reads(case, DIRECTORY))
        if pair.dmsa is None:
            return Perform(Write(case.endpoint, _create(case)))
        if not pair.account.protected:
            return Perform(Write(case.endpoint, protect(case)))
        return Done(pair=Pair.UNLINKED, evidence={"read": str(pair), "dmsa_guid": str(pair.dmsa.guid)})


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


def protect(case: Case) -> Cmdlet:
    """Return what protects the account from accidental deletion."""
    return cmdlet("Set-ADObject", Identity=case.account, ProtectedFromAccidentalDeletion=True, Server=case.server)


def written_down(case: Case, seen: Seen, pair: PairSeen, again: tuple[Read, ...], late: bool = False) -> Answer:
    """Return the record of the snapshot of a pair and its hosts, what must be read first, or why it cannot be taken.

    Args:
        case: the migration.
        seen: what was read.
        pair: both objects; the account is there.
        again: what to read anew where a host was read too early to say how it was before.
        late: the pair may be linked already; the account is written down as it is without a link.
    """
    if any(read_too_early(case, host.name, seen) for host in case.migration.hosts):
        return Observe(again)
    hosts = {}
    for host in case.migration.hosts:
        answer = inventory(case, host, seen)
        if not isinstance(answer, HostBefore):
            return answer
        hosts[host.name] = answer
    return snapshot.unread(case, seen, pair) or Record((_taken(case, seen, pair, hosts, late),))


def _taken(case: Case, seen: Seen, pair: PairSeen, hosts: dict[str, HostBefore], late: bool) -> SnapshotTaken:
    if pair.account is None:
        raise Unreadable("a snapshot needs the account")
    held = snapshot.content(case, seen, pair, hosts)
    if late:
        held = replace(held, account=_unlinked(held.account, pair))
    return SnapshotTaken(
        migration=case.migration.id,
        account_guid=pair.account.guid,
        account=held.account,
        dmsa=held.dmsa,
        hosts=held.hosts,
        containers=held.containers,
        sha256=held.sha256,
        late=late,
    )


_LINKS = frozenset({ACCOUNT_STATE, ACCOUNT_LINK, ACCOUNT_BACK_LINK})


def _unlinked(account: dict[str, Any], pair: PairSeen) -> dict[str, Any]:
    """Return the account as a way back must find it again: without link, and with what Complete took from it.

    Microsoft Learn, dMSA overview: Complete copies the SPNs to the dMSA, strips them off the account and disables it.
    """
    before = {name: value for name, value in account.items() if name not in _LINKS}
    if pair.pair is not Pair.COMPLETED or pair.dmsa is None or pair.account is None:
        return before
    spns = sorted(pair.account.spns | pair.dmsa.spns)
    control = int(account.get("userAccountControl", 0)) & ~ACCOUNT_DISABLED
    return before | {"enabled": True, "userAccountControl": control} | ({"servicePrincipalName": spns} if spns else {})
