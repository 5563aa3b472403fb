"""Ways to log on: an unmodified pypsrp in front, and what must not get in."""

from __future__ import annotations

import base64
import contextlib
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypsrp.encryption import WinRMEncryption
from pypsrp.exceptions import AuthenticationError, WinRMTransportError, WSManFaultError
from pypsrp.powershell import RunspacePool
from spnego._ntlm import NTLMProxy
from spnego._ntlm_raw.messages import AvId, TargetInfo
from spnego.exceptions import SpnegoError

from orchestrator.lab.command import Result
from orchestrator.lab.wire.auth import MUTUAL, Account, Accounts, Basic, ClientCertificate, Line
from orchestrator.lab.wire.certificates import Authority
from orchestrator.lab.wire.negotiate import Hardening, Negotiate
from orchestrator.lab.wire.sealed import NotSealed, Sealer
from tests.kdc import Kdc
from tests.patience import PATIENCE
from tests.relay import relay
from tests.services import require

HOST, OTHER = "dc01.corp.example", "app01.corp.example"
PASSWORD = "Correct horse: battery-staple"
ACCOUNTS = {
    "CORP\\operator": Account("CORP\\operator", PASSWORD),
    "operator@corp.example": Account("CORP\\operator", PASSWORD),
    "CORP\\late": Account("CORP\\late", PASSWORD, locked=True),
    "late@corp.example": Account("CORP\\late", PASSWORD, locked=True),
    "CORP\\stranger": Account("CORP\\stranger", PASSWORD, remote=False),
    "stranger@corp.example": Account("CORP\\stranger", PASSWORD, remote=False),
}
LINES = ({"ssl": True}, {"ssl": True, "encryption": "always"}, {"ssl": False})


@pytest.fixture
def scripted(far):
    """An engine that answers with what it is asked."""
    far.engine.does = lambda request: Result(output=(request.statements[0][0].parameters.get("Name", "none"),))
    return far.engine


@pytest.fixture
def door(opened_wire, scripted, tmp_path):
    """A wire that takes NTLM, Basic and certificates, on ports with TLS and without."""
    schemes = (Negotiate(Accounts(ACCOUNTS), tmp_path / "logon"), Basic(ACCOUNTS), ClientCertificate(ACCOUNTS))
    with opened_wire(scripted, tmp_path, *schemes, http=True) as opened:
        yield opened


def knock(door, **changes):
    """Run a command as the operator."""
    given = {"auth": "ntlm", "username": "CORP\\operator", **changes}
    return door.invoke(("Get-Thing", {"Name": "x" * 50_000}), pool=door.pool(door.client(**given)))


@pytest.mark.parametrize("line", LINES, ids=str)
@pytest.mark.parametrize("auth", ["ntlm", "negotiate"])
def test_ntlm_works_on_every_line(door, auth, line):
    options = {"username": "operator@corp.example"} if auth == "ntlm" else {}
    assert knock(door, auth=auth, **options, **line).output == ["x" * 50_000]
    assert door.engine.seen[-1].principal == "CORP\\operator"
    assert not door.engine.seen[-1].delegated


@pytest.mark.parametrize("line", LINES, ids=str)
@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"username": "CORP\\nobody"}, {"username": "CORP\\late"}])
def test_who_does_not_get_in_by_ntlm(door, changes, line):
    with pytest.raises(AuthenticationError):
        knock(door, **changes, **line)
    assert door.engine.operations == []


@pytest.mark.parametrize("changes", [{"auth": "ntlm"}, {"auth": "ntlm", "ssl": False}, {"auth": "basic"}])
def test_who_is_in_no_group_logs_on_and_is_denied(door, changes):
    with pytest.raises(WSManFaultError) as fault:
        knock(door, username="CORP\\stranger", **changes)
    assert fault.value.code == 5
    assert door.engine.operations == []


def test_a_locked_account_does_not_get_in_by_basic(door):
    with pytest.raises(AuthenticationError):
        knock(door, auth="basic", username="CORP\\late")


def open_post(door, body=b"<a/>", **headers):
    where = door.running.server.http_addresses[HOST]
    return requests.post(f"http://{where}/wsman", data=body, headers=headers, timeout=PATIENCE)


def test_basic_is_neither_offered_nor_taken_without_tls(door):
    right = base64.b64encode(f"CORP\\operator:{PASSWORD}".encode()).decode()
    for headers in ({}, {"Authorization": f"Basic {right}"}, {"Authorization": MUTUAL}):
        reply = open_post(door, **headers)
        assert (reply.status_code, reply.headers["WWW-Authenticate"]) == (401, "Negotiate")


def test_an_envelope_that_anybody_can_read_is_not_taken(door):
    client = door.client(auth="ntlm", username="CORP\\operator", ssl=False, encryption="never")
    with pytest.raises(WinRMTransportError) as error:
        RunspacePool(client).open()
    assert error.value.code == 500
    assert door.engine.operations == []


def test_a_sealed_message_without_a_log_on_that_sealed_it_is_not_taken(door):
    where = door.running.server.addresses[HOST]
    kind = 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
    reply = requests.post(
        f"https://{where}/wsman",
        data=b"--Encrypted Boundary\r\n",
        headers={"Content-Type": kind},
        auth=("CORP\\operator", PASSWORD),
        verify=door.ca,
        timeout=PATIENCE,
    )
    assert reply.status_code == 500


def damaged(door, monkeypatch, damage):
    """Open a pool sealed, then damage each message on its way."""
    pool = door.pool(door.client(auth="ntlm", username="CORP\\operator", ssl=False))
    wrap = WinRMEncryption.wrap_message
    monkeypatch.setattr(WinRMEncryption, "wrap_message", lambda self, message: damage(*wrap(self, message)))
    with pytest.raises(WinRMTransportError) as error:
        door.invoke(("Get-Thing", {}), pool=pool)
    monkeypatch.undo()
    assert door.engine.seen == []
    return error.value.code


def test_a_message_that_was_changed_on_its_way_is_not_taken(door, monkeypatch):
    tail = len(b"--Encrypted Boundary--\r\n")
    flip = lambda kind, body: (kind, body[: -tail - 1] + bytes([body[-tail - 1] ^ 1]) + body[-tail:])  # noqa: E731
    assert damaged(door, monkeypatch, flip) == 500


def test_a_message_that_was_recorded_is_not_taken_again(door, monkeypatch):
    pool = door.pool(door.client(auth="ntlm", username="CORP\\operator", ssl=False))
    wrap, sent = WinRMEncryption.wrap_message, []
    monkeypatch.setattr(WinRMEncryption, "wrap_message", lambda self, text: sent.append(wrap(self, text)) or sent[0])
    with pytest.raises(WinRMTransportError) as error:
        door.invoke(("Get-Thing", {}), pool=pool)  # its Receive is its Command once more
    assert error.value.code == 500
    assert len(door.engine.seen) == 1


def test_a_log_on_belongs_to_its_connection(door):
    client = door.client(auth="ntlm", username="CORP\\operator")
    door.pool(client)
    where = door.running.server.addresses[HOST]
    assert requests.post(f"https://{where}/wsman", data=b"<a/>", verify=door.ca, timeout=PATIENCE).status_code == 401
    session = client.transport.session
    own = {"data": b"<a/>", "verify": door.ca, "timeout": PATIENCE, "auth": lambda request: request}
    assert session.post(f"https://{where}/wsman", **own).status_code == 400  # known, and it is no envelope
    wrong = {"Authorization": "Negotiate TlRMTVNTUAABAAAA"}
    assert session.post(f"https://{where}/wsman", headers=wrong, **own).status_code == 401
    assert session.post(f"https://{where}/wsman", **own).status_code == 401, "a log-on that began anew ends the old one"


# Channel binding.


@pytest.mark.parametrize(("hardening", "bound", "taken"), [
    (Hardening.STRICT, True, True), (Hardening.STRICT, False, False),
        (Hardening.RELAXED, True, True), (Hardening.RELAXED, False, True), (Hardening.NONE, False, True),
])  # fmt: skip
@pytest.mark.parametrize("auth", ["ntlm", "negotiate"])
def test_what_is_not_bound_to_the_certificate(opened_wire, scripted, tmp_path, hardening, bound, taken, auth):
    scheme = Negotiate(Accounts(ACCOUNTS), tmp_path / "logon", hardening=hardening)
    outcome = contextlib.nullcontext() if taken else pytest.raises(AuthenticationError)
    with opened_wire(scripted, tmp_path, scheme) as opened, outcome:
        knock(opened, auth=auth, negotiate_send_cbt=bound)


@pytest.mark.parametrize(("hardening", "taken"), [
    (Hardening.STRICT, False), (Hardening.RELAXED, False), (Hardening.NONE, True),
])  # fmt: skip
@pytest.mark.parametrize("auth", ["ntlm", "negotiate"])
def test_a_relayed_log_on(opened_wire, scripted, tmp_path, hardening, taken, auth):
    """Somebody in between, with a certificate of its own, hands on what the client says to it."""
    scheme = Negotiate(Accounts(ACCOUNTS), tmp_path / "logon", hardening=hardening)
    outcome = contextlib.nullcontext() if taken else pytest.raises(AuthenticationError)
    with (
        opened_wire(scripted, tmp_path, scheme) as opened,
        relay(opened.running.server.addresses[HOST]) as port,
        outcome,
    ):
        knock(opened, auth=auth, port=port, cert_validation=False)


def test_a_token_that_was_made_for_no_channel_is_not_taken(opened_wire, scripted, tmp_path, monkeypatch):
    """What a client makes for SMB says so in zeros (MS-NLMP 3.1.5.1.2), where pyspnego would say nothing."""
    scheme = Negotiate(Accounts(ACCOUNTS), tmp_path / "logon")
    with opened_wire(scripted, tmp_path, scheme) as opened:
        client = opened.client(auth="ntlm", username="CORP\\operator")
        monkeypatch.setattr(NTLMProxy, "_compute_response", _in_zeros)
        with pytest.raises(AuthenticationError):
            opened.pool(client)
    relaxed = Negotiate(Accounts(ACCOUNTS), tmp_path / "logon", hardening=Hardening.RELAXED)
    with opened_wire(scripted, tmp_path, relaxed) as opened:
        knock(opened)


_COMPUTED = NTLMProxy._compute_response


def _in_zeros(self, challenge, credential, channel_bindings):
    told = TargetInfo.unpack(challenge.target_info.pack())
    told[AvId.channel_bindings] = bytes(16)
    asked = SimpleNamespace(target_info=told, server_challenge=challenge.server_challenge, flags=challenge.flags)
    return _COMPUTED(self, asked, credential, None)


# Kerberos.


@pytest.fixture(scope="module")
def kdc(tmp_path_factory):
    require("krb5kdc", "kadmin.local", "kdb5_util", "kinit", modules=("gssapi", "krb5"))
    with Kdc(tmp_path_factory.mktemp("kerberos") / "kdc") as running:
        running.user("operator", PASSWORD)
        for host in (HOST, OTHER):
            running.service(host)
        running.keytab("hosts", f"host/{HOST}", f"host/{OTHER}")
        yield running


@pytest.fixture
def member(kdc, opened_wire, scripted, tmp_path, monkeypatch):
    """Opens a wire that takes Kerberos alone, as strictly as it is told; this process is in the domain."""
    monkeypatch.setenv("KRB5_CONFIG", kdc.environment["KRB5_CONFIG"])
    monkeypatch.setenv("KRB5CCNAME", kdc.tickets(f"{tmp_path.name}.cache", "operator", PASSWORD, "-f"))

    def opened(hardening=Hardening.STRICT):
        given = {"ntlm": False, "keytab": kdc.folder / "hosts", "hardening": hardening}
        return opened_wire(scripted, tmp_path, Negotiate(Accounts(ACCOUNTS), tmp_path / "logon", **given), http=True)

    return opened


def ticket(door, **changes):
    """Run a command by the ticket in the cache; the host's name is not its address."""
    given = {"username": None, "password": None, "negotiate_hostname_override": HOST, "auth": "kerberos", **changes}
    return knock(door, **given)


@pytest.mark.service
@pytest.mark.parametrize("line", LINES, ids=str)
@pytest.mark.parametrize("auth", ["kerberos", "negotiate"])
@pytest.mark.parametrize("delegate", [False, True])
def test_a_ticket(member, auth, line, delegate):
    with member() as door:
        assert ticket(door, auth=auth, negotiate_delegate=delegate, **line).output == ["x" * 50_000]
    assert {(each.principal, each.delegated) for each in door.engine.seen} == {("CORP\\operator", delegate)}


@pytest.mark.service
@pytest.mark.parametrize(("hardening", "taken"), [(Hardening.STRICT, False), (Hardening.RELAXED, True)])
def test_a_ticket_that_is_not_bound_to_the_certificate(member, hardening, taken):
    outcome = contextlib.nullcontext() if taken else pytest.raises(AuthenticationError)
    with member(hardening) as door, outcome:
        ticket(door, negotiate_send_cbt=False)


@pytest.mark.service
def test_a_ticket_for_another_host(member):
    with member() as door, pytest.raises(SpnegoError):
        ticket(door, negotiate_hostname_override=OTHER)
    assert door.engine.operations == []


@pytest.mark.service
def test_an_envelope_that_anybody_can_read_is_not_taken_with_a_ticket_either(member):
    with member() as door, pytest.raises(WinRMTransportError):
        ticket(door, ssl=False, encryption="never")
    assert door.engine.operations == []


# Certificates.


def certified(door, folder: Path, name: str, authority: Authority | None = None, **changes):
    """Run a command as who has this certificate."""
    certificate, key = (authority or door.running.server.authority).person(name)
    for suffix, content in ((".pem", certificate), (".key", key)):
        (folder / f"me{suffix}").write_bytes(content)
    pems = {"certificate_pem": str(folder / "me.pem"), "certificate_key_pem": str(folder / "me.key")}
    return knock(door, auth="certificate", **pems, **changes)


def test_a_certificate_is_its_account(door, tmp_path):
    assert certified(door, tmp_path, "operator@corp.example").output == ["x" * 50_000]
    assert door.engine.seen[-1].principal == "CORP\\operator"


@pytest.mark.parametrize("name", ["nobody@corp.example", "late@corp.example", "operator"])
def test_a_certificate_of_nobody_who_may_log_on(door, tmp_path, name):
    with pytest.raises(AuthenticationError):
        certified(door, tmp_path, name)
    assert door.engine.operations == []


def test_a_certificate_of_somebody_elses_authority(door, tmp_path):
    with pytest.raises(requests.exceptions.RequestException):
        certified(door, tmp_path, "operator@corp.example", Authority())
    assert door.engine.operations == []


def test_no_certificate_or_one_without_a_name_is_nobodys(door):
    where = door.running.server.addresses[HOST]
    reply = requests.post(
        f"https://{where}/wsman", data=b"<a/>", headers={"Authorization": MUTUAL}, verify=door.ca, timeout=PATIENCE
    )
    assert reply.status_code == 401
    assert ClientCertificate(ACCOUNTS).answer(MUTUAL, Line(HOST, b"tls", certificate=b"\x30\x00")) is None


# Whatever a stranger sends.


@given(header=st.one_of(st.text(), st.binary().map(lambda raw: f"Negotiate {base64.b64encode(raw).decode()}")))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_no_header_of_a_stranger_gets_in(tmp_path, header):
    scheme = Negotiate(Accounts(ACCOUNTS), tmp_path / "logon")
    line = Line(HOST, b"tls")
    for _ in range(2):
        assert getattr(scheme.answer(header, line), "logon", None) is None
    assert line.logon is None


@given(body=st.one_of(st.binary(), st.binary().map(lambda raw: HEAD + raw + b"--Encrypted Boundary--\r\n")))
@settings(deadline=None)
def test_opening_a_sealed_message_never_fails_otherwise(body):
    class Nothing:
        def unwrap_winrm(self, *_):
            raise ValueError("not mine")

    with pytest.raises(NotSealed):
        Sealer(Nothing()).open(body)


HEAD = (
    b"--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
    b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=7\r\n"
    b"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
)


def test_nothing_says_a_password(tmp_path):
    Negotiate(Accounts(ACCOUNTS), tmp_path / "logon")
    assert PASSWORD not in repr(ACCOUNTS)
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left
    assert all(path.stat().st_mode & 0o077 == 0 for path in left)
    assert not any(re.search(re.escape(PASSWORD).encode(), path.read_bytes()) for path in left)
