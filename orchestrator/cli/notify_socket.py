"""What a service manager is told of a runner: that it is ready, that it is alive, and what it waits for.

systemd names a socket in ``NOTIFY_SOCKET`` to services of ``Type=notify``; each datagram holds lines ``NAME=value``
(sd_notify(3)). Where nobody named one, nobody is told.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

BEATS_EVERY = 10.0
"""Seconds between two signs of life; ``WatchdogSec`` is a multiple of it."""


class NotifySocket:
    """Tells the service manager, if there is one. That it cannot be told changes nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        at = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + at[1:] if at.startswith("@") else at  # "@" stands for the abstract namespace
        self._beat_at = 0.0
        self._ready = False

    def beats(self) -> None:
        """Say that it is alive, and the first time that it is ready."""
        if not self._address:
            return
        now = time.monotonic()
        if not self._ready or now - self._beat_at >= BEATS_EVERY:
            self._tell("WATCHDOG=1" if self._ready else "READY=1\nWATCHDOG=1")
            self._ready, self._beat_at = True, now

    def status(self, text: str) -> None:
        """Say in a line what it is about."""
        self._tell(f"STATUS={' '.join(text.split())}")

    def _tell(self, lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as towards:
                towards.setblocking(False)
                towards.sendto(lines.encode(), self._address)
        except OSError:
            return
