"""Senders at work: what a crash repeats, who serves which endpoint, and whom a slow one delays."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

from sqlalchemy import update
from tests.gateway.webhooks.conftest import SETTINGS, Company, new_company
from tests.gateway.webhooks.receiver import OK, Got, Receiver, receiving, status

from crm_gateway.webhooks.sealing import Sealer
from crm_gateway.webhooks.sending import Post, Senders, egress_of
from crm_gateway.webhooks.tables import webhook_endpoint
from crm_shared.testing.kit import ServiceKit

UPDATED, PLACED, MERGED = "crm.customer.updated.v1", "crm.order.placed.v1", "crm.customer.merged.v1"
DEAD = status(500, b"not today")


class TestCrashes:
    async def test_a_worker_killed_between_sending_and_writing_down_repeats_and_loses_nothing(
        self, company: Company, receiver: Receiver
    ):
        webhook = await company.webhook(receiver)
        sent = asyncio.Event()

        async def hang(got: Got, writer: asyncio.StreamWriter) -> None:
            sent.set()
            await asyncio.sleep(60)

        receiver.behaviour = hang
        events = await company.happen(UPDATED, PLACED)
        [task] = await company.senders.round()
        await sent.wait()
        task.cancel()  # nothing of ours runs on: no answer is written down, no lane given back
        await asyncio.gather(task, return_exceptions=True)
        receiver.behaviour = None
        await company.drain()
        assert len(await company.log(webhook)) == 2
        async with egress_of(SETTINGS) as egress:
            clock = company.kit.clock
            other = Senders(company.kit.worker, Post(SETTINGS, egress, Sealer.of(SETTINGS.webhook_keys), clock))
            before = len(receiver.got)
            await other.drain()
            assert len(receiver.got) == before, "the dead worker's lease still holds"
            clock.advance(timedelta(seconds=SETTINGS.webhook_lease_s + SETTINGS.webhook_timeout_s))
            await other.drain()
        assert set(receiver.ids) == {str(event.id) for event in events}
        assert {one["state"] for one in await company.log(webhook)} == {"delivered"}

    async def test_two_workers_never_serve_one_endpoint_at_once(self, company: Company, receiver: Receiver):
        await company.webhook(receiver)
        events = await company.happen(*[UPDATED] * 40)
        async with AsyncExitStack() as stack:
            others = [
                Senders(
                    company.kit.worker,
                    Post(
                        SETTINGS,
                        await stack.enter_async_context(egress_of(SETTINGS)),
                        Sealer.of(SETTINGS.webhook_keys),
                        company.kit.clock,
                    ),
                )
                for _ in range(3)
            ]
            await asyncio.gather(company.drain(), *(other.drain() for other in others))
            await company.drain()
        assert sorted(receiver.ids) == sorted(str(event.id) for event in events), "each once"
        assert receiver.most_at_once <= SETTINGS.webhook_concurrency

    async def test_stopping_lets_a_wave_end_and_writes_it_down(self, company: Company, receiver: Receiver):
        webhook = await company.webhook(receiver)
        begun, may_end = asyncio.Event(), asyncio.Event()

        async def slow(got: Got, writer: asyncio.StreamWriter) -> None:
            begun.set()
            await may_end.wait()
            writer.write(OK)

        receiver.behaviour = slow
        await company.happen(*[UPDATED] * 9)
        await company.senders.round()
        await begun.wait()
        stopping = asyncio.create_task(company.senders.stop())
        await asyncio.sleep(0)
        may_end.set()
        await stopping
        assert [one["state"] for one in await company.log(webhook)] == ["delivered"] * 4
        company.senders.stopping = False


class TestFairness:
    async def test_a_hanging_endpoint_delays_neither_its_neighbour_nor_another_company(
        self, kit: ServiceKit, company: Company, receiver: Receiver
    ):
        async with AsyncExitStack() as stack:
            stuck = await stack.enter_async_context(receiving())
            elsewhere = await stack.enter_async_context(receiving())
            may_end = asyncio.Event()

            async def hang(got: Got, writer: asyncio.StreamWriter) -> None:
                await may_end.wait()
                writer.write(OK)

            stuck.behaviour = hang
            other = await new_company(kit, company.senders, stack)
            await company.webhook(stuck)
            await company.webhook(receiver)
            await other.webhook(elsewhere)
            await company.happen(*[UPDATED] * 30)
            await other.happen(*[UPDATED] * 30)
            tasks = await company.senders.round()
            assert len(tasks) == 3
            done, pending = await asyncio.wait(tasks, timeout=20, return_when=asyncio.FIRST_COMPLETED)
            while len(pending) > 1:
                more, pending = await asyncio.wait(pending, timeout=20, return_when=asyncio.FIRST_COMPLETED)
                assert more, "somebody waits for the one that hangs"
                done |= more
            assert (len(receiver.got), len(elsewhere.got)) == (30, 30)
            assert stuck.most_at_once == SETTINGS.webhook_concurrency
            may_end.set()
            await asyncio.gather(*pending)
            await company.drain()
            assert len(stuck.got) == 30

    async def test_one_company_never_takes_all_the_room(self, kit: ServiceKit, company: Company):
        small = SETTINGS.model_copy(update={"webhook_endpoints_at_once": 3, "webhook_endpoints_of_tenant_at_once": 2})
        async with AsyncExitStack() as stack:
            receivers = [await stack.enter_async_context(receiving()) for _ in range(4)]
            other = await new_company(kit, company.senders, stack)
            egress = await stack.enter_async_context(egress_of(small))
            senders = Senders(kit.worker, Post(small, egress, Sealer.of(small.webhook_keys), kit.clock))
            for receiver in receivers[:3]:
                await company.webhook(receiver)
            await other.webhook(receivers[3])
            await company.happen(UPDATED)
            await other.happen(UPDATED)
            first = await senders.round()
            assert len(first) == 3
            await asyncio.gather(*first)
            assert len(receivers[3].got) == 1, "the other company was among the first three"
            await senders.drain()
            assert [len(receiver.got) for receiver in receivers] == [1, 1, 1, 1]

    async def test_one_endpoints_fault_of_ours_stops_no_other(
        self, kit: ServiceKit, company: Company, receiver: Receiver
    ):
        async with receiving() as broken:
            webhook = await company.webhook(broken)
            await company.webhook(receiver)
            async with kit.transaction(company.tenant) as tx:
                own = webhook_endpoint.c.url == broken.url
                await tx.run(update(webhook_endpoint).where(own).values(seal=b"sealed by nobody"))
            await company.happen(UPDATED)
            await company.drain()
            assert (len(receiver.got), len(broken.got)) == (1, 0)
            assert (await company.seen(webhook))["rests_until"] is not None
