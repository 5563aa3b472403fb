"""``cluster try``: database, broker, lab, and a runner for each site, on this machine, for as long as one run lasts."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import yaml

from orchestrator.cli.compose import estate_of
from orchestrator.cli.ringing import engine_at
from orchestrator.cli.signals import Signals
from orchestrator.cluster.address import PASSWORD
from orchestrator.cluster.definitions import DRIVER, user_of
from orchestrator.cluster.postgresql import LocalPostgres, need_postgres
from orchestrator.cluster.rabbitmq import LocalRabbitMQ, need_rabbitmq
from orchestrator.errors import InputInvalid, OrchestratorError
from orchestrator.journal.opening import database
from orchestrator.model.plan import Estate
from orchestrator.model.sites import Sites
from orchestrator.planfile import Loaded, load_plan
from orchestrator.views.output import say

_READY_WITHIN = 60.0
_GRACE = 30.0


@dataclass(frozen=True)
class _Cluster:
    """What runs, and with what a runner finds it."""

    folder: Path
    plan: Path
    sites: tuple[str, ...]
    journal: str
    broker: LocalRabbitMQ
    passwords: Mapping[str, str]
    database_password: str

    def words(self, user: str) -> tuple[str, ...]:
        return (str(self.plan), "--journal", self.journal, "--broker", self.broker.url(user))

    def environment(self, user: str) -> dict[str, str]:
        return {**os.environ, PASSWORD: self.passwords[user], "PGPASSWORD": self.database_password}


def tried(plan: Path, runners: int) -> int:
    """Start it all, run the plan, and take everything down again; return the exit code of the run.

    Raises:
        InputInvalid: the plan has no simulated estate.
        JournalUnusable: the extra ``postgres`` is not installed.
        PersonNeeded: PostgreSQL, RabbitMQ or Celery is not installed.
        OrchestratorError: something did not start.
    """
    loaded = load_plan(plan)
    if loaded.plan.estate.lab is None:
        raise InputInvalid(
            f"{plan} has a real estate, and this is for trying out: it takes a plan with estate.lab. Nothing was "
            "started."
        )
    database("postgresql:///")  # no use in starting anything where its client is missing
    need_postgres()
    need_rabbitmq()
    with Signals().heard() as signals, contextlib.ExitStack() as stack:
        cluster = stack.enter_context(_started(loaded))
        for site in cluster.sites:
            for number in range(1, runners + 1):
                stack.enter_context(_runner(cluster, site, number))
        _wait_until_all_listen(cluster, runners)
        say(f"PostgreSQL, RabbitMQ, the lab and runners of {', '.join(cluster.sites)} are there, {runners} each.")
        driver = stack.enter_context(_process(cluster, DRIVER, ("run", *cluster.words(DRIVER)), None))
        with signals.stopping(lambda: driver.send_signal(signals.number)):
            code = driver.wait()
    say("All of it was taken down; the commands named above have nothing left to work on.")
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _started(loaded: Loaded) -> Iterator[_Cluster]:
    sites = Sites(loaded.plan).names
    passwords = {user: secrets.token_urlsafe(18) for user in (DRIVER, *map(user_of, sites))}
    password = secrets.token_urlsafe(18)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dmsa-cluster-")))
        folder.chmod(0o711)  # the database's user has to come through
        lab = stack.enter_context(estate_of(loaded, str(folder / "here")))
        file = folder / "plan.yaml"
        file.write_text(_reached(loaded.path, lab.plan.estate), encoding="utf-8")
        postgres = stack.enter_context(LocalPostgres(folder / "postgresql", password))
        broker = stack.enter_context(LocalRabbitMQ(folder / "rabbitmq", sites, passwords))
        cluster = _Cluster(folder, file, sites, postgres.url, broker, passwords, password)
        done = subprocess.run(  # noqa: S603 - this interpreter, this package
            [sys.executable, "-m", "orchestrator", "journal", "create", "--journal", postgres.url],
            env=cluster.environment(DRIVER), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise OrchestratorError(f"the journal could not be made: {done.stderr.strip()}")
        yield cluster


def _reached(plan: Path, estate: Estate) -> str:
    """Return a plan as JSON, on the lab's estate as it is reached over the wire: that is what several runners share."""
    written = yaml.safe_load(plan.read_text(encoding="utf-8"))
    reached = estate.model_copy(update={"lab": None, "simulated": True})
    written["estate"] = reached.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return json.dumps(written, default=str, indent=1)


@contextlib.contextmanager
def _runner(cluster: _Cluster, site: str, number: int) -> Iterator[None]:
    user = user_of(site)
    words = ("runner", *cluster.words(user), "--site", site)
    with (cluster.folder / f"{site}-{number}.log").open("wb") as log, _process(cluster, user, words, log):
        yield


@contextlib.contextmanager
def _process(
    cluster: _Cluster, user: str, words: tuple[str, ...], log: IO[bytes] | None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a verb; what is left of it at the end of the context is ended in good order."""
    process = subprocess.Popen(  # noqa: S603 - this interpreter, this package
        [sys.executable, "-m", "orchestrator", *words],
        env=cluster.environment(user),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,  # Ctrl-C is passed on, once
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_all_listen(cluster: _Cluster, runners: int) -> None:
    os.environ[PASSWORD] = cluster.passwords[DRIVER]
    engine, until = engine_at(cluster.broker.url(DRIVER), "dmsa cluster try"), time.monotonic() + _READY_WITHIN
    while any(health.listening < runners for health in engine.health(cluster.sites).values()):
        if time.monotonic() > until:
            logs = "\n".join(_end_of(file) for file in sorted(cluster.folder.glob("*.log")))
            raise OrchestratorError(f"not every runner listens after {_READY_WITHIN:.0f} s. They said:\n{logs}")
        time.sleep(0.1)


def _end_of(log: Path) -> str:
    return f"{log.stem}: {log.read_text(encoding='utf-8', errors='replace')[-1000:].strip() or 'nothing'}"
