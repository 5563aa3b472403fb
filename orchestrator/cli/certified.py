"""Certificates of drills in files: written from the journal, and held against it."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.history import open_existing
from orchestrator.cli.options import DEFAULT_JOURNAL
from orchestrator.errors import Exit, InputInvalid
from orchestrator.journal import Journal, Row, write_export
from orchestrator.journal.chain import DECODER
from orchestrator.views.certificate import as_bytes, certificates, drills
from orchestrator.views.certificate_html import as_page, in_page
from orchestrator.views.drill_summary import history, summary, table
from orchestrator.views.output import say, say_document

if TYPE_CHECKING:
    from orchestrator.cli.drill_stage import Stage
    from orchestrator.model.run import RunState
    from orchestrator.planfile import Loaded

_FORMS = {".html": as_page, ".json": as_bytes}
_CODES = {"restored": Exit.DONE, "cut-short": Exit.FAILED, "not-restored": Exit.HELD}


class CertificateRefused(InputInvalid):
    """A file is not the certificate that the journal's rows make. The text says what differs."""

    exit_code = Exit.FAILED


def suffix_of(file: Path | None) -> Path | None:
    """Return the file that a certificate is to go to.

    Raises:
        InputInvalid: it is there, or its name does not say which form it takes.
    """
    if file is None:
        return None
    if file.suffix not in _FORMS:
        raise InputInvalid(f"--certificate {file}: the name must end with .html or .json. Nothing was done.")
    if file.exists():
        raise InputInvalid(f"--certificate {file}: it is there. Nothing was done. Name another file.")
    return file


def unfiled(staged: Stage, state: RunState) -> int | None:
    """Return the number of the last drill if it has ended and its certificate was never written; else None.

    Whoever was interrupted in between gets the certificate from the same command, and not another drill.
    """
    number = state.drills
    if not number or state.drill is not None or any(staged.folder.glob(f"{staged.name}-{number}[.-]*json")):
        return None
    return number


def filed(staged: Stage, number: int, wanted: Path | None, *, as_json: bool, again: bool) -> int:
    """Write the certificate of a drill, also to the file that is wanted; say what it came to, and return its exit code.

    Raises:
        InputInvalid: no drill of that number has ended.
        ExportUnusable: a file cannot be written.
    """
    with _reading(staged.place) as rows:
        found = (one for one in certificates(rows, staged.loaded.plan.name) if one["drill"] == number)
        document = next(found, None)
    if document is None:
        raise InputInvalid(f"no drill {number} of {staged.loaded.plan.name} has ended. Nothing was done.")
    kept = [staged.folder / f"{staged.name}-{number}{suffix}" for suffix in _FORMS]
    written = [_write(file, document) for file in ([wanted] if wanted else []) + kept]
    if as_json:
        say_document(document)
    else:
        journal = [] if staged.place == DEFAULT_JOURNAL else ["--journal", staged.place]
        say(summary(document))
        if document["verdict"] == "not-restored":
            say(f"`dmsa status {shlex.join([str(staged.loaded.path), *journal])}` says what to do.")
        say("\n".join(f"Certificate: {file}" for file in written))
        check = shlex.join(["dmsa", "journal", "verify", *journal, "--certificate", str(written[0])])
        say(f"`{check}` checks it.")
    return int(Exit.DONE if again else _CODES[document["verdict"]])


def show_history(loaded: Loaded, stages: Iterable[Stage], *, as_json: bool) -> None:
    """Print a line for each drill of a plan."""
    found = []
    for staged in stages:
        with _reading(staged.place) as rows:
            found += list(drills(rows, loaded.plan.name))
    document = history(loaded.plan.name, found)
    if as_json:
        say_document(document)
    else:
        say(table(document))


def held_against(file: Path, rows: Iterator[Row], run: str | None) -> dict[str, Any]:
    """Make the certificate in a file again from the rows that it names; return it where every byte is the same.

    Raises:
        InputInvalid: the file cannot be read.
        CertificateRefused: it is no certificate, or not the one that the rows make.
    """
    try:
        held = file.read_bytes()
    except OSError as error:
        raise InputInvalid(f"{file} cannot be read: {error.strerror or error}. Nothing was checked.") from error
    return compared(file, held, lambda plan: certificates(rows, plan), run)


def compared(
    file: Path, held: bytes, of: Callable[[str], Iterable[dict[str, Any]]], run: str | None = None
) -> dict[str, Any]:
    """Return the certificate that *held* is, of those that the journal makes *of* a plan.

    Raises:
        CertificateRefused: it is none of them.
    """
    named, form = _named(file, held)
    plan, seq = str(named["plan"]), named["head"]["seq"]
    if run is not None and plan != run:
        raise CertificateRefused(f"{file}: it is a certificate of {plan!r}, not of {run}.")
    made = next((one for one in of(plan) if one["head"]["seq"] == seq), None)
    if made is None:
        raise CertificateRefused(f"{file}: no drill of {plan!r} ends at row {seq} of this journal.")
    if _FORMS[form](made) != held:
        raise CertificateRefused(f"{file}: it is not what the journal's rows make: {_difference(named, made, form)}.")
    return made


def _named(file: Path, held: bytes) -> tuple[dict[str, Any], str]:
    """Return what a file says of itself, and its form, which its content decides and not its name."""
    page = held.startswith(b"<!")
    try:
        named = in_page(held) if page else DECODER.decode(held.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CertificateRefused(f"{file}: it is no certificate ({error}).") from error
    head = named.get("head") if isinstance(named, dict) else None
    if not isinstance(head, dict) or type(head.get("seq")) is not int or not isinstance(named.get("plan"), str):
        raise CertificateRefused(f"{file}: it is no certificate.")
    return named, ".html" if page else ".json"


def _difference(named: dict[str, Any], made: dict[str, Any], form: str) -> str:
    """Say which part differs first."""
    found = next(_differing(named, made, ""), None)
    if found is not None:
        return found
    return "the page around its data was changed" if form == ".html" else "the same data, but not written as it was"


def _differing(one: object, other: object, where: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*other, *(key for key in one if key not in other)]:
            inner = f"{where}.{key}" if where else key
            if key not in one or key not in other:
                yield f"{inner} is {'missing' if key not in one else 'too many'}"
            else:
                yield from _differing(one[key], other[key], inner)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differing(left, right, f"{where}[{number}]")
    elif one != other or type(one) is not type(other):
        yield f"{where} says {one!r}, and the journal says {other!r}"


def _write(file: Path, document: dict[str, Any]) -> Path:
    """Write a certificate, if it is not there already; one of another drill is left alone, and this goes beside it."""
    content = _FORMS[file.suffix](document)
    with contextlib.suppress(OSError):
        if file.read_bytes() == content:
            return file
        file = file.with_name(f"{file.stem}-{document['head']['hash'][:8]}{file.suffix}")
        if file.read_bytes() == content:
            return file
    file.parent.mkdir(parents=True, exist_ok=True)
    write_export(file, [content])
    return file


@contextlib.contextmanager
def _reading(place: str) -> Iterator[Iterator[Row]]:
    journal: Journal | None = open_existing(place)
    with contextlib.closing(journal) if journal else contextlib.nullcontext():
        yield journal.read() if journal else iter(())
