"""Judgements on what no switch of the lab shows: half an effect, a control that fails, a reply that was lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from orchestrator.model.directory import Account, DmsaSeen, PairSeen
from orchestrator.model.lifecycle import Pair
from orchestrator.model.observation import Fault, FaultKind, Outcome, RemoteError, Reply
from orchestrator.probe import judge
from orchestrator.probe.judge import Judge, outcome
from orchestrator.probe.look import Did, Look, Went

DELEGATED = {"msDS-AllowedToDelegateTo": ["HTTP/a", "HTTP/b"], "userAccountControl": 0x200}
GRANT = frozenset({"(A;;RP;;;S-1)", "(OA;;WP;;;S-1)"})
UNWILLING = RemoteError("ActiveDirectoryServer:8245,Some.Cmdlet", "NotSpecified", "ADException", "unwilling")
DENIED = RemoteError("ActiveDirectoryServer:8344,Some.Cmdlet", "NotSpecified", "ADException", "no right")
DONE = Reply(Outcome.SUCCEEDED)
REFUSED = Reply(Outcome.FAILED, errors=(UNWILLING,), fault=Fault(FaultKind.PERMANENT, "8245", "unwilling"))
LOST = Reply(Outcome.UNKNOWN, fault=Fault(FaultKind.UNKNOWN, "lost-reply", "no answer"))
AWAY = Reply(Outcome.FAILED, fault=Fault(FaultKind.TRANSIENT, "refused", "dc01 refuses connections"))


def pair(state: int, **changes: Any) -> Look:
    """Return a pair as it would be after a Complete that did everything, or before one."""
    link = ("CN=a", "CN=d") if state else (None, None)
    completed = state == 2
    account = Account(
        UUID(int=1), "CN=a", "S-1", "a", "user", not completed, True, state, link[1],
        frozenset() if completed else frozenset({"S/1", "S/2"}), DELEGATED,
    )  # fmt: skip
    dmsa = DmsaSeen(
        UUID(int=2), "CN=d", "msDS-DelegatedManagedServiceAccount", state, link[0], ("CN=h", "CN=i"),
        frozenset({"S/1", "S/2"}) if completed else frozenset(), "", DELEGATED if completed else {},
    )  # fmt: skip
    for name, value in changes.items():
        if name.startswith("account_"):
            account = replace(account, **{name.removeprefix("account_"): value})
        elif name.startswith("dmsa_"):
            dmsa = replace(dmsa, **{name.removeprefix("dmsa_"): value})
    grant = changes.get("grant", GRANT if state == 1 else frozenset())
    return Look(PairSeen("dc01", account, dmsa), grant)


COMPLETED = Did("Complete", pair(1), pair(2), DONE)


def undone(**changes: Any) -> list[Did]:
    return [COMPLETED, Did("Undo", pair(2), pair(1, **changes), DONE)]


def reset(**changes: Any) -> list[Did]:
    return [COMPLETED, Did("Reset", pair(2), pair(0, **changes), DONE)]


def unlinked(verb: str, **changes: Any) -> list[Did]:
    return [Did(verb, pair(1), pair(0, **changes), DONE)]


HALF = {
    "half of the SPNs": (judge.UNDO_RETURNS_SPNS, undone(account_spns=frozenset({"S/1"}))),
    "half of the copies": (judge.UNDO_REMOVES_COPIES, undone(dmsa_watched={"msDS-AllowedToDelegateTo": ["HTTP/a"]})),
    "half of the principals": (judge.UNDO_CLEARS, unlinked("Undo", dmsa_principals=("CN=h",))),
    "half of the grant": (judge.RESET_WITHDRAWS, unlinked("Reset", grant=frozenset({"(A;;RP;;;S-1)"}))),
}


@pytest.mark.parametrize("case", HALF)
def test_half_an_effect_is_no_answer(case):
    asked, trail = HALF[case]
    answer = asked(trail)
    assert answer.value is None
    assert "some and not all" in answer.why


SILO, LISTED = "msDS-AssignedAuthNPolicySilo", "msDS-AuthNPolicySiloMembersBL"
GUARDED = {**DELEGATED, "msDS-AssignedAuthNPolicy": "CN=P", SILO: "CN=S", LISTED: ["CN=S", "CN=T"]}
"""What an account with a policy and two silos shows; the one that applies to it lists it."""


def completed(account: dict[str, Any], dmsa: dict[str, Any]) -> list[Did]:
    return [
        Did("Complete", pair(1, account_watched=GUARDED), pair(2, account_watched=account, dmsa_watched=dmsa), DONE)
    ]


@pytest.mark.parametrize(
    ("account", "dmsa", "keeps", "joins"),
    [
        (GUARDED, GUARDED, True, True),
        (DELEGATED, GUARDED, False, True),
        (GUARDED, DELEGATED, True, False),
        (DELEGATED, {SILO: "CN=S", LISTED: "CN=S"}, False, None),
        ({**DELEGATED, SILO: "CN=S"}, {}, None, False),
    ],
    ids=["copied", "moved", "kept", "moved in part", "taken in part"],
)
def test_where_policy_and_silos_are_after_complete(account, dmsa, keeps, joins):
    assert judge.COMPLETE_KEEPS_POLICIES(completed(account, dmsa)).value is keeps
    assert judge.COMPLETE_JOINS_SILOS(completed(account, dmsa)).value is joins


@pytest.mark.parametrize(
    ("asked", "verb", "to"),
    [(judge.UNDO_RETURNS_DELEGATION, "Undo", 1), (judge.RESET_RETURNS_DELEGATION, "Reset", 0)],
    ids=["Undo", "Reset"],
)
@pytest.mark.parametrize(
    ("origin", "left", "back", "value", "says"),
    [
        (GUARDED, {}, GUARDED, True, "back on the account: all of"),
        (GUARDED, DELEGATED, DELEGATED, False, "back on the account: none of"),
        (GUARDED, {}, DELEGATED, None, "some and not all"),
        (GUARDED, GUARDED, GUARDED, None, "Complete had left"),
        ({}, {}, {}, None, "give the disposable account some"),
    ],
    ids=["all", "none", "half", "never taken", "nothing to take"],
)
def test_delegation_that_complete_took_comes_back_or_does_not(asked: Judge, verb, to, origin, left, back, value, says):
    started, ended = pair(1, account_watched=origin), pair(2, account_watched=left)
    answer = asked([Did("Complete", started, ended, DONE), Did(verb, ended, pair(to, account_watched=back), DONE)])
    assert answer.value is value
    assert says in answer.why


def test_a_reset_that_restores_only_some_of_it_is_named_and_set_to_nothing():
    answer = judge.RESET_RESTORES(reset(account_spns=frozenset()))
    assert answer.value is None
    assert answer.why.startswith("not all alike: the account is enabled; back on the account: none of S/1, S/2")
    assert judge.RESET_RESTORES(reset()).value is True


@pytest.mark.parametrize(
    ("asked", "before"),
    [
        (judge.UNDO_ENABLES, {"account_enabled": True}),
        (judge.UNDO_RETURNS_SPNS, {"dmsa_spns": frozenset()}),
        (judge.UNDO_REMOVES_COPIES, {"dmsa_watched": {}}),
        (judge.RESET_RESTORES, {"account_enabled": True, "dmsa_spns": frozenset(), "dmsa_watched": {}}),
    ],
)
def test_what_complete_did_not_take_cannot_be_given_back(asked: Judge, before):
    verb, state = ("Reset", 0) if asked is judge.RESET_RESTORES else ("Undo", 1)
    trail = [Did("Complete", pair(1), pair(2, **before), DONE), Did(verb, pair(2, **before), pair(state), DONE)]
    assert asked(trail).value is None


@pytest.mark.parametrize("asked", [judge.START_GRANTS, judge.UNDO_WITHDRAWS, judge.COMPLETE_WITHDRAWS])
def test_a_descriptor_that_could_not_be_read_answers_nothing(asked: Judge):
    trails = [
        Did("Start", pair(0), pair(1, grant=None), DONE),
        *unlinked("Undo", grant=None),
        Did("Complete", pair(1), pair(2, grant=None), DONE),
    ]
    answer = asked(trails)
    assert answer.value is None
    assert "could not be read" in answer.why


@pytest.mark.parametrize(
    ("reply", "after", "went", "value"),
    [
        (DONE, 1, Went.DONE, "1/1"),
        (DONE, 2, Went.DONE, "nothing"),
        (REFUSED, 2, Went.REFUSED, "refuse"),
        (REFUSED, 1, Went.REFUSED, None),
        (replace(REFUSED, outcome=Outcome.SUCCEEDED, fault=None), 2, Went.REFUSED, "refuse"),
        (replace(REFUSED, errors=(DENIED,)), 2, Went.DENIED, None),
        (LOST, 1, Went.DONE, "1/1"),
        (LOST, 2, Went.UNCERTAIN, None),
        (AWAY, 2, Went.UNCERTAIN, None),
    ],
)
def test_what_was_said_and_what_was_read_make_the_answer(reply, after, went, value):
    did = Did("Undo", pair(2), pair(after), reply)
    assert did.went is went
    assert outcome("Undo", Pair.COMPLETED)([did]).value == value


def test_an_act_that_was_not_sent_answers_nothing():
    assert outcome("Undo", Pair.COMPLETED)([COMPLETED]).value is None
    assert judge.UNDO_ENABLES([]).value is None
    assert judge.start_of_disabled([]).value is None
    assert judge.complete_of_empty([]).value is None


def test_an_operation_that_leads_elsewhere_says_nothing_of_its_effects():
    trail = [COMPLETED, Did("Undo", pair(2), pair(0), DONE)]
    assert judge.UNDO_ENABLES(trail).value is None
    assert outcome("Undo", Pair.COMPLETED, Pair.STARTED)(trail).value == "0/-"


EMPTY: dict[str, Any] = {"dmsa_principals": ()}


@pytest.mark.parametrize(
    ("then", "value"),
    [
        ([Did("Complete", pair(1), pair(2), DONE)], True),
        ([Did("Complete", pair(1), pair(1), REFUSED)], None),
        ([], None),
    ],
    ids=["with principals it goes", "with them neither", "without a control"],
)
def test_a_refused_complete_needs_its_control(then, value):
    refused = Did("Complete", pair(1, **EMPTY), pair(1, **EMPTY), REFUSED)
    assert judge.complete_of_empty([refused, *then]).value is value


@pytest.mark.parametrize(
    ("reply", "after", "value"),
    [(REFUSED, 0, True), (DONE, 1, False), (DONE, 0, None), (LOST, 0, None)],
)
def test_start_of_a_disabled_account(reply, after, value):
    def disabled(state: int) -> Look:
        return pair(state, account_enabled=False)

    assert judge.start_of_disabled([Did("Start", disabled(0), disabled(after), reply)]).value is value
