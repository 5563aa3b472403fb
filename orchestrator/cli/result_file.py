"""The result file of ``probe-windows``: also what remembers, across a crash, how the pair was found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from orchestrator.errors import InputInvalid
from orchestrator.probe import Found, NotFound, Subject

_UNFINISHED = frozenset({"under-way", "astray"})


def found_before(file: Path, subject: Subject) -> Found | None:
    """Return how an inquiry that was cut off had found the pair; None where there is nothing to bring back.

    Raises:
        InputInvalid: the file is something else, cannot be read, or is unfinished and about another pair.
    """
    if not file.exists():
        return None
    document = _read(file)
    if document["state"] not in _UNFINISHED or document.get("found") is None:
        return None
    if (document.get("account"), document.get("dmsa")) != (subject.account, subject.dmsa):
        raise InputInvalid(
            f"{file} is the unfinished record of {document.get('account')} and {document.get('dmsa')}, which must be "
            "brought back first. Nothing was done. Name that pair, or another file with --output."
        )
    try:
        return Found.from_document(document["found"])
    except NotFound as error:
        raise InputInvalid(f"{file} is an unfinished record, and {error}. Nothing was done.") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputInvalid(f"{file} cannot be read: {error}. Nothing was done.") from error
    if not isinstance(document, dict) or not {"state", "questions", "found"} <= document.keys():
        raise InputInvalid(f"{file} is there and is no result of probe-windows. Nothing was done. Name another file.")
    return document


def keep(file: Path, document: dict[str, Any]) -> None:
    """Put the document in the place of what was there, whole, and on disk before this returns.

    Raises:
        InputInvalid: it cannot be written.
    """
    beside = file.with_name(f"{file.name}.new")
    text = "# What `dmsa probe-windows` saw. `switches` is what an estate file takes, as it is.\n"
    try:
        with beside.open("w", encoding="utf-8") as out:
            out.write(text + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120))
            out.flush()
            os.fsync(out.fileno())
        beside.replace(file)
    except OSError as error:
        raise InputInvalid(f"{file} cannot be written: {error}. Nothing more was sent.") from error
