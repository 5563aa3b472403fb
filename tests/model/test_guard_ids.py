"""The table of guards holds what the contract says about waivers."""

from orchestrator.model.guard_ids import GUARDS, Stage

NEVER = [
    "dc-writable-2025",
    "schema-version",
    "kds-root-key",
    "account-is-user",
    "account-not-linked",
    "account-not-shared",
    "run-is-ours",
    "spn-unique",
    "dmsa-absent-or-fresh",
    "dmsa-name-fits",
    "original-protected",
    "original-present",
    "host-capable",
    "host-registry-effective",
    "hosts-allowed",
    "window-open",
    "blackout",
    "approvals",
    "failure-budget",
    "pair-matches",
    "snapshot-fresh",
    "change-ticket",
]
TWO = ["account-not-privileged", "no-other-use", "ou-not-open", "link-attributes-guarded"]


def test_who_may_waive_what():
    assert [id_ for id_, rule in GUARDS.items() if rule.approvers == 0] == NEVER
    assert [id_ for id_, rule in GUARDS.items() if rule.approvers == 2] == TWO
    assert {rule.approvers for rule in GUARDS.values()} == {0, 1, 2}
    assert all(rule.waivable == bool(rule.approvers) for rule in GUARDS.values())


def test_a_waiver_counts_at_stages_of_its_guard():
    for id_, rule in GUARDS.items():
        assert rule.id == id_
        assert rule.stages
        assert rule.waivable_at <= rule.stages
        assert bool(rule.waivable_at) == rule.waivable


def test_where_a_waiver_does_not_reach_every_stage():
    assert GUARDS["host-reachable"].waivable_at == {Stage.START}
    assert Stage.BACK not in GUARDS["account-password-stable"].waivable_at
