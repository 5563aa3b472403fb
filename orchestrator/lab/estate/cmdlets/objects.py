"""Cmdlets that work on what flows through the pipeline."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.lab.command import LabObject
from orchestrator.lab.estate import refusals
from orchestrator.lab.estate.cmdlets.table import Invocation, cmdlet


@cmdlet("Select-Object", "Property:texts ExpandProperty:text First:number", where="pipeline")
def select_object(call: Invocation) -> Iterator[object]:
    """Keep the named properties, or replace each object by one property's value."""
    first = call.number("First", len(call.input))
    for item in call.input[:first]:
        if call.given("ExpandProperty"):
            yield from _expanded(call, item)
        elif isinstance(item, LabObject) and call.given("Property"):
            yield _selected(item, call.texts("Property"))
        else:
            yield item


def _found(item: object, name: str) -> tuple[str, object] | None:
    if not isinstance(item, LabObject):
        return None
    return next((pair for pair in item.properties.items() if pair[0].lower() == name.lower()), None)


def _expanded(call: Invocation, item: object) -> Iterator[object]:
    name = call.text("ExpandProperty")
    found = _found(item, name)
    if found is None:
        exception = "System.Management.Automation.PSArgumentException"
        message = f'Property "{name}" cannot be found.'
        call.error(refusals.record(call.name, "ExpandPropertyNotFound", "InvalidArgument", exception, message, name))
    elif isinstance(found[1], list | tuple):
        yield from found[1]
    elif found[1] is not None:
        yield found[1]


def _selected(item: LabObject, names: tuple[str, ...]) -> LabObject:
    kept: dict[str, object] = {}
    for name in names:
        found = _found(item, name)
        kept[found[0] if found else name] = found[1] if found else None
    types = (f"Selected.{item.types[0]}", "System.Management.Automation.PSCustomObject", "System.Object")
    return LabObject(types, kept, None, frozenset(kept))
