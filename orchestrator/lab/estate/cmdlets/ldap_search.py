"""A search by LDAP, as the lab's domain controllers answer it: from their own copy, with no module in between."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from orchestrator.lab.command import LabObject
from orchestrator.lab.estate import refusals
from orchestrator.lab.estate.cmdlets.table import Invocation, cmdlet
from orchestrator.lab.estate.genesis import DMSA_CLASS
from orchestrator.lab.estate.ldap import LdapSession


@cmdlet("ldapsearch", "Base!:text Account:text Properties!:texts", where="ldap")
def search(call: Invocation) -> Iterator[object]:
    """One object by its name, or the account of a name below it."""
    if "read" not in call.rights:
        raise call.fail(refusals.access_denied(call.name, call.machine.name))
    session = LdapSession(call.estate.directory, call.machine.name, "Administrator")
    account = call.text("Account")
    scope, wanted = ("Subtree", f"(sAMAccountName={account})") if account else ("Base", "(objectClass=*)")
    if "read-dmsa" not in call.rights:
        wanted = f"(&{wanted}(!(objectClass={DMSA_CLASS})))"
    asked = tuple(name for name in call.texts("Properties") if name.lower() not in call.hidden)
    for dn, attributes in session.search(call.text("Base"), scope, wanted, asked):
        yield LabObject(("LdapEntry",), {"dn": dn} | {name: _value(each) for name, each in attributes.items()})


def _value(values: tuple[str | bytes, ...]) -> object:
    first = values[0]
    return UUID(bytes_le=first) if isinstance(first, bytes) else list(values)
