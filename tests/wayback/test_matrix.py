"""A slice of the matrix: every way back ends equal to how it began but for the list, or is held with a reason."""

from __future__ import annotations

import re

import pytest

from orchestrator.model.action import Done
from orchestrator.model.before import Compared
from orchestrator.rehearsal.world import World
from orchestrator.steps import found_again, restart_back, restore, unlink
from tests.wayback.matrix import MOMENTS, cases
from tests.wayback.runs import of_matrix
from tests.wayback.shapes import ROOT, rehearsed
from tests.wayback.way import played
from tests.wayback.witness import About, Witnessed, unequal

EVERY = 61
"""Every so many cases are played with the ordinary tests; ``python -m tests.wayback`` plays all."""
ABOUT = About([("svc-main", "dmsa-main")])


@pytest.mark.parametrize("first", range(4))
def test_a_slice_of_the_matrix(first):
    came = of_matrix(range(first * EVERY, len(cases()), 4 * EVERY))
    assert not [f"{one.replay}: {one.wrong}" for one in came if one.wrong]
    assert {one.row for one in came} <= set(MOMENTS)


# The matrix bites.

FAIR = next(
    case | {"weather": "fair", "how": "alive", "phase": "completed", "moment": 0, "word": "rollback-by-undo"}
    for case in cases()
    if case["account"] == "everything" and case["workloads"] == "one-service" and case["neighbour"] == "none"
)
FAIR |= {"undo_enables_account": False, "undo_restores_spns": False, "registry": 0, "directory-keeps": True}


def test_in_fair_weather_a_case_is_right():
    came = played(FAIR)
    assert (came.ended, came.holds, came.wrong) == ("equal", ["restored-by-hand"], [])


@pytest.mark.parametrize("phase", ["completed, going back", "reopened, going back", "restored, going back"])
def test_what_complete_took_is_given_back_by_hand_though_an_undo_came_between(phase):
    came = played(FAIR | {"phase": phase, "moment": 1, "word": "undo"})
    assert (came.ended, came.holds, came.wrong) == ("equal", ["restored-by-hand"], [])


def _repairs_nothing(patch):
    patch.setattr(unlink, "repair", lambda *_given: None)


def _restores_nothing(patch):
    patch.setattr(restore.Restore, "judge", lambda *_given: Done(registry="restored"))


def _finds_no_difference(patch):
    def equal(case, before, now, _booted=()):
        return Compared(migration=case.migration.id, snapshot=before.sha256, now=now.sha256, equal=1)

    patch.setattr(found_again, "compared", equal)


def _tidies_first(patch):
    """Be content with an unlinked pair, and give the account back what it had only in the end."""
    judge = restart_back.RestartBack.judge
    given_back = unlink._repair

    def late(self, case, subject, seen):
        pair = seen.pair(case.endpoint, case.server) if subject == "directory" and seen.asked(case.endpoint) else None
        cmdlet = given_back(case, pair) if pair else None
        return unlink.Perform(unlink.Write(case.endpoint, cmdlet)) if cmdlet else judge(self, case, subject, seen)

    patch.setattr(unlink, "_repair", lambda *_given: None)
    patch.setattr(restart_back.RestartBack, "judge", late)


BREACHES = {
    "nothing is repaired": (_repairs_nothing, "was written while the account"),
    "nothing is restored": (_restores_nothing, "switch"),
    "no difference is found": (_finds_no_difference, "msds-allowedtodelegateto"),
    "the tidying comes first": (_tidies_first, "was written while the account"),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_found(monkeypatch, breach):
    make, said = BREACHES[breach]
    make(monkeypatch)
    assert re.search(said, "\n".join(played(FAIR).wrong))


# The witness bites: nothing that is not on the list passes it.

CHANGES = {
    "an SPN": lambda entry: {"servicePrincipalName": (*entry.texts("servicePrincipalName"), "X/y")},
    "disabled": lambda entry: {"userAccountControl": entry.number("userAccountControl") | 2},
    "delegation": lambda _entry: {"msDS-AllowedToDelegateTo": None},
    "who may delegate": lambda _entry: {"msDS-AllowedToActOnBehalfOfOtherIdentity": None},
    "its policy": lambda _entry: {"msDS-AssignedAuthNPolicy": None},
    "its state": lambda _entry: {"msDS-SupersededServiceAccountState": 1},
    "its description": lambda _entry: {"description": "another"},
    "its password": lambda entry: {"pwdLastSet": entry.number("pwdLastSet") + 1},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("whose", ["account", "other", "container"])
def test_whatever_is_changed_is_seen(change, whose):
    estate = World(rehearsed(FAIR), watch=False).estate
    before, directory = Witnessed.of(estate), estate.directory
    replica = directory.replicas["dc01.corp.example"]
    names = {"account": "CN=svc-main,OU=Service Accounts,", "other": "CN=svc-other,OU=Service Accounts,"}
    entry = replica.at_dn(names.get(whose, "OU=Service Accounts,") + ROOT)
    values = CHANGES[change](replica.at_dn(names["account"] + ROOT) if whose == "account" else entry)
    changed = any(entry.get(name) != value for name, value in values.items())
    directory.write("dc01.corp.example", entry.guid, values)
    assert bool(unequal(before, Witnessed.of(estate), ABOUT)) is changed


def test_what_is_on_the_list_passes():
    estate = World(rehearsed(FAIR), watch=False).estate
    before, directory = Witnessed.of(estate), estate.directory
    entry = directory.replicas["dc01.corp.example"].at_dn(f"CN=svc-main,OU=Service Accounts,{ROOT}")
    directory.protect("dc01.corp.example", entry.guid)
    host = estate.machine("app01")
    estate.workloads.restart_service(host, host.services["api"])
    assert unequal(before, Witnessed.of(estate), ABOUT) == []


HOST_CHANGES = {
    "its switch": lambda host: setattr(host, "kerberos", 1),
    "its switch is gone": lambda host: setattr(host, "kerberos", "absent"),
    "its event log": lambda host: setattr(host, "event_log", True),
    "a service": lambda host: setattr(host.services["api"], "running", False),
}


@pytest.mark.parametrize("change", HOST_CHANGES)
def test_whatever_is_changed_on_a_host_is_seen(change):
    estate = World(rehearsed(FAIR), watch=False).estate
    before = Witnessed.of(estate)
    HOST_CHANGES[change](estate.machine("app01"))
    assert len(unequal(before, Witnessed.of(estate), ABOUT)) == 1
