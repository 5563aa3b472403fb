"""Nothing but our own steps has changed the objects since the snapshot: a way back would put back what others meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestrator.guards.guard import OfPair, account, pinned_pair
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.directory import ACCOUNT_BACK_LINK, Account, DmsaSeen
from orchestrator.model.facts import BY_ITSELF, DESCRIPTOR, OF_DMSA, PAIRS_OWN, account_data, asked_then, kept
from orchestrator.model.facts import of_account as facts_of
from orchestrator.model.guard_ids import Stage
from orchestrator.model.observation import Unreadable

_SHOWN = 80

JUDGED_ELSEWHERE = frozenset(
    {*BY_ITSELF, *PAIRS_OWN, ACCOUNT_BACK_LINK, "ProtectedFromAccidentalDeletion", "pwdLastSet", "dn", DESCRIPTOR}
)
"""What is no concern of this guard: what moves by itself; the pair and its links (``pair-matches``,
``account-not-linked``); the protection that prepare set (``original-protected``); the password
(``account-password-stable``); where the account lies, for accounts get moved; and its descriptor, which is read at
Complete only, to be written down."""


class SnapshotFresh(OfPair):
    """A way back goes by the snapshot; what others changed since it was taken, it would not give back."""

    id = "snapshot-fresh"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Every watched attribute is as in the first snapshot, but for what our own steps have written.

        The second snapshot, right before Complete, never takes the place of the first.
        """
        del stage
        found, dmsa = account(case, seen), pinned_pair(case, seen).dmsa
        if case.state.snapshot is None:
            raise Unreadable(f"no snapshot of {case.migration.id} was taken")
        changed = [*_of_account(case, found), *_of_dmsa(case, dmsa)]
        yield Verdict.of(
            not changed,
            found.dn,
            "; ".join(changed) or "as in the snapshot, but for what was done here",
            "find out who changed it and set it back; or, if it is meant, begin anew with a new snapshot: "
            f"`dmsa rollback`, then `dmsa release PLAN --only {case.migration.id} --forward --reason TEXT`",
        )


def _of_account(case: Case, found: Account) -> Iterator[str]:
    taken = case.state.snapshot
    assert taken is not None
    before, now = (kept(asked_then(facts_of(one), taken.unasked)) for one in (taken.account, account_data(found)))
    for key in sorted(before.keys() | now.keys()):
        _, name = key
        was, is_ = before.get(key), now.get(key)
        if was != is_ and name not in JUDGED_ELSEWHERE:
            yield _said(name, was, is_)


def _of_dmsa(case: Case, found: DmsaSeen | None) -> Iterator[str]:
    """Hold a dMSA that was there already against the snapshot; one that prepare created is judged by what it is."""
    taken = case.state.snapshot.dmsa if case.state.snapshot else None
    for name in OF_DMSA if taken is not None and found is not None else ():
        was, is_ = (taken or {}).get(name), found.watched.get(name) if found else None
        if (was or None) != (is_ or None):
            yield _said(f"the dMSA's {name}", was, is_)


def _said(name: str, was: Any, now: Any) -> str:
    return f"{name} is {_short(now)}, and was {_short(was)} in the snapshot"


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if value in (None, "", []):
        return "not set"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
