"""The questions to a Security log fit into a query, pass the gate, and find exactly what they should."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.lab.estate import xpath
from orchestrator.lab.estate.machine import EventRecord
from orchestrator.model import security_log as log
from orchestrator.model.directory import Account
from orchestrator.remote.queries import is_event_query

NOW = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = timedelta(days=7)
SID = "S-1-5-21-1-2-3-1105"
sams = st.text(alphabet="aB1.-_'$ é", min_size=1, max_size=20).filter(str.strip)
addresses = st.lists(st.ip_addresses().filter(lambda one: not one.is_unspecified), max_size=20, unique=True)


def account(sam="svc-app", upn=None):
    return Account(UUID(int=1), "CN=x", SID, sam, "user", True, True, 0, None, frozenset(), {}, upn)


def finds(statement, **event):
    """Say whether a query finds an event, by the lab's own reading of it."""
    row = EventRecord("Security", event["id"], NOW - event["age"], "dc01", "", event["data"])
    return xpath.parse(statement.parameters["FilterXPath"], NOW)(row)


def asked(question, known):
    """Return which events the questions leave over: as the guard puts them together."""
    if len(known) <= log.EXCLUDED:
        return lambda **event: any(finds(one, **event) for one in log.foreign(question, known, WEEK))
    everything, expected = log.everything(question, WEEK), log.expected(question, known, WEEK)
    return lambda **event: (
        any(finds(one, **event) for one in everything) and not any(finds(one, **event) for one in expected)
    )


@given(sams, sams, addresses)
def test_every_query_is_one_for_the_gate_and_for_the_event_log(sam, upn, those):
    known = log.spellings(those)
    for question in log.questions(account(sam, f"{upn}@corp.example"), "corp.example"):
        statements = log.everything(question, WEEK) + log.expected(question, known, WEEK)
        if len(known) <= log.EXCLUDED:
            statements += log.foreign(question, known, WEEK)
        for statement in (*statements, log.reaches(WEEK)):
            query = statement.parameters["FilterXPath"]
            assert is_event_query(query)
            xpath.parse(query, NOW)


@given(addresses, st.ip_addresses(), st.booleans())
def test_a_ticket_is_foreign_unless_its_client_is_known(those, client, mapped):
    ticket, service, _ = log.questions(account(), "corp.example")
    written = f"::ffff:{client}" if isinstance(client, IPv4Address) and mapped else str(client)
    known = log.spellings(those)
    names = {4768: {"TargetSid": SID, "TargetUserName": "x"}, 4769: {"TargetUserName": "SVC-APP@CORP.EXAMPLE"}}
    for question in (ticket, service):
        event = {"id": question.number, "age": WEEK, "data": {**names[question.number], "IpAddress": written}}
        assert asked(question, known)(**event) is (written not in known)
        assert not asked(question, known)(**{**event, "age": WEEK + timedelta(seconds=1)})
        assert not asked(question, known)(**{**event, "data": {"TargetUserName": "other", "IpAddress": written}})


@pytest.mark.parametrize("hosts", [0, 1, log.EXCLUDED, log.EXCLUDED + 1, 40])
def test_a_workstation_is_foreign_unless_it_is_known(hosts):
    question, known = log.questions(account(), "corp.example")[2], [f"H{number}" for number in range(hosts)]
    for name in ("svc-app", "svc-app@corp.example"):
        for client in (*known, "OLD1", ""):
            data = {"TargetUserName": name, "Workstation": client}
            assert asked(question, known)(id=4776, age=timedelta(0), data=data) is (client not in known)


def test_both_spellings_of_ipv4_where_there_is_room():
    few = [ip_address(f"10.0.0.{number}") for number in range(4)]
    assert set(log.spellings(few[:1])) == {"::ffff:10.0.0.0", "10.0.0.0"}
    assert len(log.spellings(few)) == log.EXCLUDED
    assert log.spellings([*few, IPv6Address("fd00::1")]) == (*(f"::ffff:{one}" for one in few), "fd00::1")


@pytest.mark.parametrize(
    ("text", "address"),
    [("::ffff:10.0.0.1", "10.0.0.1"), ("fe80::1%7", "fe80::1"), ("-", None), ("", None), ("0.0.0.0", None)],
)
def test_an_address_is_the_same_in_every_spelling(text, address):
    assert str(log.client_address(text) or None) == str(address)


def test_the_message_names_the_client_in_any_language():
    message = "Nom du compte :\tsvc.app\nAdresse du client :\t::ffff:10.9.9.9\nPort :\t49273 0x12"
    assert list(map(str, log.addresses_in(message))) == ["10.9.9.9"]
