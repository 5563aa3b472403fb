"""Who gets in: certificates, names and passwords; and what is not an envelope."""

from __future__ import annotations

import contextlib
import socket
import ssl

import pytest
import requests
import urllib3.util.connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.powershell import RunspacePool

from orchestrator.lab.command import Result
from orchestrator.lab.wire import soap
from orchestrator.lab.wire.auth import Account, Basic, Line
from tests.patience import PATIENCE

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy with other things; how long an example takes is not what is tested."""

HOST = "dc01.corp.example"
IDENTIFY = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>'
    '<i:Identify xmlns:i="http://schemas.dmtf.org/wbem/wsman/identify/1/wsmanidentity.xsd"/></s:Body></s:Envelope>'
)


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"username": "nobody"}, {"password": ""}])
def test_a_wrong_name_or_password_is_refused(far, changes):
    with pytest.raises(AuthenticationError):
        RunspacePool(far.client(**changes)).open()
    assert far.engine.operations == []


def test_a_name_counts_without_regard_to_case(far):
    assert far.invoke(("Get-ADUser", {}), pool=far.pool(far.client(username="OPERATOR"))).output == []


def test_a_certificate_of_an_unknown_authority_is_refused_by_the_client(far):
    with pytest.raises(requests.exceptions.SSLError):
        RunspacePool(far.client(cert_validation=True)).open()
    assert far.engine.operations == []


def test_the_certificate_carries_the_hosts_name(far, monkeypatch):
    address, port = far.running.server.addresses[HOST].split(":")
    real = urllib3.util.connection.create_connection
    monkeypatch.setattr(
        urllib3.util.connection,
        "create_connection",
        lambda _, *rest, **named: real((address, int(port)), *rest, **named),
    )
    client = far.client()
    client.transport.endpoint = f"https://{HOST}:5986/wsman"
    assert RunspacePool(client).open() is None
    wrong = far.client()
    wrong.transport.endpoint = "https://dc02.corp.example:5986/wsman"
    with pytest.raises(requests.exceptions.SSLError):
        RunspacePool(wrong).open()


def test_nothing_is_understood_without_tls(far):
    address, port = far.running.server.addresses[HOST].split(":")
    with socket.create_connection((address, int(port)), 5) as plain:
        plain.sendall(b"POST /wsman HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP")


def test_old_tls_is_refused(far):
    address, port = far.running.server.addresses[HOST].split(":")
    context = ssl.create_default_context(cafile=far.ca)
    with (
        socket.create_connection((address, int(port)), 5) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as secured,
    ):
        assert secured.version() in {"TLSv1.2", "TLSv1.3"}


def post(far, body: bytes | str) -> requests.Response:
    where = far.running.server.addresses[HOST]
    data = body.encode() if isinstance(body, str) else body
    auth = ("operator", "Correct horse: battery-staple")
    return requests.post(f"https://{where}/wsman", data=data, auth=auth, verify=far.ca, timeout=PATIENCE)


def test_a_request_without_credentials_gets_a_challenge(far):
    where = far.running.server.addresses[HOST]
    reply = requests.post(f"https://{where}/wsman", data=IDENTIFY, verify=far.ca, timeout=PATIENCE)
    assert (reply.status_code, reply.headers["WWW-Authenticate"]) == (401, 'Basic realm="WSMAN"')


def test_identify_says_what_this_is(far):
    reply = post(far, IDENTIFY)
    assert reply.status_code == 200
    assert "<i:ProductVendor>dmsa lab</i:ProductVendor>" in reply.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no xml",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"/>',
        b'<?xml version="1.0" encoding="no-such"?><a/>',
    ],
)
def test_what_is_no_envelope_is_a_bad_request(far, body):
    assert post(far, body).status_code == 400


def test_an_unknown_action_and_an_impossible_timeout_are_faults(far):
    client = far.client()
    with pytest.raises(WSManFaultError) as fault:
        client.pull("http://schemas.microsoft.com/wbem/wsman/1/windows/shell")
    assert fault.value.code == 50
    with pytest.raises(WSManFaultError) as fault:
        client.get("http://schemas.microsoft.com/wbem/wsman/1/windows/shell", timeout=-1)
    assert (fault.value.code, "PT-1S" in fault.value.reason) == (2150858767, True)
    client.update_max_payload_size()
    assert client.max_envelope_size == 512000


def test_damaged_fragments_are_refused_and_the_shell_survives(far):
    pool = far.pool()
    for damaged in (b"\x00" * 30, b"short", b"\xff" * 80):
        with pytest.raises(WSManFaultError) as fault:
            pool.shell.command("", ["AAAA" if damaged == b"short" else damaged.hex()])
        assert fault.value.code == 87
    far.engine.does = lambda _: Result(output=("alive",))
    assert far.invoke(("Get-Thing", {}), pool=pool).output == ["alive"]


@given(st.binary())
@UNHURRIED
def test_reading_an_envelope_never_fails_otherwise(raw):
    with contextlib.suppress(soap.NotAnEnvelope):
        soap.parse(raw)


@given(st.text())
@UNHURRIED
def test_no_header_but_the_right_one_lets_anybody_in(header):
    line = Line("h", binding=b"tls")
    assert Basic({"a": Account("CORP\\a", "b")}).answer(header, line) is None or "Basic YTpi" in header


@pytest.mark.parametrize(
    ("shown", "expected"),
    [("PT20S", 20), ("PT20.000S", 20), ("P1DT1H1M1.5S", 90061.5), ("P0DT0H0M0S", 0), ("PT2147483.647S", 2147483.647)],
)
def test_durations(shown, expected):
    assert soap.seconds(shown) == expected
