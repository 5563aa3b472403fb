"""Where commands come from, and what every restricted session has: written from Microsoft's pages, module by module.

``Get-Command`` says for each whether it is a cmdlet or a function; a role file must name it in the right list
(Microsoft Learn, JEA role capabilities, "Allowing PowerShell cmdlets and functions").
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

COMMON = frozenset(
    {
        "verbose", "debug", "erroraction", "warningaction", "informationaction", "progressaction", "errorvariable",
        "warningvariable", "informationvariable", "outvariable", "outbuffer", "pipelinevariable",
    }
)  # fmt: skip
"""Always allowed, whatever a role file says (the same section; names: about_CommonParameters)."""

_CMDLETS = {
    "ActiveDirectory": (
        "Get-ADRootDSE Get-ADDomain Get-ADDomainController Get-ADObject Get-ADUser Get-ADServiceAccount Get-ADComputer "
        "Get-ADGroup Get-ADReplicationPartnerMetadata Get-ADReplicationFailure New-ADServiceAccount Set-ADObject "
        "Start-ADServiceAccountMigration Complete-ADServiceAccountMigration Undo-ADServiceAccountMigration "
        "Reset-ADServiceAccountMigration Set-ADServiceAccount Set-ADUser Enable-ADAccount"
    ),
    "Kds": "Get-KdsRootKey",
    "CimCmdlets": "Get-CimInstance",
    "Microsoft.PowerShell.Diagnostics": "Get-WinEvent",
    "Microsoft.PowerShell.Management": (
        "Get-Service Restart-Service Start-Service Restart-Computer Test-Path Get-ItemProperty New-Item "
        "New-ItemProperty Remove-ItemProperty"
    ),
    "WebAdministration": "Get-WebAppPoolState Get-WebConfigurationProperty Restart-WebAppPool",
    "Microsoft.PowerShell.Utility": "Select-Object",
}
_FUNCTIONS = {
    "ScheduledTasks": "Get-ScheduledTask Get-ScheduledTaskInfo Export-ScheduledTask Start-ScheduledTask",
}


def _by_name(modules: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({name.lower(): module for module, names in modules.items() for name in names.split()})


CMDLETS: Mapping[str, str] = _by_name(_CMDLETS)
"""Module of each cmdlet, by folded name."""
FUNCTIONS: Mapping[str, str] = _by_name(_FUNCTIONS)
"""Module of each function that a module brings (ScheduledTasks is a CDXML module, and such modules have functions)."""

PROVIDER_CMDLETS = frozenset({"test-path", "get-itemproperty", "new-item", "new-itemproperty", "remove-itemproperty"})
"""They see nothing of a provider that is not visible (the same page, "Allowing access to PowerShell providers")."""
READS_PROVIDER = frozenset({"test-path", "get-itemproperty"})

SELECT_OBJECT = {
    "property": frozenset(
        {
            "modulename", "namespace", "outputtype", "count", "helpuri", "name", "commandtype",
            "resolvedcommandname", "defaultparameterset", "cmdletbinding", "parameters",
        }
    ),
    "inputobject": None,
}  # fmt: skip
"""What the session's own Select-Object takes: names of commands' properties, and nothing can be expanded (the same
page, "Creating custom functions", says "constrained"; the names are those of the published engine's source)."""

FLAGS = frozenset({("new-adserviceaccount", "kerberosencryptiontype")})
"""Parameters whose type is an enumeration of flags: several values become one, shown with commas."""
