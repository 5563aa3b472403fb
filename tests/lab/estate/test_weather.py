from datetime import timedelta
from uuid import UUID

import pytest

from orchestrator.lab.command import Command

APP01 = "app01.corp.example"
RESTART = {"cmdlet": "Restart-Service", "host": "app01"}


def fault(far, host, name, **parameters):
    return far.estate.fault_for(far.request(host, Command(name, parameters)))


KINDS = [
    "lost-request",
    "lost-reply",
    "reset",
    "hang",
    "unavailable",
    "session-died",
    "session-disconnected",
    "slow",
    "access-denied",
    "busy",
]


@pytest.mark.parametrize("kind", KINDS)
def test_request_weather_strikes_the_nth_and_is_over(estate_with, kind):
    far = estate_with(weather=[{"kind": kind, "when": RESTART | {"nth": 2, "times": 2}}])
    struck = [fault(far, APP01, "restart-service", Name="ReportServer") for _ in range(5)]
    assert [each and each.kind for each in struck] == [None, kind, kind, None, None]
    assert fault(far, "app02.corp.example", "Restart-Service", Name="ErpApi") is None
    assert fault(far, APP01, "Get-Service") is None


def test_weather_of_an_operation_counts_messages_and_leaves_whole_requests_alone(estate_with):
    when = {"operation": "Receive", "host": "app01", "nth": 2, "times": 2}
    far = estate_with(weather=[{"kind": "hang", "arrives": False, "when": when}])
    assert fault(far, APP01, "Get-Service") is None
    asked = [
        (APP01, "Receive"), (APP01, "Create"), ("app02.corp.example", "Receive"),
        (APP01, "Receive"), (APP01, "Receive"), (APP01, "Receive"),
    ]  # fmt: skip
    met = [far.estate.fault_at(host, operation, None) for host, operation in asked]
    assert [each and each.kind for each in met] == [None, None, None, "hang-before", "hang-before", None]


def test_weather_of_an_operation_and_a_cmdlet_means_that_pipeline(estate_with):
    when = {"operation": "Receive", "cmdlet": "Restart-Service"}
    far = estate_with(weather=[{"kind": "reset", "when": when}])
    about = [None, far.request(APP01, Command("Get-Service")), far.request(APP01, Command("restart-service"))]
    met = [far.estate.fault_at(APP01, "Receive", request) for request in about]
    assert [each and each.kind for each in met] == [None, None, "reset"]


@pytest.mark.parametrize(("kind", "executes"), [("reset", True), ("hang", True), ("unavailable", False)])
def test_what_befalls_a_reply_lets_the_request_take_effect(estate_with, kind, executes):
    far = estate_with(weather=[{"kind": kind, "when": {}}])
    assert fault(far, APP01, "Get-Service").executes is executes


def test_a_late_effect_comes_later_and_never_after_its_shell_is_gone(estate_with):
    late = {"kind": "lost-reply", "when": {"cmdlet": "Start-ADServiceAccountMigration", "times": 2}, "late": "30s"}
    for discards in (False, True):
        far = estate_with(weather=[late])
        far.create()
        pair = {"Identity": far.dmsa, "SupersededAccount": far.account}
        request = far.request(far.dc, Command("Start-ADServiceAccountMigration", pair), shell=7)
        assert far.estate.fault_for(request).kind == "lost-reply"
        assert far.estate.execute(request).output == ()
        far.pass_time(seconds=29)
        if discards:
            assert far.estate.discard(UUID(int=7)) is True
        assert far.managed("msDS-DelegatedMSAState")["msDS-DelegatedMSAState"] == 0
        far.pass_time(seconds=1)
        assert far.managed("msDS-DelegatedMSAState")["msDS-DelegatedMSAState"] == (0 if discards else 1)


def test_a_host_goes_down_after_a_command_and_comes_back(estate_with):
    far = estate_with(weather=[{"kind": "host-down", "host": APP01, "when": RESTART, "delay": "10s", "lasts": "5m"}])
    far.ok(APP01, "Restart-Service", Name="ReportServer")
    assert far.estate.listens(APP01)
    far.pass_time(seconds=10)
    assert fault(far, APP01, "Get-Service").kind == "down"
    far.pass_time(minutes=5)
    assert fault(far, APP01, "Get-Service") is None
    assert far.service(APP01, "ReportServer")["State"] == "Running"


def test_a_service_does_not_come_back_once(estate_with):
    at = "2026-03-02T19:00:00Z"
    far = estate_with(weather=[{"kind": "service-broken", "host": "app01", "service": "ReportServer", "at": at}])
    far.pass_time(hours=1)
    assert far.send(APP01, "Restart-Service", Name="ReportServer").errors != ()
    assert far.service(APP01, "ReportServer")["ExitCode"] == 1053
    far.ok(APP01, "Start-Service", Name="ReportServer")


def test_an_unknown_host_registers_in_mid_hold(estate_with):
    start = {"cmdlet": "Start-ADServiceAccountMigration"}
    comes = {"kind": "host-registers", "host": "db01", "account": "CORP\\svc-report", "when": start, "delay": "3d"}
    far = estate_with(weather=[comes])
    far.create()
    far.enable("db01.corp.example")
    far.migrate("Start")
    far.pass_time(days=2)
    assert far.principals() == []
    far.pass_time(days=1)
    assert far.principals() == ["CN=DB01,CN=Computers,DC=corp,DC=example"]


def test_somebody_deletes_moves_and_resets_things(estate_with):
    at = "2026-03-02T19:00:00Z"
    weather = [
        {"kind": "object-deleted", "dn": estate_with.account, "at": at},
        {
            "kind": "object-moved",
            "dn": "CN=svc-web,OU=Service Accounts,DC=corp,DC=example",
            "to": "OU=Managed,DC=corp,DC=example",
            "at": at,
        },
        {"kind": "registry-changed", "host": "app01", "value": 1, "at": at},
        {"kind": "partition", "host": "dc02", "at": at},
    ]
    far = estate_with(weather=weather)
    far.pass_time(hours=1, minutes=30)
    assert far.send(far.dc, "Get-ADUser", Identity="svc-report").failure is not None
    assert far.user(server=far.dc2)["Name"] == "svc-report"
    assert (
        far.one(far.dc, "Get-ADUser", Identity="svc-web")["DistinguishedName"]
        == "CN=svc-web,OU=Managed,DC=corp,DC=example"
    )
    assert far.estate.describe()["machines"][APP01]["DelegatedMSAEnabled"] == 1
    assert far.one(far.dc2, "Get-ADReplicationPartnerMetadata", Target=far.dc2)["LastReplicationResult"] == 1722


def test_a_policy_sets_a_switch_back_again_and_again(estate_with):
    at = "2026-03-02T19:00:00Z"
    back = {"kind": "registry-changed", "host": "app01", "value": "absent", "at": at, "every": "90m"}
    far = estate_with(weather=[back])
    shown = []
    for _ in range(3):
        far.enable(APP01)
        far.pass_time(hours=1, minutes=29)
        shown.append(far.estate.machine(APP01).kerberos)
        far.pass_time(minutes=1)
    assert shown == ["absent", "absent", "absent"]


def test_other_use_of_an_account_is_seen_on_a_dc(estate_with):
    use = {"account": "svc-report", "address": "10.9.9.9", "workstation": "OLD1"}
    far = estate_with(other_use=[use, use | {"protocol": "ntlm"}])
    far.pass_time(hours=1)
    rows = far.estate.authority.security[far.dc]
    assert [row.id for row in rows if row.data["TargetUserName"] == "svc-report"] == [4768, 4776, 4768, 4776]
    assert rows[0].at == far.estate.spec.clock.start - timedelta(days=90)
    query = "*[System[EventID=4776] and EventData[Data[@Name='Workstation']='OLD1']]"
    assert far.one(far.dc, "Get-WinEvent", LogName="Security", FilterXPath=query, MaxEvents=1)["Id"] == 4776
