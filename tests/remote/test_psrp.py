"""The transport against the lab's wire: what it sends, what it survives, and what it says about the rest."""

from __future__ import annotations

import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from orchestrator.lab.command import LabError, LabObject, Result
from orchestrator.lab.wire.engine import Kind
from orchestrator.lab.wire.operations import Operation
from orchestrator.model.call import Read, Ticket, Write, cmdlet
from orchestrator.model.observation import FaultKind, Outcome
from orchestrator.model.plan import Tls
from orchestrator.remote import session as session_module
from orchestrator.remote.connection import Connections
from orchestrator.remote.gate import Refused
from tests.patience import PATIENCE

HOST = "app01.corp.example"
DC = "app02.corp.example"
READ = Read(HOST, (cmdlet("Get-Service", Name="ErpApi"),))
WRITE = Write(HOST, cmdlet("Restart-Service", Name="ErpApi", Force=True))
WARM = ["Command", "Receive"]
COLD = ["Create", "Receive", "Receive", *WARM]


def run(transport, call):
    return transport.run(call, transport.ticket(call.endpoint))


def operations(far_side):
    done = [operation for _, operation in far_side.operations]
    far_side.operations.clear()
    return done


def test_a_read_brings_back_what_the_host_answered(far_side, transport):
    kind = "Microsoft.Management.Infrastructure.CimInstance#root/cimv2/Win32_Service"
    far_side.answer = lambda _: Result((LabObject((kind,), {"Name": "ErpApi", "State": "Running"}),))
    reply = run(transport, READ)
    assert reply.fault is None
    assert reply.outcome is Outcome.SUCCEEDED
    (record,) = reply.of("Win32_Service")
    assert record.text("State") == "Running"


def test_a_warm_pipeline_costs_two_requests(far_side, transport):
    run(transport, READ)
    assert operations(far_side) == COLD
    for _ in range(3):
        run(transport, WRITE)
    assert operations(far_side) == WARM * 3


def test_the_ids_of_the_ticket_are_the_ids_on_the_far_side(far_side, transport):
    ticket = transport.ticket(HOST)
    transport.run(WRITE, ticket)
    again = transport.ticket(HOST)
    transport.run(READ, again)
    assert [(each.shell, each.pipeline) for each in far_side.requests] == [
        (ticket.shell, ticket.pipeline),
        (again.shell, again.pipeline),
    ]
    assert again.shell == ticket.shell


def test_values_arrive_as_what_they_were(far_side, transport):
    since = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
    table = {"LogName": "Microsoft-Windows-Security-Kerberos/Operational", "Id": (307, 308), "StartTime": since}
    run(transport, Read(HOST, (cmdlet("Get-WinEvent", FilterHashtable=table, MaxEvents=50, ErrorAction="Stop"),)))
    (command,) = far_side.commands
    sent = command.parameters["FilterHashtable"]
    assert list(sent["Id"]) == [307, 308]
    assert sent["StartTime"] in {since, "2026-11-20T08:30:00.000000Z"}
    assert command.parameters["MaxEvents"] == 50
    assert command.parameters["ErrorAction"] == "Stop"


def test_no_script_ever_arrives(far_side, transport):
    name = "x'; Remove-ADUser svc-erp #"
    run(transport, Read(HOST, (cmdlet("Get-Service", Name=name), cmdlet("Get-ADDomain", Server=DC))))
    run(transport, Write(HOST, cmdlet("wevtutil", arguments=("sl", LOG, "/e:true"))))
    assert [command.name for command in far_side.commands] == ["Get-Service", "Get-ADDomain", "wevtutil"]
    assert not any(command.is_script for command in far_side.commands)
    assert far_side.commands[0].parameters["Name"] == name


LOG = "Microsoft-Windows-Security-Kerberos/Operational"


def test_a_descriptor_is_read_as_a_top_level_object(far_side, transport):
    security = LabObject(("System.DirectoryServices.ActiveDirectorySecurity",), {"Sddl": "O:BAD:"}, None)
    far_side.answer = lambda _: Result((security,))
    asked = cmdlet(
        "Get-DmsaDescriptor", Identity="CN=svc,DC=corp,DC=example", Attribute="nTSecurityDescriptor", Server=DC
    )
    (record,) = run(transport, Read(HOST, (asked,))).of("ActiveDirectorySecurity")
    assert record.text("Sddl") == "O:BAD:"
    assert [command.name for command in far_side.commands] == ["Get-ADObject", "Select-Object"]


def test_an_error_ends_a_pipeline_and_says_why(far_side, transport):
    denied = LabError("Denied,RestartService", "PermissionDenied", "System.Exception", "Access is denied", "ErpApi")
    far_side.answer = lambda _: Result((), (), denied)
    reply = run(transport, WRITE)
    assert reply.outcome is Outcome.FAILED
    assert (reply.fault.kind, reply.fault.code) == (FaultKind.PERMANENT, "Denied,RestartService")
    assert reply.errors[-1].category == "PermissionDenied"
    assert HOST in reply.fault.message
    assert "Access is denied" in reply.fault.message


def test_errors_that_end_nothing_are_told(far_side, transport):
    missing = LabError("NoService", "ObjectNotFound", "System.Exception", "no such service", "ErpApi", "Get-Service")
    far_side.answer = lambda _: Result((), (missing,))
    reply = run(transport, READ)
    assert (reply.outcome, reply.fault) == (Outcome.SUCCEEDED, None)
    assert [(error.id, error.category) for error in reply.errors] == [("NoService", "ObjectNotFound")]


def test_what_came_before_an_error_is_kept(far_side, transport):
    gone = LabError("Gone", "ObjectNotFound", "System.Exception", "not there")
    far_side.answer = lambda command: Result((), (), gone) if command.name == "Get-ADUser" else Result(("before",))
    dn = "CN=svc,DC=corp,DC=example"
    reads = (cmdlet("Get-ADDomain", Server=DC), cmdlet("Get-ADUser", Identity=dn, Server=DC))
    reply = run(transport, Read(HOST, reads))
    assert reply.outcome is Outcome.FAILED
    assert [record.value for record in reply.records] == ["before"]


@pytest.mark.parametrize(
    ("operation", "kind", "code"),
    [
        (Operation.COMMAND, Kind.LOST_REPLY, "connection-lost"),
        (Operation.COMMAND, Kind.LOST_REQUEST, "connection-lost"),
        (Operation.COMMAND, Kind.UNAVAILABLE, "http-503"),
        (Operation.RECEIVE, Kind.LOST_REPLY, "connection-lost"),
    ],
)
def test_a_write_whose_fate_is_not_known_is_unknown_and_never_repeated(far_side, transport, operation, kind, code):
    run(transport, READ)
    ticket = transport.ticket(HOST)
    far_side.strikes.append((operation, kind))
    far_side.requests.clear()
    reply = transport.run(WRITE, ticket)
    assert reply.outcome is Outcome.UNKNOWN
    assert (reply.fault.kind, reply.fault.code, reply.fault.reached) == (FaultKind.UNKNOWN, code, True)
    assert len(far_side.requests) <= 1
    assert transport.discard(HOST, ticket.shell)
    assert ticket.shell in far_side.discarded
    assert run(transport, READ).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("kind", [Kind.LOST_REPLY, Kind.LOST_REQUEST, Kind.UNAVAILABLE, Kind.BUSY, Kind.DENIED])
def test_a_write_is_not_sent_where_no_session_could_be_opened(far_side, transport, kind):
    far_side.strikes.append((Operation.CREATE, kind))
    reply = run(transport, WRITE)
    assert reply.outcome is Outcome.FAILED
    assert reply.fault.kind in {FaultKind.TRANSIENT, FaultKind.PERMANENT}
    assert far_side.requests == []


@pytest.mark.parametrize("kind", [Kind.BUSY, Kind.DENIED])
def test_a_write_that_winrm_refuses_has_failed(far_side, transport, kind):
    run(transport, READ)
    far_side.requests.clear()
    far_side.strikes.append((Operation.COMMAND, kind))
    reply = run(transport, WRITE)
    assert reply.outcome is Outcome.FAILED
    assert far_side.requests == []


def test_a_read_whose_shell_somebody_deleted_may_be_asked_again_in_another(far_side, transport, connections, dialled):
    run(transport, READ)
    ticket = transport.ticket(HOST)
    assert dialled(connections.settings).discard(HOST, ticket.shell)
    assert transport.run(READ, ticket).again
    assert transport.run(READ, transport.ticket(HOST)).outcome is Outcome.SUCCEEDED
    assert ticket.shell in {one.shell for one in transport.gone()}
    assert far_side.requests[-1].shell != ticket.shell


def test_a_write_does_not_move_to_another_shell(far_side, transport, connections, dialled):
    run(transport, READ)
    ticket = transport.ticket(HOST)
    assert dialled(connections.settings).discard(HOST, ticket.shell)
    far_side.requests.clear()
    reply = transport.run(WRITE, ticket)
    assert (reply.outcome, reply.fault.kind, reply.fault.code) == (
        Outcome.FAILED,
        FaultKind.TRANSIENT,
        "shell-unknown",
    )
    assert far_side.requests == []


def test_discard_of_an_unknown_shell_is_acknowledged(far_side, transport):
    assert transport.discard(HOST, uuid4())


def test_discard_says_no_where_nobody_answers(connections, dialled, tmp_path):
    estate = connections.estate.model_copy(update={"addresses": {HOST: "127.77.9.9:9"}})
    transport = dialled(Connections(estate, tmp_path, {"PW": "x"}.get).settings)
    assert not transport.discard(HOST, uuid4())


def test_at_most_four_sessions_to_a_host(far_side, connections, dialled):
    transport = dialled(connections.settings, crowded_for=0)
    tickets = [transport.ticket(HOST) for _ in range(5)]
    assert tickets[4] is None
    assert transport.ticket(DC) is not None
    assert len({ticket.shell for ticket in tickets[:4]}) == 4
    transport.run(READ, tickets[0])
    assert transport.ticket(HOST).shell == tickets[0].shell
    assert transport.discard(HOST, tickets[1].shell)  # given back without being used: the host is not asked
    assert transport.ticket(HOST) is not None
    assert [request.shell for request in far_side.requests] == [tickets[0].shell]


def test_calls_to_one_host_run_at_the_same_time(far_side, connections, dialled):
    transport = dialled(connections.settings, crowded_for=0)
    together = threading.Barrier(3, timeout=PATIENCE)

    far_side.answer = lambda _: Result((together.wait(),))
    tickets = [transport.ticket(HOST) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        replies = list(threads.map(lambda ticket: transport.run(READ, ticket), tickets))
    assert [reply.outcome for reply in replies] == [Outcome.SUCCEEDED] * 3
    assert {request.pipeline for request in far_side.requests} == {ticket.pipeline for ticket in tickets}


def test_a_ticket_is_good_for_one_call(far_side, transport):
    ticket = transport.ticket(HOST)
    transport.run(READ, ticket)
    for wrong in (ticket, Ticket(HOST, UUID(int=1), UUID(int=2))):
        with pytest.raises(ValueError, match="ticket"):
            transport.run(READ, wrong)
    with pytest.raises(ValueError, match="was used for"):
        transport.run(Read(DC, READ.statements), transport.ticket(HOST))


def test_the_gate_stands_before_the_wire(far_side, transport):
    for _ in range(6):  # more often than there are sessions: a refusal gives its session back
        with pytest.raises(Refused, match="not in the catalogue"):
            run(transport, Write(HOST, cmdlet("Remove-ADUser", Identity="CN=svc,DC=corp,DC=example")))
    assert far_side.operations == []


def test_an_idle_shell_is_replaced_and_deleted(far_side, connections, dialled):
    now = [0.0]
    transport = dialled(connections.settings, clock=lambda: now[0])
    first = transport.ticket(HOST)
    transport.run(READ, first)
    now[0] += 61
    operations(far_side)
    second = transport.ticket(HOST)
    transport.run(WRITE, second)
    assert second.shell != first.shell
    assert operations(far_side) == ["Create", "Receive", "Receive", "Delete", *WARM]
    assert far_side.discarded == [first.shell]


def test_a_worn_shell_is_replaced(far_side, transport, monkeypatch):
    monkeypatch.setattr(session_module, "MOST_PIPELINES", 2)
    shells = []
    for _ in range(4):
        run(transport, READ)
        shells.append(far_side.requests[-1].shell)
    assert shells[0] == shells[1] != shells[2] == shells[3]
    assert far_side.discarded == [shells[0]]


def test_close_deletes_every_shell(far_side, transport):
    run(transport, READ)
    run(transport, Read(DC, READ.statements))
    transport.close()
    assert set(far_side.discarded) == {request.shell for request in far_side.requests}


def test_a_call_that_never_ends_is_given_up(far_side, connections, dialled):
    now = [0.0]

    def clock():
        now[0] += 200
        return now[0]

    far_side.hold = threading.Event()
    transport = dialled(lambda host: replace(connections.settings(host), timeout=6.0), clock=clock)
    reply = run(transport, READ)
    far_side.hold.set()
    assert (reply.outcome, reply.fault.code) == (Outcome.FAILED, "unfinished")


@pytest.fixture
def broken(connections, dialled, tmp_path):
    """Make a transport with something wrong in its connection."""

    def make(*, address=None, password="correct horse", **changes):
        connection = connections.estate.connections[0].model_copy(update=changes)
        addresses = {HOST: address} if address else connections.estate.addresses
        estate = connections.estate.model_copy(update={"connections": (connection,), "addresses": addresses})
        return dialled(Connections(estate, tmp_path, {"PW": password}.get).settings)

    return make


def expect(transport, kind, code, message):
    reply = run(transport, WRITE)
    fault = reply.fault
    assert (reply.outcome, fault.kind, fault.code, fault.reached) == (Outcome.FAILED, kind, code, False)
    assert fault.message == message
    assert fault.remedy


def test_a_wrong_password(broken):
    transport = broken(password="wr0ng")
    message = f"{HOST}: it refuses the credentials (HTTP 401)"
    expect(transport, FaultKind.PERMANENT, "unauthorized", message)


def test_an_untrusted_certificate(connections, broken):
    tls = connections.estate.connections[0].tls.model_copy(update={"ca": None})
    transport = broken(tls=tls)
    reply = run(transport, WRITE)
    assert (reply.outcome, reply.fault.kind) == (Outcome.FAILED, FaultKind.PERMANENT)
    assert (reply.fault.code, reply.fault.reached) == ("untrusted-certificate", False)
    assert reply.fault.message.startswith(f"{HOST}: its TLS certificate is not trusted: ")
    assert "tls.ca" in reply.fault.remedy


def test_a_certificate_for_another_name(connections, broken):
    transport = broken(address=connections.estate.addresses[DC])
    reply = run(transport, WRITE)
    assert (reply.outcome, reply.fault.code, reply.fault.reached) == (Outcome.FAILED, "certificate-name", False)
    assert reply.fault.message.startswith(f"{HOST}: its TLS certificate is for another name: ")


def test_a_port_that_is_closed(broken):
    message = f"{HOST}: it refuses connections on port 9"
    expect(broken(address="127.77.9.9:9"), FaultKind.TRANSIENT, "refused", message)


def test_a_name_that_does_not_resolve(broken):
    transport = broken(address="nowhere.invalid")
    expect(transport, FaultKind.TRANSIENT, "name-unresolved", f"{HOST}: its name does not resolve")


def test_a_secret_that_is_missing(connections, dialled, tmp_path):
    transport = dialled(Connections(connections.estate, tmp_path, {}.get).settings)
    message = f"{HOST}: password is to come from the environment variable PW, which is not set"
    expect(transport, FaultKind.PERMANENT, "missing-secret", message)


def test_the_environment_does_not_reach_the_wire(far_side, transport, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ssl.get_default_verify_paths().openssl_cafile)
    assert run(transport, READ).outcome is Outcome.SUCCEEDED


def test_a_restricted_endpoint_is_asked_with_its_own_functions(far_side, broken):
    transport = broken(configuration="DmsaMigration")
    far_side.answer = lambda _: Result(("O:BAD:",))
    asked = {"Identity": "CN=svc,DC=corp,DC=example", "Attribute": "nTSecurityDescriptor", "Server": DC}
    reply = run(transport, Read(HOST, (cmdlet("Get-DmsaDescriptor", **asked),)))
    assert [record.text("Sddl") for record in reply.of("ActiveDirectorySecurity")] == ["O:BAD:"]
    run(transport, Write(HOST, cmdlet("wevtutil", arguments=("sl", LOG, "/e:true"))))
    assert [request.configuration for request in far_side.requests] == ["DmsaMigration"] * 2
    first, second = far_side.commands
    assert (first.name, dict(first.parameters)) == ("Get-DmsaDescriptor", asked)
    assert (second.name, dict(second.parameters)) == ("Enable-DmsaEventLog", {})


def test_certificates_that_cannot_be_used_are_named(broken, tmp_path):
    (tmp_path / "empty.pem").write_text("")
    tls = Tls(ca="empty.pem")
    reply = run(broken(tls=tls), READ)
    assert (reply.fault.code, reply.fault.reached) == ("unusable-ca", False)
    assert "empty.pem" in reply.fault.message
    for key in ("${file:empty.pem}", "${env:PW}"):
        reply = run(broken(auth="certificate", certificate="empty.pem", key=key), READ)
        assert (reply.fault.code, reply.fault.kind) == ("unusable-certificate", FaultKind.PERMANENT)
