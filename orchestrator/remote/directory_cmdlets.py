"""The rows that touch the directory.

``Server`` is required wherever a cmdlet has it: a call that lets the module choose a domain controller could
land on one that does not know the operation (Microsoft Learn, Start-ADServiceAccountMigration, its examples).
The four migration cmdlets take both objects always, as DNs: the parameter table of ``SupersededAccount`` says
required and "distinguished name", whatever the syntax line shows.
"""

from __future__ import annotations

from orchestrator.remote.kinds import (
    ACCOUNT_NAME,
    ATTRIBUTES,
    DIRECTORY_SERVER,
    DN,
    EMPTY,
    HOST,
    OBJECT,
    PRINCIPAL,
    SERVICE_PRINCIPAL,
    SID,
    SWITCH,
    many,
    matching,
    one_of,
    one_or_many,
    table,
    whole,
)
from orchestrator.remote.queries import EVENT_QUERY, LDAP_FILTER
from orchestrator.remote.rows import Form, Row, form, reads, writes

_PAGES = "Microsoft Learn, ActiveDirectory module, "
_SCOPE = one_of("Base", "OneLevel", "Subtree")
_DESCRIPTORS = one_of("nTSecurityDescriptor", "msDS-GroupMSAMembership", "msDS-AllowedToActOnBehalfOfOtherIdentity")
_ENCRYPTION = one_of("RC4", "AES128", "AES256")
_DMSA_NAME = matching("a dMSA's name of at most 15 characters", r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_MARK = matching("the mark 'dmsa run <id>'", r"dmsa run [A-Za-z0-9._:-]{1,128}")
_TARGET = {"Target": one_or_many(HOST)}
_AN_OBJECT = {"Identity": OBJECT, "Server": DIRECTORY_SERVER}
_OBJECTS = {
    "LDAPFilter": LDAP_FILTER,
    "SearchBase": DN | EMPTY,
    "SearchScope": _SCOPE,
    "Server": DIRECTORY_SERVER,
}


def _found_by() -> tuple[Form, ...]:
    """Return the two parameter sets of a cmdlet that finds by identity or by filter."""
    return (
        form({"Identity": OBJECT | SID | ACCOUNT_NAME, "Server": HOST}, Properties=ATTRIBUTES).by(),
        form({"LDAPFilter": LDAP_FILTER, "Server": HOST}, Properties=ATTRIBUTES),
    )


def _migration(verb: str, step: str) -> Row:
    return writes(
        f"{verb}-ADServiceAccountMigration",
        form({"Identity": DN, "SupersededAccount": DN, "Server": HOST}),
        by=step,
        source=f"{_PAGES}{verb}-ADServiceAccountMigration",
        idempotent=False,
    )


READS = (
    reads(
        "Get-ADRootDSE",
        form({"Server": HOST}, Properties=ATTRIBUTES),
        by="clock preflight",
        source=_PAGES + "Get-ADRootDSE",
    ),
    reads("Get-ADDomain", form({"Server": HOST}), by="discover", source=_PAGES + "Get-ADDomain"),
    reads(
        "Get-ADDomainController",
        form({"Filter": one_of("*"), "Server": HOST}),
        by="preflight link complete undo reset restart adopt",
        source=_PAGES + "Get-ADDomainController",
    ),
    reads(
        "Get-ADObject",
        form(_AN_OBJECT, Properties=ATTRIBUTES),
        form(_OBJECTS, Properties=ATTRIBUTES),
        form({**_AN_OBJECT, "IncludeDeletedObjects": SWITCH}, Properties=ATTRIBUTES).by("original-missing", "verify"),
        form({**_OBJECTS, "IncludeDeletedObjects": SWITCH}, Properties=ATTRIBUTES).by(),
        by="guards",
        source=_PAGES + "Get-ADObject",
    ),
    reads(
        "Get-ADUser",
        form({"Identity": OBJECT | SID, "Server": HOST}, Properties=ATTRIBUTES),
        by="every-step",
        source=_PAGES + "Get-ADUser",
    ),
    reads(
        "Get-ADServiceAccount",
        *_found_by(),
        by="every-step ledger",
        source=_PAGES + "Get-ADServiceAccount",
    ),
    reads("Get-ADComputer", *_found_by(), by="guards ledger", source=_PAGES + "Get-ADComputer"),
    reads(
        "Get-ADGroup",
        form({"LDAPFilter": LDAP_FILTER, "Server": HOST}),
        by="guards",
        source=_PAGES + "Get-ADGroup",
    ),
    reads(
        "Get-DmsaDescriptor",
        form({"Identity": OBJECT, "Attribute": one_of("nTSecurityDescriptor"), "Server": HOST}),
        form({"Identity": OBJECT, "Attribute": _DESCRIPTORS, "Server": HOST}).by(),
        by="snapshot guards probe",
        source=_PAGES + "Get-ADObject; the descriptor carries Sddl only as a top-level object",
        role_function="Get-DmsaDescriptor",
    ),
    reads(
        "Get-ADReplicationPartnerMetadata",
        form(_TARGET, Scope=one_of("Server")),
        by="every-controller",
        source=_PAGES + "Get-ADReplicationPartnerMetadata",
    ),
    reads(
        "Get-ADReplicationFailure",
        form(_TARGET, Scope=one_of("Server")),
        by="every-controller",
        source=_PAGES + "Get-ADReplicationFailure",
    ),
    reads("Get-KdsRootKey", form(), by="preflight", source="Microsoft Learn, Kds module, Get-KdsRootKey"),
)

LOGON_EVENTS = form(
    {"LogName": one_of("Security"), "FilterXPath": EVENT_QUERY, "MaxEvents": whole(1, 100_000)},
).by("no-other-use")
"""The form of Get-WinEvent that reads log-on events on a domain controller; its row is with the hosts'."""

WRITES = (
    writes(
        "New-ADServiceAccount",
        form(
            {
                "Name": _DMSA_NAME,
                "DNSHostName": HOST,
                "CreateDelegatedServiceAccount": SWITCH,
                "Server": HOST,
            },
            KerberosEncryptionType=many(_ENCRYPTION),
            Path=DN,
            Description=_MARK,
            PrincipalsAllowedToRetrieveManagedPassword=many(PRINCIPAL),
        ),
        by="prepare",
        source=_PAGES + "New-ADServiceAccount",
        idempotent=False,
    ),
    writes(
        "Set-ADObject",
        form({"Identity": OBJECT, "ProtectedFromAccidentalDeletion": SWITCH, "Server": HOST}),
        by="prepare adopt",
        source=_PAGES + "Set-ADObject",
    ),
    _migration("Start", "start"),
    _migration("Complete", "complete"),
    _migration("Undo", "undo"),
    _migration("Reset", "reset"),
    writes(
        "Set-ADServiceAccount",
        form(
            {
                "Identity": OBJECT,
                "PrincipalsAllowedToRetrieveManagedPassword": many(PRINCIPAL),
                "Server": HOST,
            }
        ).by("restart", "soak", "probe"),
        form(
            {
                "Identity": OBJECT,
                "ServicePrincipalNames": table({"Remove": many(SERVICE_PRINCIPAL)}),
                "Server": HOST,
            }
        ),
        by="undo reset",
        source=_PAGES + "Set-ADServiceAccount",
    ),
    writes(
        "Set-ADUser",
        form(
            {
                "Identity": OBJECT,
                "ServicePrincipalNames": table({"Add": many(SERVICE_PRINCIPAL)}),
                "Server": HOST,
            }
        ),
        by="undo reset",
        source=_PAGES + "Set-ADUser",
    ),
    writes(
        "Enable-ADAccount",
        form({"Identity": OBJECT, "Server": HOST}),
        by="undo reset",
        source=_PAGES + "Enable-ADAccount",
    ),
)

ROWS = READS + WRITES
