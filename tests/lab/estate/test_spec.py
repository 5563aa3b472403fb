from pathlib import Path

import pytest

from orchestrator.lab.estate import Estate, EstateInvalid, load_spec

SMALL = """
domain: {dns: corp.example, netbios: CORP}
dcs: [{name: dc01.corp.example}]
"""
PLANS = Path(__file__).parents[3] / "plans/estates"


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_estate_loads(path):
    assert Estate(load_spec(path.read_text(encoding="utf-8"))).host_names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "not YAML"),
        ("", "dictionary"),
        ("dcs: [{name: a}]", "domain: Field required"),
        (SMALL + "hsots: []", "hsots: Extra inputs"),
        (SMALL + "hosts: [{name: a, kerberos: 2}]", "hosts[0].kerberos"),
        (SMALL + "hosts: [{name: a, tasks: [{path: 'x', log_on: y}]}]", "hosts[0].tasks[0].path"),
        (
            SMALL + "hosts: [{name: a, tasks: [{path: '\\x', log_on: y, daily: 22:00}]}]",
            'quoted time of day such as "02:00"',
        ),
        (SMALL + "hosts: [{name: a, boots_in: 10}]", "duration such as 45s"),
        (SMALL + "hosts: [{name: a, services: [{name: b, depends_on: [c]}]}]", "depends on c"),
        (SMALL + "hosts: [{name: a, services: [{name: b}, {name: B}]}]", "service twice"),
        (SMALL + "hosts: [{name: DC01.corp.example}]", "appears twice"),
        (SMALL + "users: [{dn: 'CN=x,DC=else'}]", "not below DC=corp,DC=example"),
        (SMALL + "weather: [{kind: host-down, host: a}]", "exactly one of at and when"),
        (SMALL + "weather: [{kind: snow}]", "weather[0]"),
        (SMALL + "weather: [{kind: hang, when: {operation: Create, cmdlet: Get-X}}]", "a Create has no cmdlet"),
        (SMALL + "weather: [{kind: hang, when: {operation: Knock}}]", "operation"),
        (SMALL + "weather: [{kind: lost-reply, when: {operation: Send}, late: 1s}]", "late is for whole requests"),
        (
            SMALL + "weather: [{kind: host-down, host: dc01, when: {operation: Send}}]",
            "operation is for what befalls a request",
        ),
        (SMALL + "sessions: {users: 0}", "sessions.users"),
        (SMALL + "sessions: {envelope_kb: 31}", "sessions.envelope_kb"),
        (SMALL + "weather: [{kind: host-down, host: a, at: 2026-01-01T00:00:00Z}]", "no machine a"),
        (
            SMALL + "hosts: [{name: a}]\nweather: [{kind: partition, host: a, at: 2026-01-01T00:00:00Z}]",
            "no domain controller",
        ),
        (
            SMALL + "hosts: [{name: a}]\nweather: [{kind: service-broken, host: a, service: b, when: {}}]",
            "a has no service b",
        ),
        ("domain: {dns: a.b, netbios: A}\ndcs: [{name: x, writable: false}]", "at least one must be writable"),
    ],
)
def test_what_is_wrong_is_said(text, said):
    with pytest.raises(EstateInvalid) as caught:
        load_spec(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "users: [{dn: 'CN=x,OU=nowhere,DC=corp,DC=example'}]",
        "users: [{dn: 'CN=x,CN=Users,DC=corp,DC=example', delegated_by: ['CN=y,DC=corp,DC=example']}]",
        "groups: [{dn: 'CN=x,CN=Users,DC=corp,DC=example', members: ['CN=y,DC=corp,DC=example']}]",
        "dmsas: [{dn: 'CN=x,CN=Users,DC=corp,DC=example', supersedes: 'CN=y,DC=corp,DC=example'}]",
        "dmsas: [{dn: 'CN=x,CN=Users,DC=corp,DC=example', principals: ['CN=y,DC=corp,DC=example']}]",
    ],
)
def test_a_name_without_an_object_is_refused(text):
    with pytest.raises(EstateInvalid, match="not in the estate file"):
        Estate(load_spec(SMALL + text))


def test_a_linked_pair_on_the_first_day():
    above = "CN=Users,DC=corp,DC=example"
    users = f"users: [{{dn: 'CN=a,{above}', protected: true}}]\n"
    dmsas = f"dmsas: [{{dn: 'CN=d,{above}', state: 1, supersedes: 'CN=a,{above}'}}]\n"
    estate = Estate(load_spec(SMALL + users + dmsas))
    objects = estate.describe()["directory"]["dc01.corp.example"]
    assert objects[f"CN=a,{above}"]["msDS-SupersededManagedAccountLink"] == [f"CN=d,{above}"]
    assert objects[f"CN=a,{above}"]["msDS-SupersededServiceAccountState"] == 1
    assert "(D;;DC;;;WD)" in objects[above]["nTSecurityDescriptor"]
    assert "888eedd6-ce04-df40-b462-b8a50e41ba38" in objects[f"CN=d,{above}"]["nTSecurityDescriptor"]
