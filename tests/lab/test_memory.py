from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from orchestrator.lab.estate import Estate, load_spec
from orchestrator.lab.memory import MemoryTransport
from orchestrator.lab.record import Lab
from orchestrator.model.call import Read, Write, cmdlet
from orchestrator.model.observation import FaultKind, Outcome

QUICKSTART = (Path(__file__).parents[2] / "plans/estates/quickstart.yaml").read_text(encoding="utf-8")
DC, APP01 = "dc01.corp.example", "app01.corp.example"
ACCOUNT = "CN=svc-report,OU=Service Accounts,DC=corp,DC=example"
DMSA = "CN=dmsa-report,OU=Managed,DC=corp,DC=example"
NEW = cmdlet(
    "New-ADServiceAccount",
    Name="dmsa-report",
    DNSHostName="dmsa-report.corp.example",
    CreateDelegatedServiceAccount=True,
    KerberosEncryptionType=("AES256",),
    Path="OU=Managed,DC=corp,DC=example",
    Server=DC,
)


def transport(weather="", configuration="Microsoft.PowerShell"):
    estate = Estate(load_spec(QUICKSTART + weather))
    return MemoryTransport(estate, "CORP\\operator", configuration)


def run(far, call):
    return far.run(call, far.ticket(call.endpoint))


def pair(verb):
    return cmdlet(f"{verb}-ADServiceAccountMigration", Identity=DMSA, SupersededAccount=ACCOUNT, Server=DC)


def test_reads_travel_together_and_come_back_as_records():
    reply = run(
        transport(),
        Read(
            APP01,
            (cmdlet("Get-CimInstance", ClassName="Win32_OperatingSystem"), cmdlet("Get-Service", Name=("Spooler",))),
        ),
    )
    assert reply.outcome is Outcome.SUCCEEDED
    system, service = reply.records
    assert (system.kind, system.text("BuildNumber")) == ("Win32_OperatingSystem", "26100")
    assert isinstance(system.need("LastBootUpTime"), datetime)
    assert (service.kind, service.text("Status")) == ("ServiceController", "Running")
    assert service.texts("DependentServices") == ()


def test_directory_values_are_plain():
    asked = cmdlet("Get-ADUser", Identity=ACCOUNT, Properties=("servicePrincipalName",), Server=DC)
    (user,) = run(transport(), Read(DC, (asked,))).of("ADUser")
    assert isinstance(user.need("ObjectGUID"), UUID)
    assert user.text("SID").startswith("S-1-5-21-")
    assert user.texts("servicePrincipalName") == ("HTTP/reports", "HTTP/reports.corp.example")


def test_a_bare_value_has_no_name():
    reply = run(transport(), Read(APP01, (cmdlet("Test-Path", LiteralPath="HKLM:\\nowhere"),)))
    assert reply.records[0].value is False


def test_a_whole_migration_and_back():
    far = transport()
    for statement in (NEW, pair("Start"), pair("Complete"), pair("Undo"), pair("Undo")):
        assert run(far, Write(DC, statement)).outcome is Outcome.SUCCEEDED
    refused = run(far, Write(DC, pair("Complete")))
    assert refused.outcome is Outcome.FAILED
    assert refused.fault.kind is FaultKind.PERMANENT
    assert refused.fault.code.startswith("ActiveDirectoryServer:8245")
    assert refused.errors[-1].cmdlet == "Complete-ADServiceAccountMigration"


def test_a_restart_is_always_later_than_the_start_before():
    far = transport()
    asked = Read(APP01, (cmdlet("Get-CimInstance", ClassName="Win32_Process", Filter="Name = 'Spooler.exe'"),))
    starts = []
    for _ in range(3):
        run(far, Write(APP01, cmdlet("Restart-Service", Name="Spooler", Force=True)))
        starts.append(run(far, asked).records[0].need("CreationDate"))
    assert starts == sorted(set(starts))


def test_non_terminating_errors_do_not_fail_the_call():
    reply = run(transport(), Write(APP01, cmdlet("Restart-Service", Name="Nothing")))
    assert reply.outcome is Outcome.SUCCEEDED
    assert reply.errors[0].category == "ObjectNotFound"


@pytest.mark.parametrize(
    ("kind", "outcome", "fault", "code"),
    [
        ("lost-request", Outcome.UNKNOWN, FaultKind.UNKNOWN, "lost-reply"),
        ("lost-reply", Outcome.UNKNOWN, FaultKind.UNKNOWN, "lost-reply"),
        ("busy", Outcome.FAILED, FaultKind.TRANSIENT, "quota"),
        ("access-denied", Outcome.FAILED, FaultKind.PERMANENT, "access-denied"),
    ],
)
def test_weather_becomes_a_fault(kind, outcome, fault, code):
    far = transport(f"weather: [{{kind: {kind}, when: {{cmdlet: New-ADServiceAccount}}}}]")
    reply = run(far, Write(DC, NEW))
    assert (reply.outcome, reply.fault.kind, reply.fault.code) == (outcome, fault, code)
    found = run(far, Read(DC, (cmdlet("Get-ADServiceAccount", LDAPFilter="(cn=dmsa-report)", Server=DC),)))
    assert bool(found.records) is (kind == "lost-reply")


def test_slow_takes_estate_time():
    far = transport("weather: [{kind: slow, when: {cmdlet: New-ADServiceAccount}, takes: 40s}]")
    before = far._estate.now
    assert run(far, Write(DC, NEW)).outcome is Outcome.SUCCEEDED
    assert far._estate.now - before > timedelta(seconds=40)


@pytest.mark.parametrize("host", [APP01, "nowhere.corp.example"])
def test_a_host_that_does_not_answer_was_not_reached(host):
    far = transport()
    run(far, Write(APP01, cmdlet("Restart-Computer", Force=True)))
    reply = run(far, Read(host, (cmdlet("Get-Service"),)))
    assert (reply.outcome, reply.fault.code, reply.fault.reached) == (Outcome.FAILED, "refused", False)
    assert reply.fault.kind is FaultKind.TRANSIENT
    assert far.discard(host, uuid4()) is False


def test_deleting_the_shell_stops_what_runs_in_it():
    far = transport("weather: [{kind: lost-reply, when: {cmdlet: New-ADServiceAccount}, late: 5m}]")
    ticket = far.ticket(DC)
    assert far.run(Write(DC, NEW), ticket).outcome is Outcome.UNKNOWN
    assert far.discard(DC, ticket.shell) is True
    far._estate.advance(timedelta(hours=1))
    asked = cmdlet("Get-ADServiceAccount", LDAPFilter="(cn=dmsa-report)", Server=DC)
    assert run(far, Read(DC, (asked,))).records == ()


def test_a_ticket_serves_one_call_to_its_endpoint():
    far = transport()
    read = Read(DC, (cmdlet("Get-ADRootDSE", Server=DC),))
    ticket = far.ticket(DC)
    far.run(read, ticket)
    unused = far.ticket(DC)
    assert far.discard(DC, unused.shell) is True
    for wrong in (ticket, unused, far.ticket(APP01), transport().ticket(DC)):
        with pytest.raises(ValueError, match="no ticket"):
            far.run(read, wrong)
    last = far.ticket(DC)
    far.close()
    with pytest.raises(ValueError, match="no ticket"):
        far.run(read, last)


@pytest.mark.parametrize("configuration", ["Microsoft.PowerShell", "DmsaMigration"])
def test_what_is_worded_differently_on_a_restricted_endpoint(configuration):
    far = transport(configuration=configuration)
    log = "Microsoft-Windows-Security-Kerberos/Operational"
    assert run(far, Write(APP01, cmdlet("wevtutil", arguments=("sl", log, "/e:true")))).outcome is Outcome.SUCCEEDED
    (listed,) = run(far, Read(APP01, (cmdlet("Get-WinEvent", ListLog="*Kerberos*"),))).records
    assert (listed.text("LogName"), listed.need("IsEnabled")) == (log, True)
    asked = cmdlet("Get-DmsaDescriptor", Identity=ACCOUNT, Attribute="nTSecurityDescriptor", Server=DC)
    (found,) = run(far, Read(DC, (asked,))).records
    assert found.kind == "ActiveDirectorySecurity"
    assert found.text("Sddl").startswith("O:DA")


def test_a_recording_lab_serves_as_well(tmp_path):
    lab = Lab(QUICKSTART, tmp_path, lambda: 0.0)
    far = MemoryTransport(lab, "CORP\\operator")
    assert run(far, Write(DC, NEW)).outcome is Outcome.SUCCEEDED
    lab.close()
    assert "New-ADServiceAccount" in (tmp_path / "commands.jsonl").read_text(encoding="utf-8")
