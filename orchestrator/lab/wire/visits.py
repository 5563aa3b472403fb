"""What a host sees of its callers beside what they ask for: connections, log-ons, shells, and whom it turned away.

This is how a client's manners are judged from the far side: how many connections are open at once, how many log-ons
there are in a second, how many shells an account has, and what was refused because a quota was spent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

Row: TypeAlias = dict[str, object]


class Visits:
    """Tells *keep* of each visit, with the seconds of a clock that stands still for nobody."""

    def __init__(self, keep: Callable[[Row], None] = lambda _row: None) -> None:
        self._keep = keep

    def connected(self, host: str, connections: int) -> None:
        """Somebody sent the first request on a connection; so many are open to the host now."""
        self._note("connected", host, connections=connections)

    def logged_on(self, host: str, principal: str) -> None:
        """Somebody proved who he is, for the first time on his connection."""
        self._note("logged-on", host, by=principal)

    def opened(self, host: str, principal: str, shells: int) -> None:
        """Somebody opened a shell, and has so many on the host now."""
        self._note("shell-opened", host, by=principal, shells=shells)

    def closed(self, host: str) -> None:
        """A shell was deleted, by whomever, or forgotten."""
        self._note("shell-closed", host)

    def turned_away(self, host: str, principal: str, code: int) -> None:
        """A request was refused because a quota was spent."""
        self._note("turned-away", host, by=principal, code=code)

    def _note(self, what: str, host: str, **more: object) -> None:
        self._keep({"seconds": round(time.monotonic(), 4), "host": host, "what": what, **more})
