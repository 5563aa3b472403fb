"""Bad hosts: how many, which, of what kind; and what a plan makes of each kind."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import structlog

from orchestrator.lab.estate.spec import EstateSpec
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.planfile import load_plan
from orchestrator.rehearsal.bad_hosts import KINDS, how_many, with_bad_hosts
from orchestrator.rehearsal.play import Played, play
from orchestrator.rehearsal.rehearsed import Rehearsed
from orchestrator.rehearsal.stage import staged

PLAN = """\
version: 1
name: one
estate:
  domain: corp.example
  directory: {{endpoint: dc01.corp.example, server: dc01.corp.example, converge_on: [dc01.corp.example]}}
  connections: [{{match: "*", auth: kerberos}}]
policy: {{ledger_every: 1d, reboot: after_registry, on_failure: {on_failure}}}
waves:
  - name: only
    failures: {{allow: 9}}
    migrations:
      - account: CN=svc-app,OU=Service Accounts,DC=corp,DC=example
        dmsa: {{name: dmsa-app, dns_host_name: dmsa-app.corp.example, path: "OU=Managed,DC=corp,DC=example"}}
        hosts: [{hosts}]
"""


@pytest.fixture(autouse=True)
def quiet():
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def rehearsed(folder: Path, hosts: int = 1, on_failure: str = "hold") -> Rehearsed:
    listed = ", ".join(f"{{name: h{n:02d}.corp.example, services: [App]}}" for n in range(hosts))
    (folder / "p.yaml").write_text(PLAN.format(hosts=listed, on_failure=on_failure), encoding="utf-8")
    return staged(load_plan(folder / "p.yaml"))


@pytest.mark.parametrize(
    ("share", "of", "many"),
    [
        ("5%", 800, 40),
        ("5%", 40, 2),
        ("5%", 3, 1),
        ("0%", 3, 0),
        ("100%", 3, 3),
        ("2.5%", 200, 5),
        ("7", 9, 7),
        ("0", 9, 0),
    ],
)
def test_a_share_is_rounded_and_at_least_one(share, of, many):
    assert how_many(share, of) == many


@pytest.mark.parametrize("share", ["", "five", "-1", "5 %%", "2.5", "101%", "10", "1e3"])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(ValueError, match=r"give a share such as 5%|the plan has 9 hosts"):
        how_many(share, 9)


def test_the_seed_decides_which_hosts_and_what_they_are(tmp_path):
    whole = rehearsed(tmp_path, hosts=40)
    drawn = {seed: with_bad_hosts(whole, "50%", seed) for seed in (1, 2)}
    assert drawn[1][1] == with_bad_hosts(whole, "50%", 1)[1]
    assert drawn[1][1] != drawn[2][1]
    for spoiled, bad in drawn.values():
        assert {one.kind for one in bad} == set(KINDS)
        assert len({one.host for one in bad}) == 20
        named = {one.host for one in bad}
        differ = {now.name for now, before in zip(spoiled.spec.hosts, whole.spec.hosts, strict=True) if now != before}
        struck = {rule.host if hasattr(rule, "host") else rule.when.host for rule in spoiled.spec.weather}
        assert differ | struck == named
        assert EstateSpec.model_validate(spoiled.spec.model_dump()) == spoiled.spec, "an estate file could say it"


def test_a_kind_that_fits_no_host_is_not_drawn(tmp_path):
    whole = rehearsed(tmp_path, hosts=20)
    plain = whole.plan.model_copy(update={"policy": whole.plan.policy.model_copy(update={"reboot": "never"})})
    plain.__dict__.pop("_index", None)
    _, bad = with_bad_hosts(Rehearsed(plain, "", {}, whole.spec), "100%", 1)
    assert "slow-boot" not in {one.kind for one in bad}


def played(whole: Rehearsed, kind: str, seed: int = 1) -> Played:
    spoiled, bad = with_bad_hosts(whole, "1", seed, [kind])
    assert [one.kind for one in bad] == [kind]
    return play(spoiled, seed, attended=False)


ENDS = {
    "unreachable": {("planned", "guard:host-reachable")},
    "old-windows": {("planned", "guard:host-capable")},
    "switch-refused": {("linked", "fault")},
    "never-registers": {("registered", "hosts-missing")},
    "service-fails": {("registered", "fault"), ("completed", None)},
    "policy-resets": {("soaked", "guard:host-registry-effective")},
    "goes-down": {("linked", "retries-spent"), ("soaked", "retries-spent"), ("completed", None)},
    "slow-boot": {("linked", "retries-spent"), ("completed", None)},
}
"""Where a migration with one such host may end if a person is left to mend it, and why it is held there."""


SEEDS = dict.fromkeys(ENDS, (1, 2)) | {"goes-down": (1, 2, 6), "slow-boot": (1, 2), "service-fails": (1, 7)}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_comes_to_an_end_with_its_reason(tmp_path, kind):
    whole = rehearsed(tmp_path)
    found = set()
    for seed in SEEDS[kind]:
        came = played(whole, kind, seed)
        assert came.violations == ()
        state = came.state["dmsa-app"]
        found.add((str(state.phase), state.held.reason if state.held else None))
    assert found == ENDS[kind]


@pytest.mark.parametrize("kind", ["policy-resets", "service-fails", "goes-down"])
def test_what_it_holds_up_is_taken_back_where_the_policy_says_so(tmp_path, kind):
    """Or is held for what only a person can mend; whichever, it failed, and the policy has spoken."""
    seed = {"policy-resets": 2, "service-fails": 7, "goes-down": 6}[kind]
    came = played(rehearsed(tmp_path, on_failure="undo"), kind, seed)
    assert came.violations == ()
    state = came.state["dmsa-app"]
    assert state.failure == "failed"
    assert state.intention is Intention.BACK
    assert state.held is not None or state.phase is Phase.ROLLED_BACK
