"""What a runner that stays has beside the loop: a journal that fails and comes back, a service manager that listens."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.cli.notify_socket import BEATS_EVERY, NotifySocket
from orchestrator.cli.selection import this_runner
from orchestrator.cli.staying import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    TRY_EVERY,
    JournalBroke,
    broken_on_the_way,
    in_spite_of_the_journal,
    standing_by,
)
from orchestrator.conductor.attending import Attending
from orchestrator.journal import JournalHeld, JournalUnusable, Lease

FULL = JournalUnusable("j.db", "the disk is full", "Make room")


class Beats(Attending):
    """Counts the signs of life."""

    count = 0

    def beats(self) -> None:
        self.count += 1


def driving(*ends: Exception | str) -> Callable[[], str]:
    """Return what drives, and ends so each time; the text is what a run returns that came to its end."""
    left = iter(ends)

    def drive() -> str:
        end = next(left)
        if isinstance(end, JournalUnusable) and end is not FULL:
            raise end
        with broken_on_the_way():
            if isinstance(end, Exception):
                raise end
            return end

    return drive


def not_opened() -> JournalUnusable:
    return JournalUnusable("j.db", "there is no folder", "Is the share mounted?")


def driven(*ends: Exception | str, stopped: bool = False) -> tuple[str, list[float], int]:
    pauses: list[float] = []
    beats = Beats()
    result = in_spite_of_the_journal(driving(*ends), beats, lambda: stopped, pauses.append)
    return result, pauses, beats.count


def test_a_run_that_ends_is_not_begun_again():
    assert driven("done") == ("done", [], 0)


def test_a_journal_that_failed_on_the_way_is_tried_again_and_the_runner_shows_that_it_lives(capsys):
    result, pauses, beats = driven(FULL, "done")
    assert (result, sum(pauses), beats) == ("done", FIRST_PAUSE, len(pauses))
    said = "dmsa: journal j.db: the disk is full. Make room. Nothing is sent meanwhile, and it is tried again in 5 s.\n"
    assert capsys.readouterr().err == said


def test_each_pause_is_longer_until_it_goes_on():
    _, pauses, _ = driven(FULL, *[not_opened() for _ in range(8)], FULL, "done")
    doubled = [min(LONGEST_PAUSE, FIRST_PAUSE * 2**n) for n in range(9)]
    assert sum(pauses) == sum(doubled) + FIRST_PAUSE


def test_one_that_cannot_be_used_to_begin_with_is_the_operator_s_to_see():
    with pytest.raises(JournalUnusable, match="no folder"):
        driven(not_opened())


def test_nor_is_it_tried_again_once_it_was_told_to_stop_or_another_drives():
    with pytest.raises(JournalUnusable, match="disk is full"):
        driven(FULL, "done", stopped=True)
    with pytest.raises(JournalHeld):
        driven(FULL, JournalHeld("ann", None), "done")


def test_a_lease_of_its_own_that_it_could_not_give_back_is_waited_for():
    result, pauses, _ = driven(FULL, JournalHeld(this_runner(), None), "done")
    assert (result, sum(pauses)) == ("done", 2 * FIRST_PAUSE)
    with pytest.raises(JournalHeld):
        driven(JournalHeld(this_runner(), None))


def stood_by(*ends: Exception | Lease) -> tuple[Lease, list[float], int]:
    left, pauses, beats = iter(ends), [], Beats()

    def acquire() -> Lease:
        end = next(left)
        if isinstance(end, Exception):
            raise end
        return end

    return standing_by(acquire, beats, pauses.append), pauses, beats.count


def test_one_that_stands_by_tries_until_nobody_drives_and_names_each_driver_once(capsys):
    lease = Lease(3, "me", datetime.now(UTC))
    assert stood_by(lease) == (lease, [], 0)
    ann, bob = JournalHeld("ann", None), JournalHeld("bob", None)
    assert stood_by(ann, ann, bob, ann, lease) == (lease, [TRY_EVERY] * 4, 4)
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == ["ann", "bob", "ann"]


def test_a_journal_that_fails_while_it_stands_by_is_tried_again_and_at_its_beginning_it_is_not():
    with pytest.raises(JournalUnusable):
        stood_by(not_opened())
    with pytest.raises(JournalBroke):
        stood_by(JournalHeld("ann", None), not_opened())


@pytest.fixture
def listening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[NotifySocket, socket.socket, list[float]]:
    """A socket as systemd names it, who listens there, and what the clock shows."""
    seconds = [1000.0]
    monkeypatch.setattr("orchestrator.cli.notify_socket.time.monotonic", lambda: seconds[0])
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.setblocking(False)
    return NotifySocket({"NOTIFY_SOCKET": str(tmp_path / "notify")}), listener, seconds


def test_a_service_manager_hears_that_it_is_ready_lives_and_what_it_waits_for(listening):
    told, listener, seconds = listening
    with listener:
        told.beats()
        told.beats()
        told.status("at rest: 2 waits\nfor dwell")
        seconds[0] += BEATS_EVERY
        told.beats()
        heard = [listener.recv(4096).decode() for _ in range(3)]
        assert heard == ["READY=1\nWATCHDOG=1", "STATUS=at rest: 2 waits for dwell", "WATCHDOG=1"]
        with pytest.raises(BlockingIOError):
            listener.recv(4096)


def test_one_that_does_not_listen_changes_nothing(listening):
    told, listener, _ = listening
    listener.close()
    told.beats()
    NotifySocket({}).beats()
