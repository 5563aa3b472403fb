"""Authentication policy, silos and delegation of the account: kept, taken for good, or taken and given back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.model.call import Call, Write
from tests.probe.bench import ACCOUNT, Bench

AUTHN = "CN=AuthN Policy Configuration,CN=Services,CN=Configuration,DC=corp,DC=example"
POLICY = {"msDS__AssignedAuthNPolicy": f"CN=Tier 1,CN=AuthN Policies,{AUTHN}"}
SILO = {"msDS__AssignedAuthNPolicySilo": f"CN=Silo,CN=AuthN Silos,{AUTHN}"}
DELEGATION = {"msDS__AllowedToDelegateTo": ("HTTP/elsewhere.corp.example",)}
EVERYTHING = {**POLICY, **SILO, **DELEGATION}
MOVES = {("Complete", 1, 2), ("Undo", 2, 1), ("Reset", 2, 0)}
"""To and from a completed pair, by the account's state before and after."""


def a_policy_and_a_silo(estate: dict[str, Any]) -> None:
    """Let there be both, though the account has neither yet."""
    other = {"dn": "CN=svc-other,OU=Disposable,DC=corp,DC=example", "authn_policy": "Tier 1", "authn_silo": "Silo"}
    estate["users"].append(other)


def answers(bench: Bench, before: Callable[[Call], None] = lambda _call: None) -> dict[str, Any]:
    inquiry = bench.ask(before=before)
    assert (inquiry.ended_early, inquiry.astray) == ("", "")
    assert inquiry.account_differs == bool(bench.changed())
    return {id_: finding.answer.value for id_, finding in inquiry.findings.items()}


def after_each(bench: Bench, **does: dict[str, Any]) -> Callable[[Call], None]:
    """Let an operation that leads to or from a completed pair write to the account, too, before anybody reads it."""
    sent: list[Any] = ["", 0]

    def before(call: Call) -> None:
        state = bench.objects().get("msDS-SupersededServiceAccountState") or 0
        if (*sent, state) in MOVES:
            bench.write(ACCOUNT, **does.get(sent[0], {}))
        sent[:] = call.statement.name.partition("-")[0] if isinstance(call, Write) else "", state

    return before


@pytest.mark.parametrize(
    ("account", "keeps", "joins"),
    [({}, None, None), (POLICY, True, None), (SILO, True, True), ({**POLICY, **SILO}, True, True)],
    ids=["neither", "policy", "silo", "both"],
)
def test_what_the_account_keeps(account, keeps, joins):
    bench = Bench(a_policy_and_a_silo)
    bench.put(ACCOUNT, **account)
    seen = answers(bench)
    assert seen["complete_keeps_policies"] is keeps
    assert seen["complete_joins_silos"] is joins
    assert bench.changed() == {}


@pytest.mark.parametrize("refuses", [False, True], ids=["at the first Complete", "once there are principals"])
@pytest.mark.parametrize(
    ("returning", "undo", "reset"),
    [((), False, None), (("Reset",), False, None), (("Undo",), True, False), (("Undo", "Reset"), True, True)],
    ids=["nobody", "Reset", "Undo", "both"],
)
def test_what_complete_takes_and_who_returns_it(returning, undo, reset, refuses):
    """What Undo does not return, the account has no more when Reset is asked, and when all is over."""
    bench = Bench(a_policy_and_a_silo, complete_refuses_empty_membership=refuses)
    bench.put(ACCOUNT, **EVERYTHING)
    returned = dict.fromkeys(returning, EVERYTHING)
    seen = answers(bench, after_each(bench, Complete=dict.fromkeys(EVERYTHING), **returned))
    assert seen["complete_keeps_policies"] is False
    assert seen["complete_joins_silos"] is True
    assert seen["complete_copies_delegation"] is True
    assert seen["undo_removes_copies"] is True
    assert seen["undo_restores_delegation"] is undo
    assert seen["reset_restores_delegation"] is reset
    assert bool(bench.changed()) is not undo


def test_what_stays_away_is_named():
    bench = Bench(a_policy_and_a_silo)
    bench.put(ACCOUNT, **SILO)
    inquiry = bench.ask(before=after_each(bench, Complete=dict.fromkeys(SILO)))
    assert inquiry.account_differs
    assert inquiry.left[0].startswith(
        f"account: msDS-AssignedAuthNPolicySilo was CN=Silo,CN=AuthN Silos,{AUTHN} and is unset"
    )
