"""Changing the directory: creating a dMSA, the four migration cmdlets, and the few repairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID

from orchestrator.lab.command import LabError
from orchestrator.lab.estate import account_control as uac
from orchestrator.lab.estate import descriptor, dn, refusals
from orchestrator.lab.estate.cmdlets.directory_session import Session
from orchestrator.lab.estate.cmdlets.table import Invocation, cmdlet
from orchestrator.lab.estate.genesis import CLASSES, DMSA_CLASS
from orchestrator.lab.estate.migration import MEMBERSHIP, Operation, Pair, Unwilling, migrate
from orchestrator.lab.estate.replica import Entry

_BITS = {"none": 0, "des": 3, "rc4": 4, "aes128": 8, "aes256": 16}
_KDS_DELAY = 10 * 3600


def _writing(call: Invocation, right: str = "write") -> Session:
    session = Session.connect(call, writes=True)
    if right not in call.rights:
        raise call.fail(refusals.insufficient_rights(call.name, call.text("Identity") or call.text("Name")))
    return session


def _migrating(call: Invocation, operation: Operation) -> Iterator[object]:
    session = _writing(call, "migrate")
    dmsa = session.find("ADServiceAccount", call.text("Identity"))
    superseded = call.text("SupersededAccount")
    account = session.replica.at_dn(superseded)
    if account is None or account.deleted:
        raise call.fail(refusals.identity_not_found(call.name, superseded, session.base))
    if session.dc.spec.build < 26100:
        raise call.fail(refusals.unwilling(call.name, dmsa.sam, "this DC does not know the operation"))
    estate = call.estate
    pair = Pair(estate.directory, str(session.dc.dc), dmsa, account, estate.spec.switches)
    try:
        migrate(pair, operation)
    except Unwilling as error:
        raise call.fail(refusals.unwilling(call.name, session.replica.dn(dmsa), str(error))) from None
    yield from ()


_PAIR = "Identity!:text SupersededAccount!:text Server:text"


@cmdlet("Start-ADServiceAccountMigration", _PAIR, writes=True, where="dc")
def start_migration(call: Invocation) -> Iterator[object]:
    """Link a dMSA with the account it is to supersede."""
    return _migrating(call, Operation.START)


@cmdlet("Complete-ADServiceAccountMigration", _PAIR, writes=True, where="dc")
def complete_migration(call: Invocation) -> Iterator[object]:
    """Switch over."""
    return _migrating(call, Operation.COMPLETE)


@cmdlet("Undo-ADServiceAccountMigration", _PAIR, writes=True, where="dc")
def undo_migration(call: Invocation) -> Iterator[object]:
    """Go one state back."""
    return _migrating(call, Operation.UNDO)


@cmdlet("Reset-ADServiceAccountMigration", _PAIR, writes=True, where="dc")
def reset_migration(call: Invocation) -> Iterator[object]:
    """Unlink."""
    return _migrating(call, Operation.RESET)


@cmdlet(
    "New-ADServiceAccount",
    "Name!:text DNSHostName!:text CreateDelegatedServiceAccount:flag KerberosEncryptionType:texts Path:text "
    "Description:text PrincipalsAllowedToRetrieveManagedPassword:texts SamAccountName:text "
    "ServicePrincipalNames:texts ManagedPasswordIntervalInDays:number PassThru:flag Server:text",
    writes=True,
    where="dc",
)
def new_service_account(call: Invocation) -> Iterator[object]:
    """Create a dMSA."""
    session = _writing(call)
    name = call.text("Name")
    sam = call.text("SamAccountName", name).rstrip("$") + "$"
    if not call.flag("CreateDelegatedServiceAccount"):
        raise call.fail(refusals.unwilling(call.name, name, "the lab creates delegated accounts only"))
    _needs_root_key(call, session, name)
    parent = _container(call, session)
    rdn = f"CN={dn.escape(name)}"
    taken = session.replica.at_dn(dn.join(rdn, session.replica.dn(parent)))
    if session.replica.account(sam) is not None or (taken is not None and not taken.deleted):
        raise call.fail(refusals.already_exists(call.name, name))
    spns = call.texts("ServicePrincipalNames")
    _unique(call, session, None, spns)
    sids = _sids(session, call.texts("PrincipalsAllowedToRetrieveManagedPassword"))
    directory = call.estate.directory
    guid = directory.create(
        str(session.dc.dc),
        parent,
        rdn,
        {
            "objectClass": CLASSES[DMSA_CLASS],
            "nTSecurityDescriptor": descriptor.default(directory.sid, DMSA_CLASS),
            "sAMAccountName": sam,
            "objectSid": directory.take_rid(),
            "userAccountControl": uac.WORKSTATION_TRUST,
            "dNSHostName": call.text("DNSHostName"),
            "description": call.text("Description") or None,
            "primaryGroupID": 515,
            "msDS-DelegatedMSAState": 0,
            "msDS-ManagedPasswordInterval": call.number("ManagedPasswordIntervalInDays", 30),
            "msDS-SupportedEncryptionTypes": _encryption(call),
            "servicePrincipalName": tuple(sorted(spns)),
            MEMBERSHIP: sids,
        },
    )
    if call.flag("PassThru"):
        yield session.show(session.replica.entries[guid], "ADServiceAccount")


def _needs_root_key(call: Invocation, session: Session, name: str) -> None:
    now = uac.filetime(call.estate.now) - _KDS_DELAY * 10_000_000
    base = f"CN=Configuration,{session.base}"
    keys = session.search("ADObject", "(objectClass=msKds-ProvRootKey)", base)
    if not any(key.number("msKds-UseStartTime") <= now for key in keys):
        raise call.fail(refusals.no_kds_key(call.name, name))


def _container(call: Invocation, session: Session) -> Entry:
    path = call.text("Path", f"CN=Managed Service Accounts,{session.base}")
    parent = session.replica.at_dn(path)
    if parent is None or parent.deleted:
        exception = "Microsoft.ActiveDirectory.Management.ADIdentityNotFoundException"
        message = "Directory object not found"
        raise call.fail(
            refusals.record(call.name, "ActiveDirectoryServer:8333", "ObjectNotFound", exception, message, path)
        )
    return parent


def _encryption(call: Invocation) -> int:
    if not call.given("KerberosEncryptionType"):
        return 28
    names = [part.strip().lower() for text in call.texts("KerberosEncryptionType") for part in text.split(",")]
    unknown = [name for name in names if name not in _BITS]
    if unknown:
        why = f"Unable to match the identifier name {unknown[0]} to a valid enumerator name."
        raise call.fail(refusals.bad_value(call.name, "KerberosEncryptionType", why))
    return sum({_BITS[name] for name in names})


def _sids(session: Session, principals: tuple[str, ...]) -> tuple[str, ...]:
    found = set()
    for text in principals:
        if text.upper().startswith("S-1-"):
            found.add(text.upper())
            continue
        entry = next((entry for kind in ("ADAccount", "ADGroup") for entry in _maybe(session, kind, text)), None)
        if entry is None:
            raise session.call.fail(refusals.identity_not_found(session.call.name, text, session.base))
        found.add(entry.sid)
    return tuple(sorted(found))


def _maybe(session: Session, kind: str, text: str) -> Iterator[Entry]:
    try:
        yield session.find(kind, text)
    except refusals.Terminating:
        return


def _unique(call: Invocation, session: Session, guid: UUID | None, spns: tuple[str, ...]) -> None:
    for spn in spns:
        holders = call.estate.directory.holders(str(session.dc.dc), spn)
        if any(holder.guid != guid for holder in holders):
            raise call.fail(refusals.duplicate_spn(call.name, spn))


def _changed_spns(call: Invocation, session: Session, entry: Entry) -> tuple[str, ...]:
    table = call.value("ServicePrincipalNames")
    assert isinstance(table, Mapping)
    spns = {spn.lower(): spn for spn in entry.texts("servicePrincipalName")}
    for verb, value in sorted(table.items(), key=lambda item: -len(item[0])):  # Remove before Add
        items = value if isinstance(value, list | tuple) else [value]
        for spn in map(str, items):
            if verb.lower() == "remove":
                spns.pop(spn.lower(), None)
            elif verb.lower() == "add":
                spns.setdefault(spn.lower(), spn)
            else:
                why = f"The lab knows Add and Remove, not {verb}."
                raise call.fail(refusals.bad_value(call.name, "ServicePrincipalNames", why))
    wished = tuple(sorted(spns.values()))
    _unique(call, session, entry.guid, tuple(set(wished) - set(entry.texts("servicePrincipalName"))))
    return wished


@cmdlet(
    "Set-ADServiceAccount",
    "Identity!:text PrincipalsAllowedToRetrieveManagedPassword:texts ServicePrincipalNames:table Server:text",
    writes=True,
    where="dc",
)
def set_service_account(call: Invocation) -> Iterator[object]:
    """Replace the whole list of allowed principals, or add and remove SPNs."""
    session = _writing(call)
    entry = session.find("ADServiceAccount", call.text("Identity"))
    values: dict[str, object] = {}
    if call.given("PrincipalsAllowedToRetrieveManagedPassword"):
        values[MEMBERSHIP] = _sids(session, call.texts("PrincipalsAllowedToRetrieveManagedPassword"))
    if call.given("ServicePrincipalNames"):
        values["servicePrincipalName"] = _changed_spns(call, session, entry)
    call.estate.directory.write(str(session.dc.dc), entry.guid, values)
    yield from ()


@cmdlet("Set-ADUser", "Identity!:text ServicePrincipalNames:table Server:text", writes=True, where="dc")
def set_user(call: Invocation) -> Iterator[object]:
    """Add and remove SPNs of a user."""
    session = _writing(call)
    entry = session.find("ADUser", call.text("Identity"))
    if call.given("ServicePrincipalNames"):
        spns = _changed_spns(call, session, entry)
        call.estate.directory.write(str(session.dc.dc), entry.guid, {"servicePrincipalName": spns})
    yield from ()


@cmdlet("Enable-ADAccount", "Identity!:text Server:text", writes=True, where="dc")
def enable_account(call: Invocation) -> Iterator[object]:
    """Enable an account."""
    session = _writing(call)
    entry = session.find("ADAccount", call.text("Identity"))
    control = entry.number("userAccountControl") & ~uac.DISABLED
    call.estate.directory.write(str(session.dc.dc), entry.guid, {"userAccountControl": control})
    yield from ()


@cmdlet("Set-ADObject", "Identity!:text ProtectedFromAccidentalDeletion:bool Server:text", writes=True, where="dc")
def set_object(call: Invocation) -> Iterator[object]:
    """Protect an object from accidental deletion."""
    session = _writing(call)
    entry = session.find("ADObject", call.text("Identity"))
    if call.given("ProtectedFromAccidentalDeletion"):
        if not call.flag("ProtectedFromAccidentalDeletion"):
            raise call.fail(_only_protects(call))
        call.estate.directory.protect(str(session.dc.dc), entry.guid)
    yield from ()


def _only_protects(call: Invocation) -> LabError:
    return refusals.bad_value(call.name, "ProtectedFromAccidentalDeletion", "The lab can only protect an object.")
