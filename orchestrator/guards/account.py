"""The account may be superseded: a plain, unprivileged user, linked to nothing, present and protected."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.guards.guard import Guard, OfPair, account, answered, pair_read, pinned_pair
from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.deleted import protecting, restoring
from orchestrator.model.directory import ACCOUNT_BACK_LINK
from orchestrator.model.dn import domain_dn, is_under
from orchestrator.model.escape import ldap
from orchestrator.model.guard_ids import Stage

PRIVILEGED_RIDS = frozenset({498, 512, 516, 517, 518, 519, 520, 521, 525, 526, 527})
"""Domain-relative groups: (enterprise) read-only and other DCs, Domain, Schema and Enterprise Admins, Cert
Publishers, Group Policy Creator Owners, Protected Users, Key Admins (MS-DTYP 2.4.2.4, well-known SIDs)."""

PRIVILEGED_BUILTIN = frozenset(f"S-1-5-32-{rid}" for rid in (544, 548, 549, 550, 551, 552))
"""Administrators, Account, Server, Print and Backup Operators, Replicator (MS-DTYP 2.4.2.4)."""

DIRECTORY_OPERATORS = frozenset({"dnsadmins"})


class AccountIsUser(OfPair):
    """Only a normal user account can be superseded (Microsoft Learn, Start-ADServiceAccountMigration)."""

    id = "account-is-user"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Its class is exactly user, and it lies in the plan's domain."""
        del stage
        found = account(case, seen)
        domain = case.plan.estate.domain or ""
        here = is_under(found.dn, domain_dn(domain))
        yield Verdict.of(
            found.object_class == "user" and here,
            found.dn,
            f"class {found.object_class}, {'in' if here else 'not in'} {domain}",
            "only a user of the plan's domain can be superseded; computers, sMSA and gMSA cannot",
        )


class AccountNotLinked(OfPair):
    """A link that nobody here made is the sign of another migration, or of an attack (BadSuccessor)."""

    id = "account-not-linked"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Neither attribute is set, and no dMSA claims to precede it."""
        del stage
        found = account(case, seen)
        back = found.watched.get(ACCOUNT_BACK_LINK)
        yield Verdict.of(
            found.state == 0 and found.link is None and not back,
            found.dn,
            f"state {found.state}, link {found.link or 'none'}, preceded by {back or 'none'}{_half(found.link, back)}",
            "find out who linked it before anything else; if it is yours, `dmsa reset` unlinks the pair",
        )


def _half(link: str | None, back: object) -> str:
    """Say where only one side of a link is there: nobody but an attacker, or an accident, leaves that."""
    if bool(link) is bool(back):
        return ""
    return ": half a link, which the dMSA alone claims" if back else ": half a link, which the account alone names"


class AccountNotPrivileged(Guard):
    """Whoever controls the dMSA of a privileged account controls the domain."""

    id = "account-not-privileged"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for the account and every group it is in, nested ones too.

        They are asked for by DN: where it was last, and again where the account is found to have moved.
        """
        del stage
        dn = self._dn(case, seen)
        return (pair_read(case), Read(case.endpoint, (_groups(case, dn),))) if dn else (pair_read(case),)

    @staticmethod
    def _dn(case: Case, seen: Seen) -> str | None:
        if seen.asked(case.endpoint):
            found = pinned_pair(case, seen).account
            return found.dn if found else None
        return str(case.state.snapshot.account["dn"]) if case.state.snapshot else None

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Not adminCount=1, not RID 500 or 502, in no privileged group."""
        del stage
        found = account(case, seen)
        reply = answered(seen.reply_to(_groups(case, found.dn), case.endpoint), case.server, "the account's groups")
        groups = {r.text("SID"): r.text("Name") for r in reply.of("ADGroup")}
        bad = sorted(name for sid, name in groups.items() if _privileged(sid) or name.lower() in DIRECTORY_OPERATORS)
        signs = [f"member of {name}" for name in bad]
        if int(found.watched.get("primaryGroupID") or 0) in PRIVILEGED_RIDS:
            signs.append(f"primary group {found.watched['primaryGroupID']}")
        if int(found.watched.get("adminCount") or 0) == 1:
            signs.append("adminCount=1")
        if found.sid.rsplit("-", 1)[-1] in {"500", "502"}:
            signs.append(f"well-known account {found.sid}")
        yield Verdict.of(
            not signs,
            found.dn,
            ", ".join(signs) or f"in {len(groups)} groups, none of them privileged",
            "take the account out of these groups (and clear adminCount) first, or waive with two approvers",
        )


def _groups(case: Case, dn: str) -> Cmdlet:
    """Ask for all groups of a member, nested too (MS-ADTS 3.1.1.3.4.4.3, LDAP_MATCHING_RULE_TRANSITIVE_EVAL)."""
    return cmdlet("Get-ADGroup", LDAPFilter=f"(member:1.2.840.113556.1.4.1941:={ldap(dn)})", Server=case.server)


def _privileged(sid: str) -> bool:
    relative = sid.startswith("S-1-5-21-") and int(sid.rsplit("-", 1)[-1]) in PRIVILEGED_RIDS
    return relative or sid in PRIVILEGED_BUILTIN


class OriginalPresent(OfPair):
    """Services log on with the original's name for ever; without it they do not start."""

    id = "original-present"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """It is there, by objectGUID once that is known."""
        del stage
        found = pinned_pair(case, seen).account
        yield Verdict.of(
            found is not None,
            case.migration.account,
            f"present as {found.dn}" if found else f"not on {case.server}",
            _restore(case),
        )


def _restore(case: Case) -> str:
    command = f" by `{restoring(case.state.snapshot.account_guid)}`" if case.state.snapshot else ""
    return f"restore it from the AD Recycle Bin{command} (runbooks/original-deleted.md)"


class OriginalProtected(OfPair):
    """Nothing here can delete the original; this keeps others from doing it by mistake."""

    id = "original-protected"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """It is protected from accidental deletion."""
        del stage
        found = account(case, seen)
        yield Verdict.of(
            found.protected,
            found.dn,
            "protected from accidental deletion" if found.protected else "the protection was taken off",
            f"find out who took it off, then, as a person, `{protecting(found.guid)}`",
        )
