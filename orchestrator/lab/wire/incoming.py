"""Values on their way in: what psrpcore read from a request, as Python's own, and the statements it makes up.

Nothing of psrpcore passes this room, so that the estate can compare and record what it is asked with plain
values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psrpcore import GetMetadata, PowerShell
from psrpcore.types import PSChar, PSObject, PSQueueBase, PSScriptBlock, PSSecureString, PSVersion

from orchestrator.lab.command import Command, LabObject


class ScriptText(str):
    """A script block: text that would be run here. It marks the command that carries it as a script."""

    __slots__ = ()


def value(raw: Any) -> object:
    """Return *raw*, as psrpcore read it, in Python's own types; an object of any other class as LabObject."""
    match raw:
        case None | bool() | bytes():
            return bytes(raw) if isinstance(raw, bytes) else raw
        case PSScriptBlock():
            return ScriptText(raw)
        case PSSecureString():
            return str(raw.decrypt())
        case dict():
            return {str(value(key)): value(each) for key, each in raw.items()}
        case list():
            return [value(each) for each in raw]
        case PSQueueBase():
            return [value(raw.get()) for _ in range(raw.qsize())]
    return _scalar(raw)


def _scalar(raw: Any) -> object:
    if isinstance(raw, PSObject) and "System.Enum" in raw.PSTypeNames:
        return str(raw.PSObject.to_string)  # the name is what PowerShell's binder would match on
    for kind, plain in _PLAIN:
        if isinstance(raw, kind):
            return plain(raw)
    return _object(raw)


def _moment(raw: datetime) -> datetime:
    """Return the same moment; one without zone (a DateTime of unspecified kind) is read as UTC."""
    plain = datetime(raw.year, raw.month, raw.day, raw.hour, raw.minute, raw.second, raw.microsecond, raw.tzinfo)
    return plain.replace(tzinfo=UTC) if plain.tzinfo is None else plain


_PLAIN: tuple[tuple[Any, Callable[[Any], object]], ...] = (
    (PSChar, lambda raw: chr(int(raw))),
    (int, int),
    ((float, Decimal), float),
    ((str, PSVersion), str),
    (datetime, _moment),
    (timedelta, lambda raw: timedelta(raw.days, raw.seconds, raw.microseconds)),
    (UUID, lambda raw: UUID(int=raw.int)),
)
"""What each class of psrpcore's primitives becomes; the first that fits counts."""


def _object(raw: PSObject) -> object:
    meta = raw.PSObject
    extended = {each.name: value(each.get_value(raw)) for each in meta.extended_properties}
    adapted = {each.name: value(each.get_value(raw)) for each in meta.adapted_properties}
    return LabObject(tuple(meta.type_names), adapted | extended, meta.to_string, frozenset(extended))


@dataclass(frozen=True)
class Asked:
    """One command as it was sent: its text, and its parameters in order, those without name among them."""

    text: str
    parameters: tuple[tuple[str | None, object], ...]
    is_script: bool = False
    ends_statement: bool = False


@dataclass(frozen=True)
class Begun:
    """A pipeline as its first message says it: its commands, and whether it takes no input."""

    no_input: bool
    commands: tuple[Asked, ...]


def begun(pipeline: PowerShell | GetMetadata) -> Begun:
    """Return *pipeline*, as psrpcore read it.

    A request for command metadata is the ``Get-Command`` that Windows makes of it (MS-PSRP 3.2.5.4.2).
    """
    if isinstance(pipeline, GetMetadata):
        return Begun(True, (Asked("Get-Command", (("Name", value(pipeline.name)),)),))
    return Begun(bool(pipeline.no_input), tuple(map(_asked, pipeline.commands)))


def _asked(raw: Any) -> Asked:
    parameters = tuple((None if name is None else str(name), value(given)) for name, given in raw.parameters)
    return Asked(str(raw.command_text), parameters, bool(raw.is_script), bool(raw.end_of_statement))


def statements(commands: Iterable[Asked], fed: Sequence[object] = ()) -> tuple[tuple[Command, ...], ...]:
    """Return the statements that *commands* make up, each a tuple of commands joined by pipes.

    Objects *fed* to the pipeline appear as the parameter ``InputObject`` of its first command.
    """
    found: list[tuple[Command, ...]] = []
    joined: list[Command] = []
    for each in commands:
        extra = {"InputObject": list(fed)} if fed and not found and not joined else {}
        joined.append(_command(each, extra))
        if each.ends_statement:
            found.append(tuple(joined))
            joined = []
    return (*found, tuple(joined)) if joined else tuple(found)


def _command(asked: Asked, extra: Mapping[str, object]) -> Command:
    bound: dict[str, object] = {}
    for position, (name, given) in enumerate(asked.parameters):
        key = str(position) if name is None else name.removeprefix("-").removesuffix(":")
        # PowerShell refuses a parameter given twice; under a name that no cmdlet has, so will every engine.
        bound[key if key not in bound else f"{key} ({position})"] = given
    bound.update(extra)
    is_script = asked.is_script or any(_holds_script(each) for each in bound.values())
    return Command(asked.text, bound, is_script)


def _holds_script(given: object) -> bool:
    match given:
        case ScriptText():
            return True
        case Mapping():
            return any(_holds_script(each) for each in given.values())
        case list():
            return any(_holds_script(each) for each in given)
        case LabObject():
            return _holds_script(dict(given.properties))
    return False
