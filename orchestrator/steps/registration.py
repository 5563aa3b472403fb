"""Hosts of the plan that are not among the principals of the dMSA: waited for, then told of, or added.

A capable host adds itself when something logs on there as the account (Microsoft Learn, dMSA overview). One that has
not done so within ``register_within`` is looked at, and each likely cause has its own remedy. With
``hosts_missing: add`` a host that is fit to use a dMSA is added to the list by us; one that is not never is, for that
would only hide why.

Set-ADServiceAccount takes the complete list and replaces the one that is there (Microsoft Learn,
-PrincipalsAllowedToRetrieveManagedPassword), and a host may add itself between reading and writing. So: it is written
only on a list that every copy shows, read again right before; everybody on it is on the new one. All hosts of the plan
are on that, so none of these can be lost. A stranger that comes in between can; it adds itself again with its next
ticket, and the ledger learns it then, long before the dwell is over, which begins anew with what is added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from orchestrator.model.action import Answer, Observe, Perform, Stop, Wait
from orchestrator.model.call import Write, cmdlet
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import PairSeen
from orchestrator.model.event import DIRECTORY
from orchestrator.model.host import ENABLED, FIRST_BUILD, HostSeen, host_reads
from orchestrator.model.ledger import LedgerSeen
from orchestrator.model.lifecycle import Pair
from orchestrator.model.observation import Fault, Unreadable
from orchestrator.model.written import write_duration, write_moment
from orchestrator.steps.convergence import agreed, awaited
from orchestrator.steps.step import did, next_look, pair_read

ASK_LEDGER = timedelta(minutes=5)
"""How soon the ledger is asked again for a host that has not registered; then ever more rarely.

A host that missed its chance registers with its next ticket, ten hours later by default; the intervals double, so
that a look falls forty minutes after that.
"""
ADDS = "Set-ADServiceAccount"


def missing_hosts(case: Case, seen: Seen, ledger: LedgerSeen) -> Answer | None:
    """Return what is next until every host of the plan is on the list, on every copy of one that was written here.

    Raises:
        Unreadable: an answer that is needed does not say.
    """
    missing = sorted(set(case.host_names) - ledger.hosts)
    if not missing:
        return _same_everywhere(case, seen) if did(case, DIRECTORY, ADDS) else None
    until = case.deadline(DIRECTORY, "registration", case.policy.register_within)
    if case.at is None or until is None or case.at < until:
        longest = max(ASK_LEDGER, case.policy.ledger_every)
        again = next_look(case, "registration", case.policy.register_within, ASK_LEDGER, longest)
        return Wait("registration", until, again, f"{', '.join(missing)} has not registered yet", news=True)
    unread = seen.unasked(read for name in missing for read in host_reads(case.migration.host(name)))
    if unread:
        return Observe(unread, more=True)
    found = [_look(case, seen, ledger, name) for name in missing]
    fit = tuple(one.account for one in found if one.fit and one.account)
    if case.policy.hosts_missing == "add" and fit:
        return _add(case, seen, fit)
    return _told(case, found)


def seen_through(case: Case, subject: str, endpoint: str, fault: Fault) -> bool:
    """Whether a fault does not keep the ledger from being judged: a host is asked for evidence only."""
    return subject == DIRECTORY and (endpoint in case.host_names or awaited(case, endpoint, fault))


@dataclass(frozen=True)
class Missing:
    """A host that has not registered: what was found there, what that points to, and what mends it.

    ``fit``: nothing is known that would keep it from using the dMSA; ``account`` is its computer account's DN.
    """

    host: str
    facts: str
    remedy: str
    fit: bool = False
    account: str | None = None

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.host}: {self.facts} ({self.remedy})"


def _look(case: Case, seen: Seen, ledger: LedgerSeen, name: str) -> Missing:
    accounts = ledger.accounts.get(name, ())
    if len(accounts) != 1:
        return Missing(name, *_no_account(case, accounts))
    try:
        found = seen.host(name)
    except Unreadable as unreadable:
        said = str(unreadable).removeprefix(f"{name}: ")
        return Missing(name, f"cannot be read now: {said}", "make it answer; it was not judged", account=accounts[0])
    cause = next(_causes(case, found), None)
    facts = "; ".join(_facts(case, found))
    if cause is not None:
        return Missing(name, facts, cause, account=accounts[0])
    return Missing(name, facts, f"one of these: {'; '.join(_unexplained(case, found))}", fit=True, account=accounts[0])


def _no_account(case: Case, accounts: tuple[str, ...]) -> tuple[str, str]:
    if accounts:
        return f"several computer accounts have this dNSHostName: {'; '.join(accounts)}", "remove the stale ones"
    return (
        f"no computer account of {case.plan.estate.domain} has this dNSHostName",
        "a host of another domain cannot be on this list; one that goes by another name is amended to that",
    )


def _facts(case: Case, found: HostSeen) -> Iterator[str]:
    yield f"{found.caption}, build {found.build}"
    yield f"{ENABLED} is {'absent' if found.value is None else found.value}"
    yield f"last boot {write_moment(found.boot_time)}"
    progress = case.state.hosts.get(found.name)
    since = case.state.baselines.get(found.name)
    if progress is not None and progress.restarted:
        yield f"workloads restarted{f' after {write_moment(since.local_time)}' if since else ''}"


def _causes(case: Case, found: HostSeen) -> Iterator[str]:
    """Yield what certainly keeps a host from registering, as what mends it."""
    if found.build < FIRST_BUILD:
        yield "this Windows cannot use a dMSA: upgrade it, or move the workload and amend the plan"
    if not found.in_domain or found.domain.lower() != (case.plan.estate.domain or "").lower():
        yield f"it is a member of {found.domain}: only hosts of {case.plan.estate.domain} can be on this list"
    if not found.enabled:
        yield f"set {ENABLED} to 1 there, and find the group policy that sets it back"
    idle = sorted(service.name for service in found.services.values() if not service.running)
    runs = [service for service in found.services.values() if service.running]
    if idle and not runs and not found.tasks and not found.app_pools:
        yield f"nothing runs there as the account: start {', '.join(idle)}"


def _unexplained(case: Case, found: HostSeen) -> Iterator[str]:
    """Yield what may have kept a host from registering that looks well, the likeliest first."""
    set_at = case.state.registry_at
    if set_at is not None and found.boot_time < set_at:
        yield "the value was set after its last boot, and may be read at boot only: reboot it"
    yield "its workload has not logged on by Kerberos since (NTLM, a ticket that still counts): restart the workload"
    yield "its domain controller has not heard of the link: `repadmin /showrepl`"
    yield "it added itself and another site's write came after: it comes back with its next ticket"


def _told(case: Case, found: list[Missing]) -> Stop:
    since = case.waits_since(DIRECTORY, "registration")
    head = (
        f"{', '.join(one.host for one in found)} did not appear among the principals of {case.migration.id} within "
        f"{write_duration(case.policy.register_within)}{f' (since {write_moment(since)})' if since else ''}:"
    )
    adds = "" if case.policy.hosts_missing == "add" else "`policy.hosts_missing: add` adds what is fit (`dmsa amend`); "
    return Stop(
        "hosts-missing",
        "\n".join((head, *map(str, found))),
        f"mend what each line says; {adds}one that is gone for good: `dmsa release-host`; then `dmsa release`, which "
        f"waits anew for {write_duration(case.policy.register_within)}",
    )


def _add(case: Case, seen: Seen, accounts: tuple[str, ...]) -> Answer:
    """Return the write of the whole list with these on it, once every copy shows the list as it was just read."""
    apart = _same_everywhere(case, seen)
    if apart is not None:
        return apart
    last, _ = seen.replies[-1]
    if pair_read(case).statements != last.statements[-2:]:
        return Observe((pair_read(case),), more=True)
    pair = seen.pair(case.endpoint, case.server)
    if pair.dmsa is None:
        raise Unreadable(f"{case.server} shows no dMSA {case.migration.id}")
    whole = cmdlet(
        ADDS,
        Identity=str(pair.dmsa.guid),
        PrincipalsAllowedToRetrieveManagedPassword=(*pair.dmsa.principals, *accounts),
        Server=case.server,
    )
    return Perform(Write(case.endpoint, whole))


def _same_everywhere(case: Case, seen: Seen) -> Answer | None:
    """Return what comes before every copy shows the same list; None once all do."""
    pinned = seen.pair(case.endpoint, case.server)

    def same(copy: PairSeen) -> bool:
        return _listed(copy) == _listed(pinned)

    return agreed(case, seen, Pair.STARTED, same, "the same allowed principals")


def _listed(pair: PairSeen) -> frozenset[str]:
    return frozenset(dn.lower() for dn in pair.dmsa.principals) if pair.dmsa else frozenset()
