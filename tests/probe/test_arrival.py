"""Which pairs are asked, what is refused before anything was changed, and what some pairs cannot answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.errors import PersonNeeded
from orchestrator.model.observation import Unreadable
from tests.probe.bench import ACCOUNT, DMSA, Bench

Estate = dict[str, Any]
DN = f"CN={DMSA},OU=Disposable,DC=corp,DC=example"


def user(**keys: Any) -> Callable[[Estate], None]:
    return lambda estate: estate["users"][0].update(keys)


def dmsa(**keys: Any) -> Callable[[Estate], None]:
    return lambda estate: estate.update(dmsas=[{"dn": DN, **keys}])


def controller(**keys: Any) -> Callable[[Estate], None]:
    return lambda estate: estate["dcs"][0].update(keys)


REFUSED = {
    "linked": (dmsa(state=1, supersedes=ACCOUNT), "the pair is not unlinked"),
    "completed": (dmsa(state=2, supersedes=ACCOUNT), "the pair is not unlinked"),
    "standalone": (dmsa(state=3), "the pair is not unlinked"),
    "disabled": (user(enabled=False), "is disabled"),
    "privileged": (user(admin_count=1), "is privileged"),
    "no user": (user(kind="inetOrgPerson"), "is no user"),
    "another run's": (dmsa(description="dmsa run payroll"), "another run's mark"),
    "missing": (lambda estate: estate.update(users=[]), "is not on dc01"),
    "old controller": (controller(build=20348), "no writable Windows Server 2025"),
    "read-only controller": (controller(writable=False), "no writable Windows Server 2025"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_and_nothing_was_sent(case):
    change, says = REFUSED[case]
    bench = Bench(change)
    with pytest.raises(PersonNeeded, match=says) as refused:
        bench.ask()
    assert "Nothing was done." in str(refused.value)
    assert bench.sent == []


def test_an_operator_who_may_not_read_is_told():
    bench = Bench(lambda estate: estate.update(operator={"name": "operator", "rights": []}))
    with pytest.raises(Unreadable, match="does not say which Windows it is"):
        bench.ask()
    assert bench.sent == []


def test_an_operator_who_may_not_migrate_learns_nothing_of_the_operation():
    bench = Bench(lambda e: e.update(operator={"name": "operator", "rights": ["read", "read-dmsa", "write"]}))
    inquiry = bench.ask()
    assert inquiry.switches == {"batch_goes_on_after_error": False, "second_hop": False}
    assert "want of a right" in inquiry.findings["reset_of_unlinked"].answer.why
    assert bench.changed() == {}


def test_a_dmsa_that_is_there_is_used_and_left_with_its_principals():
    bench = Bench(dmsa(principals=["CN=DC02,OU=Domain Controllers,DC=corp,DC=example"]), undo_clears_membership=True)
    inquiry = bench.ask()
    assert "New-ADServiceAccount" not in bench.sent
    assert "cannot empty the list" in inquiry.findings["complete_refuses_empty_membership"].answer.why
    assert inquiry.switches["undo_clears_membership"] is True
    assert not [one for one in inquiry.left if "Principals" in one or "created" in one]


def test_what_stays_on_a_dmsa_is_named():
    left = Bench(dmsa(), undo_removes_copies=False).ask().left
    assert any("msDS-AllowedToDelegateTo was unset and is HTTP/elsewhere.corp.example" in one for one in left)
    assert any("PrincipalsAllowedToRetrieveManagedPassword" in one for one in left)


def test_a_dmsa_that_cannot_be_created_ends_it():
    bench = Bench(lambda estate: estate["domain"].update(kds_root_key_age=None))
    inquiry = bench.ask()
    assert inquiry.ended_early == "the dMSA was not created: Key does not exist"
    assert (inquiry.astray, inquiry.left) == ("", ())
    assert bench.sent == ["New-ADServiceAccount"]


def test_a_dmsa_that_was_created_is_named():
    assert Bench().ask().left == (f"dMSA: {DN} was created; nothing here can delete it",)


@pytest.mark.parametrize(
    ("change", "questions", "says"),
    [
        (user(spns=[]), ("undo_restores_spns", "complete_takes_spns", "reset_restores_spns"), "SPN"),
        (
            user(delegates_to=[], protocol_transition=False),
            ("undo_removes_copies", "reset_removes_copies"),
            "delegation",
        ),
        (lambda estate: estate["dcs"].pop(), ("second_hop",), "no second writable domain controller"),
        (
            lambda estate: estate["hosts"].clear(),
            ("undo_clears_membership", "reset_clears_membership", "undo_enables_account"),
            "no computer probe01.corp.example",
        ),
    ],
    ids=["no SPN", "no delegation", "one controller", "no principal"],
)
def test_what_a_pair_cannot_show_is_unknown_with_the_reason(change, questions, says):
    bench = Bench(change)
    inquiry = bench.ask()
    for question in questions:
        answer = inquiry.findings[question].answer
        assert answer.value is None
        assert says in answer.why
        assert question not in inquiry.switches
    assert bench.changed() == {}


def test_without_an_spn_the_rest_is_still_answered():
    inquiry = Bench(user(spns=[]), reset_restores=False).ask()
    assert inquiry.switches["undo_enables_account"] is True
    assert inquiry.switches["reset_restores"] is False


def test_another_controller_that_is_away_answers_nothing():
    bench = Bench()
    bench.world.estate.take_down(bench.world.estate.machine("dc02"), bench.world.estate.now.replace(hour=23))
    answer = bench.ask().findings["second_hop"].answer
    assert answer.value is None
    assert "through its own endpoint" in answer.why


def test_the_controller_is_named_with_its_build():
    found = Bench(controller(ubr=6900)).ask().controller
    assert found is not None
    assert (found.name, found.build, found.ubr) == ("dc01.corp.example", 26100, 6900)
