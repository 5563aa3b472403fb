"""When a window is open: across midnight, across both turns of daylight saving, around blackouts and leap days."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.engine.windows import FOREVER, HORIZON, moment, next_opening, open_until, openings
from orchestrator.model.lifecycle import Trigger
from orchestrator.model.plan import Blackout, Window
from orchestrator.rehearsal.windows import may_begin
from tests.engine.runs import plan

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


def test_days_that_meet_are_one_span():
    one = window("06:00", "06:00", days=["mon", "tue", "wed"])
    assert spans(one, "2026-03-03T12:00", 2) == ["03-02T06:00 03-05T06:00", "03-09T06:00 03-12T06:00"]
    assert open_until(one, (), at("2026-03-03T05:59")) == at("2026-03-05T06:00")


def test_what_never_closes_says_so():
    one, dark = window("06:00", "06:00", "Europe/Berlin"), (blackout("2026-12-24", "2026-12-26"),)
    assert open_until(one, (), at("2026-03-03T05:59")) == FOREVER
    assert next_opening(one, (), at("2026-03-03T05:59")) is None, "it is open"
    assert open_until(one, dark, at("2026-03-03T05:59")) == at("2026-12-23T23:00")
    assert next_opening(one, dark, at("2026-03-03T05:59")) == at("2026-12-27T05:00")


def test_an_opening_long_enough_is_found():
    one, dark = window("22:00", "04:00"), (blackout("2026-03-04", "2026-03-04"),)
    hours = [next_opening(one, dark, at("2026-03-03T12:00"), timedelta(hours=hours)) for hours in (2, 3, 6, 7)]
    assert hours == [at("2026-03-03T22:00"), at("2026-03-05T22:00"), at("2026-03-05T22:00"), None]


JUMPS = [
    # zone, date, time of day, when that is
    ("Europe/Berlin", "2026-03-29", "01:59", "2026-03-29T00:59"),
    ("Europe/Berlin", "2026-03-29", "02:00", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-03-29", "03:00", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-03-29", "03:01", "2026-03-29T01:01"),
    ("Europe/Berlin", "2026-10-25", "01:59", "2026-10-24T23:59"),
    ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30"),
    ("Europe/Berlin", "2026-10-25", "03:00", "2026-10-25T02:00"),
    ("America/New_York", "2026-03-08", "02:30", "2026-03-08T07:00"),
    ("America/New_York", "2026-11-01", "01:30", "2026-11-01T05:30"),
    ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30"),
    ("Australia/Lord_Howe", "2026-10-04", "02:45", "2026-10-03T15:45"),
    ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T14:45"),
    ("Australia/Lord_Howe", "2026-04-05", "02:00", "2026-04-04T15:30"),
    ("Africa/Cairo", "2026-04-24", "00:00", "2026-04-23T22:00"),  # midnight is skipped
    ("Africa/Cairo", "2026-04-24", "00:30", "2026-04-23T22:00"),
    ("America/Havana", "2026-11-01", "00:00", "2026-11-01T04:00"),  # midnight comes twice
    ("Asia/Tokyo", "2026-03-29", "02:30", "2026-03-28T17:30"),
    ("Asia/Kathmandu", "2026-03-29", "02:30", "2026-03-28T20:45"),
]


@pytest.mark.parametrize(("zone", "day", "clock", "wanted"), JUMPS)
def test_when_a_time_of_day_is(zone, day, clock, wanted):
    assert moment(date.fromisoformat(day), time.fromisoformat(clock), ZoneInfo(zone)) == at(wanted)


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
    assert spans(one, "2026-03-28T00:30", 2) == ["03-28T01:15 03-28T01:45", "03-30T00:15 03-30T00:45"]
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
TURNS = [
    ("UTC", "2026-12-31T23:59"),
    ("Europe/Berlin", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-10-25T01:00"),
    ("America/New_York", "2026-03-08T07:00"),
    ("America/New_York", "2026-11-01T06:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("Africa/Cairo", "2026-04-23T22:00"),
    ("Africa/Cairo", "2026-10-29T21:00"),
    ("America/Havana", "2026-11-01T05:00"),
    ("Asia/Kathmandu", "2028-02-29T00:00"),
]
"""Zones, and moments at which something happens there."""
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
).map(tuple)


MINUTE = timedelta(minutes=1)


def naive(one: Window, dark: tuple[Blackout, ...], first: datetime, minutes: int) -> list[bool]:
    """Say minute by minute whether a window is open, by somebody who watches the clock on the wall.

    What counts is the latest time that it has shown: an hour that comes again is over already.
    """
    shown, answers = datetime(1, 1, 1), []  # noqa: DTZ001 - as on the wall
    for passed in range(-4 * 1440, minutes):
        shown = max(shown, (first + passed * MINUTE).astimezone(ZoneInfo(one.zone)).replace(tzinfo=None))
        if passed >= 0:
            answers.append(any(_within(one, dark, shown, shown.date() - timedelta(days=back)) for back in (0, 1)))
    return answers


def _within(one: Window, dark: tuple[Blackout, ...], shown: datetime, day: date) -> bool:
    black = [span.from_ <= day <= span.to for span in dark]
    tomorrow = day + timedelta(days=1)
    if EVERY_DAY[day.weekday()] not in one.days or any(black):
        return False
    begin = datetime.fromisoformat(f"{day}T{one.open}")
    end = datetime.fromisoformat(f"{day if one.close > one.open else tomorrow}T{one.close}")
    if end.date() == tomorrow and any(span.from_ <= tomorrow <= span.to for span in dark):
        end = datetime.fromisoformat(f"{tomorrow}T00:00")
    return begin <= shown < end


near = st.sampled_from(TURNS)
half_hours = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
night = st.builds("{:02}:{:02}".format, st.integers(0, 3), st.sampled_from([0, 15, 30, 45]))
few_days = st.lists(st.sampled_from(EVERY_DAY), min_size=1, unique=True) | st.just(EVERY_DAY)


@settings(max_examples=60, deadline=None)
@given(
    near,
    half_hours | night,
    half_hours | night,
    few_days,
    st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 2)), max_size=2),
    st.integers(-2 * 1440, 2 * 1440),
)
@example(("Europe/Berlin", "2026-10-25T01:00"), "00:00", "03:00", EVERY_DAY, [], -1)  # it ends with the second 02:59
@example(("Europe/Berlin", "2026-10-25T01:00"), "00:00", "02:15", EVERY_DAY, [], 0)  # and this with the first 02:14
def test_minute_by_minute_it_is_open_when_somebody_who_watches_the_clock_says_so(turn, opens, closes, days, black, off):
    zone, when = turn
    one, first = window(opens, closes, zone, days), at(when)
    around = first.astimezone(ZoneInfo(zone)).date()
    made = ((around + timedelta(days=begin), around + timedelta(days=begin + length)) for begin, length in black)
    dark = tuple(Blackout(**{"from": begin, "to": end}) for begin, end in made)
    first += off * MINUTE
    wanted = naive(one, dark, first, 3 * 1440)
    stop = first + len(wanted) * MINUTE
    answers = [False] * len(wanted)
    for begin, end in openings(one, dark, first):
        if begin >= stop:
            break
        for minute in range(max(0, (begin - first) // MINUTE), min(len(wanted), (min(end, stop) - first) // MINUTE)):
            answers[minute] = True
    assert answers == wanted
    is_open = open_until(one, dark, first)
    assert (is_open is not None) == wanted[0]
    if is_open is not None:
        assert is_open >= stop if all(wanted) else is_open == first + wanted.index(False) * MINUTE
    closed = wanted.index(False) if wanted[0] and False in wanted else 0
    following = next((minute for minute in range(closed, len(wanted)) if wanted[minute] and minute), None)
    opens_at = next_opening(one, dark, first)
    if following is not None and not (wanted[0] and False not in wanted):
        assert opens_at == first + following * MINUTE
    elif opens_at is not None:
        assert opens_at >= stop
    wave = plan(
        {"ids": "a", "window": one.model_dump(), "blackout": [d.model_dump(by_alias=True) for d in dark]}
    ).waves[0]
    assert [may_begin(wave, Trigger.START, first + n * MINUTE) for n in range(0, len(wanted), 15)] == wanted[::15]


@settings(max_examples=60)
@given(windows, blackouts, moments, st.integers(0, 86_400))
def test_a_later_question_never_has_an_earlier_answer(one, dark, when, seconds):
    later = when + timedelta(seconds=seconds)
    opens, ends = next_opening(one, dark, when), open_until(one, dark, when)
    if opens is not None and opens > later:
        assert next_opening(one, dark, later) == opens
    if ends is not None and ends > later:
        assert open_until(one, dark, later) == ends


@settings(max_examples=60)
@given(windows, blackouts, moments)
def test_a_blackout_more_never_opens_anything(one, dark, when):
    if open_until(one, dark, when) is not None:
        fewer = open_until(one, dark[1:], when)
        assert fewer is not None
        assert fewer >= open_until(one, dark, when)


@settings(max_examples=60)
@given(windows, blackouts, moments, st.integers(0, 30), st.integers(0, 30))
def test_what_lasts_longer_never_begins_earlier(one, dark, when, hours, more):
    short = next_opening(one, dark, when, timedelta(hours=hours))
    long = next_opening(one, dark, when, timedelta(hours=hours + more))
    assert long is None or (short is not None and short <= long)


@settings(max_examples=60)
@given(windows, blackouts, moments)
def test_open_at_its_opening_and_closed_before_it(one, dark, when):
    opens, ends = next_opening(one, dark, when), open_until(one, dark, when)
    if opens is None:
        assert ends is not None
        dark_at_most = timedelta(days=3 * 41 + 7)
        assert ends - when > HORIZON - dark_at_most, "it stays open for as long as openings are looked for"
        return
    assert opens > when
    assert open_until(one, dark, opens)
    between = (ends or when) + (opens - (ends or when)) / 2
    if (ends or when) < opens:
        assert open_until(one, dark, between) is None


@settings(max_examples=60)
@given(windows, blackouts, moments)
def test_nothing_is_open_on_a_blacked_out_date(one, dark, when):
    today = when.astimezone(ZoneInfo(one.zone)).date()
    if any(span.from_ <= today <= span.to for span in dark):
        assert open_until(one, dark, when) is None
