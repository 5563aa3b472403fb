"""What a far side answers to reads, from a few lines of YAML: the observations of step and guard cases.

Whatever a case leaves out is an ordinary, healthy estate: two domain controllers, an account, its dMSA, the hosts of
the plan. Nothing here knows the simulated estate; the answers have the shape in which replies arrive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from orchestrator.engine.merge import merge
from orchestrator.model.call import Cmdlet, Read
from orchestrator.model.case import Seen
from orchestrator.model.directory import ACCOUNT_LINK, ACCOUNT_STATE, DMSA_CLASS, DMSA_LINK, DMSA_STATE, PRINCIPALS
from orchestrator.model.escape import sid_octets
from orchestrator.model.host import ENABLED, KERBEROS_KEY, KERBEROS_PARENT
from orchestrator.model.observation import Fault, FaultKind, Outcome, RemoteError, Reply
from orchestrator.model.observation import Record as Found

ACCOUNT = "CN=svc-app,OU=Service Accounts,DC=corp,DC=example"
DMSA = "CN=dmsa-app,OU=Managed,DC=corp,DC=example"
ABSENT = "(absent)"
"""As a value in a case: the property did not come back."""

_ACCOUNT = {
    "ObjectGUID": UUID(int=1),
    "DistinguishedName": ACCOUNT,
    "SID": "S-1-5-21-1-2-3-1105",
    "SamAccountName": "svc-app",
    "ObjectClass": "user",
    "userAccountControl": 0x200,
    "ProtectedFromAccidentalDeletion": True,
    "primaryGroupID": 513,
    "servicePrincipalName": ["HTTP/app.corp.example"],
    "pwdLastSet": 133_823_880_000_000_000,
    "accountExpires": 0x7FFFFFFFFFFFFFFF,
    "msDS-SupportedEncryptionTypes": 24,
    "msDS-User-Account-Control-Computed": 0,
    "msDS-UserPasswordExpiryTimeComputed": 0x7FFFFFFFFFFFFFFF,
    "msDS-PrincipalName": r"CORP\svc-app",
}
_DELETED = {
    "ObjectGUID": UUID(int=1),
    "DistinguishedName": f"CN=svc-app\\0ADEL:{UUID(int=1)},CN=Deleted Objects,DC=corp,DC=example",
    "ObjectClass": "user",
    "isDeleted": True,
    "lastKnownParent": "OU=Service Accounts,DC=corp,DC=example",
    "whenChanged": datetime(2026, 3, 1, 8, 30, tzinfo=UTC),
    "primaryGroupID": 513,
}
_DMSA = {
    "ObjectGUID": UUID(int=2),
    "DistinguishedName": DMSA,
    "SamAccountName": "dmsa-app$",
    "ObjectClass": DMSA_CLASS,
    "userAccountControl": 0x1000,
    DMSA_STATE: 0,
}
_LINKED = ({ACCOUNT_LINK: DMSA}, {DMSA_LINK: ACCOUNT})
_MOVED = (
    {"userAccountControl": 0x202, "servicePrincipalName": []},
    {"servicePrincipalName": ["HTTP/app.corp.example"]},
)
_PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "0/-": ({}, {}),
    "1/1": ({ACCOUNT_STATE: 1, **_LINKED[0]}, {DMSA_STATE: 1, **_LINKED[1]}),
    "2/2": ({ACCOUNT_STATE: 2, **_LINKED[0], **_MOVED[0]}, {DMSA_STATE: 2, **_LINKED[1], **_MOVED[1]}),
    "broken": ({}, {DMSA_STATE: 1, **_LINKED[1]}),
}
_CONTROLLER = {"IsReadOnly": False, "IsGlobalCatalog": True, "OperatingSystemVersion": "10.0 (26100)"}
_CONFIGURATION = "CN=Configuration,DC=corp,DC=example"
_SCHEMA = f"CN=Schema,{_CONFIGURATION}"
_RECYCLE_BIN = f"CN=Recycle Bin Feature,CN=Optional Features,CN=Directory Service,CN=Windows NT,{_CONFIGURATION}"
_DIRECTORY: dict[str, Any] = {
    "controllers": [{"HostName": "dc01.corp.example"}, {"HostName": "dc02.corp.example"}],
    "root": [{"schemaNamingContext": _SCHEMA, "configurationNamingContext": _CONFIGURATION}],
    "schema": [{"objectVersion": 91}],
    "class": [{"lDAPDisplayName": DMSA_CLASS}],
    "forest": [],
    "keys": [{"EffectiveTime": datetime(2026, 1, 1, tzinfo=UTC)}],
    "groups": [{"SID": "S-1-5-21-1-2-3-1200", "Name": "App operators"}],
    "partitions": [{"DistinguishedName": f"CN=Partitions,{_CONFIGURATION}", "msDS-EnabledFeature": [_RECYCLE_BIN]}],
    "named": [],
}
_TOKEN = ["S-1-5-21-1-2-3-512", "S-1-5-11"]
_WINDOWS = r"HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_SERVICE = {"State": "Running", "StartMode": "Auto", "StartName": r"CORP\svc-app"}
_SDDL = "O:DAG:DAD:AI(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;DA)(A;;LCRPLORC;;;AU)"
_PEOPLE: dict[str, dict[str, Any]] = {
    "Administrators": {"sid": "S-1-5-32-544"},
    "Account Operators": {"sid": "S-1-5-32-548", "class": "group"},
    "Domain Admins": {"sid": 512, "in": ["Administrators"]},
    "Administrator": {"sid": 500, "in": ["Domain Admins"], "primary": 513},
    "svc-app": {"sid": 1105, "primary": 513},
}
_LONG_AGO = datetime(2026, 1, 2, tzinfo=UTC)
_TYPES = "msDS-SupportedEncryptionTypes"


def _in_forest(asks: Mapping[str, Any]) -> bool:
    return str(asks["Server"]).endswith(":3268")


def _which(asks: Mapping[str, Any]) -> str:
    """Return which of the case's lists a search of the directory is about."""
    if "Identity" in asks:
        return "partitions" if str(asks["Identity"]).startswith("CN=Partitions") else "schema"
    if not _in_forest(asks):
        return "class"
    return "named" if "(sAMAccountName=" in str(asks["LDAPFilter"]) else "forest"


def _as_texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)


class Refusal(Exception):
    """The statement ends its pipeline."""

    def __init__(self, category: str, message: str, cmdlet: str) -> None:
        super().__init__(message)
        self.error = RemoteError(category, category, "", message, cmdlet=cmdlet)


class FarSide:
    """Answers reads from the facts of a case.

    ``account``, ``dmsa``, ``pair``: the two objects (``null``: not there), ``deleted``: what is left of the account
    among the deleted, ``copies``: what another DC shows, ``ldap``: what a DC shows by LDAP where that is not what it
    shows by cmdlets;
    ``controllers``, ``root``, ``schema``, ``class``, ``keys``, ``groups``, ``partitions``, ``named`` and ``forest``
    (what the global catalog finds): lists of objects; ``token``: the operator's, ``builds`` and ``replication``
    (``partners``, ``failures``) of domain controllers; ``computers``: DNS names of existing computers, ``about``: more
    of what one shows, ``members``: who is in a group; ``people``: who there is, by name: ``sid`` (or RID), ``in``
    which groups, ``primary`` group, ``class``; ``hosts``: ``services``, ``tasks``, ``pools``, ``system``,
    ``encryption``, ``log_on`` of tasks and pools, ``exported`` tasks that the plan does not name (``alone``: not told
    with all texts), ``iis``, ``cluster``, and of the switch ``key``, ``parent``, ``value``; ``descriptors``: SDDL by
    GUID or DN; ``addresses``: of hosts by name, ``logs``: of DCs by name, each ``found`` (events: ``id``, ``at``,
    ``record``, ``message``, and ``by``: a part
    of the query that finds it), ``reach`` (null: no further than the window), ``error`` of the log itself; ``faults``:
    endpoints that do not answer; ``unasked``: endpoints
    whose reads were never sent; ``refused``: cmdlets that are denied.
    """

    def __init__(self, facts: Mapping[str, Any], hosts: Mapping[str, tuple[str, ...]], at: datetime) -> None:
        self.facts, self.services, self.at = facts, hosts, at

    def seen(self, dmsa: str, reads: tuple[Read, ...], before: Seen | None = None) -> Seen:
        """Return what a round of reads brings."""
        unasked = self.facts.get("unasked", ())
        asked = [read for read in merge(reads) if read.endpoint.partition(".")[0] not in unasked]
        return (before or Seen(dmsa)).plus([(read, self.reply(read)) for read in asked])

    def _log(self, dc: str, statement: Cmdlet) -> Iterator[Found | RemoteError]:
        """Yield events, or the error that does not end the pipeline."""
        log, query = self.facts.get("logs", {}).get(dc, {}), str(statement.parameters["FilterXPath"])
        if "error" in log:
            yield RemoteError(log["error"], "ObjectNotFound", "", "There is not an event log", cmdlet="Get-WinEvent")
            return
        reach = [{"id": 4768, "at": self.at - timedelta(days=8), "record": 1, "by": ">= "}]
        events = [*([] if "reach" in log and log["reach"] is None else reach), *log.get("found", ())]
        found = [event for event in events if event.get("by", "!=") in query and f"EventID={event['id']} " in query]
        if not found:
            yield RemoteError("NoMatchingEventsFound,x", "ObjectNotFound", "", "No events", cmdlet="Get-WinEvent")
        for event in found:
            shown = {"Id": event["id"], "RecordId": event["record"], "TimeCreated": event["at"]}
            yield _found("EventLogRecord", {**shown, "Message": event.get("message", "")})

    def reply(self, read: Read) -> Reply:
        """Answer one pipeline: statement after statement, up to the first that ends it."""
        fault = self.facts.get("faults", {}).get(read.endpoint.partition(".")[0])
        if fault is not None:
            kind = FaultKind(fault.get("kind", "transient"))
            outcome = Outcome.UNKNOWN if kind is FaultKind.UNKNOWN else Outcome.FAILED
            message = fault.get("message", f"{read.endpoint} refuses connections")
            reached = fault.get("reached", False)
            remedy = "Check that the host is up."
            room = {"busy": fault.get("busy", False), "after": fault.get("after", 0.0)}
            return Reply(outcome, fault=Fault(kind, fault.get("code", "refused"), message, remedy, reached, **room))
        records: list[Found] = []
        errors: list[RemoteError] = []
        try:
            for statement in read.statements:
                for one in self._answer(read.endpoint, statement):
                    errors.append(one) if isinstance(one, RemoteError) else records.append(one)
                errors += self._complaints(read.endpoint, statement)
        except Refusal as refusal:
            fault = Fault(FaultKind.PERMANENT, refusal.error.id, refusal.error.message)
            return Reply(Outcome.FAILED, tuple(records), (refusal.error,), fault)
        return Reply(Outcome.SUCCEEDED, tuple(records), tuple(errors))

    def _complaints(self, endpoint: str, statement: Cmdlet) -> Iterator[RemoteError]:
        """Yield the errors that do not end a pipeline: a host that is no node of a cluster lacks the namespace."""
        facts = self.facts.get("hosts", {}).get(endpoint.partition(".")[0], {})
        if statement.parameters.get("Namespace") and "cluster" not in facts:
            id_ = facts.get("namespace", "HRESULT 0x8004100e") + ",CimCmdlets.GetCimInstanceCommand"
            yield RemoteError(id_, "ObjectNotFound", "", f"{id_} of root/MSCluster", cmdlet=statement.name)

    def _answer(self, endpoint: str, statement: Cmdlet) -> Iterator[Found | RemoteError]:
        if statement.name in self.facts.get("refused", ()):
            raise Refusal("PermissionDenied", "Access is denied", statement.name)
        asks = statement.parameters
        match statement.name:
            case "Get-ADUser" | "Get-ADServiceAccount":
                yield from self._objects(str(asks["Server"]), statement.name)
            case "ldapsearch":
                yield from self._by_ldap(endpoint.removeprefix("ldap:"), "Account" in asks, asks["Properties"])
            case "Get-ADComputer":
                yield from self._computers(str(asks["LDAPFilter"]), _as_texts(asks.get("Properties", ())))
            case "Get-ADObject":
                yield from self._searched(endpoint, asks)
            case "Get-WinEvent":
                yield from self._log(endpoint.partition(".")[0], statement)
            case "Get-DmsaDescriptor":
                sddl = self.facts.get("descriptors", {}).get(str(asks["Identity"]), _SDDL)
                yield _found("ActiveDirectorySecurity", {"Sddl": sddl})
            case "Get-ADRootDSE" if "tokenGroups" in asks["Properties"]:
                yield self._token()
            case "Get-ADDomainController" | "Get-ADRootDSE" | "Get-KdsRootKey" | "Get-ADGroup":
                key = {"Controller": "controllers", "RootDSE": "root", "RootKey": "keys", "Group": "groups"}
                yield from self._listed(
                    next(word for end, word in key.items() if statement.name.endswith(end)),
                    statement.name.partition("-")[2],
                )
            case _:
                yield from self._controller(endpoint.partition(".")[0], statement)

    def _searched(self, endpoint: str, asks: Mapping[str, Any]) -> Iterator[Found]:
        if "IncludeDeletedObjects" in asks:
            yield self._deleted(endpoint, str(asks["Identity"]))
        elif str(asks.get("LDAPFilter", "")).startswith("(|") and not _in_forest(asks):
            yield from self._people(str(asks["LDAPFilter"]))
        else:
            yield from self._listed(_which(asks), "ADObject")

    def _controller(self, name: str, statement: Cmdlet) -> Iterator[Found]:
        """Answer what only a domain controller is asked."""
        asks = statement.parameters
        match statement.name:
            case "Get-ADReplicationPartnerMetadata" | "Get-ADReplicationFailure":
                yield from self._replication(statement.name, str(asks["Target"]).partition(".")[0])
            case "Get-ItemProperty" if asks["LiteralPath"] == _WINDOWS:
                given = self.facts.get("builds", {}).get(name, {})
                if given is not None:
                    yield _found("PSCustomObject", {"CurrentBuild": "26100", "UBR": 6584, "PSPath": _WINDOWS} | given)
            case _:
                yield from self._host(name, statement)

    def _listed(self, key: str, kind: str) -> Iterator[Found]:
        for given in self.facts.get(key, _DIRECTORY[key]):
            yield _found(kind, (_CONTROLLER if key == "controllers" else {}) | given)

    def _token(self) -> Found:
        if self.facts.get("token", _TOKEN) is None:
            raise Refusal("InvalidArgument", "One or more properties are invalid", "Get-ADRootDSE")
        return _found("ADRootDSE", {"tokenGroups": self.facts.get("token", _TOKEN)})

    def _replication(self, asked_by: str, name: str) -> Iterator[Found]:
        given = self.facts.get("replication", {}).get(name, {})
        about = {"Server": f"{name}.corp.example", "Partner": f"CN=NTDS Settings,CN=DC09,CN=Servers,{_CONFIGURATION}"}
        if asked_by.endswith("Metadata"):
            success = {"LastReplicationSuccess": self.at - timedelta(minutes=10), "ConsecutiveReplicationFailures": 0}
            for partner in given.get("partners", [{}]):
                yield _found("ADReplicationPartnerMetadata", about | success | partner)
        else:
            for failure in given.get("failures", []):
                yield _found("ADReplicationFailure", about | {"FailureCount": 1, "LastError": 1722} | failure)

    def _people(self, asked: str) -> Iterator[Found]:
        """Answer for those whose SID, name, group or primary group is asked for."""
        known = {**_PEOPLE, **self.facts.get("people", {})}
        below = {name: f"CN={name},CN=Users,DC=corp,DC=example" for name in known}

        def above(name: str) -> set[str]:
            direct = set(known[name].get("in", ()))
            return direct.union(*(above(one) for one in direct))

        for name, one in known.items():
            sid = one["sid"] if str(one["sid"]).startswith("S-1-") else f"S-1-5-21-1-2-3-{one['sid']}"
            by = [f"(objectSid={sid_octets(sid)})", f"(sAMAccountName={name.lower()})"]
            by += [f"1941:={below[group]})" for group in above(name)]
            by += [f"(primaryGroupID={one['primary']})"] if "primary" in one else []
            if any(text in asked for text in by):
                kind = one.get("class", "group" if any(name in o.get("in", ()) for o in known.values()) else "user")
                within = [below[group] for group in one.get("in", ())]
                inside = [below[other] for other, o in known.items() if name in o.get("in", ())]
                inside += one.get("elsewhere", [])
                shown = {"objectSid": sid, "sAMAccountName": name, "Name": name, "ObjectClass": kind}
                links = {"DistinguishedName": below[name], "memberOf": within, "member": inside}
                yield _found("ADObject", {**shown, **links, "primaryGroupID": one.get("primary")})

    def _objects(self, server: str, asked_by: str) -> Iterator[Found]:
        facts = {**self.facts, **self.facts.get("copies", {}).get(server.partition(".")[0], {})}
        ours, theirs = _PAIRS[facts.get("pair", "0/-")]
        if asked_by == "Get-ADServiceAccount":
            if facts.get("dmsa", {}) is not None:
                yield _found("ADServiceAccount", {**_DMSA, **theirs, **_principals(facts), **facts.get("dmsa", {})})
        elif facts.get("account", {}) is None:
            raise Refusal("ObjectNotFound", f"Cannot find an object with identity on {server}", asked_by)
        else:
            yield _found("ADUser", {**_ACCOUNT, **ours, **facts.get("account", {})})

    def _deleted(self, endpoint: str, asked: str) -> Found:
        if self.facts.get("deleted", {}) is None or asked != str(_ACCOUNT["ObjectGUID"]):
            raise Refusal("ObjectNotFound", f"Cannot find an object with identity on {endpoint}", "Get-ADObject")
        return _found("ADObject", {**_DELETED, **self.facts.get("deleted", {})})

    def _by_ldap(self, server: str, asks_dmsa: bool, names: tuple[str, ...]) -> Iterator[Found]:
        short = server.partition(".")[0]
        here = [self.facts.get(way, {}).get(short, {}) for way in ("copies", "ldap")]
        facts = {**self.facts, **here[0], **here[1]}
        standing = _PAIRS[facts.get("pair", "0/-")][asks_dmsa]
        given = facts.get("dmsa" if asks_dmsa else "account", {})
        if given is not None:
            values = {**(_DMSA if asks_dmsa else _ACCOUNT), **standing, **given, "sAMAccountName": None}
            values["sAMAccountName"] = "dmsa-app$" if asks_dmsa else "svc-app"
            shown = {name: _as_texts(values.get(name)) for name in names if values.get(name) not in (None, ABSENT)}
            yield Found("LdapEntry", {"dn": values["DistinguishedName"], **shown, "objectGUID": values["ObjectGUID"]})

    def _computers(self, asked: str, properties: tuple[str, ...]) -> Iterator[Found]:
        known = self.facts.get("computers", [f"{name}.corp.example" for name in ("app01", "app02")])
        groups = self.facts.get("members", {})
        inside = [name for group, names in groups.items() if group in asked for name in names]
        for name in (*known, *inside):
            if f"={name})" in asked or computer(name) in asked or name in inside:
                shown = {"DistinguishedName": computer(name), "dNSHostName": name}
                shown |= self.facts.get("about", {}).get(name.partition(".")[0], {})
                if "IPv4Address" in properties:
                    shown |= self.facts.get("addresses", {}).get(name.partition(".")[0], {"IPv4Address": "10.0.0.1"})
                if _TYPES in properties:
                    given = self.facts.get("hosts", {}).get(name.partition(".")[0], {})
                    shown[_TYPES] = given.get("encryption", 28)
                yield _found("ADComputer", shown)

    def _host(self, name: str, statement: Cmdlet) -> Iterator[Found]:
        facts = self.facts.get("hosts", {}).get(name, {})
        asks = statement.parameters
        match statement.name:
            case "Get-CimInstance":
                yield from self._cim(name, str(asks["ClassName"]), str(asks.get("Filter")).lower())
            case "Test-Path":
                there = {KERBEROS_KEY: facts.get("key", True), KERBEROS_PARENT: facts.get("parent", True)}
                yield _found("Boolean", {"": there[str(asks["LiteralPath"])]})
            case "Get-ItemProperty" if facts.get("value") is not None:
                yield _found("PSCustomObject", {ENABLED: facts["value"], "PSPath": KERBEROS_KEY})
            case "Get-Service":
                for service in asks["Name"]:  # type: ignore[union-attr]
                    given = facts.get("services", {}).get(service, {})
                    if given is not None:
                        needs = given.get("dependents", [])
                        yield _found("ServiceController", {"Name": service, "DependentServices": needs})
            case "Get-WebAppPoolState":
                yield _found("WebState", {"Value": facts.get("pools", {}).get(asks["Name"], "Started")})
            case "Get-WebConfigurationProperty" | "Export-ScheduledTask":
                yield from _log_ons(facts, statement)
            case "Get-ScheduledTask" | "Get-ScheduledTaskInfo":
                yield from self._task(facts, statement)

    def _cim(self, host: str, kind: str, wanted: str) -> Iterator[Found]:
        if kind == "MSCluster_Resource":
            for name, type_ in self.facts.get("hosts", {}).get(host, {}).get("cluster", {}).items():
                yield _found(kind, {"Name": name, "Type": type_, "OwnerGroup": "Role", "OwnerNode": host})
        elif kind == "Win32_Service" and "startname<>" in wanted:
            yield from (one for one, _ in self._services(host))
            if self.facts.get("hosts", {}).get(host, {}).get("iis", False):
                yield _found(kind, _SERVICE | {"Name": "WAS", "StartName": "LocalSystem", "ProcessId": 9})
        elif kind == "Win32_Service":
            yield from (one for one, _ in self._services(host) if f"'{one.text('Name').lower()}'" in wanted)
        elif kind == "Win32_Process":
            yield from (one for _, one in self._services(host) if f"={one.get('ProcessId')}" in wanted)
        else:
            system = self.facts.get("hosts", {}).get(host, {}).get("system", {})
            yield _found(kind, self._machine(host) | system)

    def _machine(self, name: str) -> dict[str, Any]:
        return {
            "BuildNumber": "26100",
            "ProductType": 3,
            "Caption": "Microsoft Windows Server 2025 Standard",
            "LocalDateTime": self.at,
            "LastBootUpTime": _LONG_AGO,
            "Name": name.upper(),
            "Domain": "corp.example",
            "PartOfDomain": True,
            "DomainRole": 3,
        }

    def _services(self, host: str) -> Iterator[tuple[Found, Found]]:
        given = self.facts.get("hosts", {}).get(host, {}).get("services", {})
        for number, name in enumerate(dict.fromkeys((*self.services.get(host, ()), *given)), 100):
            facts = given.get(name, {})
            if facts is None:
                continue
            pid = facts.get("ProcessId", number if facts.get("State", "Running") == "Running" else 0)
            shown = {name: value for name, value in facts.items() if name not in {"started", "dependents"}}
            yield (
                _found("Win32_Service", {**_SERVICE, "Name": name, **shown, "ProcessId": pid}),
                _found("Win32_Process", {"ProcessId": pid, "CreationDate": facts.get("started", _LONG_AGO)}),
            )

    def _task(self, facts: Mapping[str, Any], statement: Cmdlet) -> Iterator[Found]:
        if not statement.parameters:
            for path in (*facts.get("tasks", {}), *facts.get("exported", {})):
                folder, _, name = path.rpartition("\\")
                shown = {"TaskPath": f"{folder}\\", "TaskName": name, "State": "Ready"}
                yield _found("MSFT_ScheduledTask", shown)
            return
        folder, name = str(statement.parameters["TaskPath"]), str(statement.parameters["TaskName"])
        task = facts.get("tasks", {}).get(folder + name, {})
        if task is None:
            return
        if statement.name == "Get-ScheduledTask":
            yield _found(
                "MSFT_ScheduledTask", {"TaskPath": folder, "TaskName": name, "State": task.get("State", "Ready")}
            )
        else:
            run = {"LastRunTime": _LONG_AGO, "LastTaskResult": 0, "NextRunTime": None}
            run |= {key: value for key, value in task.items() if key != "State"}
            yield _found("MSFT_TaskDynamicInfo", {"TaskPath": folder, "TaskName": name, **run})


def _log_ons(facts: Mapping[str, Any], statement: Cmdlet) -> Iterator[Found]:
    asked, log_on = statement.name, facts.get("log_on", r"CORP\svc-app")
    if asked == "Export-ScheduledTask" and not statement.parameters:
        for path, task in {**{key: {} for key in facts.get("tasks", {})}, **facts.get("exported", {})}.items():
            if task.get("alone"):
                continue
            who = task.get("log_on", log_on)
            uri = "" if task.get("nameless") else f"<RegistrationInfo><URI>{path}</URI></RegistrationInfo>"
            yield _found("String", {"": f"<Task>{uri}<Principals><UserId>{who}</UserId></Principals></Task>"})
        return
    if asked == "Export-ScheduledTask":
        path = f"{statement.parameters['TaskPath']}{statement.parameters['TaskName']}"
        log_on = facts.get("exported", {}).get(path, {}).get("log_on", log_on)
        yield _found("String", {"": f"<Task><Principals><UserId>{log_on}</UserId></Principals></Task>"})
        return
    for pool in facts.get("pools", {"Web": "Started"}):
        path = f"/system.applicationHost/applicationPools/add[@name='{pool}']"
        yield _found("ConfigurationAttribute", {"Value": log_on, "ItemXPath": path})


def _principals(facts: Mapping[str, Any]) -> dict[str, Any]:
    names = facts.get("principals")
    return {PRINCIPALS: [name if "=" in name else computer(name) for name in names]} if names else {}


def computer(name: str) -> str:
    """Return the DN of a computer by its DNS name."""
    return f"CN={name.partition('.')[0].upper()},OU=Servers,DC=corp,DC=example"


def _found(kind: str, properties: Mapping[str, Any]) -> Found:
    kept = {name: _value(value) for name, value in properties.items() if value != ABSENT}
    return Found(f"Test.{kind}", kept)


def _value(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return tuple(value) if isinstance(value, list) else value
