"""The domain can do it: the pinned domain controller, the schema, and the key the dMSA's password comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from orchestrator.guards.guard import Guard, answered
from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.directory import DMSA_CLASS
from orchestrator.model.guard_ids import Stage
from orchestrator.model.host import FIRST_BUILD
from orchestrator.model.observation import Unreadable

SCHEMA_VERSION = 91
"""objectVersion of the schema that ships with Windows Server 2025 (Microsoft Learn, schema updates)."""

KEY_EFFECTIVE_AFTER = timedelta(hours=10)
"""So long domain controllers may need to have a new KDS root key (Microsoft Learn, Create the KDS root key)."""


def controllers_read(case: Case) -> Cmdlet:
    """Ask the pinned domain controller for the domain's controllers."""
    return cmdlet("Get-ADDomainController", Filter="*", Server=case.server)


class DcWritable2025(Guard):
    """The four migration cmdlets run on the DC they are sent to, and only a writable 2025 one has them."""

    id = "dc-writable-2025"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for the domain's controllers."""
        del stage, seen
        return (Read(case.endpoint, (controllers_read(case),)),)

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """The pinned one is among them, writable, and of build 26100 or later."""
        del stage
        reply = answered(seen.reply_to(controllers_read(case), case.endpoint), case.server, "the domain's controllers")
        found = [r for r in reply.of("ADDomainController") if r.text("HostName").lower() == case.server.lower()]
        if not found:
            yield Verdict.of(
                False,
                case.server,
                f"{case.server} is not among the domain's controllers",
                "pin `estate.directory.server` to a domain controller of the plan's domain",
            )
            return
        version = found[0].text("OperatingSystemVersion")
        build = re.search(r"\((\d+)\)", version)
        if build is None:
            raise Unreadable(f"{case.server} has the version {version!r}")
        read_only = found[0].need("IsReadOnly") is not False
        yield Verdict.of(
            int(build[1]) >= FIRST_BUILD and not read_only,
            case.server,
            f"{'read-only' if read_only else 'writable'}, version {version}",
            "pin `estate.directory.server` to a writable Windows Server 2025 domain controller",
        )


class SchemaVersion(Guard):
    """The schema knows the dMSA class."""

    id = "schema-version"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for the schema's place, then for its version and the class."""
        del stage
        root = Read(case.endpoint, (root_read(case),))
        where = _schema(case, seen)
        return (root,) if where is None else (root, Read(case.endpoint, _schema_statements(case, where)))

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Version 91 or later, and the class itself."""
        del stage
        where = _schema(case, seen)
        if where is None:
            raise Unreadable(f"{case.server} did not say where its schema is")
        version_read, class_read = _schema_statements(case, where)
        reply = answered(seen.reply_to(version_read, case.endpoint), case.server, "the schema's version")
        records = [record for record in reply.of("ADObject") if record.has("objectVersion")]
        if not records:
            raise Unreadable(f"{case.server} did not say the schema's version")
        answered(seen.reply_to(class_read, case.endpoint), case.server, "the dMSA class")
        has_class = any(record.get("lDAPDisplayName") == DMSA_CLASS for record in reply.of("ADObject"))
        version = records[0].number("objectVersion")
        yield Verdict.of(
            version >= SCHEMA_VERSION and has_class,
            where,
            f"objectVersion {version}, class {DMSA_CLASS} {'is there' if has_class else 'is missing'}",
            "extend the schema with adprep of Windows Server 2025 (version 91)",
        )


def root_read(case: Case) -> Cmdlet:
    """Ask the pinned domain controller where the parts of its directory are."""
    asked = ("currentTime", "schemaNamingContext", "configurationNamingContext")
    return cmdlet("Get-ADRootDSE", Properties=asked, Server=case.server)


def root_seen(case: Case, seen: Seen, name: str) -> str | None:
    """Return one of those places; None until it was asked for.

    Raises:
        Unreadable: the answer does not say.
    """
    reply = seen.reply_to(root_read(case), case.endpoint)
    roots = list(reply.of("ADRootDSE")) if reply else []
    return roots[0].text(name) if roots else None


def _schema(case: Case, seen: Seen) -> str | None:
    return root_seen(case, seen, "schemaNamingContext")


def _schema_statements(case: Case, where: str) -> tuple[Cmdlet, Cmdlet]:
    return (
        cmdlet("Get-ADObject", Identity=where, Properties=("objectVersion",), Server=case.server),
        cmdlet(
            "Get-ADObject",
            LDAPFilter=f"(lDAPDisplayName={DMSA_CLASS})",
            SearchBase=where,
            SearchScope="OneLevel",
            Properties=("lDAPDisplayName",),
            Server=case.server,
        ),
    )


class KdsRootKey(Guard):
    """Without an effective KDS root key no dMSA can be created."""

    id = "kds-root-key"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for the keys."""
        del stage, seen
        return (Read(case.endpoint, (cmdlet("Get-KdsRootKey"),)),)

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """One key became effective at least ten hours ago."""
        del stage
        if case.at is None:
            raise Unreadable(f"{case.server} did not say what time it is")
        reply = answered(seen.reply_to(cmdlet("Get-KdsRootKey"), case.endpoint), case.endpoint, "KDS root keys")
        moments = [r.need("EffectiveTime") for r in reply.of("KdsRootKey")]
        since = min((moment for moment in moments if isinstance(moment, datetime)), default=None)
        yield Verdict.of(
            since is not None and since + KEY_EFFECTIVE_AFTER <= case.at,
            case.endpoint,
            f"effective since {since.isoformat()}" if since else "there is no key",
            "a person runs `Add-KdsRootKey` once for the forest, and waits ten hours",
        )
