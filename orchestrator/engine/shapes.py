"""What the output of a statement looks like: which objects, about what, and how many.

A pipeline's output comes back unlabelled. A shape says of an object whether a statement could have put it out. It errs
towards *yes*: a statement may be given too wide a shape, never one that its own output does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from orchestrator.model.call import Cmdlet
from orchestrator.model.dn import parse_dn
from orchestrator.model.observation import Record, RemoteError
from orchestrator.model.token import asks_token
from orchestrator.model.users_of import NO_NAMESPACE

_KINDS: Mapping[str, str] = {
    "Get-ADUser": "ADUser",
    "Get-ADServiceAccount": "ADServiceAccount",
    "Get-ADComputer": "ADComputer",
    "Get-ADGroup": "ADGroup",
    "Get-ADObject": "ADObject",
    "Get-ADRootDSE": "ADRootDSE",
    "Get-ADDomainController": "ADDomainController",
    "Get-ADReplicationPartnerMetadata": "ADReplicationPartnerMetadata",
    "Get-ADReplicationFailure": "ADReplicationFailure",
    "Get-KdsRootKey": "KdsRootKey",
    "Get-DmsaDescriptor": "ActiveDirectorySecurity",
    "Get-Service": "ServiceController",
    "Get-ItemProperty": "PSCustomObject",
    "Get-ScheduledTask": "MSFT_ScheduledTask",
    "Get-ScheduledTaskInfo": "MSFT_TaskDynamicInfo",
    "Export-ScheduledTask": "text",
    "Test-Path": "truth",
}
"""The class of what each puts out (Microsoft Learn, OUTPUTS of each cmdlet's page). A statement that is missing here
travels alone: ``Get-WebAppPoolState``, whose answer may be a bare word, and ``Get-WinEvent``, which may take as long as
a call may take."""
_ONE_EACH = frozenset({"Get-ADRootDSE", "Get-DmsaDescriptor", "Test-Path"})
_ONE_INSTANCE = frozenset({"Win32_OperatingSystem", "Win32_ComputerSystem"})
_ALWAYS_SHOWN = frozenset({"distinguishedname", "objectguid", "samaccountname"})
"""What comes back of an account whatever was asked for (Microsoft Learn, Get-ADUser, -Properties)."""
_WILD = re.compile(r"[*?\[\]`]")
_LDAP_TEST = re.compile(r"\(([A-Za-z][A-Za-z0-9-]*)=([^()*]+)\)")
_LDAP_ESCAPE = re.compile(r"\\([0-7][0-9a-fA-F])")
_WQL_TEST = re.compile(r"([A-Za-z]\w*)='((?:[^'\\]|\\.)*)'")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Shape:
    """The objects of one statement: of which class, from *least* to *most* (None: any number).

    ``field``: the property that says which object it is, where one does; it has one of *values*, folded.
    """

    kind: str
    least: int = 0
    most: int | None = None
    field: str = ""
    values: frozenset[str] = frozenset()

    @property
    def exact(self) -> bool:
        """Whether it is always the same number of objects."""
        return self.least == self.most

    def fits(self, record: Record) -> bool:
        """Whether the statement could have put this object out."""
        if mark(record) != self.kind:
            return False
        if not self.field:
            return True
        shown = [_folded(text) for text in record.texts(self.field)]
        return not all(text.isascii() for text in (*shown, *self.values)) or not self.values.isdisjoint(shown)

    def like(self, other: Shape) -> bool:
        """Whether an object may exist that fits both."""
        if self.kind != other.kind:
            return False
        if not self.field or self.field != other.field:
            return True
        told = all(text.isascii() for text in (*self.values, *other.values))
        return not told or not self.values.isdisjoint(other.values)


def mark(record: Record) -> str:
    """Return the class of an object, or what sort of bare value it is."""
    bare = record.properties.get("")
    if isinstance(bare, bool):
        return "truth"
    return "text" if isinstance(bare, str) and len(record.properties) == 1 else record.kind


@lru_cache(4096)
def _folded(text: str) -> str:
    """Return a name without regard to case, spelling of DNs and braces of GUIDs."""
    if "=" in text:
        try:
            return repr(parse_dn(text))
        except ValueError:
            pass
    return " ".join(text.strip("{}").casefold().split())


def shape_of(statement: Cmdlet) -> Shape | None:
    """Return the shape of a statement's output; None where it must travel alone."""
    given = statement.parameters
    if asks_token(statement):
        return None
    if statement.name == "Get-CimInstance":
        return _of_instances(statement)
    kind = _KINDS.get(statement.name)
    if kind is None:
        return None
    silent = given.get("ErrorAction") == "SilentlyContinue"
    if statement.name in _ONE_EACH:
        return Shape(kind, 0 if silent else 1, 1)
    if statement.name == "Get-ItemProperty":
        return Shape(kind, 0, 1)
    if "Identity" in given:
        identity = str(given["Identity"])
        field = "ObjectGUID" if _GUID.fullmatch(identity) else "DistinguishedName" if "=" in identity else ""
        return Shape(kind, 0 if silent else 1, 1, field, frozenset({_folded(identity)}) if field else frozenset())
    if "LDAPFilter" in given:
        return _of_search(kind, statement)
    return _of_names(kind, statement)


def _of_instances(statement: Cmdlet) -> Shape:
    kind = str(statement.parameters.get("ClassName"))
    if kind in _ONE_INSTANCE:
        return Shape(kind, 1, 1)
    tests = str(statement.parameters.get("Filter", "")).split(" OR ")
    found = [_WQL_TEST.fullmatch(test) for test in tests]
    names = {one[1].lower() for one in found if one}
    shown = statement.parameters.get("Property")
    if not all(found) or len(names) != 1 or not isinstance(shown, tuple) or not names <= _lower(shown):
        return Shape(kind)
    values = frozenset(_folded(re.sub(r"\\(.)", r"\1", one[2])) for one in found if one)
    return Shape(kind, field=names.pop(), values=values)


def _of_search(kind: str, statement: Cmdlet) -> Shape:
    """Take a filter apart that compares one attribute that comes back; any other finds what nobody can tell."""
    text = str(statement.parameters["LDAPFilter"])
    inner = text[2:-1] if text.startswith("(|(") and text.endswith("))") else text
    tests = _LDAP_TEST.findall(inner)
    names = {name.lower() for name, _ in tests}
    values = [_LDAP_ESCAPE.sub(lambda octet: chr(int(octet[1], 16)), value) for _, value in tests]
    asked = statement.parameters.get("Properties")
    shown = _ALWAYS_SHOWN - ({"samaccountname"} if kind == "ADObject" else frozenset())
    shown |= _lower(asked) if isinstance(asked, tuple) else frozenset()
    whole = "".join(f"({name}={value})" for name, value in tests) == inner
    if not whole or len(names) != 1 or not names <= shown or any("\\" in value for value in values) or _binary(names):
        return Shape(kind)
    return Shape(kind, field=names.pop(), values=frozenset(map(_folded, values)))


def _binary(names: set[str]) -> bool:
    return not names.isdisjoint({"objectsid", "objectguid"})


def _lower(names: tuple[object, ...]) -> frozenset[str]:
    return frozenset(str(name).lower() for name in names)


def _of_names(kind: str, statement: Cmdlet) -> Shape:
    """Take the names that services and tasks are asked for by; a wildcard in one finds others."""
    field = "Name" if statement.name == "Get-Service" else "TaskName"
    given = statement.parameters.get(field)
    names = given if isinstance(given, tuple) else (given,)
    if not all(isinstance(name, str) and not _WILD.search(name) for name in names) or kind == "text":
        return Shape(kind)
    return Shape(kind, field=field, values=frozenset(_folded(str(name)) for name in names))


def may_have_raised(statement: Cmdlet, error: RemoteError) -> bool:
    """Whether an error record could be a statement's."""
    if error.id.lower().startswith(NO_NAMESPACE) and "Namespace" not in statement.parameters:
        return False
    names = {statement.name.lower()}
    if statement.name == "Get-DmsaDescriptor":  # it is two cmdlets where it is no function
        names |= {"get-adobject", "select-object"}
    named = error.cmdlet or (error.target if error.id.startswith("CommandNotFoundException") else "")
    return not named or named.lower() in names


def is_about(statement: Cmdlet, error: RemoteError) -> bool:
    """Whether an error record names just the object that a statement asks for."""
    identity = statement.parameters.get("Identity")
    return isinstance(identity, str) and bool(error.target) and _folded(identity) == _folded(error.target)
