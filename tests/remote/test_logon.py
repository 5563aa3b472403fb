"""The orchestrator's own connection through each way to log on, over real sockets; Kerberos against a real KDC."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from orchestrator.lab.wire.auth import Account, Accounts, Admitted, Basic, ClientCertificate
from orchestrator.lab.wire.certificates import Authority
from orchestrator.lab.wire.engine import Kind
from orchestrator.lab.wire.negotiate import Hardening, Negotiate
from orchestrator.lab.wire.operations import Operation
from orchestrator.model.call import Read, Write, cmdlet
from orchestrator.model.observation import FaultKind, Outcome
from orchestrator.model.plan import Estate
from orchestrator.remote.connection import Connections
from orchestrator.remote.psrp import PsrpTransport
from orchestrator.remote.tickets import held
from tests.kdc import Kdc
from tests.relay import relay
from tests.services import require

HOST, OTHER = "app01.corp.example", "app02.corp.example"
PASSWORD = "correct: horse battery"
READ = Read(HOST, (cmdlet("Get-Service", Name="ErpApi"),))
WRITE = Write(HOST, cmdlet("Restart-Service", Name="ErpApi", Force=True))
ACCOUNTS = {
    name: account
    for account in (
        Account("CORP\\runner", PASSWORD),
        Account("CORP\\late", PASSWORD, locked=True),
        Account("CORP\\stranger", PASSWORD, remote=False),
    )
    for name in (account.principal, account.principal.replace("CORP\\", "") + "@CORP.EXAMPLE")
}
NTLM = {"auth": "ntlm", "username": "CORP\\runner"}
KERBEROS = {"auth": "kerberos", "username": "runner@CORP.EXAMPLE"}
TICKET = {"auth": "kerberos", "password": None}
HTTP = {"transport": "http"}


@contextlib.contextmanager
def transport_to(far, folder, **connection) -> Iterator[PsrpTransport]:
    """A transport with one connection; the password is the right one unless the connection says another."""
    own = far.http_addresses if connection.get("transport") == "http" else far.addresses
    addresses = connection.pop("addresses", own)
    given = {"match": "*", "password": "${env:PW}", "tls": {"ca": str(far.ca)}, "timeout": "60s", **connection}
    entry = {key: value for key, value in given.items() if value is not None}
    estate = Estate(domain="corp.example", addresses=addresses, connections=(entry,))
    transport = PsrpTransport(Connections(estate, folder, {"PW": PASSWORD, "WRONG": "wrong"}.get).settings)
    try:
        yield transport
    finally:
        transport.close()


def asked(far, folder, call=READ, **connection):
    """Carry out one call; what came back."""
    with transport_to(far, folder, **connection) as transport:
        return transport.run(call, transport.ticket(call.endpoint))


def refused(far, folder, **connection):
    """What the operator is told; nothing has reached the host's engine."""
    reply = asked(far, folder, **connection)
    assert reply.outcome is Outcome.FAILED
    assert reply.fault.message.startswith(f"{HOST}: ")
    assert far.operations == []
    return reply.fault


@pytest.fixture
def door(serve, tmp_path):
    """A far side that takes NTLM, a name and a password, and certificates; on ports with TLS and without."""
    schemes = Negotiate(Accounts(ACCOUNTS), tmp_path / "logon"), Basic(ACCOUNTS), ClientCertificate(ACCOUNTS)
    with serve(*schemes, http=True) as far:
        yield far


# NTLM.


@pytest.mark.parametrize("line", [{}, HTTP], ids=["tls", "http"])
def test_ntlm(door, tmp_path, line):
    with transport_to(door, tmp_path, **NTLM, **line) as transport:
        for call in (READ, WRITE, READ):
            assert transport.run(call, transport.ticket(HOST)).outcome is Outcome.SUCCEEDED
    assert [request.principal for request in door.requests] == ["CORP\\runner"] * 3


@pytest.mark.parametrize("line", [{}, HTTP], ids=["tls", "http"])
@pytest.mark.parametrize("changes", [{"password": "${env:WRONG}"}, {"username": "CORP\\late"}])
def test_ntlm_that_is_refused(door, tmp_path, changes, line):
    fault = refused(door, tmp_path, **{**NTLM, **changes, **line})
    assert (fault.code, fault.kind, fault.reached) == ("unauthorized", FaultKind.PERMANENT, False)
    assert "locked" in fault.remedy


@pytest.mark.parametrize("line", [{}, HTTP], ids=["tls", "http"])
def test_who_is_in_no_group(door, tmp_path, line):
    fault = refused(door, tmp_path, **{**NTLM, "username": "CORP\\stranger", **line})
    assert (fault.code, "Remote Management Users" in fault.remedy) == ("access-denied", True)


def test_without_tls_a_password_does_not_leave(door, tmp_path):
    fault = refused(door, tmp_path, auth="basic", username="CORP\\runner", **HTTP)
    assert (fault.code, fault.reached) == ("not-without-tls", False)


@pytest.mark.parametrize("operation", [Operation.COMMAND, Operation.RECEIVE])
@pytest.mark.parametrize("line", [{}, HTTP], ids=["tls", "http"])
def test_a_connection_that_breaks_is_made_and_logged_on_anew(door, tmp_path, line, operation):
    """The sealing of a connection dies with it: what is sealed for the old one, the new one cannot open."""
    with transport_to(door, tmp_path, **NTLM, **line) as transport:
        assert transport.run(READ, transport.ticket(HOST)).outcome is Outcome.SUCCEEDED
        door.strikes.append((operation, Kind.LOST_REPLY))
        assert transport.run(WRITE, transport.ticket(HOST)).outcome is Outcome.UNKNOWN
        assert transport.run(READ, transport.ticket(HOST)).outcome is Outcome.SUCCEEDED


def test_a_relay_gets_nothing_by_ntlm(door, tmp_path):
    with relay(door.addresses[HOST]) as port:
        there = {"addresses": {HOST: f"127.77.9.1:{port}"}, "tls": {"verify": False}}
        fault = refused(door, tmp_path, **NTLM, **there)
    assert (fault.code, "ends TLS" in fault.remedy) == ("unauthorized", True)


# Methods that are not offered.


@pytest.mark.parametrize(
    ("schemes", "connection", "says"),
    [
        ("basic", NTLM, "it does not offer ntlm; it offers Basic"),
        ("ntlm", {"auth": "basic", "username": "CORP\\runner"}, "it does not offer basic; it offers Negotiate"),
        ("none", NTLM, "it does not offer ntlm; it offers nothing"),
    ],
)
def test_a_method_that_the_host_does_not_offer(serve, tmp_path, schemes, connection, says):
    given = {
        "basic": [Basic(ACCOUNTS)],
        "ntlm": [Negotiate(Accounts(ACCOUNTS), tmp_path / "logon")],
        "none": [ClientCertificate(ACCOUNTS)],
    }
    with serve(*given[schemes]) as far:
        fault = refused(far, tmp_path, **connection)
    assert (fault.code, fault.message) == ("method-not-offered", f"{HOST}: {says}")


# Certificates.


def certified(folder, authority, name="runner@CORP.EXAMPLE"):
    certificate, key = authority.person(name)
    (folder / "me.pem").write_bytes(certificate)
    (folder / "me.key").write_bytes(key)
    return {"auth": "certificate", "certificate": "me.pem", "key": "${file:me.key}", "password": None}


def test_a_certificate(door, tmp_path):
    assert asked(door, tmp_path, **certified(tmp_path, door.authority)).outcome is Outcome.SUCCEEDED
    assert [request.principal for request in door.requests] == ["CORP\\runner"]


@pytest.mark.parametrize("name", ["nobody@CORP.EXAMPLE", "late@CORP.EXAMPLE"])
def test_a_certificate_that_is_mapped_to_nobody_who_may(door, tmp_path, name):
    fault = refused(door, tmp_path, **certified(tmp_path, door.authority, name))
    assert (fault.code, "map the certificate" in fault.remedy) == ("unauthorized", True)


def test_a_certificate_of_an_authority_that_the_host_does_not_trust(door, tmp_path):
    fault = refused(door, tmp_path, **certified(tmp_path, Authority()))
    assert (fault.code, fault.reached) == ("client-certificate", False)


# Kerberos.


@pytest.fixture(scope="session")
def kdc(tmp_path_factory):
    require("krb5kdc", "kadmin.local", "kdb5_util", "kinit", modules=("gssapi", "krb5"))
    with Kdc(tmp_path_factory.mktemp("kerberos") / "kdc") as running:
        running.user("runner", PASSWORD)
        running.user("late", PASSWORD)
        running.user("revoked", PASSWORD, "-allow_tix")
        running.user("stale", PASSWORD, "-pwexpire", "2020-01-01")
        for host in (HOST, OTHER):
            running.service(host)
        yield running


@pytest.fixture
def realm(kdc, monkeypatch, tmp_path):
    """This process as a member of the realm, with no tickets and no keytab."""
    for name, value in kdc.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path / 'no tickets'}")
    monkeypatch.setenv("KRB5_CLIENT_KTNAME", f"FILE:{tmp_path / 'no keytab'}")
    return kdc


@pytest.fixture
def keytab(kdc, tmp_path):
    """The keys of the hosts, as the domain has them now."""
    return kdc.keytab(f"{tmp_path.name}.hosts", f"host/{HOST}", f"host/{OTHER}")


@pytest.fixture
def member(serve, tmp_path, realm, keytab):
    """A far side that takes Kerberos, and NTLM under the same name; on ports with TLS and without."""
    with serve(Negotiate(Accounts(ACCOUNTS), tmp_path / "logon", keytab=keytab), http=True) as far:
        yield far


service = pytest.mark.service
lines = pytest.mark.parametrize("line", [{}, HTTP], ids=["tls", "http"])


@service
@lines
@pytest.mark.parametrize("auth", ["kerberos", "negotiate"])
@pytest.mark.parametrize("by", ["password", "tickets", "keytab", "keytab of a name"])
def test_kerberos(member, tmp_path, realm, monkeypatch, auth, by, line):
    connection = {**KERBEROS, "auth": auth}
    if by == "tickets":
        monkeypatch.setenv("KRB5CCNAME", realm.tickets(f"cache-{tmp_path.name}", "runner", PASSWORD))
        connection = {**TICKET, "auth": auth}
    elif by != "password":
        monkeypatch.setenv("KRB5_CLIENT_KTNAME", str(realm.keytab(f"{tmp_path.name}.keytab", "runner")))
        connection |= {"password": None, **({"username": None} if by == "keytab" else {})}
    with transport_to(member, tmp_path, **connection, **line) as transport:
        for call in (READ, WRITE):
            assert transport.run(call, transport.ticket(HOST)).outcome is Outcome.SUCCEEDED
    assert [(each.principal, each.delegated) for each in member.requests] == [("CORP\\runner", False)] * 2


@service
def test_whose_ticket_this_process_has_is_known_and_none_is_none(tmp_path, realm, monkeypatch):
    assert held() is None
    monkeypatch.setenv("KRB5CCNAME", realm.tickets(f"cache-{tmp_path.name}", "runner", PASSWORD))
    assert held() == "runner@CORP.EXAMPLE"


@service
@lines
def test_a_ticket_is_delegated_where_the_plan_says_so(member, tmp_path, realm, line):
    with transport_to(member, tmp_path, **KERBEROS, delegate=True, **line) as transport:
        assert transport.run(READ, transport.ticket(HOST)).outcome is Outcome.SUCCEEDED
    assert [each.delegated for each in member.requests] == [True]


@service
@pytest.mark.parametrize("forwardable", [True, False])
def test_only_a_forwardable_ticket_can_be_delegated(member, tmp_path, realm, monkeypatch, forwardable):
    cache = realm.tickets(f"cache-{tmp_path.name}", "runner", PASSWORD, "-f" if forwardable else "-F")
    monkeypatch.setenv("KRB5CCNAME", cache)
    if forwardable:
        assert asked(member, tmp_path, **TICKET, delegate=True).outcome is Outcome.SUCCEEDED
        assert asked(member, tmp_path, **TICKET).outcome is Outcome.SUCCEEDED
        assert [each.delegated for each in member.requests] == [True, False]
    else:
        fault = refused(member, tmp_path, **TICKET, delegate=True)
        assert (fault.code, "kinit -f" in fault.remedy) == ("not-delegated", True)


@service
@lines
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"password": "${env:WRONG}"}, "wrong-password"),
        ({"username": "nobody@CORP.EXAMPLE"}, "unknown-user"),
        ({"username": "revoked@CORP.EXAMPLE"}, "account-locked"),
        ({"username": "stale@CORP.EXAMPLE"}, "password-expired"),
        ({"username": "runner@corp.example"}, "unknown-realm"),
        ({"username": "CORP\\runner"}, "username-form"),
        ({"username": None, "password": None}, "no-credential"),
        ({"password": None}, "no-credential"),
    ],
)
@pytest.mark.parametrize("auth", ["kerberos", "negotiate"])
def test_what_the_domain_says(member, tmp_path, auth, changes, code, line):
    """``negotiate`` says the same: no token of NTLM is ever made."""
    fault = refused(member, tmp_path, **{**KERBEROS, "auth": auth, **changes, **line})
    assert (fault.code, fault.reached) == (code, False)


@service
def test_a_locked_account_with_a_good_ticket(member, tmp_path):
    fault = refused(member, tmp_path, **{**KERBEROS, "username": "late@CORP.EXAMPLE"})
    assert (fault.code, "Kerberos ticket" in fault.message) == ("unauthorized", True)


@service
def test_a_host_that_the_domain_does_not_know(member, tmp_path):
    addresses = {"app09.corp.example": member.http_addresses[HOST]}
    call = Read("app09.corp.example", READ.statements)
    reply = asked(member, tmp_path, call, **KERBEROS, **HTTP, addresses=addresses)
    assert (reply.fault.code, reply.fault.reached) == ("unknown-service", False)


@service
def test_a_ticket_for_another_host_is_not_taken(member, tmp_path):
    """What answers at the address has another key, and another name."""
    fault = refused(member, tmp_path, **KERBEROS, **HTTP, addresses={HOST: member.http_addresses[OTHER]})
    assert fault.code == "ticket-unreadable"


@service
def test_a_host_whose_key_is_not_the_one_that_the_domain_has(member, tmp_path, realm):
    for host in (HOST, OTHER):  # both, for what a key of another host is answered depends on its version
        realm.rekey(host)
    fault = refused(member, tmp_path, **KERBEROS, **HTTP)
    assert (fault.code, fault.reached) == ("ticket-unreadable", False)


@service
def test_no_domain_controller_answers(member, tmp_path, realm, monkeypatch):
    monkeypatch.setenv("KRB5_CONFIG", str(realm.client_file(f"{tmp_path.name}.conf", port=9)))
    fault = refused(member, tmp_path, **KERBEROS)
    assert (fault.code, fault.kind, fault.reached) == ("kdc-unreachable", FaultKind.TRANSIENT, False)


@service
def test_a_host_that_takes_only_ntlm(door, tmp_path, realm):
    assert refused(door, tmp_path, **KERBEROS).code == "unauthorized"
    assert refused(door, tmp_path, **{**KERBEROS, "auth": "negotiate"}).code == "unauthorized"


@service
@pytest.mark.parametrize("line", [{}, HTTP], ids=["tls", "http"])
def test_a_host_that_takes_only_kerberos(serve, tmp_path, realm, keytab, line):
    with serve(Negotiate(Accounts(ACCOUNTS), tmp_path / "logon", ntlm=False, keytab=keytab), http=True) as far:
        fault = refused(far, tmp_path, **NTLM, **line)
        assert fault.message == f"{HOST}: it does not offer ntlm; it offers Kerberos"
        assert asked(far, tmp_path, **KERBEROS, **line).outcome is Outcome.SUCCEEDED


@service
@pytest.mark.parametrize("hardening", [Hardening.STRICT, Hardening.RELAXED])
def test_a_relay_gets_nothing_by_kerberos(serve, tmp_path, realm, keytab, hardening):
    with serve(Negotiate(Accounts(ACCOUNTS), tmp_path / "logon", keytab=keytab, hardening=hardening)) as far:
        with relay(far.addresses[HOST]) as port:
            there = {"addresses": {HOST: f"127.77.9.1:{port}"}, "tls": {"verify": False}}
            assert refused(far, tmp_path, **KERBEROS, **there).code in {"unauthorized", "logon-failed"}
        assert asked(far, tmp_path, **KERBEROS).outcome is Outcome.SUCCEEDED


class Impostor(Negotiate):
    """Answers as if it had understood, and cannot prove that it did."""

    def answer(self, authorization, line):
        answer = super().answer(authorization, line)
        return Admitted(answer.logon, "Negotiate bm90IGEgdG9rZW4=") if isinstance(answer, Admitted) else answer


@service
def test_a_host_that_does_not_prove_itself(serve, tmp_path, realm, keytab):
    with serve(Impostor(Accounts(ACCOUNTS), tmp_path / "logon", keytab=keytab)) as far:
        fault = asked(far, tmp_path, **KERBEROS).fault
    assert (fault.code, fault.reached) == ("host-unproved", False)
    assert far.requests == []
