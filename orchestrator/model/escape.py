"""Text that becomes part of a filter: LDAP, WQL and event-log XPath.

A filter is the one place where a name from a plan is embedded in a language that the far side parses, so
every filter is built with these functions and nothing else. What cannot be said safely is refused here, with
the value named, instead of being sent and misread.
"""

from __future__ import annotations

from uuid import UUID

_LDAP_SPECIAL = frozenset("*()\\\0")


def ldap(value: str) -> str:
    """Return *value* as an assertion value of an LDAP filter: it matches itself, never more.

    The five characters of RFC 4515, section 3 (``*``, parentheses, backslash, NUL) and every control
    character are escaped; the result holds no character that ends or widens a filter.
    """
    return "".join(
        f"\\{ord(character):02x}" if character in _LDAP_SPECIAL or ord(character) < 0x20 else character
        for character in value
    )


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
    return "".join(f"\\{character}" if character in "\\'\"" else character for character in value)


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


def _refuse_control(value: str, language: str) -> None:
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        raise ValueError(f"{value!r} holds a control character and cannot be written in {language}")
