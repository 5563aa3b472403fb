"""A file for what a command puts aside while it works; it is gone with the command, however that ends."""

from __future__ import annotations

import tempfile

from orchestrator.errors import InputInvalid

_TOGETHER = 1 << 20
_LENGTH = 8
_LOOKS_AT = 4096


class Scratch:
    """Pieces in a file without a name, which nobody else can open (a :class:`orchestrator.report.shelf.Shelf`).

    Raises:
        InputInvalid: the folder for temporary files does not take them.
    """

    def __init__(self) -> None:
        """Make the file, empty."""
        try:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - whoever made this closes it
        except OSError as error:
            raise _told(error) from error
        self._written, self._waiting = 0, bytearray()

    def put(self, piece: bytes) -> int:
        """Put a piece aside, and return its place."""
        place = self._written + len(self._waiting)
        self._waiting += len(piece).to_bytes(_LENGTH, "big")
        self._waiting += piece
        if len(self._waiting) >= _TOGETHER:
            self._write()
        return place

    def get(self, place: int) -> bytes:
        """Return the piece at a place, as it was put there; it stays."""
        if place >= self._written:
            self._write()
        try:
            self._file.seek(place)
            found = self._file.read(_LOOKS_AT)
            end = _LENGTH + int.from_bytes(found[:_LENGTH], "big")
            while len(found) < end:
                found += self._file.read(end - len(found))
        except OSError as error:
            raise _told(error) from error
        return found[_LENGTH:end]

    def close(self) -> None:
        """Let go of the file, and of everything in it."""
        self._file.close()

    def _write(self) -> None:
        left = memoryview(bytes(self._waiting))
        try:
            self._file.seek(self._written)
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise _told(error) from error
        self._written += len(self._waiting)
        self._waiting.clear()


def _told(error: OSError) -> InputInvalid:
    return InputInvalid(
        f"what is put aside meanwhile does not go into the folder for temporary files: {error.strerror or error}. "
        "Nothing was written. TMPDIR names another folder; it takes about a quarter more than the journal."
    )
