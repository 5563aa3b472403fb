"""Everything about one migration judged: what is there, held against what the journal says must be there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from orchestrator.errors import PRECEDENCE, Exit
from orchestrator.model.action import Observe
from orchestrator.model.case import Case, Seen
from orchestrator.model.deleted import only_explains
from orchestrator.model.directory import PairSeen
from orchestrator.model.event import DIRECTORY
from orchestrator.model.observation import Fault, Outcome, Unreadable
from orchestrator.steps.controllers import knowing_controllers
from orchestrator.verification import facts, hosts, ledger, original, pairs, reads, witness
from orchestrator.verification.finding import Finding, Verdict, of_fault, unread
from orchestrator.verification.wanted import is_written_to, wanted

_EXITS: Mapping[Verdict, Exit] = {"drift": Exit.FAILED, "unknown": Exit.HELD, "under-way": Exit.WAITING}


def findings(case: Case, seen: Seen) -> tuple[Finding, ...]:
    """Return everything that is not as the journal says, or that nobody could read; nothing means all is.

    Args:
        case: the migration, by the journal as it was when the reading ended.
        seen: everything that :func:`~orchestrator.verification.reads.asks` asked for.
    """
    faults = _faults(seen)
    found = [of_fault(endpoint, fault) for endpoint, fault in faults.items()]
    found += _told(_directory(case, seen), case.endpoint, faults)
    for name in reads.hosts(case):
        found += _told(_host(case, seen, name), name, faults)
    return tuple(dict.fromkeys(found))


def exit_of(found: Iterable[Finding]) -> Exit:
    """Return what findings end the command with: a person is needed before drift is told, and drift before a wait."""
    codes = {_EXITS[one.verdict] for one in found}
    return next((code for code in PRECEDENCE if code in codes), Exit.DONE)


def _faults(seen: Seen) -> dict[str, Fault]:
    """Return why endpoints could not be read, the first reason of each. What became of an account only explains."""
    found: dict[str, Fault] = {}
    for read, reply in seen.replies:
        absent = any(error.category == "ObjectNotFound" for error in reply.errors)
        if reply.fault is None or reply.outcome is Outcome.SUCCEEDED or absent or only_explains(read.statements):
            continue
        found.setdefault(read.endpoint, reply.fault)
    return found


def _told(found: Iterator[Finding], subject: str, faults: Mapping[str, Fault]) -> Iterator[Finding]:
    """Yield findings up to an answer that does not say what it should; a fault of its endpoint is told already."""
    try:
        yield from found
    except Unreadable as trouble:
        if subject not in faults:
            yield unread(subject, str(trouble))


def _directory(case: Case, seen: Seen) -> Iterator[Finding]:
    case, pair = knowing_controllers(case, seen), reads.pinned(case, seen)
    others = [*reads.others(case, seen)]
    if pair.account is None:
        yield original.missing(case, seen, case.server)
        return
    yield from (original.missing(case, seen, one.server) for one in others if one.account is None)
    yield from witness.judged(case, seen, (pair, *others))
    yield from original.standing(case, pair)
    if is_written_to(case):
        yield hosts.under_way(case, DIRECTORY)
        return
    yield from _the_pair(case, seen, pair, others)
    if reads.has_ledger(case) and pair.dmsa is not None:
        yield from ledger.judged(case, seen)


def _the_pair(case: Case, seen: Seen, pair: PairSeen, others: Iterable[PairSeen]) -> Iterator[Finding]:
    should = wanted(case)
    wrong = [*pairs.judged(case, pair, should)] or [*pairs.landed(case, pair, should)]
    yield from wrong
    yield from pairs.copies(case, pair, others, should)
    if case.state.snapshot is None:
        return
    if not wrong:
        yield from original.as_the_pair_says(case, pair)
    yield from facts.of_directory(case, seen, pair, as_wanted=not wrong)


def _host(case: Case, seen: Seen, name: str) -> Iterator[Finding]:
    if not seen.asked(name):
        raise Unreadable(f"{name} was not asked")
    now = reads.inventory(case, seen, name)
    if isinstance(now, Observe):
        raise Unreadable(f"{name} did not say whom its workloads run as")
    yield from hosts.judged(case, seen.host(name), now)
