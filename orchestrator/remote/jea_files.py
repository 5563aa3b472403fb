"""The files of a JEA endpoint: session configuration (.pssc), module with its role capability (.psrc).

They are PowerShell data files. One line says one thing, so that a person can read what an endpoint shows and see in a
comparison what changed. A role is found in the ``RoleCapabilities`` folder of a module, which needs a manifest
(Microsoft Learn, JEA role capabilities, "Make the role capabilities available to a configuration").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.remote.host_cmdlets import EVENT_LOGS
from orchestrator.remote.jea import Role, Shown
from orchestrator.remote.jea_limits import Limit
from orchestrator.remote.rows import Effect


@dataclass(frozen=True)
class Identity:
    """Who may connect (an account or a group), and as whom commands run: a gMSA; None for a virtual account."""

    runners: str
    run_as: str | None


def files_of(role: Role, identity: Identity, plan: str) -> dict[str, str]:
    """Return the files of one endpoint: relative path and text."""
    name = role.name
    return {
        f"{name}.pssc": _text(_session(role, identity), f"Who may use the endpoint {name}, and as whom it works", plan),
        f"{name}/{name}.psd1": _text(("ModuleVersion = '1.0.0'",), f"The module that holds the role {name}", plan),
        f"{name}/RoleCapabilities/{name}.psrc": _text(_capability(role), f"What {name} shows: {role.part.value}", plan),
    }


def _text(lines: Iterable[str], what: str, plan: str) -> str:
    head = f"# {what}. Written by `dmsa jea` for the plan {plan}; write it anew when the plan changes.\n"
    return head + "@{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def _session(role: Role, identity: Identity) -> Iterator[str]:
    yield "SchemaVersion = '2.0.0.0'"
    yield "SessionType = 'RestrictedRemoteServer'"
    if identity.run_as is None:
        yield "RunAsVirtualAccount = $true"
    else:
        yield f"GroupManagedServiceAccount = {quoted(identity.run_as)}"
    yield "RoleDefinitions = @{"
    yield f"    {quoted(identity.runners)} = @{{ RoleCapabilities = {quoted(role.name)} }}"
    yield "}"


def _capability(role: Role) -> Iterator[str]:
    own = [shown for shown in role.commands if shown.row.role_function]
    others = [shown for shown in role.commands if not shown.row.role_function]
    yield from _array("ModulesToImport", map(quoted, role.modules))
    if role.uses_registry:
        yield "VisibleProviders = 'Registry'"
    yield from _array("VisibleCmdlets", _entries(shown for shown in others if not shown.is_function))
    functions = [quoted(shown.name) for shown in own]
    functions += _entries(shown for shown in others if shown.is_function)
    if functions:
        yield from _array("VisibleFunctions", functions)
    if own:
        yield from _array("FunctionDefinitions", (line for shown in own for line in _definition(shown)))


def _array(key: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"{key} = @("
    yield from (f"    {line}" for line in lines)
    yield ")"


def _entries(commands: Iterable[Shown]) -> Iterator[str]:
    for shown in commands:
        steps = ", ".join(shown.row.used_by)
        yield f"# {shown.row.effect.value}: {steps}"
        if not shown.parameters:
            yield quoted(shown.name)
            continue
        yield "@{"
        yield f"    Name = {quoted(shown.name)}"
        yield "    Parameters = @("
        yield from (f"        {_parameter(name, limit)}" for name, limit in shown.parameters.items())
        yield "    )"
        yield "}"


def _parameter(name: str, limit: Limit) -> str:
    if limit.choices:
        return f"@{{ Name = {quoted(name)}; ValidateSet = {', '.join(map(quoted, limit.choices))} }}"
    if limit.pattern is not None:
        return f"@{{ Name = {quoted(name)}; ValidatePattern = {quoted(_whole(limit.pattern))} }}"
    return f"@{{ Name = {quoted(name)} }}"


def _whole(pattern: str) -> str:
    r"""Return the expression for a whole value: PowerShell adds ``^(`` and ``)$``, and ``$`` lets a line feed in."""
    return rf"(?:{pattern})\z"


def _definition(shown: Shown) -> Iterator[str]:
    """Define a role function. Its body is not bound by the session's limits, so its parameters hold all there is."""
    yield f"# {shown.row.effect.value}: {', '.join(shown.row.used_by)}"
    yield "@{"
    yield f"    Name = {quoted(shown.name)}"
    body = _enable_log() if shown.row.effect is Effect.WRITES else _descriptor(shown)
    yield from (f"    {line}" for line in body)
    yield "}"


def _descriptor(shown: Shown) -> Iterator[str]:
    """Return one descriptor as SDDL; by full names, for a session's own Select-Object expands nothing."""
    yield "ScriptBlock = {"
    yield "    param("
    limits = shown.parameters.items()
    for place, (name, limit) in enumerate(limits, 1):
        comma = "," if place < len(limits) else ""
        yield f"        [Parameter(Mandatory)] [{_validation(limit)}] [string] ${name}{comma}"
    yield "    )"
    yield r"    ActiveDirectory\Get-ADObject -Identity $Identity -Properties $Attribute -Server $Server |"
    yield r"        Microsoft.PowerShell.Utility\Select-Object -ExpandProperty $Attribute |"
    yield r"        Microsoft.PowerShell.Utility\Select-Object -ExpandProperty Sddl"
    yield "}"


def _validation(limit: Limit) -> str:
    if limit.choices:
        return f"ValidateSet({', '.join(map(quoted, limit.choices))})"
    return f"ValidatePattern({quoted(_anchored(limit.pattern or ''))})"


def _anchored(pattern: str) -> str:
    return rf"^(?:{pattern})\z"


def _enable_log() -> Iterator[str]:
    """Switch one log on, in full words: nothing of it comes from the caller."""
    yield rf"ScriptBlock = {{ [CmdletBinding()] param() C:\Windows\System32\wevtutil.exe sl {EVENT_LOGS[0]} /e:true }}"


def quoted(text: str) -> str:
    """Return a single-quoted string; in one, only the quote itself needs another (about_Quoting_Rules)."""
    # PowerShell takes the typographic quotes for the plain one.
    for quote in "'\u2018\u2019\u201a\u201b":
        text = text.replace(quote, quote * 2)
    return f"'{text}'"
