"""SOAP envelopes of WSMan: one read from a request, one written for a reply, and the faults.

Only what a PowerShell client sends is read. A document type is refused unread, so that no entity is ever
expanded.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from uuid import UUID, uuid4
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from orchestrator.lab.wire import faults

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
ENUMERATION = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
POWERSHELL = "http://schemas.microsoft.com/powershell"
IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identify/1/wsmanidentity.xsd"

_MICROSOFT = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
_NAMESPACES = {"s": SOAP, "a": ADDRESSING, "w": WSMAN, "p": _MICROSOFT}
_DECLARED = (
    f'xml:lang="en-US" xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:x="{TRANSFER}" xmlns:w="{WSMAN}" '
    f'xmlns:n="{ENUMERATION}" xmlns:rsp="{SHELL}" xmlns:p="{_MICROSOFT}"'
)
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"


class NotAnEnvelope(Exception):
    """The body of the request is not a SOAP envelope that this server reads."""


@dataclass(frozen=True)
class Envelope:
    """A request. ``timeout`` is in seconds; ``body`` the element inside the Body, if there is one.

    ``session`` tells clients apart that log on as the same user (the header SessionId of MS-WSMV). ``size`` is in
    bytes.
    """

    action: str
    message_id: str
    to: str
    resource: str
    selectors: dict[str, str]
    timeout_text: str
    largest_reply: int
    body: ET.Element | None
    session: str = ""
    size: int = 0

    @property
    def timeout(self) -> float:
        """The OperationTimeout in seconds.

        Raises:
            WsmanFault: it is not a duration (recorded in ``test_psrp_is_alive_other_wsman_error``).
        """
        return seconds(self.timeout_text)

    def need_body(self) -> ET.Element:
        """Return the element inside the Body.

        Raises:
            WsmanFault: there is none.
        """
        if self.body is None:
            raise faults.malformed("The request has an empty body.")
        return self.body


def seconds(shown: str) -> float:
    """Return the seconds of an XML Schema duration without years and months.

    Raises:
        WsmanFault: it is none.
    """
    match = _DURATION.fullmatch(shown)
    if match is None:
        raise faults.invalid_timeout(shown)
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def identifier(shown: str, otherwise: faults.WsmanFault) -> UUID:
    """Return the UUID that *shown* spells.

    Raises:
        WsmanFault: *otherwise*, if it spells none.
    """
    try:
        return UUID(shown)
    except ValueError:
        raise otherwise from None


def decoded(content: str | None) -> bytes:
    """Return the bytes behind base64 text.

    Raises:
        WsmanFault: there is none, or it is not base64.
    """
    try:
        found = base64.b64decode("".join((content or "").split()), validate=True)
    except binascii.Error:
        found = b""
    if not found:
        raise faults.malformed("The content is not base64.")
    return found


class _NoDoctype(ET.TreeBuilder):
    def doctype(self, name: str, _public: str | None, _system: str | None) -> None:
        raise NotAnEnvelope(f"a document type ({name}) is not accepted")


def parse(raw: bytes) -> Envelope:
    """Read a request.

    Raises:
        NotAnEnvelope: it is not XML, declares a document type, or is not a SOAP 1.2 envelope.
    """
    try:
        root = ET.fromstring(raw, parser=ET.XMLParser(target=_NoDoctype()))  # noqa: S314 - no DTD
    except (ET.ParseError, LookupError, ValueError) as error:
        raise NotAnEnvelope(f"not XML: {error}") from error
    body = root.find("s:Body", _NAMESPACES)
    if root.tag != f"{{{SOAP}}}Envelope" or body is None:
        raise NotAnEnvelope(f"{root.tag} is not a SOAP 1.2 envelope with a body")

    def header(name: str, default: str = "") -> str:
        return (root.findtext(f"s:Header/{name}", default, _NAMESPACES) or default).strip()

    largest = header("w:MaxEnvelopeSize", "153600")
    chosen = root.iterfind("s:Header/w:SelectorSet/w:Selector", _NAMESPACES)
    return Envelope(
        action=header("a:Action"),
        message_id=header("a:MessageID"),
        to=header("a:To"),
        resource=header("w:ResourceURI"),
        selectors={each.get("Name", ""): (each.text or "").strip() for each in chosen},
        timeout_text=header("w:OperationTimeout", "PT60S"),
        largest_reply=int(largest) if largest.isdecimal() else 153600,
        body=next(iter(body), None),
        session=header("p:SessionId"),
        size=len(raw),
    )


def reply(action: str, relates_to: str, body: str) -> bytes:
    """Return the envelope of a reply; *body* is XML that uses this module's prefixes."""
    return (
        f"<s:Envelope {_DECLARED}><s:Header><a:Action>{action}</a:Action>"
        f"<a:MessageID>uuid:{str(uuid4()).upper()}</a:MessageID><a:To>{ADDRESSING}/role/anonymous</a:To>"
        f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault_reply(fault: faults.WsmanFault, relates_to: str, machine: str) -> bytes:
    """Return the envelope that carries *fault*."""
    action = f"{ADDRESSING}/fault" if fault.subcode.startswith("a:") else _FAULT_ACTION
    return reply(action, relates_to, fault.body(machine))
