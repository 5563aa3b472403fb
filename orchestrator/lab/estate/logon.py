"""Logging on as a service account: what the Kerberos client of a host and its DC make of it.

Sources: Microsoft Learn, "Delegated Managed Service Accounts overview" and "Setting up delegated Managed
Service Accounts"; MS-KILE 2.2.13 and 2.2.14. During the started state a capable host adds itself, as the
account, to the principals that may retrieve the dMSA's password, and goes on as the account. Once completed,
the DC refuses the account and points to the dMSA, which a capable host on that list can then become. The
service's own log-on name never changes, which is why a deleted account logs on no more. A host adds itself not
only at a log-on but at every renewal of a ticket too, which is what heals a list that two sites wrote at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum

from orchestrator.lab.estate import account_control as uac
from orchestrator.lab.estate.clock import Clock
from orchestrator.lab.estate.descriptor import migration_grant
from orchestrator.lab.estate.directory import Directory
from orchestrator.lab.estate.genesis import DMSA_CLASS
from orchestrator.lab.estate.machine import DMSA_BUILD, KERBEROS_LOG, EventRecord, Machine
from orchestrator.lab.estate.migration import MEMBERSHIP, PRECEDED_BY, STATE, SUPERSEDED_BY, SUPERSEDED_STATE
from orchestrator.lab.estate.replica import Entry, Replica
from orchestrator.lab.estate.security_log import OrderedLog
from orchestrator.lab.estate.xpath import ANYTHING, Condition

_LOCAL = (
    "localsystem",
    "system",
    "nt authority\\",
    "nt service\\",
    "localservice",
    "networkservice",
    "applicationpoolidentity",
    ".\\",
)


class Session(Enum):
    """As whom a log-on succeeded."""

    LOCAL = "local"
    ACCOUNT = "account"
    DMSA = "dmsa"


@dataclass
class Authority:
    """The domain's side of every log-on, and the DCs' Security logs."""

    directory: Directory
    clock: Clock
    controllers: dict[str, Machine]
    reachable: Callable[[Machine], bool]
    security: dict[str, list[EventRecord]] = field(default_factory=dict)
    _ordered: dict[str, OrderedLog] = field(default_factory=dict)

    def dc_for(self, machine: Machine, *, writable: bool = False) -> Machine | None:
        """Return the DC that this machine talks to: its own site's if that answers, else any that does."""
        if machine.dc is not None and not writable:
            return machine
        other = None
        for dc in self.controllers.values():
            if self.reachable(dc) and (not writable or self.is_writable(dc)):
                if dc.site == machine.site:
                    return dc
                other = other or dc
        return other

    def is_writable(self, dc: Machine) -> bool:
        """Say whether a DC takes originating writes."""
        return any(item.writable for item in self.directory.spec.dcs if item.name.lower() == dc.dc)

    def log_on(self, machine: Machine, name: str) -> Session | None:
        """Log on as *name* on *machine*; None if that is refused."""
        if name.lower().startswith(_LOCAL):
            return Session.LOCAL
        dc = self.dc_for(machine)
        if dc is None or dc.dc is None:
            return None
        replica = self.directory.replicas[dc.dc]
        account = self.account(replica, name)
        if account is None:
            return None
        disabled = account.number("userAccountControl") & uac.DISABLED
        if not disabled and self._shut_out(account):
            return None
        dmsa = self._superseding(replica, account)
        self.note_logon(dc, account.sam, machine.address, revoked=bool(disabled))
        if not disabled:
            self.note_service_ticket(dc, account.sam, machine)
            if dmsa is not None and account.number(SUPERSEDED_STATE) == 1 and machine.capable:
                self._register(machine, account, dmsa)
            return Session.ACCOUNT
        if dmsa is not None and self._may_become(replica, machine, account, dmsa):
            self._client_event(machine, 307, account, dmsa)
            self._client_event(machine, 309, account, dmsa)
            return Session.DMSA
        return None

    def _shut_out(self, account: Entry) -> bool:
        """Whether an account that is enabled may not log on all the same: locked out, or expired."""
        expires = account.number("accountExpires")
        expired = expires not in {0, uac.NEVER} and expires <= uac.filetime(self.clock.now)
        return bool(account.number("lockoutTime")) or expired

    def being_migrated(self) -> frozenset[str]:
        """Return the folded names of the accounts that some DC shows as being migrated."""
        replicas = self.directory.replicas.values()
        return frozenset(entry.sam.lower() for replica in replicas for entry in replica.having(SUPERSEDED_STATE, 1))

    def renew(self, machine: Machine, name: str) -> None:
        """Renew the tickets of something that runs on *machine* as *name*: a host that was lost adds itself again."""
        dc = None if name.lower().startswith(_LOCAL) else self.dc_for(machine)
        if dc is None or dc.dc is None or not machine.capable:
            return
        replica = self.directory.replicas[dc.dc]
        account = self.account(replica, name)
        dmsa = self._superseding(replica, account) if account else None
        if account and dmsa and account.number(SUPERSEDED_STATE) == 1:
            self._register(machine, account, dmsa)

    def account(self, replica: Replica, name: str) -> Entry | None:
        """Return the account that a log-on name means: ``CORP\\sam``, ``corp.example\\sam`` or ``sam@corp.example``."""
        domain, _, sam = name.rpartition("\\")
        if not domain:
            sam, _, domain = name.partition("@")
        spec = self.directory.spec.domain
        if domain.lower() not in {spec.dns.lower(), spec.netbios.lower(), ""}:
            return None
        return replica.account(sam)

    def note_logon(self, dc: Machine, sam: str, address: str, *, revoked: bool = False) -> None:
        """Write a ticket request (4768) to a DC's Security log; a failed one names no SID."""
        account = self.directory.replicas[str(dc.dc)].account(sam)
        sid = account.sid if account is not None and not revoked else "S-1-0-0"
        status, client = "0x12" if revoked else "0x0", _client(dc, address)
        data = {"TargetUserName": sam, "TargetSid": sid, "IpAddress": client, "Status": status}
        message = (
            "A Kerberos authentication ticket (TGT) was requested.\n\n"
            f"Account Information:\n\tAccount Name:\t\t{sam}\n\tUser ID:\t\t\t{sid}\n\n"
            f"Network Information:\n\tClient Address:\t\t{client}\n"
        )
        self._security_event(dc, 4768, message, data)

    def note_service_ticket(self, dc: Machine, sam: str, machine: Machine) -> None:
        """Write the service ticket (4769) that follows a log-on: for the machine where the account logs on."""
        client, name = _client(dc, machine.address), f"{sam}@{self.directory.spec.domain.dns.upper()}"
        data = {"TargetUserName": name, "ServiceName": f"{machine.short.upper()}$", "IpAddress": client}
        message = (
            "A Kerberos service ticket was requested.\n\n"
            f"Account Information:\n\tAccount Name:\t\t{name}\n\n"
            f"Network Information:\n\tClient Address:\t\t{client}\n"
        )
        self._security_event(dc, 4769, message, data)

    def note_ntlm(self, dc: Machine, sam: str, workstation: str) -> None:
        """Write a credential validation (4776) to a DC's Security log."""
        data = {"TargetUserName": sam, "Workstation": workstation, "Status": "0x0"}
        message = (
            "The computer attempted to validate the credentials for an account.\n\n"
            "Authentication Package:\tMICROSOFT_AUTHENTICATION_PACKAGE_V1_0\n"
            f"Logon Account:\t{sam}\nSource Workstation:\t{workstation}\nError Code:\t0x0\n"
        )
        self._security_event(dc, 4776, message, data)

    def _security_event(self, dc: Machine, number: int, message: str, data: dict[str, str]) -> None:
        rows = self.security.setdefault(str(dc.dc), [])
        rows.append(EventRecord("Security", number, self.clock.now, dc.name, message, data, len(rows) + 1))

    def begin_security_logs(self) -> None:
        """Put the first row into each DC's log: the DC's own ticket request, as far back as the log reaches."""
        for dc in self.controllers.values():
            self.note_logon(dc, f"{dc.short.upper()}$", dc.address)
            self.security[str(dc.dc)][-1].at = self.clock.now - self._reach(dc)

    def security_log(self, dc: Machine, where: Condition = ANYTHING) -> list[EventRecord]:
        """Return what a DC's Security log holds now, the oldest first, and what can meet a condition among it.

        The oldest rows have made room for newer ones. Machines log on all the time, so that there is always a ticket
        request as old as the log. One stands for all.
        """
        oldest = self.clock.now - self._reach(dc)
        written = self.security[str(dc.dc)]
        known = self._ordered.get(str(dc.dc))
        if known is None or known.written is not written:
            known = self._ordered[str(dc.dc)] = OrderedLog(written)
        since = oldest if where.since is None else max(oldest, where.since)
        rows = [row for row in known.between(since, where.until, where.users) if row is not written[0]]
        return [replace(written[0], at=oldest), *rows]

    def _reach(self, dc: Machine) -> timedelta:
        return next(one.security_log for one in self.directory.spec.dcs if one.name.lower() == dc.dc)

    def _superseding(self, replica: Replica, account: Entry) -> Entry | None:
        """The dMSA of a mutual pair; since KB5063878 a one-sided link counts for nothing."""
        for dmsa in replica.linked(account, SUPERSEDED_BY):
            if dmsa.kind == DMSA_CLASS and dmsa.get(PRECEDED_BY) == (account.guid,):
                return dmsa
        return None

    def _may_become(self, replica: Replica, machine: Machine, account: Entry, dmsa: Entry) -> bool:
        if not machine.capable or dmsa.number(STATE) != 2 or account.number(SUPERSEDED_STATE) != 2:
            return False
        computer = replica.account(f"{machine.short}$")
        if computer is None:
            return False
        own = {computer.sid, *(group.sid for group in replica.groups_of(computer).values())}
        return bool(own & set(dmsa.texts(MEMBERSHIP)))

    def _register(self, machine: Machine, account: Entry, dmsa: Entry) -> None:
        if not machine.spec.registers:
            return
        self._client_event(machine, 307, account, dmsa)
        dc = self.dc_for(machine, writable=True)
        if dc is None or dc.dc is None or dc.spec.build < DMSA_BUILD:
            return
        replica = self.directory.replicas[dc.dc]
        there, computer = replica.live(dmsa.guid), replica.account(f"{machine.short}$")
        if there is None or computer is None or there.number(STATE) != 1:
            return
        members = there.texts(MEMBERSHIP)
        if computer.sid in members:
            return
        if not set(migration_grant(account.sid)) <= set(self.directory.descriptor(there).aces):
            return
        self._client_event(machine, 308, account, dmsa)
        self.directory.write(dc.dc, there.guid, {MEMBERSHIP: tuple(sorted({*members, computer.sid}))})

    def _client_event(self, machine: Machine, number: int, account: Entry, dmsa: Entry) -> None:
        if not machine.event_log:
            return
        said = {
            307: "The account has been or is being migrated to a delegated managed service account.",
            308: "An attempt was made to add this machine to the principals allowed to retrieve the password.",
            309: "The client attempts to fetch the keys of a delegated managed service account.",
        }[number]
        message = f"{said} Account: {account.sam}. dMSA: {dmsa.sam}."
        machine.events.append(EventRecord(KERBEROS_LOG, number, self.clock.now, machine.name, message))


def _client(dc: Machine, address: str) -> str:
    """Return a client's address as the DC writes it: its own is ``::1`` (Microsoft Learn, "4768(S, F)")."""
    return "::1" if address == dc.address else f"::ffff:{address}"
