"""What the contract asks of a directory, and the two that are held to it.

Values are text, links distinguished names. A refusal is the LDAP result code (RFC 4511, 4.1.9) with which Active
Directory refuses; what else a server says with it is its own.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeAlias
from uuid import UUID

import pytest
import yaml

from orchestrator.lab.estate import Estate
from orchestrator.lab.estate.ldap import LdapRefused, LdapSession, Modification
from orchestrator.lab.estate.ldap_codes import Code
from tests.samba import BASE, DOMAIN, PASSWORD, Samba

Values: TypeAlias = Mapping[str, Sequence[str]]
DMSA = "msDS-DelegatedManagedServiceAccount"
STATE, LINK, BACK = "msDS-DelegatedMSAState", "msDS-ManagedAccountPrecededByLink", "msDS-ManagedAccountPrecededByLinkBL"
OLD_STATE, OLD_LINK, OLD_BACK = (
    "msDS-SupersededServiceAccountState", "msDS-SupersededManagedAccountLink", "msDS-SupersededManagedAccountLinkBL",
)  # fmt: skip
SPN = "servicePrincipalName"
DIFFERENCES = yaml.safe_load(Path(__file__).with_name("differences.yaml").read_text(encoding="utf-8"))


class Copy(Protocol):
    """One domain controller's copy of the directory, and who looks at it."""

    def add(self, dn: str, kind: str, **values: str | Sequence[str]) -> None: ...
    def modify(self, dn: str, *changes: tuple[str, str, Sequence[str]]) -> None: ...
    def rename(self, dn: str, rdn: str, parent: str | None = None) -> None: ...
    def delete(self, dn: str) -> None: ...
    def search(self, base: str, scope: str, wanted: str, *names: str, deleted: bool = False) -> dict[str, Values]: ...
    def somebody(self, name: str) -> Copy:
        """A new user of no rank, and the same copy as that user sees it."""

    def grant(self, dn: str, name: str, rights: str, guid: str = "") -> None:
        """Give a user rights on an object."""

    def protect(self, dn: str) -> None:
        """Protect an object from accidental deletion."""


class Shorthand:
    """What can be said in terms of the above."""

    kind: ClassVar[str]
    search: Any
    add: Any
    modify: Any

    @contextmanager
    def differing(self, label: str):
        """Expect what the block says, or of the copy that ``differences.yaml`` names, the refusal that it names."""
        known = DIFFERENCES[label]
        if known["of"] != self.kind:
            yield
            return
        with refused(Code[known["refuses"]]):
            yield

    def read(self, dn: str, *names: str, deleted: bool = False) -> dict[str, Any] | None:
        """Return an object's attributes by folded name, a single value as such; None if it is not there."""
        found = self.search(dn, "Base", "(objectClass=*)", *names, deleted=deleted)
        for where, values in found.items():
            single = {name.lower(): each[0] if len(each) == 1 else tuple(sorted(each)) for name, each in values.items()}
            return {**single, "dn": where}
        return None

    def get(self, dn: str, name: str) -> Any:
        """Return one attribute; None if it is unset."""
        there = self.read(dn, name)
        assert there is not None, f"{dn} is not there"
        return there.get(name.lower())

    def find(self, wanted: str, base: str = BASE, scope: str = "Subtree", *, deleted: bool = False) -> list[str]:
        """Return the names of the objects that meet a filter."""
        return sorted(self.search(base, scope, wanted, "objectClass", deleted=deleted))

    def guid(self, dn: str) -> UUID:
        """Return an object's GUID."""
        return UUID(bytes_le=bytes.fromhex(self.get(dn, "objectGUID")))

    def user(self, name: str, ou: str, **more: str | Sequence[str]) -> str:
        """Add a user and return its name."""
        dn = f"CN={name},{ou}"
        self.add(dn, "user", sAMAccountName=name, **more)
        return dn

    def dmsa(self, name: str, ou: str, **more: str | Sequence[str]) -> str:
        """Add a dMSA and return its name."""
        dn = f"CN={name},{ou}"
        must = {"msDS_DelegatedMSAState": "0", "msDS_ManagedPasswordInterval": "30", "sAMAccountName": f"{name}$"}
        self.add(dn, DMSA, **{**must, "userAccountControl": "4096", **more})
        return dn

    def set(self, dn: str, name: str, *values: str) -> None:
        """Replace an attribute."""
        self.modify(dn, ("replace", name, values))


@contextmanager
def refused(*codes: Code):
    """Expect a refusal with one of these codes."""
    with pytest.raises(LdapRefused) as caught:
        yield
    assert caught.value.code in codes, caught.value


def _named(values: Mapping[str, str | Sequence[str]]) -> dict[str, list[str]]:
    return {
        name.replace("_", "-"): [value] if isinstance(value, str) else list(value) for name, value in values.items()
    }


class EstateCopy(Shorthand):
    """The simulated estate's."""

    kind = "estate"

    def __init__(self, estate: Estate, who: str = "Administrator") -> None:
        self.estate = estate
        self._session = LdapSession(estate.directory, "dc01.corp.example", who)

    def add(self, dn, kind, **values):
        self._session.add(dn, kind, _named(values))

    def modify(self, dn, *changes):
        self._session.modify(dn, *(Modification(*change) for change in changes))

    def rename(self, dn, rdn, parent=None):
        self._session.rename(dn, rdn, parent)

    def delete(self, dn):
        self._session.delete(dn)

    def search(self, base, scope, wanted, *names, deleted=False):
        found = self._session.search(base, scope, wanted, names, deleted=deleted)
        return {dn: {name: [_shown(value) for value in each] for name, each in values.items()} for dn, values in found}

    def somebody(self, name):
        self.user(name, f"CN=Users,{BASE}")
        return EstateCopy(self.estate, name)

    def grant(self, dn, name, rights, guid=""):
        self._session.grant(dn, name, rights, guid)

    def protect(self, dn):
        directory = self.estate.directory
        directory.protect("dc01.corp.example", directory.replicas["dc01.corp.example"].at_dn(dn).guid)


def _shown(value: str | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else value


_BINARY = {"objectguid", "objectsid", "ntsecuritydescriptor"}


class SambaCopy(Shorthand):
    """Samba's, by LDAP over TLS."""

    kind = "samba"

    def __init__(self, controller: Samba, who: str) -> None:
        import ldap

        self._ldap = ldap
        self._controller = controller
        self._to = ldap.initialize(f"ldap://{controller.address}")
        self._to.set_option(ldap.OPT_REFERRALS, 0)
        self._to.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_NEVER)  # whom we talk to is the witness's case
        self._to.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        self._to.start_tls_s()
        self._to.simple_bind_s(who, PASSWORD)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_):
        self._to.unbind_s()

    @contextmanager
    def _saying(self):
        try:
            yield
        except self._ldap.LDAPError as error:
            said = error.args[0]
            raise LdapRefused(Code(said["result"]), said.get("info", "")) from None

    def add(self, dn, kind, **values):
        given = {"objectClass": [kind], **_named(values)}
        with self._saying():
            self._to.add_s(dn, [(name, [value.encode() for value in each]) for name, each in given.items()])

    def modify(self, dn, *changes):
        kinds = {"add": self._ldap.MOD_ADD, "delete": self._ldap.MOD_DELETE, "replace": self._ldap.MOD_REPLACE}
        sent = [(kinds[kind], name, [value.encode() for value in each] or None) for kind, name, each in changes]
        with self._saying():
            self._to.modify_s(dn, sent)

    def rename(self, dn, rdn, parent=None):
        with self._saying():
            self._to.rename_s(dn, rdn, parent)

    def delete(self, dn):
        with self._saying():
            self._to.delete_s(dn)

    def search(self, base, scope, wanted, *names, deleted=False):
        controls = [self._ldap.controls.LDAPControl("1.2.840.113556.1.4.417", True)] if deleted else []
        scopes = {"Base": self._ldap.SCOPE_BASE, "OneLevel": self._ldap.SCOPE_ONELEVEL}
        try:
            found = self._to.search_ext_s(
                base, scopes.get(scope, self._ldap.SCOPE_SUBTREE), wanted, list(names), serverctrls=controls
            )
        except self._ldap.NO_SUCH_OBJECT:
            return {}
        return {
            dn: {
                name: [value.hex() if name.lower() in _BINARY else value.decode() for value in each]
                for name, each in values.items()
            }
            for dn, values in found
            if dn is not None
        }

    def somebody(self, name):
        quoted = f'"{PASSWORD}"'.encode("utf-16-le")  # MS-ADTS 3.1.1.3.1.5: a password is written so, under TLS
        with self._saying():
            values = {
                "objectClass": b"user",
                "sAMAccountName": name.encode(),
                "userPrincipalName": f"{name}@{DOMAIN}".encode(),
            }
            values |= {"unicodePwd": quoted, "userAccountControl": b"512"}
            self._to.add_s(f"CN={name},CN=Users,{BASE}", [(each, [value]) for each, value in values.items()])
        return SambaCopy(self._controller, f"{name}@{DOMAIN}")

    def grant(self, dn, name, rights, guid=""):
        sid = self._sid(f"CN={name},CN=Users,{BASE}")
        self._acl(dn, f"(OA;;{rights};{guid};;{sid})" if guid else f"(A;;{rights};;;{sid})")

    def protect(self, dn):
        self._acl(dn, "(D;;DTSD;;;WD)")
        self._acl(dn.partition(",")[2], "(D;;DC;;;WD)")

    def _sid(self, dn: str) -> str:
        raw = bytes.fromhex(self.get(dn, "objectSid"))
        rest = [int.from_bytes(raw[start : start + 4], "little") for start in range(8, len(raw), 4)]
        return "-".join(map(str, ("S", raw[0], int.from_bytes(raw[2:8], "big"), *rest)))

    def _acl(self, dn: str, sddl: str) -> None:
        store = str(self._controller.folder / "private/sam.ldb")
        command = ["samba-tool", "dsacl", "set", "-H", store, f"--objectdn={dn}", f"--sddl={sddl}"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
