"""What is written is read as the same, by two readers that nobody here wrote: pypsrp's and psrpcore's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psrpcore import PSRemotingCrypto
from psrpcore.types import deserialize
from pypsrp.serializer import Serializer

from orchestrator.lab.command import LabError, LabObject
from orchestrator.lab.wire import clixml, incoming, records

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy with other things; how long an example takes is not what is tested."""

FIRST, LAST = (datetime.fromisoformat(day) for day in ("0001-01-02", "9999-12-30"))
SAFE = st.text(st.characters(exclude_categories=("Cs",)))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    SAFE,
    st.uuids(),
    st.binary(),
    st.datetimes(min_value=FIRST, max_value=LAST, timezones=st.just(UTC)),
    st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000)),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SAFE, inner, max_size=4), max_leaves=12
)


def by_psrpcore(raw: bytes) -> object:
    return incoming.value(deserialize(ET.fromstring(raw), PSRemotingCrypto()))


@given(VALUES)
@UNHURRIED
def test_every_value_survives_the_way_out_and_the_way_in(value):
    assert by_psrpcore(clixml.write(value)) == value


@given(SAFE)
@UNHURRIED
def test_pypsrp_reads_every_text(value):
    assert Serializer().deserialize(ET.fromstring(clixml.write(value))) == value


@given(st.text())
@UNHURRIED
def test_every_text_becomes_well_formed_xml(value):
    ET.fromstring(clixml.write(LabObject((value or "T",), {value: value}, value)))


@given(st.dictionaries(SAFE, SCALARS, max_size=6), st.data())
@UNHURRIED
def test_an_object_keeps_its_properties_their_kind_its_types_and_its_text(properties, data):
    extended = frozenset(data.draw(st.sets(st.sampled_from(sorted(properties)))) if properties else ())
    made = LabObject(("A.B", "System.Object"), properties, "text", extended)
    read = by_psrpcore(clixml.write(made))
    assert read.types == ("Deserialized.A.B", "Deserialized.System.Object")  # as any receiver names them
    assert (read.properties, read.text, read.extended) == (properties, "text", extended)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (timedelta(), "PT0S"),
        (timedelta(seconds=30), "PT30S"),
        (timedelta(minutes=10), "PT10M"),
        (timedelta(days=10), "P10D"),
        (timedelta(days=1, hours=2, minutes=3, seconds=4, microseconds=500000), "P1DT2H3M4.5S"),
        (-timedelta(seconds=90), "-PT1M30S"),
    ],
)
def test_durations(value, shown):
    assert clixml.duration(value) == shown


def test_moments_keep_their_zone_and_must_have_one():
    assert clixml.moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05Z"
    berlin = timezone(timedelta(hours=1))
    assert clixml.moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=berlin)) == "2026-01-02T03:04:05+01:00"
    with pytest.raises(ValueError, match="no time zone"):
        clixml.moment(datetime(2026, 1, 2))  # noqa: DTZ001 - the point


@pytest.mark.parametrize(("value", "error"), [(2**64, ValueError), (-(2**63) - 1, ValueError), (object(), TypeError)])
def test_what_has_no_form_is_refused(value, error):
    with pytest.raises(error):
        clixml.write(value)


def test_type_names_are_written_once():
    objects = [LabObject(("A.B",), {"n": number}) for number in range(3)]
    raw = clixml.write(objects).decode()
    assert (raw.count("<T>A.B</T>"), raw.count("<TNRef")) == (1, 2)


def test_an_error_category_must_exist():
    with pytest.raises(ValueError, match="Oops is not an ErrorCategory"):
        records.error_record(LabError("id", "Oops", "System.Exception", "message"), streamed=True)
