"""The error records that the simulated cmdlets write, with the ids and categories of the real ones.

Ids and exceptions are those that the ActiveDirectory module and PowerShell 5.1 print. Where nobody has
published what an illegal migration prints, it is the ordinary "unwilling" of the directory; the texts are
for people, and no program may match on them.
"""

from __future__ import annotations

from orchestrator.lab.command import LabError

_AD = "Microsoft.ActiveDirectory.Management"


class Terminating(Exception):
    """The statement ends here, with this error record."""

    def __init__(self, error: LabError) -> None:
        super().__init__(error.message)
        self.error = error


def implementation(cmdlet: str) -> str:
    """Return the class name that PowerShell appends to the error ids of *cmdlet*."""
    verb, _, noun = cmdlet.partition("-")
    if noun.startswith("AD"):
        return f"{_AD}.Commands.{verb}{noun}"
    if noun == "CimInstance":
        return "Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand"
    if "ScheduledTask" in noun:
        return cmdlet
    return f"Microsoft.PowerShell.Commands.{verb}{noun}Command"


def record(cmdlet: str, error_id: str, category: str, exception: str, message: str, target: object = "") -> LabError:
    """Return an error record of *cmdlet*."""
    shown = f"{error_id},{implementation(cmdlet)}"
    return LabError(shown, category, exception, message, str(target), cmdlet)


def command_not_found(name: str) -> LabError:
    """Return PowerShell's answer to a name it does not know, or does not show."""
    message = (
        f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program."
    )
    return LabError(
        "CommandNotFoundException",
        "ObjectNotFound",
        "System.Management.Automation.CommandNotFoundException",
        message,
        name,
        name,
    )


def script_refused(text: str) -> LabError:
    """Return the lab's answer to script text, which it never runs."""
    return LabError(
        "ScriptsNotAllowed",
        "PermissionDenied",
        "System.Management.Automation.PSNotSupportedException",
        "This endpoint runs commands only, never script text. Nothing was executed.",
        text[:200],
    )


def unknown_parameter(cmdlet: str, parameter: str) -> LabError:
    """Return the binder's answer to a parameter that the cmdlet does not have."""
    return record(
        cmdlet,
        "NamedParameterNotFound",
        "InvalidArgument",
        "System.Management.Automation.ParameterBindingException",
        f"A parameter cannot be found that matches parameter name '{parameter}'.",
    )


def bad_value(cmdlet: str, parameter: str, why: str) -> LabError:
    """Return the binder's answer to a value that it cannot convert."""
    return record(
        cmdlet,
        "CannotConvertArgumentNoMessage",
        "InvalidArgument",
        "System.Management.Automation.ParameterBindingException",
        f"Cannot bind parameter '{parameter}'. {why}",
        parameter,
    )


def missing_parameter(cmdlet: str, parameter: str) -> LabError:
    """Return the binder's answer to a mandatory parameter left out."""
    return record(
        cmdlet,
        "MissingMandatoryParameter",
        "InvalidArgument",
        "System.Management.Automation.ParameterBindingException",
        f"Cannot process command because of one or more missing mandatory parameters: {parameter}.",
    )


def identity_not_found(cmdlet: str, identity: object, base: str) -> LabError:
    """Return the module's answer to an identity that no visible object has."""
    exception = f"{_AD}.ADIdentityNotFoundException"
    return record(
        cmdlet,
        f"ActiveDirectoryCmdlet:{exception}",
        "ObjectNotFound",
        exception,
        f"Cannot find an object with identity: '{identity}' under: '{base}'.",
        identity,
    )


def unwilling(cmdlet: str, target: object, why: str = "") -> LabError:
    """Return the directory's ERROR_DS_UNWILLING_TO_PERFORM."""
    return record(
        cmdlet,
        "ActiveDirectoryServer:8245",
        "NotSpecified",
        f"{_AD}.ADInvalidOperationException",
        "The server is unwilling to process the request." + (f" ({why})" if why else ""),
        target,
    )


def insufficient_rights(cmdlet: str, target: object) -> LabError:
    """Return the directory's ERROR_DS_INSUFF_ACCESS_RIGHTS."""
    return record(
        cmdlet,
        "ActiveDirectoryServer:8344",
        "NotSpecified",
        f"{_AD}.ADException",
        "Insufficient access rights to perform the operation.",
        target,
    )


def already_exists(cmdlet: str, target: object) -> LabError:
    """Return the module's answer to an account name that is taken."""
    return record(
        cmdlet,
        "ActiveDirectoryServer:1316",
        "ResourceExists",
        f"{_AD}.ADIdentityAlreadyExistsException",
        "The specified account already exists.",
        target,
    )


def duplicate_spn(cmdlet: str, target: object) -> LabError:
    """Return the directory's answer to a service principal name that stands elsewhere."""
    return record(
        cmdlet,
        "ActiveDirectoryServer:8647",
        "NotSpecified",
        f"{_AD}.ADException",
        "The operation failed because SPN value provided for addition/modification is not unique forest-wide.",
        target,
    )


def no_kds_key(cmdlet: str, target: object) -> LabError:
    """Return the answer to a managed account asked for in a forest without a usable KDS root key."""
    return record(
        cmdlet,
        "ActiveDirectoryServer:-2146893811",
        "NotSpecified",
        f"{_AD}.ADException",
        "Key does not exist",
        target,
    )


def server_down(cmdlet: str, server: str) -> LabError:
    """Return the module's answer to a server that does not answer, or is none."""
    return record(
        cmdlet,
        "ActiveDirectoryServer:0",
        "ResourceUnavailable",
        f"{_AD}.ADServerDownException",
        "Unable to contact the server. This may be because this server does not exist, it is currently down, "
        "or it does not have the Active Directory Web Services running.",
        server,
    )


def access_denied(cmdlet: str, target: object) -> LabError:
    """Return a host's refusal."""
    return record(
        cmdlet,
        "System.UnauthorizedAccessException",
        "PermissionDenied",
        "System.UnauthorizedAccessException",
        "Access is denied.",
        target,
    )
