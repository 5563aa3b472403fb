"""The table of causes: what can go wrong on the way to a host, what it means, and what to do about it.

Rows are found by exception type, WSMan fault code or HTTP status; :mod:`orchestrator.remote.faults` says how
the table is read. Types are written as names, so that this module costs no import of a network library.
WSMan codes: wsmerror.h of the Windows SDK; which of them mean a quota: PowerShell's own list in
CimChildJobBase. HTTP 400 with an empty body is what clients see from a shell that idled for two minutes
(jborean93/pypsrp issues 21 and 203); nobody documents that nothing was dispatched then, and the shell is still there
for others. Quotas: Microsoft Learn, "Quotas for Windows Remote Management" and New-PSSessionConfigurationFile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.model.observation import FaultKind


@dataclass(frozen=True)
class Cause:
    """One row: a stable code, what it means for a repetition, and two sentences for a person."""

    code: str
    kind: FaultKind
    says: str
    remedy: str
    undispatched: bool = False
    """The answer, or its absence, proves that the host did not begin the request."""
    reached: bool = True
    """The endpoint answered as one of ours, and let us in, as far as this cause can tell."""
    busy: bool = False
    """The endpoint has no room now; nothing is wrong with the request."""


_T, _P = FaultKind.TRANSIENT, FaultKind.PERMANENT

UNTRUSTED = Cause(
    "untrusted-certificate",
    _P,
    "its TLS certificate is not trusted: {detail}",
    "set tls.ca of its connection to the authority that issued the certificate, or renew the certificate",
    undispatched=True,
    reached=False,
)
WRONG_NAME = Cause(
    "certificate-name",
    _P,
    "its TLS certificate is for another name: {detail}",
    "use the name that stands in the certificate, or issue one for this name",
    undispatched=True,
    reached=False,
)
TLS = Cause(
    "tls-failed",
    _P,
    "TLS could not be agreed on",
    "check that the port speaks HTTPS and that both sides share a TLS version",
    reached=False,
)
UNRESOLVED = Cause(
    "name-unresolved",
    _T,
    "its name does not resolve",
    "check the name, the DNS of the runner, or add it to estate.addresses",
    undispatched=True,
    reached=False,
)
REFUSED = Cause(
    "refused",
    _T,
    "it refuses connections on port {port}",
    "check that WinRM listens on HTTPS there, and the port of its connection",
    undispatched=True,
    reached=False,
)
UNREACHABLE = Cause(
    "unreachable",
    _T,
    "no connection to port {port} can be made",
    "check the network and firewalls between runner and host",
    undispatched=True,
    reached=False,
)
CONNECT_TIMEOUT = Cause(
    "connect-timeout",
    _T,
    "it did not accept a connection on port {port} in time",
    "check that it is up and that no firewall drops the port",
    undispatched=True,
    reached=False,
)
NO_ANSWER = Cause("no-answer", _T, "it did not answer in time", "look whether it is overloaded or hangs")
LOST = Cause("connection-lost", _T, "the connection was lost", "look whether it restarted or the network failed")
SHELL_GONE = Cause(
    "shell-unknown", _T, "it no longer knows the session", "none is needed: a new session is opened", undispatched=True
)
SHELL_DIED = Cause("shell-died", _T, "the session died (HTTP 400, empty)", "none is needed: a new session is opened")
SHELL_CUT = Cause(
    "session-disconnected",
    _T,
    "the session was disconnected",
    "none is needed: a new session is opened",
    undispatched=True,
)


def _quota(setting: str) -> Cause:
    return Cause(
        "{detail}",
        _T,
        f"a quota of WinRM is exhausted ({setting}, fault {{detail}})",
        f"none is needed, it is asked again; if it stays so, close sessions on it, or raise its {setting}",
        undispatched=True,
        busy=True,
    )


SHELL_FULL = _quota("MaxConcurrentCommandsPerShell")
TOO_LARGE = Cause(
    "request-too-large",
    _P,
    "it does not take a message as large as this one (fault {detail})",
    "raise MaxEnvelopeSizekb in its WinRM configuration; 500, the default, is enough",
    undispatched=True,
)
REPLY_TOO_LARGE = Cause(
    "reply-too-large",
    _P,
    "its answer is larger than a message may be (fault {detail})",
    "raise MaxEnvelopeSizekb in its WinRM configuration; 500, the default, is enough",
)
DENIED = Cause(
    "access-denied",
    _P,
    "it denies access to this session configuration",
    "let the account connect: Remote Management Users, or the role definitions of the JEA endpoint",
    undispatched=True,
    reached=False,
)
NO_ENDPOINT = Cause(
    "configuration-unknown",
    _P,
    "it has no session configuration of that name",
    "register the JEA endpoint there, or correct configuration of its connection",
    undispatched=True,
    reached=False,
)
NO_WSMAN = Cause(
    "no-wsman",
    _P,
    "what listens on port {port} is not WinRM (HTTP {detail})",
    "check the port of its connection",
    reached=False,
)
BUSY = Cause("http-{detail}", _T, "it answered HTTP {detail}", "look whether WinRM is starting, stopping or overloaded")
ASKED_TO_WAIT = Cause(
    "http-{detail}",
    _T,
    "it is overloaded and asks to be left alone for a while (HTTP {detail}, Retry-After)",
    "none is needed, it is asked again later",
    busy=True,
)
FAULT = Cause("{detail}", _T, "WinRM reported fault {detail}", "look the code up in the WinRM event log of the host")
OTHER_SHELL = Cause(
    "shell-id-ignored",
    _P,
    "it gave the session an id of its own, so a lost call could not be found again",
    "WinRM 3.0 or later is needed (Windows Server 2012 and later have it)",
)
GARBLED = Cause("garbled", _T, "its answer could not be read ({detail})", "look at what listens there")

EXCEPTIONS: tuple[tuple[str, Cause], ...] = (
    # The first row whose type is found wins, innermost meaning first.
    ("urllib3.exceptions.NameResolutionError", UNRESOLVED),
    ("urllib3.exceptions.NewConnectionError", UNREACHABLE),
    ("requests.exceptions.ConnectTimeout", CONNECT_TIMEOUT),
    ("requests.exceptions.SSLError", TLS),
    ("requests.exceptions.ReadTimeout", NO_ANSWER),
    ("requests.exceptions.ConnectionError", LOST),
    ("requests.exceptions.ChunkedEncodingError", LOST),
    ("orchestrator.remote.session.OtherShell", OTHER_SHELL),
)

WSMAN: Mapping[int | str, Cause] = {
    5: DENIED,
    0x80338029: NO_ANSWER,  # ERROR_WSMAN_OPERATION_TIMEDOUT
    0x8033803B: NO_ENDPOINT,  # ERROR_WSMAN_INVALID_RESOURCE_URI
    0x80338002: NO_ENDPOINT,  # the same meaning, as older services spell it
    0x8033805B: SHELL_GONE,  # ERROR_WSMAN_UNEXPECTED_SELECTORS
    0x803381C4: SHELL_CUT,  # ERROR_WINRS_SHELL_DISCONNECTED
    0x803381DE: SHELL_CUT,  # ERROR_WSMAN_SERVICE_STREAM_DISCONNECTED
    0x80338035: TOO_LARGE,  # ERROR_WSMAN_ENCODING_LIMIT
    0x80338048: REPLY_TOO_LARGE,  # ERROR_WSMAN_MAX_ENVELOPE_SIZE_EXCEEDED
    0x80338049: REPLY_TOO_LARGE,  # ERROR_WSMAN_SERVER_ENVELOPE_LIMIT
    0x803381A5: _quota("MaxShellsPerUser"),  # ERROR_WSMAN_QUOTA_MAX_SHELLS
    0x803381A6: _quota("MaxConcurrentOperationsPerUser"),  # ERROR_WSMAN_QUOTA_MAX_OPERATIONS
    0x803381A7: _quota("quota for one user"),  # ERROR_WSMAN_QUOTA_USER
    0x803381A8: _quota("quota for all users"),  # ERROR_WSMAN_QUOTA_SYSTEM
    0x803381AB: _quota("MaxConcurrentUsers"),  # ERROR_WSMAN_QUOTA_MAX_SHELLUSERS
    # Those of one session configuration, ERROR_WSMAN_QUOTA_*_PPQ:
    0x803381E4: _quota("MaxShellsPerUser"),
    0x803381E5: _quota("MaxConcurrentUsers"),
    0x803381E6: _quota("MaxShells"),
    0x803381E7: _quota("MaxConcurrentOperations"),
    0x803381E8: _quota("MaxConcurrentOperationsPerUser"),
    0x803381E9: SHELL_FULL,  # ERROR_WSMAN_QUOTA_MAX_COMMANDS_PER_SHELL_PPQ
    0x803381EA: _quota("quota for this session configuration"),  # ERROR_WSMAN_QUOTA_MIN_REQUIREMENT_NOT_AVAILABLE_PPQ
}
