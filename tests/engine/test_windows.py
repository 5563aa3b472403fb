"""When a window is open: across midnight, across both turns of daylight saving, around blackouts and leap days."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engine.windows import next_opening, open_until, openings
from orchestrator.model.plan import Blackout, Window

EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def window(opens: str, closes: str, zone: str = "UTC", days: list[str] | None = None) -> Window:
    return Window.model_validate({"days": days or EVERY_DAY, "open": opens, "close": closes, "zone": zone})


def blackout(first: str, last: str) -> Blackout:
    return Blackout.model_validate({"from": first, "to": last})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def spans(one: Window, start: str, count: int, *spans: Blackout) -> list[str]:
    found = openings(one, spans, at(start))
    return [f"{begin:%m-%dT%H:%M} {end:%m-%dT%H:%M}" for begin, end in (next(found) for _ in range(count))]


def test_within_a_day():
    one = window("22:00", "23:00")
    assert open_until(one, (), at("2026-03-02T21:59:59")) is None
    assert open_until(one, (), at("2026-03-02T22:00")) == at("2026-03-02T23:00")
    assert open_until(one, (), at("2026-03-02T23:00")) is None
    assert next_opening(one, (), at("2026-03-02T22:00")) == at("2026-03-03T22:00")


def test_across_midnight_the_day_of_the_opening_counts():
    friday = window("22:00", "04:00", days=["fri"])
    assert open_until(friday, (), at("2026-03-07T03:59")) == at("2026-03-07T04:00")  # a Saturday
    assert open_until(friday, (), at("2026-03-06T03:59")) is None  # Friday morning belongs to Thursday's window
    assert next_opening(friday, (), at("2026-03-07T03:59")) == at("2026-03-13T22:00")


def test_open_and_close_alike_is_a_whole_day():
    one = window("06:00", "06:00", days=["mon"])
    assert spans(one, "2026-03-02T07:00", 1) == ["03-02T06:00 03-03T06:00"]


SPRING = [
    # zone, window, start, what follows over the night in which clocks go forward
    ("Europe/Berlin", "22:00", "04:00", "2026-03-28T12:00", ["03-28T21:00 03-29T02:00", "03-29T20:00 03-30T02:00"]),
    ("America/New_York", "22:00", "04:00", "2026-03-07T20:00", ["03-08T03:00 03-08T08:00", "03-09T02:00 03-09T08:00"]),
    ("Australia/Lord_Howe", "22:00", "04:00", "2026-10-03T00:00", ["10-03T11:30 10-03T17:00"]),
]
AUTUMN = [
    ("Europe/Berlin", "22:00", "04:00", "2026-10-24T12:00", ["10-24T20:00 10-25T03:00", "10-25T21:00 10-26T03:00"]),
    ("America/New_York", "22:00", "04:00", "2026-10-31T20:00", ["11-01T02:00 11-01T09:00", "11-02T03:00 11-02T09:00"]),
    ("Australia/Lord_Howe", "22:00", "04:00", "2026-04-04T00:00", ["04-04T11:00 04-04T17:30"]),
]


@pytest.mark.parametrize(("zone", "opens", "closes", "start", "wanted"), [*SPRING, *AUTUMN])
def test_the_wall_clock_decides_on_both_turns_of_the_year(zone, opens, closes, start, wanted):
    assert spans(window(opens, closes, zone), start, len(wanted)) == wanted


def test_a_window_that_the_spring_swallows_does_not_open():
    one = window("02:15", "02:45", "Europe/Berlin")
    assert spans(one, "2026-03-28T00:30", 2) == ["03-28T01:15 03-28T01:45", "03-29T01:15 03-29T01:45"]
    swallowed = window("02:30", "03:00", "Europe/Berlin")
    assert spans(swallowed, "2026-03-28T12:00", 1) == ["03-30T00:30 03-30T01:00"]
    assert next_opening(swallowed, (), at("2026-03-28T12:00")) == at("2026-03-30T00:30")


def test_an_hour_that_comes_twice_opens_the_window_once():
    one = window("02:00", "02:30", "Europe/Berlin")
    assert spans(one, "2026-10-24T12:00", 2) == ["10-25T00:00 10-25T00:30", "10-26T01:00 10-26T01:30"]


def test_blackout_dates_are_inclusive():
    one, dark = window("22:00", "23:00"), (blackout("2026-12-18", "2027-01-03"),)
    assert open_until(one, dark, at("2026-12-17T22:30"))
    assert open_until(one, dark, at("2026-12-18T22:30")) is None
    assert open_until(one, dark, at("2027-01-03T22:30")) is None
    assert next_opening(one, dark, at("2026-12-17T23:30")) == at("2027-01-04T22:00")


def test_nothing_begins_on_a_blacked_out_date_even_if_the_window_opened_the_evening_before():
    one, dark = window("22:00", "04:00"), (blackout("2026-12-18", "2026-12-18"),)
    assert open_until(one, dark, at("2026-12-17T23:00")) == at("2026-12-18T00:00")
    assert open_until(one, dark, at("2026-12-18T01:00")) is None
    assert next_opening(one, dark, at("2026-12-18T01:00")) == at("2026-12-19T22:00")


def test_a_window_that_would_open_on_a_blacked_out_date_does_not_open_at_midnight_either():
    one, dark = window("22:00", "04:00"), (blackout("2026-12-18", "2026-12-18"),)
    assert open_until(one, dark, at("2026-12-19T01:00")) is None


def test_the_blackout_s_dates_are_those_of_the_window_s_zone():
    one, dark = window("08:00", "09:00", "Asia/Tokyo"), (blackout("2026-12-18", "2026-12-18"),)
    assert open_until(one, dark, at("2026-12-17T23:30")) is None  # 08:30 on the 18th in Tokyo
    assert open_until(one, dark, at("2026-12-18T23:30"))


def test_leap_days():
    one = window("22:00", "04:00", "UTC", ["tue"])
    assert date(2028, 2, 29).weekday() == 1
    assert spans(one, "2028-02-28T00:00", 1) == ["02-29T22:00 03-01T04:00"]
    assert spans(window("22:00", "04:00", "UTC", ["sun"]), "2032-02-28T12:00", 1) == ["02-29T22:00 03-01T04:00"]


def test_a_window_that_never_opens():
    one, dark = window("22:00", "23:00"), (blackout("2026-01-01", "2099-12-31"),)
    assert next_opening(one, dark, at("2026-03-02T00:00")) is None
    assert open_until(one, dark, at("2026-03-02T22:30")) is None


moments = st.integers(0, 6 * 366 * 86_400).map(lambda seconds: at("2024-01-01") + timedelta(seconds=seconds))
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
windows = st.builds(window, clocks, clocks, zones, st.lists(st.sampled_from(EVERY_DAY), min_size=1, unique=True))
blackouts = st.lists(
    st.builds(
        lambda first, days: Blackout(**{"from": first, "to": first + timedelta(days=days)}),
        st.dates(date(2024, 1, 1), date(2030, 1, 1)),
        st.integers(0, 40),
    ),
    max_size=3,
)


@settings(max_examples=60)
@given(windows, blackouts, moments)
def test_open_at_its_opening_and_closed_before_it(one, dark, when):
    opens = next_opening(one, dark, when)
    assert opens is not None
    assert opens > when
    assert open_until(one, dark, opens)
    ends = open_until(one, dark, when)
    between = (ends or when) + (opens - (ends or when)) / 2
    if (ends or when) < opens:
        assert open_until(one, dark, between) is None


@settings(max_examples=60)
@given(windows, blackouts, moments)
def test_nothing_is_open_on_a_blacked_out_date(one, dark, when):
    today = when.astimezone(ZoneInfo(one.zone)).date()
    if any(span.from_ <= today <= span.to for span in dark):
        assert open_until(one, dark, when) is None
