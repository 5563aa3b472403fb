"""The plan knows what runs under the account on its hosts: all of it, nothing that is not there, no cluster's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.guards.guard import Guard, pair_read
from orchestrator.model.call import Read, cmdlet
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.directory import complaint
from orchestrator.model.found_there import NotListed, as_list, used
from orchestrator.model.guard_ids import Stage
from orchestrator.model.host import absent, host_reads
from orchestrator.model.observation import Outcome, Unreadable
from orchestrator.model.plan import Host
from orchestrator.model.users_of import NO_NAMESPACE, Used, users_reads


class HostInventoryComplete(Guard):
    """What runs under the account and is not in the plan is not restarted, and nobody sees that it cannot log on."""

    id = "host-inventory-complete"
    of_host = True

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for the account's names, and each host for what is meant there and for what runs as anybody."""
        del stage
        reads = [pair_read(case)]
        for name in case.host_names:
            host = case.migration.host(name)
            reads += [*host_reads(host), *_users(case, host, seen)]
        return tuple(reads)

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Every service, task and pool of the account is meant; what is meant and is not there, no waiver brings back.

        What is meant stands in the plan, or is what the host reported before it was written down.
        """
        del stage
        for name in case.host_names:
            host, known = case.migration.host(name), used(case, name, seen)
            if host.discovers:
                yield _no_list(case, name, known)
            elif case.discovers(name):
                yield _as_found(host, known, seen)
            else:
                yield _complete(host, known, seen)


def _users(case: Case, host: Host, seen: Seen) -> tuple[Read, ...]:
    return users_reads(host.name, seen, names_pools=bool(host.app_pools), each=case.discovers(host.name))


def _complete(host: Host, known: Used, seen: Seen) -> Verdict:
    missing, more = absent(host, seen.host(host.name)), _not_meant(host, known)
    said = [f"{host.name} has no {', no '.join(missing)}"] if missing else []
    said += [f"{', '.join(more)} of {host.name} runs under the account and is not in the plan"] if more else []
    verdict = Verdict.of(
        not said,
        host.name,
        "; ".join(said)
        or f"everything of the account is in the plan ({known.looked_at} tasks looked at){_idle(known)}",
        "correct the plan (`dmsa amend PLAN`), or install what is missing, or give what is not meant another account",
    )
    return replace(verdict, waivable=not missing)


def _no_list(case: Case, name: str, known: Used) -> Verdict:
    """Refuse what makes no list: without one nothing would be restarted, and everything would seem to be healthy."""
    try:
        as_list(case, name, known)
    except NotListed as why:
        return replace(Verdict.of(False, name, str(why), why.remedy), waivable=False)
    return Verdict.unknown(name, f"what runs on {name} under the account was not read to its end")


def _as_found(host: Host, known: Used, seen: Seen) -> Verdict:
    """Hold what runs now against what the host reported: another list than that one only a person can accept."""
    gone = absent(host, seen.host(host.name))
    left = _words(host).keys() - {one.lower() for one in (*known.words, *(f"service {n}" for n in known.disabled))}
    gone += [f"{one} under the account" for key, one in _words(host).items() if key in left and one not in gone]
    more = [*_not_meant(host, known), *known.bare]
    said = [f"{host.name} no longer has {', '.join(gone)}, which was found there"] if gone else []
    said += (
        [f"{', '.join(more)} of {host.name} runs under the account and was not found when it was asked"] if more else []
    )
    there = f"runs there under the account: {', '.join(_words(host).values())}"
    verdict = Verdict.of(
        not said,
        host.name,
        "; ".join(said) or f"{there} ({known.looked_at} tasks looked at){_idle(known)}",
        f"list what is meant in the plan in place of `workloads: discover`: {_as_in_a_plan(known)}; then `dmsa amend "
        "PLAN`, and what joins is written down and catches up; or bring back what is gone, and give what is not meant "
        "another account",
    )
    return replace(verdict, waivable=not gone)


def _idle(known: Used) -> str:
    return f"; disabled, and so left alone: {', '.join(known.disabled)}" if known.disabled else ""


def _words(host: Host) -> dict[str, str]:
    """Return everything that is meant at a host, with its kind, by the same in small letters."""
    words = (
        *(f"service {name}" for name in host.services),
        *(f"task {task.path}" for task in host.tasks),
        *(f"application pool {name}" for name in host.app_pools),
    )
    return {one.lower(): one for one in words}


def _not_meant(host: Host, known: Used) -> list[str]:
    meant = _words(host)
    return [one for one in known.words if one.lower() not in meant]


def _as_in_a_plan(known: Used) -> str:
    kinds = {"services": known.services, "tasks": known.tasks, "app_pools": known.app_pools}
    return (
        ", ".join(f"{kind}: [{', '.join(sorted(names))}]" for kind, names in kinds.items() if names)
        or "nothing is left"
    )


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
    if reply is None or reply.outcome is not Outcome.SUCCEEDED:
        raise Unreadable(
            f"{name} did not say whether it runs a cluster's role: {complaint(reply) if reply else 'it was not asked'}"
        )
    if any(error.id.lower().startswith(NO_NAMESPACE) for error in reply.errors):
        return []
    found = list(reply.of("MSCluster_Resource"))
    if not found and any(error.cmdlet in {"", RESOURCES.name} for error in reply.errors):
        raise Unreadable(f"{name} did not say whether it runs a cluster's role: {complaint(reply)}")
    return [f"{r.text('Name')} ({r.text('Type')})" for r in found if r.text("Type").lower() not in INFRASTRUCTURE]
