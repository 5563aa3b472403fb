"""What comes over the wire, object by object."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pypsrp.serializer import Serializer

from orchestrator.model.call import cmdlet
from orchestrator.model.observation import Record, Unreadable
from orchestrator.remote.clixml import duration, moment, text
from orchestrator.remote.objects import CATEGORIES, record, remote_error
from orchestrator.remote.wording import DESCRIPTOR, understood


class Loader(yaml.SafeLoader):
    """YAML with the values that CLIXML has and YAML has not."""


Loader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:timestamp"]
    for key, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_constructor("!utc", lambda _, node: datetime.fromisoformat(node.value + "+00:00"))
Loader.add_constructor("!span", lambda _, node: timedelta(seconds=float(node.value)))
Loader.add_constructor("!guid", lambda _, node: UUID(node.value))
Loader.add_constructor("!none", lambda *_: None)
FILE = Path(__file__).parent / "cases" / "objects.yaml"
CASES = yaml.load(FILE.read_text(encoding="utf-8"), Loader)


def frozen(value):
    return tuple(map(frozen, value)) if isinstance(value, list) else value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_an_object_becomes_a_record(case):
    seen = record("".join(line.strip() for line in case["xml"].splitlines()))
    assert seen.type == case["type"]
    assert dict(seen.properties) == {name: frozen(value) for name, value in case["properties"].items()}


@pytest.mark.parametrize(
    ("xml", "kind", "value"),
    [
        ("<S>a_x000A_b</S>", "String", "a\nb"),
        ("<B>false</B>", "Boolean", False),
        ("<I32>7</I32>", "Int32", 7),
        ("<Nil/>", "", None),
        ("<G>3752e002-43be-48c8-b3ca-2cb2fffbc8a1</G>", "Guid", UUID("3752e002-43be-48c8-b3ca-2cb2fffbc8a1")),
        ("<S>&lt;Task xmlns='x'/&gt;</S>", "String", "<Task xmlns='x'/>"),
    ],
)
def test_a_bare_value_is_a_record_without_a_name(xml, kind, value):
    seen = record(xml)
    assert (seen.kind, seen.value) == (kind, value)
    assert type(seen.value) is type(value)


def test_arrays_and_tables_at_the_top():
    types = '<TN RefId="0"><T>System.Object[]</T><T>System.Array</T></TN>'
    array = f'<Obj RefId="0">{types}<LST><S>a</S><I32>1</I32></LST></Obj>'
    assert record(array).value == ("a", 1)


@pytest.mark.parametrize(
    "xml",
    [
        "<Obj >",
        "<Unheard/>",
        '<Obj RefId="0"><TNRef RefId="9"/></Obj>',
        '<Obj RefId="0"><Props><Ref N="a" RefId="9"/></Props></Obj>',
    ],
)
def test_what_is_not_clixml_is_no_record(xml):
    with pytest.raises(ValueError, match=r"not CLIXML|CLIXML has no element"):
        record(xml)


def test_a_property_that_did_not_come_is_not_there():
    seen = record('<Obj RefId="0"><TN RefId="0"><T>A.B</T></TN><Props><S N="a">b</S></Props></Obj>')
    assert not seen.has("c")
    with pytest.raises(Unreadable):
        seen.need("c")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_text_survives_pypsrp_s_escaping(value):
    assert text(Serializer()._serialize_string(value)) == value


@given(
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9990, 1, 1)),  # noqa: DTZ001 - the zone is next
    st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_moments_come_back(naive, zone):
    value = naive.replace(tzinfo=zone)
    assert moment(value.isoformat()) == value


@given(st.integers(-(10**9), 10**9))
def test_durations_come_back(seconds):
    days, rest = divmod(abs(seconds), 86400)
    assert duration(f"{'-' * (seconds < 0)}P{days}DT{rest}S") == timedelta(seconds=seconds)


def test_an_error_record_keeps_what_can_be_acted_on():
    xml = (
        '<Obj RefId="0"><TN RefId="0"><T>System.Management.Automation.ErrorRecord</T><T>System.Object</T></TN>'
        "<ToString>Cannot find an object</ToString><MS>"
        '<Obj N="Exception" RefId="1"><TN RefId="1"><T>Deserialized.A.ADIdentityNotFoundException</T>'
        "<T>System.Object</T></TN>"
        "<ToString>x</ToString></Obj>"
        '<S N="FullyQualifiedErrorId">NotFound,GetADUser</S><I32 N="ErrorCategory_Category">13</I32>'
        '<S N="ErrorCategory_Activity">Get-ADUser</S><S N="ErrorCategory_Reason">ADIdentityNotFoundException</S>'
        '<S N="ErrorCategory_TargetName">CN=svc</S><B N="SerializeExtendedInfo">false</B></MS></Obj>'
    )
    error = remote_error(Serializer().deserialize(xml))
    assert (error.id, error.category, error.cmdlet, error.target) == (
        "NotFound,GetADUser",
        "ObjectNotFound",
        "Get-ADUser",
        "CN=svc",
    )
    assert error.exception == "A.ADIdentityNotFoundException"
    assert error.message == "Cannot find an object"


def test_categories_are_numbered_as_documented():
    assert [CATEGORIES[number] for number in (0, 13, 15, 18, 31)] == [
        "NotSpecified",
        "ObjectNotFound",
        "OperationTimeout",
        "PermissionDenied",
        "NotEnabled",
    ]


ASKED = cmdlet("Get-DmsaDescriptor", Identity="CN=a", Attribute="nTSecurityDescriptor", Server="dc")
EXPORTED = cmdlet("Export-ScheduledTask")


@pytest.mark.parametrize(
    ("came", "statements", "is_descriptor"),
    [
        ("O:DAG:DAD:", (ASKED,), True),
        ("D:", (ASKED, ASKED), True),
        ("O:DAG:DAD:", (cmdlet("Get-KdsRootKey"), ASKED), True),
        ("<Task/>", (EXPORTED, ASKED), False),
        ("O:DAG:DAD:", (EXPORTED,), False),
    ],
)
def test_a_descriptor_that_comes_as_text_is_known_among_others(came, statements, is_descriptor):
    found = understood(Record("System.String", {"": came}), statements)
    assert found == (Record(DESCRIPTOR, {"Sddl": came}) if is_descriptor else Record("System.String", {"": came}))
