"""Nobody else in the forest, and in the journal, has what this migration is about to use: the account, and its SPNs.

Other domains' objects are asked of the global catalog on the pinned domain controller (port 3268, and an empty base for
all of the forest: Microsoft Learn, about_ActiveDirectory and Get-ADObject, parameter -SearchBase).
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.guards.catalog import asking, found_in_forest, in_forest
from orchestrator.guards.guard import Guard, account, pair_read, pinned_pair
from orchestrator.model.call import Cmdlet, Read
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.directory import ACCOUNT_BACK_LINK, DMSA_LINK
from orchestrator.model.escape import ldap
from orchestrator.model.guard_ids import Stage

SPNS = "servicePrincipalName"
_ASKED = (SPNS, DMSA_LINK)


def _known(case: Case, seen: Seen) -> tuple[str, frozenset[str]] | None:
    """Return the account's name and its SPNs: as they were last, and once it was read as they are."""
    if seen.asked(case.endpoint):
        found = pinned_pair(case, seen).account
        return (found.dn, found.spns) if found else None
    taken = case.state.snapshot
    return (str(taken.account["dn"]), frozenset(taken.account.get(SPNS, ()))) if taken else None


class AccountNotShared(Guard):
    """One account becomes one dMSA (Microsoft Learn, dMSA FAQ); two that claim it take it from each other."""

    id = "account-not-shared"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for the account, then for every dMSA of the forest that names it."""
        found = _known(case, seen)
        return (pair_read(case), *(asking(case, stage, seen, _naming(case, found[0])) if found else ()))

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """No other migration of the journal has begun with it, and no dMSA of another domain names it.

        What the account itself shows is :class:`~orchestrator.guards.account.AccountNotLinked`'s to judge.
        """
        del stage
        found, pair = account(case, seen), pinned_pair(case, seen)
        users = case.run.claims.others(found.guid, case.run.run, case.migration.id)
        signs = [f"{case.run.named(user)} of this journal has begun with it" for user in users]
        known = _lower(found.watched.get(ACCOUNT_BACK_LINK), pair.dmsa.dn if pair.dmsa else None)
        for record in found_in_forest(case, seen, _naming(case, found.dn), "dMSAs that name the account"):
            dn = record.text("DistinguishedName")
            if found.dn.lower() in _lower(record.get(DMSA_LINK)) and dn.lower() not in known:
                signs.append(f"{dn} names it as its superseded account")
        yield Verdict.of(
            not signs,
            found.dn,
            "; ".join(signs) or "no other migration has begun with it, no other dMSA of the forest names it",
            "end the other one first (`dmsa rollback` there, or `dmsa amend` takes it out of one plan); a dMSA that "
            "nobody knows is the sign of an attack",
        )


def _naming(case: Case, dn: str) -> Cmdlet:
    return in_forest(case, f"({DMSA_LINK}={ldap(dn)})", _ASKED)


def _lower(*values: object) -> set[str]:
    """Return names without regard to case; what is unset is left out."""
    several = [value if isinstance(value, list | tuple) else (value,) for value in values]
    return {str(name).lower() for names in several for name in names if name is not None}


class SpnUnique(Guard):
    """A name that stands on two objects gets tickets for neither (MS-ADTS 3.1.1.5.1.3); Complete moves the names."""

    id = "spn-unique"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for the account, then for every object of the forest that has one of its names."""
        found = _known(case, seen)
        if found is None or not found[1]:
            return (pair_read(case),)
        return (pair_read(case), *asking(case, stage, seen, _having(case, found[1])))

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """None of the account's names stands on another object; the dMSA's copies are no clash."""
        del stage
        found, pair = account(case, seen), pinned_pair(case, seen)
        if not found.spns:
            yield Verdict.of(True, found.dn, "the account has no SPN")
            return
        ours, names = {str(found.guid)}, _lower(tuple(found.spns))
        if pair.dmsa is not None:
            ours.add(str(pair.dmsa.guid))
        clashes = []
        for record in found_in_forest(case, seen, _having(case, found.spns), "the account's SPNs"):
            shared = sorted(spn for spn in record.texts(SPNS) if spn.lower() in names)
            if shared and str(record.need("ObjectGUID")) not in ours:
                clashes.append(f"{record.text('DistinguishedName')} has {', '.join(shared)}")
        yield Verdict.of(
            not clashes,
            found.dn,
            "; ".join(clashes) or f"each of its {len(found.spns)} SPNs stands on this account alone",
            "find out which object the service is (`setspn -Q`), and take the name off the other one",
        )


def _having(case: Case, spns: frozenset[str]) -> Cmdlet:
    wanted = "".join(f"({SPNS}={ldap(spn)})" for spn in sorted(spns))
    return in_forest(case, f"(|{wanted})", _ASKED)
