from datetime import timedelta

import pytest

APP01, APP02, APP03, DB01 = (f"{name}.corp.example" for name in ("app01", "app02", "app03", "db01"))
COULD_NOT_START = "CouldNotStartService,Microsoft.PowerShell.Commands.RestartServiceCommand"


def restart(far, host, name, **parameters):
    return far.send(host, "Restart-Service", Name=name, Force=True, **parameters)


def completed(far):
    far.migrate("Start")
    far.enable(APP01)
    assert restart(far, APP01, "ReportServer").errors == ()
    assert far.migrate("Complete").failure is None


def test_a_restart_is_a_new_process(far):
    before = far.service(APP01, "ReportServer")["ProcessId"]
    far.pass_time(seconds=1)
    (service,) = far.ok(APP01, "Restart-Service", Name="ReportServer", Force=True, PassThru=True)
    assert service.properties["Status"].text == "Running"
    after = far.service(APP01, "ReportServer")
    assert after["ProcessId"] != before
    process = far.one(APP01, "Get-CimInstance", ClassName="Win32_Process", Filter=f"ProcessId = {after['ProcessId']}")
    assert process["CreationDate"] == far.estate.now


def test_during_the_hold_a_capable_host_registers_itself_on_its_own_dc(far):
    far.ok(APP03, "wevtutil", **{"0": "sl", "1": "Microsoft-Windows-Security-Kerberos/Operational", "2": "/e:true"})
    account = "CN=svc-web,OU=Service Accounts,DC=corp,DC=example"
    far.migrate("Start", account=account)
    far.pass_time(minutes=1)
    far.enable(APP03)
    restart(far, APP03, "WebFront")
    assert far.principals() == []
    assert far.principals(far.dc2) == ["CN=APP03,CN=Computers,DC=corp,DC=example"]
    far.pass_time(seconds=45)
    assert far.principals() == ["CN=APP03,CN=Computers,DC=corp,DC=example"]
    table = {"LogName": "Microsoft-Windows-Security-Kerberos/Operational", "Id": [307, 308]}
    assert sorted(event.properties["Id"] for event in far.ok(APP03, "Get-WinEvent", FilterHashtable=table)) == [
        307,
        308,
    ]


@pytest.mark.parametrize("value", [0, None])
def test_a_host_without_the_value_does_not_register(far, value):
    far.migrate("Start")
    if value is not None:
        far.enable(APP01, value)
    assert restart(far, APP01, "ReportServer").errors == ()
    assert far.principals() == []


def test_an_old_host_does_not_register_and_fails_after_complete(estate_with):
    service = {"name": "ReportServer", "log_on": "CORP\\svc-report"}
    old = {"name": APP01, "build": 20348, "kerberos": 1, "services": [service]}
    far = estate_with(hosts=[old])
    far.create()
    far.migrate("Start")
    assert restart(far, APP01, "ReportServer").errors == ()
    assert far.principals() == []
    far.migrate("Complete")
    assert [error.id for error in restart(far, APP01, "ReportServer").errors] == [COULD_NOT_START]


def test_a_host_that_never_registers_goes_on_as_the_account(estate_with):
    service = {"name": "ReportServer", "log_on": "CORP\\svc-report"}
    far = estate_with(hosts=[{"name": APP01, "kerberos": 1, "registers": False, "services": [service]}])
    far.create()
    far.migrate("Start")
    assert restart(far, APP01, "ReportServer").errors == ()
    assert far.principals() == []


def test_after_complete_the_service_runs_on_under_its_old_name(far):
    completed(far)
    assert restart(far, APP01, "ReportServer").errors == ()
    service = far.service(APP01, "ReportServer")
    assert (service["State"], service["StartName"]) == ("Running", "CORP\\svc-report")


def spoil_registry(far):
    far.enable(APP01, 0)


def spoil_membership(far):
    far.ok(far.dc, "Set-ADServiceAccount", Identity=far.dmsa, PrincipalsAllowedToRetrieveManagedPassword=["APP02$"])


def spoil_original(far):
    far.estate.directory.delete(far.dc, far.user()["ObjectGUID"])


@pytest.mark.parametrize("spoil", [spoil_registry, spoil_membership, spoil_original])
def test_after_complete_anything_missing_is_1069(far, spoil):
    completed(far)
    spoil(far)
    result = restart(far, APP01, "ReportServer")
    assert [error.id for error in result.errors] == [COULD_NOT_START]
    assert result.errors[0].exception == "Microsoft.PowerShell.Commands.ServiceCommandException"
    service = far.service(APP01, "ReportServer")
    assert (service["State"], service["ExitCode"], service["ProcessId"]) == ("Stopped", 1069, 0)
    assert restart(far, APP01, "ReportServer", ErrorAction="Stop").failure is not None


def test_a_host_allowed_through_a_group_may_become_the_dmsa(estate_with):
    group = {
        "dn": "CN=reporting,OU=Managed,DC=corp,DC=example",
        "members": ["CN=APP01,CN=Computers,DC=corp,DC=example"],
    }
    far = estate_with(groups=[group])
    far.create(PrincipalsAllowedToRetrieveManagedPassword=["reporting"])
    far.migrate("Start")
    far.migrate("Complete")
    far.enable(APP01)
    assert restart(far, APP01, "ReportServer").errors == ()


def test_dependents_need_force_and_come_back(far):
    far.pass_time(seconds=1)
    refused = far.send(APP02, "Restart-Service", Name="ErpApi")
    assert refused.errors[0].id.startswith("ServiceHasDependentServices")
    before = far.service(APP02, "ErpQueue")["ProcessId"]
    assert restart(far, APP02, "ErpApi").errors == ()
    assert far.service(APP02, "ErpQueue")["State"] == "Running"
    assert far.service(APP02, "ErpQueue")["ProcessId"] != before
    assert far.one(APP02, "Get-Service", Name="ErpApi")["DependentServices"] == ["ErpQueue"]


def test_other_services_are_left_alone(far):
    before = far.service(APP01, "Spooler")
    restart(far, APP01, "ReportServer")
    assert far.service(APP01, "Spooler") == before


def test_a_disabled_service_does_not_start(far):
    result = far.send(DB01, "Start-Service", Name="SyncLegacy")
    assert result.errors[0].id.startswith("CouldNotStartService")
    assert far.service(DB01, "SyncLegacy")["State"] == "Stopped"


def test_a_task_runs_at_its_hour_and_says_how_it_went(far):
    ask = {"TaskPath": "\\Reports\\", "TaskName": "Nightly"}
    before = far.one(APP01, "Get-ScheduledTaskInfo", **ask)
    far.pass_time(hours=9)
    after = far.one(APP01, "Get-ScheduledTaskInfo", **ask)
    assert after["LastRunTime"] - before["LastRunTime"] == timedelta(days=1)
    assert after["LastTaskResult"] == 0
    far.migrate("Start")
    far.migrate("Complete")
    far.pass_time(days=1)
    assert far.one(APP01, "Get-ScheduledTaskInfo", **ask)["LastTaskResult"] == 0x8007052E
    (xml,) = far.ok(APP01, "Export-ScheduledTask", **ask)
    assert "<UserId>CORP\\svc-report</UserId>" in xml


def test_a_reboot_takes_time_and_starts_what_starts_by_itself(far):
    far.pass_time(minutes=1)
    boot = far.one(APP02, "Get-CimInstance", ClassName="Win32_OperatingSystem")["LastBootUpTime"]
    far.ok(APP02, "Restart-Computer", Force=True)
    assert not far.estate.listens(APP02)
    far.pass_time(seconds=90)
    assert far.estate.listens(APP02)
    again = far.one(APP02, "Get-CimInstance", ClassName="Win32_OperatingSystem")["LastBootUpTime"]
    assert again == far.estate.now > boot
    assert far.service(APP02, "ErpQueue")["State"] == "Running"


@pytest.mark.parametrize("spelling", ["CORP\\svc-report", "svc-report@corp.example", "corp.example\\SVC-REPORT"])
def test_every_spelling_of_an_account_logs_on(estate_with, spelling):
    host = {"name": APP01, "services": [{"name": "S", "log_on": spelling}]}
    far = estate_with(hosts=[host])
    assert restart(far, APP01, "S").errors == ()
    elsewhere = {"name": APP01, "services": [{"name": "S", "log_on": "OTHER\\svc-report"}]}
    assert restart(estate_with(hosts=[elsewhere]), APP01, "S").errors != ()


def test_log_ons_stand_in_the_security_log_of_the_dc(far):
    restart(far, APP01, "ReportServer")
    query = "*[System[(EventID=4768 or EventID=4769)] and EventData[Data[@Name='TargetUserName']='svc-report'"
    query += " and Data[@Name='IpAddress']!='::ffff:127.77.0.3']]"
    found = far.send(far.dc, "Get-WinEvent", LogName="Security", FilterXPath=query)
    assert found.errors[0].id.startswith("NoMatchingEventsFound")
    query = query.replace("!=", "=")
    assert far.one(far.dc, "Get-WinEvent", LogName="Security", FilterXPath=query)["Id"] == 4768


def test_app_pools(estate_with):
    pool = {"name": "Portal", "log_on": "CORP\\svc-report"}
    far = estate_with(hosts=[{"name": APP01, "app_pools": [pool]}])
    assert far.one(APP01, "Get-WebAppPoolState", Name="Portal")["Value"] == "Started"
    path = {"PSPath": "MACHINE/WEBROOT/APPHOST", "Filter": "system.applicationHost/applicationPools/add"}
    assert (
        far.one(APP01, "Get-WebConfigurationProperty", Name="processModel.userName", **path)["Value"]
        == "CORP\\svc-report"
    )
    far.estate.directory.delete(far.dc, far.user()["ObjectGUID"])
    far.ok(APP01, "Restart-WebAppPool", Name="Portal")
    assert far.one(APP01, "Get-WebAppPoolState", Name="Portal")["Value"] == "Stopped"
    assert far.send(APP01, "Restart-WebAppPool", Name="Portal").errors != ()
