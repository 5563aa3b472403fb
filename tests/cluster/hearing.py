"""Somebody who hears: an engine that runs in a thread, and one in a process of its own, that can be killed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.remote.engine import Engine
from tests.patience import PATIENCE


class Hearing:
    """What was heard, and how many were at it at the same time. While it is *closed*, nobody comes to an end."""

    def __init__(self, *, closed: bool = False) -> None:
        self.heard: list[tuple[str, str, str]] = []
        self.at_once = self.most_at_once = 0
        self.gate = threading.Event()
        if not closed:
            self.gate.set()
        self._changed = threading.Condition()
        self.ended = threading.Event()

    def handle(self, site: str, migration: str, step: str) -> None:
        with self._changed:
            self.heard.append((site, migration, step))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self._changed.notify_all()
        assert self.gate.wait(PATIENCE)
        with self._changed:
            self.at_once -= 1
            self._changed.notify_all()

    def wait(self, until: Callable[[Hearing], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: until(self), PATIENCE), self.heard


@contextmanager
def hearing(engine: Engine, site: str, *, slots: int = 4, closed: bool = False) -> Iterator[Hearing]:
    """Serve *site* in a thread until the context ends, or until ``ended`` is set."""
    found = Hearing(closed=closed)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            engine.run((site,), slots, found.handle, found.ended.is_set)
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    found.thread = thread
    try:
        yield found
    finally:
        found.ended.set()
        found.gate.set()
        thread.join(PATIENCE)
    assert not thread.is_alive()
    assert not failed


def eventually(true: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait until something that another process does has come about."""
    until = time.monotonic() + patience
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


@contextmanager
def hearing_elsewhere(url: str, password: str, site: str, *, word: str) -> Iterator[subprocess.Popen[str]]:
    """Serve *site* in a process, which prints what it hears, and handles it until it is killed or told *word*."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.hearing", url, password, site, word],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def main() -> None:
    """Hear, as ``dmsa runner`` does: in the main thread, with a signal handler of one's own."""
    import signal

    from orchestrator.cluster.broker import CeleryEngine

    url, password, site, word = sys.argv[1:]
    told: list[int] = []
    ours = {number: lambda number, _frame: told.append(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number, handler in ours.items():
        signal.signal(number, handler)

    def handle(*words: str) -> None:
        print(*words, flush=True)  # noqa: T201 - to the test
        while sys.stdin.readline().strip() != word:
            pass
        print("done", flush=True)  # noqa: T201

    CeleryEngine(url, password, name=f"{site}-elsewhere").run((site,), 1, handle, lambda: bool(told))
    same = all(signal.getsignal(number) is handler for number, handler in ours.items())
    print("signals are ours" if same else "signals are somebody else's", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
