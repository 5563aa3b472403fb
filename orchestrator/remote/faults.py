"""What went wrong, and what it means for the next attempt: how the table of causes is read.

Theory of operation. An exception of the client library, or an error record of PowerShell, says two things that
must be kept apart:

* *Cause*: what a person would call it, whether repeating can help, what to do. It is looked up by exception
  type (through the causes an exception carries), by WSMan fault code, by HTTP status, by the number that Kerberos
  or SSPI gives, by error category and id. Never by message text: that is localised, and changes with every build.
* *Reach*: how far the call had come. A write that was refused before it could be dispatched has FAILED, and
  nothing of it runs. Once its request may have left, only an answer that proves it was not dispatched
  (``undispatched``) makes it FAILED; everything else leaves it UNKNOWN, and so does any trouble after the host
  accepted it. Erring towards UNKNOWN costs a minute of settling and one look; erring towards FAILED could let
  a migration operation land twice. A read has no such question: it FAILED.
"""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Iterator, Mapping
from enum import IntEnum

from orchestrator.model.observation import Fault, FaultKind, Outcome, RemoteError, Reply
from orchestrator.remote.causes import (
    ASKED_TO_WAIT,
    BUSY,
    EXCEPTIONS,
    FAULT,
    GARBLED,
    LOST,
    NO_ANSWER,
    NO_WSMAN,
    REFUSED,
    SHELL_CUT,
    SHELL_DIED,
    SHELL_FULL,
    SHELL_GONE,
    TLS,
    UNREACHABLE,
    UNTRUSTED,
    WRONG_NAME,
    WSMAN,
    Cause,
)
from orchestrator.remote.logons import (
    AFTER_CODES,
    ALERTS,
    BEFORE_CODES,
    CLOCKS_APART,
    HUNG_UP,
    KRB5_CODES,
    LOGON,
    OF_TIME,
    REFUSED_BY,
    SECURITY_CODES,
    UNAUTHORIZED,
)
from orchestrator.remote.wording import PLAIN_CONFIGURATION, in_role_file

_APART = "orchestrator.remote.negotiation.Apart"
_T, _P = FaultKind.TRANSIENT, FaultKind.PERMANENT


class Reach(IntEnum):
    """How far a call had come when trouble began."""

    OPENING = 1
    """There was no session yet; the call's own request had not been made."""
    SENDING = 2
    """The request that carries the call was being sent, or its answer was awaited."""
    RUNNING = 3
    """The host had accepted the call."""


_32_BITS = 0xFFFFFFFF
_HOSTNAME_MISMATCH = 62
"""X509_V_ERR_HOSTNAME_MISMATCH (OpenSSL, x509_vfy.h)."""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and everything it says it came from, without end-less loops."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
        waiting.extend(item for item in inner if isinstance(item, BaseException))


def _is(error: BaseException, name: str) -> bool:
    return any(f"{cls.__module__}.{cls.__qualname__}" == name for cls in type(error).__mro__)


def cause_of(error: BaseException) -> tuple[Cause, str]:
    """Look an exception of the client library up; returns its row and the detail that the sentences mention."""
    chain = tuple(_chain(error))
    if _is(error, "pypsrp.exceptions.WSManFaultError"):
        code = getattr(error, "code", None)
        return WSMAN.get(code, FAULT) if isinstance(code, int | str) else FAULT, str(code)
    if _is(error, "orchestrator.remote.dial.AskedToWait"):
        return ASKED_TO_WAIT, str(error)
    if _is(error, "pypsrp.exceptions.WinRMTransportError"):
        return _by_status(error)
    return (
        _by_tls(chain)
        or _by_security_code(chain)
        or _by_type(chain[1] if _is(error, _APART) else error, chain, (*EXCEPTIONS, *AFTER_CODES))
        or (
            GARBLED,
            type(error).__name__,
        )
    )


def _by_tls(chain: tuple[BaseException, ...]) -> tuple[Cause, str] | None:
    for each in chain:
        if isinstance(each, ssl.SSLCertVerificationError):
            row = WRONG_NAME if each.verify_code == _HOSTNAME_MISMATCH else UNTRUSTED
            return row, each.verify_message
        if isinstance(each, ssl.SSLError) and each.reason in ALERTS:
            return ALERTS[each.reason], each.reason.lower().replace("_", " ")
    return None


def _by_security_code(chain: tuple[BaseException, ...]) -> tuple[Cause, str] | None:
    found = _by_type(chain[0], chain, BEFORE_CODES)
    if found is not None:
        return found
    apart = str(chain[0]) if _is(chain[0], _APART) else ""
    for each, name in itertools.product(chain, ("err_code", "min_code", "winerror")):
        code = getattr(each, name, None)
        number = code & _32_BITS if isinstance(code, int) else 0
        if number in SECURITY_CODES:
            row = SECURITY_CODES[number]
            return (CLOCKS_APART, apart) if apart and row in OF_TIME else (row, "")
        if number in KRB5_CODES:
            return LOGON, f"Kerberos error {number - KRB5_CODES.start}"
    return None


def _by_type(
    error: BaseException, chain: tuple[BaseException, ...], rows: tuple[tuple[str, Cause], ...]
) -> tuple[Cause, str] | None:
    for name, row in rows:
        found = next((each for each in chain if _is(each, name)), None)
        if found is not None:
            if row is UNREACHABLE and any(isinstance(each, ConnectionRefusedError) for each in chain):
                return REFUSED, ""
            return row, str(found) if (name, row) in BEFORE_CODES else type(error).__name__
    return None


def _by_status(error: BaseException) -> tuple[Cause, str]:
    status, body = getattr(error, "code", 0), getattr(error, "response_text", "")
    if status == 400 and not body:
        return SHELL_DIED, str(status)
    return (NO_WSMAN if status in {404, 405, 501} else BUSY), str(status)


def lost_session(error: BaseException) -> bool:
    """Say whether the host told us that the session is gone or used up (and not that the network is)."""
    return cause_of(error)[0] in {SHELL_GONE, SHELL_DIED, SHELL_CUT, SHELL_FULL}


def shell_full(error: BaseException) -> bool:
    """Say whether the host told us that the shell takes no more pipelines."""
    return cause_of(error)[0] is SHELL_FULL


def turned_away(error: BaseException) -> bool:
    """Say whether a quota is spent of the host or of the account there: it has no room for the request just now."""
    cause = cause_of(error)[0]
    return cause.busy and cause.undispatched and cause is not SHELL_FULL


def never_dispatched(error: BaseException) -> bool:
    """Say whether it is certain that the host did not begin the request."""
    return cause_of(error)[0].undispatched


def shell_unknown(error: BaseException) -> bool:
    """Say whether the host told us in so many words that it does not know the shell."""
    return cause_of(error)[0] is SHELL_GONE


NO_PROOF = (LOST, NO_ANSWER, GARBLED, BUSY, ASKED_TO_WAIT)
"""What may come of anything that listens; it does not show that there is an endpoint of ours."""


def judge(
    error: BaseException, host: str, port: int, reach: Reach, *, write: bool, auth: str = ""
) -> tuple[Outcome, Fault]:
    """Say how a call ended that an exception ended, on a connection that logs on by *auth*."""
    cause, detail = cause_of(error)
    if cause is UNAUTHORIZED:
        cause = REFUSED_BY.get(auth, cause)
    elif auth == "certificate" and reach is Reach.OPENING and cause in {LOST, TLS}:
        cause = HUNG_UP
    unknown = write and (reach is Reach.RUNNING or (reach is Reach.SENDING and not cause.undispatched))
    says = cause.says.format(port=port, detail=detail)
    remedy = cause.remedy
    if unknown:
        says += "; whether the change was made is not known"
        remedy = "nothing by hand: the session is deleted and the state read before anything is repeated"
    fault = Fault(
        FaultKind.UNKNOWN if unknown else cause.kind,
        cause.code.format(detail=detail),
        f"{host}: {says}",
        remedy,
        reached=reach is not Reach.OPENING or (cause.reached and cause not in NO_PROOF),
        busy=cause.busy and not unknown,
        after=getattr(error, "after", 0.0),
    )
    return (Outcome.UNKNOWN if unknown else Outcome.FAILED), fault


_CATEGORIES: Mapping[str, tuple[FaultKind, bool, str]] = {
    # category: what it means, whether the far side may have acted all the same, remedy
    "PermissionDenied": (_P, False, "grant the right that is missing; nothing else was changed"),
    "SecurityError": (_P, False, "grant the right that is missing; nothing else was changed"),
    "AuthenticationError": (_P, False, "check delegation to the second server, or use its own endpoint"),
    "ResourceBusy": (_T, False, "wait"),
    "LimitsExceeded": (_T, False, "wait"),
    "QuotaExceeded": (_T, False, "wait"),
    "ResourceUnavailable": (_T, True, "check the service that the cmdlet talks to (for AD: Web Services on the DC)"),
    "ConnectionError": (_T, True, "check the service that the cmdlet talks to (for AD: Web Services on the DC)"),
    "OperationTimeout": (_T, True, "check the service that the cmdlet talks to (for AD: Web Services on the DC)"),
    "OperationStopped": (_T, True, "look whether somebody stopped it, or the host is shutting down"),
}
_IDS: Mapping[str, str] = {
    # first part of the error id: the category it amounts to (Microsoft Learn, System Error Codes 8000-8999)
    "ActiveDirectoryServer:8206": "ResourceBusy",  # ERROR_DS_BUSY
    "ActiveDirectoryServer:8207": "ResourceUnavailable",  # ERROR_DS_UNAVAILABLE
    "ActiveDirectoryServer:8344": "PermissionDenied",  # ERROR_DS_INSUFF_ACCESS_RIGHTS
}


_NOT_SHOWN: Mapping[str, str] = {
    # first part of the error id: what the role file of a JEA endpoint would have to say
    "CommandNotFoundException": "must be there, and its module under ModulesToImport",
    "NamedParameterNotFound": "must list the parameter under Parameters",
    "ParameterArgumentValidationError": "must let the value through, by ValidateSet or ValidatePattern",
    "DriveNotFound": "needs the line VisibleProviders = 'Registry' as well",
}


def _role_line(error: RemoteError, configuration: str) -> str | None:
    """Return which line of a JEA endpoint's role file keeps a call out; None if it is not that."""
    needs = _NOT_SHOWN.get(error.id.partition(",")[0])
    command = error.cmdlet or error.target
    if configuration == PLAIN_CONFIGURATION or needs is None or not command:
        return None
    return (
        f"in {configuration}.psrc on the host the entry {in_role_file(command)} {needs}; "
        "`dmsa jea` writes the file anew from the plan"
    )


def judge_record(
    error: RemoteError, host: str, *, write: bool, configuration: str = PLAIN_CONFIGURATION
) -> tuple[Outcome, Fault]:
    """Say how a call ended that PowerShell ended with an error, at the endpoint *configuration*."""
    category = _IDS.get(error.id.partition(",")[0], error.category)
    kind, may_have_acted, remedy = _CATEGORIES.get(category, (_P, False, "read the message; it is PowerShell's own"))
    remedy = _role_line(error, configuration) or remedy
    unknown = write and may_have_acted
    subject = f"{error.cmdlet}: " if error.cmdlet else ""
    fault = Fault(
        FaultKind.UNKNOWN if unknown else kind,
        error.id or error.exception or error.category,
        f"{host}: {subject}{error.message}",
        remedy,
    )
    return (Outcome.UNKNOWN if unknown else Outcome.FAILED), fault


def said_wrong(reply: Reply, host: str) -> Fault | None:
    """Return what a write said went wrong: what ended it, or the first error that did not end it."""
    if reply.fault is None and reply.errors:
        return judge_record(reply.errors[0], host, write=False)[1]
    return reply.fault


def unfinished(host: str, why: str, *, write: bool) -> tuple[Outcome, Fault]:
    """Say how a call ended that never came to an end: given up, or stopped by somebody."""
    kind = FaultKind.UNKNOWN if write else _T
    remedy = "the session is deleted and the state read before anything is repeated" if write else "none is needed"
    return (Outcome.UNKNOWN if write else Outcome.FAILED), Fault(kind, "unfinished", f"{host}: {why}", remedy)
