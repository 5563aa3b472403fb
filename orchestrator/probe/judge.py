"""The judgements: from what was read before and after an act to an answer, or to the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from orchestrator.model.directory import Account, DmsaSeen
from orchestrator.model.lifecycle import Pair
from orchestrator.probe.look import Did, Look, Went, delegation, policies, silos


@dataclass(frozen=True)
class Answer:
    """An answer, or None for unknown; ``why`` says what makes it so."""

    value: bool | str | None
    why: str


Trail: TypeAlias = Sequence[Did]
Judge: TypeAlias = Callable[[Trail], Answer]
Effect: TypeAlias = Callable[[Look, Look, Look], Answer]
"""Judges the pair as it was arranged, right before an act, and after it."""
Values: TypeAlias = Callable[[Account | DmsaSeen], frozenset[str]]


def unknown(why: str) -> Answer:
    """Return that there is no answer, and why."""
    return Answer(None, why)


def under(circumstance: Answer, answer: Answer) -> Answer:
    """Return an answer as that to a question about a circumstance: unknown unless it was there (true)."""
    if circumstance.value is not True:
        return unknown(circumstance.why)
    return replace(answer, why=f"{circumstance.why}; {answer.why}")


def _sent(trail: Trail, verb: str, pair: Pair) -> Did | None:
    """Return the first act of this kind on a pair in this state."""
    return next((did for did in trail if did.verb == verb and did.before.pair is pair), None)


def _unfit(did: Did | None, verb: str, pair: Pair) -> Answer | None:
    """Say why an act can answer nothing; None if it can."""
    if did is None:
        return unknown(f"{verb} was not sent to a pair at {pair}")
    if did.went is Went.DENIED:
        return unknown(f"{verb} was denied for want of a right, which says nothing about the operation")
    if did.went is Went.UNCERTAIN:
        return unknown(f"how {verb} ended is not known: {did.reply.fault.message if did.reply.fault else 'no reply'}")
    return None


def outcome(verb: str, pair: Pair, done: Pair | None = None) -> Judge:
    """Ask what an operation does to a pair in this state: ``refuse``, ``nothing``, or the state it leads to.

    Args:
        verb: the operation.
        pair: the state it is sent to.
        done: the state that is expected; where it is reached, the answer is true.
    """

    def judge(trail: Trail) -> Answer:
        did = _sent(trail, verb, pair)
        unfit = _unfit(did, verb, pair)
        if unfit or did is None:
            return unfit or unknown("")
        if did.went is Went.REFUSED:
            if did.moved:
                return unknown(f"{verb} was refused, and yet the pair went from {pair} to {did.after.pair}")
            said = f"{did.said.category}, {did.said.id.partition(',')[0]}" if did.said else "no reason given"
            return Answer("refuse", f"refused ({said}); the pair stays at {pair}")
        if not did.moved:
            return Answer("nothing", f"no error, and the pair stays at {pair}")
        to = did.after.pair
        return Answer(True if to is done else str(to), f"the pair went from {pair} to {to}")

    return judge


def _effect(verb: str, pair: Pair, to: Pair, of: Effect) -> Judge:
    """Judge what an operation changed beside the states, the first time that it led to the state that was expected.

    *of* is given the pair as it was arranged, before this operation, and after it.
    """

    def judge(trail: Trail) -> Answer:
        led = (did for did in trail if did.verb == verb and did.before.pair is pair and did.after.pair is to)
        did = next(led, None) or _sent(trail, verb, pair)
        unfit = _unfit(did, verb, pair)
        if unfit or did is None:
            return unfit or unknown("")
        if did.after.pair is not to:
            return unknown(f"{verb} left the pair at {did.after.pair}, and {to} was expected")
        return of(trail[0].before, did.before, did.after)

    return judge


def _share(wanted: Iterable[str], there: Iterable[str], what: str) -> Answer:
    """Answer whether all of these are there (true) or none of them (false)."""
    wanted, there = frozenset(wanted), frozenset(there)
    both = wanted & there
    if both and both != wanted:
        return unknown(f"{what}: some and not all, {', '.join(sorted(both))} of {', '.join(sorted(wanted))}")
    return Answer(bool(both), f"{what}: {'all' if both else 'none'} of {', '.join(sorted(wanted))}")


def _opposite(answer: Answer) -> Answer:
    return answer if answer.value is None else Answer(not answer.value, answer.why)


def _enables(_: Look, before: Look, after: Look) -> Answer:
    if before.account.enabled:
        return unknown("Complete had not disabled the account")
    return Answer(after.account.enabled, f"the account is {'enabled' if after.account.enabled else 'still disabled'}")


def _returns_spns(origin: Look, before: Look, after: Look) -> Answer:
    moved = origin.account.spns & before.dmsa.spns
    if not moved:
        return unknown("no SPN had moved to the dMSA; give the disposable account one before you ask")
    return _share(moved, after.account.spns, "back on the account")


def _returns_delegation(origin: Look, before: Look, after: Look) -> Answer:
    first, then, now = (delegation(one.account) | policies(one.account) for one in (origin, before, after))
    if not first:
        return unknown(
            "the account has no delegation and no policy (any more); give the disposable account some before you ask"
        )
    if first <= then:
        return unknown("Complete had left delegation and policy on the account")
    return _share(first - then, now, "back on the account")


def _removes_copies(origin: Look, before: Look, after: Look) -> Answer:
    copies = delegation(origin.account) & delegation(before.dmsa)
    if not copies:
        return unknown("no delegation was copied to the dMSA; give the disposable account some before you ask")
    return _opposite(_share(copies, delegation(after.dmsa), "still on the dMSA"))


def _clears_membership(_: Look, before: Look, after: Look) -> Answer:
    if not before.dmsa.principals:
        return unknown("nobody was allowed to retrieve the password")
    return _opposite(_share(before.dmsa.principals, after.dmsa.principals, "still allowed"))


def _withdraws(_: Look, before: Look, after: Look) -> Answer:
    if before.grant is None or after.grant is None:
        return unknown("the dMSA's descriptor could not be read")
    if not before.grant:
        return unknown("the dMSA's descriptor did not name the account")
    return _opposite(_share(before.grant, after.grant, "still in the descriptor"))


def _grants(_: Look, before: Look, after: Look) -> Answer:
    if before.grant is None or after.grant is None:
        return unknown("the dMSA's descriptor could not be read")
    gained = sorted(after.grant - before.grant)
    return Answer(" ".join(gained) or "nothing", f"{len(gained)} entries of the descriptor name the account anew")


def _grants_again(_: Look, before: Look, after: Look) -> Answer:
    answer = _grants(_, before, after)
    return answer if answer.value is None else Answer(answer.value != "nothing", f"{answer.value}: {answer.why}")


def _disables(_: Look, before: Look, after: Look) -> Answer:
    if not before.account.enabled:
        return unknown("the account was disabled before")
    return Answer(not after.account.enabled, f"the account is {'enabled' if after.account.enabled else 'disabled'}")


def _spns(one: Account | DmsaSeen) -> frozenset[str]:
    return one.spns


_NO_SPN = "the account has no SPN; give the disposable account one before you ask"
_NO_DELEGATION = "the account has no delegation; give the disposable account some before you ask"
_NO_POLICY = "the account has no authentication policy and is in no silo; give it one before you ask"
_NO_SILO = "the account is in no authentication policy silo; put it into one before you ask"


def _kept(of: Values, lacking: str) -> Effect:
    """Ask whether what the account had is still on it; *lacking*: why that cannot be told where it had none."""

    def judge(_: Look, before: Look, after: Look) -> Answer:
        had = of(before.account)
        return _share(had, of(after.account), "still on the account") if had else unknown(lacking)

    return judge


def _given(of: Values, lacking: str) -> Effect:
    """Ask whether what the account had is on the dMSA; *lacking* as for :func:`_kept`."""

    def judge(_: Look, before: Look, after: Look) -> Answer:
        had = of(before.account)
        return _share(had, of(after.dmsa), "on the dMSA") if had else unknown(lacking)

    return judge


def _takes_spns(origin: Look, before: Look, after: Look) -> Answer:
    return _opposite(_kept(_spns, _NO_SPN)(origin, before, after))


def _restores(origin: Look, before: Look, after: Look) -> Answer:
    """Judge the three together: the lab has one switch for them."""
    parts = [part(origin, before, after) for part in (_enables, _returns_spns, _removes_copies)]
    known = {part.value for part in parts if part.value is not None}
    why = "; ".join(part.why for part in parts)
    return Answer(known.pop(), why) if len(known) == 1 else unknown(f"not all alike: {why}")


_U, _S, _C = Pair.UNLINKED, Pair.STARTED, Pair.COMPLETED

START_GRANTS = _effect("Start", _U, _S, _grants)
COMPLETE_DISABLES = _effect("Complete", _S, _C, _disables)
COMPLETE_TAKES_SPNS = _effect("Complete", _S, _C, _takes_spns)
COMPLETE_GIVES_SPNS = _effect("Complete", _S, _C, _given(_spns, _NO_SPN))
COMPLETE_COPIES = _effect("Complete", _S, _C, _given(delegation, _NO_DELEGATION))
COMPLETE_KEEPS_DELEGATION = _effect("Complete", _S, _C, _kept(delegation, _NO_DELEGATION))
COMPLETE_KEEPS_POLICIES = _effect("Complete", _S, _C, _kept(policies, _NO_POLICY))
COMPLETE_JOINS_SILOS = _effect("Complete", _S, _C, _given(silos, _NO_SILO))
COMPLETE_WITHDRAWS = _effect("Complete", _S, _C, _withdraws)
UNDO_ENABLES = _effect("Undo", _C, _S, _enables)
UNDO_RETURNS_SPNS = _effect("Undo", _C, _S, _returns_spns)
UNDO_RETURNS_DELEGATION = _effect("Undo", _C, _S, _returns_delegation)
UNDO_REMOVES_COPIES = _effect("Undo", _C, _S, _removes_copies)
UNDO_GRANTS_AGAIN = _effect("Undo", _C, _S, _grants_again)
UNDO_CLEARS = _effect("Undo", _S, _U, _clears_membership)
UNDO_WITHDRAWS = _effect("Undo", _S, _U, _withdraws)
RESET_CLEARS = _effect("Reset", _S, _U, _clears_membership)
RESET_WITHDRAWS = _effect("Reset", _S, _U, _withdraws)
RESET_RESTORES = _effect("Reset", _C, _U, _restores)
RESET_ENABLES = _effect("Reset", _C, _U, _enables)
RESET_RETURNS_SPNS = _effect("Reset", _C, _U, _returns_spns)
RESET_RETURNS_DELEGATION = _effect("Reset", _C, _U, _returns_delegation)
RESET_REMOVES_COPIES = _effect("Reset", _C, _U, _removes_copies)


def start_of_disabled(trail: Trail) -> Answer:
    """Ask whether Start takes a disabled account. That it takes an enabled one was seen on the way here."""
    did = next((did for did in trail if did.verb == "Start" and not did.before.account.enabled), None)
    if did is None:
        return unknown(
            "the catalogue disables no account, and the way back that was tried enabled it again, so that no unlinked "
            "pair had a disabled account"
        )
    return _refused(did)


def complete_of_empty(trail: Trail) -> Answer:
    """Ask whether Complete minds that nobody may retrieve the password; a second one with principals is the control."""
    tried = [did for did in trail if did.verb == "Complete"]
    if not tried or tried[0].before.dmsa.principals:
        return unknown("principals were there when Complete was to be sent")
    answer = _refused(tried[0])
    if answer.value is True and (len(tried) < 2 or tried[1].went is not Went.DONE or not tried[1].moved):
        return unknown("Complete was refused without principals, but with them it did not succeed either")
    return answer


def _refused(did: Did) -> Answer:
    answer = outcome(did.verb, did.before.pair)([did])
    if answer.value is None:
        return answer
    if answer.value == "nothing":
        return unknown(f"{did.verb} reported no error, and did nothing")
    return Answer(answer.value == "refuse", answer.why)
