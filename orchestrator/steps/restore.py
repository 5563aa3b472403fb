"""restore: each host's switch is as it was before the first of ours needed it: absent, 0 or 1.

While another migration on the host still needs the value it is kept, be it of another wave or of another plan on the
same journal; the last one to leave puts it back. Registry keys made on the way stay (declared): other policies may have
come to live there.
"""

from __future__ import annotations

from typing import ClassVar

from orchestrator.model.action import Answer, Done, Perform, Stop
from orchestrator.model.call import Read, Write, cmdlet
from orchestrator.model.case import Case, Seen
from orchestrator.model.host import ENABLED, KERBEROS_KEY, host_reads
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.plan import Host
from orchestrator.steps.registry import enable, uncounted
from orchestrator.steps.step import Groups, Step


class Restore(Step):
    """Put each host's value back, unless another migration needs it."""

    trigger: ClassVar = Trigger.RESTORE
    leads_to: ClassVar = Phase.RESTORED

    def groups(self, case: Case) -> Groups:
        """Return the hosts, side by side."""
        return (case.hosts_back,)

    def reads(self, _case: Case, subject: str) -> tuple[Read, ...]:
        """Ask the host about itself and its switch."""
        return host_reads(Host(name=subject))

    def judge(self, case: Case, subject: str, seen: Seen) -> Answer:
        """Compare with the original, and write the difference."""
        host = seen.host(subject)
        needed_by = sorted(case.needed_elsewhere(subject))
        before = case.original(subject)
        if needed_by or before is None or not case.needs_switch(subject):
            kept = "kept" if needed_by else "pending"
            return Done(registry=kept, evidence={ENABLED: host.value, "needed_by": needed_by})
        if host.value == before.value:
            return Done(registry="restored", evidence={ENABLED: host.value})
        unknown = uncounted(case, subject)
        if unknown is not None:
            return unknown
        if before.value is None:
            return Perform(Write(subject, cmdlet("Remove-ItemProperty", LiteralPath=KERBEROS_KEY, Name=ENABLED)))
        if before.value in (0, 1) and isinstance(before.value, int):
            return enable(host, before.value)
        return Stop(
            "restored-by-hand",
            f"{subject}: {ENABLED} under {KERBEROS_KEY} was {before.value!r} and is {host.value!r}; nothing here "
            "writes any other value than the DWORDs 0 and 1.",
            "set the value back by hand, then `dmsa release`",
        )
