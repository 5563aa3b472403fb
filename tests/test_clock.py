"""Estate time: the last reading plus what has passed since, and waiting for it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from orchestrator.clock import FRESH_FOR, EstateClock, LogOnRefused
from orchestrator.model.observation import Unreadable

AT = datetime(2026, 3, 2, tzinfo=UTC)
FRESH = FRESH_FOR.total_seconds()


class Hands:
    """A monotonic clock that only a pause, or the test, moves; readings come from a list."""

    def __init__(self, *readings: datetime | None) -> None:
        self.seconds, self.asked, self.sleeps = 0.0, 0, 0.0
        self._readings: Iterator[datetime | None] = iter(readings)

    def clock(self, *, is_lab: bool = False) -> EstateClock:
        return EstateClock(self._read, is_lab=is_lab, monotonic=lambda: self.seconds, pause=self.pause)

    def pause(self, seconds: float) -> None:
        self.seconds += seconds

    def _read(self) -> datetime:
        self.asked += 1
        self.seconds, self.sleeps = self.seconds + self.sleeps, 0.0
        reading = next(self._readings, None)
        if reading is None:
            raise Unreadable("nobody listens")
        return reading


def test_a_reading_runs_on():
    hands = Hands(AT)
    clock = hands.clock()
    assert clock.now() == AT
    hands.pause(FRESH)
    assert clock.now() == AT + FRESH_FOR
    assert hands.asked == 1


def test_and_is_made_anew_when_it_is_old():
    hands = Hands(AT, AT + timedelta(minutes=5))
    clock = hands.clock()
    clock.now()
    hands.pause(FRESH + 1)
    assert clock.now() == AT + timedelta(minutes=5)
    assert hands.asked == 2


def test_an_answer_after_which_the_machine_slept_is_asked_for_anew():
    later = AT + timedelta(hours=2)
    hands = Hands(AT, later)
    hands.sleeps = 7200.0
    assert hands.clock().now() == later
    assert hands.asked == 2


def test_where_it_cannot_be_read_the_last_one_runs_on():
    hands = Hands(AT, None)
    clock = hands.clock()
    clock.now()
    hands.pause(FRESH + 1)
    assert clock.now() == AT + timedelta(seconds=FRESH + 1)
    assert clock.unread == "nobody listens"


def test_nothing_is_invented():
    hands = Hands()
    clock = hands.clock()
    assert clock.now() is None
    clock.wait_until(AT, lambda: hands.seconds >= 3600)
    assert 3600 <= hands.seconds < 3601, "it waits until somebody speaks"
    assert 1 < hands.asked < 100, "it asks again, and ever more seldom"
    assert clock.now() is None


def test_waiting_ends_when_it_is_due():
    hands = Hands(AT)
    clock = hands.clock()
    clock.wait_until(AT + timedelta(seconds=10.2), lambda: False)
    assert 10.2 <= hands.seconds < 10.8


def test_waiting_ends_when_somebody_speaks():
    hands = Hands(AT)
    clock = hands.clock()
    clock.wait_until(AT + timedelta(days=9), lambda: hands.seconds >= 3)
    assert 3 <= hands.seconds < 4


def test_waiting_never_trusts_an_old_reading():
    """The controller's clock was set back while the wait lasted."""
    hands = Hands(AT, AT - timedelta(minutes=1), AT, AT + timedelta(minutes=1), AT + timedelta(minutes=2))
    clock = hands.clock()
    clock.wait_until(AT + timedelta(minutes=1), lambda: False)
    assert hands.asked >= 4
    assert hands.seconds > 60


def test_on_a_lab_waiting_is_reading():
    hands = Hands(AT, AT + timedelta(hours=1), AT + timedelta(hours=2))
    clock = hands.clock(is_lab=True)
    clock.ask()
    clock.wait_until(AT + timedelta(minutes=90), lambda: False)
    assert (hands.asked, hands.seconds) == (3, 0)


def test_a_lab_that_cannot_be_read_is_not_asked_without_a_pause():
    """Where the clock's own domain controller is away, time passes as it does for everybody."""
    hands = Hands(AT, *[None] * 1000)
    clock = hands.clock(is_lab=True)
    clock.ask()
    clock.wait_until(AT + timedelta(seconds=30), lambda: False)
    assert hands.asked < 20


def test_how_far_it_is_from_the_journal_s_clock_is_known_by_the_last_reading():
    hands = Hands(AT, None, AT + timedelta(hours=1))
    here = AT - timedelta(minutes=6)
    read = hands.clock()._read
    clock = EstateClock(read, is_lab=False, monotonic=lambda: hands.seconds, pause=hands.pause, here=lambda: here)
    assert clock.apart is None
    clock.ask()
    assert clock.apart == timedelta(minutes=6)
    clock.ask()
    assert clock.unread
    assert clock.apart == timedelta(minutes=6)
    clock.ask()
    assert clock.apart == timedelta(hours=1, minutes=6)


def test_where_the_journal_s_clock_is_estate_time_the_two_are_one():
    clock = Hands(AT).clock(is_lab=True)
    clock.ask()
    assert clock.apart == timedelta(0)


def test_while_it_cannot_be_read_it_is_asked_for_more_and_more_seldom():
    hands = Hands(AT)
    clock = hands.clock()
    clock.ask()
    hands.seconds += FRESH + 1
    clock.wait_until(None, lambda: hands.seconds >= 7200)
    assert 12 < hands.asked < 36


def test_waiting_ends_when_it_can_be_read_again():
    hands = Hands(None, None, None, AT)
    clock = hands.clock()
    clock.ask()
    clock.wait_until(None, lambda: hands.seconds > 3600)
    assert (hands.asked, clock.reckoned()) == (4, AT)
    assert hands.seconds <= (FRESH + 1) * 7


def test_in_a_long_wait_it_is_read_once_an_hour():
    hands = Hands(*[AT + timedelta(hours=hour) for hour in range(1000)])
    clock = hands.clock()
    clock.ask()
    clock.wait_until(AT + timedelta(hours=12), lambda: False)
    assert 10 <= hands.asked <= 15


def test_a_refused_log_on_is_not_repeated_for_half_an_hour_unless_a_person_has_spoken():
    """Each time could count as one more wrong password."""

    class Refused(Hands):
        def _read(self) -> datetime:
            self.asked += 1
            raise LogOnRefused("dc01 refuses the credentials")

    hands = Refused()
    clock = hands.clock()
    clock.ask()
    assert (clock.refused, clock.silent) == (True, True)
    clock.wait_until(None, lambda: hands.seconds > 1790)
    assert hands.asked == 1
    clock.wait_until(None, lambda: hands.seconds > 1810)
    assert hands.asked == 2
    clock.ask_soon()
    clock.now()
    assert hands.asked == 3


def test_a_time_that_is_known_is_not_asked_for_because_a_person_has_spoken():
    hands = Hands(AT)
    clock = hands.clock()
    clock.ask()
    clock.ask_soon()
    assert clock.now() == AT
    assert hands.asked == 1


def test_on_a_lab_what_waits_for_a_person_lets_no_time_pass():
    hands = Hands(AT)
    clock = hands.clock(is_lab=True)
    clock.ask()
    clock.wait_until(None, lambda: hands.seconds >= 60)
    assert hands.asked == 1
