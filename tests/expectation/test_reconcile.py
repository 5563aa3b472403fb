"""Clean waves raise no alarm, every attack is found under its class, and what is missing is named."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.expectation import IDS, Case, Names, Reconciled, reconcile
from orchestrator.expectation.names import User
from orchestrator.model.lifecycle import Way
from tests.expectation.attacks import ATTACKS, change
from tests.expectation.staged import PLANS, run, seen
from tests.expectation.stream import Event, noise

QUICK = PLANS[0]


def judged(events: list[Event], plan: str = QUICK, way: Way | None = None, **changed: object) -> Reconciled:
    return reconcile(replace(run(plan, way).case, names=Names(), **changed), seen(events))  # type: ignore[arg-type]


def classes(found: Reconciled) -> set[str]:
    return {one.id for one in found.findings}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("way", [None, Way.UNDO, Way.ROLLBACK, Way.RESET], ids=str)
@pytest.mark.parametrize("plan", PLANS)
def test_a_clean_wave_raises_no_alarm(plan: str, way: Way | None, seed: int):
    staged = run(plan, way, seed)
    begin, end = staged.world.estate.spec.clock.start, staged.world.estate.now
    dc = staged.case.plan.estate.directory.server  # type: ignore[union-attr]
    events = [*staged.events, *noise(1000, random.Random(seed), begin, end, dc)]
    random.Random(seed).shuffle(events)
    found = reconcile(replace(staged.case, names=Names()), seen(events))
    assert found.findings == ()
    assert (found.unexplained, found.missing) == (0, 0)
    assert found.changes > 0
    assert found.explained + found.not_ours == len(events)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("which", [0, 4])
def test_an_attack_is_found_under_its_class(name: str, which: int):
    wanted, make = ATTACKS[name]
    staged = run(QUICK)
    target = staged.target(staged.world.ids[which])
    attack = make(target)
    found = judged([*staged.events, *attack])
    lines = {each.line for one in found.findings for each in one.events}
    assert wanted in classes(found)
    assert lines >= set(range(len(staged.events) + 1, len(staged.events) + len(attack) + 1)), "every event is named"
    assert all(line > len(staged.events) for line in lines), "and none of the wave's own"


def test_every_class_has_an_attack_or_a_test_of_its_own():
    assert {wanted for wanted, _ in ATTACKS.values()} | {"missing"} == set(IDS)


def test_who_when_and_where_all_count():
    staged = run(QUICK)
    start = next(one for one in staged.events if one.get("AttributeLDAPDisplayName", "").endswith("AccountLink"))
    rest = [one for one in staged.events if one is not start]
    assert judged([*rest, start]).findings == ()
    for other in ({"SubjectUserName": "mallory", "SubjectUserSid": "S-1-5-21-1-2-3-6666"},
                  {"TimeCreated": "2026-03-02T17:00:00+00:00"},
                  {"AttributeValue": "CN=evil,OU=Temp,DC=corp,DC=example"}):  # fmt: skip
        found = judged([*rest, start | other])
        assert {"outside-operation", "missing"} <= classes(found), other


def test_names_are_compared_as_names():
    staged = run(QUICK)
    events = [
        {**one, "ObjectDN": one["ObjectDN"].upper().replace(",", " , "), "MachineName": "DC01"}
        if one["Id"] == 5136 and one["MachineName"].startswith("dc01")
        else one
        for one in staged.events
    ]
    assert judged(events).findings == ()


def test_what_is_missing_is_named_for_what_was_done_and_nothing_else():
    staged = run(QUICK)
    gone = [one for one in staged.events if one.get("AttributeLDAPDisplayName") != "msDS-DelegatedMSAState"]
    found = judged(gone)
    assert classes(found) == {"missing"}
    assert {one.migration for one in found.findings} == set(staged.world.ids)
    assert all("msDS-DelegatedMSAState: 0 -> 1" in one.why or "1 -> 2" in one.why for one in found.findings)
    only = judged(gone, ids=(staged.world.ids[0],))
    assert {one.migration for one in only.findings} == {staged.world.ids[0]}
    nothing = judged([])
    assert classes(nothing) == {"missing"}
    assert "not one directory service change" in nothing.notes[0]


def test_without_a_journal_the_wave_explains_and_all_of_it_must_be_there():
    staged = run(QUICK)
    ids = tuple(one.id for one in staged.case.plan.waves[0].migrations)
    case = Case(staged.case.plan, ids, (User("operator"),))
    mine = [
        one
        for one in staged.events
        if not any(f"svc-{n}" in str(one) or f"dmsa-{n}" in str(one) for n in ("erp", "web", "sync"))
    ]
    mine = [one for one in mine if "GroupMSAMembership" not in str(one) and one["Id"] != 4657]
    assert reconcile(case, seen(mine)).findings == ()
    half = [one for one in mine if not (one["Id"] == 5136 and one["AttributeLDAPDisplayName"].endswith("AccountLink"))]
    assert classes(reconcile(case, seen(half))) == {"outside-operation"}
    assert classes(reconcile(case, seen([]))) == {"missing"}


def test_an_event_that_was_exported_twice_counts_once():
    staged = run(QUICK)
    numbered = [{**one, "RecordId": str(number)} for number, one in enumerate(staged.events)]
    found = judged([*numbered, *numbered])
    assert (found.findings, found.repeated) == ((), sum(one["Id"] != 7036 for one in numbered))


def test_a_dmsa_that_others_use_rightfully_is_known_but_never_with_a_planned_account():
    staged = run(QUICK)
    target = staged.target()
    wanted = ATTACKS["one-sided link"][1](target)
    assert classes(judged([*staged.events, *wanted], known=frozenset({"evil"}))) == set()
    ours = ATTACKS["foreign dMSA linked"][1](target)
    assert "foreign-dmsa" in classes(judged([*staged.events, *ours], known=frozenset({"evil"})))


def test_a_privileged_account_can_be_named():
    staged = run(QUICK)
    link = ATTACKS["one-sided link"][1](staged.target())
    assert "privileged-link" not in classes(judged([*staged.events, *link]))
    assert "privileged-link" in classes(judged([*staged.events, *link], privileged=frozenset({"u0002"})))


def test_a_host_that_nobody_can_tell_is_a_stranger_until_it_is_named():
    staged = run(QUICK)
    mute = [one for one in staged.events if one["Id"] != 4768]
    found = judged(mute)
    assert classes(found) == {"unknown-host"}
    names = Names()
    replica = next(iter(staged.world.estate.directory.replicas.values()))
    for machine in staged.world.estate.machines.values():
        account = replica.account(f"{machine.short}$")
        names.learn(machine.name, account.sid if account else "")
    assert reconcile(replace(staged.case, names=names), seen(mute)).findings == ()


def test_a_password_of_the_dmsa_that_the_directory_changes_is_nobodys_doing():
    staged = run(QUICK)
    target = staged.target()
    kind = "msDS-DelegatedManagedServiceAccount"
    rolled = change(target, target.dmsa, kind, "msDS-ManagedPasswordId", "x", SubjectUserSid="S-1-5-18")
    changed = {**rolled, "Id": 4742, "TargetUserName": target.dmsa.partition(",")[0][3:] + "$"}
    assert judged([*staged.events, rolled, changed]).findings == ()


def test_a_skewed_clock_within_five_minutes_is_no_alarm_and_beyond_it_is():
    staged = run(QUICK)

    def late(by: timedelta) -> list[Event]:
        from datetime import datetime

        return [
            {**one, "TimeCreated": (datetime.fromisoformat(one["TimeCreated"]) + by).isoformat()}
            for one in staged.events
        ]

    assert judged(late(timedelta(minutes=4))).findings == ()
    assert "outside-operation" in classes(judged(late(timedelta(minutes=30))))
