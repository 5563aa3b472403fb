"""How two plans differ, and what a run says to a changed one; what happens then is tested with a conductor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.amendment import amendment
from orchestrator.engine.difference import differences
from orchestrator.model.before import HostBefore, PoolBefore, ServiceBefore, SnapshotTaken, TaskBefore
from orchestrator.model.lifecycle import Phase
from orchestrator.model.plan import Plan
from orchestrator.planfile import canonical
from tests.engine.runs import AT, HELD, at, flying, run

ACCOUNT = "CN=svc-a,DC=corp,DC=example"
BEFORE = HostBefore(computer_name="H1", key_exists=True, value=None)
SNAPSHOT = SnapshotTaken(
    migration="a",
    account_guid=UUID(int=1),
    account={"dn": ACCOUNT},
    dmsa=None,
    hosts={"h1.corp.example": BEFORE},
    sha256="0",
)


def host(name: str, **workloads: Any) -> dict[str, Any]:
    return {"name": f"{name}.corp.example", "services": ["App"], **workloads}


def migration(id_: str = "a", **keys: Any) -> dict[str, Any]:
    dmsa = {"name": id_, "dns_host_name": f"{id_}.corp.example"}
    return {"account": f"CN=svc-{id_},DC=corp,DC=example", "dmsa": dmsa, "hosts": [host("h1")], **keys}


def plan(*migrations: dict[str, Any], **keys: Any) -> dict[str, Any]:
    directory = {"server": "dc01.corp.example", "endpoint": "dc01.corp.example"}
    whole = {
        "version": 1,
        "name": "changing",
        "estate": {"domain": "corp.example", "directory": directory},
        "waves": [{"name": "w", "migrations": list(migrations) or [migration()]}],
        **keys,
    }
    return canonical(Plan.model_validate(whole))


def said(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(one.migration or one.wave, one.key, one.before, one.after) for one in differences(before, after)]


CHANGES = [
    ("a policy of one migration", plan(), plan(migration(dwell="21d")), [("a", "dwell", 1209600, 1814400)]),
    (
        "a policy of the plan is one of every migration",
        plan(migration(), migration("b")),
        plan(migration(), migration("b"), policy={"retry": {"attempts": 9}}),
        [("a", "retry.attempts", 5, 9), ("b", "retry.attempts", 5, 9)],
    ),
    (
        "a service of a host",
        plan(),
        plan(migration(hosts=[host("h1", services=["App", "Night"])])),
        [("a", "hosts.h1.corp.example.services", ["App"], ["App", "Night"])],
    ),
    ("the change ticket", plan(), plan(change="CHG1"), [(None, "change", None, "CHG1")]),
    (
        "the order of a wave",
        plan(migration(), migration("b")),
        plan(migration("b"), migration()),
        [("w", "migrations.order", ["a", "b"], ["b", "a"])],
    ),
]


@pytest.mark.parametrize(("before", "after", "wanted"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_every_key_that_differs_is_said_once(before, after, wanted):
    assert said(before, after) == wanted
    assert said(before, before) == []


def test_who_joins_leaves_or_changes_the_wave_is_said_as_such():
    two = [{"name": "w", "migrations": [migration()]}, {"name": "x", "migrations": [migration("b")]}]
    moved = [{"name": "w", "migrations": [migration("b")]}, {"name": "x", "migrations": [migration("c")]}]
    found = {
        (one.migration, one.key): (one.before is None, one.after is None)
        for one in differences(plan(waves=two), plan(waves=moved))
        if one.migration
    }
    assert found == {("a", ""): (False, True), ("b", "wave"): (False, False), ("c", ""): (True, False)}


leaf = st.one_of(st.none(), st.integers(0, 3), st.text("ab", max_size=2))
entries = st.lists(st.fixed_dictionaries({"name": st.sampled_from("xyz"), "v": leaf}), unique_by=lambda e: e["name"])
keys = st.fixed_dictionaries({"one": leaf, "two": st.fixed_dictionaries({"three": leaf}), "list": entries})


@given(keys, keys)
def test_two_plans_differ_where_and_only_where_something_is_said(one, other):
    before, after = ({**keys, "waves": []} for keys in (one, other))
    found = differences(before, after)
    assert bool(found) is (before != after)
    assert len({change.key for change in found}) == len(found)
    back = differences(after, before)
    assert {(c.key, str(c.before), str(c.after)) for c in found} == {(c.key, str(c.after), str(c.before)) for c in back}


def begun(phase: Phase, **more: Any) -> Any:
    return run(a=replace(at(phase), snapshot=SNAPSHOT, **more))


JOINS = plan(migration(hosts=[host("h1"), host("h2")]))


@pytest.mark.parametrize(
    ("state", "after", "words"),
    [
        (begun(Phase.LINKED), plan(migration(hosts=[host("H1")])), "the journal knows h1.corp.example"),
        (begun(Phase.LINKED), plan(migration(account="CN=x,DC=corp,DC=example")), "a migration of its own"),
        (begun(Phase.PLANNED), plan(migration(account="CN=x,DC=corp,DC=example")), "a migration of its own"),
        (begun(Phase.COMPLETED), plan(migration("b")), "nobody could take it back"),
        (begun(Phase.SOAKED, sent=frozenset({"Complete-ADServiceAccountMigration"})), JOINS, "Complete was sent"),
        (begun(Phase.LINKED), plan(estate={"domain": "corp.example", "lab": "x.yaml"}), "Another estate"),
        (begun(Phase.STARTED), plan(estate={"domain": "corp.example", "directory": {
            "server": "dc02.corp.example", "endpoint": "dc02.corp.example"}}), "may not be on every copy yet"),
    ],
)  # fmt: skip
def test_what_is_refused(state, after, words):
    refusals = amendment(state, plan(), after).refusals
    assert any(words in refusal for refusal in refusals), refusals


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (begun(Phase.LINKED), plan(migration(account="cn=SVC-a, dc=corp,dc=example"))),
        (begun(Phase.LINKED), plan(estate={"domain": "corp.example", "directory": {
            "server": "dc02.corp.example", "endpoint": "dc02.corp.example"}})),
        (run(), plan(estate={"domain": "corp.example", "lab": "x.yaml"})),
        (begun(Phase.ROLLED_BACK), plan(migration("b"))),
        (run(), plan(migration("b"))),
        (begun(Phase.SOAKED), JOINS),
    ],
)  # fmt: skip
def test_what_is_not(state, after):
    assert amendment(state, plan(), after).refusals == ()


def test_who_comes_back_is_who_it_was():
    left = begun(Phase.ROLLED_BACK)
    assert amendment(left, plan(migration("b")), plan(migration("b"), migration())).refusals == ()
    other = migration(account="CN=x,DC=corp,DC=example")
    assert amendment(left, plan(migration("b")), plan(migration("b"), other)).refusals


def test_what_follows_is_said_for_approvals_and_holds():
    held = run(a=replace(flying(Phase.SOAKED), snapshot=SNAPSHOT, held=replace(HELD, since=AT)))
    after = plan(migration(hosts=[host("h1"), host("h2")], approvals={"start": 1, "complete": 2}))
    found = amendment(held, plan(), after)
    assert [(one.migration, one.what) for one in found.follows] == [
        ("a", "host-joins"),
        ("a", "returns-to-linked"),
        ("a", "stays-held"),
        (None, "approvals-fall"),
    ]
    assert found.follows[-1].detail.endswith("start needs 1, complete needs 2")


# A host that says itself what runs there.

FOUND = HostBefore(
    computer_name="H1",
    key_exists=True,
    value=None,
    services={"App": ServiceBefore(state="Running", start_mode="Auto", start_name="x")},
    tasks={"\\Nightly": TaskBefore(state="Ready")},
    app_pools={"Web": PoolBefore(state="Started")},
)
KNOWS = SNAPSHOT.model_copy(update={"hosts": {"h1.corp.example": FOUND}})
ASKS = migration(hosts=[{"name": "h1.corp.example", "workloads": "discover"}])


def listing(**workloads: Any) -> dict[str, Any]:
    return migration(hosts=[{"name": "h1.corp.example", **workloads}])


SAME = {"services": ["App"], "tasks": ["\\Nightly"], "app_pools": ["Web"]}


@pytest.mark.parametrize(
    ("before", "after", "follows", "moves"),
    [
        (ASKS, listing(**SAME), ["as-found"], 0),
        (
            ASKS,
            listing(services=["APP"], tasks=[{"path": "\\nightly", "run": True}], app_pools=["web"]),
            ["as-found"],
            0,
        ),
        (listing(**SAME), ASKS, ["as-found"], 0),
        (ASKS, listing(**SAME | {"services": ["App", "More"]}), ["host-joins", "returns-to-linked"], 1),
        (ASKS, listing(services=["App"], app_pools=["Web"]), ["workloads-change"], 0),
        (listing(services=["App"], app_pools=["Web"]), ASKS, ["host-joins", "returns-to-linked"], 1),
    ],
    ids=["the-same", "in-other-letters", "back-again", "one-more", "one-less", "what-had-left"],
)
def test_a_list_in_place_of_what_was_found_is_held_against_that(before, after, follows, moves):
    state = run(a=replace(at(Phase.RESTARTED), snapshot=KNOWS))
    found = amendment(state, plan(before), plan(after))
    assert found.changes, "the plan is another one, and says so"
    assert not found.refusals
    assert [one.what for one in found.follows] == follows
    assert len(found.moves) == moves


def test_before_anything_was_asked_a_list_takes_its_place_without_a_word():
    found = amendment(run(), plan(ASKS), plan(listing(**SAME)))
    assert (found.follows, found.moves, found.refusals) == ((), (), ())
