"""What the forest must give: a recycle bin that would bring the original back, and a name that nobody has yet."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.guards.catalog import asking, found_in_forest, in_forest
from orchestrator.guards.domain import root_read, root_seen
from orchestrator.guards.guard import Guard, answered, pair_read, pinned_pair
from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.directory import sam_account_name
from orchestrator.model.escape import ldap
from orchestrator.model.guard_ids import Stage
from orchestrator.model.observation import Unreadable

LONGEST_NAME = 15
"""Characters of a managed service account's name, the $ aside (Microsoft Learn, New-ADServiceAccount, -Name)."""


class RecycleBin(Guard):
    """Without it a deleted original comes back as a bare name: no password, no groups, no links to its dMSA."""

    id = "recycle-bin"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask where the configuration is, then which features the forest has switched on."""
        del stage
        root = Read(case.endpoint, (root_read(case),))
        where = root_seen(case, seen, "configurationNamingContext")
        return (root,) if where is None else (root, Read(case.endpoint, (_features(case, where),)))

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """It is among the features that are on (MS-ADTS 3.1.1.9)."""
        del stage
        where = root_seen(case, seen, "configurationNamingContext")
        if where is None:
            raise Unreadable(f"{case.server} did not say where its configuration is")
        reply = answered(seen.reply_to(_features(case, where), case.endpoint), case.server, "the forest's features")
        place = _partitions(where)
        found = [one for one in reply.of("ADObject") if str(one.get("DistinguishedName")).lower() == place.lower()]
        if not found:
            raise Unreadable(f"{case.server} did not show {place}")
        on = any(dn.lower().startswith("cn=recycle bin feature,") for dn in found[0].texts("msDS-EnabledFeature"))
        yield Verdict.of(
            on,
            place,
            "the AD Recycle Bin is on" if on else "the AD Recycle Bin is off",
            "as a person run `Enable-ADOptionalFeature 'Recycle Bin Feature' -Scope ForestOrConfigurationSet "
            "-Target FOREST`; it cannot be switched off again",
        )


def _partitions(configuration: str) -> str:
    return f"CN=Partitions,{configuration}"


def _features(case: Case, configuration: str) -> Cmdlet:
    asked = ("msDS-EnabledFeature",)
    return cmdlet("Get-ADObject", Identity=_partitions(configuration), Properties=asked, Server=case.server)


class DmsaNameFits(Guard):
    """A managed account's name is short, and nobody else in the forest may have it."""

    id = "dmsa-name-fits"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask the forest for the name."""
        return (pair_read(case), *asking(case, stage, seen, _named(case)))

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """At most 15 characters, and no object but the dMSA itself has the sAMAccountName."""
        del stage
        name = case.migration.dmsa.name
        if len(name) > LONGEST_NAME:
            evidence = f"{name} has {len(name)} characters"
            yield Verdict.of(False, name, evidence, f"choose a name of at most {LONGEST_NAME}")
            return
        own = pinned_pair(case, seen).dmsa
        wanted = sam_account_name(name).lower()
        others = [
            one.text("DistinguishedName")
            for one in found_in_forest(case, seen, _named(case), "the name")
            if str(one.get("sAMAccountName")).lower() == wanted
            and (own is None or str(one.need("ObjectGUID")).strip("{}").lower() != str(own.guid))
        ]
        yield Verdict.of(
            not others,
            name,
            f"{sam_account_name(name)} is already {', '.join(others)}" if others else "nobody else has the name",
            "choose another name",
        )


def _named(case: Case) -> Cmdlet:
    wanted = ldap(sam_account_name(case.migration.dmsa.name))
    return in_forest(case, f"(sAMAccountName={wanted})", ("sAMAccountName",))
