"""Values on their way out: Python's own and :class:`LabObject`, written as CLIXML.

Written here rather than left to psrpcore's serializer, because that one turns ``PT30S`` into ``PT3S``, a
large negative integer into an ``I32`` and leaves ``ToString`` unescaped; and because text is several times
faster than a tree, which counts when a directory answers with thousands of objects.

Format: MS-PSRP 2.2.5 (serialization); strings 2.2.5.3.2.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID
from xml.sax.saxutils import escape, quoteattr

from orchestrator.lab.command import LabObject

_ROOT = "System.Object"
_ARRAY_LIST = ("System.Collections.ArrayList", "System.Object")
_HASHTABLE = ("System.Collections.Hashtable", "System.Object")
_AD_ENTITY = "Microsoft.ActiveDirectory.Management.ADEntity"
_AD_VALUES = (
    "Microsoft.ActiveDirectory.Management.ADPropertyValueCollection",
    "System.Collections.CollectionBase",
    "System.Object",
)
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\U00010000-\U0010ffff]")
_ESCAPE_LIKE = re.compile("_(?=[xX])")


def text(value: str) -> str:
    """Return *value* with everything that XML cannot carry as ``_xHHHH_``, one per UTF-16 code unit."""
    return _UNSAFE.sub(_code_units, _ESCAPE_LIKE.sub("_x005F_", value))


def _code_units(match: re.Match[str]) -> str:
    raw = match.group().encode("utf-16-be", errors="surrogatepass")
    return "".join(f"_x{raw[at : at + 2].hex().upper()}_" for at in range(0, len(raw), 2))


def duration(value: timedelta) -> str:
    """Return *value* as an XML Schema duration without years and months, as .NET's XmlConvert writes it."""
    sign, rest = ("-", -value) if value < timedelta() else ("", value)
    hours, seconds = divmod(rest.seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    fraction = f".{rest.microseconds:06d}".rstrip("0") if rest.microseconds else ""
    days = f"{rest.days}D" if rest.days else ""
    clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    clock += f"{seconds}{fraction}S" if seconds or fraction or not (clock or days) else ""
    return f"{sign}P{days}{'T' + clock if clock else ''}"


def moment(value: datetime) -> str:
    """Return *value* as XML Schema dateTime; UTC as ``Z``.

    Raises:
        ValueError: the value has no zone, so nobody could say which moment it is.
    """
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone")
    shown = value.isoformat()
    return shown.removesuffix("+00:00") + "Z" if value.utcoffset() == UTC.utcoffset(None) else shown


def write(value: object) -> bytes:
    """Return *value* as one CLIXML element.

    Raises:
        TypeError: a value of a kind that :class:`LabObject` does not allow.
        ValueError: an integer beyond 64 bits, or a time without zone.
    """
    writer = _Writer()
    writer.value(value)
    return "".join(writer.parts).encode()


class _Writer:
    """One message: object and type-name references count from zero in each."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._objects = 0
        self._types: dict[tuple[str, ...], int] = {}

    def value(self, value: object, name: str | None = None, many: tuple[str, ...] = _ARRAY_LIST) -> None:
        label = "" if name is None else f" N={quoteattr(text(name))}"
        if value is None:
            self.parts.append(f"<Nil{label} />")
        elif isinstance(value, LabObject):
            self._object(value, label)
        elif isinstance(value, Mapping):
            self._hashtable(value, label)
        elif isinstance(value, list | tuple | set | frozenset):
            self._list(value, label, many)
        else:
            tag, content = _primitive(value)
            self.parts.append(f"<{tag}{label}>{content}</{tag}>")

    def _open(self, label: str, types: tuple[str, ...]) -> None:
        self.parts.append(f'<Obj{label} RefId="{self._objects}">')
        self._objects += 1
        if not types:
            return
        known = self._types.get(types)
        if known is not None:
            self.parts.append(f'<TNRef RefId="{known}" />')
            return
        number = self._types[types] = len(self._types)
        names = "".join(f"<T>{escape(text(each))}</T>" for each in types)
        self.parts.append(f'<TN RefId="{number}">{names}</TN>')

    def _object(self, value: LabObject, label: str) -> None:
        self._open(label, _rooted(value.types))
        if value.text is not None:
            self.parts.append(f"<ToString>{escape(text(value.text))}</ToString>")
        many = _AD_VALUES if _AD_ENTITY in value.types else _ARRAY_LIST
        for tag, extended in (("Props", False), ("MS", True)):
            chosen = {key: each for key, each in value.properties.items() if (key in value.extended) is extended}
            if chosen:
                self.parts.append(f"<{tag}>")
                for key, each in chosen.items():
                    self.value(each, key, many)
                self.parts.append(f"</{tag}>")
        self.parts.append("</Obj>")

    def _list(self, values: object, label: str, types: tuple[str, ...]) -> None:
        assert isinstance(values, list | tuple | set | frozenset)
        self._open(label, types)
        self.parts.append("<LST>")
        for each in values:
            self.value(each)
        self.parts.append("</LST></Obj>")

    def _hashtable(self, values: Mapping[object, object], label: str) -> None:
        self._open(label, _HASHTABLE)
        self.parts.append("<DCT>")
        for key, each in values.items():
            self.parts.append("<En>")
            self.value(key, "Key")
            self.value(each, "Value")
            self.parts.append("</En>")
        self.parts.append("</DCT></Obj>")


def _rooted(types: tuple[str, ...]) -> tuple[str, ...]:
    """Return *types* down to the root that every .NET object has; a message of the protocol itself has none."""
    return types if not types or types[-1] == _ROOT else (*types, _ROOT)


def _primitive(value: object) -> tuple[str, str]:
    match value:
        case bool():
            return "B", "true" if value else "false"
        case int():
            return _integer(value)
        case float():
            return "Db", repr(value).upper()
        case str():
            return "S", escape(text(value))
        case datetime():
            return "DT", moment(value)
        case timedelta():
            return "TS", duration(value)
        case UUID():
            return "G", str(value)
        case bytes():
            return "BA", base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no form on the wire")


def _integer(value: int) -> tuple[str, str]:
    for tag, low, high in (("I32", -(2**31), 2**31), ("I64", -(2**63), 2**63), ("U64", 0, 2**64)):
        if low <= value < high:
            return tag, str(value)
    raise ValueError(f"{value} does not fit 64 bits")
