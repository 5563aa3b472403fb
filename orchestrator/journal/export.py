"""A copy of a journal's rows in a file of its own, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from orchestrator.journal.errors import ExportUnusable
from orchestrator.journal.sqlite_file import sync_folder

_BINARY = getattr(os, "O_BINARY", 0)


def write_export(path: Path, lines: Iterable[bytes]) -> int:
    """Write lines to file *path*, readable by its owner only, and to disk; return how many there were.

    It is written under another name and moved into place, so that whatever goes wrong leaves no half of it.

    Raises:
        ExportUnusable: it is there already, or cannot be written.
    """
    building = path.with_name(f".{path.name}.building")
    written = 0
    try:
        if path.exists():
            raise ExportUnusable(path, "it is there", "Nothing was written. Move it away first, or name another file")
        with os.fdopen(os.open(building, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600), "wb") as file:
            for line in lines:
                file.write(line)
                written += 1
            file.flush()
            os.fsync(file.fileno())
        building.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise ExportUnusable(path, f"{error.strerror or error}", "Nothing was written. Name another file") from error
    finally:
        building.unlink(missing_ok=True)
    return written
