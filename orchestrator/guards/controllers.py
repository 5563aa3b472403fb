"""Every domain controller counts, not the pinned one alone: each is patched, and each hears of the others' changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from orchestrator.guards.domain import controllers_read
from orchestrator.guards.guard import Guard, answered, ran
from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.event import DIRECTORY
from orchestrator.model.guard_ids import Stage
from orchestrator.model.host import FIRST_BUILD
from orchestrator.model.observation import Record, Unreadable

WINDOWS = r"HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
FIRST_UPDATE = 4946
"""The update of build 26100 that ends CVE-2025-53779, BadSuccessor: KB5063878 of August 2025."""
LATEST_SUCCESS = timedelta(hours=10)
"""Replication must be faster than this, or hosts that registered are lost (Microsoft Learn, dMSA overview)."""

_BUILD = cmdlet("Get-ItemProperty", LiteralPath=WINDOWS, Name=("CurrentBuild", "UBR"))


class DcPatched(Guard):
    """One unpatched 2025 domain controller is enough for BadSuccessor, wherever the migration itself is done."""

    id = "dc-patched"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for the controllers, and each 2025 one for its build; the directory knows the build, not its update.

        With a waiver only those are asked that must answer anyway.
        """
        named = [name for name, _ in _all(case, seen)] if seen.reply_to(controllers_read(case), case.endpoint) else []
        asked = [*case.controllers, *(name for name in named if not case.waived(self.id, stage))]
        own = {name.lower(): name for name in reversed(asked)}
        return (Read(case.endpoint, (controllers_read(case),)), *(Read(name, (_BUILD,)) for name in own.values()))

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Build 26100 with that update, or a later build."""
        del stage
        spelled = {name.lower(): name for name in case.controllers}
        new = [name for name, build in _all(case, seen) if build >= FIRST_BUILD]
        for name in new:
            yield _patched(spelled.get(name.lower(), name), seen)
        if not new:
            raise Unreadable(f"{case.server} names no Windows Server 2025 domain controller")


def _all(case: Case, seen: Seen) -> list[tuple[str, int]]:
    """Return the domain's controllers with their builds, as the directory has them; 2025 where it does not say."""
    reply = answered(seen.reply_to(controllers_read(case), case.endpoint), case.server, "the domain's controllers")
    found = []
    for record in reply.of("ADDomainController"):
        build = re.search(r"\((\d+)\)", str(record.get("OperatingSystemVersion")))
        found.append((record.text("HostName"), int(build[1]) if build else FIRST_BUILD))
    return found


def _patched(name: str, seen: Seen) -> Verdict:
    remedy = (
        f"make the endpoint of {name} answer (as one of `estate.directory.converge_on` it gets its part of "
        "`dmsa jea`), or look up CurrentBuild and UBR there"
    )
    try:
        build, update = _build(name, seen)
    except Unreadable as unreadable:
        return Verdict.unknown(name, str(unreadable), remedy)
    return Verdict.of(
        build > FIRST_BUILD or (build == FIRST_BUILD and update >= FIRST_UPDATE),
        name,
        f"build {build}.{update}",
        f"install the cumulative update of August 2025 (KB5063878, {FIRST_BUILD}.{FIRST_UPDATE}) or a later one",
    )


def _build(name: str, seen: Seen) -> tuple[int, int]:
    """Return build and update of a domain controller, as its own registry has them."""
    reply = ran(seen.reply_to(_BUILD, name), name, "its build")
    record = next((one for one in reply.records if one.has("UBR")), None)
    if record is None:
        raise Unreadable(f"{name} did not say its build and update")
    return record.number("CurrentBuild"), record.number("UBR")


class ReplicationHealthy(Guard):
    """Until every copy follows, some hosts see no link and cannot register; slower than ten hours loses them again."""

    id = "replication-healthy"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for the controllers, and each that must agree how it gets on with its partners."""
        del stage, seen
        own = (Read(_endpoint(case, name), _statements(name)) for name in case.controllers)
        return (*own, Read(case.endpoint, (controllers_read(case),)))

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """No failures, and the newest success less than ten hours ago; waited for as long as replication may take."""
        del stage
        if case.at is None:
            raise Unreadable(f"{case.server} did not say what time it is")
        if not case.controllers:
            raise Unreadable(f"{case.server} did not name the domain's controllers")
        until = case.deadline(DIRECTORY, "replication", case.policy.converge_within)
        for name in case.controllers:
            try:
                passed, evidence = _replicates(case, name, seen, case.at)
            except Unreadable as unreadable:
                yield Verdict.unknown(name, str(unreadable), "make it readable for the operator (`repadmin /showrepl`)")
                continue
            waits = ("replication", until) if not passed and until and case.at < until else None
            remedy = "" if passed else "mend the replication (`repadmin /showrepl`, `repadmin /replsummary`)"
            yield Verdict(passed, name, evidence, remedy, waits=waits)


def _endpoint(case: Case, name: str) -> str:
    return case.endpoint if name.lower() == case.server.lower() else name


def _statements(name: str) -> tuple[Cmdlet, Cmdlet]:
    return (
        cmdlet("Get-ADReplicationPartnerMetadata", Target=name, Scope="Server"),
        cmdlet("Get-ADReplicationFailure", Target=name, Scope="Server"),
    )


def _replicates(case: Case, name: str, seen: Seen, at: datetime) -> tuple[bool, str]:
    """Say whether a domain controller hears of the others' changes, and what makes one think so."""
    for statement in _statements(name):
        reply = ran(seen.reply_to(statement, _endpoint(case, name)), name, "its replication")
    partners = list(reply.of("ADReplicationPartnerMetadata"))
    trouble = [*_failures(reply.of("ADReplicationFailure")), *_failing(partners)]
    if trouble:
        return False, f"{name}: {'; '.join(dict.fromkeys(trouble))}"
    if not partners:
        others = [other for other, _ in _all(case, seen) if other.lower() != name.lower()]
        return not others, f"{name} hears from no partner" if others else f"{name} is the domain's only controller"
    success = [one.need("LastReplicationSuccess") for one in partners]
    newest = max((moment for moment in success if isinstance(moment, datetime)), default=None)
    if newest is None:
        return False, f"{name} has never heard from a partner"
    fresh = at - newest < LATEST_SUCCESS
    return fresh, f"{name}: no failures, heard of changes last at {newest.isoformat()}"


def _failures(rows: Iterator[Record]) -> Iterator[str]:
    """Yield what fails now; a row without a count is of a failure that is over."""
    for row in rows:
        if row.number("FailureCount") > 0:
            since = row.get("FirstFailureTime")
            began = f" since {since.isoformat()}" if isinstance(since, datetime) else ""
            yield f"cannot hear from {_partner(row)}{began} (error {row.get('LastError')})"


def _failing(partners: Sequence[Record]) -> Iterator[str]:
    for row in partners:
        count = row.number("ConsecutiveReplicationFailures")
        if count > 0:
            yield f"the last {count} attempts to hear from {_partner(row)} failed"


def _partner(row: Record) -> str:
    """Return a partner's name: it is given as the DN of its NTDS settings, which lie below its server object."""
    parts = re.split(r"(?<!\\),", str(row.get("Partner") or "a partner"))
    return parts[1].partition("=")[2] if len(parts) > 1 else parts[0]
