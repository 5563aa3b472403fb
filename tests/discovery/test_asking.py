"""What hosts and the directory are asked, and what their answers are taken for."""

from __future__ import annotations

import pytest

from orchestrator.discovery import (
    Domain,
    Identity,
    Named,
    Spellings,
    computers_course,
    host_course,
    named_course,
    names_course,
)
from orchestrator.model.call import Read
from orchestrator.model.observation import Outcome, Record, RemoteError, Reply, Unreadable
from orchestrator.remote.catalogue import CATALOGUE, Effect
from tests.discovery.asking import DIRECTORY, ESTATE, HOSTS, OBRIEN, Asked, dn

WEB, WEB2, APP, POWER = map(dn, ("svc-web", "svc-web2", "svc-app", "svc-power"))


def named(host, account):
    return {(one.kind, one.name) for one in host.of(account)}


def test_every_spelling_is_found_and_no_name_that_only_looks_like_it():
    host = Asked().host("a.corp.example", WEB)
    assert named(host, WEB) == {
        *(("service", name) for name in ("NetBios", "Dns", "Upn", "UpnShort")),
        *(("task", path) for path in (r"\Bare", r'\Reports\Nightly "x"')),
        ("app-pool", "no"),
    }
    assert [one.name for one in host.workloads if one.bare] == [r"\Bare"]
    stopped = next(one for one in host.workloads if one.name == "Dns")
    assert (stopped.state, stopped.start_mode, stopped.log_on) == ("Stopped", "Manual", r"CORP.example\svc-web")
    assert next(one.state for one in host.workloads if one.kind == "app-pool") == "Started"


def test_a_name_that_begins_like_another_is_the_others_own():
    host = Asked().host("a.corp.example", WEB, WEB2)
    assert named(host, WEB2) == {("service", "Other")}
    assert ("service", "Other") not in named(host, WEB)


def test_a_task_that_cannot_be_asked_for_exactly_is_told_not_guessed():
    host = Asked().host("a.corp.example", WEB)
    assert [r"\Reports\Odd [1]" in trouble for trouble in host.troubles] == [True]
    assert not host.whole


def test_a_user_principal_name_of_its_own_counts_too():
    assert named(Asked().host("b.corp.example", APP), APP) == {("service", "App"), ("service", "AppToo")}


def test_a_quote_in_a_name_is_part_of_it():
    assert named(Asked().host("e.corp.example", OBRIEN), OBRIEN) == {("service", "O'Brien")}


def test_a_web_server_whose_pools_are_not_shown_is_not_taken_for_one_without():
    (trouble,) = Asked().host("e.corp.example", APP).troubles
    assert "application pools could not be read" in trouble
    assert Asked().host("b.corp.example", APP).troubles == ()


def test_what_else_a_host_is():
    host = Asked().host("c.corp.example", POWER)
    assert (host.build, host.cluster, host.controller) == (20348, True, False)
    assert not Asked().host("b.corp.example", POWER).cluster


def test_a_host_that_does_not_answer_says_why():
    host = Asked().host("d.corp.example", APP)
    assert host.fault is not None
    assert "d.corp.example" in host.fault
    assert host.workloads == ()


def test_only_reads_of_the_catalogue_are_sent():
    asked = Asked()
    asked.everything([WEB, APP, dn("nobody"), "CN=a,CN=Computers,DC=corp,DC=example"])
    sent = {one.name for read in asked.reads for one in read.statements}
    assert {CATALOGUE[name].effect for name in sent} == {Effect.READS}


@pytest.mark.parametrize(("accounts", "most"), [(1, 3), (4, 3)])
def test_a_host_costs_a_handful_of_round_trips_however_many_accounts_are_looked_for(accounts, most):
    asked = Asked()
    spellings = asked.spellings([WEB2, APP, POWER, OBRIEN][:accounts])
    before = len(asked.reads)
    for host in ("b.corp.example", "c.corp.example"):
        asked.hold(host_course(host, spellings))
    assert len(asked.reads) - before <= 2 * most


def test_many_accounts_are_looked_for_among_all_services():
    accounts = [Identity(f"k{number}", f"svc-{number}", f"S-1-5-21-1-2-3-{2000 + number}") for number in range(500)]
    accounts.append(Identity("web", "svc-web", "S-1-5-21-1-2-3-1"))
    found = Asked().hold(host_course("a.corp.example", Spellings(Domain("corp.example", "CORP"), accounts)))
    assert {one.account for one in found.workloads} == {"web"}
    assert len(found.workloads) == 7


def text(uri, who):
    uri = f"<RegistrationInfo><URI>{uri}</URI></RegistrationInfo>" if uri else "<RegistrationInfo/>"
    principal = f"<Principals><Principal><UserId>{who}</UserId></Principal></Principals>"
    return Record("System.String", {"": f"<Task>{uri}{principal}</Task>"})


def tasks_of(texts):
    """Hold the conversation with a host of two tasks, whose texts come back so."""
    spellings = Spellings(Domain("corp.example", "CORP"), [Identity("app", "svc-app", "S-1-5-21-1-2-3-1104")])
    course = host_course("h", spellings)
    next(course)
    listed = [
        Record("X#MSFT_ScheduledTask".replace("#", "/"), {"TaskPath": "\\", "TaskName": name, "State": "Ready"})
        for name in ("One", "Two")
    ]
    system = Record("x/Win32_OperatingSystem", {"BuildNumber": "26100", "ProductType": 3, "Caption": "Windows"})
    read = course.send(Reply(Outcome.SUCCEEDED, (*listed, system)))
    asked = []
    try:
        while True:
            asked.append([one.parameters["TaskName"] for one in read.statements])
            read = course.send(texts(read))
    except StopIteration as ended:
        return asked, ended.value


def test_tasks_are_told_apart_by_the_path_that_each_gives_itself():
    asked, host = tasks_of(
        lambda _: Reply(Outcome.SUCCEEDED, (text("\\Two", "CORP\\svc-app"), text("\\One", "SYSTEM")))
    )
    assert asked == [["One", "Two"]]
    assert [one.name for one in host.workloads] == ["\\Two"]


def test_a_task_that_names_a_sid_is_its_owners():
    _, host = tasks_of(lambda _: Reply(Outcome.SUCCEEDED, (text("\\One", "S-1-5-21-1-2-3-1104"), text("\\Two", "X"))))
    assert [one.name for one in host.workloads] == ["\\One"]


@pytest.mark.parametrize("uri", [None, "\\Two", "\\Elsewhere"])
def test_a_task_whose_text_does_not_tell_is_asked_for_alone(uri):
    def answer(read):
        if len(read.statements) == 2:
            return Reply(Outcome.SUCCEEDED, (text(uri, "SYSTEM"), text("\\Two", "SYSTEM")))
        alone = read.statements[0].parameters["TaskName"]
        return Reply(Outcome.SUCCEEDED, (text(uri, "CORP\\svc-app" if alone == "One" else "SYSTEM"),))

    asked, host = tasks_of(answer)
    assert ["One"] in asked
    assert [one.name for one in host.workloads] == ["\\One"]
    assert host.troubles == ()


def test_a_task_that_does_not_say_it_is_told():
    gone = RemoteError("x", "ObjectNotFound", "y", "No such task.", cmdlet="Export-ScheduledTask")
    asked, host = tasks_of(lambda _: Reply(Outcome.SUCCEEDED, errors=(gone,)))
    assert asked == [["One", "Two"], ["One"], ["Two"]]
    assert ["No such task." in one for one in host.troubles] == [True, True]


def test_services_that_were_not_read_are_not_services_that_are_not_there():
    denied = RemoteError("HRESULT", "PermissionDenied", "x", "Access denied", cmdlet="Get-CimInstance")
    course = host_course("h", Spellings(Domain("corp.example", "CORP"), []))
    next(course)
    system = Record("x/Win32_OperatingSystem", {"BuildNumber": "26100", "ProductType": 3, "Caption": "Windows"})
    with pytest.raises(StopIteration) as ended:
        course.send(Reply(Outcome.SUCCEEDED, (system,), errors=(denied,)))
    assert not ended.value.value.whole


# The directory.


def test_an_account_as_the_directory_shows_it():
    found = Asked().everything([WEB, APP, POWER, OBRIEN, WEB2])
    web, app, power, obrien, web2 = found.accounts
    assert web.spns == ("HTTP/www.corp.example",)
    assert web.delegates_to == ("CIFS/fs.corp.example",)
    assert web.last_log_on.date().isoformat() == "2026-02-27"
    assert web2.last_log_on is None
    assert app.password_set.date().isoformat() == "2020-01-01"
    assert power.unconstrained
    assert power.privileged == ("member of DnsAdmins",)
    assert not obrien.enabled


def test_what_is_no_user_says_what_it_is_and_what_is_not_there_says_so():
    computer = "CN=a,CN=Computers,DC=corp,DC=example"
    there, gone = Asked().everything([computer, dn("nobody")]).accounts
    assert (there.object_class, there.is_user, there.fault) == ("computer", False, None)
    assert "not in the directory" in gone.fault


def test_a_dn_in_another_spelling_is_the_same_account_with_its_groups():
    (found,) = Asked().everything(["cn=SVC-POWER, ou=svc, dc=corp, dc=example"]).accounts
    assert found.dn == POWER
    assert found.privileged == ("member of DnsAdmins",)


def test_names_are_short_unique_and_free():
    found = Asked().everything([APP, *map(dn, ("svc-reporting-daily", "svc-reporting-dusk"))])
    names = list(found.names.values())
    assert names[0] == "dmsa-app-2", "dmsa-app is taken in this estate"
    assert all(len(name) <= 15 for name in names)
    assert len({name.lower() for name in names}) == 3


def test_computers_below_a_unit_but_not_what_only_inherits_from_them():
    names, left = Asked().hold(computers_course(DIRECTORY, "DC=corp,DC=example"))
    assert names == HOSTS
    assert [(one.dn.partition(",")[0], one.why) for one in left] == [("CN=DC01", "it is a domain controller")]


def test_a_unit_that_is_not_there_is_not_an_empty_one():
    with pytest.raises(Unreadable, match="OU=None"):
        Asked().hold(computers_course(DIRECTORY, "OU=None,DC=corp,DC=example"))


def test_no_read_is_sent_twice_for_one_host():
    asked = Asked()
    asked.host("a.corp.example", WEB)
    of_host: list[Read] = [read for read in asked.reads if read.endpoint == "a.corp.example"]
    statements = [one for read in of_host for one in read.statements]
    assert len(statements) == len({str(one) for one in statements})


def test_names_are_looked_for_in_the_whole_forest_where_the_domain_controller_knows_it():
    asked = Asked()
    assert asked.everything([APP]).forest
    (by_name,) = {str(one) for read in asked.reads for one in read.statements if "dmsa-app-2" in str(one)}
    assert "dc01.corp.example:3268" in by_name
    without = Asked(ESTATE.replace("{name: dc01.corp.example}", "{name: dc01.corp.example, global_catalog: false}"))
    found = without.everything([APP])
    assert (found.forest, found.names) == (False, {APP: "dmsa-app-2"})
    assert not any(":3268" in str(one) for read in without.reads for one in read.statements)


def test_a_name_that_only_another_domain_of_the_forest_has_is_taken():
    course = names_course(DIRECTORY, Domain("corp.example", "CORP", catalog=True), Asked().everything([WEB]).accounts)
    next(course)
    elsewhere = {"DistinguishedName": "CN=dmsa-web,DC=other,DC=example", "sAMAccountName": "DMSA-WEB$"}
    again = course.send(Reply(Outcome.SUCCEEDED, (Record("Microsoft.ActiveDirectory.Management.ADObject", elsewhere),)))
    assert "dmsa-web-2$" in str(again.statements[0])


@pytest.mark.parametrize(
    ("roles", "found"),
    [
        ("[]", ()),
        ("[{name: Cluster Name, type: Network Name}]", ()),
        ("[{name: Queue, type: Generic Service}, {name: Disk, type: Physical Disk}]", ("Queue (Generic Service)",)),
    ],
)
def test_a_node_of_a_cluster_says_what_the_cluster_runs(roles, found):
    old = "    listening: false\n    services: [{name: App, log_on: 'CORP\\svc-app'}]"
    new = old.replace("    listening: false\n", "").replace("[{", "[{name: ClusSvc}, {")
    text = ESTATE.replace(old, f"{new}\n    cluster: {roles}")
    assert text != ESTATE
    host = Asked(text).host("d.corp.example", APP)
    assert (host.cluster, host.roles, host.troubles) == (True, found, ())


def test_a_cluster_that_does_not_say_what_it_runs_is_told():
    course = host_course("d.corp.example", Spellings(Domain("corp.example", "CORP"), [Identity(APP, "svc-app", "S-1")]))
    next(course)
    os = Record("x/Win32_OperatingSystem", {"BuildNumber": "26100"})
    cluster = {"Name": "ClusSvc", "StartName": "LocalSystem", "State": "Running", "StartMode": "Auto"}
    service = Record("x/Win32_Service", cluster)
    asked = course.send(Reply(Outcome.SUCCEEDED, (os, service)))
    assert "MSCluster_Resource" in str(asked.statements)
    with pytest.raises(StopIteration) as ended:
        course.send(
            Reply(Outcome.SUCCEEDED, (), errors=(RemoteError("x", "PermissionDenied", "", "Access is denied"),))
        )
    host = ended.value.value
    assert (host.cluster, host.roles) == (True, ())
    assert "did not say whether it runs a cluster's role" in host.troubles[0]


@pytest.mark.parametrize(
    ("name", "means"),
    [
        *(
            (name, WEB)
            for name in ("svc-web", "SVC-WEB", r"corp\svc-web", r"CORP.example\svc-web", "svc-web@corp.example")
        ),
        *(("app@partner.example", APP), ("svc-app@CORP", APP), ("o'brien", OBRIEN)),
        ("dmsa-app$", "CN=dmsa-app,OU=Managed,DC=corp,DC=example"),
    ],
)
def test_an_account_may_be_named_as_people_name_it(name, means):
    domain = Domain("corp.example", "CORP")
    assert Asked().hold(named_course(DIRECTORY, domain, name)) == Named(dn=means)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("svc-we", "nobody in corp.example is called svc-we"),
        ("svc-we*", "nobody in corp.example is called"),
        (r"OTHER\svc-web", "of another domain than corp.example"),
        (r".\svc-web", "of another domain than corp.example"),
        ("svc-web@other.example", "nobody in corp.example is called"),
    ],
)
def test_a_name_that_means_nobody_is_said_and_not_guessed(name, fault):
    found = Asked().hold(named_course(DIRECTORY, Domain("corp.example", "CORP"), name))
    assert (found.dn, fault in found.fault) == ("", True), found.fault


def test_a_name_that_may_be_two_accounts_is_said():
    text = ESTATE.replace("upn: app@partner.example", "upn: svc-web@corp.example")
    found = Asked(text).hold(named_course(DIRECTORY, Domain("corp.example", "CORP"), "svc-web@corp.example"))
    assert found == Named(dn=APP), "a userPrincipalName that was given counts before one that is implied"
    course = named_course(DIRECTORY, Domain("corp.example", "CORP"), "x")
    next(course)
    two = tuple(
        Record("Microsoft.ActiveDirectory.Management.ADObject", {"DistinguishedName": one}) for one in (WEB, APP)
    )
    with pytest.raises(StopIteration) as ended:
        course.send(Reply(Outcome.SUCCEEDED, two))
    assert "name it by its DN" in ended.value.value.fault
