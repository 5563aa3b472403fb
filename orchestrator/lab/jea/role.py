"""A role capability and a session configuration, read and judged as strictly as the lab can follow them.

Sources: Microsoft Learn, New-PSRoleCapabilityFile, New-PSSessionConfigurationFile, JEA role capabilities, JEA session
configurations. A key that the lab does not follow is refused and not passed over, for what it does would be missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.lab.jea.datafile import DataFileInvalid, ScriptBlock, Table, Value, parse
from orchestrator.lab.jea.function import Function
from orchestrator.lab.jea.validation import Validation

_SAYS_ONLY = frozenset({"guid", "author", "companyname", "copyright", "description"})
_ROLE_KEYS = frozenset(
    {"modulestoimport", "visibleproviders", "visiblecmdlets", "visiblefunctions", "functiondefinitions"}
)
_SESSION_KEYS = frozenset(
    {"schemaversion", "sessiontype", "runasvirtualaccount", "groupmanagedserviceaccount", "roledefinitions"}
    | {"transcriptdirectory"}
)
_RESTRICTED = "restrictedremoteserver"


@dataclass(frozen=True)
class Visible:
    """A command that a role shows. Without ``parameters`` it takes all that it has."""

    name: str
    parameters: Mapping[str, Validation] | None = None


@dataclass(frozen=True)
class Role:
    """What a role capability file shows, by folded names."""

    modules: frozenset[str] = frozenset()
    cmdlets: Mapping[str, Visible] = field(default_factory=dict)
    functions: Mapping[str, Visible] = field(default_factory=dict)
    defined: Mapping[str, Function] = field(default_factory=dict)
    sees_registry: bool = False


@dataclass(frozen=True)
class Session:
    """What a session configuration says: who may come, with which role, and as whom commands run."""

    runners: str
    role: str
    virtual_account: bool = False
    managed_account: str | None = None


def read_role(text: str, file: str) -> Role:
    """Read a role capability.

    Raises:
        DataFileInvalid: it is none, or says what the lab does not follow.
    """
    table = parse(text, file)
    _known(table, _ROLE_KEYS, file)
    providers = {name.lower() for name in _texts(table.get("VisibleProviders"), table, file, "VisibleProviders")}
    if providers - {"registry"}:
        raise DataFileInvalid(file, table.line, "the lab has no provider but Registry")
    return Role(
        frozenset(name.lower() for name in _texts(table.get("ModulesToImport"), table, file, "ModulesToImport")),
        {each.name.lower(): each for each in _visible(table, "VisibleCmdlets", file)},
        {each.name.lower(): each for each in _visible(table, "VisibleFunctions", file)},
        {each.name.lower(): each for each in _defined(table, file)},
        "registry" in providers,
    )


def read_session(text: str, file: str) -> Session:
    """Read a session configuration.

    Raises:
        DataFileInvalid: it is none, or would not make a JEA endpoint that the lab can be.
    """
    table = parse(text, file)
    _known(table, _SESSION_KEYS, file)
    if table.get("SchemaVersion") is None:
        raise DataFileInvalid(file, table.line, "SchemaVersion is missing, and no such file can be registered")
    kind = table.get("SessionType")
    if not isinstance(kind, str) or kind.lower() != _RESTRICTED:
        why = "SessionType must be RestrictedRemoteServer: any other would show every command"
        raise DataFileInvalid(file, table.line, why)
    managed = table.get("GroupManagedServiceAccount")
    virtual = table.get("RunAsVirtualAccount") is True
    if managed is not None and (virtual or not isinstance(managed, str)):
        raise DataFileInvalid(file, table.line, "a session runs as a virtual account or as one gMSA")
    runners, role = _definition(table.get("RoleDefinitions"), table, file)
    return Session(runners, role, virtual, str(managed) if managed is not None else None)


def read_manifest(text: str, file: str) -> None:
    """See that a module's manifest is one; a folder without is no module (about_Module_Manifests, ModuleVersion).

    Raises:
        DataFileInvalid: it is none.
    """
    table = parse(text, file)
    if not isinstance(table.get("ModuleVersion"), str):
        raise DataFileInvalid(file, table.line, "ModuleVersion is missing, so this is no module")


def _known(table: Table, keys: frozenset[str], file: str) -> None:
    for key, value in table.entries.items():
        if key not in keys | _SAYS_ONLY:
            line = value.line if isinstance(value, Table | ScriptBlock) else table.line
            raise DataFileInvalid(file, line, f"the lab does not follow {table.names[key]}")


def _definition(definitions: Value, table: Table, file: str) -> tuple[str, str]:
    """Return the one account or group that has a role, and the one role; the lab merges none."""
    if isinstance(definitions, Table) and len(definitions.entries) == 1:
        ((key, definition),) = definitions.entries.items()
        if isinstance(definition, Table) and set(definition.entries) == {"rolecapabilities"}:
            role = definition.get("RoleCapabilities")
            if isinstance(role, str):
                return definitions.names[key], role
    raise DataFileInvalid(file, table.line, "RoleDefinitions must give one account or group one role capability")


def _items(value: Value) -> list[Value]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _texts(value: Value, table: Table, file: str, key: str) -> Iterator[str]:
    for item in _items(value):
        if not isinstance(item, str) or not item or "*" in item:
            raise DataFileInvalid(file, table.line, f"{key} lists names, without wildcards")
        yield item


def _visible(table: Table, key: str, file: str) -> Iterator[Visible]:
    for item in _items(table.get(key)):
        line = item.line if isinstance(item, Table) else table.line
        if isinstance(item, str):
            name, parameters = item, None
        elif isinstance(item, Table) and set(item.entries) == {"name", "parameters"}:
            name, parameters = str(item.get("Name")), _parameters(item, file)
        else:
            raise DataFileInvalid(file, line, f"{key} lists names, and tables of Name and Parameters")
        if not name or "*" in name or "\\" in name:
            raise DataFileInvalid(file, line, f"{key}: {name} is not the plain name of one command")
        yield Visible(name, parameters)


def _parameters(entry: Table, file: str) -> dict[str, Validation]:
    found: dict[str, Validation] = {}
    for item in _items(entry.get("Parameters")):
        if not isinstance(item, Table) or not isinstance(item.get("Name"), str):
            raise DataFileInvalid(file, entry.line, "Parameters lists tables, each with a Name")
        extra = set(item.entries) - {"name", "validateset", "validatepattern"}
        if extra or str(item.get("Name")).lower() in found:
            raise DataFileInvalid(file, item.line, f"{item.get('Name')}: once, with ValidateSet or ValidatePattern")
        found[str(item.get("Name")).lower()] = _validation(item, file)
    if not found:
        raise DataFileInvalid(file, entry.line, f"{entry.get('Name')}: Parameters is empty")
    if any(each.choices for each in found.values()) and any(each.pattern for each in found.values()):
        why = f"{entry.get('Name')}: a command takes sets or patterns; with both, patterns override sets"
        raise DataFileInvalid(file, entry.line, why)
    return found


def _validation(item: Table, file: str) -> Validation:
    choices, pattern = item.get("ValidateSet"), item.get("ValidatePattern")
    if choices is not None and pattern is not None:
        raise DataFileInvalid(file, item.line, f"{item.get('Name')}: ValidateSet or ValidatePattern, not both")
    if pattern is not None:
        if not isinstance(pattern, str):
            raise DataFileInvalid(file, item.line, "ValidatePattern is one expression")
        return Validation.matching(f"^({pattern})$", file, item.line)
    return Validation(tuple(str(choice) for choice in _items(choices)))


def _defined(table: Table, file: str) -> Iterator[Function]:
    for item in _items(table.get("FunctionDefinitions")):
        body = item.get("ScriptBlock") if isinstance(item, Table) else None
        if not isinstance(item, Table) or set(item.entries) != {"name", "scriptblock"}:
            raise DataFileInvalid(file, table.line, "FunctionDefinitions lists tables of Name and ScriptBlock")
        if not isinstance(body, ScriptBlock) or not isinstance(item.get("Name"), str):
            raise DataFileInvalid(file, item.line, "a function has a Name, and a ScriptBlock between braces")
        yield Function.define(str(item.get("Name")), body, file)
