"""What other systems write to the bus about customers' behaviour."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
import pytest

from crm_customer.behaviour.inbound import BehaviourReported
from crm_shared.bus.consumer import Consumer
from crm_shared.bus.effects import Effects
from crm_shared.bus.intake import Intake
from crm_shared.bus.parked_keys import ParkedKeys
from crm_shared.bus.port import Delivered, Record
from crm_shared.bus.postgres_log import PostgresLog
from crm_shared.ids import new_id, public_id
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.kit import ServiceKit

Register = Callable[..., Awaitable[UUID]]
TOPIC = "crm.integration.behaviour"


class Line:
    """The topic, as the service's consumer reads it."""

    def __init__(self, kit: ServiceKit, tenant: UUID) -> None:
        effects = Effects(
            kit.service.projections, kit.service.reactions, kit.clock, taps=kit.service.taps(kit.settings.purge_after)
        )
        self.kit, self.tenant = kit, tenant
        self.intake = Intake(kit.worker, effects, kit.clock)
        self.parked = ParkedKeys(kit.worker, effects, self.intake, kit.clock)
        self._offset = 0

    async def write(self, *messages: bytes) -> None:
        """Deliver these messages together."""
        batch: list[Delivered] = []
        for message in messages:
            self._offset += 1
            batch.append(Delivered(TOPIC, "", message, {}, 0, self._offset, self.kit.clock.now()))
        await self.intake.take(batch)

    def told(self, **data: Any) -> bytes:
        """A message of a shop."""
        envelope = {key: data.pop(key) for key in ("id", "tenantid", "type", "specversion") if key in data}
        return orjson.dumps(
            {
                "specversion": "1.0",
                "id": str(new_id()),
                "type": "crm.integration.behaviour-reported.v1",
                "source": "web-shop",
                "time": self.kit.clock.now(),
                "tenantid": str(self.tenant),
                **envelope,
                "data": {
                    **BehaviourReported.EXAMPLE,
                    "occurred_at": self.kit.clock.now(),
                    "external_id": str(new_id()),
                    **data,
                },
            }
        )

    async def waiting(self) -> list[str]:
        """Why what waits of this tenant does."""
        connection = await asyncpg.connect(self.kit.urls.admin)
        try:
            rows = await connection.fetch(
                "SELECT error FROM consumer_key WHERE tenant_id = $1 AND parked_at IS NOT NULL", self.tenant
            )
        finally:
            await connection.close()
        return [row["error"] for row in rows]


@pytest.fixture
async def line(kit: ServiceKit, tenant: UUID) -> Line:
    await kit.deliver(tenant, "crm.tenant.created.v1", tenant, {"name": "A company"})
    return Line(kit, tenant)


async def purchases(http: httpx.AsyncClient, customer: UUID) -> int:
    return (await http.get(f"/v1/customers/{public_id('cus', customer)}/behaviour")).json()["purchases"]


async def test_a_message_counts_once_however_often_it_comes(
    line: Line, http: httpx.AsyncClient, register: Register
) -> None:
    customer = await register(external_source="web-shop", external_id="C-7")
    told = line.told(id="order-1042")
    by_our_id = line.told(customer_id=public_id("cus", customer))
    await line.write(told, told, by_our_id)
    await line.write(told)
    assert await purchases(http, customer) == 2


async def test_a_message_that_cannot_be_taken_waits_alone(
    line: Line, http: httpx.AsyncClient, register: Register
) -> None:
    customer = await register(external_source="web-shop", external_id="C-7")
    await line.write(
        line.told(amount={"amount": "many", "currency": "EUR"}),
        line.told(occurred_at=line.kit.clock.now() + timedelta(days=1)),
        line.told(),
    )
    assert await purchases(http, customer) == 1
    assert len(await line.waiting()) == 2


async def test_a_message_ahead_of_its_customer_is_taken_when_the_customer_is_there(
    line: Line, http: httpx.AsyncClient, register: Register
) -> None:
    await line.write(line.told())
    assert "customer" in (await line.waiting())[0]
    customer = await register(external_source="web-shop", external_id="C-7")
    line.kit.clock.advance(timedelta(seconds=10))
    await line.parked.retry_due()
    assert await purchases(http, customer) == 1
    assert await line.waiting() == []


async def test_nobody_speaks_of_a_company_that_there_is_not(line: Line, kit: ServiceKit, register: Register) -> None:
    await register(external_source="web-shop", external_id="C-7")
    stranger = new_id()
    await line.write(
        line.told(tenantid=str(stranger)),
        line.told(type="crm.customer.erased.v1"),
        line.told(specversion="0.3"),
        b"no json",
    )
    connection = await asyncpg.connect(kit.urls.admin)
    try:
        rows = await connection.fetch(
            "SELECT error FROM consumer_key WHERE tenant_id = $1 AND key LIKE $2", UUID(int=0), f"{TOPIC}:%"
        )
        assert await connection.fetchval("SELECT count(*) FROM consumer_key WHERE tenant_id = $1", stranger) == 0
    finally:
        await connection.close()
    assert len(rows) == 4
    assert any(f"no tenant {stranger}" in row["error"] for row in rows)


async def test_the_embedded_bus_brings_them_to_the_service_too(
    line: Line, kit: ServiceKit, http: httpx.AsyncClient, register: Register, cluster: Cluster
) -> None:
    customer = await register(external_source="web-shop", external_id="C-7")
    bus = PostgresLog(await cluster.bare())
    effects = Effects(kit.service.projections, kit.service.reactions, kit.clock)
    consumer = Consumer(kit.worker, bus, name=kit.service.name, effects=effects, clock=kit.clock)
    assert TOPIC in kit.service.topics_consumed, "so a worker makes it"
    await bus.ensure_topics(kit.service.topics_consumed)
    consuming = asyncio.create_task(consumer.run())
    try:
        told = line.told()
        await bus.publish([Record(TOPIC, "C-7", told), Record(TOPIC, "", told), Record(TOPIC, "C-7", line.told())])
        async with asyncio.timeout(20):
            while await purchases(http, customer) < 2:
                await asyncio.sleep(0.02)
    finally:
        await consumer.stop()
        await consuming
        await bus.aclose()
    assert await purchases(http, customer) == 2
    assert await line.waiting() == []
