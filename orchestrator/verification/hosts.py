"""One host: its switch as the journal says, and its workloads as before."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.before import Difference, HostBefore
from orchestrator.model.case import Case
from orchestrator.model.host import ENABLED, KERBEROS_KEY, HostSeen
from orchestrator.model.lifecycle import Phase
from orchestrator.steps import by_hand
from orchestrator.steps.comparison import STATE
from orchestrator.steps.workloads import dependents_of
from orchestrator.verification.facts import of_both, of_host
from orchestrator.verification.finding import UNDER_WAY, Finding, right_until, since_phase
from orchestrator.verification.wanted import is_written_to

_PROVED = frozenset({"set", "was-set"})
_STATES = frozenset({"Running", "Started", "Ready", "Queued"})
_SET = f"New-ItemProperty -LiteralPath '{KERBEROS_KEY}' -Name {ENABLED} -Value 1 -PropertyType DWord -Force"


def under_way(case: Case, subject: str) -> Finding:
    """Return that a write is on its way to a subject, or was and nobody has looked since."""
    attempt = case.state.open[subject]
    word = "its outcome is not settled" if attempt.unsettled else "it has not ended"
    return Finding(
        UNDER_WAY,
        subject,
        f"{attempt.started.cmdlet} was sent, and {word}",
        "at rest: what it changes cannot be judged before",
        "`dmsa verify PLAN` again once it has ended; where nobody drives, `dmsa run PLAN` settles it",
    )


def judged(case: Case, found: HostSeen, now: HostBefore) -> Iterator[Finding]:
    """Judge a host that was written down before: its switch, then its workloads."""
    taken = case.state.snapshot
    assert taken is not None
    if is_written_to(case, found.name):
        yield under_way(case, found.name)
        return
    yield from switch(case, found)
    if case.goes_back or found.name in case.planned_hosts:  # what left the plan is looked at again on a way back
        yield from _workloads(case, found, *of_both(case, found.name, taken.hosts[found.name], now))


def switch(case: Case, found: HostSeen) -> Iterator[Finding]:
    """Judge the host-wide value: 1 where it was set, else as it was, unless another migration needs it."""
    name, state = found.name, case.state
    before = case.original(name)
    progress = state.hosts.get(name)
    written = any(subject == name for subject, _ in state.performed)
    needed = case.run.switches.uses.get(name.lower())
    if case.needs_switch(name) and progress is not None and progress.registry in _PROVED:
        is_restored = state.phase is Phase.UNLINKED and written and before is not None and found.value == before.value
        if not found.enabled and not is_restored:
            yield _set_back(case, found)
        return
    if before is None or found.value == before.value or name.lower() in case.run.switches.restoring:
        return
    if needed is not None and found.enabled:
        return
    yield Finding(
        "registry-changed",
        name,
        f"{ENABLED} is {_shown(found.value)}",
        f"{_shown(before.value)}, as before anything was changed",
        "find out who, or which group policy, sets it (`gpresult /scope computer /h report.html` there)",
        since_phase(case),
    )


def _set_back(case: Case, found: HostSeen) -> Finding:
    return Finding(
        "registry-set-back",
        found.name,
        f"{ENABLED} is {_shown(found.value)}",
        "1, for the host must be able to use the dMSA",
        "a group policy is the likely cause: `gpresult /scope computer /h report.html` there names it. Take it out, "
        f"then, as a person, `{_SET}`; a workload that restarts before cannot log on as the dMSA",
        right_until(case.state.registry_at),
    )


def _shown(value: int | str | None) -> str:
    return "absent" if value is None else repr(value)


def _workloads(case: Case, found: HostSeen, before: HostBefore, now: HostBefore) -> Iterator[Finding]:
    for one in of_host(case, found, before, now):
        if one.name in {ENABLED, "registry key"} or (one.name == "computer name" and one.now is None):
            continue
        if one.verdict == "declared":
            continue
        finding = _changed(case, found.name, before, one)
        if finding is not None:
            yield finding
    for name in dependents_of(before):
        service = found.services.get(name.lower())
        if service is None or not service.running:
            there = "gone" if service is None else service.state
            yield _down(case, found.name, f"service {name}", there, "Running, as another service depends on it")


def _changed(case: Case, host: str, before: HostBefore, one: Difference) -> Finding | None:
    what = one.name.removeprefix(STATE)
    whole = what != one.name
    if whole and one.before in _STATES:
        return _down(case, host, what, one.now or "gone", str(one.before))
    if whole and one.now is None:
        return _down(case, host, what, "gone", str(one.before))
    if not whole and one.now is None:
        return None  # the workload is gone, or runs as itself: told by its state
    if whole and what.startswith("service "):
        service = before.services.get(what.removeprefix("service "))
        if service is None or service.start_mode == "Manual":
            return None  # what is started on demand comes and goes
    return Finding(
        "workload-changed",
        host,
        f"{what} is {one.now}",
        f"{one.before}, as before",
        "find out who changed it and whether it is meant; a way back expects it as it was",
    )


def _down(case: Case, host: str, name: str, there: str, should: str) -> Finding:
    command = f"; `{by_hand.workload(name)}` there" if not name.startswith("task ") and there != "gone" else ""
    return Finding(
        "workload-down",
        host,
        f"{name} is {there}",
        f"{should}, as before" if not should.endswith("it") else should,
        f"find out why, in the host's event log{command}",
        since_phase(case),
    )
