"""The engine that everybody runs by default: it rings from one thread of a process to others.

A site here is anything that has threads of its own. They are begun as they are needed, and no more of them than it has
slots; they are daemon threads, so that a host that hangs cannot keep the program from ending.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from orchestrator.remote.engine import Handle, SiteHealth

LOOKS_EVERY = 0.05
"""Seconds between two questions whether to stop."""


class InProcessEngine:
    """An :class:`~orchestrator.remote.engine.Engine` whose rings are never lost while somebody listens.

    Rings for a site that nobody has begun to serve wait for whoever does.
    """

    def __init__(self) -> None:
        self._sites: dict[str, _Site] = {}
        self._lock = threading.Lock()

    def ring(self, site: str, migration: str, step: str) -> None:
        """Tell one of those who serve a site."""
        self._site(site).ring(migration, step)

    def serve(self, site: str, slots: int, handle: Handle) -> None:
        """Begin to serve a site, on threads of its own, until :meth:`leave`."""
        self._site(site).serve(slots, handle)

    def leave(self, timeout: float) -> bool:
        """Let each thread end after what it handles now; False where some have not within so many seconds."""
        deadline = time.monotonic() + timeout
        threads = [thread for site in list(self._sites.values()) for thread in site.leave()]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def run(self, sites: Sequence[str], slots: int, handle: Handle, until: Callable[[], bool]) -> None:
        """Serve sites until *until* says so, and let what is being handled end; *slots* count for all together."""
        places = threading.BoundedSemaphore(slots)

        def one_of_so_many(site: str, migration: str, step: str) -> None:
            with places:
                if not until():
                    handle(site, migration, step)

        for site in sites:
            self.serve(site, slots, one_of_so_many)
        while not until():
            time.sleep(LOOKS_EVERY)
        for thread in [thread for site in sites for thread in self._site(site).leave()]:
            thread.join()

    def health(self, sites: Sequence[str]) -> Mapping[str, SiteHealth]:
        """Return how many rings wait and how many serve."""
        return {site: self._sites[site].health() for site in sites if site in self._sites}

    def _site(self, name: str) -> _Site:
        known = self._sites.get(name)
        if known is None:
            with self._lock:
                known = self._sites.setdefault(name, _Site(name))
        return known


class _Site:
    """The rings of a site, and the threads that hear them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._rings: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._open, self._slots = 0, 0
        self._handle: Handle = lambda _site, _migration, _step: None

    def ring(self, migration: str, step: str) -> None:
        with self._lock:
            self._open += 1
            self._begin()
        self._rings.put((migration, step))

    def serve(self, slots: int, handle: Handle) -> None:
        with self._lock:
            self._slots, self._handle = slots, handle
            while self._begin():
                pass

    def leave(self) -> list[threading.Thread]:
        with self._lock:
            threads, self._threads, self._slots = self._threads, [], 0
        for _ in threads:
            self._rings.put(None)
        return threads

    def health(self) -> SiteHealth:
        return SiteHealth(self._rings.qsize(), int(self._slots > 0))

    def _begin(self) -> bool:
        """Begin a thread if one is needed."""
        if len(self._threads) >= min(self._slots, self._open):
            return False
        thread = threading.Thread(target=self._hear, name=f"{self._name}-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()
        return True

    def _hear(self) -> None:
        while (ring := self._rings.get()) is not None:
            self._handle(self._name, *ring)
            with self._lock:
                self._open -= 1
