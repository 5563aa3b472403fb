"""A lock that the operating system keeps: whatever ends the process that holds it frees it at once.

That is what a lease needs on one machine: no heartbeat, no time after which a dead holder is believed dead, and a
frozen one keeps it. ``flock`` on POSIX, ``LockFile`` (``msvcrt.locking``) on Windows. The file stays when the lock
is let go: to remove it would let a second process lock a new file of the same name beside the first.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _try(fd: int) -> bool:
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _undo(fd: int) -> None:
        # Closing would do it too, but at a time of Windows' choosing (Microsoft Learn, UnlockFile).
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _try(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _undo(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)


PATIENCE = 0.5
"""Seconds for which a busy lock is tried again: :meth:`FileLock.taken` has it for microseconds, and Windows may take a
moment to free what a dead process held (Microsoft Learn, LockFile)."""


class FileLock:
    """One holder's lock on the file at *path*; not for use by two threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def take(self, patience: float | None = None) -> bool:
        """Take the lock and return True, or return False if somebody has it for longer than *patience* seconds
        (:data:`PATIENCE` unless told).

        Raises:
            OSError: the file cannot be made or opened.
        """
        end = time.monotonic() + (PATIENCE if patience is None else patience)
        while not self._take_now():
            if time.monotonic() >= end:
                return False
            time.sleep(0.01)
        return True

    def _take_now(self) -> bool:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if _try(fd):
            if self._is_current(fd):
                self._fd = fd
                return True
            _undo(fd)
        os.close(fd)
        return False

    def _is_current(self, fd: int) -> bool:
        """Tell whether the file that was locked is still the one that others will find under its name."""
        try:
            return os.path.samestat(os.fstat(fd), self.path.stat())
        except FileNotFoundError:
            return False

    def free(self) -> None:
        """Let the lock go; without effect if it is not held."""
        if self._fd is not None:
            _undo(self._fd)
            os.close(self._fd)
            self._fd = None

    def taken(self) -> bool:
        """Tell whether anybody, this process included, has the lock now.

        Raises:
            OSError: the file is there but cannot be opened.
        """
        try:
            fd = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            if not _try(fd):
                return True
            _undo(fd)
            return False
        finally:
            os.close(fd)
