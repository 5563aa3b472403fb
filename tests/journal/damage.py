"""Every byte cut off and every bit turned of a small journal, and of its mirror: what becomes of each.

``python -m tests.journal.damage`` does it all, some two million injuries (``--jobs`` processes; with ``--every N``
every cut, and one bit of N), and prints the table that stands in ``runbooks/figures.md``. It exits 1 if one injury was
neither of these:

*refused*: nothing is opened, and an error of the program's own names what is wrong (a row, the file, its rules);
*resumed*: what is gone is an append that was never acknowledged, and the next one goes on from there;
*harmless*: every row reads as it was written, the journal verifies, and goes on after the next append.

The journal holds the first rows of a real run. In one form it was closed, the lease not given back. In the other it is
being written, with its last rows in the ``-wal`` file; the mark beside it says that they were acknowledged, or that the
last append was not. The -shm file is left out: SQLite rebuilds it when nobody has the journal open.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.errors import OrchestratorError
from orchestrator.journal import Entry, Row, line_of, lock, open_journal, restore
from orchestrator.journal.highwater import Mark, write_mark
from tests.journal.ancestors import left_behind

ROWS = 24
LAST = (3, 1, 2)
"""How many rows the last appends had: they are in the -wal file while the journal is being written."""


@dataclass(frozen=True)
class Form:
    """A journal, or a mirror, as files; ``target`` is the one that is injured. ``kept`` is how many rows must never be
    missed: those that were acknowledged.
    """

    name: str
    files: dict[str, bytes]
    target: str
    rows: tuple[Row, ...]
    kept: int

    def injured(self, content: bytes) -> dict[str, bytes]:
        return {**self.files, self.target: content}


@dataclass(frozen=True)
class Injury:
    """One bit turned at *place*, or (*bit* is None) everything from *place* on cut off."""

    place: int
    bit: int | None

    def of(self, content: bytes) -> bytes:
        if self.bit is None:
            return content[: self.place]
        bent = content[self.place] ^ 1 << self.bit
        return content[: self.place] + bytes((bent,)) + content[self.place + 1 :]


def injuries(content: bytes, bits: int = 1, cuts: int = 1, first: int = 0) -> Iterator[Injury]:
    """Yield one of so many bits turned and one of so many cuts, each from number *first* on."""
    for place in range(first, len(content), cuts):
        yield Injury(place, None)
    for number in range(first, len(content) * 8, bits):
        yield Injury(*divmod(number, 8))


# The forms.


def entries() -> list[Entry]:
    """Return the first rows of a real run, as they were appended."""
    with tempfile.TemporaryDirectory() as folder:
        desk = left_behind(2, "soaking", Path(folder) / "desk")
        with closing(open_journal(desk.journal, create=False)) as journal:
            rows = [row for row, _ in zip(journal.read(), range(ROWS), strict=False)]
    return [Entry(row.run, row.at, row.kind, row.version, row.body) for row in rows]


def forms() -> list[Form]:
    """Return the journal after it was closed, while it is being written, and its mirror."""
    said = entries()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        before = len(said) - sum(LAST)
        with closing(open_journal(path, create=True)) as journal:
            lease = journal.acquire("alice@runner01 pid 4711")
            journal.append(said[: before // 2], expected=0, lease=lease)
            journal.append(said[before // 2 : before], expected=before // 2, lease=lease)
            journal.release(lease)
        with closing(open_journal(path, create=False)) as journal:
            lease, head = journal.acquire("bob@runner02 pid 4712"), before
            for count in LAST:
                head = journal.append(said[head : head + count], expected=head, lease=lease)
            live = _files(path)
            rows = tuple(journal.read())
        closed = _files(path)
    return [
        Form("journal, closed", closed, "journal.db", rows, len(rows)),
        Form("journal, being written", live, "journal.db", rows, len(rows)),
        Form("journal, being written", live, "journal.db-wal", rows, len(rows)),
        _unacknowledged(Form("journal, last append not acknowledged", live, "journal.db-wal", rows, len(rows))),
        _mirror(Form("mirror", {}, "mirror", rows, len(rows))),
        _unacknowledged(_mirror(Form("mirror, last append not acknowledged", {}, "mirror", rows, len(rows)))),
    ]


def _files(path: Path) -> dict[str, bytes]:
    return {name.name: name.read_bytes() for name in path.parent.iterdir() if not name.name.endswith(("-shm", ".lock"))}


def _mirror(form: Form) -> Form:
    return replace(
        form, files={"mirror": b"".join(map(line_of, form.rows)), "mirror.head": _mark(form.rows, len(form.rows))}
    )


def _unacknowledged(form: Form) -> Form:
    kept = len(form.rows) - LAST[-1]
    head = "mirror.head" if form.target == "mirror" else "journal.db.head"
    return replace(form, files={**form.files, head: _mark(form.rows, kept)}, kept=kept)


def _mark(rows: tuple[Row, ...], seq: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mark"
        write_mark(file, Mark(seq, rows[seq - 1].hash))
        return file.read_bytes()


# What becomes of one.


def outcome(form: Form, injury: Injury, folder: Path) -> tuple[str, str]:
    """Return what becomes of an injury, and what was said, or where it was."""
    content = injury.of(form.files[form.target])
    for name in os.listdir(folder):
        entry = folder / name
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for name, whole in form.injured(content).items():
        (folder / name).write_bytes(whole)
    try:
        found = _restored(folder) if form.target == "mirror" else _opened(folder)
    except OrchestratorError as error:
        return ("refused", _said(error)) if _still_refused(form, folder) else ("LOST", f"only once: {error}")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a defect
        return "DEFECT", repr(error)
    if found == form.rows:
        return "harmless", where(form, injury)
    if len(found) >= form.kept and found == form.rows[: len(found)] and (len(found) == form.kept or _by_line(form)):
        return "resumed", "an append that was not acknowledged is as if it had not begun"
    return "LOST", f"{len(found)} rows of {len(form.rows)}"


def _still_refused(form: Form, folder: Path) -> bool:
    """Looking at a damaged journal must not make it one that passes for whole."""
    if form.target == "mirror":
        return not (folder / "rebuilt").exists()
    try:
        _opened(folder)
    except OrchestratorError:
        return True
    return False


def _by_line(form: Form) -> bool:
    """A mirror is caught up row by row; an append of several may have got half-way."""
    return form.target == "mirror"


def _opened(folder: Path) -> tuple[Row, ...]:
    """Open, verify and read a journal; let it go on; it is none the worse for that."""
    path = folder / "journal.db"
    with closing(open_journal(path, create=False)) as journal:
        journal.verify()
        journal.holder()
        found = tuple(journal.read())
        lease = journal.acquire("carol@runner03 pid 4713")
        journal.append([GOING_ON], expected=len(found), lease=lease)
        journal.release(lease)
    with closing(open_journal(path, create=False)) as journal:
        journal.verify()
        again = tuple(journal.read())
    assert again[:-1] == found, "rows changed when it went on"
    return found


GOING_ON = Entry("released", None, "runner-left", 1, {"reason": "told to stop"})


def _restored(folder: Path) -> tuple[Row, ...]:
    """Rebuild a journal from the mirror and read it."""
    path = folder / "rebuilt" / "journal.db"
    restore(folder / "mirror", path)
    with closing(open_journal(path, create=False)) as journal:
        return tuple(journal.read())


def _said(error: OrchestratorError) -> str:
    """Return the kind of an error: its text without what differs from one injury to the next."""
    why = str(getattr(error, "why", "") or getattr(error, "cause", "") or error)
    for sign, kind in KINDS_OF_ERRORS.items():
        if sign in why:
            return kind
    return f"{type(error).__name__}: {why}"


KINDS_OF_ERRORS = {
    "its hash does not fit": "the row: its hash does not fit",
    "the row is missing": "the row: it is missing",
    "it cannot be read": "the row: it cannot be read",
    "it is no JSON": "the row: its line is no JSON",
    "no row of a journal": "the row: its line is no row",
    "in the form in which": "the row: its line is not in the form in which rows are written",
    "its epoch, ": "the row: its epoch is older than that of rows before it",
    "stands in its place": "the row: another stands in its place",
    "was written, but the file ends": "the row after the last one: rows are gone from the end",
    "says ": "the row: it is not the one that the mark knows",
    "own rules were changed": "the file: its rules were changed",
    "is no text": "the file: SQLite cannot read its structure",
    "SQLite reports": "the file: SQLite cannot read its structure",
    "SQLite: ": "the file: SQLite cannot open it",
    "neither a journal": "the file: it is neither a journal nor a SQLite file",
    "is empty": "the file: it is empty",
    "of another program": "the file: it is of another program",
    "newer version": "the file: it is of a newer version",
    "no version of dmsa": "the file: it is of no version",
    "journal mode": "the file: its journal mode was switched",
    "who may write": "the lease: it cannot be read",
    "set back": "the lease: it was set back",
    "there is no row": "the file: there is no row in it",
}


# Where an injury does no harm, and why.


def where(form: Form, injury: Injury) -> str:
    """Return what an injured byte is for."""
    if form.target == "journal.db":
        if injury.bit is None:
            return "cut off: zeros at the end of the last page, which SQLite reads as such"
        superseded = "" if "journal.db-wal" not in form.files else _superseded(form, injury.place)
        return superseded or _in_database(form.files["journal.db"], injury.place)
    if form.target == "journal.db-wal":
        return _in_log(form, injury)
    return "the mirror"


PAGE = 4096
HEADER = {
    (24, 28): "the counter of changes (not used with a -wal file)",
    (40, 44): "the counter of schema changes",
    (44, 48): "the schema's format",
    (48, 52): "the suggested size of the cache",
    (56, 60): "the encoding of text, of which SQLite looks at two bits",
    (64, 68): "the switch of incremental vacuum",
    (72, 92): "bytes reserved for later versions of SQLite",
    (92, 96): "the counter for which the version is valid",
    (96, 100): "the version of SQLite that wrote last",
}


def _in_database(content: bytes, place: int) -> str:
    number, offset = divmod(place, PAGE)
    if number == 0 and offset < 100:
        return next((f"header: {name}" for (first, end), name in HEADER.items() if first <= offset < end), "header")
    page = content[number * PAGE : (number + 1) * PAGE]
    at = 100 if number == 0 else 0
    kind = page[at]
    if kind not in {2, 5, 10, 13}:
        return "the last bytes of an overflow page, which no row reaches"
    cells = int.from_bytes(page[at + 3 : at + 5], "big")
    begin = at + (12 if kind in {2, 5} else 8) + 2 * cells
    end = int.from_bytes(page[at + 5 : at + 7], "big") or 65536
    if begin <= offset < end:
        return "space of a page that holds no row"
    if at <= offset < begin:
        return "a page's own header"
    if number == 0:
        return "the file's own rules: the root page of a trigger, which has none"
    return LEASE if b"runner0" in page and kind == 13 and cells == 1 else "between the rows of a page"


LEASE = "the lease: who held it last and since when, or a later epoch (a note for people; the lock is the system's)"


def _superseded(form: Form, place: int) -> str:
    """Say so if the -wal file has a newer copy of the page."""
    log = form.files["journal.db-wal"]
    pages = {int.from_bytes(log[at : at + 4], "big") for at in range(32, len(log), PAGE + 24)}
    return "a page of which the -wal file has a newer copy" if place // PAGE + 1 in pages else ""


def _in_log(form: Form, injury: Injury) -> str:
    return "the -wal file"


# The whole.


def trial(form: Form, bits: int, cuts: int, first: int) -> Counter[tuple[str, str, str]]:
    """Injure one form in some ways (:func:`injuries`); return how often what came of it."""
    patience, lock.PATIENCE = lock.PATIENCE, 0.0
    found: Counter[tuple[str, str, str]] = Counter()
    try:
        with tempfile.TemporaryDirectory(dir=_memory()) as folder:
            for injury in injuries(form.files[form.target], bits, cuts, first):
                became, said = outcome(form, injury, Path(folder))
                if became in BAD:
                    said = f"{injury}: {said}"
                found["cut off" if injury.bit is None else "a bit turned", became, said] += 1
    finally:
        lock.PATIENCE = patience
    return found


def _memory() -> str | None:
    """Return a folder in memory, if the system has one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def table(bits: int, jobs: int) -> Iterator[tuple[Form, Counter[tuple[str, str, str]]]]:
    """Injure every form; yield what became of it."""
    with multiprocessing.Pool(jobs) as pool:
        for form in forms():
            parts = [(form, bits * jobs, jobs, job) for job in range(jobs)]
            yield form, sum(pool.starmap(trial, parts), Counter())


def main() -> int:
    """Injure every form and print what became of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.journal.damage")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="turn one bit of N; all cuts are made")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes to use")
    given = parser.parse_args()
    bad = 0
    print("| file | injury | what becomes of it | named, or where | how many |\n| --- | --- | --- | --- | --- |")
    for form, total in table(given.every, given.jobs):
        for (how, became, said), count in sorted(total.items()):
            bad += count * (became in BAD)
            print(f"| {form.name}: {form.target} | {how} | {became} | {said} | {count:,} |", flush=True)
    print(f"\n{'Nothing was lost.' if not bad else f'{bad:,} injuries were neither refused nor harmless.'}")
    return bool(bad)


BAD = frozenset({"LOST", "DEFECT"})


if __name__ == "__main__":
    sys.exit(main())
