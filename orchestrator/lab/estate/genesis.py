"""What a domain holds on its first day: containers, well-known groups, machines, and what its file names."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from orchestrator.lab.estate import account_control as uac
from orchestrator.lab.estate import dn as names
from orchestrator.lab.estate import identity
from orchestrator.lab.estate.descriptor import (
    CHILD_PROTECTION,
    PROTECTION,
    Ace,
    Descriptor,
    default,
    migration_grant,
    of_deleted_objects,
)
from orchestrator.lab.estate.descriptor_spec import DescriptorSpec
from orchestrator.lab.estate.directory import Directory
from orchestrator.lab.estate.spec import DmsaSpec, EstateInvalid, EstateSpec, GroupSpec, UserSpec, release_of

DMSA_CLASS = "msDS-DelegatedManagedServiceAccount"
CLASSES: dict[str, tuple[str, ...]] = {
    "user": ("top", "person", "organizationalPerson", "user"),
    "inetOrgPerson": ("top", "person", "organizationalPerson", "user", "inetOrgPerson"),
    "computer": ("top", "person", "organizationalPerson", "user", "computer"),
    DMSA_CLASS: ("top", "person", "organizationalPerson", "user", "computer", DMSA_CLASS),
    "group": ("top", "group"),
    "organizationalUnit": ("top", "organizationalUnit"),
    "container": ("top", "container"),
    "domainDNS": ("top", "domain", "domainDNS"),
    "dMD": ("top", "dMD"),
    "configuration": ("top", "configuration"),
    "crossRefContainer": ("top", "crossRefContainer"),
    "classSchema": ("top", "classSchema"),
    "attributeSchema": ("top", "attributeSchema"),
    "msKds-ProvRootKey": ("top", "msKds-ProvRootKey"),
    "msDS-AuthNPolicy": ("top", "msDS-AuthNPolicy"),
    "msDS-AuthNPolicySilo": ("top", "msDS-AuthNPolicySilo"),
    "msDS-AuthNPolicies": ("top", "msDS-AuthNPolicies"),
    "msDS-AuthNPolicySilos": ("top", "msDS-AuthNPolicySilos"),
}
_GROUPS = {
    "Domain Admins": 512,
    "Domain Users": 513,
    "Domain Computers": 515,
    "Domain Controllers": 516,
    "Schema Admins": 518,
    "Enterprise Admins": 519,
    "Group Policy Creator Owners": 520,
    "Read-only Domain Controllers": 521,
    "Protected Users": 525,
    "Key Admins": 526,
    "Enterprise Key Admins": 527,
}
_BUILTIN = {
    "Administrators": 544,
    "Account Operators": 548,
    "Server Operators": 549,
    "Print Operators": 550,
    "Backup Operators": 551,
    "Replicator": 552,
}
_MARKED = {"Domain Admins", "Schema Admins", "Enterprise Admins", "Domain Controllers", *_BUILTIN}
_LEVEL_2016 = 7
"""The functional level of a domain before Windows Server 2025 (MS-ADTS 6.1.4.3)."""
_LINKS = {
    "ms-DS-Superseded-Managed-Account-Link": ("msDS-SupersededManagedAccountLink", 2222, 16),
    "ms-DS-Superseded-Managed-Account-Link-BL": ("msDS-SupersededManagedAccountLinkBL", 2223, 17),
    "ms-DS-Managed-Account-Preceded-By-Link": ("msDS-ManagedAccountPrecededByLink", 2224, 16),
    "ms-DS-Managed-Account-Preceded-By-Link-BL": ("msDS-ManagedAccountPrecededByLinkBL", 2225, 17),
}
"""The links of a pair in the schema (MS-ADA2): ldapDisplayName, linkID, systemFlags; a back link's linkID is odd.

Where the document and a published dump differ (17 for a back link, as for what is not replicated), this is the dump.
"""
_AGE = timedelta(days=400)
_LAST_SEEN = timedelta(days=3)
"""How long before the clock's start the users were seen last: MS-ADA1 lets lastLogonTimestamp be days late."""


class Genesis:
    """Fills an empty directory from its specification."""

    def __init__(self, spec: EstateSpec, directory: Directory) -> None:
        self._spec = spec
        self._directory = directory
        self._at: datetime = spec.clock.start - _AGE
        self._replica = next(iter(directory.replicas.values()))

    def run(self) -> None:
        """Create everything.

        Raises:
            EstateInvalid: the specification names a container or an object that it does not define.
        """
        self._naming_contexts()
        self._well_known()
        for dn in sorted(self._spec.ous, key=lambda item: len(names.split(item))):
            self._put(dn, "organizationalUnit", ou=names.value(names.split(dn)[0]))
        self._machines()
        for user in self._spec.users:
            self._user(user)
        for dmsa in self._spec.dmsas:
            self._dmsa(dmsa)
        for group in self._spec.groups:
            self._group(group)
        for user in self._spec.users:
            self._delegated_by(user)
        self._authentication()
        for descriptor in self._spec.descriptors:
            self._descriptor(descriptor)

    def _put(self, dn: str, kind: str, **values: object) -> UUID:
        rdn, *above = names.split(dn)
        parent = self._replica.at_dn(names.join(*above)) if above else None
        if parent is None:
            raise EstateInvalid(
                [f"{dn}: the container {names.join(*above)} is not in the estate file (list it in ous)"]
            )
        return self._seed(dn, rdn, parent.guid, kind, values)

    def _seed(self, dn: str, rdn: str, parent: UUID | None, kind: str, values: dict[str, object]) -> UUID:
        guid = identity.guid(self._spec.seed, names.fold(dn))
        descriptor = default(self._directory.sid, kind)
        if values.pop("protected", False):
            descriptor = descriptor.adding(PROTECTION)
        fixed = {"rdn": rdn, "parent": parent, "objectClass": CLASSES[kind], "nTSecurityDescriptor": descriptor}
        written = {name.replace("__", "-"): value for name, value in values.items()}
        self._directory.seed(guid, {**fixed, **written}, self._at)
        return guid

    def _naming_contexts(self) -> None:
        root, domain = self._directory.dn, self._spec.domain
        head = {"objectSid": self._directory.sid, "ncHead": True, "labNetbios": domain.netbios}
        if domain.max_password_age is not None:
            head["labMaxPasswordAge"] = domain.max_password_age // timedelta(microseconds=1) * 10
        self._seed(root, root, None, "domainDNS", head | {"msDS-Behavior-Version": _LEVEL_2016})
        for name in ("Users", "Computers", "Builtin", "System", "Managed Service Accounts"):
            self._put(f"CN={name},{root}", "container")
        hidden = of_deleted_objects(self._directory.sid)
        self._put(f"CN=Deleted Objects,{root}", "container", nTSecurityDescriptor=hidden)
        self._put(f"OU=Domain Controllers,{root}", "organizationalUnit", ou="Domain Controllers")
        config = f"CN=Configuration,{root}"
        self._put(config, "configuration", ncHead=True)
        schema = f"CN=Schema,{config}"
        self._put(schema, "dMD", objectVersion=domain.schema_version, ncHead=True)
        if domain.schema_version >= 91:
            self._dmsa_schema(schema)
        feature = f"CN=Recycle Bin Feature,CN=Optional Features,CN=Directory Service,CN=Windows NT,CN=Services,{config}"
        enabled = (feature,) if domain.recycle_bin else ()
        self._put(f"CN=Partitions,{config}", "crossRefContainer", msDS__EnabledFeature=enabled)
        self._keys(config)

    def _dmsa_schema(self, schema: str) -> None:
        self._put(
            f"CN=ms-DS-Delegated-Managed-Service-Account,{schema}",
            "classSchema",
            lDAPDisplayName=DMSA_CLASS,
            governsID="1.2.840.113556.1.5.302",
            schemaIDGUID=UUID("0feb936f-47b3-49f2-9386-1dedc2c23765").bytes_le,
        )
        for cn, (name, link, flags) in _LINKS.items():
            values = {"lDAPDisplayName": name, "linkID": link, "systemFlags": flags, "systemOnly": False}
            self._put(f"CN={cn},{schema}", "attributeSchema", **values)
        back = tuple(name for name, link, _ in _LINKS.values() if link % 2)
        self._put(f"CN=Top,{schema}", "classSchema", lDAPDisplayName="top", systemMayContain=back)

    def _keys(self, config: str) -> None:
        path = config
        for name in ("Services", "Group Key Distribution Service", "Master Root Keys"):
            path = f"CN={name},{path}"
            self._put(path, "container")
        age = self._spec.domain.kds_root_key_age
        if age is not None:
            guid = identity.guid(self._spec.seed, "kds")
            start = uac.filetime(self._spec.clock.start - age)
            values = {"msKds__UseStartTime": start, "msKds__CreateTime": start}
            self._put(f"CN={guid},{path}", "msKds-ProvRootKey", **values)

    def _well_known(self) -> None:
        root, sid = self._directory.dn, self._directory.sid
        admin = self._person(f"CN=Administrator,CN=Users,{root}", f"{sid}-500", adminCount=1)
        self._person(f"CN=krbtgt,CN=Users,{root}", f"{sid}-502", adminCount=1, enabled=False)
        operator = self._spec.operator
        members = [admin]
        if self._replica.account(operator.name) is None and not self._named(operator.name):
            someone = self._person(f"CN={names.escape(operator.name)},CN=Users,{root}", self._directory.take_rid())
            members += [someone] if operator.domain_admin else []
        for name, rid in _BUILTIN.items():
            self._seed_group(f"CN={name},CN=Builtin,{root}", f"S-1-5-32-{rid}", ())
        for name, rid in _GROUPS.items():
            inside = tuple(members) if name == "Domain Admins" else (admin,) if rid == 519 else ()
            self._seed_group(f"CN={name},CN=Users,{root}", f"{sid}-{rid}", inside)
        self._seed_group(f"CN=DnsAdmins,CN=Users,{root}", f"{sid}-1101", ())

    def _named(self, name: str) -> bool:
        return any(name.lower() == (user.sam or names.common(user.dn)).lower() for user in self._spec.users)

    def _seed_group(self, dn: str, sid: str, members: tuple[UUID, ...], sam: str | None = None) -> None:
        name = sam or names.common(dn)
        marked = 1 if name in _MARKED else None
        kind = -2147483643 if sid.startswith("S-1-5-32-") else -2147483646
        values = {"sAMAccountName": name, "objectSid": sid, "member": members, "adminCount": marked}
        self._put(dn, "group", **values, groupType=kind)

    def _person(self, dn: str, sid: str, *, enabled: bool = True, **values: object) -> UUID:
        control = uac.NORMAL_ACCOUNT | uac.PASSWORD_NEVER_EXPIRES | (0 if enabled else uac.DISABLED)
        given: dict[str, object] = {
            "sAMAccountName": names.common(dn),
            "objectSid": sid,
            "userAccountControl": control,
            "pwdLastSet": uac.filetime(self._at),
            "primaryGroupID": 513,
            "accountExpires": uac.NEVER,
        }
        return self._put(dn, "user", **(given | values))

    def _machines(self) -> None:
        root = self._directory.dn
        for dc in self._spec.dcs:
            control = uac.SERVER_TRUST | uac.TRUSTED_FOR_DELEGATION
            system = "Windows Server 2025 Datacenter" if dc.build >= 26100 else "Windows Server 2022 Datacenter"
            self._computer(f"OU=Domain Controllers,{root}", dc.name, dc.build, control, 516, system, 28)
        for host in self._spec.hosts:
            system = "Windows 11 Enterprise" if host.client else f"Windows Server {release_of(host.build)} Standard"
            trust, types = uac.WORKSTATION_TRUST, host.encryption_types
            self._computer(f"CN=Computers,{root}", host.name, host.build, trust, 515, system, types)

    def _computer(
        self, above: str, fqdn: str, build: int, control: int, group: int, system: str, types: int | None
    ) -> None:
        short = fqdn.partition(".")[0].upper()
        values: dict[str, object] = {
            "sAMAccountName": f"{short}$",
            "objectSid": self._directory.take_rid(),
            "userAccountControl": control,
            "dNSHostName": fqdn,
            "operatingSystem": system,
            "operatingSystemVersion": f"10.0 ({build})",
            "primaryGroupID": group,
            "servicePrincipalName": (f"HOST/{short}", f"HOST/{fqdn}"),
            "msDS__SupportedEncryptionTypes": types,
            "pwdLastSet": uac.filetime(self._at),
            "lastLogonTimestamp": uac.filetime(self._spec.clock.start - _LAST_SEEN),
            "accountExpires": uac.NEVER,
        }
        self._put(f"CN={short},{above}", "computer", **values)

    def _user(self, user: UserSpec) -> None:
        control = uac.NORMAL_ACCOUNT | (0 if user.enabled else uac.DISABLED)
        control |= uac.PASSWORD_NEVER_EXPIRES if user.pwd_never_expires else 0
        control |= uac.TRUSTED_FOR_DELEGATION if user.unconstrained_delegation else 0
        control |= uac.TRUSTED_TO_AUTHENTICATE if user.protocol_transition else 0
        sid = f"{self._directory.sid}-{user.rid}" if user.rid else self._directory.take_rid()
        values: dict[str, object] = {
            "sAMAccountName": user.sam or names.common(user.dn),
            "objectSid": sid,
            "userPrincipalName": user.upn,
            "description": user.description,
            "userAccountControl": control,
            "servicePrincipalName": tuple(sorted(user.spns)),
            "pwdLastSet": uac.filetime(user.pwd_last_set or self._at),
            "lastLogonTimestamp": self._last_log_on(user),
            "msDS__SupportedEncryptionTypes": user.encryption_types,
            "msDS__AllowedToDelegateTo": user.delegates_to,
            "adminCount": user.admin_count,
            "primaryGroupID": 513,
            "accountExpires": uac.filetime(user.expires) if user.expires else uac.NEVER,
            "lockoutTime": uac.filetime(self._spec.clock.start) if user.locked else None,
            "protected": user.protected,
        }
        guid = self._put(user.dn, user.kind, **values)
        if user.protected:
            above = self._replica.live(self._replica.entries[guid].get("parent"))
            assert above is not None
            self._reseed(above.guid, CHILD_PROTECTION)

    def _last_log_on(self, user: UserSpec) -> int | None:
        if not user.ever_logged_on:
            return None
        return uac.filetime(user.last_log_on or self._spec.clock.start - _LAST_SEEN)

    def _delegated_by(self, user: UserSpec) -> None:
        found = {dn: self._replica.at_dn(dn) for dn in user.delegated_by}
        for dn, entry in found.items():
            if entry is None:
                raise EstateInvalid([f"{user.dn}: {dn}, which may delegate to it, is not in the estate file"])
        sids = tuple(sorted(entry.sid for entry in found.values() if entry))
        self._directory.seed(self._guid(user.dn), {"msDS-AllowedToActOnBehalfOfOtherIdentity": sids}, self._at)

    def _authentication(self) -> None:
        """Create the policies and silos that accounts name, and assign them (MS-ADSC, msDS-AuthNPolicySilo)."""
        users = self._spec.users
        policies = dict.fromkeys(user.authn_policy for user in users if user.authn_policy)
        silos = dict.fromkeys(user.authn_silo for user in users if user.authn_silo)
        if not policies and not silos:
            return
        path = f"CN=AuthN Policy Configuration,CN=Services,CN=Configuration,{self._directory.dn}"
        self._put(path, "container")
        policy_at, silo_at = f"CN=AuthN Policies,{path}", f"CN=AuthN Silos,{path}"
        self._put(policy_at, "msDS-AuthNPolicies")
        self._put(silo_at, "msDS-AuthNPolicySilos")
        policy_of = {name: self._put(f"CN={names.escape(name)},{policy_at}", "msDS-AuthNPolicy") for name in policies}
        for user in users:
            if user.authn_policy:
                given = {"msDS-AssignedAuthNPolicy": (policy_of[user.authn_policy],)}
                self._directory.seed(self._guid(user.dn), given, self._at)
        for name in silos:
            inside = tuple(self._guid(user.dn) for user in users if user.authn_silo == name)
            silo = self._put(f"CN={names.escape(name)},{silo_at}", "msDS-AuthNPolicySilo")
            self._directory.seed(silo, {"msDS-AuthNPolicySiloMembers": inside}, self._at)
            for guid in inside:
                self._directory.seed(guid, {"msDS-AssignedAuthNPolicySilo": (silo,)}, self._at)

    def _descriptor(self, spec: DescriptorSpec) -> None:
        entry = self._replica.at_dn(spec.of)
        if entry is None:
            raise EstateInvalid([f"descriptors: {spec.of} is not in the estate file"])
        before = self._directory.descriptor(entry)
        aces = tuple(
            Ace(one.kind, one.flags, one.rights, self._sid(one.to), one.about, one.inherited_by, one.condition)
            for one in spec.entries
        )
        owner = self._sid(spec.owner) if spec.owner else before.owner
        after = Descriptor(owner, (*aces, *before.aces), spec.controlled)
        self._directory.seed(entry.guid, {"nTSecurityDescriptor": after}, self._at)

    def _sid(self, who: str) -> str:
        if who.startswith("S-1-"):
            return who
        if who.startswith("RID:"):
            return f"{self._directory.sid}-{who.removeprefix('RID:')}"
        entry = self._replica.at_dn(who)
        if entry is None or not entry.sid:
            raise EstateInvalid([f"descriptors: {who} is nobody in the estate file"])
        return entry.sid

    def _guid(self, dn: str) -> UUID:
        entry = self._replica.at_dn(dn)
        assert entry is not None
        return entry.guid

    def _reseed(self, guid: UUID, *aces: Ace) -> None:
        descriptor = self._directory.descriptor(self._replica.entries[guid]).adding(*aces)
        self._directory.seed(guid, {"nTSecurityDescriptor": descriptor}, self._at)

    def _group(self, group: GroupSpec) -> None:
        found = {dn: self._replica.at_dn(dn) for dn in group.members}
        for dn, entry in found.items():
            if entry is None:
                raise EstateInvalid([f"{group.dn}: its member {dn} is not in the estate file"])
        members = tuple(entry.guid for entry in found.values() if entry)
        sid = f"{self._directory.sid}-{group.rid}" if group.rid else self._directory.take_rid()
        self._seed_group(group.dn, sid, members, group.sam)

    def _dmsa(self, dmsa: DmsaSpec) -> None:
        sids = []
        for dn in dmsa.principals:
            principal = self._replica.at_dn(dn)
            if principal is None:
                raise EstateInvalid([f"{dmsa.dn}: its principal {dn} is not in the estate file"])
            sids.append(principal.sid)
        name = names.common(dmsa.dn)
        values: dict[str, object] = {
            "sAMAccountName": f"{name}$",
            "objectSid": self._directory.take_rid(),
            "userAccountControl": uac.WORKSTATION_TRUST,
            "dNSHostName": f"{name}.{self._spec.domain.dns}",
            "description": dmsa.description,
            "primaryGroupID": 515,
            "msDS__DelegatedMSAState": dmsa.state,
            "msDS__ManagedPasswordInterval": 30,
            "msDS__SupportedEncryptionTypes": dmsa.encryption_types,
            "msDS__GroupMSAMembership": tuple(sorted(sids)),
        }
        guid = self._put(dmsa.dn, DMSA_CLASS, **values)
        if dmsa.supersedes is not None:
            self._link(guid, dmsa)

    def _link(self, guid: UUID, dmsa: DmsaSpec) -> None:
        account = self._replica.at_dn(str(dmsa.supersedes))
        if account is None:
            raise EstateInvalid([f"{dmsa.dn}: the account {dmsa.supersedes} is not in the estate file"])
        at = self._at
        if dmsa.linked_by != "account":
            self._directory.seed(guid, {"msDS-ManagedAccountPrecededByLink": (account.guid,)}, at)
        if dmsa.linked_by == "dmsa":
            return
        state = dmsa.state or None
        values = {"msDS-SupersededManagedAccountLink": (guid,), "msDS-SupersededServiceAccountState": state}
        self._directory.seed(account.guid, values, at)
        if dmsa.state == 1:
            self._reseed(guid, *migration_grant(account.sid))
