"""The original account: it is there, protected, where it was, enabled or not, and has the names that it should have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.model.before import SnapshotTaken
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.deleted import deleted_search, protecting, remains_seen, restoring
from orchestrator.model.directory import Account, DmsaSeen, PairSeen
from orchestrator.model.dn import same_dn
from orchestrator.model.lifecycle import Pair, Phase
from orchestrator.verification.finding import Finding, since_phase
from orchestrator.verification.wanted import AT_REST, BEFORE_ANYTHING

_SPNS = "servicePrincipalName"


def tombstone_read(case: Case) -> tuple[Read, ...]:
    """Ask what became of the account, by its objectGUID; nothing where the journal does not know that."""
    if case.state.snapshot is None:
        return ()
    return (Read(case.endpoint, (deleted_search(case.server, case.state.snapshot.account_guid),)),)


def missing(case: Case, seen: Seen, server: str) -> Finding:
    """Return that a domain controller does not show the account, and what the pinned one knows of it."""
    taken = case.state.snapshot
    name = str(taken.account["dn"]) if taken else case.migration.account
    return Finding(
        "original-missing",
        name,
        f"{server} does not show it{_left(case, seen) if server == case.server else ''}",
        "there, for its services log on with its name for ever" if taken else "there: the plan names it",
        _restore(taken),
        since_phase(case) if taken else None,
    )


def _left(case: Case, seen: Seen) -> str:
    for read in tombstone_read(case):
        reply = seen.reply_to(read.statements[0], read.endpoint)
        if reply is not None and case.state.snapshot is not None:
            return f". {remains_seen(case.server, case.state.snapshot.account_guid, reply).said}"
    return ""


def _restore(taken: SnapshotTaken | None) -> str:
    if taken is None:
        return (
            "correct the plan where it was moved or never existed; where it was deleted: runbooks/original-deleted.md"
        )
    return f"as a person `{restoring(taken.account_guid)}`, if it was deleted; first read runbooks/original-deleted.md"


def standing(case: Case, pair: PairSeen) -> Iterator[Finding]:
    """Judge what must hold whatever the pair shows: its protection, and where it lies."""
    account, taken = pair.account, case.state.snapshot
    if account is None or taken is None or case.state.phase in BEFORE_ANYTHING:
        return
    if not account.protected:
        yield Finding(
            "original-unprotected",
            account.dn,
            "it can be deleted by mistake",
            "protected from accidental deletion, as prepare had set it",
            f"find out who took the protection off, then, as a person, `{protecting(account.guid)}`",
            since_phase(case),
        )
    known = [str(one.account["dn"]) for one in (taken, case.state.repeated) if one]
    if not any(same_dn(account.dn, name) for name in known):
        yield Finding(
            "account-moved",
            known[-1],
            f"it is {account.dn}",
            "where the snapshot found it",
            "nothing, if it was meant: it is known by its objectGUID; else move it back",
        )


def as_the_pair_says(case: Case, pair: PairSeen) -> Iterator[Finding]:
    """Judge what Complete changes and a way back gives back, once the pair itself is as it should be."""
    account, taken = pair.account, case.state.snapshot
    if account is None or taken is None:
        return
    late_and_back = taken.late and case.state.phase in {*AT_REST, Phase.REOPENED}
    if late_and_back:  # what it was like before Complete nobody knows
        return
    yield from _enabled(case, account, pair.pair, bool(taken.account["enabled"]))
    yield from _on_dmsa(case, pair.dmsa) if pair.pair is Pair.COMPLETED else _on_account(case, account)


def _enabled(case: Case, account: Account, pair: Pair, before: bool) -> Iterator[Finding]:
    should = before and pair is not Pair.COMPLETED
    if account.enabled is should:
        return
    id_, word = ("account-enabled", "disabled") if account.enabled else ("account-disabled", "enabled")
    why = "Complete disables it" if pair is Pair.COMPLETED else "it was so in the snapshot"
    to_do = (
        f"find out who enabled it; `Disable-ADAccount -Identity {account.guid}` as a person"
        if account.enabled
        else f"find out who disabled it: its services cannot log on; `Enable-ADAccount -Identity {account.guid}`"
    )
    there = "enabled" if account.enabled else "disabled"
    yield Finding(id_, account.dn, f"it is {there}", f"{word}: {why}", to_do, since_phase(case))


def _spns_of(*holders: object) -> set[str]:
    return {str(spn) for one in holders if isinstance(one, dict) for spn in one.get(_SPNS, ())}


def _on_dmsa(case: Case, dmsa: DmsaSeen | None) -> Iterator[Finding]:
    taken, repeated = case.state.snapshot, case.state.repeated
    if dmsa is None or taken is None:
        return
    carried = _spns_of(taken.account, taken.dmsa, *((repeated.account, repeated.dmsa) if repeated else ()))
    yield from _spns(case, dmsa.dn, carried, dmsa.spns, "on the dMSA, where Complete has put them")


def _on_account(case: Case, account: Account) -> Iterator[Finding]:
    taken, repeated, compared = case.state.snapshot, case.state.repeated, case.state.compared
    known = [_spns_of(taken.account)] if taken else []
    known += [_spns_of(repeated.account)] if repeated else []
    found = [one.now or () for one in compared.differences if one.name == _SPNS] if compared else []
    known += [{str(spn) for spn in names} for names in found]
    now = _folded(account.spns)
    if not any(_folded(names) == now for names in known):
        yield from _spns(case, account.dn, known[-1] if known else set(), account.spns, "as in the snapshot")


def _spns(case: Case, dn: str, before: set[str], now: Iterable[str], should: str) -> Iterator[Finding]:
    there = _folded(now)
    lacking = sorted(spn for spn in before if spn.lower() not in there)
    more = sorted(spn for spn in now if spn.lower() not in _folded(before))
    if not lacking and not more:
        return
    said = [f"it lacks {', '.join(lacking)}"] if lacking else []
    said += [f"it has {', '.join(more)} besides"] if more else []
    names = ", ".join(sorted(before)) or "none"
    to_do = "find out who changed them (`setspn -Q` finds who holds one now) and set them again with `setspn`"
    yield Finding("spns-changed", dn, "; ".join(said), f"{names}: {should}", to_do, since_phase(case))


def _folded(spns: Iterable[str]) -> set[str]:
    return {spn.lower() for spn in spns}
