"""What is compared of two replies: everything but identities, times, and what a cmdlet gave back."""

from __future__ import annotations

import base64
import struct
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree as ET

ENVELOPE = "{http://www.w3.org/2003/05/soap-envelope}"
ADDRESSING = "{http://schemas.xmlsoap.org/ws/2004/08/addressing}"
SHELL = "{http://schemas.microsoft.com/wbem/wsman/1/windows/shell}"
WSMAN = "{http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd}"
FAULT = "{http://schemas.microsoft.com/wbem/wsman/1/wsmanfault}"

CONTROL = {
    0x00010002: "SessionCapability",
    0x00010006: "EncryptedSessionKey",
    0x0002100B: "RunspacePoolInitData",
    0x00021004: "RunspaceAvailability",
    0x00021005: "RunspacePoolState",
    0x00021009: "ApplicationPrivateData",
    0x00041006: "PipelineState",
}
"""Messages that a runspace pool or the end of a pipeline sends by itself (MS-PSRP 2.2.1), whatever a cmdlet does."""


class Shape(NamedTuple):
    """Status of HTTP, action, elements of the body with the states they name, and the fault if it is one."""

    status: int
    action: str
    body: tuple[str, ...]
    fault: tuple[str, ...]


def shape(status: int, reply: bytes) -> Shape:
    """Return the shape of a reply."""
    if not reply:
        return Shape(status, "", (), ())
    root = ET.fromstring(reply)
    action = (root.findtext(f".//{ADDRESSING}Action") or "").rpartition("/")[2]
    body = root.find(f"{ENVELOPE}Body")
    assert body is not None
    codes = [each.text or "" for each in body.iter(f"{ENVELOPE}Value")]
    codes += [each.get("Code", "") for each in body.iter(f"{FAULT}WSManFault")]
    elements = () if codes else tuple(sorted({_element(each) for each in body.iter() if each is not body}))
    return Shape(status, action, elements, tuple(dict.fromkeys(code.rpartition(":")[2] for code in codes)))


def _element(element: ET.Element) -> str:
    name, state = element.tag.rpartition("}")[2], element.get("State", "").rpartition("/")[2]
    return f"{name}={state}" if state else name


def control(reply: bytes) -> Counter[str]:
    """Return the control messages that end in a reply, by name; messages over several replies count where they end."""
    found: Counter[str] = Counter()
    root = ET.fromstring(reply) if reply else ET.Element("nothing")
    texts = [each.text or "" for each in root.iter() if each.tag.rpartition("}")[2] in {"Stream", "connectResponseXml"}]
    for text in texts:
        found.update(CONTROL[kind] for kind in _kinds(base64.b64decode(text)) if kind in CONTROL)
    return found


def _kinds(data: bytes) -> Iterator[int]:
    """Yield the type of each message that begins in some fragments (MS-PSRP 2.2.4)."""
    while len(data) >= 21:
        flags, size = struct.unpack_from(">BI", data, 16)
        if flags & 1 and size >= 8:
            yield struct.unpack_from("<I", data, 25)[0]
        data = data[21 + size :]
