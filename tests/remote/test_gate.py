"""The gate: what the catalogue contains passes, whole and literally, and nothing else does."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.call import Cmdlet, Read, Write, cmdlet
from orchestrator.remote.catalogue import CATALOGUE, Effect
from orchestrator.remote.gate import Refused, check

HOST = "app01.corp.example"
CASES = yaml.safe_load((Path(__file__).parent / "cases" / "gate.yaml").read_text(encoding="utf-8"))


def frozen(value):
    if isinstance(value, list):
        return tuple(map(frozen, value))
    return {key: frozen(item) for key, item in value.items()} if isinstance(value, dict) else value


def call(case):
    statement = Cmdlet(case["cmdlet"], {name: frozen(value) for name, value in case.get("with", {}).items()})
    return Write(HOST, statement) if case.get("as") == "write" else Read(HOST, (statement,))


def label(case):
    return f"{case['cmdlet']} {case.get('because', '')}"[:60]


@pytest.mark.parametrize("case", CASES["passes"], ids=label)
def test_what_the_catalogue_contains_passes(case):
    check(call(case))


@pytest.mark.parametrize("case", CASES["ldap"]["passes"], ids=label)
def test_what_may_be_asked_by_ldap_passes_there_and_nowhere_else(case):
    statement = call(case).statements
    check(Read("ldap:dc01.corp.example", statement))
    with pytest.raises(Refused, match="is not in the catalogue"):
        check(Read("dc01.corp.example", statement))


@pytest.mark.parametrize("case", CASES["ldap"]["refused"], ids=label)
def test_ldap_takes_nothing_else(case):
    statement = Cmdlet(case["cmdlet"], {name: frozen(value) for name, value in case["with"].items()})
    there = case.get("to", "ldap:dc01.corp.example")
    with pytest.raises(Refused, match=case["because"]):
        check(Write(there, statement) if case.get("as") == "write" else Read(there, (statement,)))


@pytest.mark.parametrize("case", CASES["passes"], ids=label)
def test_no_cmdlet_goes_by_ldap(case):
    good = call(case)
    by_ldap = "ldap:dc01.corp.example"
    with pytest.raises(Refused, match="is not in the catalogue"):
        check(Write(by_ldap, good.statement) if isinstance(good, Write) else Read(by_ldap, good.statements))


@pytest.mark.parametrize("case", CASES["refused"], ids=label)
def test_what_is_outside_is_refused_with_its_reason(case):
    with pytest.raises(Refused) as refusal:
        check(call(case))
    assert case["because"] in str(refusal.value)
    assert refusal.value.exit_code == 8


def test_every_row_has_a_case_that_passes():
    assert {case["cmdlet"] for case in CASES["passes"]} == set(CATALOGUE)


@pytest.mark.parametrize("case", CASES["passes"], ids=label)
def test_a_parameter_less_or_more_is_refused(case):
    good = call(case)
    statement = good.statement if isinstance(good, Write) else good.statements[0]
    row = CATALOGUE[statement.name]
    changed = [Cmdlet(statement.name, {**statement.parameters, "WhatIf": True})]
    needed = set.intersection(*(set(form.required) for form in row.forms))
    changed += [
        Cmdlet(statement.name, {key: value for key, value in statement.parameters.items() if key != name})
        for name in needed
    ]
    for bad in changed:
        with pytest.raises(Refused):
            check(Write(HOST, bad) if row.effect is Effect.WRITES else Read(HOST, (bad,)))


@pytest.mark.parametrize("case", CASES["passes"], ids=label)
def test_a_row_travels_only_as_what_it_is(case):
    good = call(case)
    swapped = Read(HOST, (good.statement,)) if isinstance(good, Write) else Write(HOST, good.statements[0])
    carried = "a read" if isinstance(swapped, Read) else "a write"
    with pytest.raises(Refused, match=f"was to travel in {carried}"):
        check(swapped)


HOSTILE = [
    "x; Remove-ADUser svc",
    "$(Remove-ADUser svc)",
    "`n",
    "*",
    "svc?",
    "[a-z]",
    "AD:\\CN=svc,DC=corp,DC=example",
    "-EncodedCommand",
    "svc\x00",
    "svc\n",
    "\u202egnp.exe",
    "ErpApi\u200b",
    "",
    " ",
]


@pytest.mark.parametrize(
    "hostile", [text for text in HOSTILE if set(text) & set("*?[]`\x00\n\u202e\u200b") or not text.strip()]
)
@pytest.mark.parametrize("name", ["Get-Service", "Restart-Service", "Start-Service", "Restart-WebAppPool"])
def test_names_that_a_cmdlet_would_expand_are_refused(name, hostile):
    statement = cmdlet(name, Name=hostile)
    with pytest.raises(Refused):
        check(Read(HOST, (statement,)) if name.startswith("Get") else Write(HOST, statement))


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("parameter", ["Identity", "SupersededAccount", "Server"])
def test_a_migration_takes_two_names_and_a_server_and_nothing_that_only_looks_so(parameter, hostile):
    good = {
        "Identity": "CN=dmsa-erp,OU=Managed,DC=corp,DC=example",
        "SupersededAccount": "CN=svc-erp,OU=Service Accounts,DC=corp,DC=example",
        "Server": "dc01.corp.example",
    }
    check(Write(HOST, Cmdlet("Start-ADServiceAccountMigration", good)))
    with pytest.raises(Refused):
        check(Write(HOST, Cmdlet("Start-ADServiceAccountMigration", good | {parameter: hostile})))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.uuids() | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
names = st.sampled_from([*CATALOGUE, *(name.lower() for name in CATALOGUE), "Remove-ADUser", "Invoke-Expression"])
parameters = st.dictionaries(
    st.sampled_from(sorted({name for row in CATALOGUE.values() for name in row.parameters})) | st.text(max_size=12),
    values,
    max_size=4,
)


@given(names | st.text(max_size=30), parameters, st.booleans())
def test_whatever_passes_is_in_the_catalogue(name, given_parameters, write):
    statement = Cmdlet(name, given_parameters)
    try:
        check(Write(HOST, statement) if write else Read(HOST, (statement,)))
    except Refused:
        return
    row = CATALOGUE[name]
    assert (row.effect is Effect.WRITES) == write
    assert given_parameters.keys() <= row.parameters | {"ErrorAction"}


@given(st.text(min_size=1, max_size=40).filter(lambda text: text not in CATALOGUE))
def test_a_name_that_is_not_exactly_in_the_catalogue_is_refused(name):
    with pytest.raises(Refused, match="is not in the catalogue"):
        check(Write(HOST, Cmdlet(name)))


@pytest.mark.parametrize(
    "name", ["get-aduser", "Get\u2010ADUser", "\uff27et-ADUser", "Get-ADUser ", "ActiveDirectory\\Get-ADUser"]
)
def test_look_alikes_are_other_names(name):
    with pytest.raises(Refused, match="is not in the catalogue"):
        check(Read(HOST, (Cmdlet(name, {"Identity": "CN=a,DC=b", "Server": HOST}),)))


def test_only_a_call_is_a_call():
    statement = cmdlet("Get-KdsRootKey")
    for wrong in (statement, "Get-KdsRootKey", Read(HOST, ()), Read(HOST, [statement]), Read(HOST, (statement,) * 201)):
        with pytest.raises(Refused):
            check(wrong)
    for endpoint in ("", "app01 corp", "http://x", "app01.corp.example;", "*"):
        with pytest.raises(Refused, match="not a host name"):
            check(Read(endpoint, (statement,)))


def test_a_refusal_does_not_repeat_the_value():
    with pytest.raises(Refused) as refusal:
        check(Write(HOST, cmdlet("Start-Service", Name="s3cr3t*")))
    assert "s3cr3t" not in str(refusal.value)


def test_the_catalogue_is_cheap_to_import():
    importlib.import_module("orchestrator.remote.gate")
    heavy = ["requests", "urllib3", "pypsrp", "spnego", "cryptography"]
    code = f"import sys, orchestrator.remote.gate; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
