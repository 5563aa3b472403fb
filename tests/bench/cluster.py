"""A cluster of two sites on loopback, with a real PostgreSQL, a real RabbitMQ and the lab over the wire.

    python -m tests.bench.cluster [--migrations 200]    everything that may befall it, in one run
    python -m tests.bench.cluster --steps 2000          jobs posted, rung for, claimed and handed in, that do nothing

What may befall it is in tests/cluster/chaos.py. The first says how long it took and when what happened; it fails if
not all is completed, once each, and by the right site. The second says how many durable steps there are in a second:
one row on the board, one ring, one claim, one result, each on disk before it counts; 8 slots, and one step after
another.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from contextlib import closing
from multiprocessing.synchronize import Event
from pathlib import Path
from uuid import uuid4

from orchestrator.cluster.broker import CeleryEngine
from orchestrator.cluster.definitions import DRIVER, user_of
from orchestrator.journal import Lease, open_journal
from orchestrator.journal.jobs import Job
from orchestrator.journal.opening import database
from orchestrator.journal.postgres_jobs import PostgresJobs
from tests.cluster.chaos import chaos
from tests.cluster.hearing import eventually
from tests.cluster.several import cluster
from tests.postgres import PostgresServer
from tests.rabbit import PASSWORDS, Rabbit

SLOTS = 8


def befall(migrations: int) -> None:
    """Let everything happen to a cluster, and say when."""
    with tempfile.TemporaryDirectory(prefix="dmsa-bench-") as folder, cluster(Path(folder) / "c", migrations) as found:
        took = chaos(found, lambda line: print(line, flush=True))
        print(
            f"{took:6.1f} s  {migrations} migrations completed; one Start and one Complete each; none by another site"
        )


def steps(many: int) -> None:
    """Measure steps that do nothing."""
    with (
        tempfile.TemporaryDirectory(prefix="dmsa-bench-") as folder,
        PostgresServer() as postgres,
        Rabbit(Path(folder) / "rabbitmq") as rabbit,
    ):
        url = postgres.journal()
        spawn = multiprocessing.get_context("spawn")
        ended = spawn.Event()
        hears = spawn.Process(target=hear, args=(url, rabbit.url(user_of("emea")), ended))
        hears.start()
        try:
            _measure(many, url, rabbit.engine(DRIVER))
        finally:
            ended.set()
            hears.join(60)


def hear(journal: str, broker: str, ended: Event) -> None:
    """Claim what is rung for, and hand it in."""
    with closing(PostgresJobs(database(journal))) as jobs:

        def handle(site: str, migration: str, step: str) -> None:
            for claim in jobs.claim("bench", site, migration, step, "bench"):
                jobs.commit(claim, "{}")

        engine = CeleryEngine(broker, PASSWORDS[user_of("emea")], name="bench")
        engine.run(("emea",), SLOTS, handle, ended.is_set)


def _measure(many: int, url: str, engine: CeleryEngine) -> None:
    with closing(open_journal(url, create=False)) as journal, closing(PostgresJobs(database(url))) as jobs:
        lease = journal.acquire("bench")
        eventually(lambda: engine.health(("emea",))["emea"].listening)
        _through(1, jobs, lease, engine)
        serial = min(many, 200)
        began = time.perf_counter()
        for _ in range(serial):
            _through(1, jobs, lease, engine)
        each = (time.perf_counter() - began) / serial
        began = time.perf_counter()
        _through(many, jobs, lease, engine)
        took = time.perf_counter() - began
        print(f"one after another: {each * 1e3:.1f} ms a step")
        print(f"{SLOTS} slots: {many / took:.0f} steps/s ({many} in {took:.1f} s)")
        engine.close()


def _through(many: int, jobs: PostgresJobs, lease: Lease, engine: CeleryEngine) -> None:
    """Post so many jobs, 40 at once, ring for each, and wait until all have come back."""
    left, back = many, 0
    while back < many:
        batch = [
            Job(uuid4(), "bench", "emea", f"m{left - n}", "s", "read", "{}", 0, 60.0) for n in range(min(left, 40))
        ]
        jobs.post(batch, lease)
        for job in batch:
            engine.ring(job.site, job.migration, job.step)
        left -= len(batch)
        back += len(jobs.take_back(lease))
        while back < many - left - 4 * SLOTS or (not left and back < many):
            jobs.wait(0.5)
            back += len(jobs.take_back(lease))


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cluster")
    parser.add_argument("--migrations", type=int, default=200)
    parser.add_argument("--steps", type=int)
    given = parser.parse_args()
    steps(given.steps) if given.steps else befall(given.migrations)


if __name__ == "__main__":
    main()
