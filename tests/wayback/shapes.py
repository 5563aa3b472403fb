"""What a case of the matrix is played on: a plan of one migration, or of two that share a host, and its estate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.lab.estate.spec import EstateSpec
from orchestrator.model.plan import Plan
from orchestrator.planfile import canonical, digest
from orchestrator.rehearsal.rehearsed import Rehearsed

ROOT = "DC=corp,DC=example"
ACCOUNTS = f"OU=Service Accounts,{ROOT}"
MANAGED = f"OU=Managed,{ROOT}"
DC, SECOND = "dc01.corp.example", "dc02.corp.example"
HOST, SHARED = "app01.corp.example", "app02.corp.example"
MAIN, OTHER = "dmsa-main", "dmsa-other"
_FRONT = f"CN=FRONT,CN=Computers,{ROOT}"
_WAIVERS = [
    {"guard": guard, "reason": "weeks are not the point here", "approved_by": ["ann", "bob"]}
    for guard in ("dwell-minimum", "workload-supported", "no-unconstrained-delegation")
]

POLICY: dict[str, Any] = {
    "dwell": "1h",
    "flat_for": "1h",
    "ledger_every": "1h",
    "converge_within": "4h",
    "register_within": "13h",
    "retry": {"attempts": 6},
}
"""Hours for weeks, so that trouble is dense."""

ACCOUNT: dict[str, dict[str, Any]] = {
    "plain": {},
    "spns": {"spns": ["APP/app01", "APP/app01.corp.example"]},
    "delegation": {"spns": ["APP/app01"], "delegates_to": ["SQL/db01"], "protocol_transition": True},
    "delegated-to": {"delegated_by": [_FRONT]},
    "policy": {"spns": ["APP/app01"], "authn_policy": "Tier 1", "authn_silo": "Services"},
    "unconstrained": {"unconstrained_delegation": True},
    "everything": {
        "spns": ["APP/app01", "APP/app01.corp.example"],
        "delegates_to": ["SQL/db01", "SQL/db02"],
        "protocol_transition": True,
        "delegated_by": [_FRONT],
        "authn_policy": "Tier 1",
        "authn_silo": "Services",
        "description": "Runs the shop",
    },
}
"""What the account has: each attribute that Complete is documented to take or to copy."""

_LOG_ON = r"CORP\svc-main"
_API = {"name": "Api", "log_on": _LOG_ON}
WORKLOADS: dict[str, dict[str, list[dict[str, Any]]]] = {
    "one-service": {"services": [_API]},
    "stopped": {"services": [_API, {"name": "Queue", "log_on": _LOG_ON, "state": "Stopped", "start_mode": "Manual"}]},
    "disabled": {"services": [_API, {"name": "Old", "log_on": _LOG_ON, "state": "Stopped", "start_mode": "Disabled"}]},
    "dependents": {"services": [_API, {"name": "Feed", "depends_on": ["Api"]}]},
    "task": {"services": [], "tasks": [{"path": r"\Shop\Nightly", "log_on": _LOG_ON, "daily": "02:00"}]},
    "pool": {"services": [], "app_pools": [{"name": "Shop", "log_on": _LOG_ON}]},
    "all": {
        "services": [
            _API,
            {"name": "Queue", "log_on": _LOG_ON, "state": "Stopped", "start_mode": "Manual"},
            {"name": "Feed", "depends_on": ["Api"]},
            {"name": "Worker", "log_on": "svc-main@corp.example"},
        ],
        "tasks": [{"path": r"\Shop\Nightly", "log_on": _LOG_ON, "daily": "02:00"}],
        "app_pools": [{"name": "Shop", "log_on": _LOG_ON}, {"name": "Idle", "log_on": _LOG_ON, "state": "Stopped"}],
    },
}
"""What runs as the account on its first host."""


def rehearsed(case: Mapping[str, Any]) -> Rehearsed:
    """Return the plan of a case with its estate."""
    plan = Plan.model_validate(plan_data(case))
    spec = EstateSpec.model_validate(estate_data(case))
    return Rehearsed(plan, digest(plan), canonical(plan), spec)


def plan_data(case: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan as its file would have it."""
    runs = WORKLOADS[case["workloads"]]
    host: dict[str, Any] = {"name": HOST}
    host["services"] = [one["name"] for one in runs["services"] if "log_on" in one]
    host["tasks"] = [one["path"] for one in runs.get("tasks", ())]
    host["app_pools"] = [one["name"] for one in runs.get("app_pools", ())]
    hosts = [{name: value for name, value in host.items() if value}]
    if case["moment"] % 3 == 1:  # every third case, whatever else is so in it, leaves it to the host
        hosts = [{"name": HOST, "workloads": "discover"}]
    if case["second-host"] or case["neighbour"] != "none":
        hosts.append({"name": SHARED, "services": ["Agent"]})
    policy = POLICY | {"rollback_by": "reset" if case["word"] == "rollback-by-reset" else "undo"}
    policy |= {"reboot": "after_registry"} if case["reboot"] else {}
    migrations = [_migration("svc-main", MAIN, hosts)]
    if case["neighbour"] != "none":
        migrations.append(_migration("svc-other", OTHER, [{"name": SHARED, "services": ["Other"]}]))
    return {
        "version": 1,
        "name": "wayback",
        "estate": {"lab": "wayback.yaml"},
        "policy": policy,
        "waves": [{"name": "only", "at_once": 2, "failures": {"allow": 1}, "migrations": migrations}],
    }


def _migration(account: str, dmsa: str, hosts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "account": f"CN={account},{ACCOUNTS}",
        "dmsa": {"name": dmsa, "dns_host_name": f"{dmsa}.corp.example", "path": MANAGED},
        "hosts": hosts,
        "waivers": _WAIVERS,
    }


def estate_data(case: Mapping[str, Any]) -> dict[str, Any]:
    """Return the estate as its file would have it, in fair weather."""
    dcs = [{"name": DC, "site": "Berlin"}, {"name": SECOND, "site": "Hamburg", "latency": "45s"}]
    runs = WORKLOADS[case["workloads"]]
    agents = [{"name": "Agent", "log_on": _LOG_ON}, {"name": "Other", "log_on": r"CORP\svc-other"}]
    dmsa = {"dn": f"CN={MAIN},{MANAGED}", "description": "made by hand"}
    user = ACCOUNT[case["account"]] | {"dn": f"CN=svc-main,{ACCOUNTS}", "protected": case["protected"]}
    return {
        "name": "wayback",
        "seed": 7,
        "domain": {"dns": "corp.example", "netbios": "CORP"},
        "clock": {"start": "2026-03-02T18:00:00Z"},
        "dcs": dcs[: case["dcs"]],
        "ous": [ACCOUNTS, MANAGED],
        "users": [user, {"dn": f"CN=svc-other,{ACCOUNTS}", "spns": ["OTHER/app02"]}],
        "dmsas": [dmsa] if case["dmsa-before"] else [],
        "hosts": [
            {"name": HOST, "site": "Berlin", "kerberos": case["registry"], **runs},
            {"name": SHARED, "site": "Berlin", "kerberos": case["registry"], "services": agents},
            {"name": "front.corp.example"},
        ],
        "switches": {name: case[name] for name in SWITCHES},
    }


SWITCHES = (
    "undo_enables_account",
    "undo_restores_spns",
    "undo_removes_copies",
    "undo_clears_membership",
    "reset_restores",
    "reset_clears_membership",
    "reset_of_unlinked",
    "complete_refuses_empty_membership",
    "start_refuses_disabled_account",
    "batch_goes_on_after_error",
    "second_hop",
)
"""The lab's switches, all of them: a test counts."""
