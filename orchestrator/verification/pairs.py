"""The pair: who names whom, in which state, and whether every domain controller shows the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from orchestrator.model.case import Case
from orchestrator.model.directory import ACCOUNT_BACK_LINK, DMSA_BACK_LINK, PairSeen
from orchestrator.model.lifecycle import Pair, Phase
from orchestrator.verification.finding import UNDER_WAY, Finding, since_phase
from orchestrator.verification.wanted import Wanted, dmsa_must_be_there


def judged(case: Case, pair: PairSeen, should: Wanted) -> Iterator[Finding]:
    """Judge the pair as the pinned domain controller shows it: the first of these that is wrong explains the others."""
    if pair.dmsa is None and dmsa_must_be_there(case):
        yield Finding(
            "dmsa-missing",
            case.migration.id,
            f"{pair.server} does not show it",
            f"there: the migration is {case.state.phase}",
            f"restore it from the AD Recycle Bin, then `dmsa verify PLAN --only {case.migration.id}` again; "
            "its hosts cannot fetch its key",
            since_phase(case),
        )
        return
    wrong = [*_foreign(case, pair), *_replaced(case, pair)] or [*_half(case, pair)]
    if not wrong and pair.pair not in should.pairs:
        wrong = [_unasked(case, pair, should)]
    yield from wrong or _left_behind(case, pair)


def landed(case: Case, pair: PairSeen, should: Wanted) -> Iterator[Finding]:
    """Tell a pair that something sent has led to, and that nobody has read back and mended yet."""
    if pair.pair is not should.base and pair.dmsa is not None:
        yield Finding(
            UNDER_WAY,
            case.migration.id,
            str(pair),
            f"{should.base}, until the step that has led to {pair.pair} has read everything back",
            f"`dmsa verify PLAN --only {case.migration.id}` again once it has; where nobody drives, `dmsa run PLAN` "
            "goes on with it",
        )


def copies(case: Case, pinned: PairSeen, others: Iterable[PairSeen], should: Wanted) -> Iterator[Finding]:
    """Compare the other domain controllers with the pinned one, whichever of them is right.

    Before every one was read to show the pair, a copy may have to hear of it; but none shows one that nobody made.
    """
    for other in others:
        if other.account is None:
            continue
        if not should.everywhere:
            unasked = should.pairs == {Pair.UNLINKED} == {pinned.pair} and other.pair is not Pair.UNLINKED
            yield from [_unasked(case, other, should)] if unasked else []
        elif _shown(other) != _shown(pinned):
            yield Finding(
                "copy-disagrees",
                other.server,
                _said(other),
                f"as {_said(pinned)}",
                "mend the replication (`repadmin /showrepl`), or find out who changed one of the copies",
                since_phase(case),
            )


def _shown(pair: PairSeen) -> tuple[Any, ...]:
    account, dmsa = pair.account, pair.dmsa
    return (
        (account.state, _fold(account.link), account.enabled) if account else None,
        (dmsa.guid, dmsa.state, _fold(dmsa.link)) if dmsa else None,
    )


def _said(pair: PairSeen) -> str:
    word = "enabled" if pair.account and pair.account.enabled else "disabled"
    return f"{pair}; the account is {word}"


def _foreign(case: Case, pair: PairSeen) -> Iterator[Finding]:
    """Tell links that lead out of the pair, or into it from outside."""
    account, dmsa = pair.account, pair.dmsa
    if account is None:
        return
    ours, theirs = account.dn, dmsa.dn if dmsa else None
    outgoing = [(ours, account.link, theirs), *([(dmsa.dn, dmsa.link, ours)] if dmsa else [])]
    for holder, link, partner in outgoing:
        if link is not None and _fold(link) != _fold(partner):
            yield _foreign_link(case, holder, f"it names {link}", partner)
    incoming = [(ours, account.watched.get(ACCOUNT_BACK_LINK), theirs)]
    incoming += [(dmsa.dn, dmsa.watched.get(DMSA_BACK_LINK), ours)] if dmsa else []
    for holder, names, partner in incoming:
        for name in _several(names):
            if _fold(name) != _fold(partner):
                yield _foreign_link(case, holder, f"{name} names it", partner)


def _foreign_link(case: Case, holder: str, there: str, partner: str | None) -> Finding:
    return Finding(
        "foreign-link",
        holder,
        there,
        f"nobody but {partner}" if partner else "nobody",
        "find out who made this link: whoever supersedes an account can act as it. Unlink the two by "
        "`Reset-ADServiceAccountMigration` as a person",
        since_phase(case) if case.state.snapshot else None,
    )


def _replaced(case: Case, pair: PairSeen) -> Iterator[Finding]:
    known = case.state.dmsa_guid
    if pair.dmsa is None or known is None or pair.dmsa.guid == known or case.state.phase is Phase.PLANNED:
        return
    yield Finding(
        "dmsa-replaced",
        pair.dmsa.dn,
        f"its objectGUID is {pair.dmsa.guid}",
        str(known),
        "find out who deleted the dMSA and made another of its name; restore the first from the AD Recycle Bin",
        since_phase(case),
    )


def _half(case: Case, pair: PairSeen) -> Iterator[Finding]:
    account, dmsa = pair.account, pair.dmsa
    if account is None or dmsa is None or bool(account.link) is bool(dmsa.link):
        return
    holder, other = (account.dn, dmsa.dn) if account.link else (dmsa.dn, account.dn)
    yield Finding(
        "half-link",
        holder,
        f"it names {other}, and is not named by it; {pair}",
        "both name each other" if case.state.phase is not Phase.PLANNED else "neither names the other",
        f"`dmsa hold PLAN --only {case.migration.id} --reason TEXT`, find out who cut the link, then unlink both by "
        "`Reset-ADServiceAccountMigration` as a person",
        since_phase(case),
    )


def _unasked(case: Case, pair: PairSeen, should: Wanted) -> Finding:
    id_ = case.migration.id
    if case.state.snapshot is None:
        to_do = f"find out who linked it; `dmsa adopt PLAN --only {id_} --reason TEXT` takes it over"
    else:
        to_do = f"find out who changed it; `dmsa rollback PLAN --only {id_} --reason TEXT` leads to a known state"
    subject = pair.dmsa.dn if pair.dmsa else id_
    since = since_phase(case) if case.state.snapshot else None
    return Finding("state-unasked", subject, str(pair), f"{should}, which {case.state.phase} stands for", to_do, since)


def _left_behind(case: Case, pair: PairSeen) -> Iterator[Finding]:
    """Tell a dMSA of ours that the journal does not know: one whose journal is lost, or another journal's."""
    if case.state.phase is not Phase.PLANNED or case.state.snapshot is not None or pair.dmsa is None:
        return
    mark = f"dmsa run {case.plan.name}"
    if pair.dmsa.description == mark and case.state.attempt == 1:
        yield Finding(
            "left-behind",
            pair.dmsa.dn,
            f"it carries the mark {mark!r}",
            "not there, or not marked: by this journal nothing was begun",
            f"use the journal of the run that made it, or `dmsa adopt PLAN --only {case.migration.id} --reason TEXT`",
        )


def _several(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)


def _fold(name: str | None) -> str | None:
    return name.lower() if name else None
