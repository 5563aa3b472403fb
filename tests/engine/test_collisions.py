"""What one plan of a journal cannot begin because another has: a table of two plans, and who stands where."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.engine.collisions import collisions, has_begun
from orchestrator.model.before import SnapshotTaken
from orchestrator.model.lifecycle import Phase
from orchestrator.model.plan import Plan
from tests.engine.runs import at, back, run


def plan(name: str, account: str, dmsa: str, host: str, works=None, **more) -> Plan:
    return Plan.model_validate(
        {
            "version": 1,
            "name": name,
            "estate": {"lab": "estate.yaml", "domain": "corp.example"},
            "waves": [
                {
                    "name": "only",
                    "migrations": [
                        {
                            "account": f"CN={account},DC=corp,DC=example",
                            "dmsa": {"name": dmsa, "dns_host_name": f"{dmsa}.corp.example"},
                            "hosts": [{"name": f"{host}.corp.example", **(works or {})}],
                            **more,
                        }
                    ],
                }
            ],
        }
    )


THEIRS = plan("mail", "svc-mail", "dmsa-mail", "app01", works={"services": ["Relay"], "tasks": [r"\Mail\Sweep"]})
SNAPSHOT = SnapshotTaken.model_construct(migration="dmsa-mail", hosts={})

CASES = {
    "nothing in common": (plan("erp", "svc-erp", "dmsa-erp", "app02"), "restarted", []),
    "a host is shared": (plan("erp", "svc-erp", "dmsa-erp", "app01", works={"services": ["Erp"]}), "restarted", []),
    "the account, spelled otherwise": (
        plan("erp", "SVC-Mail", "dmsa-erp", "app02"),
        "restarted",
        ["CN=SVC-Mail,DC=corp,DC=example is the account, which is under way, of mail/dmsa-mail"],
    ),
    "the account of one that is completed": (
        plan("erp", "svc-mail", "dmsa-erp", "app02"),
        "completed",
        ["CN=svc-mail,DC=corp,DC=example is the account, which is completed, of mail/dmsa-mail"],
    ),
    "the account of one that nobody began": (plan("erp", "svc-mail", "dmsa-mail", "app01"), "planned", []),
    "the account of one that went all the way back": (
        plan("erp", "svc-mail", "dmsa-mail", "app01"),
        back(Phase.ROLLED_BACK),
        [],
    ),
    "the account of one on its way back": (
        plan("erp", "svc-mail", "dmsa-erp", "app02"),
        back(Phase.UNLINKED),
        ["CN=svc-mail,DC=corp,DC=example is the account, which is under way, of mail/dmsa-mail"],
    ),
    "the account of one that has only looked yet": (
        plan("erp", "svc-mail", "dmsa-erp", "app02"),
        replace(at(Phase.PLANNED), snapshot=SNAPSHOT),
        ["CN=svc-mail,DC=corp,DC=example is the account, which is under way, of mail/dmsa-mail"],
    ),
    "the dMSA": (
        plan("erp", "svc-erp", "DMSA-mail", "app02"),
        "soaked",
        ["DMSA-mail is the dMSA, which is under way, of mail/dmsa-mail"],
    ),
    "a host that only one reboots": (
        plan("erp", "svc-erp", "dmsa-erp", "APP01", reboot="after_registry"),
        "registered",
        ["reboot of APP01.corp.example is after_registry here and never in the plan of mail/dmsa-mail"],
    ),
    "a host that only one reboots, of one that is completed": (
        plan("erp", "svc-erp", "dmsa-erp", "app01", reboot="after_registry"),
        "completed",
        [],
    ),
    "a service and a task": (
        plan("erp", "svc-erp", "dmsa-erp", "app01", works={"services": ["RELAY"], "tasks": [r"\mail\sweep"]}),
        "started",
        [
            r"relay on app01.corp.example is a service of mail/dmsa-mail",
            r"\mail\sweep on app01.corp.example is a task of mail/dmsa-mail",
        ],
    ),
}


def found(ours: Plan, stands, own=None, chosen=None) -> list[str]:
    (one,) = ours.migrations()
    theirs = run(**{"dmsa-mail": stands if not isinstance(stands, str) else Phase(stands)})
    mine = run(**{one.id: own} if own else {})
    said = collisions(ours, mine, [(THEIRS, theirs)], {one.id} if chosen is None else chosen)
    assert {collision.migration for collision in said} <= {one.id}
    return [str(collision).removeprefix(f"{one.id}: ") for collision in said]


@pytest.mark.parametrize("case", CASES)
def test_two_plans(case):
    ours, stands, said = CASES[case]
    assert found(ours, stands) == said


def test_what_has_begun_here_is_not_asked_about():
    ours = plan("erp", "svc-mail", "dmsa-erp", "app02")
    assert found(ours, "restarted")
    assert not found(ours, "restarted", own=Phase.PREPARED)
    assert found(ours, "restarted", own=back(Phase.ROLLED_BACK))  # a new attempt begins anew
    assert not found(ours, "restarted", chosen=set())


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_begun_but_two(phase):
    assert has_begun(at(phase)) == (phase not in {Phase.PLANNED, Phase.ROLLED_BACK})
