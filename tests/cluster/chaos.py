"""Everything that may befall a cluster, in one run: runners killed and frozen, a queue purged, every ring sent three
times, the database and the broker restarted, the driver killed."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.cli.desk import assert_once_each
from tests.cluster.hearing import eventually
from tests.cluster.several import DIRECTORY, PROGRAM, SITES, THRICE, Cluster

FROZEN_FOR = 20.0
"""Seconds; a claim lapses after 15."""
START, COMPLETE, REGISTRY = (
    "Start-ADServiceAccountMigration",
    "Complete-ADServiceAccountMigration",
    "New-ItemProperty",
)


@dataclass(frozen=True)
class Event:
    """What happens once a cmdlet has arrived for so large a part of the migrations."""

    name: str
    cmdlet: str
    part: float
    happens: Callable[[Cluster], None]


def kill_one_of_each_site(cluster: Cluster) -> None:
    for site in SITES:
        cluster.signal(f"{site}-1", signal.SIGKILL)
        cluster.start(f"{site}-3")


def freeze_one(cluster: Cluster) -> None:
    cluster.signal("apac-2", signal.SIGSTOP)
    threading.Timer(FROZEN_FOR, cluster.signal, ("apac-2", signal.SIGCONT)).start()


def purge(cluster: Cluster) -> None:
    for site in SITES:
        cluster.rabbit.purge(site)


def restart_database(cluster: Cluster) -> None:
    cluster.postgres.restart()


def restart_broker(cluster: Cluster) -> None:
    cluster.rabbit.kill()
    cluster.rabbit.start()


def kill_driver(cluster: Cluster) -> None:
    cluster.signal(f"{DIRECTORY}-1", signal.SIGKILL)


EVENTS = (
    Event("a runner of each site killed", REGISTRY, 0.1, kill_one_of_each_site),
    Event("a runner frozen beyond its claim", REGISTRY, 0.3, freeze_one),
    Event("the queues purged", REGISTRY, 0.5, purge),
    Event("the database killed and started", REGISTRY, 0.7, restart_database),
    Event("the broker killed and started", REGISTRY, 0.9, restart_broker),
    Event("the driver killed", COMPLETE, 0.3, kill_driver),
)


def chaos(cluster: Cluster, told: Callable[[str], None] = lambda _line: None) -> float:
    """Run the plan of a cluster through all events, and hold its end against what must be; return the seconds."""
    began = time.monotonic()
    for name in ("emea-1", "emea-2", "apac-1", "apac-2"):
        cluster.start(name)
    cluster.start(f"{DIRECTORY}-1", program=THRICE)
    eventually(cluster.is_driven)
    cluster.start(f"{DIRECTORY}-2", program=THRICE)  # stands by
    for event in EVENTS:
        cluster.until_arrived(event.cmdlet, max(1, round(event.part * cluster.migrations)))
        told(f"{time.monotonic() - began:6.1f} s  {event.name}")
        event.happens(cluster)
    code = cluster.runners[f"{DIRECTORY}-2"].wait(3600)
    took = time.monotonic() - began
    assert code == 0, cluster.said(f"{DIRECTORY}-2")
    settle(cluster)
    return took


def settle(cluster: Cluster) -> None:
    """Hold a cluster against what must be: all completed, once each, and nobody called another site's host."""
    words = ("status", str(cluster.plan(DIRECTORY)), "--journal", cluster.journal, "--json")
    status = json.loads(subprocess.run([*PROGRAM, *words], capture_output=True, check=True).stdout)
    phases = [migration["phase"] for wave in status["waves"] for migration in wave["migrations"]]
    assert phases == ["completed"] * cluster.migrations
    assert_once_each(cluster.lab.state, cluster.migrations)
    assert cluster.callers() == {(site, f"runner-{site}") for site in SITES}
