"""The worker's own task, and the plans of its statements."""

import asyncio
from datetime import timedelta

import pytest
from tests.communication_dispatch.world import World

from crm_communication_dispatch.app import SERVICE
from crm_communication_dispatch.messages import loop
from crm_communication_dispatch.messages.store import waves
from crm_shared.db.departures import come_back, leave
from crm_shared.db.statements import fixed
from crm_shared.runtime.worker import WorkerContext


async def test_the_loop_sends_what_timers_want_and_stops_in_order(world: World, monkeypatch):
    monkeypatch.setattr(loop, "mail_settings", lambda: world.outbound.settings)
    message = await world.send(await world.customer(), await world.template(purpose="transactional"))
    await world.kit.run_timers()
    assert world.wanted
    running = asyncio.create_task(loop.send_messages(WorkerContext(SERVICE, world.kit.worker, world.kit.clock)))
    async with asyncio.timeout(20):
        while (await world.message(message["id"]))["status"] != "accepted":
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not loop.SENDERS.running
    async with world.kit.transaction(world.tenant) as tx:
        assert await waves.get_lane(tx, "email") is None


async def test_a_due_message_finds_its_sender_again_while_one_is_at_work(world: World):
    async with world.kit.transaction(world.tenant) as tx:
        now = world.kit.clock.now()
        assert await waves.take_lane(tx, "email", world.tenant, now=now, until=now + timedelta(seconds=1))
    message = await world.send(await world.customer(), await world.template())
    assert await world.work() == 0
    world.kit.clock.advance(timedelta(seconds=2))
    assert await world.work() == 1
    assert (await world.message(message["id"]))["status"] == "accepted"


async def test_a_sender_at_work_sends_nothing_more_for_a_company_that_leaves(world: World):
    message = await world.send(await world.customer(), await world.template())
    await world.kit.run_timers()
    assert world.wanted
    now = world.kit.clock.now()
    async with world.kit.worker.transaction(world.tenant) as tx:
        await leave(tx, purge_at=now + timedelta(days=30))
    assert await world.settle() == 0
    assert (await world.message(message["id"]))["status"] == "queued"
    async with world.kit.worker.transaction(world.tenant) as tx:
        assert await come_back(tx, now=now)
    assert await world.settle() == 1
    assert (await world.message(message["id"]))["status"] == "accepted"


@pytest.mark.parametrize(
    ("statement", "index", "params"),
    [
        (waves._CLAIM_SINGLE, "ix_message_due_single", {"channel": "email", "now": None, "n": 500}),
        (waves._CLAIM_BULK, "ix_message_due_bulk", {"channel": "email", "now": None, "n": 500}),
    ],
)
async def test_claims_can_use_their_partial_index(world: World, statement, index, params):
    prepared = fixed(statement)
    values = {name: world.kit.clock.now() if value is None else value for name, value in params.items()}
    async with world.kit.transaction(world.tenant) as tx:
        await tx.connection.execute("SET LOCAL enable_seqscan = off")
        plan = await tx.connection.fetch(f"EXPLAIN {prepared.sql}", *prepared.arguments(values))
    assert index in "\n".join(row[0] for row in plan)
