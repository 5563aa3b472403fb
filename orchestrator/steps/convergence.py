"""Whether every copy of the directory shows what the pinned one does: waited for, and held past the deadline.

A copy that cannot be read does not show it. It is asked again like one that is late, so an outage of hours costs time
and no attempts; what a person must mend (a refused log-on, a certificate) holds at once, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.model.action import Observe, Record, Stop, Wait
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import PairSeen, pair_reads
from orchestrator.model.event import DIRECTORY
from orchestrator.model.lifecycle import Pair
from orchestrator.model.observation import Fault, FaultKind, Unreadable
from orchestrator.model.witness import witness_endpoint
from orchestrator.model.written import write_duration, write_moment
from orchestrator.steps.controllers import controllers_asked, controllers_changed
from orchestrator.steps.step import LONGEST_LOOK, LOOK_AGAIN, next_look, pair_read


@dataclass(frozen=True)
class Away:
    """A copy that could not be read now, and why."""

    server: str
    why: str

    def __str__(self) -> str:
        """Say so."""
        return f"{self.server} could not be read ({self.why})"


Copy = PairSeen | Away


def further_copies(case: Case) -> tuple[str, ...]:
    """Return the domain controllers that must agree with the pinned one."""
    return tuple(name for name in case.controllers if name.lower() != case.server.lower())


def pair_reads_everywhere(case: Case) -> tuple[Read, ...]:
    """Ask every domain controller that must agree for the pair, each other one by its own endpoint."""
    return (*controllers_asked(case), pair_read(case), *_further_reads(case))


def pair_reads_after_replication(case: Case) -> tuple[Read, ...]:
    """Ask the pinned domain controller; the others too once they have had time to hear of a change."""
    return pair_reads_everywhere(case) if _replicating(case) else (pair_read(case),)


def _further_reads(case: Case) -> tuple[Read, ...]:
    return tuple(Read(name, pair_reads(name, case.migration.id, case.account)) for name in further_copies(case))


def _replicating(case: Case) -> bool:
    return (DIRECTORY, "replication") in case.state.deadlines


def pairs_everywhere(case: Case, seen: Seen) -> list[PairSeen]:
    """Return the pair as every domain controller shows it, the pinned one first.

    Raises:
        Unreadable: one of them could not be read.
    """
    return [seen.pair(case.endpoint, case.server), *(seen.pair(name, name) for name in further_copies(case))]


def awaited(case: Case, endpoint: str, fault: Fault) -> bool:
    """Whether a fault means only that another copy is not there yet: asked again until the deadline, not counted.

    One that was demoted since it was asked is no copy any more; its fault counts as little.
    """
    known = {case.endpoint.lower(), *(name.lower() for name in (*case.host_names, *case.hosts_back))}
    other = endpoint.lower() not in known and not endpoint.startswith(witness_endpoint(""))
    return other and fault.kind is not FaultKind.PERMANENT


def replication_begins(case: Case, wanted: Pair) -> Wait | None:
    """Return the wait that follows a change of the pinned copy; None once it began, and where no copy must follow.

    No copy is there at once: by default even a domain controller of the same site is told of a change only fifteen
    seconds later (msDS-Replication-Notify-First-DSA-Delay; Microsoft TechNet cc811559). A look before that is in vain.
    """
    others = further_copies(case)
    if not others or _replicating(case) or case.at is None:
        return None
    return _replication(case, f"{', '.join(others)} must show {wanted} too")


def agreed(
    case: Case, seen: Seen, wanted: Pair, agrees: Callable[[PairSeen], bool] = lambda _pair: True, what: str = ""
) -> Observe | Record | Wait | Stop | None:
    """Return what is next until every copy agrees with the pinned one, which shows the wanted pair; None if all do.

    Raises:
        Unreadable: an answer that came does not say.
    """
    changed = controllers_changed(case, seen)
    if changed:
        return changed
    unread = unread_copies(case, seen)
    if unread:
        written = any(subject == DIRECTORY for subject, _ in case.state.performed)
        begins = replication_begins(case, wanted) if written else None
        return begins or Observe(unread, more=True)
    return converging(case, _copies(case, seen), wanted, agrees, what)


def unread_copies(case: Case, seen: Seen) -> tuple[Read, ...]:
    """Return what still must be asked: which domain controllers must agree, and those that must."""
    asked = (*controllers_asked(case), *_further_reads(case))
    return tuple(read for read in asked if seen.reply_to(read.statements[0], read.endpoint) is None)


def _copies(case: Case, seen: Seen) -> list[Copy]:
    return [seen.pair(case.endpoint, case.server), *(_copy(case, seen, name) for name in further_copies(case))]


def _copy(case: Case, seen: Seen, name: str) -> Copy:
    try:
        return seen.pair(name, name)
    except Unreadable:
        fault = next((fault for endpoint, fault in seen.faults() if endpoint == name), None)
        if fault is None or not awaited(case, name, fault):
            raise
        return Away(name, fault.message)


def _replication(case: Case, detail: str) -> Wait:
    within = case.policy.converge_within
    again = next_look(case, "replication", within, LOOK_AGAIN, LONGEST_LOOK)
    return Wait("replication", case.deadline(DIRECTORY, "replication", within), again, detail, news=True)


def converging(
    case: Case,
    copies: Sequence[Copy],
    wanted: Pair,
    agrees: Callable[[PairSeen], bool] = lambda _pair: True,
    what: str = "",
) -> Wait | Stop | None:
    """Return the wait for those copies that do not show the wanted pair yet, a stop past the deadline, or None.

    ``agrees`` says whether a copy shows everything else that it should; ``what`` that is, where it is not the pair.
    """
    shown = what or str(wanted)
    late = [copy for copy in copies if isinstance(copy, Away) or copy.pair is not wanted or not agrees(copy)]
    if not late:
        return None
    until = case.deadline(DIRECTORY, "replication", case.policy.converge_within)
    since = _when(case.waits_since(DIRECTORY, "replication"))
    if case.at and until and case.at >= until:
        return Stop(
            "not-converged",
            f"since {since} not every domain controller shows {shown}, as {case.server} does: "
            f"{'; '.join(map(str, late))}. {case.migration.id} was not changed meanwhile.",
            _mend(late) + f", then `dmsa release`, which waits anew for {write_duration(case.policy.converge_within)}",
        )
    return _replication(case, f"since {since}: {'; '.join(_lacks(copy, shown) for copy in late)}")


def _lacks(copy: Copy, shown: str) -> str:
    return f"{copy.server} {'cannot be read' if isinstance(copy, Away) else f'does not show {shown} yet'}"


def _mend(late: Sequence[Copy]) -> str:
    away = [copy.server for copy in late if isinstance(copy, Away)]
    words = [] if len(away) == len(late) else ["mend the replication (`repadmin /showrepl`, `repadmin /replsummary`)"]
    if away:
        words.append(
            f"make {', '.join(away)} answer; one that is gone for good is no longer waited for once it is demoted "
            "(and out of `converge_on`, if the plan names it there: `dmsa amend`)"
        )
    return "; ".join(words)


def _when(at: datetime | None) -> str:
    return write_moment(at) if at else "an unknown time"
