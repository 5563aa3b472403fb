"""A lab that stands in for a real estate: as snapshots have it; the rest is drawn up, and said to be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import yaml

from orchestrator.lab.estate.estate import Estate
from orchestrator.lab.estate.spec import EstateSpec, load_spec
from orchestrator.model.before import HostBefore, PoolBefore, ServiceBefore, SnapshotTaken, TaskBefore
from orchestrator.model.drilled import Origin
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.rehearsal.restaged import restaged

START = datetime(2026, 11, 29, 12, tzinfo=UTC)
DC, APP01, APP02 = "dc01.corp.example", "app01.corp.example", "app02.corp.example"
REPORT = "CN=Report service,OU=Accounts,DC=corp,DC=example"


def plan(discovers: bool = False) -> Plan:
    def migration(account: str, dmsa: str, *hosts: dict[str, Any]) -> dict[str, Any]:
        return {"account": account, "dmsa": {"name": dmsa, "dns_host_name": f"{dmsa}.corp.example"}, "hosts": hosts}

    listed = {"name": APP01, "services": ["Report"], "tasks": [r"\R\Nightly"]}
    report = migration(REPORT, "dmsa-report", {"name": APP01, "workloads": "discover"} if discovers else listed)
    batch = migration("CN=svc-batch,CN=Users,DC=corp,DC=example", "dmsa-batch", {"name": APP02, "services": ["Batch"]})
    estate = {"domain": "corp.example", "directory": {"endpoint": DC, "server": DC, "converge_on": [DC]}}
    return Plan.model_validate(
        {"version": 1, "name": "real", "estate": estate, "waves": [{"name": "one", "migrations": [report, batch]}]}
    )


def service(name: str | None, **more: Any) -> ServiceBefore:
    return ServiceBefore(**{"state": "Running", "start_mode": "Auto", "start_name": name, **more})


def host(**more: Any) -> HostBefore:
    return HostBefore(**{"computer_name": "APP01", "key_exists": True, "value": None, **more})


def taken(hosts: dict[str, HostBefore], **account: Any) -> SnapshotTaken:
    return SnapshotTaken(
        migration="dmsa-report", account_guid=UUID(int=1), account=account, dmsa=None, hosts=hosts, sha256="0"
    )


def built(*snapshots: SnapshotTaken, discovers: bool = False) -> tuple[EstateSpec, Origin]:
    """Return the estate, as whoever serves it reads it from its file."""
    run = RunState("real")
    for snapshot in snapshots:
        run.apply(snapshot, START)
    spec, origin = restaged(plan(discovers), run, START)
    read = load_spec(yaml.safe_dump(spec.model_dump(mode="json", exclude_unset=True), allow_unicode=True))
    assert read.model_dump() == spec.model_dump(), "what is written is what was meant"
    Estate(read)  # and an estate can be made of it
    return read, origin


def user(spec: EstateSpec, dn: str = REPORT) -> Any:
    return next(one for one in spec.users if one.dn == dn)


def machine(spec: EstateSpec, name: str = APP01) -> Any:
    return next(one for one in spec.hosts if one.name == name)


def test_without_a_snapshot_everything_is_made_up_and_said_to_be():
    spec, origin = built()
    assert origin.snapshots == ()
    assert origin.made_up[0].startswith("everything of dmsa-report, dmsa-batch: no snapshot was taken")
    assert {one.name for one in spec.hosts} == {APP01, APP02}
    assert spec.clock.start == START


def test_a_host_that_says_itself_what_runs_there_has_what_it_said_or_one_service_that_stands_for_it():
    spec, origin = built(discovers=True)
    assert [one.name for one in machine(spec).services] == ["What runs as report service"]
    assert f"what runs on {APP01}: nobody has asked there yet, so one service stands for it" in origin.made_up

    spec, origin = built(taken({APP01: host(services={"Report": service(r"CONTOSO\svc-rep")})}), discovers=True)
    assert [one.name for one in machine(spec).services] == ["Report"]
    assert not [said for said in origin.made_up if APP01 in said]


def test_the_account_is_as_its_snapshot_has_it():
    known = {
        "servicePrincipalName": ["HTTP/a", "HTTP/b"],
        "userAccountControl": 0x200 | 0x80000 | 0x1000000,
        "msDS-SupportedEncryptionTypes": 28,
        "msDS-AllowedToDelegateTo": ["SQL/x"],
        "ProtectedFromAccidentalDeletion": True,
        "Description": "Reporting",
        "pwdLastSet": "133823880000000000",
    }
    spec, origin = built(taken({APP01: host(services={"Report": service(r"CONTOSO\svc-rep")})}, **known))
    found = user(spec)
    assert (found.sam, spec.domain.netbios) == ("svc-rep", "CONTOSO"), "as the service's log-on name has them"
    assert found.spns == ("HTTP/a", "HTTP/b")
    assert (found.unconstrained_delegation, found.protocol_transition, found.pwd_never_expires) == (True, True, False)
    assert (found.enabled, found.protected, found.description) == (True, True, "Reporting")
    assert (found.encryption_types, found.delegates_to) == (28, ("SQL/x",))
    assert found.pwd_last_set == datetime(2025, 1, 26, 18, tzinfo=UTC)
    assert origin.snapshots == ("dmsa-report",)
    assert origin.made_up[0].startswith("everything of dmsa-batch: ")


@pytest.mark.parametrize(
    ("known", "switch"),
    [
        ({"key_exists": False}, "no-key"),
        ({}, "absent"),
        ({"value": 0}, 0),
        ({"value": 1}, 1),
        ({"value": "1"}, "absent"),
        ({"value": 7}, "absent"),
    ],
)
def test_the_switch_is_as_it_was(known, switch):
    assert machine(built(taken({APP01: host(**known)}))[0]).kerberos == switch


def test_workloads_are_as_they_were():
    known = host(
        services={
            "Report": service(r"CORP\svc-report", dependents=("Cache",)),
            "Idle": service(None, state="Stopped", start_mode="Manual"),
            "Odd": service("LocalSystem", state="Start Pending", start_mode="Boot"),
        },
        tasks={r"\R\Nightly": TaskBefore(state="Disabled", log_on=r"CORP\svc-report")},
        app_pools={"Web": PoolBefore(state="Stopped", log_on=None)},
    )
    found = machine(built(taken({APP01: known}))[0])
    services = {one.name: (one.state, one.start_mode, one.depends_on) for one in found.services}
    assert services == {
        "Report": ("Running", "Auto", ()),
        "Idle": ("Stopped", "Manual", ()),
        "Odd": ("Stopped", "Manual", ()),
        "Cache": ("Running", "Auto", ("Report",)),
    }
    assert [(one.path, one.enabled, one.log_on) for one in found.tasks] == [(r"\R\Nightly", False, r"CORP\svc-report")]
    assert [(one.name, one.state, one.log_on) for one in found.app_pools] == [
        ("Web", "Stopped", "ApplicationPoolIdentity")
    ]


@pytest.mark.parametrize(
    ("log_on", "other"),
    [
        (r"CORP\svc-else", "svc-else"),
        ("svc-else@corp.example", "svc-else"),
        (r"NT SERVICE\MSSQL", None),
        (r"NT AUTHORITY\LocalService", None),
        (".\\local", None),
        ("LocalSystem", None),
        (r"CORP\svc-batch", None),
    ],
)
def test_who_else_logs_on_there_has_an_account_too(log_on, other):
    services = {name: service(r"CORP\svc-report") for name in ("Report", "Second")} | {"Other": service(log_on)}
    spec, origin = built(taken({APP01: host(services=services)}))
    more = [one.sam for one in spec.users if one.dn.startswith(f"CN={other},CN=Users")]
    assert more == ([other] if other else [])
    said = [one for one in origin.made_up if one.startswith("other accounts that workloads log on as")]
    assert bool(said) == bool(other)


def test_what_a_lab_cannot_show_is_said_to_be_missing():
    _, origin = built(taken({}, **{"msDS-AssignedAuthNPolicy": "CN=x", "memberOf": ["CN=g"]}))
    assert "of dmsa-report it lacks msDS-AssignedAuthNPolicy, memberOf" in origin.made_up
