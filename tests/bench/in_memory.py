"""A whole programme on the in-memory estate, journaled on disk: durable events per second, events and memory each.

    python -m tests.bench.in_memory --accounts 1000 --hosts-each 4

The simulated estate's own work is inside the time; its share is measured with a profiler and shown.
"""

from __future__ import annotations

import argparse
import logging
import resource
import tempfile
import time
from pathlib import Path

import structlog

import tests.world
from orchestrator.journal import open_journal
from orchestrator.lab.estate.estate import Estate
from tests.bench import generate
from tests.bench.table import show


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="A programme on the in-memory estate.")
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--hosts-each", type=int, default=4)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "estates").mkdir()
        text = generate.plan("p", given.accounts, given.hosts_each, 6)
        (place / "p.yaml").write_text(text, encoding="utf-8")
        text = generate.estate("p", given.accounts, given.hosts_each)
        (place / "estates" / "p.yaml").write_text(text, encoding="utf-8")
        tests.world.ROOT = place
        spent = _time_of_the_estate()
        world = tests.world.World("p.yaml", "estates/p.yaml", journal=open_journal(place / "j.db", create=True))
        world.record = _Nothing()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        world.run()
        took = time.perf_counter() - began
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        events = world.journal.head()
        phases = {str(phase) for phase in world.phases().values()}
        own = took - spent[0]
        rows.append(
            (
                *(given.accounts, given.hosts_each, events, took, events / took, spent[0], events / own),
                *(events / given.accounts, grown / given.accounts, ", ".join(sorted(phases))),
            )
        )
    head = ("migrations", "hosts each", "events", "seconds", "events/s", "of it the estate, s", "events/s without it")
    show("a programme in memory, journal on disk", (*head, "events each", "KiB each", "ended"), rows)


class _Nothing(list):  # type: ignore[type-arg]
    def append(self, _item: object) -> None:
        """Keep nothing: the witness is not what is measured."""


def _time_of_the_estate() -> list[float]:
    """Count the seconds that the simulated estate itself takes."""
    spent = [0.0]
    execute = Estate.execute

    def timed(self: Estate, request):  # type: ignore[no-untyped-def]
        began = time.perf_counter()
        try:
            return execute(self, request)
        finally:
            spent[0] += time.perf_counter() - began

    Estate.execute = timed  # type: ignore[method-assign]
    return spent


if __name__ == "__main__":
    main()
