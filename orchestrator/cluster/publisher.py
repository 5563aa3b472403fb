"""Who rings: one thread that says what is to be said, so that nobody waits for a broker.

What is said twice is sent twice: each ring lets one runner claim one of the jobs that are posted for the same three
words. What cannot be sent waits for the broker; of too much, the oldest is dropped, for whoever rings, rings again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

from orchestrator.cluster.outage import Outage

Words: TypeAlias = tuple[str, str, str]
Send: TypeAlias = Callable[[Words], None]

_MOST = 2_000
"""Rings that may wait here: a second's worth."""
_IDLE = 30.0
"""Seconds without a ring after which the connection is given back."""
_TRY_AGAIN_AFTER = 1.0


class Publisher:
    """Sends over a *line*, which is opened when there is something to send.

    *errors* are those of the line: it is opened again after one. They are told once, by *outage*.
    """

    def __init__(
        self, line: Callable[[], AbstractContextManager[Send]], errors: tuple[type[Exception], ...], outage: Outage
    ) -> None:
        self._line, self._errors, self._outage = line, errors, outage
        self._waiting: deque[Words] = deque(maxlen=_MOST)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def tell(self, words: Words) -> None:
        """Have a ring sent, and return at once."""
        with self._changed:
            if self._closed:
                return
            self._waiting.append(words)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="rings", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self, within: float = 5.0) -> None:
        """Send what waits, if that takes no longer than so many seconds; then send nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(within)

    def _work(self) -> None:
        while self._something_to_send(None):
            try:
                with self._line() as send:
                    self._outage.over()
                    while self._something_to_send(_IDLE):
                        self._send_next(send)
            except self._errors as error:
                self._outage.begins(error)
                self._rest()

    def _send_next(self, send: Send) -> None:
        with self._changed:
            words = self._waiting.popleft()
        try:
            send(words)
        except BaseException:
            with self._changed:
                self._waiting.appendleft(words)
            raise

    def _something_to_send(self, patience: float | None) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, patience)
            return bool(self._waiting)

    def _rest(self) -> None:
        """Wait before the line is tried again; who closes does not wait for a line that is down."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, _TRY_AGAIN_AFTER)
            if self._closed:
                self._waiting.clear()
