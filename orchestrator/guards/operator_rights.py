"""The operator can see what it decides on, and may do what it is about to ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.guards.guard import Guard, pair_read, pinned_pair
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.directory import PairSeen
from orchestrator.model.guard_ids import Stage
from orchestrator.model.observation import Unreadable
from orchestrator.model.token import token_seen, token_statement

ALWAYS_SET = ("userAccountControl", "primaryGroupID", "pwdLastSet", "accountExpires")
"""What every user has from its creation on (MS-SAMR 3.1.1.8.1): where one is missing, it may not be read."""
ALWAYS_SET_ON_DMSA = ("userAccountControl",)

_ADMINISTRATORS = "S-1-5-32-544"


class OperatorRights(Guard):
    """What may not be read looks as if it were unset, and the operation itself has no dry run."""

    id = "operator-rights"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for both objects, and for the token that the directory checks rights against."""
        del stage, seen
        return (pair_read(case), Read(case.endpoint, (token_statement(case.server),)))

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Both objects are read whole, which no waiver replaces; and the token is a domain administrator's."""
        del stage
        try:
            pair = pinned_pair(case, seen)
            yield replace(_reads(case, pair), waivable=False)
        except Unreadable as unreadable:
            yield replace(Verdict.unknown(case.migration.id, str(unreadable), _GRANT), waivable=False)
            return
        yield _may_migrate(case, pair, seen)


_GRANT = "grant the operator Read All Properties on both objects; a dMSA is not readable for everybody by default"


def _reads(case: Case, pair: PairSeen) -> Verdict:
    if pair.account is None:
        raise Unreadable(f"{case.migration.account} is not on {case.server}")
    missing = [name for name in ALWAYS_SET if name not in pair.account.watched]
    if missing:
        evidence = f"{', '.join(missing)} of {pair.account.dn} did not come back, and every user has it"
        return Verdict.of(False, pair.account.dn, evidence, _GRANT)
    missing = [name for name in ALWAYS_SET_ON_DMSA if pair.dmsa and name not in pair.dmsa.watched]
    if missing and pair.dmsa:
        evidence = f"{', '.join(missing)} of {pair.dmsa.dn} did not come back, and every dMSA has it"
        return Verdict.of(False, pair.dmsa.dn, evidence, _GRANT)
    dmsa = "the dMSA as well" if pair.dmsa else "the dMSA is not there, or hidden from the operator"
    return Verdict.of(True, pair.account.dn, f"what every user has came back whole; {dmsa}")


def _may_migrate(case: Case, pair: PairSeen, seen: Seen) -> Verdict:
    """Judge the token; the access check of the operation is not documented, so nothing else is certain.

    Enterprise Admins of this forest are in every domain's Administrators too; those of another forest are not.
    """
    rule = "that is how far the access check of the operation is documented"
    remedy = (
        "let a member of Domain Admins run it, or try the operation on a disposable pair (`dmsa probe-windows`), then "
        "waive `operator-rights`"
    )
    try:
        token = token_seen(case.server, seen.reply_to(token_statement(case.server), case.endpoint))
    except Unreadable as unreadable:
        return Verdict.unknown(case.server, str(unreadable), remedy)
    domain = pair.account.sid.rpartition("-")[0] if pair.account else ""
    if f"{domain}-512" in token:
        return Verdict.of(True, case.server, "Domain Admins is in the operator's token")
    enterprise = any(sid.startswith("S-1-5-21-") and sid.endswith("-519") for sid in token)
    if enterprise and _ADMINISTRATORS in token:
        return Verdict.of(True, case.server, "Enterprise Admins is in the operator's token")
    evidence = f"neither Domain Admins nor Enterprise Admins is in the operator's token, and {rule}"
    return Verdict.unknown(case.server, evidence, remedy)
