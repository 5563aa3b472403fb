"""The message that begins a pipeline (CREATE_PIPELINE, MS-PSRP 2.2.2.10), read straight where it has one reading.

psrpcore makes an object with its type, its text and its properties of every element, several hundred of them in one
message, and the lab asks for a handful: that was seven tenths of all that a lab does. What is written in the common
shapes is read here in one pass. Anything else, be it a value of a class of its own, a reference, a name that is not
known, or a mistake, is left to psrpcore, which accepts it or refuses it: so there is one reading of each message, and
``tests/lab/wire/test_begun.py`` holds the two together, over broken messages as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID
from xml.etree import ElementTree as ET

from orchestrator.lab.wire.incoming import Asked, Begun

_PIPELINE = frozenset(
    {"NoInput", "ApartmentState", "RemoteStreamOptions", "AddToHistory", "HostInfo", "PowerShell", "IsNested"}
)
_POWERSHELL = frozenset({"IsNested", "Cmds", "History", "RedirectShellErrorOutputPipe"})
_COMMAND = frozenset(
    {"Cmd", "IsScript", "UseLocalScope", "MergeMyResult", "MergeToResult", "MergePreviousResults", "Args"}
)
_HOST_INFO = frozenset({"_isHostNull", "_isHostUINull", "_isHostRawUINull", "_useRunspaceHost"})
_PARAMETER = frozenset({"N", "V"})
_MERGES_SINCE = frozenset({"MergeError", "MergeWarning", "MergeVerbose", "MergeDebug", "MergeInformation"})
_RUNSPACES = "System.Management.Automation.Runspaces."
_OBJECT = "System.Object"
_ENUM = ("System.Enum", "System.ValueType", _OBJECT)
_LIST = (
    "System.Collections.Generic.List`1[[System.Management.Automation.PSObject, System.Management.Automation, "
    "Version=1.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35]]"
)
_LISTS = frozenset(
    {(_LIST, _OBJECT), ("System.Object[]", "System.Array", _OBJECT), ("System.Collections.ArrayList", _OBJECT)}
)
_TABLE = ("System.Collections.Hashtable", _OBJECT)
_ESCAPED = re.compile("_x([0-9a-fA-F]{4})_")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_SECONDS = re.compile(r"PT([0-9]{1,9})\.([0-9]{6})S")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WHOLE = re.compile(r"-?[0-9]{1,19}")


class _NotHere(Exception):
    """What was found has no place among the common shapes."""


def read(message: bytes) -> Begun | None:
    """Return what a message begins, or None where psrpcore has to say what it is, or what is wrong with it."""
    try:
        root = ET.fromstring(message)  # noqa: S314 - psrpcore gives the same bytes to the same parser
        return _Reader(root).pipeline(root)
    except (_NotHere, ET.ParseError, KeyError, ValueError, RecursionError):
        return None


class _Reader:
    """Reads one document, whose types are named once and then by number."""

    def __init__(self, root: ET.Element) -> None:
        self._types = dict(_types(root))

    def pipeline(self, root: ET.Element) -> Begun:
        found = self._members(root, _PIPELINE)
        self._number(found["ApartmentState"], "ApartmentState", 2)
        self._number(found["RemoteStreamOptions"], "RemoteStreamOptions", 15)
        for flag in (found["AddToHistory"], found["IsNested"], *self._members(found["HostInfo"], _HOST_INFO).values()):
            _flag(flag)
        powershell = self._members(found["PowerShell"], _POWERSHELL, frozenset({"ExtraCmds"}))
        _flag(powershell["IsNested"])
        _flag(powershell["RedirectShellErrorOutputPipe"])
        _need(powershell["History"].tag == "Nil")
        first = self._commands(powershell["Cmds"])
        extra = powershell.get("ExtraCmds")
        if extra is None or extra.tag == "Nil":
            return Begun(_flag(found["NoInput"]), first)
        commands = tuple(command for each in self._list(extra) for command in self._statement(each))
        _need(bool(commands))
        return Begun(_flag(found["NoInput"]), commands)

    def _statement(self, element: ET.Element) -> tuple[Asked, ...]:
        return self._commands(self._members(element, frozenset({"Cmds"}))["Cmds"])

    def _commands(self, element: ET.Element) -> tuple[Asked, ...]:
        """Return the commands of one statement."""
        each = self._list(element)
        _need(len(each) > 0)
        last = len(each) - 1
        return tuple(self._command(one, ends_statement=number == last) for number, one in enumerate(each))

    def _command(self, element: ET.Element, *, ends_statement: bool) -> Asked:
        found = self._members(element, _COMMAND, _MERGES_SINCE)
        for name, member in found.items():
            if name.startswith("Merge"):
                self._number(member, "PipelineResultTypes", 3)
        scope = found["UseLocalScope"]
        _need(scope.tag == "Nil" or _flag(scope) in {True, False})
        parameters = tuple(map(self._parameter, self._list(found["Args"])))
        return Asked(_string(found["Cmd"]), parameters, _flag(found["IsScript"]), ends_statement)

    def _parameter(self, element: ET.Element) -> tuple[str | None, object]:
        found = self._members(element, _PARAMETER)
        name = found["N"]
        return None if name.tag == "Nil" else _string(name), self._value(found["V"])

    def _members(
        self, element: ET.Element, needed: frozenset[str], possible: frozenset[str] = frozenset()
    ) -> dict[str, ET.Element]:
        """Return the extended properties of an object that has no type and nothing else."""
        _need(element.tag == "Obj" and len(element) == 1 and element[0].tag == "MS")
        found = {each.get("N", ""): each for each in element[0]}
        _need(len(found) == len(element[0]) and needed <= found.keys() <= needed | possible)
        return found

    def _number(self, element: ET.Element, kind: str, greatest: int) -> None:
        """See that it is a value of an enumeration of the engine's, from 0 to the *greatest*."""
        _need(element.tag == "Obj" and len(element) == 3 and self._type(element[0]) == (_RUNSPACES + kind, *_ENUM))
        _need(element[1].tag == "ToString" and element[2].tag == "I32" and not len(element[2]))
        _need(0 <= _integer(element[2].text or "") <= greatest)

    def _list(self, element: ET.Element) -> ET.Element:
        _need(element.tag == "Obj" and len(element) == 2 and element[1].tag == "LST")
        _need(self._type(element[0]) in _LISTS)
        return element[1]

    def _type(self, element: ET.Element) -> tuple[str, ...]:
        _need(element.tag in {"TN", "TNRef"})
        return self._types[element.attrib["RefId"]]

    def _value(self, element: ET.Element) -> object:
        if element.tag != "Obj":
            _need(not len(element) and element.tag in _PLAIN)
            return _PLAIN[element.tag](element.text or "")
        _need(len(element) == 2)
        if element[1].tag == "LST":
            return [self._value(each) for each in self._list(element)]
        _need(element[1].tag == "DCT" and self._type(element[0]) == _TABLE)
        return dict(map(self._pair, element[1]))

    def _pair(self, element: ET.Element) -> tuple[str, object]:
        _need(element.tag == "En" and [each.get("N") for each in element] == ["Key", "Value"])
        return _string(element[0]), self._value(element[1])


def _need(fits: bool) -> None:
    """Leave the message to psrpcore unless it *fits*."""
    if not fits:
        raise _NotHere


def _types(root: ET.Element) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the number and the names of each type of a document; each must come before it is referred to."""
    known = set()
    for element in root.iter():
        if element.tag == "TN":
            number = element.attrib["RefId"]
            _need(number not in known and len(element) > 0 and all(each.tag == "T" for each in element))
            known.add(number)
            yield number, tuple(each.text or "" for each in element)
        elif element.tag == "TNRef":
            _need(element.attrib["RefId"] in known)


def _string(element: ET.Element) -> str:
    _need(element.tag == "S" and not len(element))
    return _text(element.text or "")


def _flag(element: ET.Element) -> bool:
    _need(element.tag == "B" and not len(element))
    return _truth(element.text or "")


def _text(shown: str) -> str:
    """Return what a string is without escapes (MS-PSRP 2.2.5.3.2), which stand for units of UTF-16."""
    if "_x" not in shown:
        return shown
    units = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), shown)
    return units.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "surrogatepass")


def _truth(shown: str) -> bool:
    _need(shown in {"true", "false"})
    return shown == "true"


def _integer(shown: str, bits: int = 32) -> int:
    _need(_WHOLE.fullmatch(shown) is not None)
    number = int(shown)
    _need(-(2 ** (bits - 1)) <= number < 2 ** (bits - 1))
    return number


def _long(shown: str) -> int:
    return _integer(shown, 64)


def _guid(shown: str) -> UUID:
    _need(_GUID.fullmatch(shown) is not None)
    return UUID(shown)


def _moment(shown: str) -> datetime:
    _need(_MOMENT.fullmatch(shown) is not None)
    return datetime.fromisoformat(shown).replace(tzinfo=UTC)


def _duration(shown: str) -> timedelta:
    found = _SECONDS.fullmatch(shown)
    _need(found is not None)
    assert found is not None
    return timedelta(seconds=int(found[1]), microseconds=int(found[2]))


def _nothing(shown: str) -> None:
    _need(not shown)


_PLAIN: dict[str, Callable[[str], object]] = {
    "S": _text,
    "Nil": _nothing,
    "B": _truth,
    "I32": _integer,
    "I64": _long,
    "G": _guid,
    "DT": _moment,
    "TS": _duration,
}
