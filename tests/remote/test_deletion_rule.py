"""Chance against the gate: whatever passes is held against a statement of what may be said, written apart from it.

A sample of ``python -m tests.bench.deletion_rule``.
"""

from __future__ import annotations

import random

import pytest

from orchestrator.model.call import Cmdlet, Read, Write
from orchestrator.remote.catalogue import CATALOGUE
from orchestrator.remote.gate import Refused, check
from orchestrator.remote.kinds import (
    DIRECTORY_SERVER,
    DN,
    EMPTY,
    GUID,
    HOST,
    MOMENT,
    SID,
    SWITCH,
    many,
    one_of,
    table,
    whole,
)
from orchestrator.remote.queries import LDAP_FILTER
from tests.remote import hostile, said
from tests.remote.hostile import Always, Disguised, Several, Statement, Table, Text

CALLS = 30_000


def wrong(call: Read | Write) -> str | None:
    """Say what stands against a call that the gate let pass."""
    for kind, allowed in ((call, (Read, Write)), (call.endpoint, (str,))):
        if not any(type(kind) is one for one in allowed):
            return f"a {type(kind).__name__} passed as a plain one"
    statements = call.statements if type(call) is Read else (call.statement,)
    ldap = call.endpoint.startswith("ldap:")
    for statement in statements:
        if type(statement) is not Cmdlet or type(statement.parameters) is not dict:
            return "a statement passed that is not plain"
        found = said.objection(statement.name, statement.parameters, writes=type(call) is Write, ldap=ldap)
        if found is not None:
            return found
    return None


def test_whatever_chance_gets_past_the_gate_may_be_said():
    chance, passed = random.Random(11), set()
    for _ in range(CALLS):
        change, call = hostile.call(chance)
        try:
            check(call)
        except Refused:
            continue
        assert wrong(call) is None, (change, call)
        passed.add(call.statements[0].name if type(call) is Read else call.statement.name)
    assert passed == {*CATALOGUE, "ldapsearch"}, "chance that gets nothing through finds nothing"


@pytest.mark.parametrize("seed", hostile.seeds(), ids=lambda seed: seed[2])
def test_what_passes_unchanged_may_be_said(seed):
    writes, endpoint, name, given = seed
    assert wrong(Write(endpoint, Cmdlet(name, given)) if writes else Read(endpoint, (Cmdlet(name, given),))) is None


def test_what_may_be_written_is_what_the_catalogue_writes():
    writes = {row.cmdlet for row in CATALOGUE.values() if row.effect.value == "writes"}
    assert set(said.WRITES) == writes
    for name, forms in said.WRITES.items():
        assert {key for form in forms for key in form} == CATALOGUE[name].parameters, name


PAIR = {"Identity": "CN=d,DC=a", "SupersededAccount": "CN=s,DC=a", "Server": "dc01"}
START = "Start-ADServiceAccountMigration"
SEARCH = {"Base": "CN=s,DC=a", "Properties": ("cn",)}
DISGUISES = {
    "a statement of another kind": Write("dc01", Statement(START, PAIR)),
    "a name that only looks like text": Write("dc01", Cmdlet(Text(START), PAIR)),
    "a name that is text by its own word": Write("dc01", Cmdlet(Disguised(START), PAIR)),
    "a table of parameters that hides some": Write("dc01", Cmdlet(START, Table(PAIR, Clear="x"))),
    "a parameter's name that is not text": Write("dc01", Cmdlet(START, {**PAIR, Disguised("ErrorAction"): "Stop"})),
    "a value that is equal to everything": Write("dc01", Cmdlet("Set-ADObject", {**PAIR, "Identity": Always("x")})),
    "a read of another kind": hostile.Reading("dc01", (Cmdlet("Get-KdsRootKey"),)),
    "a write of another kind": hostile.Writing("dc01", Cmdlet(START, PAIR)),
    "statements in another kind of row": Read("dc01", Several((Cmdlet("Get-KdsRootKey"),))),
    "a read by its own word": hostile.DisguisedRead("dc01", (Cmdlet("Get-KdsRootKey"),)),
    "a write by its own word": hostile.DisguisedWrite("dc01", Cmdlet(START, PAIR)),
    "a statement by its own word": Write("dc01", hostile.DisguisedStatement(START, PAIR)),
    "statements that are a row by their own word": Read("dc01", hostile.DisguisedRow((Cmdlet("Get-KdsRootKey"),))),
    "parameters that are a table by their own word": Write("dc01", Cmdlet(START, hostile.DisguisedTable(PAIR))),
    "an LDAP port that is text by its own word": Read(Disguised("ldap:dc01"), (Cmdlet("ldapsearch", SEARCH),)),
    "an endpoint that is text by its own word": Write(Disguised("ldap:dc01"), Cmdlet(START, PAIR)),
}


@pytest.mark.parametrize("call", DISGUISES.values(), ids=DISGUISES)
def test_what_only_behaves_like_a_call_is_none(call):
    with pytest.raises(Refused):
        check(call)


@pytest.mark.parametrize(
    "kind",
    [SWITCH, MOMENT, DN, GUID, LDAP_FILTER, HOST, one_of("a", 1), whole(0, 9), many(HOST)],
    ids=lambda kind: kind.name,
)
def test_no_kind_takes_what_is_only_alike_by_its_own_word(kind):
    texts = ("a", "CN=a,DC=b", "dc01", "(a=b)", "3752e002-43be-48c8-b3ca-2cb2fffbc8a1")
    alike = [make(text) for make in (Text, Always, Disguised) for text in texts]
    alike += [
        hostile.DisguisedRow(("dc01",)),
        Several(("dc01",)),
        ["dc01"],
        (Text("dc01"),),
        True if kind is not SWITCH else 1,
        1.0,
    ]
    assert not [value for value in alike if kind.accepts(value)]


def test_the_bounds_of_numbers_and_lists_are_in_them():
    assert [value for value in range(-1, 12) if whole(0, 9).accepts(value)] == list(range(10))
    assert [n for n in (0, 1, 2, 3, 4) if many(HOST, 3).accepts(("dc01",) * n)] == [1, 2, 3]
    assert not many(HOST).accepts(("dc01",) * 1001)
    assert many(HOST).accepts(("dc01",) * 1000)


@pytest.mark.parametrize(
    "name", ["\u017fvc", "\u212adc", "dc01.corp.example:3268\n", ".corp:3268", "dc01.corp:3268:3268", "dc01:389"]
)
def test_no_look_alike_and_no_other_port_is_a_host(name):
    assert not DIRECTORY_SERVER.accepts(name)
    assert not HOST.accepts(name)


def test_look_alikes_of_digits_and_of_attribute_types_are_none():
    assert SID.accepts("S-1-5-32-544")
    assert not SID.accepts("S-1-5-\u0663\u0662-544")
    assert DN.accepts("sn=a,DC=b")
    assert not DN.accepts("\u017fn=a,DC=b")


def test_an_empty_text_and_a_table_are_what_they_seem():
    assert EMPTY.accepts("")
    assert not any(EMPTY.accepts(value) for value in (Always("x"), Text(""), None, (), 0))
    kind = table({"Add": EMPTY})
    assert kind.accepts({"Add": ""})
    assert not any(
        kind.accepts(value) for value in (Table(Add=""), {Text("Add"): ""}, {"Add": "", "Clear": ""}, {}, "")
    )


def test_as_many_statements_as_may_travel_do_and_not_one_more():
    statement = Cmdlet("Get-KdsRootKey")
    check(Read("dc01", (statement,) * 200))
    with pytest.raises(Refused, match="more than 200"):
        check(Read("dc01", (statement,) * 201))
