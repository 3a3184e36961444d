"""From the worker that keeps events to whoever streams them, and what age removes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.gateway.waiting import until

from crm_gateway.subscriptions import store
from crm_gateway.subscriptions.news import CHANNEL, Keeper, prune, tenants_in
from crm_gateway.subscriptions.settings import SubscriptionSettings
from crm_shared.db.notices import listen
from crm_shared.events import Envelope
from crm_shared.ids import new_id, public_id
from crm_shared.runtime.worker import WorkerContext
from crm_shared.testing.kit import ServiceKit


def event(kit: ServiceKit, tenant: Any) -> Envelope:
    deal = new_id()
    now = kit.clock.now()
    return Envelope(
        new_id(), "crm.deal.won.v1", "test", public_id("deal", deal), now, tenant, deal, 0, 1, None, '{"name":"x"}'
    )


async def test_other_processes_hear_whose_events_are_new_and_only_after_the_commit(kit: ServiceKit) -> None:
    keeper, context = Keeper(), WorkerContext(kit.service, kit.worker, kit.clock)
    heard: list[str] = []
    kit.database.wakers.append(context.woken.set)
    tasks = [
        asyncio.create_task(keeper.announce_events(context)),
        asyncio.create_task(listen(kit.urls.app, CHANNEL, heard.append)),
    ]
    try:
        await until(lambda: heard == [""])
        first, second = kit.tenant(), kit.tenant()
        async with kit.transaction(first) as tx:
            await keeper.take(tx, [event(kit, first)])
            context.woken.set()
            await asyncio.sleep(0.05)
            assert heard == [""]
        async with kit.transaction(second) as tx:
            await keeper.take(tx, [event(kit, second)])
        await until(lambda: set().union(*map(tenants_in, filter(None, heard))) == {first, second})
    finally:
        kit.database.wakers.remove(context.woken.set)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_events_of_every_company_go_when_they_are_old(kit: ServiceKit) -> None:
    tenants = [kit.tenant(), kit.tenant()]
    for tenant in tenants:
        async with kit.transaction(tenant) as tx:
            await Keeper().take(tx, [event(kit, tenant)])
    kept_for = SubscriptionSettings().kept_for
    assert kept_for == timedelta(days=5)
    await prune(kit.worker, before=datetime.now(UTC) - kept_for)
    await prune(kit.worker, before=datetime.now(UTC))
    for tenant in tenants:
        async with kit.database.reading(tenant) as tx:
            assert await store.read_after(tx, 0, limit=10) == []
            assert (await store.head(tx)).pruned_to == 1
