"""Running a pipeline: statements one after the other, each cmdlet's output the next one's input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.lab.command import Command, LabError, LabObject, Request, Result
from orchestrator.lab.estate import refusals
from orchestrator.lab.estate.cmdlets.table import TABLE, Invocation, Row, bind
from orchestrator.lab.estate.refusals import Terminating

if TYPE_CHECKING:
    from orchestrator.lab.estate.estate import Estate
    from orchestrator.lab.estate.machine import Machine

PLAIN_ENDPOINT = "Microsoft.PowerShell"
LDAP = "ldap"
"""As a request's configuration: it came by LDAP, which no shell can be opened on."""


def run_pipeline(estate: Estate, request: Request) -> Result:
    """Run a request's statements and return what came out.

    A terminating error ends the pipeline, or only its statement where the estate's switch
    ``batch_goes_on_after_error`` says so; sources disagree on what Windows does.
    """
    output: list[object] = []
    errors: list[LabError] = []
    for statement in request.statements:
        try:
            output.extend(_run_statement(estate, request, statement, errors))
        except Terminating as stop:
            if not estate.spec.switches.batch_goes_on_after_error:
                return Result(tuple(map(_sealed, output)), tuple(errors), stop.error)
            errors.append(stop.error)
    return Result(tuple(map(_sealed, output)), tuple(errors))


def _run_statement(
    estate: Estate, request: Request, statement: tuple[Command, ...], errors: list[LabError]
) -> list[object]:
    machine = estate.machines[request.host.lower()]
    flowing: list[object] = []
    for command in statement:
        if command.refused is not None:
            raise Terminating(command.refused)
        row = _row(estate, machine, request, command)
        call = Invocation(estate, machine, request, row, bind(command, row), flowing, errors)
        if row.writes and machine.dc is None and row.where != "pipeline" and "hosts" not in call.rights:
            raise Terminating(refusals.access_denied(row.name, machine.name))
        flowing = list(row.work(call))
    return flowing


def _row(estate: Estate, machine: Machine, request: Request, command: Command) -> Row:
    if command.is_script:
        estate.refused_scripts += 1
        raise Terminating(refusals.script_refused(command.name))
    row = TABLE.get(command.name.rpartition("\\")[2].lower())
    by_ldap = request.configuration == LDAP
    missing = row is None or (row.where in {"dc", LDAP} and machine.dc is None) or (row.where == LDAP) != by_ldap
    if row is None or missing or (row.restricted_only and request.configuration == PLAIN_ENDPOINT):
        raise Terminating(refusals.command_not_found(command.name))
    return row


def _sealed(value: object) -> object:
    """Let nested objects that do not survive serialisation arrive as their text only."""
    if not isinstance(value, LabObject):
        return value
    flat = {
        name: LabObject(item.types, {}, item.text)
        for name, item in value.properties.items()
        if type(item) is LabObject and "Sddl" in item.properties
    }
    return LabObject(value.types, {**value.properties, **flat}, value.text, value.extended) if flat else value
