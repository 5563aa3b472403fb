"""What is read to judge one migration, round after round: each answer may ask for more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from orchestrator.model.action import Observe
from orchestrator.model.before import HostBefore
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import PairSeen
from orchestrator.model.ledger import ledger_reads, ledger_seen
from orchestrator.model.lifecycle import Phase
from orchestrator.model.observation import Unreadable
from orchestrator.steps import snapshot
from orchestrator.steps.controllers import controllers_read, knowing_controllers
from orchestrator.steps.convergence import further_copies, pair_reads_everywhere
from orchestrator.steps.inventory import host_before
from orchestrator.steps.restart import workload_reads
from orchestrator.verification import witness
from orchestrator.verification.original import tombstone_read


def asks(case: Case, seen: Seen) -> tuple[Read, ...]:
    """Return what must still be read; nothing once everything was asked that can be."""
    return seen.unasked(_wanted(case, seen))


def hosts(case: Case) -> tuple[str, ...]:
    """Return the hosts that were written down before anything was changed there, but for those that are lost."""
    return case.hosts_back if case.state.snapshot else ()


def pinned(case: Case, seen: Seen) -> PairSeen:
    """Return the pair as the pinned domain controller shows it.

    Raises:
        Unreadable: it was not read.
    """
    return seen.pair(case.endpoint, case.server)


def others(case: Case, seen: Seen) -> Iterator[PairSeen]:
    """Yield the pair as every other domain controller shows it that could be read."""
    for name in further_copies(case):
        try:
            yield seen.pair(name, name)
        except Unreadable:
            continue


def has_ledger(case: Case) -> bool:
    """Whether there are principals that the journal says something about."""
    return case.state.phase is not Phase.PLANNED


def inventory(case: Case, seen: Seen, name: str) -> HostBefore | Observe:
    """Return a host as a snapshot would hold it now, or what must be read for that.

    Raises:
        Unreadable: it could not be read.
    """
    return host_before(case.host(name), seen.host(name), seen)


def _wanted(case: Case, seen: Seen) -> Iterator[Read]:
    if not case.controllers:
        yield controllers_read(case)
        with suppress(Unreadable):
            case = knowing_controllers(case, seen)
    yield from pair_reads_everywhere(case)
    yield from witness.reads(case)
    yield from ledger_reads(case) if has_ledger(case) else ()
    for name in hosts(case):
        yield from workload_reads(case, name)
        yield from _more_of_host(case, seen, name)
    yield from _more_of_directory(case, seen)


def _more_of_host(case: Case, seen: Seen, name: str) -> Iterable[Read]:
    if not seen.asked(name):
        return ()
    try:
        found = inventory(case, seen, name)
    except Unreadable:
        return ()
    return found.reads if isinstance(found, Observe) else ()


def _more_of_directory(case: Case, seen: Seen) -> Iterator[Read]:
    try:
        pair = pinned(case, seen)
    except Unreadable:
        return
    if pair.account is None:
        yield from tombstone_read(case)
    elif case.state.snapshot is not None:
        missing = snapshot.unread(case, seen, pair)
        yield from missing.reads if missing else ()
    if has_ledger(case) and pair.dmsa is not None:
        try:
            open_ = ledger_seen(case, seen)
        except Unreadable:
            return
        yield from open_ if isinstance(open_, tuple) else ()
