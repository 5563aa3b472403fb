"""registry: every host may use dMSAs. ``DelegatedMSAEnabled`` = DWORD 1 under the Kerberos policy key.

Microsoft Learn, Setting up dMSA. The value belongs to the host, not to one account, and is therefore counted
(:mod:`orchestrator.model.run`). A missing key is made level by level, because New-Item -Force on an existing
key would empty it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from orchestrator.model.action import Answer, Done, Observe, Perform, Record, Stop, Wait
from orchestrator.model.call import Cmdlet, Read, Write, cmdlet
from orchestrator.model.case import Case, Seen
from orchestrator.model.event import BaselineRead
from orchestrator.model.host import (
    ENABLED,
    KERBEROS_KEY,
    KERBEROS_PARENT,
    HostSeen,
    parent_read,
)
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.observation import Fault, FaultKind
from orchestrator.model.plan import Host
from orchestrator.steps.inventory import host_reads_of, is_known, join, read_too_early
from orchestrator.steps.step import LOOK_AGAIN, Groups, Step, did

REBOOT_TAKES = timedelta(minutes=30)
RESTORING_TAKES = timedelta(minutes=30)
"""How long another migration's write to the host's switch is waited for; one of unknown outcome is settled sooner."""
_PROVED = frozenset({"set", "was-set"})


class Registry(Step):
    """Set the value on each host, and reboot where the plan says so."""

    trigger: ClassVar = Trigger.REGISTRY
    leads_to: ClassVar = Phase.REGISTERED

    def groups(self, case: Case) -> Groups:
        """Return the hosts, side by side."""
        return (case.host_names,)

    def reads(self, case: Case, subject: str) -> tuple[Read, ...]:
        """Ask the host about itself and its switch; one that joined since the snapshot about its workloads too."""
        return host_reads_of(case, Host(name=subject) if is_known(case, subject) else case.migration.host(subject))

    def judge(self, case: Case, subject: str, seen: Seen) -> Answer:
        """Write a host that joined down; make the key, set the value, reboot; each read back before the next."""
        in_flux = None if case.needs_switch(subject) else self._in_flux(case, subject, seen)
        if in_flux is not None:
            return in_flux
        host = seen.host(subject)
        if not is_known(case, subject):
            return join(case, subject, seen)
        if not host.enabled:
            return enable(host, 1)
        known = case.state.hosts[subject].registry
        ours = case.needs_switch(subject) or _set_by_hand(case, subject)
        reboots = ours and known not in _PROVED and case.policy.reboot == "after_registry"
        if reboots:
            since = since_when(case, subject, self.trigger)
            if since is None:
                return Record((baseline(case, host, self.trigger),))
            if host.boot_time <= since:
                return _reboot(case, subject)
        return Done(
            registry=known if known in _PROVED else "set" if ours else "was-set",
            rebooted=True if reboots else None,
            evidence={ENABLED: host.value, "boot_time": host.boot_time.isoformat()},
        )

    def _in_flux(self, case: Case, subject: str, seen: Seen) -> Answer | None:
        """Return what comes first where another migration is putting the host's switch back; None if none is.

        It decided that before this one was known to need the switch; what is read until then may be over at once.
        """
        unknown = uncounted(case, subject)
        if unknown is not None:
            return unknown
        restoring = being_restored(case, subject, subject)
        if restoring is not None:
            return restoring
        return Observe(self.reads(case, subject)) if read_too_early(case, subject, seen) else None

    def on_fault(self, case: Case, subject: str, fault: Fault) -> Wait | None:
        """Expect a host that was told to reboot to be away for a while."""
        if not did(case, subject, "Restart-Computer") or fault.kind is FaultKind.PERMANENT or case.at is None:
            return None
        booting = _booting(case, subject)
        return booting if booting.until is None or case.at < booting.until else None


def uncounted(case: Case, subject: str) -> Stop | None:
    """Return the stop before a switch is set for the first time, or put back, where who needs it cannot be known."""
    row = case.run.switches.unread
    if row is None:
        return None
    return Stop(
        "unknown-outcome",
        f"{subject}: whether another plan on this journal needs {ENABLED} there is not known, because {row} was "
        "written by a newer version of dmsa. The value was not changed.",
        "upgrade dmsa here, then `dmsa release`",
    )


def enable(host: HostSeen, value: int) -> Answer:
    """Return what brings the host's switch to a value: the next missing key, or the value itself."""
    if host.key_exists:
        return Perform(Write(host.name, set_value(value)))
    if host.parent_exists is None:
        return Observe((parent_read(host.name),), more=True)
    path = KERBEROS_KEY if host.parent_exists else KERBEROS_PARENT
    return Perform(Write(host.name, cmdlet("New-Item", Path=path)))


def set_value(value: int) -> Cmdlet:
    """Return the write of the switch, as a DWORD."""
    return cmdlet(
        "New-ItemProperty",
        LiteralPath=KERBEROS_KEY,
        Name=ENABLED,
        Value=value,
        PropertyType="DWord",
        Force=True,
    )


def baseline(case: Case, host: HostSeen, step: Trigger) -> BaselineRead:
    """Return the host's clock as it stands before the step restarts anything there."""
    return BaselineRead(
        migration=case.migration.id,
        step=step,
        host=host.name,
        local_time=host.local_time,
        boot_time=host.boot_time,
    )


def since_when(case: Case, host: str, step: Trigger) -> datetime | None:
    """Return after when something at a host counts as restarted; None: its clock must be read first.

    What a person says was restarted by hand was so since the phase began.
    """
    if host in case.state.baselines:
        return case.state.baselines[host].local_time
    return case.state.since if case.asserted(step) else None


def _set_by_hand(case: Case, host: str) -> bool:
    before = case.original(host)
    return case.asserted(Trigger.REGISTRY) and before is not None and before.value != 1


def _reboot(case: Case, subject: str) -> Answer:
    """Tell the host to reboot; then wait for it, and for a newer boot time."""
    if not did(case, subject, "Restart-Computer"):
        return Perform(Write(subject, cmdlet("Restart-Computer", Force=True)), disruptive=True)
    booting = _booting(case, subject)
    if case.at is None or booting.until is None or case.at < booting.until:
        return booting
    return Stop(
        "fault",
        f"{subject} was told to reboot and has not done so within {REBOOT_TAKES}; its switch is set.",
        "reboot it, then `dmsa release`",
    )


def being_restored(case: Case, host: str, subject: str) -> Wait | Stop | None:
    """Return the wait for another migration that is putting a host's switch back, a stop where nobody knows any longer
    whether it is; None where none is.

    Args:
        case: the migration that needs the switch.
        host: where.
        subject: what waits.
    """
    user = case.run.switches.restoring.get(host.lower())
    if user is None:
        return None
    other, until = case.run.named(user), case.deadline(subject, "retry", RESTORING_TAKES)
    if case.at is None or until is None or case.at < until:
        again = case.at + LOOK_AGAIN if case.at else None
        return Wait("retry", until, again, f"{other} is putting the switch of {host} back")
    return Stop(
        "unknown-outcome",
        f"{host}: whether the write with which {other} puts the host's switch back will still take effect is not "
        f"known after {RESTORING_TAKES}.",
        f"let the way back of {other} end, then `dmsa release`",
    )


def _booting(case: Case, subject: str) -> Wait:
    until = case.deadline(subject, "reboot", REBOOT_TAKES)
    return Wait("reboot", until, case.at + LOOK_AGAIN if case.at else None, "the host was told to reboot")
