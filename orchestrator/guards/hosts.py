"""The hosts can do it: they answer, they know what a dMSA is, and what runs there is supported."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.guards.guard import Guard, pair_read
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.directory import pair_reads
from orchestrator.model.guard_ids import Stage
from orchestrator.model.host import ENABLED, FIRST_BUILD, host_reads
from orchestrator.model.observation import Outcome
from orchestrator.model.plan import Host
from orchestrator.model.users_of import users_reads

DOMAIN_CONTROLLER_ROLES = frozenset({4, 5})
"""Win32_ComputerSystem.DomainRole: backup and primary domain controller (Microsoft Learn, the class's page)."""


def _hosts(case: Case) -> tuple[Read, ...]:
    return tuple(read for name in case.host_names for read in host_reads(Host(name=name)))


class HostReachable(Guard):
    """Every endpoint that this migration needs answers with the plan's connection."""

    id = "host-reachable"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask each host, and each domain controller that must agree."""
        del stage, seen
        others = (name for name in case.controllers if name.lower() != case.server.lower())
        return (
            pair_read(case),
            *(Read(name, pair_reads(name, case.migration.id, case.account)) for name in others),
            *_hosts(case),
        )

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """A reply of any kind is an answer; a fault before one is not.

        An endpoint that became known only after the others were asked says nothing beside one that did not answer.
        """
        del stage
        verdicts = [_answers(endpoint, seen) for endpoint in self._endpoints(case)]
        if any(verdict.passed is False for verdict in verdicts):
            verdicts = [verdict for verdict in verdicts if verdict.passed is not None]
        yield from verdicts

    @staticmethod
    def _endpoints(case: Case) -> tuple[str, ...]:
        """Return the endpoints that are asked; the pinned one stands for its server."""
        names = dict.fromkeys((case.endpoint, *case.controllers, *case.host_names))
        return tuple(name for name in names if name == case.endpoint or name != case.server)


def _answers(endpoint: str, seen: Seen) -> Verdict:
    replies = [reply for _, reply in seen.at(endpoint)]
    faults = [reply.fault for reply in replies if reply.fault and reply.outcome is not Outcome.SUCCEEDED]
    unreached = [fault for fault in faults if not fault.reached]
    if unreached:
        return Verdict.of(False, endpoint, unreached[0].message, unreached[0].remedy)
    if replies:
        return Verdict.of(True, endpoint, "answers")
    return Verdict.unknown(endpoint, f"{endpoint} was not asked", "mend what kept it from being asked")


class _OfHosts(Guard):
    """A guard that each host answers for itself."""

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask each host about itself, its switch included."""
        del stage, seen
        return _hosts(case)


class HostCapable(_OfHosts):
    """Only Windows Server 2025 and Windows 11 24H2 can use a dMSA; on domain controllers it does not work."""

    id = "host-capable"
    of_host = True

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Build 26100 or later, a member of the domain, not a domain controller."""
        del stage
        for name in case.host_names:
            host = seen.host(name)
            member = host.in_domain and host.domain.lower() == (case.plan.estate.domain or "").lower()
            controller = host.domain_role in DOMAIN_CONTROLLER_ROLES
            yield Verdict.of(
                host.build >= FIRST_BUILD and member and not controller,
                name,
                f"{host.caption}, build {host.build}, {'member of ' if member else 'in '}{host.domain}"
                + (", a domain controller" if controller else ""),
                "every host that uses the account needs Windows Server 2025 or Windows 11 24H2; "
                "upgrade it or move the workload before this migration",
            )


class HostRegistryEffective(_OfHosts):
    """After Complete a host without the switch cannot log on; a value that was set back is a group policy's work."""

    id = "host-registry-effective"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """DelegatedMSAEnabled is the DWORD 1, right before it is needed."""
        del stage
        for name in case.host_names:
            host = seen.host(name)
            yield Verdict.of(
                host.enabled,
                name,
                f"{ENABLED} is {'absent' if host.value is None else host.value}",
                "find the group policy that sets it back, set it to 1 there or take the host out of its scope",
            )


class WorkloadSupported(Guard):
    """No statement of Microsoft says that tasks, application pools or SQL Server work under a dMSA."""

    id = "workload-supported"
    of_host = True

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask a host about itself, and what runs there, where that is for the host to say."""
        asked = tuple(host.name for host in case.migration.hosts if host.discovers)
        users = (read for name in asked for read in users_reads(name, seen, each=True))
        return (*super().probe(case, stage, seen), *([pair_read(case)] if asked else ()), *users)

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Services pass; the others need a waiver from somebody who has rehearsed them."""
        del stage, seen
        for host in case.migration.hosts:
            if host.discovers:
                yield Verdict.unknown(host.name, "what runs there under the account is not known", _ASK_IT)
                continue
            odd = [f"task {task.path}" for task in host.tasks] + [f"application pool {n}" for n in host.app_pools]
            odd += [f"SQL Server service {n}" for n in host.services if n.upper().startswith(("MSSQL", "SQLAGENT"))]
            yield Verdict.of(
                not odd,
                host.name,
                ", ".join(odd) or "services only",
                "rehearse it in a test forest, then waive `workload-supported` with reason and approver",
            )


_ASK_IT = "host-inventory-complete says what keeps it from being known; or list its workloads in the plan"
