"""The message that begins a pipeline (CREATE_PIPELINE, MS-PSRP 2.2.2.10), written straight from its commands.

pypsrp builds a tree of objects for it, copies the commands twice, builds a tree of elements of that, and writes it:
with half a dozen statements that takes longer than all the rest of a call. The text has few shapes, so it is written
here in one pass. It is the same document, element for element, numbers of references included; a test holds the two
against each other.

The first statement is written twice, as ``Cmds`` and as the first of ``ExtraCmds``: a host that knows of no further
statements (MS-PSRP 2.2.3.11 has none) runs that one, the others run all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID
from xml.sax.saxutils import escape

from orchestrator.model.call import Value
from orchestrator.remote.wording import Command

_ENUM = "System.Enum</T><T>System.ValueType</T><T>System.Object"
_HEAD = (
    '<Obj RefId="0"><MS><B N="NoInput">true</B>'
    '<Obj RefId="1" N="ApartmentState"><TN RefId="0">'
    f"<T>System.Management.Automation.Runspaces.ApartmentState</T><T>{_ENUM}</T></TN>"
    "<ToString>UNKNOWN</ToString><I32>2</I32></Obj>"
    '<Obj RefId="2" N="RemoteStreamOptions"><TN RefId="1">'
    f"<T>System.Management.Automation.Runspaces.RemoteStreamOptions</T><T>{_ENUM}</T></TN>"
    "<ToString/><I32>0</I32></Obj>"
    '<B N="AddToHistory">false</B>'
    '<Obj RefId="3" N="HostInfo"><MS><B N="_isHostNull">true</B><B N="_isHostUINull">true</B>'
    '<B N="_isHostRawUINull">true</B><B N="_useRunspaceHost">true</B></MS></Obj>'
    '<Obj RefId="4" N="PowerShell"><MS><B N="IsNested">false</B>'
)
_TAIL = '<Nil N="History"/><B N="RedirectShellErrorOutputPipe">false</B></MS></Obj><B N="IsNested">false</B></MS></Obj>'
_LIST = (
    "System.Collections.Generic.List`1[[System.Management.Automation.PSObject, System.Management.Automation, "
    "Version=1.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35]]</T><T>System.Object"
)
_MERGE = f"System.Management.Automation.Runspaces.PipelineResultTypes</T><T>{_ENUM}"
_ARRAY = "System.Object[]</T><T>System.Array</T><T>System.Object"
_TABLE = "System.Collections.Hashtable</T><T>System.Object"

_BEFORE_ARGUMENTS = ("MergeMyResult", "MergeToResult", "MergePreviousResults")
_SINCE_2_2 = ("MergeError", "MergeWarning", "MergeVerbose", "MergeDebug")
_SINCE_2_3 = ("MergeInformation",)
_ESCAPED = re.compile("_(?=[xX])|[\x00-\x1f\x7f-\x9f\U00010000-\U0010ffff]")


def create_pipeline(statements: Sequence[Sequence[Command]], protocol: str) -> bytes:
    """Return the message's document.

    Args:
        statements: what is to run one after the other; each is the commands of one pipeline.
        protocol: the version that the host speaks (MS-PSRP 2.2.2.1), as "2.3".
    """
    return _Writer(protocol).document(statements).encode("utf-8")


def text(value: str) -> str:
    """Return a string as it stands in CLIXML (MS-PSRP 2.2.5.3.2) and XML."""
    return escape(_ESCAPED.sub(_code_units, value))


def _code_units(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be").hex().upper()
    return "".join(f"_x{units[at : at + 4]}_" for at in range(0, len(units), 4))


class _Writer:
    """Writes one document: numbers its objects, and names each type once."""

    def __init__(self, protocol: str) -> None:
        self._objects, self._types = 4, {"ApartmentState": 0, "RemoteStreamOptions": 1}
        version = tuple(int(part) for part in protocol.split("."))
        self._merges = (_SINCE_2_2 if version >= (2, 2) else ()) + (_SINCE_2_3 if version >= (2, 3) else ())

    def document(self, statements: Sequence[Sequence[Command]]) -> str:
        extra = '<Nil N="ExtraCmds"/>'
        if len(statements) > 1:
            extra = (
                self._begin("ExtraCmds", _LIST) + "<LST>" + "".join(map(self._statement, statements)) + "</LST></Obj>"
            )
        return f"{_HEAD}{extra}{self._commands(statements[0])}{_TAIL}"

    def _statement(self, commands: Sequence[Command]) -> str:
        return f"{self._begin()}<MS>{self._commands(commands)}</MS></Obj>"

    def _commands(self, commands: Sequence[Command]) -> str:
        return f"{self._begin('Cmds', _LIST)}<LST>{''.join(map(self._command, commands))}</LST></Obj>"

    def _command(self, command: Command) -> str:
        begin = (
            f'{self._begin()}<MS><S N="Cmd">{text(command.name)}</S><B N="IsScript">false</B><Nil N="UseLocalScope"/>'
        )
        before = "".join(map(self._merge, _BEFORE_ARGUMENTS))
        arguments = f"{self._begin('Args', _LIST)}<LST>"
        for name, value in command.parameters.items():
            arguments += f'{self._begin()}<MS><S N="N">{text(name)}</S>{self._value(value, "V")}</MS></Obj>'
        for value in command.arguments:
            arguments += f'{self._begin()}<MS><Nil N="N"/>{self._value(value, "V")}</MS></Obj>'
        return f"{begin}{before}{arguments}</LST></Obj>{''.join(map(self._merge, self._merges))}</MS></Obj>"

    def _merge(self, name: str) -> str:
        return f"{self._begin(name, _MERGE)}<ToString>None</ToString><I32>0</I32></Obj>"

    def _begin(self, name: str = "", types: str = "") -> str:
        """Begin the next object, with its name in the one around it, and the names of its types."""
        self._objects += 1
        named = f' N="{name}"' if name else ""
        if not types:
            return f'<Obj RefId="{self._objects}"{named}>'
        if types in self._types:
            return f'<Obj RefId="{self._objects}"{named}><TNRef RefId="{self._types[types]}"/>'
        number = self._types[types] = len(self._types)
        return f'<Obj RefId="{self._objects}"{named}><TN RefId="{number}"><T>{types}</T></TN>'

    def _value(self, value: Value, name: str = "") -> str:
        named = f' N="{name}"' if name else ""
        match value:
            case None:
                return f"<Nil{named}/>"
            case str():
                return f"<S{named}>{text(value)}</S>"
            case tuple():
                return f"{self._begin(name, _ARRAY)}<LST>{''.join(map(self._value, value))}</LST></Obj>"
            case Mapping():
                pairs = (f"<En>{self._value(key, 'Key')}{self._value(one, 'Value')}</En>" for key, one in value.items())
                return f"{self._begin(name, _TABLE)}<DCT>{''.join(pairs)}</DCT></Obj>"
        tag, shown = primitive(value)
        return f"<{tag}{named}>{shown}</{tag}>"


def primitive(value: bool | float | UUID | datetime | timedelta) -> tuple[str, str]:
    """Return the element and the text of a value that is neither text nor made of others (MS-PSRP 2.2.5.1)."""
    match value:
        case bool():
            return "B", "true" if value else "false"
        case int():
            return ("I32" if -(2**31) <= value < 2**31 else "I64"), str(value)
        case float():
            return "Sg", str(value)
        case UUID():
            return "G", str(value)
        case datetime():
            return "DT", value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case timedelta():
            return "TS", f"PT{value.total_seconds():f}S"
