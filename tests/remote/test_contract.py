"""What every transport must do, asked of each of them, with the same simulated estate on the far side."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from orchestrator.lab.embedded import EmbeddedLab
from orchestrator.lab.estate import Estate, load_spec
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Read, Ticket, Write, cmdlet
from orchestrator.model.directory import pair_reads, pair_seen
from orchestrator.model.host import host_reads, host_seen
from orchestrator.model.observation import Fault, FaultKind, Outcome, Reply
from orchestrator.model.plan import Connection, Host, Tls
from orchestrator.model.plan import Estate as PlannedEstate
from orchestrator.remote.connection import Connections
from orchestrator.remote.psrp import PsrpTransport
from orchestrator.remote.traffic import Traffic
from orchestrator.remote.transport import Transport
from tests.patience import PATIENCE

ESTATE = Path(__file__).parents[2] / "plans" / "estates" / "quickstart.yaml"
DC = "dc01.corp.example"
HOST = "app02.corp.example"
ACCOUNT = "CN=svc-report,OU=Service Accounts,DC=corp,DC=example"
SERVICES = Read(HOST, (cmdlet("Get-Service", Name="ErpApi"),))
RESTART = Write(HOST, cmdlet("Restart-Service", Name="ErpApi", Force=True))
NEW = Write(
    DC,
    cmdlet(
        "New-ADServiceAccount",
        Name="dmsa-report",
        DNSHostName="dmsa-report.corp.example",
        CreateDelegatedServiceAccount=True,
        KerberosEncryptionType=("AES256",),
        Path="OU=Managed,DC=corp,DC=example",
        Description="dmsa run 1",
        Server=DC,
    ),
)


@dataclass
class Side:
    """A transport, and the shells that its far side has executed something in."""

    transport: Transport
    shells: Callable[[], list[UUID]]

    def run(self, call):
        ticket = self.transport.ticket(call.endpoint)
        assert ticket is not None
        return self.transport.run(call, ticket)


def reading(ticket):
    return SERVICES if ticket.endpoint == HOST else Read(DC, (cmdlet("Get-ADRootDSE", Server=DC),))


def pair(side, dmsa):
    return pair_seen(DC, side.run(Read(DC, pair_reads(DC, dmsa, ACCOUNT))), dmsa)


class Witness(Estate):
    """An estate that remembers in which shell it executed something."""

    def execute(self, request):
        self.seen = [*getattr(self, "seen", []), request.shell]
        return super().execute(request)


class Contract:
    """The tests; each class below runs all of them on its own transport."""

    def test_a_read_brings_back_records(self, side):
        reply = side.run(SERVICES)
        assert (reply.outcome, reply.fault, reply.errors) == (Outcome.SUCCEEDED, None, ())
        (service,) = reply.of("ServiceController")
        assert service.text("Name") == "ErpApi"

    def test_statements_of_a_read_answer_in_one_reply(self, side):
        seen = pair(side, "dmsa-none")
        assert seen.dmsa is None
        assert seen.account.dn == ACCOUNT
        assert seen.account.spns == {"HTTP/reports.corp.example", "HTTP/reports"}
        assert isinstance(seen.account.guid, UUID)

    def test_a_host_is_read_as_the_model_reads_it(self, side):
        reads = host_reads(Host(name=HOST, services=("ErpApi",)))
        found = host_seen(HOST, [(read, side.run(read)) for read in reads])
        assert found.local_time.tzinfo is not None
        assert found.services["erpapi"].dependents == ("ErpQueue",)
        assert found.services["erpapi"].running

    def test_a_write_changes_what_a_read_then_finds(self, side):
        assert side.run(NEW).outcome is Outcome.SUCCEEDED
        seen = pair(side, "dmsa-report")
        assert (seen.dmsa.state, seen.dmsa.description) == (0, "dmsa run 1")
        migrate = {"Identity": seen.dmsa.dn, "SupersededAccount": ACCOUNT, "Server": DC}
        assert side.run(Write(DC, cmdlet("Start-ADServiceAccountMigration", **migrate))).outcome is Outcome.SUCCEEDED
        seen = pair(side, "dmsa-report")
        assert (seen.dmsa.state, seen.account.state, seen.dmsa.link) == (1, 1, ACCOUNT)

    def test_an_error_ends_a_write_and_says_why(self, side):
        reply = side.run(Write(HOST, cmdlet("Restart-Service", Name="Nonesuch", ErrorAction="Stop")))
        assert reply.outcome is Outcome.FAILED
        assert reply.fault.message.startswith(HOST)
        assert reply.errors[-1].category == "ObjectNotFound"

    def test_an_error_that_ends_nothing_stands_beside_the_records(self, side):
        reply = side.run(Read(HOST, (cmdlet("Get-Service", Name=("Nonesuch", "ErpApi")),)))
        assert reply.outcome is Outcome.SUCCEEDED
        assert [record.text("Name") for record in reply.of("ServiceController")] == ["ErpApi"]
        assert [error.category for error in reply.errors] == ["ObjectNotFound"]

    def test_records_before_the_end_are_kept(self, side):
        gone = cmdlet("Get-ADUser", Identity="CN=gone,DC=corp,DC=example", Server=DC)
        reply = side.run(Read(DC, (cmdlet("Get-ADDomain", Server=DC), gone)))
        assert [record.kind for record in reply.records] == ["ADDomain"]
        assert [error.category for error in reply.errors] == ["ObjectNotFound"]

    def test_a_descriptor_carries_its_text(self, side):
        asked = cmdlet("Get-DmsaDescriptor", Identity=ACCOUNT, Attribute="nTSecurityDescriptor", Server=DC)
        (record,) = side.run(Read(DC, (asked,))).records
        assert record.kind == "ActiveDirectorySecurity"
        assert record.text("Sddl").startswith("O:")

    def test_the_shell_of_the_ticket_is_the_shell_on_the_far_side(self, side):
        ticket = side.transport.ticket(HOST)
        side.transport.run(RESTART, ticket)
        assert side.shells()[-1] == ticket.shell

    def test_a_ticket_serves_one_call_to_one_endpoint(self, side):
        ticket = side.transport.ticket(HOST)
        side.transport.run(SERVICES, ticket)
        for wrong in (ticket, Ticket(HOST, uuid4(), uuid4())):
            with pytest.raises(ValueError, match="ticket"):
                side.transport.run(SERVICES, wrong)

    def test_calls_run_at_the_same_time(self, side):
        tickets = [side.transport.ticket(HOST) for _ in range(4)]
        replies = []
        threads = [
            threading.Thread(target=lambda ticket=ticket: replies.append(side.transport.run(SERVICES, ticket)))
            for ticket in tickets
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert [reply.outcome for reply in replies] == [Outcome.SUCCEEDED] * 4
        assert {ticket.shell for ticket in tickets} <= set(side.shells())

    def test_a_shell_is_discarded_whether_it_is_known_or_not(self, side):
        ticket = side.transport.ticket(HOST)
        side.transport.run(RESTART, ticket)
        assert side.transport.discard(HOST, ticket.shell)
        assert side.transport.discard(HOST, ticket.shell)
        assert side.transport.discard(HOST, uuid4())
        assert side.run(SERVICES).outcome is Outcome.SUCCEEDED

    def test_a_ticket_can_be_given_back_and_its_shell_serves_the_next_call(self, side):
        ticket = side.transport.ticket(HOST)
        side.transport.give_back(ticket)
        with pytest.raises(ValueError, match="ticket"):
            side.transport.run(SERVICES, ticket)
        assert side.transport.ticket(HOST).shell == ticket.shell
        assert side.transport.gone() == []

    def test_a_shell_that_carried_nothing_yet_can_be_discarded(self, side):
        ticket = side.transport.ticket(HOST)
        assert side.transport.discard(HOST, ticket.shell)
        with pytest.raises(ValueError, match="ticket"):
            side.transport.run(SERVICES, ticket)

    def test_a_write_that_gets_no_leave_is_not_sent_and_a_read_needs_none(self, side):
        no = Fault(FaultKind.TRANSIENT, "not-sent", "no longer ours")
        before = len(side.shells()) if side.run(SERVICES) else 0
        ticket = side.transport.ticket(HOST)
        assert side.transport.run(RESTART, ticket, lambda: no) == Reply(Outcome.FAILED, fault=no)
        assert len(side.shells()) == before
        for call, leave in ((SERVICES, lambda: no), (RESTART, lambda: None)):
            assert side.transport.run(call, side.transport.ticket(HOST), leave).outcome is Outcome.SUCCEEDED

    def test_which_shells_are_gone_is_told_once(self, side):
        ticket = side.transport.ticket(HOST)
        side.transport.run(SERVICES, ticket)
        side.transport.gone()
        assert side.transport.discard(HOST, ticket.shell)
        assert [(one.endpoint, one.shell) for one in side.transport.gone()] == [(HOST, ticket.shell)]
        assert side.transport.gone() == []

    def test_a_ticket_of_another_process_is_honoured_in_a_shell_that_is_gone_afterwards(self, side):
        for call in (SERVICES, RESTART, SERVICES):
            ticket = Ticket(HOST, uuid4(), uuid4())
            assert side.transport.honour(ticket)
            assert side.transport.run(call, ticket).outcome is Outcome.SUCCEEDED
            assert side.shells()[-1] == ticket.shell
            assert ticket.shell in {one.shell for one in side.transport.gone()}
            with pytest.raises(ValueError, match="ticket"):
                side.transport.run(call, ticket)

    def test_a_write_under_a_ticket_of_another_process_needs_leave_too(self, side):
        no = Fault(FaultKind.TRANSIENT, "not-sent", "no longer ours")
        ticket = Ticket(HOST, uuid4(), uuid4())
        assert side.transport.honour(ticket)
        assert side.transport.run(RESTART, ticket, lambda: no) == Reply(Outcome.FAILED, fault=no)
        assert ticket.shell in {one.shell for one in side.transport.gone()}

    def test_closing_deletes_the_shells_that_carry_nothing(self, side):
        tickets = [side.transport.ticket(host) for host in (HOST, DC)]
        for ticket in tickets:
            side.transport.run(reading(ticket), ticket)
        side.transport.close()
        assert {ticket.shell for ticket in tickets} <= {ticket.shell for ticket in side.transport.gone()}


class TestInMemory(Contract):
    """The transport of rehearsals and simulations."""

    @pytest.fixture
    def side(self) -> Side:
        estate = Witness(load_spec(ESTATE.read_text(encoding="utf-8")))
        return Side(MemoryTransport(estate, "CORP\\operator"), lambda: estate.seen)


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[EmbeddedLab]:
    with EmbeddedLab(ESTATE, tmp_path_factory.mktemp("lab") / "state") as lab:
        yield lab


class TestOverTheWire(Contract):
    """PowerShell Remoting over TCP and TLS, to a lab in a process of its own."""

    @pytest.fixture
    def side(self, lab, tmp_path) -> Iterator[Side]:
        connection = Connection(
            match="*", auth="basic", username=lab.username, password="${env:PW}", tls=Tls(ca=str(lab.ca))
        )
        estate = PlannedEstate(addresses=lab.addresses, connections=(connection,))
        settings = Connections(estate, tmp_path, {"PW": lab.password}.get).settings
        transport = PsrpTransport(settings, crowded_for=0)
        yield Side(transport, lambda: recorded(lab.state))
        transport.close()

    def test_tickets_of_another_process_cost_one_log_on_for_all(self, lab, tmp_path):
        connection = Connection(
            match="*", auth="basic", username=lab.username, password="${env:PW}", tls=Tls(ca=str(lab.ca))
        )
        estate = PlannedEstate(addresses=lab.addresses, connections=(connection,))
        logged_on: list[str] = []

        class Counted(Traffic):
            def log_on(self, endpoint: str) -> None:
                logged_on.append(endpoint)

        settings = Connections(estate, tmp_path, {"PW": lab.password}.get).settings
        transport = PsrpTransport(settings, traffic=Counted())
        for call in (SERVICES, SERVICES, RESTART, SERVICES):
            ticket = Ticket(HOST, uuid4(), uuid4())
            assert transport.honour(ticket)
            assert transport.run(call, ticket).outcome is Outcome.SUCCEEDED
        transport.close()
        assert logged_on == [HOST]


def recorded(state: Path) -> list[UUID]:
    lines = (state / "commands.jsonl").read_text(encoding="utf-8").splitlines()
    return [UUID(json.loads(line)["shell"]) for line in lines]
