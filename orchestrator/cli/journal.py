"""``journal show`` and ``journal verify``: the history as it was written, and whether it still is.

Both only read, and work while a runner writes. ``verify`` exits 0 when every row is what was written, 5 when the
journal is ours but was damaged or altered, 3 when there is nothing that could be asked (missing, not a journal, newer).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import DEFAULT_JOURNAL, JournalPlace, Json
from orchestrator.views.output import say, say_document

if TYPE_CHECKING:
    from orchestrator.journal import Journal, JournalCorrupt, Row, Verdict

app = typer.Typer(help="The journal: its history, and whether it is what was written.", no_args_is_help=True)

RunOf = Annotated[
    str | None, typer.Argument(metavar="[PLAN]", help="Only this run: its plan file, or the plan's name.")
]
Last = Annotated[int | None, typer.Option("--last", min=1, metavar="N", help="Only the last N rows.")]


@app.command()
def show(plan: RunOf = None, journal: JournalPlace = DEFAULT_JOURNAL, last: Last = None, json: Json = False) -> None:
    """Print what happened, row by row: estate time, number, kind, whom it concerns, and a sentence.

    Example: dmsa journal show plans/quickstart.yaml --last 20
    """
    import contextlib

    from orchestrator.journal import open_journal

    with contextlib.closing(open_journal(journal, create=False)) as opened:
        rows: Iterable[Row] = opened.read(run=_run(plan, opened))
        if last is not None:
            rows = deque(rows, maxlen=last)
        if json:
            say_document({"journal": journal, "rows": [_document(row) for row in rows]})
            return
        for row in rows:
            say(line(row))


@app.command()
def verify(journal: JournalPlace = DEFAULT_JOURNAL, json: Json = False) -> None:
    """Check every row against the hash chain, and the file's own rules; exit 5 and name the first that is wrong.

    Example: dmsa journal verify --journal .dmsa/journal.db
    """
    import contextlib

    from orchestrator.errors import Exit
    from orchestrator.journal import JournalCorrupt, open_journal

    try:
        with contextlib.closing(open_journal(journal, create=False)) as opened:
            verdict = opened.verify()
    except JournalCorrupt as error:
        if json:
            say_document(_damage(journal, error))
        else:
            say(f"{journal}: {error}")
        raise typer.Exit(Exit.FAILED) from error
    if json:
        say_document(_soundness(journal, verdict))
    else:
        say(f"{journal}: {_good(verdict)}")


def line(row: Row) -> str:
    """Return a row as a person reads it, on one line."""
    from orchestrator.views.status import iso

    subject, said = row.body.get("migration", ""), sentence(row).replace("\n", "; ")
    return _printable(f"{iso(row.at) or '-':<20}  {row.seq:>6}  {row.kind:<17}  {subject:<15}  {said}").rstrip()


def sentence(row: Row) -> str:
    """Return what happened in words; a row of a vocabulary that this version does not know is shown as it is."""
    import contextlib

    from orchestrator.model.replay import RowUnreadable, event_of
    from orchestrator.views import sentence as words

    with contextlib.suppress(RowUnreadable):
        return words.sentence(event_of(row))
    return " ".join(f"{key}={value}" for key, value in row.body.items() if key != "migration")


def _run(plan: str | None, journal: Journal) -> str | None:
    from orchestrator.errors import InputInvalid
    from orchestrator.planfile import load_plan

    if plan is None:
        return None
    name = load_plan(Path(plan)).plan.name if Path(plan).is_file() else plan
    runs = journal.runs()
    if name not in runs:
        file = "" if name != plan else ", and no plan file is there by that name"
        raise InputInvalid(f"the journal has no run of {name}{file}. It has {', '.join(runs) or 'none at all'}")
    return name


def _printable(text: str) -> str:
    # Names and messages come from other machines; what would move a terminal's cursor is shown, not sent.
    return "".join(_escaped(text))


def _escaped(text: str) -> Iterator[str]:
    for character in text:
        yield character if character.isprintable() else character.encode("unicode_escape").decode()


def _good(verdict: Verdict) -> str:
    end = (
        f"its end is confirmed up to row {verdict.witnessed}"
        if verdict.witnessed is not None
        else "no mark lies beside it: compare the hash with a copy, for rows lost from its end would not show"
    )
    return f"{verdict.rows} rows, each as it was written; last hash {verdict.hash}; {end}"


def _soundness(journal: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "journal": journal,
        "intact": True,
        "rows": verdict.rows,
        "hash": verdict.hash,
        "witnessed": verdict.witnessed,
        "exit": 0,
    }


def _damage(journal: str, error: JournalCorrupt) -> dict[str, Any]:
    return {"journal": journal, "intact": False, "row": error.seq or None, "why": error.why, "exit": 5}


def _document(row: Row) -> dict[str, Any]:
    from orchestrator.journal.chain import stamp

    return {
        "seq": row.seq,
        "run": row.run,
        "at": stamp(row.at),
        "kind": row.kind,
        "version": row.version,
        "body": row.body,
        "epoch": row.epoch,
        "hash": row.hash,
    }
