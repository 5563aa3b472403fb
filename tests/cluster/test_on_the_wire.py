"""Two sites over real connections: a journal and a board in PostgreSQL, hosts that answer over TCP and TLS."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest

from orchestrator.cli.compose import Resolved, clock_for, estate_of, traffic_for
from orchestrator.cluster.abroad import Abroad
from orchestrator.cluster.hand import Hand
from orchestrator.cluster.posting import Board, PostingPool
from orchestrator.cluster.pump import pumped
from orchestrator.cluster.serving import serve
from orchestrator.conductor import Assignment, Conductor
from orchestrator.journal import Journal, open_journal
from orchestrator.journal.opening import database as database_of
from orchestrator.journal.postgres_jobs import PostgresJobs
from orchestrator.model.call import Ticket
from orchestrator.model.driven import ShellGone, ShellOpened
from orchestrator.model.event import AttemptStarted, from_body
from orchestrator.model.lifecycle import Phase
from orchestrator.model.sites import DIRECTORY, Sites
from orchestrator.planfile import Loaded, canonical, load_plan
from orchestrator.remote.connection import Connections
from orchestrator.remote.in_process import InProcessEngine
from orchestrator.remote.pool import CallPool
from orchestrator.remote.psrp import PsrpTransport
from orchestrator.remote.traffic import Manners
from tests.cluster.sites import SITES
from tests.patience import PATIENCE
from tests.world import ROOT

pytestmark = pytest.mark.service
BATCH, WEB = "dmsa-batch", "dmsa-web"


@pytest.fixture
def loaded() -> Loaded:
    found = load_plan(ROOT / "plans/quickstart.yaml")
    plan = found.plan
    chosen = tuple(one for one in plan.migrations() if one.id in {BATCH, WEB})
    waves = (plan.waves[0].model_copy(update={"migrations": chosen, "at_once": 2}),)
    estate = plan.estate.model_copy(update={"sites": SITES})
    return replace(found, plan=plan.model_copy(update={"waves": waves, "estate": estate}))


@pytest.fixture
def resolved(loaded, tmp_path, monkeypatch) -> Iterator[Resolved]:
    monkeypatch.chdir(tmp_path)
    with estate_of(loaded, str(tmp_path / "journal.db")) as found:
        yield found


class Asked(PsrpTransport):
    """A transport that counts which hosts were asked through it."""

    def __init__(self, *given, **more):
        super().__init__(*given, **more)
        self.calls = Counter()

    def run(self, call, ticket, leave=None):
        self.calls[call.endpoint] += 1
        return super().run(call, ticket, leave)


@contextlib.contextmanager
def served(site: str, resolved: Resolved, url: str, engine: InProcessEngine) -> Iterator[Asked]:
    """Let a runner serve a site while the context lasts."""
    transport = Asked(Connections(resolved.plan.estate, resolved.base).settings)
    told = threading.Event()
    with contextlib.closing(PostgresJobs(database_of(url))) as jobs:
        hand = Hand(resolved.plan.name, site, Sites(resolved.plan), jobs, transport, f"r-{site}")
        thread = threading.Thread(target=serve, args=(hand, jobs, engine, 4, told.is_set))
        thread.start()
        try:
            yield transport
        finally:
            told.set()
            thread.join(PATIENCE)
            transport.close()


def driven(loaded: Loaded, resolved: Resolved, url: str, journal: Journal, engine: InProcessEngine) -> Asked:
    """Drive two migrations over both sites; return what called the directory."""
    plan, lease = resolved.plan, journal.acquire("driver")
    traffic = traffic_for(plan, Manners())
    home = Asked(Connections(plan.estate, resolved.base).settings, traffic=traffic)
    with contextlib.closing(PostgresJobs(database_of(url))) as jobs:
        abroad = Abroad(home, Sites(plan))
        pool = PostingPool(CallPool(home), abroad, Board(plan.name, jobs, lease, engine))
        about = {"plan": plan, "digest": loaded.digest, "canonical": canonical(loaded.plan), "by": "tester"}
        job = Assignment(**about, chosen=(BATCH, WEB), until=Phase.RESTARTED)

        def announce(ticket: Ticket) -> None:
            conductor.announce(ticket)

        clock = clock_for(plan, abroad, announce)
        conductor = Conductor(job, journal, lease, abroad, clock, pool=pool)
        with pumped(pool, jobs):
            state = conductor.run()
    journal.release(lease)
    for id_ in (BATCH, WEB):
        assert state[id_].phase is Phase.RESTARTED, state[id_].held
    return home


def test_two_sites_and_each_host_is_asked_from_its_own(loaded, resolved, database):
    engine = InProcessEngine()
    with (
        contextlib.closing(open_journal(database, create=False)) as journal,
        served("emea", resolved, database, engine) as emea,
        served("amer", resolved, database, engine) as amer,
    ):
        home = driven(loaded, resolved, database, journal, engine)
        sites = Sites(resolved.plan)
        assert {sites.of(host) for host in home.calls} == {DIRECTORY}
        assert set(emea.calls) == {"app02.corp.example"}
        assert set(amer.calls) == {"app03.corp.example"}
        events = [from_body(row.kind, row.body) for row in journal.read()]
    written = Counter(one.endpoint for one in events if isinstance(one, AttemptStarted))
    assert min(written[host] for host in (*emea.calls, *amer.calls)) > 0
    opened = [one.shell for one in events if isinstance(one, ShellOpened) and sites.of(one.endpoint) != DIRECTORY]
    gone: set[UUID] = {one.shell for one in events if isinstance(one, ShellGone)}
    assert len(opened) == len(set(opened)) == sum((emea.calls + amer.calls).values())
    assert set(opened) <= gone
