"""Fragments leave in order, each once, whatever the sizes of parcels; and again only after an attach."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.lab.wire.outbox import NothingLeft, Outbox

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy with other things; how long an example takes is not what is tested."""


async def everything(outbox: Outbox, limit: int) -> list[bytes]:
    found: list[bytes] = []
    while (parcel := await outbox.take(limit, 0)) is not None:
        assert parcel.fragments
        assert len(parcel.fragments) == 1 or sum(map(len, parcel.fragments)) <= limit
        found.extend(parcel.fragments)
        if parcel.last:
            with pytest.raises(NothingLeft):
                await outbox.take(limit, 0)
            break
    return found


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1), st.integers(1, 60), st.booleans())
@UNHURRIED
def test_everything_leaves_in_order_and_once(fragments, limit, ends):
    async def story():
        outbox = Outbox()
        outbox.put(fragments)
        if ends:
            outbox.complete()
        assert await everything(outbox, limit) == fragments

    asyncio.run(story())


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1), st.integers(1, 60), st.booleans())
@UNHURRIED
def test_an_attach_brings_back_the_last_parcel_or_nothing(fragments, limit, redeliver):
    async def story():
        outbox = Outbox()
        outbox.put(fragments)
        outbox.complete()
        first = await outbox.take(limit, 0)
        outbox.attach(redeliver=redeliver)
        rest = await everything(outbox, limit) if redeliver or not first.last else []
        assert rest == fragments if redeliver else [*first.fragments, *rest] == fragments

    asyncio.run(story())


def test_a_reader_that_waits_is_woken_by_news_and_let_go_by_another_reader():
    async def story():
        outbox = Outbox()
        waiting = asyncio.create_task(outbox.take(10, 5))
        await asyncio.sleep(0)
        outbox.put([b"a"])
        assert (await waiting).fragments == (b"a",)
        for let_go in (outbox.interrupt, lambda: outbox.attach(redeliver=False)):
            waiting = asyncio.create_task(outbox.take(10, 5))
            await asyncio.sleep(0)
            let_go()
            assert await waiting is None

    asyncio.run(story())


def test_what_is_there_already_still_reaches_a_reader_that_is_interrupted():
    async def story():
        outbox = Outbox()
        waiting = asyncio.create_task(outbox.take(10, 5))
        await asyncio.sleep(0)
        outbox.put([b"a"])
        outbox.interrupt()
        assert (await waiting).fragments == (b"a",)

    asyncio.run(story())
