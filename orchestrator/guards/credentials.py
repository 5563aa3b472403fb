"""The account can log on now, its password still will when a way back needs it, and its tickets stay its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from orchestrator.guards.guard import OfPair, account, pinned_pair
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.directory import CONTROL_COMPUTED, PASSWORD_EXPIRES, Account
from orchestrator.model.filetime import NEVER, moment, ticks
from orchestrator.model.guard_ids import Stage
from orchestrator.model.observation import Unreadable

LOCKED_OUT = 0x10
"""Bit UF_LOCKOUT of the computed userAccountControl (MS-ADTS 3.1.1.4.5.17)."""
TRUSTED_FOR_DELEGATION = 0x80000
"""userAccountControl bit TRUSTED_FOR_DELEGATION: unconstrained (MS-ADTS 2.2.16)."""
TIME_TO_GO_BACK = timedelta(days=14)
"""How long after Complete a way back must still find a password that is valid."""


class AccountEnabled(OfPair):
    """Hosts register by logging on as the account; one that cannot log on migrates nothing."""

    id = "account-enabled"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Enabled, not locked out, not expired."""
        del stage
        found = account(case, seen)
        computed = ticks(found.aside.get(CONTROL_COMPUTED), f"{CONTROL_COMPUTED} of {found.dn}")
        signs = [] if found.enabled else ["disabled"]
        if computed & LOCKED_OUT:
            signs.append("locked out")
        expires = _account_expires(found)
        if expires is not None and expires <= _now(case):
            signs.append(f"expired since {expires.isoformat()}")
        yield Verdict.of(
            not signs,
            found.dn,
            ", ".join(signs) or "enabled, not locked out, not expired",
            "find out who closed it and why; open it again, or take it out of the plan",
        )


def _account_expires(found: Account) -> datetime | None:
    """Return when the account expires; 0 means never, as does the largest number (MS-ADA1, accountExpires)."""
    number = ticks(found.watched.get("accountExpires", NEVER), f"accountExpires of {found.dn}")
    return moment(number) if number else None


def _now(case: Case) -> datetime:
    if case.at is None:
        raise Unreadable(f"{case.server} did not say what time it is")
    return case.at


class AccountPasswordStable(OfPair):
    """A way back logs on with the password that the services hold; one that changed, or expires, locks them out."""

    id = "account-password-stable"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Not changed since the snapshot, and valid for as long as a way back may need it."""
        found = account(case, seen)
        why = list(_not_stable(case, stage, found))
        remedy = _BACK_REMEDY if stage is Stage.BACK else _REMEDY
        yield Verdict.of(not why, found.dn, ", ".join(why) or _stable(case, stage), remedy)


_REMEDY = "set the password anew in the directory and for every workload, then begin; or let it never expire"
_BACK_REMEDY = (
    "give every service the password of now, or the account the one that they hold; `--accept-password-risk` then lets "
    "the way back begin"
)


def _not_stable(case: Case, stage: Stage, found: Account) -> Iterator[str]:
    set_at = ticks(found.watched.get("pwdLastSet"), f"pwdLastSet of {found.dn}")
    if case.state.snapshot is not None and stage is not Stage.PREFLIGHT:
        was = ticks(case.state.snapshot.account.get("pwdLastSet"), f"pwdLastSet of {found.dn} in the snapshot")
        if set_at != was:
            yield f"the password was changed at {_at(set_at)}, after the snapshot (it was of {_at(was)})"
    expires = ticks(found.aside.get(PASSWORD_EXPIRES), f"{PASSWORD_EXPIRES} of {found.dn}")
    if expires == 0:
        yield "the password must be changed at the next log-on"
        return
    when = moment(expires)
    if when is not None and when <= _now(case) + _needed(case, stage):
        tense = "has expired" if when <= _now(case) else "expires"
        yield f"the password {tense} at {when.isoformat()}, a way back may need it until {_until(case, stage)}"


def _stable(case: Case, stage: Stage) -> str:
    unchanged = "" if stage is Stage.PREFLIGHT or case.state.snapshot is None else "as in the snapshot, and "
    return f"the password is {unchanged}valid until {_until(case, stage)} at least"


def _needed(case: Case, stage: Stage) -> timedelta:
    """Return for how long from now the password must be valid: the hold before Complete has passed at Complete."""
    waits = {Stage.PREFLIGHT: case.policy.dwell + TIME_TO_GO_BACK, Stage.COMPLETE: TIME_TO_GO_BACK}
    return waits.get(stage, timedelta(0))


def _until(case: Case, stage: Stage) -> str:
    return (_now(case) + _needed(case, stage)).isoformat() if stage is not Stage.BACK else "now"


def _at(number: int) -> str:
    when = moment(number)
    return when.isoformat() if when is not None and number else "no time known"


class NoUnconstrainedDelegation(OfPair):
    """Unconstrained delegation is lost with Complete (Microsoft Learn, dMSA overview): what relies on it breaks."""

    id = "no-unconstrained-delegation"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Neither the account nor the dMSA is trusted for it."""
        del stage
        found, pair = account(case, seen), pinned_pair(case, seen)
        controls = {found.dn: found.watched.get("userAccountControl")}
        if pair.dmsa is not None:
            controls[pair.dmsa.dn] = pair.dmsa.watched.get("userAccountControl")
        trusted = [
            dn for dn, bits in controls.items() if ticks(bits, f"userAccountControl of {dn}") & TRUSTED_FOR_DELEGATION
        ]
        yield Verdict.of(
            not trusted,
            found.dn,
            f"trusted for unconstrained delegation: {', '.join(trusted)}" if trusted else "neither object is trusted",
            "move what relies on it to constrained delegation and take the flag off, or waive",
        )
