"""Text that becomes part of a filter: LDAP, WQL and event-log XPath.

A filter is the one place where a name from a plan is embedded in a language that the far side parses, so
every filter is built with these functions and nothing else. What cannot be said safely is refused here, with
the value named, instead of being sent and misread.
"""

from __future__ import annotations

import re
from uuid import UUID

IN_CHAIN = "1.2.840.113556.1.4.1941"
"""The matching rule that follows links through other groups (MS-ADTS 3.1.1.3.4.4.3, LDAP_MATCHING_RULE_IN_CHAIN)."""

_LDAP_SPECIAL = re.compile(r"[*()\\\x00-\x1f\x7f-\x9f]")
_WQL_SPECIAL = re.compile(r"[\\'\"]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SID = re.compile(r"S-1-[0-9]{1,15}(-[0-9]{1,10}){1,15}", re.ASCII)


def ldap(value: str) -> str:
    """Return *value* as an assertion value of an LDAP filter: it matches itself, never more.

    The five characters of RFC 4515, section 3 (``*``, parentheses, backslash, NUL) and every control
    character are escaped; the result holds no character that ends or widens a filter.
    """
    return _LDAP_SPECIAL.sub(lambda found: "".join(f"\\{octet:02x}" for octet in found[0].encode()), value)


def guid_filter(guid: UUID) -> str:
    """Return the LDAP filter that finds the one object with this objectGUID.

    The octets are in the order in which Active Directory stores a GUID (MS-DTYP 2.3.4.2, little-endian).
    """
    return "(objectGUID=" + "".join(f"\\{octet:02x}" for octet in guid.bytes_le) + ")"


def wql(value: str) -> str:
    r"""Return *value* as it stands between single quotes in WQL: ``O'Brien`` gives ``O\'Brien``.

    A backslash and either quote are escaped by a backslash (Microsoft Learn, "WHERE Clause", WQL string
    literals). Meant for ``=``; ``LIKE`` gives ``%``, ``_`` and ``[`` a meaning that is not escaped here.

    Raises:
        ValueError: *value* holds a control character, for which WQL has no spelling.
    """
    _refuse_control(value, "WQL")
    return _WQL_SPECIAL.sub(lambda found: f"\\{found[0]}", value)


def xpath(value: str) -> str:
    """Return *value* as an XPath 1.0 string literal, **with its quotes**, whichever quote it does not hold.

    XPath 1.0 has no escape inside a literal, and the event log's subset has no ``concat`` (Microsoft Learn,
    "Consuming Events", XPath 1.0 limitations).

    Raises:
        ValueError: *value* holds both quotes, or a control character.
    """
    _refuse_control(value, "XPath")
    if "'" not in value:
        return f"'{value}'"
    if '"' not in value:
        return f'"{value}"'
    raise ValueError(f"{value!r} holds both quotes and cannot be written in an event-log query")


def event_data(name: str, operator: str, value: str) -> str:
    """Return the comparison of one named field of an event's data with *value*: ``Data[@Name='x']='y'``.

    ``!=`` takes the place of ``not``, which the event log does not have (MS-EVEN6 2.2.15.1).

    Raises:
        ValueError: the operator is neither ``=`` nor ``!=``, or a text cannot be written.
    """
    if operator not in {"=", "!="}:
        raise ValueError(f"{operator!r} does not compare the data of an event")
    return f"Data[@Name={xpath(name)}]{operator}{xpath(value)}"


def _refuse_control(value: str, language: str) -> None:
    if _CONTROL.search(value):
        raise ValueError(f"{value!r} holds a control character and cannot be written in {language}")


def sid_octets(sid: str) -> str:
    """Return a SID as the octets of an assertion value, escaped one by one, as ``objectSid`` holds it.

    Form: MS-DTYP 2.4.2.2 (revision, count, authority of six octets, big-endian, then 32-bit numbers, little-endian).

    Raises:
        ValueError: the text is no SID, or one of its numbers does not fit.
    """
    if not _SID.fullmatch(sid):
        raise ValueError(f"{sid!r} is no SID")
    authority, *parts = map(int, sid.split("-")[2:])
    if authority >= 1 << 48 or any(part >= 1 << 32 for part in parts):
        raise ValueError(f"{sid!r} holds a number that does not fit into a SID")
    head = bytes((1, len(parts))) + authority.to_bytes(6, "big")
    octets = head + b"".join(part.to_bytes(4, "little") for part in parts)
    return "".join(f"\\{octet:02x}" for octet in octets)
