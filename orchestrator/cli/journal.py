"""``journal show``, ``verify``, ``export`` and ``restore``: the history as it was written, whether it still is, a copy
of it, and a journal from the copy. ``create`` and ``upgrade`` are in :mod:`~orchestrator.cli.database`.

The first three only read, and work while a runner writes. ``verify`` exits 0 when every row is what was written, 5 when
the journal is ours but was damaged or altered, 3 when there is nothing that could be asked (missing, not a journal,
newer). ``restore`` makes a journal where none is, or exits 3 and makes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.database import create, upgrade
from orchestrator.cli.options import DEFAULT_JOURNAL, JournalPlace, Json
from orchestrator.views.output import say, say_document, say_lines

if TYPE_CHECKING:
    from orchestrator.cli.certified import CertificateRefused
    from orchestrator.cli.proof import Proof
    from orchestrator.cli.signatures import SignatureWrong
    from orchestrator.journal import Journal, JournalCorrupt, Reflection, Restored, Row, Verdict
    from orchestrator.views.working import Work

app = typer.Typer(
    help="The journal: its history, whether it is what was written, and copies of it.", no_args_is_help=True
)

app.command()(create)
app.command()(upgrade)

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
    from orchestrator.views.journal_rows import row_document

    with contextlib.closing(open_journal(journal, create=False)) as opened:
        run = _run(plan, opened)
        rows: Iterable[Row] = opened.read(0 if last is None else opened.before_last(last, run), run)
        if json:
            say_document({"journal": journal, "rows": [row_document(row) for row in rows]})
            return
        for row in rows:
            say(line(row))


@app.command()
def verify(
    plan: RunOf = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: Annotated[
        Path | None, typer.Option("--mirror", metavar="FILE", help="Hold this mirror, or export, against it.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="FILE", help="Hold this certificate of a drill against it.")
    ] = None,
    json: Json = False,
) -> None:
    """Check every row against the hash chain, and the file's own rules; exit 5 and name the first that is wrong.

    Where a runner wrote down how a run stands (rows of kind state-folded, with which `dmsa status` begins), the run is
    folded from its first row, and each such state must be what the rows before it make.

    With --mirror, also every line of that file, and that both tell the same history. With --certificate, also that the
    rows make the same certificate again, byte for byte; exit 5 and say what differs if not. Every signature of an
    approval is checked against the keys of the plan that its run went by then. Nothing else is needed: no network, no
    plan file. PLAN says of which plan a certificate must be.

    Example: dmsa journal verify --certificate .dmsa/drills/quickstart-1.html
    """
    import contextlib

    from orchestrator.cli.certified import CertificateRefused, held_against
    from orchestrator.cli.proof import Proof
    from orchestrator.cli.signatures import SignatureWrong, signatures_of
    from orchestrator.errors import Exit
    from orchestrator.journal import JournalCorrupt, hold_against, open_journal
    from orchestrator.views.working import working

    certified = None
    try:
        with (
            contextlib.closing(open_journal(journal, create=False)) as opened,
            working("checking rows", quiet=json) as work,
        ):
            run = _run(plan, opened)
            proof = Proof.of(opened)
            verdict = opened.verify(told_of(proof.take_in, work, opened.head()))
            reflection = hold_against(mirror, opened) if mirror else None
            signed = signatures_of(opened)
            if certificate is not None:
                certified = held_against(certificate, opened.read(), run)
    except (JournalCorrupt, CertificateRefused, SignatureWrong) as error:
        if json:
            say_document(_damage(journal, error))
        else:
            say(f"{error}" if isinstance(error, CertificateRefused) else f"{journal}: {error}")
        raise typer.Exit(Exit.FAILED) from error
    if json:
        say_document(_soundness(journal, verdict, proof, signed, mirror, reflection, certificate, certified))
        return
    say(f"{journal}: {_good(verdict)}{_proved(proof)}")
    if signed:
        say(f"{journal}: {signed} signed {'approval' if signed == 1 else 'approvals'}, each by the key in its plan")
    if reflection:
        say(f"{mirror}: {_like(reflection)}")
    if certified:
        say(f"{certificate}: {_certifies(certified)}")


@app.command()
def export(
    plan: RunOf = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file, which must not be there.")
    ] = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
) -> None:
    """Print every row as one line of JSON, with its hash: the form of mirrors, from which a journal can be rebuilt.

    Of one run only, it is for reading: `dmsa journal restore` needs every row.

    Example: dmsa journal export -o history.jsonl
    """
    import contextlib

    from orchestrator.journal import line_of, open_journal, write_export

    with contextlib.closing(open_journal(journal, create=False)) as opened:
        lines = (line_of(row) for row in opened.read(run=_run(plan, opened)))
        if output is None:
            say_lines(lines)
            return
        say(f"{output}: {write_export(output, lines)} rows")


@app.command()
def restore(
    source: Annotated[Path, typer.Option("--from", metavar="FILE", help="A mirror, or an export of every run.")],
    journal: JournalPlace = DEFAULT_JOURNAL,
    json: Json = False,
) -> None:
    """Rebuild a lost journal from its mirror, or from an export. Nothing is overwritten, and every row is checked.

    Example: dmsa journal restore --from /mnt/second/dmsa.mirror --journal .dmsa/journal.db
    """
    from orchestrator.journal import restore as rebuild
    from orchestrator.views.working import working

    with working("restoring", quiet=json):
        restored = rebuild(source, journal)
    if json:
        say_document(_rebuilt(journal, source, restored))
    else:
        say(f"{journal}: {_told(restored)}")


EVERY = 500
"""Of so many rows one is told of."""


def told_of(takes_in: Callable[[Row], object], work: Work, rows: int) -> Callable[[Row], None]:
    """Return what takes rows in, and also tells how far it is."""

    def take_in(row: Row) -> None:
        takes_in(row)
        if row.seq % EVERY == 0:
            work.at(row.seq, rows)

    return take_in


def line(row: Row) -> str:
    """Return a row as a person reads it, on one line."""
    from orchestrator.views.journal_rows import said_of
    from orchestrator.views.moment import iso

    subject, said = row.body.get("migration", ""), said_of(row).replace("\n", "; ")
    return _printable(f"{iso(row.at) or '-':<20}  {row.seq:>6}  {row.kind:<17}  {subject:<15}  {said}").rstrip()


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


def _proved(proof: Proof) -> str:
    proved = f"; {proof.proved} states written down, each what the rows before it make" if proof.proved else ""
    other = f"; {proof.unproved} written down by another version, not used here and not proved"
    return proved + (other if proof.unproved else "")


def _like(reflection: Reflection) -> str:
    end = "it ends where the journal ends"
    if reflection.behind:
        end = f"it lacks the last {reflection.behind}; the next command with --mirror catches it up"
    return f"{reflection.rows} rows, each as in the journal; {end}"


def _told(restored: Restored) -> str:
    vouched = (
        "the mark beside the copy confirms its end"
        if restored.witnessed
        else "no mark lies beside the copy: rows lost from its end would not show"
    )
    left_out = ""
    if restored.unfinished:
        left_out = (
            f"\n{restored.unfinished} bytes at the end of the copy were left out: the beginning of a row whose writing "
            "was cut off. Nothing was sent on its account."
        )
    return (
        f"{restored.rows} rows of {', '.join(restored.runs)}, each as it was written; last hash {restored.hash}; "
        f"{vouched}; the next runner has epoch {restored.epoch + 1}{left_out}\n"
        "`dmsa run` goes on from here. Name the mirror again: --mirror is also what stops the lost runner, "
        "should it wake."
    )


def _rebuilt(journal: str, source: Path, restored: Restored) -> dict[str, Any]:
    return {
        "journal": journal,
        "from": str(source),
        "rows": restored.rows,
        "hash": restored.hash,
        "epoch": restored.epoch,
        "runs": restored.runs,
        "unfinished": restored.unfinished,
        "witnessed": restored.witnessed,
    }


def _certifies(certified: dict[str, Any]) -> str:
    head = certified["head"]
    return (
        f"drill {certified['drill']} of {certified['plan']}: {certified['verdict']}; every byte is as the journal's "
        f"rows up to row {head['seq']} make it"
    )


def _soundness(
    journal: str,
    verdict: Verdict,
    proof: Proof,
    signed: int,
    mirror: Path | None,
    reflection: Reflection | None,
    certificate: Path | None,
    certified: dict[str, Any] | None,
) -> dict[str, Any]:
    drill = None
    if certified is not None:
        drill = {"path": str(certificate), **{key: certified[key] for key in ("plan", "drill", "verdict", "head")}}
    mirrored = {"path": str(mirror), "rows": reflection.rows, "behind": reflection.behind} if reflection else None
    return {
        "journal": journal,
        "intact": True,
        "rows": verdict.rows,
        "hash": verdict.hash,
        "witnessed": verdict.witnessed,
        "states": {"proved": proof.proved, "unproved": proof.unproved},
        "signatures": signed,
        "mirror": mirrored,
        "certificate": drill,
        "exit": 0,
    }


def _damage(journal: str, error: JournalCorrupt | CertificateRefused | SignatureWrong) -> dict[str, Any]:
    from orchestrator.cli.signatures import SignatureWrong
    from orchestrator.journal import JournalCorrupt

    if isinstance(error, SignatureWrong):
        return {"journal": journal, "intact": True, "row": error.seq, "why": error.why, "exit": 5}
    if isinstance(error, JournalCorrupt):
        return {"journal": journal, "intact": False, "row": error.seq or None, "why": error.why, "exit": 5}
    return {"journal": journal, "intact": True, "row": None, "why": str(error), "exit": 5}
