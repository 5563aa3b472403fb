"""Which migrations have begun with which account, told by the rows of every run of a journal."""

from uuid import UUID

from orchestrator.model.before import SnapshotTaken
from orchestrator.model.claims import Claims
from orchestrator.model.event import Moved
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.switches import User

ONE, OTHER = UUID(int=1), UUID(int=2)


def taken(migration: str, account: UUID) -> SnapshotTaken:
    return SnapshotTaken(migration=migration, account_guid=account, account={}, dmsa=None, hosts={}, sha256="")


def moved(migration: str, dest: Phase) -> Moved:
    return Moved(migration=migration, trigger=Trigger.RESTART, source=Phase.RESTORED, dest=dest)


def test_a_snapshot_claims_and_only_the_end_of_the_way_back_gives_up():
    claims = Claims()
    claims.take_in("a", taken("x", ONE))
    assert claims.others(ONE, "b", "x") == (User("a", "x"),)
    assert claims.others(ONE, "a", "x") == (), "nobody is in his own way"
    assert claims.others(OTHER, "b", "x") == ()
    claims.take_in("a", moved("x", Phase.COMPLETED))
    assert claims.others(ONE, "b", "y") == (User("a", "x"),), "the dMSA's link still points there"
    claims.take_in("a", moved("x", Phase.ROLLED_BACK))
    claims.take_in("a", moved("never-seen", Phase.ROLLED_BACK))
    assert claims.others(ONE, "b", "y") == ()


def test_a_copy_goes_on_by_itself():
    claims = Claims()
    claims.take_in("a", taken("x", ONE))
    copy = claims.copied()
    copy.take_in("a", moved("x", Phase.ROLLED_BACK))
    assert claims.others(ONE, "b", "y")
    assert not copy.others(ONE, "b", "y")
