"""What every guard is: a question that must be answered *yes* before a move, with evidence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.directory import Account, PairSeen, complaint, pair_reads
from orchestrator.model.guard_ids import Stage
from orchestrator.model.observation import Outcome, Reply, Unreadable


class Guard(ABC):
    """One guard. Its id, stages and waivability are fixed in :mod:`orchestrator.model.guard_ids`."""

    id: ClassVar[str]
    of_host: ClassVar[bool] = False
    """Whether it looks at nothing but one host at a time, and so can be asked about a host that joins later."""

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Return what must be read to judge; may depend on what was read so far. Reads only."""
        del case, stage, seen
        return ()

    @abstractmethod
    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Yield a verdict for each subject.

        Raises:
            Unreadable: the question could not be answered; that is a verdict too, and refuses.
        """


class OfPair(Guard):
    """A guard that both objects, as the pinned domain controller shows them, answer."""

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for both objects."""
        del stage, seen
        return (pair_read(case),)


def pair_read(case: Case) -> Read:
    """Ask the pinned domain controller for both objects."""
    return Read(case.endpoint, pair_reads(case.server, case.migration.id, case.account))


def pinned_pair(case: Case, seen: Seen) -> PairSeen:
    """Return both objects as the pinned domain controller shows them."""
    return seen.pair(case.endpoint, case.server)


def account(case: Case, seen: Seen) -> Account:
    """Return the account.

    Raises:
        Unreadable: it is not there.
    """
    found = pinned_pair(case, seen).account
    if found is None:
        raise Unreadable(f"{case.migration.account} is not on {case.server}")
    return found


def answered(reply: Reply | None, whom: str, what: str) -> Reply:
    """Return the reply if it ran to its end without an error.

    Raises:
        Unreadable: it did not.
    """
    if reply is None:
        raise Unreadable(f"{whom} was not asked for {what}")
    if reply.outcome is not Outcome.SUCCEEDED or (reply.errors and not reply.records):
        raise Unreadable(f"{whom} did not answer for {what}: {complaint(reply)}")
    return reply


def ran(reply: Reply | None, whom: str, what: str) -> Reply:
    """Return the reply of a batch that the account ends, as :func:`answered` does, the account there or not.

    It is asked for last, and where it is not there yet everything before it has run.

    Raises:
        Unreadable: something else went wrong.
    """
    if reply is None:
        raise Unreadable(f"{whom} was not asked for {what}")
    not_there = [error for error in reply.errors if error.category == "ObjectNotFound"]
    other = [error for error in reply.errors if error not in not_there or error.cmdlet not in {"", "Get-ADUser"}]
    if other or (reply.outcome is not Outcome.SUCCEEDED and not reply.errors):
        raise Unreadable(f"{whom} did not answer for {what}: {complaint(reply)}")
    return reply
