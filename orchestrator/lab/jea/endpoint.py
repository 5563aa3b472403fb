"""A JEA endpoint: who is let in, and what becomes of a pipeline that comes through it.

What a session does not show does not exist for its caller: the answer is the one to a name that nobody knows. What it
shows is checked by the parameter binder, before anything runs (Microsoft Learn, JEA role capabilities). A pipeline
leaves the endpoint as the run-as account's, with each command that was refused marked as such.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.lab.command import Command, LabError, Request
from orchestrator.lab.estate import refusals
from orchestrator.lab.jea.commands import (
    CMDLETS,
    COMMON,
    FLAGS,
    FUNCTIONS,
    PROVIDER_CMDLETS,
    READS_PROVIDER,
    SELECT_OBJECT,
)
from orchestrator.lab.jea.role import Role, Session, Visible
from orchestrator.lab.jea.validation import by_function, invalid, shown

_NOWHERE = "a drive that is not there:"
"""What a path leads to for those who cannot see its provider; to read there finds nothing, and is no refusal."""
VIRTUAL = "WinRM Virtual Users"
"""The domain of virtual accounts (Microsoft Learn, JEA security considerations)."""


@dataclass(frozen=True)
class Endpoint:
    """One registered session configuration."""

    name: str
    session: Session
    role: Role

    def acting(self, principal: str) -> str:
        """Return the account as which a caller's commands run."""
        if self.session.managed_account is not None:
            return self.session.managed_account
        if self.session.virtual_account:
            return f"{VIRTUAL}\\WinRM_VA_1_{principal.replace(chr(92), '_')}"
        return principal

    def through(self, request: Request) -> Request:
        """Return what a pipeline has become behind the endpoint."""
        statements = tuple(each for statement in request.statements for each in self._statements(statement))
        return replace(request, principal=self.acting(request.principal), statements=statements)

    def _statements(self, statement: tuple[Command, ...]) -> tuple[tuple[Command, ...], ...]:
        if len(statement) == 1 and not statement[0].is_script:
            command = statement[0]
            function = self.role.defined.get(command.name.lower())
            if function is not None and command.name.lower() in self.role.functions:
                called = function.called(command)
                return ((replace(command, refused=called),),) if isinstance(called, LabError) else called
        return (tuple(self._command(command) for command in statement),)

    def _command(self, command: Command) -> Command:
        refused = self._refusal(command)
        if refused is not None:
            return replace(command, refused=refused)
        blind = command.name.lower() in READS_PROVIDER and not self.role.sees_registry
        return replace(command, parameters={**command.parameters, "LiteralPath": _NOWHERE}) if blind else command

    def _refusal(self, command: Command) -> LabError | None:
        """Return why a command does not run here; a script's refusal is the estate's own business."""
        name = command.name.lower()
        if command.is_script:
            return None
        if name == "select-object":
            return _own_select_object(command)
        visible = self._visible(name)
        if visible is None:
            return refusals.command_not_found(command.name)
        refused = _bound(command, visible)
        if refused is not None or name not in PROVIDER_CMDLETS or self.role.sees_registry or name in READS_PROVIDER:
            return refused
        return _no_drive(command)

    def _visible(self, name: str) -> Visible | None:
        """Return a command that is in the right list, and whose module is there."""
        for modules, listed in ((CMDLETS, self.role.cmdlets), (FUNCTIONS, self.role.functions)):
            if name in listed and modules.get(name, "").lower() in self.role.modules:
                return listed[name]
        return None


def _bound(command: Command, visible: Visible) -> LabError | None:
    for parameter, value in command.parameters.items():
        folded = parameter.lower()
        if visible.parameters is None or folded in COMMON:
            continue
        validation = visible.parameters.get(folded)
        if validation is None:
            return by_function(refusals.unknown_parameter(visible.name, parameter))
        joined = (command.name.lower(), folded) in FLAGS and isinstance(value, list | tuple)
        why = validation.objection(", ".join(map(shown, value)) if joined else value)  # type: ignore[call-overload]
        if why is not None:
            return invalid(visible.name, parameter, why)
    return None


def _own_select_object(command: Command) -> LabError | None:
    for parameter, value in command.parameters.items():
        allowed = SELECT_OBJECT.get(parameter.lower(), frozenset())
        if parameter.lower() not in SELECT_OBJECT.keys() | COMMON:
            return by_function(refusals.unknown_parameter(command.name, parameter))
        for item in value if isinstance(value, list | tuple) else [value]:
            if allowed and str(item).lower() not in allowed:
                why = f'The argument "{item}" does not belong to the set specified by the ValidateSet attribute.'
                return invalid(command.name, parameter, why)
    return None


def _no_drive(command: Command) -> LabError | None:
    """Return what is said of a path whose provider is not there."""
    paths = (str(value) for name, value in command.parameters.items() if name.lower().endswith("path"))
    drive = next(paths, "").partition(":")[0]
    message = f"Cannot find drive. A drive with the name '{drive}' does not exist."
    exception = "System.Management.Automation.DriveNotFoundException"
    return refusals.record(command.name, "DriveNotFound", "ObjectNotFound", exception, message, drive)
