"""Whoever waits is woken by the bell, by the clock, or by being told to go, and never mistakes one for another."""

import asyncio

import pytest

from crm_shared.bus.wake import Doorbell, hang, is_set_within, ring_all


async def test_a_ring_before_the_wait_counts_once() -> None:
    bell = Doorbell()
    bell.ring()
    assert await bell.wait(10)
    assert not await bell.wait(0.001)


async def test_all_bells_of_a_name_ring_and_no_others() -> None:
    here, there, other = hang("a"), hang("a"), hang("b")
    ring_all("a")
    assert await here.wait(10)
    assert await there.wait(10)
    assert not await other.wait(0.001)


@pytest.mark.parametrize("rings_first", [True, False])
async def test_whoever_is_told_to_go_when_the_bell_rings_goes(rings_first: bool) -> None:
    bell = Doorbell()

    async def loop() -> None:
        while True:
            await bell.wait(10)

    waiting = asyncio.create_task(loop())
    await asyncio.sleep(0.01)
    for act in (bell.ring, waiting.cancel) if rings_first else (waiting.cancel, bell.ring):
        act()
    assert await asyncio.wait([waiting], timeout=1) == ({waiting}, set())
    assert waiting.cancelled()


async def test_an_event_that_is_set_is_not_waited_for() -> None:
    event = asyncio.Event()
    assert not await is_set_within(event, 0.001)
    event.set()
    assert await is_set_within(event, 0)
