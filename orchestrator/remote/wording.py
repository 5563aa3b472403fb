"""How a statement of the catalogue is worded on an endpoint.

Nearly every statement is its cmdlet and parameters, everywhere. Two are worded differently on a JEA endpoint,
where the role capability offers a function instead: an external program's arguments cannot be constrained,
and ``Select-Object`` is not what a restricted session offers (Microsoft Learn, JEA role capabilities).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.model.call import Cmdlet, Value
from orchestrator.model.observation import Record
from orchestrator.remote.catalogue import CATALOGUE

PLAIN_CONFIGURATION = "Microsoft.PowerShell"
"""The endpoint that every Windows has; any other configuration is taken to be a JEA endpoint."""

DESCRIPTOR = "System.DirectoryServices.ActiveDirectorySecurity"


@dataclass(frozen=True)
class Command:
    """One element of a pipeline: a name, named parameters, and bare arguments (of an external program)."""

    name: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    arguments: tuple[Value, ...] = ()


def worded(statement: Cmdlet, configuration: str) -> tuple[Command, ...]:
    """Return the pipeline that says *statement* on an endpoint with this session configuration."""
    row = CATALOGUE[statement.name]
    if row.role_function and configuration != PLAIN_CONFIGURATION:
        named = {name: value for name, value in statement.parameters.items() if name != "arguments"}
        return (Command(row.role_function, named),)
    if statement.name == "wevtutil":
        arguments = statement.parameters["arguments"]
        assert isinstance(arguments, tuple)
        return (Command("wevtutil", arguments=arguments),)
    if statement.name == "Get-DmsaDescriptor":
        return _descriptor(statement)
    return (Command(statement.name, statement.parameters),)


def in_role_file(command: str) -> str:
    """Return how a role file begins the entry of a command, and under which key it stands."""
    if any(command == row.role_function for row in CATALOGUE.values()):
        return f"'{command}' under VisibleFunctions"
    key = "VisibleFunctions" if "ScheduledTask" in command else "VisibleCmdlets"
    return f"Name = '{command}' under {key}"


def _descriptor(statement: Cmdlet) -> tuple[Command, ...]:
    """Read one security descriptor as a top-level object; nested, it does not survive serialisation."""
    rest = {name: value for name, value in statement.parameters.items() if name != "Attribute"}
    attribute = statement.parameters["Attribute"]
    return (
        Command("Get-ADObject", {**rest, "Properties": (attribute,)}),
        Command("Select-Object", {"ExpandProperty": attribute}),
    )


def understood(record: Record, statements: tuple[Cmdlet, ...]) -> Record:
    """Return a record as it would have come from a plain endpoint.

    The role function for descriptors returns their SDDL as a string; where a read asked for descriptors, such a string
    is given the type and property it has elsewhere.
    """
    asked = {statement.name for statement in statements}
    text = record.properties.get("")
    if "Get-DmsaDescriptor" in asked and isinstance(text, str) and (len(asked) == 1 or text.startswith("O:")):
        return Record(DESCRIPTOR, {"Sddl": text})
    return record
