"""The plan knows what runs under the account on its hosts: all of it, nothing that is not there, no cluster's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.guards.guard import Guard, account, pair_read
from orchestrator.model.call import Read, cmdlet
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.directory import complaint
from orchestrator.model.guard_ids import Stage
from orchestrator.model.host import absent, host_reads
from orchestrator.model.observation import Outcome, Reply, Unreadable
from orchestrator.model.plan import Host
from orchestrator.model.users_of import NO_NAMESPACE, Used, spellings, used_by, users_reads


class HostInventoryComplete(Guard):
    """What runs under the account and is not in the plan is not restarted, and nobody sees that it cannot log on."""

    id = "host-inventory-complete"
    of_host = True

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for the account's names, and each host for what the plan names and for what runs as anybody."""
        del stage
        reads = [pair_read(case)]
        for name in case.host_names:
            host = case.migration.host(name)
            reads += [*host_reads(host), *users_reads(name, seen, names_pools=bool(host.app_pools))]
        return tuple(reads)

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Every service, task and pool of the account is in the plan; what the plan names and is not there, no waiver
        brings back.
        """
        del stage
        names = spellings(account(case, seen), case.plan.estate.domain or "")
        for name in case.host_names:
            yield _complete(case.migration.host(name), used_by(names, name, seen), seen)


def _complete(host: Host, used: Used, seen: Seen) -> Verdict:
    if host.workloads == "discover":
        return Verdict.of(True, host.name, "whatever runs there under the account is meant")
    missing, more = absent(host, seen.host(host.name)), _not_planned(host, used)
    said = [f"{host.name} has no {', no '.join(missing)}"] if missing else []
    said += [f"{', '.join(more)} of {host.name} runs under the account and is not in the plan"] if more else []
    idle = f"; disabled, and so left alone: {', '.join(used.disabled)}" if used.disabled else ""
    verdict = Verdict.of(
        not said,
        host.name,
        "; ".join(said) or f"everything of the account is in the plan ({used.looked_at} tasks looked at){idle}",
        "correct the plan (`dmsa amend PLAN`), or install what is missing, or give what is not meant another account",
    )
    return replace(verdict, waivable=not missing)


def _not_planned(host: Host, used: Used) -> list[str]:
    planned = {
        *(f"service {name}".lower() for name in host.services),
        *(f"task {task.path}".lower() for task in host.tasks),
        *(f"application pool {name}".lower() for name in host.app_pools),
    }
    found = [
        *(f"service {name}" for name in used.services),
        *(f"task {path}" for path in used.tasks),
        *(f"application pool {name}" for name in used.app_pools),
    ]
    return [one for one in found if one.lower() not in planned]


RESOURCES = cmdlet(
    "Get-CimInstance",
    Namespace="root/MSCluster",
    ClassName="MSCluster_Resource",
    Property=("Name", "Type", "OwnerGroup", "OwnerNode"),
)
INFRASTRUCTURE = frozenset(
    {
        *("ip address", "ipv6 address", "ipv6 tunnel address", "network name", "distributed network name"),
        *("physical disk", "storage pool", "storage qos policy manager", "health service", "cluster shared volume"),
        *("file share witness", "cloud witness", "file share quorum witness", "virtual machine cluster wmi"),
    }
)
"""Types of resources that run nothing of their own (Microsoft Learn, Failover Cluster, Resource Types)."""


class NoClusterRole(Guard):
    """A cluster starts and moves its roles itself, and nothing of Microsoft says that one works under a dMSA."""

    id = "no-cluster-role"
    of_host = True

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask each host for its cluster's resources."""
        del stage, seen
        return tuple(Read(name, (RESOURCES,)) for name in case.host_names)

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Not a node of a cluster, or of one that runs nothing but its own infrastructure.

        Which service a resource runs stands in a nested object that does not come back; so any role counts.
        """
        del stage
        for name in case.host_names:
            roles = _roles(name, seen)
            yield Verdict.of(
                not roles,
                name,
                f"roles of its cluster: {', '.join(roles)}" if roles else "runs no role of a failover cluster",
                "take the workload out of the cluster, or find that none of these roles is one of the plan and waive",
            )


def _roles(name: str, seen: Seen) -> list[str]:
    reply = seen.reply_to(RESOURCES, name)
    if reply is None:
        raise Unreadable(f"{name} did not say whether it runs a cluster's role: it was not asked")
    return cluster_roles(name, reply)


def cluster_roles(name: str, reply: Reply) -> list[str]:
    """Return the roles of a host's cluster, with their types, out of the answer to :data:`RESOURCES`.

    Raises:
        Unreadable: it does not say.
    """
    if reply.outcome is not Outcome.SUCCEEDED:
        raise Unreadable(f"{name} did not say whether it runs a cluster's role: {complaint(reply)}")
    if any(error.id.lower().startswith(NO_NAMESPACE) for error in reply.errors):
        return []
    found = list(reply.of("MSCluster_Resource"))
    if not found and any(error.cmdlet in {"", RESOURCES.name} for error in reply.errors):
        raise Unreadable(f"{name} did not say whether it runs a cluster's role: {complaint(reply)}")
    return [f"{r.text('Name')} ({r.text('Type')})" for r in found if r.text("Type").lower() not in INFRASTRUCTURE]
