"""What a person has to decide before a draft is a plan: each about an account, about a host, or about neither.

Which guard will refuse is said where it is known; whether people may waive it is the guard's own rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from orchestrator.discovery.found import AccountFound, Discovered, HostFound, counted
from orchestrator.discovery.suggest import LONGEST, wished
from orchestrator.model.guard_ids import GUARDS
from orchestrator.model.host import FIRST_BUILD

_AES = 0x8 | 0x10
"""msDS-SupportedEncryptionTypes bits AES128-CTS-HMAC-SHA1-96 and AES256-CTS-HMAC-SHA1-96 (MS-KILE 2.2.7)."""
_LATE = timedelta(days=14)
"""How late lastLogonTimestamp may be (MS-ADA1, its page: msDS-LogonTimeSyncInterval, by default 14 days)."""
_LONG_AGO = timedelta(days=60)


@dataclass(frozen=True)
class Decision:
    """One thing to decide. ``account`` is the DN that was given, ``host`` a host's name; ``guard`` is the one that
    refuses until it is decided.
    """

    text: str
    guard: str | None = None
    account: str | None = None
    host: str | None = None

    @property
    def waivable(self) -> bool:
        """Whether people may answer for it instead."""
        return self.guard is not None and GUARDS[self.guard].waivable


def decisions(found: Discovered) -> tuple[Decision, ...]:
    """Return everything that needs a person: about the accounts that move, those that do not, and the hosts."""
    movable = found.movable
    out = [*of_plan(found)]
    out += [one for account in movable for one in of_account(found, account)]
    out += [one for host in found.hosts for one in of_host(host)]
    return (*out, *left_out(found))


def left_out(found: Discovered) -> tuple[Decision, ...]:
    """Return why accounts and computers that were named are not in the plan."""
    movable = {one.asked for one in found.movable}
    accounts = [Decision(_why(one, found), account=one.asked) for one in found.accounts if one.asked not in movable]
    computers = [Decision(f"{one.dn} was not asked: {one.why}", host=one.dn) for one in found.left]
    return (*accounts, *computers)


def of_plan(found: Discovered) -> Iterator[Decision]:
    """Yield what is about the plan as a whole."""
    for names in found.namesakes:
        text = f"{' and '.join(names)} are one machine: leave it in the plan under one name only"
        yield Decision(text, host=names[0])
    if found.movable and not found.forest:
        yield Decision(
            "the domain controller is no global catalog, so whether the dMSAs' names are free was looked up in "
            f"{found.domain} only: name one that is in estate.directory, and ask again (dmsa-name-fits)"
        )


def _why(account: AccountFound, found: Discovered) -> str:
    if account.fault is not None:
        return account.fault
    if not account.is_user:
        return f"{account.dn} is a {account.object_class}; only a user can be superseded by a dMSA (account-is-user)"
    unread = sum(not host.whole for host in found.hosts)
    blind = f"; {unread} of them could not be read in full" if unread else ""
    if found.uses(account.asked):
        return f"{account.dn} runs only what no plan can name: rename that first"
    return f"{account.dn} runs nothing on the {counted(len(found.hosts), 'host')} asked{blind}. {last_log_on(account)}"


def of_account(found: Discovered, account: AccountFound) -> Iterator[Decision]:
    """Yield what is to be decided about an account that can stand in a plan."""
    for guard, text in _refused(account):
        yield Decision(text, guard, account.asked)
    odd = list(_unsupported(found, account))
    if odd:
        yield Decision(
            f"{', '.join(odd)}: no statement of Microsoft says that they work under a dMSA. Rehearse them in a test "
            "forest, or take them out of the account",
            "workload-supported",
            account.asked,
        )
    name = found.names.get(account.asked, "")
    if name != wished(account.sam):
        yield Decision(_renamed(wished(account.sam), name), account=account.asked)
    for host, work in found.uses(account.asked):
        if not work.fits_a_plan:
            text = f"the {work.kind} {work.name} on {host.name} has a name that no plan can hold: rename it"
            yield Decision(text, account=account.asked)
        if work.bare:
            yield Decision(
                f"{work.kind} {work.name} on {host.name} runs as {work.log_on}, without a domain: it may be an "
                "account of the host's own. If it is, take it out of the plan",
                account=account.asked,
            )
    if found.at and (account.last_log_on is None or found.at - account.last_log_on > _LONG_AGO):
        yield Decision(f"is it used at all? {last_log_on(account)}", account=account.asked)


def _refused(account: AccountFound) -> Iterator[tuple[str, str]]:
    if account.linked:
        yield "account-not-linked", f"it is linked to {account.linked} already: `dmsa adopt`, or find out who did that"
    if account.privileged:
        signs = ", ".join(account.privileged)
        yield "account-not-privileged", f"it is privileged ({signs}): take that from it first"
    if not account.enabled:
        yield "account-enabled", "it is disabled: does anything need it?"
    if account.unconstrained:
        yield "no-unconstrained-delegation", "it is trusted for unconstrained delegation, which a dMSA cannot have"
    if account.encryption is not None and account.encryption and not account.encryption & _AES:
        yield "encryption-aes", "its encryption types hold no AES: add AES256, and set its password anew"


def _unsupported(found: Discovered, account: AccountFound) -> Iterator[str]:
    for host, work in found.uses(account.asked):
        what = {"task": "task", "app-pool": "application pool"}.get(work.kind)
        if work.kind == "service" and work.name.upper().startswith(("MSSQL", "SQLAGENT")):
            what = "SQL Server service"
        if what:
            yield f"{what} {work.name} ({host.name})"


def _renamed(wanted: str, name: str) -> str:
    if len(wanted) > LONGEST:
        return f"{wanted} has {len(wanted)} characters, and a dMSA's name at most {LONGEST}: {name} is free. Or another"
    return f"{wanted} is taken: {name} is free. Or another"


def of_host(host: HostFound) -> Iterator[Decision]:
    """Yield what is to be decided about a host."""
    if host.fault is not None:
        yield Decision(f"{host.name} was not read: {host.fault}", "host-reachable", host=host.name)
        return
    for trouble in host.troubles:
        yield Decision(f"{host.name}: {trouble}", "host-inventory-complete", host=host.name)
    if not host.workloads:
        return
    if host.build is not None and host.build < FIRST_BUILD:
        text = f"{host.name} is {host.caption or 'Windows'}, build {host.build}; a dMSA needs {FIRST_BUILD} or later"
        yield Decision(f"{text}. Upgrade it, or move what runs there", "host-capable", host=host.name)
    if host.controller:
        yield Decision(
            f"{host.name} is a domain controller, where a dMSA does not work", "host-capable", host=host.name
        )
    if host.roles:
        text = (
            f"{host.name} is a node of a failover cluster that runs {', '.join(host.roles)}: a workload of this plan "
            "that is one of them must leave the cluster, which starts and moves its roles itself"
        )
        yield Decision(text, "no-cluster-role", host=host.name)


def last_log_on(account: AccountFound) -> str:
    """Say when an account was last seen, and how much that is worth."""
    if account.last_log_on is None:
        return "No log-on is known (lastLogonTimestamp is empty)."
    return f"Last log-on {account.last_log_on:%Y-%m-%d}, or up to {_LATE.days} days later (lastLogonTimestamp)."
