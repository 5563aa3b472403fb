"""The draft: it is the plan that was meant, whatever the names are, and says what a person has to decide."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator.discovery import AccountFound, Discovered, HostFound, WorkloadFound, decisions, draft
from orchestrator.discovery.suggest import LONGEST, suggest, wished
from orchestrator.discovery.waves import FULL, waves
from orchestrator.discovery.yaml_text import block, comment, scalar, value
from orchestrator.planfile import parse_plan
from orchestrator.views.discovery import discovery_document
from orchestrator.views.discovery_schema import discovery_schema
from tests.discovery.asking import ESTATE as ESTATE_YAML
from tests.discovery.asking import OBRIEN, Asked, dn

ESTATE = {"lab": "estate.yaml"}
DC_WITHOUT_CATALOG = "dcs: [{name: dc01.corp.example, global_catalog: false}, {name: dc02.corp.example}]"
ODD = [
    r"no",
    r"Yes",
    r"010",
    r"22:00",
    r"~",
    r"null",
    r"1e3",
    r"it's",
    r'say"x"',
    r"{a}",
    r"*x",
    r"&x",
    r"!x",
    r"%",
    r"@",
    r"`",
    r"\R\N",
    r"=",
    r"<<",
    r"12:30:45",
    r"0x1F",
    r".5",
    r"😀",
]
HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    [*ODD, "", " a", "a ", "a: b", "a #b", "- a", "a\nb", "\u2028", "\x85", "\ufeff"]
)


@given(HOSTILE)
def test_a_scalar_reads_back_as_it_was(text):
    assert yaml.safe_load(f"a: [{scalar(text)}, {scalar(text)}]\nb: {value(text)}\n{scalar(text)}: x\n") == (
        {"a": [text, text], "b": text} | {text: "x"}
    )


@given(
    st.recursive(
        HOSTILE | st.booleans() | st.integers(-9, 10**9) | st.none(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3),
        max_leaves=12,
    )
)
def test_a_block_reads_back_as_it_was(data):
    assert yaml.safe_load("\n".join(["root:", *block({"x": data}, 2)])) == {"root": {"x": data}}


@given(HOSTILE, st.integers(0, 12))
def test_a_comment_stays_one(text, indent):
    lines = "\n".join(["a: 1", *comment(f"{text} {text}", indent), "b: 2"])
    assert yaml.safe_load(lines) == {"a": 1, "b": 2}
    assert all(line.lstrip().startswith("#") for line in lines.split("\n")[1:-1])


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | st.sampled_from(
    ["no", "it's", 'a"b', "a: b", "010", "x[1]", "MSSQL$A", " a", "a*", "#x"]
)


@st.composite
def discoveries(pick):
    """What may be found, with names that anything may hold."""
    accounts = pick(st.integers(1, 4))
    people = [
        AccountFound(
            f"CN=a{number},DC=corp,DC=example",
            f"CN=a{number},DC=corp,DC=example",
            "user",
            sam=pick(NAMES),
            spns=tuple(pick(st.lists(NAMES, max_size=2))),
            delegates_to=tuple(pick(st.lists(NAMES, max_size=2))),
            privileged=tuple(pick(st.lists(NAMES, max_size=1))),
            enabled=pick(st.booleans()),
            encryption=pick(st.sampled_from([None, 4, 24])),
        )
        for number in range(accounts)
    ]
    hosts = []
    for number in range(pick(st.integers(1, 4))):
        works = {}
        for _ in range(pick(st.integers(0, 4))):
            kind = pick(st.sampled_from(["service", "task", "app-pool"]))
            name = ("\\" if kind == "task" else "") + pick(NAMES)
            owner = pick(st.sampled_from(people)).asked
            works[kind, name.casefold()] = WorkloadFound(kind, name, owner, pick(NAMES), pick(st.booleans()), "Running")
        troubles = tuple(pick(st.lists(NAMES, max_size=1)))
        fault = None if works else pick(st.none() | NAMES)
        build = pick(st.sampled_from([20348, 26100]))
        roles = tuple(pick(st.lists(NAMES, max_size=2)))
        same = pick(st.sampled_from(["", "A.x", "B.x"]))
        caption = pick(NAMES)
        hosts.append(
            HostFound(
                f"h{number}.x", tuple(works.values()), fault, troubles, caption, build,
                cluster=bool(roles), roles=roles, computer=same,
            )
        )  # fmt: skip
    names = suggest([(one.asked, one.sam) for one in people], ())
    return Discovered("corp.example", None, tuple(people), tuple(hosts), names, forest=pick(st.booleans()))


@given(discoveries(), st.none() | st.just("OU=New one,DC=corp,DC=example"))
def test_the_draft_is_the_plan_that_was_meant(found, path):
    if not found.movable:
        return
    plan = parse_plan(draft(found, ESTATE, "drafted", path).encode())
    assert [one.account for one in plan.migrations()] == [
        one.asked for wave in waves(found) for one in wave.accounts
    ], "each that can move, once"
    assert {one.account for one in plan.migrations()} == {one.asked for one in found.movable}
    for one in plan.migrations():
        assert one.dmsa.path == path
        assert one.dmsa.name == found.names[one.account]
        assert one.waivers == (), "nothing is waived by a draft"
        planned = {
            (host.name, kind, name)
            for host in one.hosts
            for kind, names in (
                ("service", host.services),
                ("task", [task.path for task in host.tasks]),
                ("app-pool", host.app_pools),
            )
            for name in names
        }
        seen = {(h.name, work.kind, work.name) for h in found.hosts for work in h.of(one.account) if work.fits_a_plan}
        assert planned == seen
    assert not any(task.run for one in plan.migrations() for host in one.hosts for task in host.tasks)


@given(discoveries())
def test_accounts_that_share_a_host_share_a_wave_but_for_the_pilot(found):
    drafted = waves(found)
    where = {one.asked: wave.name for wave in drafted for one in wave.accounts}
    for host in found.hosts:
        of = {where[w.account] for w in host.workloads if w.account in where and w.fits_a_plan}
        assert len(of - {"pilot"}) <= 1
    assert all(len(wave.accounts) == 1 for wave in drafted if wave.name == "pilot")


@given(st.lists(NAMES, max_size=40), st.sets(NAMES, max_size=5))
def test_names_are_always_usable(sams, taken):
    names = suggest([(str(place), sam) for place, sam in enumerate(sams)], {one.lower() for one in taken})
    assert len({name.lower() for name in names.values()}) == len(sams)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}", name) for name in names.values())
    assert not {name.lower() for name in names.values()} & {one.lower() for one in taken}


@pytest.mark.parametrize(
    ("sam", "name"),
    [
        *(("svc-erp", "dmsa-erp"), ("SVC_Web", "dmsa-web"), ("svcapp", "dmsa-app"), ("erp", "dmsa-erp")),
        *(("svc-", "dmsa-svc"), ("o'brien", "dmsa-o-brien"), ("a.b--c", "dmsa-a-b-c"), ("ÄÖÜ", "dmsa-account")),
    ],
)
def test_a_name_is_made_of_the_accounts(sam, name):
    assert wished(sam) == name
    assert len(suggest([("k", sam)], ())["k"]) <= LONGEST


# Whole estates: asked as the command asks them, and drafted.

DOMAIN_SPELLINGS = ("CORP\\{}", "corp.example\\{}", "{}@corp.example", "{}@CORP", "{}", "OTHER\\{}", ".\\{}")
SAMS = st.from_regex(r"[A-Za-z][A-Za-z0-9 ._$'&#()-]{0,18}[A-Za-z0-9]", fullmatch=True)
WORDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ._$'&#()-]{0,20}", fullmatch=True).map(str.strip)


@st.composite
def estates(pick):
    """An estate of any shape, and the names under which its accounts and hosts are asked for."""
    sams = pick(st.lists(SAMS, min_size=1, max_size=4, unique_by=str.lower))
    log_ons = [form.format(sam) for sam in sams for form in DOMAIN_SPELLINGS]
    hosts = []
    for letter in "abc"[: pick(st.integers(1, 3))]:
        names = pick(st.lists(WORDS, max_size=3, unique_by=str.lower))
        tasks = pick(st.lists(WORDS, max_size=2, unique_by=str.lower))
        pools = pick(st.lists(WORDS, max_size=2, unique_by=str.lower))
        log_on = st.sampled_from([*log_ons, "LocalSystem"])
        host = {
            "name": f"{letter}.corp.example",
            "services": [{"name": name, "log_on": pick(log_on)} for name in names],
            "tasks": [{"path": f"\\{name}", "log_on": pick(log_on)} for name in tasks],
            "app_pools": [{"name": name, "log_on": pick(log_on)} for name in pools],
            "listening": pick(st.sampled_from([True, True, True, False])),
            "build": pick(st.sampled_from([26100, 20348])),
        }
        if pick(st.booleans()):
            host["cluster"] = [{"name": one, "type": pick(WORDS)} for one in pick(st.lists(WORDS, max_size=2))]
            host["services"] = [
                *(one for one in host["services"] if one["name"].lower() != "clussvc"),
                {"name": "ClusSvc"},
            ]
        hosts.append(host)
    users = [
        {
            "dn": f"CN=a{number},OU=Svc,DC=corp,DC=example",
            "sam": sam,
            "enabled": pick(st.booleans()),
            "unconstrained_delegation": pick(st.booleans()),
            "admin_count": pick(st.sampled_from([None, 1])),
            "encryption_types": pick(st.sampled_from([None, 4, 24])),
        }
        for number, sam in enumerate(sams)
    ]
    taken = [
        {"dn": f"CN={name},OU=Svc,DC=corp,DC=example"} for name in suggest([(sam, sam) for sam in sams], ()).values()
    ]
    estate = {
        "domain": {"dns": "corp.example", "netbios": "CORP"},
        "dcs": [{"name": "dc01.corp.example", "global_catalog": pick(st.booleans())}, {"name": "dc02.corp.example"}],
        "ous": ["OU=Svc,DC=corp,DC=example"],
        "users": users,
        "dmsas": taken if pick(st.booleans()) else [],
        "hosts": hosts,
    }
    return yaml.safe_dump(estate), [one["dn"] for one in users], [one["name"] for one in hosts]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(estates(), st.sampled_from([None, "OU=New one,DC=corp,DC=example"]))
def test_whatever_an_estate_is_check_accepts_the_draft(estate, path):
    text, accounts, hosts = estate
    found = Asked(text).everything([*accounts, "CN=nobody,OU=Svc,DC=corp,DC=example"], hosts)
    written = discovery_document(found, None)
    Draft202012Validator(discovery_schema()).validate(written)
    assert all("cannot be read" not in one["text"] for one in written["decisions"]), written["decisions"]
    if not found.movable:
        return
    drafted = draft(found, ESTATE, "drafted", path)
    plan = parse_plan(drafted.encode())
    assert [one.account for one in plan.migrations()] == [one.asked for wave in waves(found) for one in wave.accounts]
    taken = {one["dn"].split(",")[0][3:].lower() for one in yaml.safe_load(text)["dmsas"]}
    assert not {one.dmsa.name.lower() for one in plan.migrations()} & taken
    asked = {host.name for host in found.hosts if host.fault is None}
    assert {host.name for one in plan.migrations() for host in one.hosts} <= asked
    for host in found.hosts:
        assert host.fault is None or host.name in flat(drafted)


# What the draft of an estate says.

ALL = ("svc-web", "svc-web2", "svc-app", "svc-reporting-daily", "svc-reporting-dusk", "svc-power", "svc-idle")


@pytest.fixture(scope="module")
def found() -> Discovered:
    return Asked().everything([*map(dn, ALL), OBRIEN, "CN=a,CN=Computers,DC=corp,DC=example", dn("nobody")])


def flat(text: str) -> str:
    """Return the text with its comments put together again."""
    return re.sub(r"\n *# ", " ", text)


def test_the_pilot_is_the_smallest_and_what_is_doubtful_comes_last_of_those_it_shares_with(found):
    assert [(wave.name, [one.sam for one in wave.accounts]) for wave in waves(found)] == [
        ("pilot", ["svc-app"]),
        (
            "one-host",
            ["svc-web2", "svc-web", "svc-reporting-daily", "svc-reporting-dusk", "svc-power", "o'brien"],
        ),
    ]


@pytest.mark.parametrize(
    "said",
    [
        "DECIDE (host-capable): c.corp.example is Microsoft Windows Server 2022 Standard, build 20348",
        "DECIDE: dmsa-reporting-daily has 20 characters, and a dMSA's name at most 15: dmsa-reporting is free",
        "DECIDE: dmsa-reporting-dusk has 19 characters, and a dMSA's name at most 15: dmsa-reportin-2 is free",
        "DECIDE: dmsa-app is taken: dmsa-app-2 is free",
        "DECIDE: task \\Bare on a.corp.example runs as svc-web, without a domain",
        "a.corp.example: the task \\Reports\\Odd [1] has a name that nothing here can ask for",
        "DECIDE: d.corp.example was not read",
        "DECIDE: CN=svc-idle,OU=Svc,DC=corp,DC=example runs nothing on the 5 hosts asked",
        "CN=A,CN=Computers,DC=corp,DC=example is a computer; only a user can be superseded",
        "DECIDE: CN=nobody,OU=Svc,DC=corp,DC=example is not in the directory",
        "- guard: account-not-privileged",
        "approved_by: []   # two people",
        "- guard: no-unconstrained-delegation",
        "- guard: account-enabled",
        "- guard: no-cluster-role",
        "c.corp.example is a node of a failover cluster that runs SQL Server (ONE) (SQL Server):",
        "SQL Server service MSSQL$ONE (c.corp.example)",
        "SPNs: HTTP/www.corp.example",
        "May delegate (Kerberos only) to: CIFS/fs.corp.example",
        "password set 2020-01-01, 2252 days before",
        "or up to 14 days later (lastLogonTimestamp)",
        "DECIDE: is it used at all? No log-on is known",
    ],
)
def test_it_says_what_a_person_has_to_decide(found, said):
    assert said in flat(draft(found, ESTATE, "x"))


def test_two_names_of_one_machine_and_names_that_only_the_domain_was_asked_for_are_told_at_the_top():
    asked = Asked(ESTATE_YAML.replace("dcs: [{name: dc01.corp.example}]", DC_WITHOUT_CATALOG))
    found = asked.everything([dn("svc-web2")], ["a.corp.example", "b.corp.example"])
    twice = replace(found, hosts=(*found.hosts, replace(found.hosts[0], name="alias.corp.example")))
    text = flat(draft(twice, ESTATE, "x"))
    head = text[: text.index("estate:")]
    assert "DECIDE: a.corp.example and alias.corp.example are one machine" in head
    assert "DECIDE: the domain controller is no global catalog" in head
    assert {one.text for one in decisions(found)}.isdisjoint({"are one machine"})
    assert "global catalog" not in draft(Asked().everything([dn("svc-web2")]), ESTATE, "x")


def test_every_decision_stands_in_the_draft(found):
    text = flat(draft(found, ESTATE, "x"))
    for one in decisions(found):
        assert one.text.removesuffix(".") in text


def test_a_waiver_cannot_be_taken_over_without_a_name(found):
    text = draft(found, ESTATE, "x")
    assert parse_plan(text.encode())
    waived = re.sub(r"^( +)# (waivers:|  - guard:|    reason:|    approved_by:)", r"\1\2", text, flags=re.MULTILINE)
    assert waived != text
    with pytest.raises(Exception, match="approved_by"):
        parse_plan(waived.encode())
    named = waived.replace("approved_by: []", "approved_by: [ann, bob]")
    assert all(one.waivers for one in parse_plan(named.encode()).migrations() if one.id == "dmsa-power")


def test_a_wave_does_not_grow_without_end():
    people = [AccountFound(f"CN=a{n},DC=x", f"CN=a{n},DC=x", "user", sam=f"a{n}") for n in range(90)]
    hosts = [HostFound(f"h{n}", (WorkloadFound("service", "s", f"CN=a{n},DC=x", "a"),)) for n in range(90)]
    found = Discovered("x", None, tuple(people), tuple(hosts), {one.asked: one.sam for one in people})
    assert max(len(wave.accounts) for wave in waves(found)) == FULL
    assert sum(len(wave.accounts) for wave in waves(found)) == 90
