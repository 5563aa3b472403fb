"""What every step is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from orchestrator.model.action import Answer, Observe, Stop, Wait
from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Case, Seen
from orchestrator.model.deleted import Remains, deleted_search, protecting, remains_seen, restoring
from orchestrator.model.directory import PairSeen, pair_reads
from orchestrator.model.event import DIRECTORY
from orchestrator.model.guard_ids import Stage
from orchestrator.model.lifecycle import Pair, Phase, Trigger
from orchestrator.model.observation import Fault, Unreadable

Groups = tuple[tuple[str, ...], ...]
"""Subjects that advance in parallel, group after group."""

IN_DIRECTORY: Groups = ((DIRECTORY,),)

LOOK_AGAIN = timedelta(seconds=30)
"""How soon replication, or a host that reboots, is looked at again; replication then ever more rarely."""
LONGEST_LOOK = timedelta(minutes=5)
"""How long replication is left alone at most."""


class Step(ABC):
    """One step of a migration. Pure: what it knows comes in, what should happen goes out."""

    trigger: ClassVar[Trigger]
    stage: ClassVar[Stage | None] = None
    """The guards' stage that is asked before this step writes (``P``, ``S``, ``C``), or None."""
    leaves_out: ClassVar[frozenset[str]] = frozenset()
    """Guards of that stage that have no meaning here."""
    leads_to: ClassVar[Phase]
    """The phase that is reached once every subject is done."""

    def groups(self, _case: Case) -> Groups:
        """Return the subjects of the step: the directory, or hosts, or one group after the other."""
        return IN_DIRECTORY

    @abstractmethod
    def reads(self, case: Case, subject: str) -> tuple[Read, ...]:
        """Return what must be read to judge one subject."""

    @abstractmethod
    def judge(self, case: Case, subject: str, seen: Seen) -> Answer:
        """Say what is next for one subject.

        Raises:
            Unreadable: the observation does not hold what it should.
        """

    def rests(self, _case: Case, _subject: str) -> Wait | None:
        """Return what to wait for before anything is read, where a reading could not say anything new; else None."""
        return None

    def sees_through(self, _case: Case, _subject: str, _endpoint: str, _fault: Fault) -> bool:
        """Whether the step judges all the same where this endpoint could not be read; no write is decided on it."""
        return False

    def on_fault(self, _case: Case, _subject: str, _fault: Fault) -> Wait | None:
        """Return what a fault means here where it is expected (a host that reboots), else None."""
        return None

    def asks_guards(self, _case: Case) -> bool:
        """Whether the guards of :attr:`stage` are due before the next write."""
        return self.stage is not None

    def dest(self, _case: Case) -> Phase:
        """Return the phase that is reached once every subject is done."""
        return self.leads_to


def pair_read(case: Case) -> Read:
    """Ask the pinned domain controller for the pair."""
    return Read(case.endpoint, pair_reads(case.server, case.migration.id, case.account))


def did(case: Case, subject: str, name: str, what: str = "") -> int:
    """Return how often a cmdlet was sent at a subject in this phase (to one named thing, if *what* is given)."""
    return sum(
        count
        for (where, key), count in case.state.performed.items()
        if where == subject and (key == f"{name} {what}" if what else key.split(" ")[0] == name)
    )


def migration_cmdlet(verb: str, case: Case, pair: PairSeen) -> Cmdlet:
    """Return one of the four migration cmdlets with both objects' DNs as they were read a moment ago."""
    if pair.account is None or pair.dmsa is None:
        raise Unreadable(f"{pair}; both objects are needed")
    return cmdlet(
        f"{verb}-ADServiceAccountMigration",
        Identity=pair.dmsa.dn,
        SupersededAccount=pair.account.dn,
        Server=case.server,
    )


def original_missing(case: Case, seen: Seen) -> Observe | Stop:
    """Say that the original account is not there, once it was looked for among what was deleted.

    By the plan's name alone nothing deleted can be told from another of that name; so before the snapshot, which has
    its objectGUID, nothing is looked for. Whatever the look brings, or where it is refused, the migration is held.
    """
    gone = f"{case.migration.account} is not on {case.server}. Nothing here can delete it; "
    if case.state.snapshot is None:
        return Stop("original-missing", gone + "somebody else did, or it was never there.", _FIND_IT)
    guid = case.state.snapshot.account_guid
    look = deleted_search(case.server, guid)
    reply = seen.reply_to(look, case.endpoint)
    if reply is None:
        return Observe((Read(case.endpoint, (look,)),), more=True)
    left = remains_seen(case.server, guid, reply)
    detail = f"{gone}somebody else did. By its objectGUID, {guid}: {left.said}."
    return Stop("original-missing", detail, _way_back(left, guid))


_FIND_IT = "find out who deleted it, and restore it (runbooks/original-deleted.md); then `dmsa release`"


def _way_back(left: Remains, guid: UUID) -> str:
    if left.there:
        return "nothing, if it is as it was (runbooks/original-deleted.md): `dmsa release` looks again"
    if left.whole:
        return f"as a person run `{restoring(guid)}` (runbooks/original-deleted.md), then `dmsa release`"
    return (
        f"`{restoring(guid)}` alone would not bring its password, SPNs, groups and links back: restore it with "
        "authority from a backup of a domain controller (runbooks/original-deleted.md), then `dmsa release`"
    )


def unprotected(pair: PairSeen) -> Stop | None:
    """Say that somebody took the original's protection off, which prepare had set; None if it is on."""
    if pair.account is None or pair.account.protected:
        return None
    return Stop(
        "guard:original-protected",
        f"the protection of {pair.account.dn} from accidental deletion was taken off since prepare set it. It is as it "
        "should be otherwise, and nothing was changed.",
        f"find out who took it off; as a person run `{protecting(pair.account.guid)}`, then `dmsa release`",
    )


def not_matching(case: Case, seen: PairSeen, wanted: Pair) -> Stop:
    """Say that the pair is not what this phase stands for."""
    return Stop(
        "guard:pair-matches",
        f"{case.migration.id} is {case.state.phase}, which stands for {case.state.phase.value} with a pair at "
        f"{wanted}; {seen}. Nothing was changed.",
        "find out who changed the pair; `dmsa rollback` or `dmsa reset` leads to a known state",
    )


def next_look(case: Case, waiting_for: str, within: timedelta, first: timedelta, longest: timedelta) -> datetime | None:
    """Return when to look again: after as long again as was waited, and at the deadline.

    Args:
        case: the migration; its directory waits.
        waiting_for: what for.
        within: how long it may wait for that.
        first: the shortest time between two looks.
        longest: the longest.
    """
    until = case.deadline(DIRECTORY, waiting_for, within)
    if case.at is None or until is None:
        return None
    waited = case.at - (case.waits_since(DIRECTORY, waiting_for) or case.at)
    return min(until, case.at + min(longest, max(first, waited)))
