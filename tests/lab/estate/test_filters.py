import contextlib
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.lab.estate import ldapfilter, wql, xpath
from orchestrator.lab.estate.machine import EventRecord

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)


def ldap_escaped(data):
    return "".join(f"\\{byte:02x}" for byte in data)


def found(text, values):
    return ldapfilter.matches(
        ldapfilter.parse(text), lambda test: ldapfilter.holds(test, values.get(test.attribute, []))
    )


@given(TEXT)
def test_an_escaped_value_matches_itself_and_nothing_longer(text):
    equal = f"(cn={ldap_escaped(text.encode())})"
    assert found(equal, {"cn": [text]})
    assert not found(equal, {"cn": [text + "x"]})


@given(TEXT, TEXT, TEXT)
def test_asterisks_stand_for_anything(first, inner, last):
    pattern = "*".join(ldap_escaped(part.encode()) for part in (first, inner, last))
    assert found(f"(cn={pattern})", {"cn": [f"{first}-{inner}-{last}"]})
    assert found(f"(cn={pattern})", {"cn": [first + inner + last]})


@given(st.booleans(), st.booleans())
def test_and_or_not(left, right):
    values = {"a": ["1"] * left, "b": ["1"] * right}
    assert found("(&(a=*)(b=*))", values) == (left and right)
    assert found("(|(a=*)(b=*))", values) == (left or right)
    assert found("(!(a=*))", values) == (not left)
    assert found("(&(|(a=1)(b=1))(!(&(a=1)(b=1))))", values) == (left != right)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("(x=5)", [5], True),
        ("(x>=5)", [6], True),
        ("(x<=5)", [6], False),
        ("(x=abc)", [5], False),
        ("(x=TRUE)", [True], True),
        ("(x:1.2.840.113556.1.4.803:=2)", [0x202], True),
        ("(x:1.2.840.113556.1.4.803:=3)", [0x202], False),
        ("(x:1.2.840.113556.1.4.804:=3)", [0x202], True),
        ("x=SVC*", ["svc-report"], True),
        ("(x=s*c*t)", ["svc-report"], True),
        ("(x=ab*ba)", ["aba"], False),
        ("(x=*)", [], False),
    ],
)
def test_comparisons(text, values, expected):
    assert found(text, {"x": values}) is expected


@pytest.mark.parametrize(
    "text", ["", "(", "(a)", "(a=b", "(a=b))", "(=b)", "(a=\\zz)", "(a=(b))", "(&(a=b)", "(a>=b*)", "(!" * 200]
)
def test_what_is_no_ldap_filter_is_refused(text):
    with pytest.raises(ldapfilter.FilterInvalid):
        ldapfilter.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_refused(text):
    for parse, refused in ((ldapfilter.parse, ldapfilter.FilterInvalid), (wql.parse, wql.FilterInvalid)):
        with contextlib.suppress(refused):
            assert parse(text) is not None


def wql_escaped(text):
    return re.sub(r"(['\"\\])", r"\\\1", text)


@given(TEXT, st.sampled_from("'\""))
def test_a_quoted_wql_value_matches_itself(text, quote):
    condition = wql.parse(f"StartName = {quote}{wql_escaped(text)}{quote}")
    assert condition({"startname": text})
    assert not condition({"startname": text + "x"})
    assert not condition({"startname": None})


@given(TEXT)
def test_an_escaped_wql_pattern_matches_itself(text):
    pattern = re.sub(r"([\[%_])", r"[\1]", text)
    condition = wql.parse(f"Name LIKE '{wql_escaped(pattern)}%'")
    assert condition({"name": text})
    assert condition({"name": text + "more"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name = 'a' OR Name = 'B' AND Id = 4", True),
        ("(Name = 'a' OR Name = 'b') AND Id = 5", False),
        ("NOT Name = 'b'", False),
        ("Id >= 4 AND Id < 5 AND Id <> 6", True),
        ("Name LIKE '[a-c]'", True),
        ("Name LIKE '[^a-c]'", False),
        ("Name LIKE '_'", True),
        ("Missing = 'b'", False),
        ("On = TRUE", True),
        ("Id = 'b'", False),
    ],
)
def test_wql(text, expected):
    assert wql.parse(text)({"name": "b", "id": 4, "on": True}) is expected


@pytest.mark.parametrize(
    "text", ["Name", "Name =", "= 'a'", "Name = 'a' AND", "(Name = 'a'", "Name = 'a", "Name ~ 'a'", "a = 1 b = 2"]
)
def test_what_is_no_wql_is_refused(text):
    with pytest.raises(wql.FilterInvalid):
        wql.parse(text)


NOW = datetime(2026, 3, 2, 18, tzinfo=UTC)
EVENT = EventRecord(
    "Security", 4768, NOW - timedelta(hours=1), "dc01", "", {"TargetUserName": "svc", "IpAddress": "::1"}
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", True),
        ("*[System[EventID=4768]]", True),
        ("*[System[(EventID=4769 or EventID=4768) and TimeCreated[timediff(@SystemTime) <= 3600000]]]", True),
        ("*[System[TimeCreated[timediff(@SystemTime) <= 3599999]]]", False),
        ("*[System[TimeCreated[@SystemTime>='2026-03-02T16:59:00.000Z']]]", True),
        ("*[EventData[Data[@Name='TargetUserName']='SVC' and Data[@Name='IpAddress']!='::2']]", True),
        ("*[System/EventID=4768][EventData/Data='svc']", True),
        ("*[EventData[Data[@Name='Nothing']]]", False),
    ],
)
def test_event_queries(text, expected):
    assert xpath.parse(text, NOW)(EVENT) is expected


@pytest.mark.parametrize(
    "text",
    ["", "*[", "*[System[EventID]]", "*[System[EventID=]]", "//Event", "*[System[EventID=1]] x", "*[not(System)]"],
)
def test_what_is_no_event_query_is_refused(text):
    with pytest.raises(xpath.QueryInvalid):
        xpath.parse(text, NOW)(EVENT)


def test_a_query_of_more_than_twenty_expressions_is_refused():
    for count, fits in ((20, True), (21, False)):
        text = f"*[System[{' or '.join(f'EventID={4768 + each}' for each in range(count))}]]"
        with contextlib.nullcontext() if fits else pytest.raises(xpath.QueryInvalid):
            assert xpath.parse(text, NOW)(EVENT)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("(sAMAccountName=SVC-report)", ["svc-report"]),
        ("(&(objectClass=user)(servicePrincipalName=http/*))", ["svc-report", "svc-web"]),
        ("(&(objectCategory=computer)(dNSHostName=app01.corp.example))", ["APP01"]),
        (
            "(memberOf:1.2.840.113556.1.4.1941:=CN=Domain Admins,CN=Users,DC=corp,DC=example)",
            ["Administrator", "operator"],
        ),
        ("(objectGUID=no)", []),
    ],
)
def test_searches(far, text, names):
    found_objects = far.ok(far.dc, "Get-ADObject", LDAPFilter=text)
    assert [item.properties["Name"] for item in found_objects] == names


def test_an_object_is_found_by_the_bytes_of_its_guid(far):
    guid = far.user()["ObjectGUID"]
    assert isinstance(guid, UUID)
    text = f"(objectGUID={ldap_escaped(guid.bytes_le)})"
    assert far.one(far.dc, "Get-ADObject", LDAPFilter=text)["Name"] == "svc-report"
    sid = far.user()["SID"].text
    assert far.one(far.dc, "Get-ADUser", Identity=sid)["Name"] == "svc-report"


def test_nested_groups_are_seen(estate_with):
    above = "OU=Managed,DC=corp,DC=example"
    groups = [
        {"dn": f"CN=inner,{above}", "members": ["CN=svc-web,OU=Service Accounts,DC=corp,DC=example"]},
        {"dn": f"CN=outer,{above}", "members": [f"CN=inner,{above}"]},
    ]
    far = estate_with(groups=groups)
    text = "(member:1.2.840.113556.1.4.1941:=CN=svc-web,OU=Service Accounts,DC=corp,DC=example)"
    assert [item.properties["Name"] for item in far.ok(far.dc, "Get-ADGroup", LDAPFilter=text)] == ["inner", "outer"]
