"""The endless loop of a worker: offers follow calls at once, without anybody driving it."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest

from crm_contact_center.app import SERVICE
from crm_contact_center.routing import dispatcher
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


async def test_a_rush_at_one_tenant_keeps_no_other_waiting(
    floor: Any, kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "BATCH", 3)
    await floor.queue()
    for number in range(2):
        await floor.agent(f"A{number}")
    for _ in range(10):
        await floor.call("chat")
    other = replace(floor, tenant=kit.tenant())
    async with kit.client(other.tenant) as other.http:
        await other.queue()
        agent = await other.agent()
        call = await other.call()
        made = await floor.dispatcher.round()
        assert await other.offered(agent) == [call]
        assert made >= 4
        assert not floor.dispatcher.rests
        while not floor.dispatcher.rests:
            made += await floor.dispatcher.round()
        assert made >= 11
