"""Reading CLIXML, the serialisation of objects in PowerShell Remoting (MS-PSRP 2.2.5).

pypsrp deserialises too, but loses what is inside a list of an unknown type (it hands on raw ``<LST>`` text,
whose references point outside of it). So complex objects are read from their own XML, once, here: whatever
shape an attribute arrives in (a list inside an object, a list, a single value, nothing), it becomes a value.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from orchestrator.model.call import Value

_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_ZONE = re.compile(r"(Z|[+-]\d\d:\d\d)$")
_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_LISTS = frozenset({"LST", "IE", "QUE", "STK"})


def text(raw: str | None) -> str:
    """Undo the escapes of MS-PSRP 2.2.5.3.2 (``_x000A_``; characters beyond the BMP as two of them)."""
    if not raw or "_x" not in raw:
        return raw or ""
    decoded = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), raw)
    return decoded.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def moment(raw: str) -> Value:
    """Return a time in UTC. One that came without a zone stays text: whose time it is, nobody can say."""
    if not _ZONE.search(raw):
        return raw
    try:
        return datetime.fromisoformat(raw).astimezone(UTC)
    except (ValueError, OverflowError):
        return raw


def duration(raw: str) -> Value:
    """Return a time span; text if it is longer than a timedelta can be."""
    match = _DURATION.fullmatch(raw)
    if match is None:
        return raw
    parts = {name: float(part) for name, part in match.groupdict().items() if part and name != "sign"}
    try:
        return timedelta(**parts) * (-1 if match["sign"] else 1)
    except OverflowError:
        return raw


_PRIMITIVES: Mapping[str, Callable[[str], Value]] = {
    "S": text,
    "ToString": text,
    "C": lambda raw: chr(int(raw)),
    "B": lambda raw: raw == "true",
    "DT": moment,
    "TS": duration,
    "G": UUID,
    "Nil": lambda _: None,
    **dict.fromkeys(("By", "SB", "U16", "I16", "U32", "I32", "U64", "I64"), int),
    **dict.fromkeys(("Sg", "Db"), float),
    # Decimals, versions, byte arrays (Base64), addresses and documents stay the text they came as.
    **dict.fromkeys(("D", "Version", "BA", "URI", "XD", "SBK", "SS"), text),
}


@dataclass(frozen=True)
class Node:
    """One complex object: type names, text form, properties, and the bare value it wraps, if any."""

    types: tuple[str, ...]
    text: str | None
    bare: Value
    has_bare: bool
    properties: Mapping[str, Value]

    @property
    def type(self) -> str:
        """The most derived type name, without the mark of deserialisation."""
        return self.types[0].removeprefix("Deserialized.") if self.types else ""

    @property
    def is_enum(self) -> bool:
        """Whether it is an enumeration's value: a number whose text is meant."""
        return any(name.removeprefix("Deserialized.") == "System.Enum" for name in self.types)

    @property
    def telling(self) -> str | None:
        """The text form, unless it only repeats the type."""
        names = {name.removeprefix("Deserialized.") for name in self.types}
        names |= {re.split(r"[./]", name)[-1] for name in names}
        plain = (self.text or "").removeprefix("Deserialized.")
        return None if not plain or plain in names else self.text


@dataclass
class Reader:
    """Reads the objects of one message; type names and objects may refer back to earlier ones in it."""

    _types: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _values: dict[str, Value] = field(default_factory=dict)

    def node(self, element: ET.Element) -> Node:
        """Read an ``<Obj>`` with everything in it."""
        names: tuple[str, ...] = ()
        shown, bare, has_bare = None, None, False
        adapted: dict[str, Value] = {}
        extended: dict[str, Value] = {}
        for child in element:
            match child.tag:
                case "Props":
                    adapted = self._properties(child)
                case "MS":
                    extended = self._properties(child)
                case "ToString":
                    shown = text(child.text)
                case "TN" | "TNRef":
                    names = self._type_names(child)
                case _:
                    bare, has_bare = self.value(child), True
        return Node(names, shown, bare, has_bare, {**adapted, **extended})  # as extended ones shadow in PowerShell

    def _properties(self, element: ET.Element) -> dict[str, Value]:
        return {text(child.get("N")): self.value(child) for child in element}

    def value(self, element: ET.Element) -> Value:
        """Read any element as a value; an object becomes its bare value, its text, or its properties."""
        if element.tag in _PRIMITIVES:
            return _PRIMITIVES[element.tag](element.text or "")
        if element.tag == "Ref":
            return self._values[element.attrib["RefId"]]
        if element.tag in _LISTS or element.tag == "DCT":
            return self._collection(element)
        if element.tag != "Obj":
            raise ValueError(f"CLIXML has no element {element.tag}")
        reference = element.get("RefId", "")
        shown = element.find("ToString")
        # An object that refers to itself (a parent) is that reference's text.
        self._values[reference] = text(shown.text) if shown is not None else ""
        value = _flat(self.node(element))
        self._values[reference] = value
        return value

    def _type_names(self, element: ET.Element) -> tuple[str, ...]:
        if element.tag == "TNRef":
            return self._types[element.attrib["RefId"]]
        names = self._types[element.get("RefId", "")] = tuple(child.text or "" for child in element)
        return names

    def _collection(self, element: ET.Element) -> Value:
        if element.tag == "DCT":
            pairs = {}
            for entry in element.findall("En"):
                key, value = (entry.find(f"*[@N='{name}']") for name in ("Key", "Value"))
                assert key is not None
                assert value is not None
                pairs[str(self.value(key))] = self.value(value)
            return pairs
        return tuple(self.value(child) for child in element)


def _flat(node: Node) -> Value:
    if node.is_enum and node.text:
        return node.text
    if node.has_bare:
        return node.bare
    if node.telling is not None:
        return node.telling
    return node.properties or node.text
