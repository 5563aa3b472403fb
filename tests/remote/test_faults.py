"""The table of faults: every exception a client can raise, at every point of a call."""

from __future__ import annotations

import itertools
import ssl

import pytest
import requests.exceptions as r
import urllib3.exceptions as u
from pypsrp.exceptions import AuthenticationError, WinRMError, WinRMTransportError, WSManFaultError
from spnego.exceptions import CredentialsExpiredError, InvalidCredentialError, NoCredentialError, SpnegoError

from orchestrator.model.observation import FaultKind, Outcome, RemoteError
from orchestrator.remote.dial import AskedToWait
from orchestrator.remote.faults import Reach, judge, judge_record, turned_away, unfinished
from orchestrator.remote.logons import REFUSED_BY, SECURITY_CODES
from orchestrator.remote.negotiation import Apart, NotDelegated, NotOffered, Unproved

HOST = "app01.corp.example"


def certificate(code):
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_code, error.verify_message = code, "why"
    return r.SSLError(u.MaxRetryError(None, "/", u.SSLError(error)))


def connecting(reason):
    return r.ConnectionError(u.MaxRetryError(None, "/", reason))


def refused():
    error = u.NewConnectionError(None, "no")
    error.__cause__ = ConnectionRefusedError()
    return connecting(error)


def broken(reason):
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return r.ConnectionError(u.ProtocolError("aborted", error))


def kerberos(number, attribute="min_code"):
    """An error of a security library within pyspnego's; numbers are signed or not, as the library likes."""
    inner = Exception("it says")
    setattr(inner, attribute, 0x96C73A00 + number - (2**32 if attribute == "err_code" else 0))
    error = SpnegoError(13)
    error.__cause__ = inner
    return error


def sspi(number):
    error = OSError("it says")
    error.winerror = number - 2**32
    return error


def unproved():
    error = Unproved()
    error.__cause__ = kerberos(37)
    return error


def apart(cause):
    error = Apart("1h ahead of the runner's")
    error.__cause__ = cause
    return error


def wsman(code):
    return WSManFaultError(code, None, None, None, None, None)


NEVER_SENT = [
    (certificate(19), "untrusted-certificate", FaultKind.PERMANENT, False),
    (certificate(62), "certificate-name", FaultKind.PERMANENT, False),
    (connecting(u.NameResolutionError("h", None, OSError())), "name-unresolved", FaultKind.TRANSIENT, False),
    (refused(), "refused", FaultKind.TRANSIENT, False),
    (connecting(u.NewConnectionError(None, "no route")), "unreachable", FaultKind.TRANSIENT, False),
    (r.ConnectTimeout(), "connect-timeout", FaultKind.TRANSIENT, False),
    (AuthenticationError("Failed to authenticate the user x"), "unauthorized", FaultKind.PERMANENT, False),
    (NotOffered("ntlm; it offers Basic"), "method-not-offered", FaultKind.PERMANENT, False),
    (NotDelegated(), "not-delegated", FaultKind.PERMANENT, False),
    (broken("TLSV1_ALERT_UNKNOWN_CA"), "client-certificate", FaultKind.PERMANENT, False),
    (kerberos(7), "unknown-service", FaultKind.PERMANENT, False),
    (kerberos(18, "err_code"), "account-locked", FaultKind.PERMANENT, False),
    (kerberos(24, "err_code"), "wrong-password", FaultKind.PERMANENT, False),
    (kerberos(32), "ticket-expired", FaultKind.TRANSIENT, False),
    (kerberos(37), "clock-skew", FaultKind.PERMANENT, False),
    (kerberos(41), "ticket-unreadable", FaultKind.PERMANENT, False),
    (apart(kerberos(32)), "clock-skew", FaultKind.PERMANENT, False),
    (apart(kerberos(37)), "clock-skew", FaultKind.PERMANENT, False),
    (apart(kerberos(41)), "ticket-unreadable", FaultKind.PERMANENT, False),
    (apart(AuthenticationError("no")), "unauthorized", FaultKind.PERMANENT, False),
    (apart(SpnegoError(1)), "logon-failed", FaultKind.TRANSIENT, False),
    (kerberos(60), "logon-failed", FaultKind.TRANSIENT, False),
    (kerberos(156), "kdc-unreachable", FaultKind.TRANSIENT, False),
    (sspi(0x80090303), "unknown-service", FaultKind.PERMANENT, False),
    (sspi(0x80090324), "clock-skew", FaultKind.PERMANENT, False),
    (CredentialsExpiredError(), "ticket-expired", FaultKind.TRANSIENT, False),
    (NoCredentialError(), "no-credential", FaultKind.TRANSIENT, False),
    (InvalidCredentialError(), "no-credential", FaultKind.TRANSIENT, False),
    (SpnegoError(1), "logon-failed", FaultKind.TRANSIENT, False),
    (wsman(5), "access-denied", FaultKind.PERMANENT, False),
    (wsman(2150858811), "configuration-unknown", FaultKind.PERMANENT, False),
    (wsman(2150858843), "shell-unknown", FaultKind.TRANSIENT, True),
    (wsman(2150859173), "2150859173", FaultKind.TRANSIENT, True),
    (wsman(0x803381E9), "2150859241", FaultKind.TRANSIENT, True),
    (wsman(0x803381C4), "session-disconnected", FaultKind.TRANSIENT, True),
    (wsman(0x803381DE), "session-disconnected", FaultKind.TRANSIENT, True),
    (wsman(0x80338035), "request-too-large", FaultKind.PERMANENT, True),
]
PERHAPS_SENT = [
    (unproved(), "host-unproved", FaultKind.PERMANENT, False),
    (broken("UNEXPECTED_EOF_WHILE_READING"), "connection-lost", FaultKind.TRANSIENT, False),
    (r.SSLError("broken"), "tls-failed", FaultKind.PERMANENT, False),
    (r.ReadTimeout(), "no-answer", FaultKind.TRANSIENT, False),
    (
        r.ConnectionError(u.ProtocolError("reset", ConnectionResetError())),
        "connection-lost",
        FaultKind.TRANSIENT,
        False,
    ),
    (r.ChunkedEncodingError(), "connection-lost", FaultKind.TRANSIENT, False),
    (wsman(2150858793), "no-answer", FaultKind.TRANSIENT, False),
    (wsman("w:InternalError"), "w:InternalError", FaultKind.TRANSIENT, True),
    (wsman(1234), "1234", FaultKind.TRANSIENT, True),
    (wsman(0x80338048), "reply-too-large", FaultKind.PERMANENT, True),
    (WinRMTransportError("http", 400, ""), "shell-died", FaultKind.TRANSIENT, True),
    (WinRMTransportError("http", 404, "<html>"), "no-wsman", FaultKind.PERMANENT, False),
    (WinRMTransportError("http", 503, ""), "http-503", FaultKind.TRANSIENT, False),
    (WinRMError("related id does not match"), "garbled", FaultKind.TRANSIENT, False),
    (AttributeError("'NoneType'"), "garbled", FaultKind.TRANSIENT, False),
]


@pytest.mark.parametrize(("error", "code", "kind", "reached"), NEVER_SENT + PERHAPS_SENT)
def test_before_the_call_was_sent_it_has_failed(error, code, kind, reached):
    for write in (True, False):
        outcome, fault = judge(error, HOST, 5986, Reach.OPENING, write=write)
        assert (outcome, fault.code, fault.kind, fault.reached) == (Outcome.FAILED, code, kind, reached)
        assert fault.message.startswith(f"{HOST}: ")
        assert fault.remedy
        assert "{" not in fault.message + fault.code + fault.remedy


@pytest.mark.parametrize(("error", "code", "kind", "reached"), NEVER_SENT)
def test_a_write_that_was_refused_unseen_has_failed(error, code, kind, reached):
    assert judge(error, HOST, 5986, Reach.SENDING, write=True)[0] is Outcome.FAILED


@pytest.mark.parametrize(("error", "code", "kind", "reached"), PERHAPS_SENT)
def test_a_write_that_may_have_arrived_is_unknown(error, code, kind, reached):
    outcome, fault = judge(error, HOST, 5986, Reach.SENDING, write=True)
    assert (outcome, fault.code, fault.kind, fault.reached) == (Outcome.UNKNOWN, code, FaultKind.UNKNOWN, True)
    assert "not known" in fault.message


@pytest.mark.parametrize(("error", "code", "kind", "reached"), NEVER_SENT + PERHAPS_SENT)
def test_a_write_that_was_accepted_is_unknown_whatever_happens_then(error, code, kind, reached):
    outcome, fault = judge(error, HOST, 5986, Reach.RUNNING, write=True)
    assert (outcome, fault.kind) == (Outcome.UNKNOWN, FaultKind.UNKNOWN)


def test_a_read_is_never_unknown():
    for (error, *_), reach in itertools.product(NEVER_SENT + PERHAPS_SENT, Reach):
        outcome, fault = judge(error, HOST, 5986, reach, write=False)
        assert outcome is Outcome.FAILED
        assert fault.kind is not FaultKind.UNKNOWN
    assert unfinished(HOST, "late", write=False)[0] is Outcome.FAILED
    assert unfinished(HOST, "late", write=True)[0] is Outcome.UNKNOWN


@pytest.mark.parametrize("auth", ["basic", "ntlm", "kerberos", "negotiate", "certificate"])
def test_a_401_means_another_thing_for_each_way_to_log_on(auth):
    _, fault = judge(AuthenticationError("no"), HOST, 5986, Reach.OPENING, write=True, auth=auth)
    assert (fault.code, fault.kind, fault.reached) == ("unauthorized", FaultKind.PERMANENT, False)
    assert (fault.remedy == REFUSED_BY[auth].remedy) if auth in REFUSED_BY else ("username" in fault.remedy)


def test_a_host_that_hangs_up_on_a_certificate():
    for error in (r.SSLError("EOF"), r.ConnectionError(u.ProtocolError("reset", ConnectionResetError()))):
        outcome, fault = judge(error, HOST, 5986, Reach.OPENING, write=True, auth="certificate")
        assert (outcome, fault.code, fault.reached) == (Outcome.FAILED, "client-certificate", False)
        assert judge(error, HOST, 5986, Reach.SENDING, write=True, auth="certificate")[0] is Outcome.UNKNOWN


def test_each_number_of_kerberos_has_a_row_that_can_be_acted_on():
    for number in SECURITY_CODES:
        _, fault = judge(sspi(number), HOST, 5986, Reach.OPENING, write=True)
        assert (fault.code, fault.reached) == (SECURITY_CODES[number].code, False)
        assert fault.message.removeprefix(f"{HOST}: ")
        assert fault.remedy
        assert "{" not in fault.message + fault.remedy


@pytest.mark.parametrize(
    ("id_", "category", "read", "write"),
    [
        ("x", "PermissionDenied", FaultKind.PERMANENT, FaultKind.PERMANENT),
        ("x", "ObjectNotFound", FaultKind.PERMANENT, FaultKind.PERMANENT),
        ("x", "SomethingNew", FaultKind.PERMANENT, FaultKind.PERMANENT),
        ("x", "ResourceBusy", FaultKind.TRANSIENT, FaultKind.TRANSIENT),
        ("x", "ResourceUnavailable", FaultKind.TRANSIENT, FaultKind.UNKNOWN),
        ("x", "OperationTimeout", FaultKind.TRANSIENT, FaultKind.UNKNOWN),
        ("ActiveDirectoryServer:8206,Microsoft.Set", "NotSpecified", FaultKind.TRANSIENT, FaultKind.TRANSIENT),
        ("ActiveDirectoryServer:8344,Microsoft.Set", "NotSpecified", FaultKind.PERMANENT, FaultKind.PERMANENT),
        ("ActiveDirectoryServer:8245,Microsoft.Start", "NotSpecified", FaultKind.PERMANENT, FaultKind.PERMANENT),
    ],
)
def test_error_records_by_category_and_id(id_, category, read, write):
    error = RemoteError(id_, category, "System.Exception", "it says", cmdlet="Set-ADUser")
    for is_write, kind in ((False, read), (True, write)):
        outcome, fault = judge_record(error, HOST, write=is_write)
        assert (fault.kind, fault.code) == (kind, id_)
        assert (outcome is Outcome.UNKNOWN) == (kind is FaultKind.UNKNOWN)
        assert fault.message == f"{HOST}: Set-ADUser: it says"


QUOTAS = {
    0x803381A5: "MaxShellsPerUser",
    0x803381A6: "MaxConcurrentOperationsPerUser",
    0x803381A7: "quota for one user",
    0x803381A8: "quota for all users",
    0x803381AB: "MaxConcurrentUsers",
    0x803381E4: "MaxShellsPerUser",
    0x803381E5: "MaxConcurrentUsers",
    0x803381E6: "MaxShells",
    0x803381E7: "MaxConcurrentOperations",
    0x803381E8: "MaxConcurrentOperationsPerUser",
    0x803381E9: "MaxConcurrentCommandsPerShell",
    0x803381EA: "quota for this session configuration",
}
"""Every ERROR_WSMAN_QUOTA_* of wsmerror.h but QUOTA_LIMIT, which no service is known to send."""


@pytest.mark.parametrize("code", QUOTAS)
@pytest.mark.parametrize("reach", [Reach.OPENING, Reach.SENDING])
@pytest.mark.parametrize("write", [True, False])
def test_a_spent_quota_means_later_and_nothing_ran(code, reach, write):
    outcome, fault = judge(wsman(code), "app01", 5986, reach, write=write)
    assert (outcome, fault.kind, fault.busy, fault.reached) == (Outcome.FAILED, FaultKind.TRANSIENT, True, True)
    assert QUOTAS[code] in fault.message
    assert turned_away(wsman(code)) == (code != 0x803381E9)


@pytest.mark.parametrize("code", QUOTAS)
def test_once_a_write_runs_a_spent_quota_says_nothing_of_it(code):
    outcome, fault = judge(wsman(code), "app01", 5986, Reach.RUNNING, write=True)
    assert (outcome, fault.kind, fault.busy) == (Outcome.UNKNOWN, FaultKind.UNKNOWN, False)


@pytest.mark.parametrize("reach", Reach)
def test_who_asks_to_be_left_alone_says_for_how_long(reach):
    _, fault = judge(AskedToWait(503, 90.0), "app01", 5986, reach, write=False)
    assert (fault.kind, fault.code, fault.busy, fault.after) == (FaultKind.TRANSIENT, "http-503", True, 90.0)
    outcome, fault = judge(AskedToWait(503, 90.0), "app01", 5986, reach, write=True)
    assert (outcome is Outcome.FAILED) == (reach is Reach.OPENING) == fault.busy, "it may have been dispatched"


def test_no_other_fault_is_taken_for_a_lack_of_room():
    for error, *_ in (*NEVER_SENT, *PERHAPS_SENT):
        if getattr(error, "code", None) not in QUOTAS:
            assert not judge(error, "app01", 5986, Reach.OPENING, write=True)[1].busy, error
