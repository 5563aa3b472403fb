"""Whoever looks is told what is newer than what he has: once, in one piece, however long he did not listen."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from orchestrator.board import hub as hub_module
from orchestrator.board.follower import Follower, Source
from orchestrator.board.hub import Hub, Mark
from orchestrator.board.page import Address
from orchestrator.board.pages import page_of
from orchestrator.board.showing import NEVER, Showing
from orchestrator.cli.recalled import recalled
from orchestrator.journal import MemoryJournal
from tests.board.markup import Elements
from tests.board.stage import FAILED, INK, NAME, append, follower, journal_of, rows, wanted

PLAN, JOURNAL = Address("plan", NAME), Address("journal", NAME)


def sights(*upto):
    journal = MemoryJournal()
    follows = follower(journal, wanted())
    at = 0
    for end in upto:
        append(journal, rows()[at:end])
        at = end
        yield follows.look()


def test_only_what_changed_is_drawn_again_and_told():
    first, second = sights(60, 75)
    showing = Showing(INK, page_of(PLAN, first), 1)
    assert showing.since(1, showing.shape).is_nothing
    assert showing.take_in(page_of(PLAN, second), 2)
    change = showing.since(1, showing.shape)
    assert 0 < len(change.parts) < len(page_of(PLAN, second).parts)
    assert not change.anew
    for id_, html in change.parts.items():
        assert Elements(html).named("id")[0] == id_
    assert showing.since(2, showing.shape).is_nothing
    whole = showing.since(NEVER, showing.shape)
    assert set(whole.parts) == {part.id for part in page_of(PLAN, second).parts}


def test_what_is_told_makes_the_page_that_would_be_loaded_now():
    first, *others = sights(40, 60, 61, 75, 90, len(rows()))
    showing = Showing(INK, page_of(PLAN, first), 1)
    has = dict(showing.since(NEVER, showing.shape).parts)
    for version, sight in enumerate(others, 2):
        showing.take_in(page_of(PLAN, sight), version)
        has |= showing.since(version - 1, showing.shape).parts
    fresh = Showing(INK, page_of(PLAN, others[-1]), 99)
    assert has == fresh.since(NEVER, fresh.shape).parts


def test_a_page_of_another_shape_is_loaded_anew():
    first, second = sights(60, 75)
    showing = Showing(INK, page_of(PLAN, first), 1)
    assert not showing.take_in(page_of(JOURNAL, second), 2)
    assert showing.since(1, "another").anew


def test_rows_are_told_newest_first_and_no_more_than_a_page_has():
    first, second, third = sights(20, 25, len(rows()))
    showing = Showing(INK, page_of(JOURNAL, first), 1)
    showing.take_in(page_of(JOURNAL, second), 2)
    told = [Elements(html).named("id")[0] for html in showing.since(1, showing.shape).rows]
    assert told == [f"r-{seq}" for seq in range(25, 20, -1)]
    showing.take_in(page_of(JOURNAL, third), 3)
    assert len(showing.since(NEVER, showing.shape).rows) == len(third.runs[0].rows)
    assert showing.since(2, showing.shape).rows[0] == showing.since(NEVER, showing.shape).rows[0]


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.1", "a.1.", "a.-1.s", "a.٣.s", f"a.{'9' * 16}.s", "a.1e3.s"])
def test_what_is_no_mark(text):
    assert Mark.of(text) is None


def test_a_mark_reads_back():
    mark = Mark("b0a2", 17, "5hape")
    assert Mark.of(str(mark)) == mark


# The hub.


def hub_of(journal):
    return Hub(follower(journal, wanted()))


def test_a_page_that_does_not_listen_gets_the_newest_state_once():
    async def course():
        journal = journal_of(rows()[:40])
        hub = hub_of(journal)
        await hub.look()
        showing = hub.showing(PLAN)
        changes = hub.changes(PLAN, hub.mark(showing))
        told = asyncio.ensure_future(anext(changes))
        for row in rows()[40:]:
            append(journal, [row])
            await hub.look()
        await told
        mark, change = await anext(changes)
        assert mark.version == hub.version
        fresh = hub.showing(PLAN).since(NEVER, mark.shape)
        assert change.parts.items() <= fresh.parts.items()
        hub.end()
        assert [one async for one in changes] == []
        assert hub.pages == 0

    asyncio.run(course())


def test_whoever_comes_back_is_told_what_he_missed_and_of_another_board_everything():
    async def course():
        journal = journal_of(rows()[:60])
        hub = hub_of(journal)
        await hub.look()
        had = hub.mark(hub.showing(PLAN))
        append(journal, rows()[60:75])
        await hub.look()
        _, missed = await anext(hub.changes(PLAN, had))
        _, everything = await anext(hub.changes(PLAN, Mark("other", 99, had.shape)))
        _, anew = await anext(hub.changes(PLAN, Mark(hub.board, 1, "old")))
        assert 0 < len(missed.parts) < len(everything.parts)
        assert anew.anew
        json.dumps(everything.document).encode("ascii")

    asyncio.run(course())


def test_a_page_that_is_gone_is_loaded_anew():
    async def course():
        hub = hub_of(journal_of(rows()))
        await hub.look()
        address = Address("migration", NAME, "dmsa-nobody")
        _, change = await anext(hub.changes(address, Mark(hub.board, 0, "x")))
        assert change.anew

    asyncio.run(course())


def test_a_page_on_which_nothing_happens_hears_that_somebody_is_there(monkeypatch):
    monkeypatch.setattr(hub_module, "BEAT", 0.01)

    async def course():
        hub = hub_of(journal_of(rows()))
        await hub.look()
        mark = hub.mark(hub.showing(PLAN))
        assert await anext(hub.changes(PLAN, mark)) == (mark, None)

    asyncio.run(course())


def test_pages_are_drawn_once_and_kept_in_bounds(monkeypatch):
    monkeypatch.setattr(hub_module, "SHOWINGS", 3)

    async def course():
        hub = hub_of(journal_of(rows()))
        await hub.look()
        assert hub.showing(PLAN) is hub.showing(PLAN)
        first = hub.showing(PLAN)
        for address in (JOURNAL, Address(), Address("migration", NAME, FAILED)):
            hub.showing(address)
        assert len(hub._showings) == 3
        again = hub.showing(PLAN)
        assert again is not first
        assert again.shape == first.shape

    asyncio.run(course())


def test_who_goes_away_while_he_is_served_lets_nobody_at_the_follower_before_that_has_ended():
    """A thread goes on when whoever waits for it is cancelled; two at once would fold into one state."""
    begun, go, order = threading.Event(), threading.Event(), []

    def work():
        begun.set()
        assert go.wait(60)
        order.append("first")

    async def course():
        hub = hub_of(journal_of(rows()))
        first = asyncio.create_task(hub.apart(work))
        assert await asyncio.to_thread(begun.wait, 60)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert hub._turn.locked()
        second = asyncio.create_task(hub.apart(lambda: order.append("second")))
        go.set()
        await second
        assert not hub._turn.locked()

    asyncio.run(course())
    assert order == ["first", "second"]


def test_it_looks_until_it_ends_and_less_often_in_trouble(monkeypatch):
    monkeypatch.setattr(hub_module, "EVERY", 0.001)
    looked = []

    class Watched(Follower):
        def look(self):
            looked.append(1)
            return super().look()

    async def course():
        journal = journal_of(rows()[:60])
        hub = Hub(Watched(Source("j", lambda: journal, recalled), [wanted()], str))
        running = asyncio.create_task(hub.run())
        while len(looked) < 3:
            await asyncio.sleep(0)
        changes = hub.changes(PLAN, hub.mark(hub.showing(PLAN)))
        told = asyncio.ensure_future(anext(changes))
        append(journal, rows()[60:75])
        assert (await told)[1].parts
        hub.end()
        await running

    asyncio.run(course())
