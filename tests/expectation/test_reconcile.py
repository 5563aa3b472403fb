"""Clean waves raise no alarm, every attack is found under its class, and what is missing is named."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from orchestrator.expectation import IDS, Case, Names, Reconciled, reconcile
from orchestrator.expectation.names import User
from orchestrator.model.lifecycle import Way
from tests.expectation.attacks import ATTACKS, CLASS, change
from tests.expectation.staged import PLANS, run, seen
from tests.expectation.stream import MEMBERSHIP, Event, event, noise
from tests.whole import matrix

QUICK = PLANS[0]


def judged(events: list[Event], plan: str = QUICK, way: Way | None = None, **changed: object) -> Reconciled:
    return reconcile(replace(run(plan, way).case, names=Names(), **changed), seen(events))  # type: ignore[arg-type]


def classes(found: Reconciled) -> set[str]:
    return {one.id for one in found.findings}


WAYS = (None, Way.UNDO, Way.ROLLBACK, Way.RESET)


@pytest.mark.parametrize(("plan", "way", "seed"), matrix(plan=PLANS, way=WAYS, seed=range(3)))
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
    assert {wanted for wanted, _ in ATTACKS.values()} | {"missing", "event-missing"} == set(IDS)


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
    mine = [one for one in mine if one["Id"] != 4657 or one["MachineName"].startswith("app01")]
    assert reconcile(case, seen(mine)).findings == ()
    half = [one for one in mine if not (one["Id"] == 5136 and one["AttributeLDAPDisplayName"].endswith("AccountLink"))]
    assert classes(reconcile(case, seen(half))) == {"outside-operation"}
    assert classes(reconcile(case, seen([]))) == {"missing"}


def test_an_event_that_was_exported_twice_counts_once():
    staged = run(QUICK)
    numbered = [{**one, "RecordId": str(number)} for number, one in enumerate(staged.events)]
    found = judged([*numbered, *numbered])
    assert (found.findings, found.repeated) == ((), len(numbered))


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
        return [
            {**one, "TimeCreated": (datetime.fromisoformat(one["TimeCreated"]) + by).isoformat()}
            for one in staged.events
        ]

    assert judged(late(timedelta(minutes=4))).findings == ()
    assert "outside-operation" in classes(judged(late(timedelta(minutes=30))))


# Who is who.


def ticket(name: str, sid: str, address: str, domain: str = "") -> Event:
    staged = run(QUICK)
    target = staged.target()
    said = {"TargetSid": sid, "IpAddress": address, "Status": "0x0", "TargetDomainName": domain}
    return event(4768, target.during - timedelta(hours=1), target.dc, TargetUserName=name, **said)


def let_in(sid: str) -> Event:
    target = run(QUICK).target()
    who = {"SubjectUserName": target.sam, "SubjectDomainName": "CORP"}
    sddl = f"O:S-1-5-32-544D:(A;;0xf01ff;;;{sid})"
    return change(target, target.dmsa, CLASS, MEMBERSHIP, sddl, at=target.during, **who)


@pytest.mark.parametrize(
    ("domain", "wanted"),
    [("CORP", set()), ("CORP.EXAMPLE", set()), ("corp.example", set()), ("OTHER.EXAMPLE", {"unknown-host"})],
)
def test_a_namesake_of_a_host_in_another_domain_is_a_stranger(domain: str, wanted: set[str]):
    sid = "S-1-5-21-9-9-9-7779"
    events = [*run(QUICK).events, ticket("APP01$", sid, "10.6.6.9", domain), let_in(sid)]
    assert classes(judged(events)) == wanted


@pytest.mark.parametrize("journaled", [True, False])
@pytest.mark.parametrize(("by", "wanted"), [("svc-report", set()), ("mallory", {"unexpected-change"})])
def test_a_host_that_adds_itself_changes_the_dmsas_computer_account_too(by: str, wanted: set[str], journaled: bool):
    staged = run(QUICK)
    target = staged.target()
    name = target.dmsa.partition(",")[0].removeprefix("CN=")
    hours_later = target.during + timedelta(hours=9)
    changed = event(4742, hours_later, target.dc, TargetUserName=f"{name}$", SubjectUserName=by)
    if journaled:
        assert classes(judged([*staged.events, changed])) == wanted
    else:
        case = Case(staged.case.plan, ("dmsa-report",), (User("operator"),))
        assert classes(reconcile(case, seen([changed]))) - {"missing"} == wanted


def test_an_address_that_had_another_computer_too_is_not_a_hosts_alone():
    staged = run(QUICK)
    target = staged.target()
    host = next(one for one in staged.events if one["Id"] == 4768 and one["TargetUserName"] == "APP01$")
    name = target.dmsa.partition(",")[0].removeprefix("CN=")
    said = {"TargetUserName": f"{name}$@CORP.EXAMPLE", "IpAddress": host["IpAddress"], "Status": "0x0"}
    used = event(4769, target.at, target.dc, **said)
    other = ticket("EVIL99$", "S-1-5-21-1-2-3-7778", host["IpAddress"])
    assert judged([*staged.events, used]).findings == ()
    found = judged([*staged.events, used, other])
    assert classes(found) == {"unknown-host"}
    assert "EVIL99$, no host" in found.findings[0].why
    names = Names()
    names.tell("app01.corp.example", address=host["IpAddress"].removeprefix("::ffff:"))
    assert reconcile(replace(staged.case, names=names), seen([*staged.events, used, other])).findings == ()


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ({"TargetDomainName": "CORP", "TargetSid": "S-1-5-21-1321927329-1881241747-4077239030-9999"}, "password-reset"),
        ({"TargetDomainName": "CORP"}, "password-reset"),
        ({"TargetDomainName": "OTHER", "TargetSid": "S-1-5-21-9-9-9-1000"}, None),
        ({"TargetDomainName": "APP01"}, None),
    ],
)
def test_an_account_of_another_domain_or_of_a_machine_is_none_of_the_plans(target: dict[str, str], wanted: str | None):
    staged = run(QUICK)
    computer = "app01.corp.example" if target["TargetDomainName"] == "APP01" else staged.target().dc
    sam = staged.target().sam
    reset = event(4724, staged.target().at, computer, TargetUserName=sam, SubjectUserName="helpdesk", **target)
    assert classes(judged([*staged.events, reset])) == ({wanted} if wanted else set())


def test_an_account_whose_name_is_not_that_of_its_dn_is_known_by_its_sid():
    staged = run(QUICK)
    id_ = staged.world.ids[0]
    sid = staged.case.run[id_].snapshot.account["sid"]  # type: ignore[index, union-attr]
    made = event(4738, staged.target().at - timedelta(days=9), staged.target().dc, TargetUserName="rptsvc")
    named = made | {"TargetSid": sid, "SubjectUserName": "helpdesk"}
    reset = event(4724, staged.target().at, staged.target().dc, TargetUserName="rptsvc", SubjectUserName="mallory")
    assert "password-reset" not in classes(judged([*staged.events, reset]))
    assert "password-reset" in classes(judged([*staged.events, named, reset]))


# Events beside the changes.


def without(number: int, about: str) -> list[Event]:
    return [one for one in run(QUICK).events if one["Id"] != number or about not in str(one)]


@pytest.mark.parametrize(
    ("number", "about", "cmdlet"),
    [
        (4725, "svc-erp", "Complete-ADServiceAccountMigration"),
        (4738, "svc-erp", "Complete-ADServiceAccountMigration"),
        (4741, "dmsa-erp", "New-ADServiceAccount"),
        (4657, "app03", "New-ItemProperty"),
    ],
)
def test_an_event_that_its_computer_logs_otherwise_is_missing(number: int, about: str, cmdlet: str):
    gone = without(number, about)
    world = run(QUICK).world
    extra = [
        event(4657, at, "app03.corp.example", ObjectName="x", ObjectValueName="y")
        for at in (world.estate.spec.clock.start, world.estate.now)
    ]
    found = judged([*gone, *extra])
    assert classes(found) == {"event-missing"}
    assert {one.says.partition(" of ")[0] for one in found.findings} == {cmdlet}
    assert all(f"{number} of" in one.why for one in found.findings)
    assert (found.events_missing, found.missing) == (len(found.findings), 0)
    assert judged([*gone, *extra], not_logged=frozenset({number})).findings == ()


@pytest.mark.parametrize("number", [4725, 4741, 4657, 7036])
def test_what_was_never_collected_is_said_once_and_is_not_missing(number: int):
    found = judged([one for one in run(QUICK).events if one["Id"] != number])
    assert found.findings == ()
    assert [note.partition(" of ")[0] for note in found.notes] == [f"event {number}"]


def test_a_restart_that_the_system_log_of_its_host_lacks_is_missing():
    staged = run(QUICK)
    once = [one for one in staged.events if one["Id"] != 7036 or not one["MachineName"].startswith("app02")]
    log = [event(7036, at, "app02.corp.example", log="System", param1="Spooler") for at in (
        staged.world.estate.spec.clock.start, staged.world.estate.now + timedelta(days=1))]  # fmt: skip
    found = judged([*once, *log])
    assert classes(found) == {"event-missing"}
    assert {one.says.partition(" of ")[0] for one in found.findings} == {"Restart-Service"}
    assert judged([*once, log[1]]).findings == (), "a log that begins later says nothing of what was before"
    assert any("is not of that time" in note for note in judged([*once, log[1]]).notes)


# What is told of the export itself.


def test_events_of_a_log_that_is_called_otherwise_are_looked_at_if_they_say_what_the_security_log_says():
    attack = ATTACKS["foreign dMSA linked"][1](run(QUICK).target())
    odd = [{**one, "LogName": "C:/exports/events.json", "ProviderName": ""} for one in attack]
    assert "foreign-dmsa" in classes(judged([*run(QUICK).events, *odd]))
    other = [{"Id": 4657, "TimeCreated": "x", "LogName": "Application", "ProviderName": "Vendor"}]
    found = judged([*run(QUICK).events, *other])
    assert found.findings == ()
    assert found.notes == (
        "1 events 4657 of Application Vendor were not looked at: they are no events of a Security log",
    )


def test_an_export_that_begins_too_late_or_shows_no_values_says_so():
    staged = run(QUICK)
    began = staged.target().during
    late = [one for one in staged.events if datetime.fromisoformat(one["TimeCreated"]) > began + timedelta(days=1)]
    assert any("begin at" in note for note in judged(late).notes)
    bare = [{name: value for name, value in one.items() if name != "AttributeValue"} for one in staged.events]
    assert any("AttributeValue" in note for note in judged(bare).notes)


def test_a_record_number_that_began_anew_hides_nothing():
    staged = run(QUICK)
    numbered = [{**one, "RecordId": str(number)} for number, one in enumerate(staged.events)]
    attack = [{**one, "RecordId": "5"} for one in ATTACKS["link written outside the operation"][1](staged.target())]
    assert "outside-operation" in classes(judged([*numbered, *attack]))
