"""Reading the directory: rootDSE, domain, controllers, objects, root keys, descriptors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from orchestrator.lab.command import LabObject
from orchestrator.lab.estate import account_control as uac
from orchestrator.lab.estate import identity, refusals
from orchestrator.lab.estate.access import token
from orchestrator.lab.estate.cmdlets.directory_session import Session, is_catalog
from orchestrator.lab.estate.cmdlets.rendering import sid_object
from orchestrator.lab.estate.cmdlets.table import Invocation, cmdlet
from orchestrator.lab.estate.descriptor import Descriptor, membership_sddl
from orchestrator.lab.estate.machine import Machine
from orchestrator.lab.estate.migration import MEMBERSHIP

_SEARCH = (
    "Identity:text LDAPFilter:text SearchBase:text SearchScope:text Properties:texts Server:text ResultSetSize:number"
)


def module_type(*names: str) -> tuple[str, ...]:
    """Return type names of the ActiveDirectory module."""
    return (*(f"Microsoft.ActiveDirectory.Management.{name}" for name in names), "System.Object")


@cmdlet("Get-ADRootDSE", "Server:text Properties:texts", where="dc")
def get_root_dse(call: Invocation) -> Iterator[object]:
    """The DC's description of itself, with its time; the estate says that it is a lab."""
    session = Session.connect(call)
    config = f"CN=Configuration,{session.base}"
    asked = {name.lower() for name in call.texts("Properties")}
    yield LabObject(
        module_type("ADRootDSE", "ADEntity"),
        {
            "currentTime": call.estate.now + session.dc.spec.clock_ahead,
            "defaultNamingContext": session.base,
            "rootDomainNamingContext": session.base,
            "configurationNamingContext": config,
            "schemaNamingContext": f"CN=Schema,{config}",
            "namingContexts": [session.base, config, f"CN=Schema,{config}"],
            "dnsHostName": session.dc.name,
            "highestCommittedUSN": session.replica.usn,
            "domainFunctionality": "Windows2016Domain",
            "forestFunctionality": "Windows2016Forest",
            "domainControllerFunctionality": "10" if session.dc.spec.build >= 26100 else "7",
            "isGlobalCatalogReady": True,
            "isSynchronized": True,
            "dmsaLab": True,
            **({"tokenGroups": list(map(sid_object, _token(session)))} if "tokengroups" in asked else {}),
        },
        session.base,
    )


def _token(session: Session) -> list[str]:
    """The identifiers in the caller's security context (MS-ADTS 3.1.1.3.2, rootDSE attribute tokenGroups).

    On a domain controller a virtual account is a domain administrator (Microsoft Learn, JEA session configurations),
    and whom the estate does not know may do everything.
    """
    principal = session.call.request.principal
    known = session.authority.account(session.replica, principal)
    if known is None:
        return sorted({f"{session.call.estate.directory.sid}-512", "S-1-1-0", "S-1-5-11", "S-1-5-32-544"})
    return sorted(token(session.replica, known))


@cmdlet("Get-ADDomain", "Identity:text Server:text", where="dc")
def get_domain(call: Invocation) -> Iterator[object]:
    """The domain."""
    session = Session.connect(call)
    spec, root = call.estate.spec, session.replica.at_dn(session.base)
    writable = [dc.name for dc in spec.dcs if dc.writable]
    yield LabObject(
        module_type("ADDomain", "ADPartition", "ADObject", "ADEntity"),
        {
            "DistinguishedName": session.base,
            "DNSRoot": spec.domain.dns,
            "NetBIOSName": spec.domain.netbios,
            "Name": spec.domain.dns.partition(".")[0],
            "ObjectClass": "domainDNS",
            "ObjectGUID": root.guid if root else None,
            "DomainSID": sid_object(call.estate.directory.sid),
            "DomainMode": "Windows2016Domain",
            "Forest": spec.domain.dns,
            "PDCEmulator": writable[0],
            "RIDMaster": writable[0],
            "InfrastructureMaster": writable[0],
            "ReplicaDirectoryServers": writable,
            "ReadOnlyReplicaDirectoryServers": [dc.name for dc in spec.dcs if not dc.writable],
            "UsersContainer": f"CN=Users,{session.base}",
            "ComputersContainer": f"CN=Computers,{session.base}",
            "DeletedObjectsContainer": f"CN=Deleted Objects,{session.base}",
        },
        session.base,
    )


@cmdlet("Get-ADDomainController", "Filter:text Identity:text Server:text", where="dc")
def get_domain_controller(call: Invocation) -> Iterator[object]:
    """The domain's controllers: all (``-Filter *``), the one named, or the one connected to."""
    session = Session.connect(call)
    wanted = call.text("Identity").lower()
    controllers = call.estate.authority.controllers.values()
    if not call.given("Filter"):
        controllers_named = [dc for dc in controllers if wanted in {dc.name.lower(), dc.short.lower()}]
        if wanted and not controllers_named:
            raise call.fail(refusals.identity_not_found(call.name, wanted, session.base))
        yield _controller(session, controllers_named[0] if wanted else session.dc)
        return
    if call.text("Filter") != "*":
        exception = "Microsoft.ActiveDirectory.Management.ADFilterParsingException"
        message = "This endpoint understands -Filter * only."
        raise call.fail(refusals.record(call.name, "ActiveDirectoryCmdlet", "ParserError", exception, message))
    for dc in controllers:
        yield _controller(session, dc)


def _controller(session: Session, dc: Machine) -> LabObject:
    domain = session.call.estate.spec.domain.dns
    computer = session.replica.account(f"{dc.short}$")
    writable = session.authority.is_writable(dc)
    system = "Windows Server 2025 Datacenter" if dc.spec.build >= 26100 else "Windows Server 2022 Datacenter"
    return LabObject(
        module_type("ADDomainController", "ADDirectoryServer", "ADObject", "ADEntity"),
        {
            "HostName": dc.name,
            "Name": dc.short.upper(),
            "Domain": domain,
            "Forest": domain,
            "Site": dc.spec.site,
            "IPv4Address": dc.address,
            "IsReadOnly": not writable,
            "IsGlobalCatalog": is_catalog(session.call, dc),
            "Enabled": True,
            "LdapPort": 389,
            "SslPort": 636,
            "OperatingSystem": system,
            "OperatingSystemVersion": f"10.0 ({dc.spec.build})",
            "ComputerObjectDN": session.replica.dn(computer) if computer else None,
            "DefaultPartition": session.base,
            "ServerObjectGuid": identity.guid("server", dc.name.lower()),
            "InvocationId": identity.guid("invocation", dc.name.lower()),
        },
        dc.name,
    )


def _get(call: Invocation, kind: str, *, deleted: bool = False) -> Iterator[object]:
    session = Session.connect(call)
    if call.given("Identity"):
        yield session.show(session.find(kind, call.text("Identity"), deleted=deleted), kind)
        return
    if not call.given("LDAPFilter"):
        raise call.fail(refusals.missing_parameter(call.name, "Identity"))
    base, scope = call.text("SearchBase"), call.text("SearchScope", "Subtree")
    found = session.search(kind, call.text("LDAPFilter"), base, scope, deleted=deleted)
    for entry in found[: call.number("ResultSetSize", len(found))]:
        yield session.show(entry, kind)


@cmdlet("Get-ADObject", f"{_SEARCH} IncludeDeletedObjects:flag", where="dc")
def get_object(call: Invocation) -> Iterator[object]:
    """Any object; deleted ones if asked for."""
    return _get(call, "ADObject", deleted=call.flag("IncludeDeletedObjects"))


@cmdlet("Get-ADUser", _SEARCH, where="dc")
def get_user(call: Invocation) -> Iterator[object]:
    """Users."""
    return _get(call, "ADUser")


@cmdlet("Get-ADServiceAccount", _SEARCH, where="dc")
def get_service_account(call: Invocation) -> Iterator[object]:
    """Managed service accounts."""
    return _get(call, "ADServiceAccount")


@cmdlet("Get-ADComputer", _SEARCH, where="dc")
def get_computer(call: Invocation) -> Iterator[object]:
    """Computers. What the domain's DNS knows of one comes along where it is asked for: the module looks it up."""
    asked = {name.lower() for name in call.texts("Properties")}
    for shown in _get(call, "ADComputer"):
        assert isinstance(shown, LabObject)
        machine = call.estate.machines.get(str(shown.properties.get("DNSHostName")).lower())
        known = {"IPv4Address": machine.address} if machine and "ipv4address" in asked else {}
        yield replace(shown, properties={**shown.properties, **known})


@cmdlet("Get-ADGroup", _SEARCH, where="dc")
def get_group(call: Invocation) -> Iterator[object]:
    """Groups."""
    return _get(call, "ADGroup")


@cmdlet("Get-DmsaDescriptor", "Identity!:text Attribute!:text Server:text", where="dc", restricted_only=True)
def get_descriptor(call: Invocation) -> Iterator[object]:
    """The function that a restricted endpoint offers for reading a security descriptor as text."""
    session = Session.connect(call)
    entry = session.find("ADObject", call.text("Identity"))
    value = entry.get(call.text("Attribute"))
    if isinstance(value, Descriptor):
        yield value.sddl
    elif call.text("Attribute").lower() == MEMBERSHIP.lower() and entry.texts(MEMBERSHIP):
        yield membership_sddl(entry.texts(MEMBERSHIP))


@cmdlet("Get-KdsRootKey", "", where="dc")
def get_kds_root_key(call: Invocation) -> Iterator[object]:
    """The forest's root keys for managed passwords."""
    session = Session.connect(call)
    keys = f"CN=Master Root Keys,CN=Group Key Distribution Service,CN=Services,CN=Configuration,{session.base}"
    for entry in session.search("ADObject", "(objectClass=msKds-ProvRootKey)", keys, "OneLevel"):
        yield LabObject(
            ("Microsoft.KeyDistributionService.Cmdlets.KdsRootKey", "System.Object"),
            {
                "KeyId": UUID(str(session.show(entry, "ADObject").properties["Name"])),
                "EffectiveTime": uac.from_filetime(entry.number("msKds-UseStartTime")),
                "CreationTime": uac.from_filetime(entry.number("msKds-CreateTime")),
                "IsFormatValid": True,
                "DomainController": f"CN={session.dc.short.upper()},OU=Domain Controllers,{session.base}",
                "VersionNumber": 1,
            },
        )
