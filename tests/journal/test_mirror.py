"""A mirror is the beginning of its journal's export, always, and a fence against a runner that was replaced."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing

import pytest

from orchestrator.errors import Exit
from orchestrator.journal import (
    Entry,
    JournalConflict,
    LeaseLost,
    MirrorTaken,
    MirrorUnusable,
    hold_against,
    line_of,
    open_journal,
    restore,
)


def said(*numbers):
    return [Entry("run", None, "said", 1, {"number": number, "ü": "\n"}) for number in numbers]


def printed(path):
    with closing(open_journal(path, create=False)) as journal:
        return b"".join(map(line_of, journal.read()))


def beside(path, suffix):
    return path.with_name(path.name + suffix)


@pytest.fixture
def written(path, mirror):
    """A journal of six rows and its mirror, both closed."""
    with closing(open_journal(path, create=True, mirror=mirror)) as journal:
        lease = journal.acquire("alice")
        journal.append(said(1, 2), expected=0, lease=lease)
        journal.append(said(3), expected=2, lease=None)
        journal.append(said(4, 5, 6), expected=3, lease=lease)
        journal.release(lease)
    return path


def test_it_is_what_an_export_prints(written, mirror):
    assert mirror.read_bytes() == printed(written)
    assert mirror.read_bytes().count(b"\n") == 6


def test_a_mirror_that_is_begun_later_gets_the_whole_history(path, mirror):
    with closing(open_journal(path, create=True)) as journal:
        journal.append(said(*range(600)), expected=0, lease=None)
    with closing(open_journal(path, create=False, mirror=mirror)) as journal:
        assert mirror.read_bytes() == printed(path)
        journal.append(said(600), expected=600, lease=None)
    assert mirror.read_bytes() == printed(path)


def test_what_others_appended_without_it_is_caught_up_with_the_next_append(written, mirror):
    with closing(open_journal(written, create=False, mirror=mirror)) as journal:
        with closing(open_journal(written, create=False)) as other:
            other.append(said(7), expected=6, lease=None)
        with pytest.raises(JournalConflict):
            journal.append(said(8), expected=6, lease=None)
        journal.append(said(8), expected=7, lease=None)
        assert mirror.read_bytes() == printed(written)


def test_what_others_appended_with_it_is_no_stranger(written, mirror):
    with (
        closing(open_journal(written, create=False, mirror=mirror)) as journal,
        closing(open_journal(written, create=False, mirror=mirror)) as other,
    ):
        lease, head = journal.acquire("alice"), 6
        for number in range(7, 20, 2):
            head = other.append(said(number), expected=head, lease=None)
            head = journal.append(said(number + 1), expected=head, lease=lease)
        assert mirror.read_bytes() == printed(written)


def test_a_line_that_was_cut_off_anywhere_is_finished(written, mirror):
    whole = mirror.read_bytes()
    last = whole.rstrip(b"\n").rindex(b"\n") + 1
    for length in range(last, len(whole)):
        mirror.write_bytes(whole[:length])
        open_journal(written, create=False, mirror=mirror).close()
        assert mirror.read_bytes() == whole


def test_a_line_of_a_row_that_never_came_to_be_is_taken_away(written, mirror):
    whole = mirror.read_bytes()
    begun = line_of(next(iter(open_row(written)))).replace(b'"said"', b'"done"')
    for length in (1, 5, 40, len(begun) - 1):
        mirror.write_bytes(whole + begun[:length])
        open_journal(written, create=False, mirror=mirror).close()
        assert mirror.read_bytes() == whole


def open_row(path):
    with closing(open_journal(path, create=False)) as journal:
        return list(journal.read())


# What is not this journal's mirror.


def another(path, numbers):
    with closing(open_journal(path, create=True)) as journal:
        journal.append(said(*numbers), expected=0, lease=None)
    return printed(path)


def longer(mirror, path):
    with closing(open_journal(path, create=False)) as journal:
        journal.append(said(7), expected=6, lease=None)
    whole = printed(path)
    for suffix in ("", ".head"):
        beside(path, suffix).unlink()
    another(path, ())
    mirror.write_bytes(whole)


REFUSED = {
    "a row of another journal": (
        lambda mirror, _path: mirror.write_bytes(another(mirror.with_name("other.db"), (1, 2, 3))),
        r"its row 1 is not the journal's: it is the mirror of another journal",
    ),
    "a longer one": (
        longer,
        r"it goes on to row 7, and the journal ends at row 0: the journal is an older copy, or was",
    ),
    "a bent one": (
        lambda mirror, _path: mirror.write_bytes(mirror.read_bytes().replace(b'"number":4', b'"number":9')),
        r"its row 4 is not the journal's: .* or it is damaged",
    ),
    "something else": (lambda mirror, _path: mirror.write_text("name: plan\n"), r"its row 1 is not the journal's"),
    "a folder": (lambda mirror, _path: (mirror.unlink(), mirror.mkdir()), r"it is not a file"),
    "a share that is not there": (
        lambda mirror, _path: mirror.parent.rename(mirror.parent.with_name("away")),
        r"there is no folder .*Is the share mounted\?",
    ),
    "one that is gone": (lambda mirror, _path: mirror.unlink(), r"\.head shows that there was a mirror"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_its_mirror_is_refused_in_words_and_left_as_it_is(case, written, mirror):
    change, why = REFUSED[case]
    change(mirror, written)
    before = mirror.read_bytes() if mirror.is_file() else None
    with pytest.raises(MirrorUnusable, match=why) as raised:
        open_journal(written, create=True, mirror=mirror)
    assert raised.value.exit_code is Exit.INVALID
    assert str(raised.value).startswith(f"mirror {mirror}: ")
    assert "Nothing was written" in str(raised.value)
    assert (mirror.read_bytes() if mirror.is_file() else None) == before
    with closing(open_journal(written, create=False)) as journal:
        assert journal.holder() is None


def test_a_lost_journal_is_not_begun_anew_beside_its_mirror(written, mirror):
    for suffix in ("", ".head", ".lock"):
        beside(written, suffix).unlink()
    with pytest.raises(MirrorUnusable, match=r"it has rows, but there is no journal .*dmsa journal restore --from"):
        open_journal(written, create=True, mirror=mirror)
    assert not written.exists()
    restore(mirror, written)
    open_journal(written, create=True, mirror=mirror).close()


def test_a_mirror_that_vanishes_stops_the_append_before_it_is_written(written, mirror):
    with closing(open_journal(written, create=False, mirror=mirror)) as journal:
        lease = journal.acquire("alice")
        mirror.parent.rename(mirror.parent.with_name("away"))
        with pytest.raises(MirrorUnusable):
            journal.append(said(7), expected=6, lease=lease)
        assert journal.head() == 6
        mirror.parent.with_name("away").rename(mirror.parent)
        assert journal.append(said(7), expected=6, lease=lease) == 7
    assert mirror.read_bytes() == printed(written)


FULL = """
import resource, signal, sys
from pathlib import Path
from orchestrator.journal import Entry, MirrorUnusable, open_journal
path, mirror = map(Path, sys.argv[1:])
with_room = [Entry("run", None, "said", 1, {"text": "x" * 2000}) for _ in range(100)]
journal = open_journal(path, create=True, mirror=mirror)
journal.append(with_room, expected=0, lease=None)
journal.close()
journal = open_journal(path, create=False, mirror=mirror)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = mirror.stat().st_size + 1000  # the journal's own log begins anew, and is shorter than that
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    journal.append(with_room[:1], expected=100, lease=None)
except MirrorUnusable as error:
    print(journal.head(), mirror.stat().st_size == size, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of this kind are POSIX")
def test_a_full_disk_of_the_mirror_is_said_and_mended_by_the_next_opening(path, mirror):
    """The journal first, the mirror second: what the mirror could not take is in the journal, and nothing was sent."""
    ended = subprocess.run(
        [sys.executable, "-c", FULL, path, mirror], capture_output=True, text=True, timeout=60, check=True
    )
    head, torn, text = ended.stdout.split(maxsplit=2)
    assert (head, torn) == ("101", "True")
    assert text.startswith(f"mirror {mirror}: File too large")
    assert "Nothing is sent that the mirror does not have; what is in the journal stays there." in text
    open_journal(path, create=False, mirror=mirror).close()
    assert mirror.read_bytes() == printed(path)


# The fence.


@pytest.fixture
def replaced(written, mirror, tmp_path):
    """Two journals on two machines, and one mirror: the second was rebuilt from it while the first runner slept."""
    old = open_journal(written, create=False, mirror=mirror)
    lease = old.acquire("alice@runner01")
    old.append(said(7), expected=6, lease=lease)
    elsewhere = tmp_path / "runner02" / "journal.db"
    restore(mirror, elsewhere)
    new = open_journal(elsewhere, create=False, mirror=mirror)
    with closing(old), closing(new):
        yield old, lease, new, new.acquire("bob@runner02")


def test_a_runner_that_was_replaced_notices_at_its_next_append(replaced, mirror, written):
    old, lease, new, current = replaced
    assert current.epoch > lease.epoch
    assert new.append(said(8, 9), expected=7, lease=current) == 9
    ours = mirror.read_bytes()
    for entries in (said(8), []):
        with pytest.raises(
            LeaseLost, match=r"no longer ends where this run left it, but at row 9, written in"
        ) as raised:
            old.append(entries, expected=7, lease=lease)
        assert isinstance(raised.value, MirrorTaken)
        assert (raised.value.exit_code, raised.value.rows, raised.value.current) == (
            Exit.JOURNAL_HELD,
            9,
            current.epoch,
        )
        assert "this run sends nothing more" in str(raised.value)
    assert old.head() == 7
    assert mirror.read_bytes() == ours
    assert new.append(said(10), expected=9, lease=current) == 10
    with pytest.raises(MirrorUnusable, match=r"the journal ends at row 7: .* another runner has taken the run over"):
        open_journal(written, create=True, mirror=mirror)


def test_if_it_wakes_before_the_new_one_has_begun_the_new_one_stops(replaced, mirror):
    old, lease, new, current = replaced
    assert old.append(said(8), expected=7, lease=lease) == 8
    with pytest.raises(MirrorTaken):
        new.append(said(8), expected=7, lease=current)
    assert new.head() == 7
    assert old.append(said(9), expected=8, lease=lease) == 9


def test_an_operator_on_the_old_machine_is_refused_too(replaced):
    old, _, new, current = replaced
    new.append(said(8), expected=7, lease=current)
    with pytest.raises(MirrorUnusable, match="it goes on to row 8, and the journal ends at row 7"):
        old.append(said(8), expected=7, lease=None)


# Several processes.

RUNNER = """
import sys
from pathlib import Path
from orchestrator.journal import Entry, JournalConflict, open_journal
journal = open_journal(sys.argv[1], create=True, mirror=Path(sys.argv[2]))
lease = journal.acquire("runner") if sys.argv[3] == "run" else None
head = journal.head()
print("ready", flush=True)
while True:
    try:
        head = journal.append([Entry("run", None, "said", 1, {"n": n}) for n in range(2)], expected=head, lease=lease)
        print(head, flush=True)
    except JournalConflict:
        head = journal.head()
"""


def test_killed_while_others_write_too_the_mirror_has_every_row_that_was_acknowledged(path, mirror):
    open_journal(path, create=True).close()
    command = [sys.executable, "-c", RUNNER, path, mirror]
    acknowledged = 0
    for _ in range(3):
        with (
            subprocess.Popen([*command, "run"], stdout=subprocess.PIPE, text=True) as runner,
            subprocess.Popen([*command, "speak"], stdout=subprocess.PIPE, text=True) as operator,
        ):
            for process in (runner, operator):
                assert process.stdout.readline() == "ready\n"
            for _ in range(10):
                runner.stdout.readline()
                operator.stdout.readline()
            runner.kill()
            operator.kill()
            said_last = [process.stdout.read().split("\n")[:-1] for process in (runner, operator)]
        acknowledged = max([acknowledged, *(int(line) for lines in said_last for line in lines)])
        with closing(open_journal(path, create=False)) as journal:
            found = hold_against(mirror, journal)
            assert found.rows >= acknowledged > 0
            journal.verify()
    open_journal(path, create=False, mirror=mirror).close()
    assert mirror.read_bytes() == printed(path)
