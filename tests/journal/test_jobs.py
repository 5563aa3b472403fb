"""The board of jobs, asked of each place where one is kept: who gets a job, what counts, and what is taken down."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID, uuid4

import psycopg
import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.journal import (
    Entry,
    Journal,
    JournalHeld,
    JournalUnusable,
    Lease,
    LeaseLost,
    MemoryJournal,
    open_journal,
)
from orchestrator.journal.jobs import LAPSED, LATE, NOT_HELD, SPOKEN, Job, Jobs
from orchestrator.journal.memory_jobs import MemoryJobs
from orchestrator.journal.opening import database as database_of
from orchestrator.journal.postgres_jobs import PostgresJobs
from orchestrator.journal.postgres_schema import migrations
from orchestrator.model.decided_anew import ABOUT_ALL, ABOUT_ONE
from orchestrator.model.event import VERSION, Event, Held, Released, to_body
from orchestrator.model.words import Amended
from tests.patience import PATIENCE

WORDS = {"reason": "operator", "detail": "wait", "release": "`dmsa release`"}
RUN, EMEA, AMER = "plan", "emea", "amer"
ABOUT = ("dmsa-report", "link")


class Board(Protocol):
    """A place where a board is kept, and the journal beside it."""

    journal: Journal

    def jobs(self) -> Jobs:
        """Return another handle on the board, as another process would have it."""
        ...

    def passes(self, seconds: float) -> None:
        """Let time pass, as the store counts it; leases are renewed meanwhile."""
        ...

    def take_over(self) -> Lease:
        """Let the lease lapse, and somebody else take it."""
        ...


class InMemory:
    """The board in memory, whose clock a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 29, tzinfo=UTC)
        self.journal = MemoryJournal(lambda: self.now)
        self._jobs = MemoryJobs(self.journal, now=lambda: self.now)

    def jobs(self) -> Jobs:
        return self._jobs

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def take_over(self) -> Lease:
        self.journal._store.alive = None
        return self.journal.acquire("successor")


class InPostgres:
    """The board in a database; that time passes is told to what stands in it."""

    def __init__(self, url: str, admin: psycopg.Connection) -> None:
        self.url, self._admin, self._opened = url, admin, contextlib.ExitStack()
        self.journal = self._open(open_journal(url, create=False))

    def _open(self, opened):
        return self._opened.enter_context(contextlib.closing(opened))

    def jobs(self) -> Jobs:
        return self._open(PostgresJobs(database_of(self.url)))

    def passes(self, seconds: float) -> None:
        for table, columns in (("jobs", ("posted", "rung", "until")), ("runners", ("since", "seen"))):
            moved = ", ".join(f"{one} = {one} - make_interval(secs => {seconds})" for one in columns)
            self._admin.execute(f"UPDATE dmsa.{table} SET {moved}")

    def take_over(self) -> Lease:
        successor = self._open(open_journal(self.url, create=False))
        deadline = time.monotonic() + PATIENCE
        while True:
            self._admin.execute("UPDATE dmsa.lease SET until = clock_timestamp()")
            with contextlib.suppress(JournalHeld):  # its holder was faster, and has renewed it
                return successor.acquire("successor")
            assert time.monotonic() < deadline

    def close(self) -> None:
        self._opened.close()


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.service)])
def board(request: pytest.FixtureRequest) -> Iterator[Board]:
    if request.param == "memory":
        yield InMemory()
        return
    url = request.getfixturevalue("database")
    server = request.getfixturevalue("postgres_server")
    with server.admin(url.rpartition("/")[2]) as admin, contextlib.closing(InPostgres(url, admin)) as found:
        yield found


@pytest.fixture
def jobs(board: Board) -> Jobs:
    return board.jobs()


@pytest.fixture
def lease(board: Board) -> Lease:
    return board.journal.acquire("driver")


def job(site: str = EMEA, migration: str = ABOUT[0], row: int = 0, **more: object) -> Job:
    given = {"id": uuid4(), "run": RUN, "step": ABOUT[1], "kind": "write", "call": '"é"', "leaves_within": 10.0}
    return Job(site=site, migration=migration, row=row, **(given | more))


def said(journal: Journal, word: Event, run: str = "plan", by: Lease | None = None) -> None:
    journal.append([Entry(run, None, word.kind, VERSION, to_body(word))], expected=journal.head(), lease=by)


class TestClaims:
    """Who gets what."""

    def test_what_is_posted_is_claimed_once_and_comes_back(self, jobs, lease):
        posted = job()
        jobs.post([posted], lease)
        (claim,) = jobs.claim(RUN, EMEA, *ABOUT, "r1")
        assert (claim.job, claim.runner) == (posted, "r1")
        assert jobs.claim(RUN, EMEA, *ABOUT, "r2") == []
        assert jobs.take_back(lease) == []
        assert jobs.commit(claim, '"done"')
        assert [(back.job, back.result) for back in jobs.take_back(lease)] == [(posted, '"done"')]
        assert jobs.take_back(lease) == []

    @pytest.mark.parametrize(
        "other", [(AMER, *ABOUT), (EMEA, "dmsa-batch", ABOUT[1]), (EMEA, ABOUT[0], "unlink"), ("EMEA", *ABOUT)]
    )
    def test_other_words_claim_nothing(self, jobs, lease, other):
        jobs.post([job()], lease)
        assert jobs.claim(RUN, *other, "r") == []
        assert jobs.claim("another plan", EMEA, *ABOUT, "r") == []
        assert len(jobs.claim(RUN, EMEA, *ABOUT, "r")) == 1

    def test_they_are_claimed_in_order_and_no_more_than_asked_for(self, jobs, lease):
        posted = [job() for _ in range(4)]
        jobs.post(posted[:2], lease)
        jobs.post(posted[2:], lease)
        assert [one.job for one in jobs.claim(RUN, EMEA, *ABOUT, "r")] == posted[:1]
        assert [one.job for one in jobs.claim(RUN, EMEA, *ABOUT, "r", most=9)] == posted[1:]

    def test_of_many_at_the_same_time_each_job_is_one_s(self, board, lease):
        posted = [job() for _ in range(40)]
        board.jobs().post(posted, lease)
        ready = threading.Barrier(4)

        def grab(number: int) -> list[UUID]:
            mine, handle = list[UUID](), board.jobs()
            ready.wait(PATIENCE)
            while claims := handle.claim(RUN, EMEA, *ABOUT, f"r{number}", most=3):
                mine += [claim.job.id for claim in claims]
            return mine

        with ThreadPoolExecutor(4) as pool:
            got = [id_ for found in pool.map(grab, range(4)) for id_ in found]
        assert Counter(got) == Counter(one.id for one in posted)

    def test_the_fence_grows_with_each_claim(self, board, jobs, lease):
        jobs.post([job(), job(site=AMER)], lease)
        first, second = *jobs.claim(RUN, EMEA, *ABOUT, "r"), *board.jobs().claim(RUN, AMER, *ABOUT, "r")
        assert second.fence > first.fence > 0


class TestPatience:
    """A claim lapses unless it is renewed."""

    def test_a_claim_counts_as_long_as_it_is_renewed(self, board, jobs, lease):
        jobs.post([job()], lease)
        claims = jobs.claim(RUN, EMEA, *ABOUT, "r")
        for _ in range(4):
            board.passes(jobs.patience * 0.7)
            assert jobs.renew(claims) == claims
        assert jobs.commit(claims[0], "1")

    @pytest.mark.parametrize("kind", ["read", "write", "end"])
    def test_what_has_lapsed_comes_back_without_a_result_and_to_nobody_else(self, board, jobs, lease, kind):
        posted = job(kind=kind)
        jobs.post([posted], lease)
        (claim,) = jobs.claim(RUN, EMEA, *ABOUT, "r")
        board.passes(jobs.patience + 1)
        assert jobs.renew([claim]) == []
        assert jobs.may_leave(claim) == LAPSED
        assert not jobs.commit(claim, "1")
        assert jobs.claim(RUN, EMEA, *ABOUT, "another") == []
        assert [(back.job, back.result) for back in jobs.take_back(lease)] == [(posted, None)]
        assert not jobs.commit(claim, "1")
        assert jobs.take_back(lease) == []

    def test_what_was_handed_in_does_not_lapse(self, board, jobs, lease):
        jobs.post([job()], lease)
        (claim,) = jobs.claim(RUN, EMEA, *ABOUT, "r")
        assert jobs.commit(claim, "1")
        assert not jobs.commit(claim, "2")
        assert jobs.renew([claim]) == []
        board.passes(jobs.patience + 1)
        assert [back.result for back in jobs.take_back(lease)] == ["1"]

    def test_nobody_renews_or_hands_in_what_is_another_s(self, jobs, lease):
        jobs.post([job()], lease)
        (claim,) = jobs.claim(RUN, EMEA, *ABOUT, "r")
        forged = type(claim)(claim.job, "thief", claim.fence + 1)
        assert jobs.renew([forged, claim]) == [claim]
        assert jobs.may_leave(forged) == LAPSED
        assert not jobs.commit(forged, "1")


class TestLeave:
    """Asked right before a write leaves."""

    @pytest.fixture
    def claim(self, board, jobs, lease):
        jobs.post([job(row=board.journal.head())], lease)
        return jobs.claim(RUN, EMEA, *ABOUT, "r")[0]

    def test_it_may_while_nothing_is_against_it(self, board, jobs, lease, claim):
        held = Held(migration=ABOUT[0], **WORDS)
        said(board.journal, Held(migration="another", **WORDS))
        said(board.journal, held, run="another plan")
        said(board.journal, held, by=lease)
        said(board.journal, Released(migration=ABOUT[0], by="ann", reason="over"))
        board.passes(9.0)
        assert jobs.may_leave(claim) is None

    @pytest.mark.parametrize(
        "word", [Held(migration=ABOUT[0], **WORDS), Amended(digest="0" * 64, plan={}, by="ann", reason="more")]
    )
    def test_not_once_somebody_has_spoken(self, board, jobs, claim, word):
        said(board.journal, word)
        assert jobs.may_leave(claim) == SPOKEN

    def test_what_was_said_before_the_intent_does_not_count(self, board, jobs, lease):
        said(board.journal, Held(migration=ABOUT[0], **WORDS))
        jobs.post([job(row=board.journal.head())], lease)
        assert jobs.may_leave(*jobs.claim(RUN, EMEA, *ABOUT, "r")) is None

    def test_not_when_too_long_has_passed(self, board, jobs, claim):
        board.passes(10.5)
        assert jobs.may_leave(claim) == LATE

    def test_not_once_nobody_drives(self, board, jobs, lease, claim):
        board.journal.release(lease)
        assert jobs.may_leave(claim) == NOT_HELD

    def test_not_once_another_drives(self, board, jobs, claim):
        board.take_over()
        assert jobs.may_leave(claim) == NOT_HELD

    def test_not_twice_once_it_was_handed_in(self, jobs, claim):
        assert jobs.commit(claim, "1")
        assert jobs.may_leave(claim) == LAPSED


class TestLease:
    """What the board owes to whoever drives, and to nobody else."""

    def test_only_who_drives_posts(self, board, jobs, lease):
        successor = board.take_over()
        with pytest.raises(LeaseLost):
            jobs.post([job()], lease)
        jobs.post([job()], successor)
        assert len(jobs.claim(RUN, EMEA, *ABOUT, "r", most=9)) == 1

    def test_what_a_predecessor_posted_is_nobody_s_and_is_dropped(self, board, jobs, lease):
        jobs.post([job() for _ in range(3)], lease)
        (claim,) = jobs.claim(RUN, EMEA, *ABOUT, "r")
        successor = board.take_over()
        assert jobs.claim(RUN, EMEA, *ABOUT, "r") == []
        assert jobs.unheard(successor, 0.0) == []
        assert jobs.take_back(successor) == []
        assert not jobs.commit(claim, "1")
        assert jobs.oldest() == {}

    def test_what_was_released_is_nobody_s(self, board, jobs, lease):
        jobs.post([job()], lease)
        board.journal.release(lease)
        assert jobs.claim(RUN, EMEA, *ABOUT, "r") == []


class TestRings:
    """What is rung again, and what is taken down."""

    def test_what_nobody_has_claimed_is_rung_again_now_and_then(self, board, jobs, lease):
        jobs.post([job(), job(), job(site=AMER)], lease)
        assert jobs.unheard(lease, 1.0) == []
        board.passes(1.5)
        jobs.claim(RUN, AMER, *ABOUT, "r")
        assert jobs.unheard(lease, 1.0) == [(EMEA, *ABOUT)]
        assert jobs.unheard(lease, 1.0) == []
        board.passes(1.5)
        assert jobs.unheard(lease, 1.0) == [(EMEA, *ABOUT)]

    def test_what_nobody_has_claimed_can_be_withdrawn(self, jobs, lease):
        posted = [job() for _ in range(3)]
        jobs.post(posted, lease)
        (claim,) = jobs.claim(RUN, EMEA, *ABOUT, "r")
        assert jobs.withdraw([posted[0].id, posted[1].id, uuid4()], lease) == {posted[1].id}
        assert jobs.commit(claim, "1")
        assert [one.job for one in jobs.claim(RUN, EMEA, *ABOUT, "r", most=9)] == [posted[2]]

    def test_who_waits_is_told_when_something_was_handed_in(self, board, jobs, lease):
        jobs.post([job()], lease)
        (claim,) = jobs.claim(RUN, EMEA, *ABOUT, "r")
        other = board.jobs()
        handing_in = threading.Thread(target=lambda: other.commit(claim, "1"))
        handing_in.start()
        found = _until(lambda: jobs.wait(5.0) or jobs.take_back(lease))
        handing_in.join(PATIENCE)
        assert [back.result for back in found] == ["1"]

    def test_who_waits_for_nothing_waits_no_longer_than_asked(self, jobs, lease):
        jobs.wait(0.01)
        assert jobs.take_back(lease) == []


class TestLooking:
    """What an operator sees."""

    def test_runners_that_showed_themselves_are_present(self, board, jobs):
        for site, runner in ((EMEA, "r2"), (AMER, "r1"), (EMEA, "r1")):
            jobs.show(site, runner, "1.0")
        board.passes(60)
        jobs.show(EMEA, "r1", "1.1")
        found = jobs.present()
        assert [(one.site, one.runner, one.version) for one in found] == [
            (AMER, "r1", "1.0"),
            (EMEA, "r1", "1.1"),
            (EMEA, "r2", "1.0"),
        ]
        assert [round((one.seen - one.since).total_seconds()) for one in found] == [0, 60, 0]
        board.passes(90)
        assert [one.runner for one in jobs.present()] == ["r1"]

    def test_the_oldest_job_that_waits_is_told_for_each_site(self, board, jobs, lease):
        assert jobs.oldest() == {}
        jobs.post([job()], lease)
        board.passes(5)
        jobs.post([job(), job(site=AMER)], lease)
        found = jobs.oldest()
        assert round((found[AMER] - found[EMEA]).total_seconds()) == 5
        jobs.claim(RUN, EMEA, *ABOUT, "r", most=9)
        assert set(jobs.oldest()) == {AMER}


@pytest.mark.service
class TestRights:
    """What the role of a site's runner may do on the server itself, whatever program it runs."""

    ROLE = "hands_of_emea"

    @pytest.fixture
    def place(self, database: str) -> str:
        words = ["journal", "upgrade", "--journal", database]
        words += [word for one in (f"{EMEA}={self.ROLE}", f"{AMER}=hands_of_amer") for word in ("--site-role", one)]
        done = CliRunner().invoke(app, words)
        said = f"{self.ROLE} may serve site emea; hands_of_amer may serve site amer\n"
        assert done.output.endswith(said), done.output
        return database.replace("//owner@", f"//{self.ROLE}@")

    @pytest.fixture
    def hands(self, place: str) -> Iterator[Jobs]:
        with contextlib.closing(PostgresJobs(database_of(place))) as found:
            yield found

    @pytest.fixture
    def driver(self, database: str) -> Iterator[Jobs]:
        with contextlib.closing(PostgresJobs(database_of(database))) as found:
            yield found

    @pytest.fixture
    def lease(self, database: str) -> Iterator[Lease]:
        with contextlib.closing(open_journal(database, create=False)) as journal:
            yield journal.acquire("driver")

    def test_it_serves_its_own_site(self, hands, driver, lease):
        driver.post([job()], lease)
        (claim,) = hands.claim(RUN, EMEA, *ABOUT, "r")
        assert hands.renew([claim]) == [claim]
        assert hands.may_leave(claim) is None
        hands.show(EMEA, "r", "1.0")
        assert hands.commit(claim, '"done"')
        assert [back.result for back in driver.take_back(lease)] == ['"done"']
        assert [one.site for one in driver.present()] == [EMEA]

    def test_it_serves_no_other(self, hands, driver, lease):
        driver.post([job(site=AMER)], lease)
        with pytest.raises(JournalUnusable, match=f"role {self.ROLE} does not serve site amer"):
            hands.claim(RUN, AMER, *ABOUT, "r")
        with pytest.raises(JournalUnusable, match="does not serve site amer"):
            hands.show(AMER, "r", "1.0")
        (claim,) = driver.claim(RUN, AMER, *ABOUT, "theirs")
        assert hands.renew([claim]) == []
        assert hands.may_leave(claim) == LAPSED
        assert not hands.commit(claim, '"forged"')
        assert driver.may_leave(claim) is None
        assert driver.take_back(lease) == []

    @pytest.mark.parametrize(
        "statement",
        [
            *(f"SELECT * FROM dmsa.{name}" for name in ("entries", "lease", "jobs", "runners", "site_role")),
            "SELECT * FROM dmsa.identity",
            "INSERT INTO dmsa.site_role VALUES (session_user, 'amer')",
            "UPDATE dmsa.jobs SET site = 'emea'",
            "DELETE FROM dmsa.jobs",
            "UPDATE dmsa.lease SET epoch = epoch + 1",
            "SELECT dmsa.take_lease('me', 10)",
            "SELECT dmsa.append(0, NULL, '{r}', '{NULL}', '{held}', '{1}', '{x}', '{x}')",
            "SELECT dmsa.take_back_jobs(1)",
            "SELECT dmsa.withdraw_jobs(1, '{}')",
            "SELECT dmsa.unheard_jobs(1, 0)",
            "SELECT dmsa.serves('amer')",
            "SELECT nextval('dmsa.fences')",
            "CREATE FUNCTION dmsa.job_patience(x integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
            "CREATE OR REPLACE FUNCTION dmsa.serves(its text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        ],
    )
    def test_it_sees_and_changes_nothing_else(self, place, statement):
        with (
            database_of(place).connect() as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"permission denied|must be owner"),
        ):
            connection.execute(statement)

    def test_a_name_in_its_own_path_does_not_stand_in_for_ours(self, database, place, postgres_server, hands):
        """A function with its owner's rights looks nothing up where its caller may put something."""
        del hands
        with postgres_server.admin(database.rpartition("/")[2]) as admin:
            admin.execute(f"CREATE SCHEMA trap AUTHORIZATION {self.ROLE}")
        with database_of(place).connect() as connection:
            trap = "CREATE FUNCTION trap.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS "
            connection.execute(trap + "'BEGIN RAISE division_by_zero; END'")
            connection.execute("SET search_path = trap, pg_catalog")
            assert (
                connection.execute("SELECT * FROM dmsa.claim_jobs('plan', 'emea', 'a', 'b', 'r', 1)").fetchall() == []
            )

    def test_every_function_with_its_owner_s_rights_has_a_path_of_its_own(self, database):
        query = "SELECT proname, proconfig FROM pg_proc WHERE pronamespace = 'dmsa'::regnamespace"
        with database_of(database).connect() as connection:
            found = connection.execute(query).fetchall()
        assert len(found) > 10
        assert {name for name, settings in found if settings != ["search_path=pg_catalog, pg_temp"]} == set()


def test_the_words_in_the_database_are_those_of_the_model():
    text = next(one.text for one in migrations() if one.stem == "0002_jobs")
    said = [set(re.findall("'([a-z-]+)'", words)) for words in re.findall(r"e\.kind IN \(([^)]*)\)", text)]
    assert said == [set(ABOUT_ALL), set(ABOUT_ONE)]


def _until(look: Callable[[], list]) -> list:
    """Look until something is there."""
    deadline = datetime.now(UTC) + timedelta(seconds=PATIENCE)
    while datetime.now(UTC) < deadline:
        if found := look():
            return found
    raise AssertionError("nothing came")
