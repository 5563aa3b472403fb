"""A lock on a state directory that the operating system releases when its process ends, however it ends."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _take(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


_POLL = 0.05


class StateBusy(Exception):
    """Another process uses the state directory."""


class StateLock:
    """Holds *path* locked until :meth:`release`.

    Raises:
        StateBusy: another process did not release it within *patience* seconds.
    """

    def __init__(self, path: Path, patience: float = 5.0) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + patience
        while True:
            try:
                _take(self._file)
            except OSError:
                if time.monotonic() >= deadline:
                    os.close(self._file)
                    raise StateBusy(
                        f"{path.parent} is in use by another process. Nothing was changed. Wait for it to end, "
                        "or use another state directory."
                    ) from None
                time.sleep(_POLL)
            else:
                return

    def release(self) -> None:
        """Let others have it."""
        os.close(self._file)
