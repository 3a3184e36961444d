"""The endless loop of a worker: offers follow calls at once, without anybody driving it."""

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Any

from crm_contact_center.app import SERVICE
from crm_contact_center.routing.dispatcher import dispatch_loop
from crm_shared.runtime.worker import WorkerContext


async def test_a_call_is_offered_by_the_running_loop(floor: Any) -> None:
    await floor.queue()
    agent = await floor.agent()
    loop = asyncio.create_task(dispatch_loop(WorkerContext(SERVICE, floor.kit.worker, floor.kit.clock)))
    try:
        call = await floor.call()
        deadline = monotonic() + 20
        while not await floor.offered(agent) and monotonic() < deadline:
            await asyncio.sleep(0.01)
        assert await floor.offered(agent) == [call]
    finally:
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop
