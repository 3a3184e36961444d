"""A bus that is away can be closed: nobody waits for it for ever."""

import asyncio

import pytest
from tests.bench.faults.stage import Stage

from crm_shared.bus.opening import open_bus
from crm_shared.bus.port import BusUnavailable, Record
from crm_shared.ids import new_id


async def test_closing_releases_who_waits_for_a_bus_that_is_away(stage: Stage) -> None:
    topic = f"crm.t-{new_id().hex[-12:]}"
    async with stage.own_server() as server:
        bus = await open_bus(server.url)
        await bus.ensure_topics([topic])
        await bus.publish([Record(topic, "k", b"")])
        await asyncio.to_thread(server.kill)
        waiting = asyncio.create_task(bus.publish([Record(topic, "k", b"")]))
        await asyncio.sleep(0.2)
        started = asyncio.get_running_loop().time()
        await bus.aclose()
        with pytest.raises(BusUnavailable):
            await waiting
        assert asyncio.get_running_loop().time() - started < 12
