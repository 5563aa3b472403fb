"""The SOAP faults of WSMan, one function for each reason.

Texts and codes are those of the exchanges recorded from Windows for pypsrp's tests (the name of the recording
stands with each), or carry their source.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

_UNEXPECTED_SELECTORS = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/UnexpectedSelectors"
_SORRY = "The WS-Management service cannot process the request"
_FAULT_NAMESPACE = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"

QUOTA = "w:QuotaLimit"
"""The subcode of every fault that says that a quota is spent (MS-WSMV 3.1.4.5.2.1)."""


class WsmanFault(Exception):
    """A request that is answered with a SOAP fault, HTTP status 500.

    ``side`` is ``Sender`` or ``Receiver``, ``subcode`` a qualified name with the prefix ``w`` or ``a``,
    ``code`` the number in the WSManFault element, ``message`` its text where that differs from ``reason``.
    """

    def __init__(self, side: str, subcode: str, code: int, reason: str, *, message: str = "", detail: str = "") -> None:
        super().__init__(f"{subcode} {code}: {message or reason}")
        self.side = side
        self.subcode = subcode
        self.code = code
        self.reason = reason
        self.message = message or reason
        self.detail = detail

    def body(self, machine: str) -> str:
        """Return the Fault element; *machine* is the name of the host that speaks."""
        detail = f"<w:FaultDetail>{self.detail}</w:FaultDetail>" if self.detail else ""
        return (
            f"<s:Fault><s:Code><s:Value>s:{self.side}</s:Value><s:Subcode><s:Value>{self.subcode}</s:Value>"
            f'</s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">{escape(self.reason)}</s:Text>'
            f'</s:Reason><s:Detail>{detail}<f:WSManFault xmlns:f="{_FAULT_NAMESPACE}" Code="{self.code}" '
            f'Machine="{escape(machine)}"><f:Message>{escape(self.message)}</f:Message></f:WSManFault>'
            f"</s:Detail></s:Fault>"
        )


def _invalid_selectors(message: str = "") -> WsmanFault:
    reason = f"{_SORRY} because the request contained invalid selectors for the resource. "
    return WsmanFault("Sender", "w:InvalidSelectors", 2150858843, reason, message=message, detail=_UNEXPECTED_SELECTORS)


def unknown_shell() -> WsmanFault:
    """Return the fault for a ShellId that is not there (``test_psrp_is_alive_invalid_selectors``)."""
    return _invalid_selectors()


def unknown_command() -> WsmanFault:
    """Return the fault for a CommandId that is not there (``test_psrp_receive_failure``)."""
    return _invalid_selectors(
        "The Windows Remote Shell received a request to perform an operation on a command identifier that "
        "does not exist. Either the command has completed execution or the client specified an invalid "
        "command identifier. "
    )


def shell_disconnected() -> WsmanFault:
    """Return the fault for a pipeline of a shell that was disconnected (wsmerror.h, SHELL_DISCONNECTED)."""
    reason = f"{_SORRY} because the shell is currently disconnected. "
    return WsmanFault("Sender", "w:InvalidParameter", 2150859204, reason)


def stream_disconnected() -> WsmanFault:
    """Return the fault that ends a Receive when its shell is disconnected (wsmerror.h, STREAM_DISCONNECTED)."""
    reason = f"{_SORRY} because the stream is currently disconnected. "
    return WsmanFault("Sender", "w:InvalidParameter", 2150859230, reason)


def connected_elsewhere() -> WsmanFault:
    """Return the fault for a Connect to somebody's shell (wsmerror.h, SHELL_CONNECTED_TO_DIFFERENT_CLIENT)."""
    reason = f"{_SORRY} because the shell is connected to a different client. "
    return WsmanFault("Sender", "w:Concurrency", 2150859213, reason)


def timed_out() -> WsmanFault:
    """Return the fault that ends a Receive without news (``test_psrp_long_running_cmdlet``)."""
    reason = "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  "
    return WsmanFault("Receiver", "w:TimedOut", 2150858793, reason)


def invalid_timeout(shown: str) -> WsmanFault:
    """Return the fault for an OperationTimeout that is no duration (``test_psrp_is_alive_other_wsman_error``)."""
    reason = f"{_SORRY}. The request contains one or more invalid SOAP headers. "
    message = f"{_SORRY}. The XML contains an invalid timeout field in the SOAP header: {shown}. "
    return WsmanFault("Sender", "a:InvalidMessageInformationHeader", 2150858767, reason, message=message)


def unknown_resource(uri: str) -> WsmanFault:
    """Return the fault for a resource that is no PowerShell endpoint (as quoted in jborean93/pypsrp#192)."""
    reason = (
        f"{_SORRY}. The resource URI ({uri}) was not found in the WS-Management catalog. The catalog contains "
        f"the metadata that describes resources, or logical endpoints. "
    )
    return WsmanFault("Sender", "a:DestinationUnreachable", 2150858811, reason)


def access_denied() -> WsmanFault:
    """Return the fault for a caller whom the endpoint does not let in (DSP0226; Win32 error 5)."""
    return WsmanFault("Sender", "w:AccessDenied", 5, "Access is denied. ")


def too_many_operations(allowed: int = 1500) -> WsmanFault:
    """Return the fault of a spent quota (as quoted in dmitry-zaets/vagrantfile-windows-iis-mssql#7)."""
    reason = (
        f"{_SORRY}. This user is allowed a maximum number of {allowed} concurrent operations, which has been "
        f"exceeded. Close existing operations for this user, or raise the quota for this user. "
    )
    return WsmanFault("Sender", QUOTA, 2150859174, reason)


def too_many_shells(allowed: int) -> WsmanFault:
    """Return the fault for one shell too many (as quoted in hashicorp/vagrant#7489)."""
    reason = (
        f"{_SORRY}. This user is allowed a maximum number of {allowed} concurrent shells, which has been "
        f"exceeded. Close existing shells or raise the quota for this user. "
    )
    return WsmanFault("Sender", QUOTA, 2150859173, reason)


def too_many_users(allowed: int) -> WsmanFault:
    """Return the fault for one user too many (MS-WSMV 3.1.4.5.2.1; wsmerror.h, QUOTA_MAX_SHELLUSERS)."""
    reason = (
        f"{_SORRY}. The maximum number of {allowed} users who may have shells at the same time has been exceeded. "
        f"Retry later, or raise the quota for concurrent users. "
    )
    return WsmanFault("Sender", QUOTA, 2150859179, reason)


def too_many_commands(allowed: int) -> WsmanFault:
    """Return the fault for one command too many in a shell (wsmerror.h, QUOTA_MAX_COMMANDS_PER_SHELL_PPQ)."""
    reason = (
        f"{_SORRY}. The maximum number of {allowed} concurrent commands per shell has been exceeded. "
        f"Retry later, or raise the quota for concurrent commands per shell. "
    )
    return WsmanFault("Sender", QUOTA, 2150859241, reason)


_SPENT = {
    "user": (2150859175, "The system load quota for this user has been exceeded"),  # ERROR_WSMAN_QUOTA_USER
    "system": (2150859176, "The system load quota of the service has been exceeded"),  # ERROR_WSMAN_QUOTA_SYSTEM
    "configuration-shells-per-user": (2150859236, "The maximum number of shells per user has been exceeded"),
    "configuration-users": (2150859237, "The maximum number of concurrent users has been exceeded"),
    "configuration-shells": (2150859238, "The maximum number of concurrent shells has been exceeded"),
    "configuration-operations": (2150859239, "The maximum number of concurrent operations has been exceeded"),
    "configuration-operations-per-user": (2150859240, "The maximum number of operations per user has been exceeded"),
    "configuration-minimum": (2150859242, "The minimum that this session configuration is granted is not available"),
}
"""Quotas that the lab does not count itself: their codes (wsmerror.h, QUOTA_*), and texts of our own."""


def spent(quota: str) -> WsmanFault:
    """Return the fault of a quota that is spent, by its name in an estate's weather."""
    match quota:
        case "shells":
            return too_many_shells(30)
        case "users":
            return too_many_users(10)
        case "commands-per-shell":
            return too_many_commands(1000)
        case "operations":
            return too_many_operations()
        case _:
            code, text = _SPENT[quota]
            return WsmanFault("Sender", QUOTA, code, f"{_SORRY}. {text}. Retry later, or raise the quota. ")


def request_too_large(allowed: int) -> WsmanFault:
    """Return the fault for a request above MaxEnvelopeSizekb (MS-WSMV 3.1.4.1.20; DSP0226, EncodingLimit)."""
    reason = f"{_SORRY} because the request is larger than {allowed} bytes, the limit of the service. "
    return WsmanFault("Sender", "w:EncodingLimit", 2150858805, reason)


def reply_too_small() -> WsmanFault:
    """Return the fault for a MaxEnvelopeSize below 8192 (MS-WSMAN 3.1.4.1.9; wsmerror.h, MIN_ENVELOPE_SIZE)."""
    reason = f"{_SORRY} because the maximum envelope size in the request is too small; 8192 is the least. "
    return WsmanFault("Sender", "w:EncodingLimit", 2150858878, reason)


def not_supported(action: str) -> WsmanFault:
    """Return the fault for an action that this server does not have (WS-Addressing; Win32 error 50)."""
    reason = f"The action is not supported by the service: {action}. "
    return WsmanFault("Sender", "a:ActionNotSupported", 50, reason)


def malformed(what: str) -> WsmanFault:
    """Return the fault for an envelope that makes no sense (Win32 error 87; ``test_winrs_fail_poll_process``)."""
    reason = "The parameter is incorrect. "
    return WsmanFault("Sender", "w:InvalidParameter", 87, reason, message=f"{reason}{what}")
