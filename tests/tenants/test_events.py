"""Events of one tenant stay in that tenant, also when somebody forges them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import asyncpg
import orjson
import pytest
from prometheus_client import REGISTRY
from tests.tenants.rows import Rows, changed, rows_of, tails_of
from tests.tenants.stage import Stage
from tests.tenants.world import World

from crm_shared.bus.effects import Effects
from crm_shared.bus.intake import Intake
from crm_shared.bus.port import Delivered
from crm_shared.db.pool import NO_TENANT
from crm_shared.events import Envelope
from crm_shared.ids import new_id, parse_id

pytestmark = pytest.mark.xdist_group("tenants")

CONSUMERS = ["customer", "sales-pipeline", "communication-dispatch", "contact-center"]


def renamed(tenant: World, customer: str, *, name: str, sequence: int = 900) -> Envelope:
    """What the customer service would say of a customer of this tenant."""
    data = {
        "kind": "person", "category": "consumer", "display_name": name, "given_name": name, "family_name": None,
        "language": "en", "time_zone": None, "country": "DE", "contact_points": [], "changed": ["display_name"],
        "registered_at": "2026-03-01T10:00:00Z", "consents": [], "segments": [],
    }  # fmt: skip
    return Envelope(
        id=new_id(),
        type="crm.customer.snapshot.v1",
        source="customer",
        subject=customer,
        time=tenant.stage.clock.now(),
        tenant=tenant.tenant,
        aggregate_id=parse_id("cus", customer),
        epoch=0,
        sequence=sequence,
        traceparent=None,
        data=orjson.dumps(data).decode(),
    )


def delivered(envelope: Envelope, fields: Mapping[str, Any] | None = None, *, topic: str = "") -> Delivered:
    """An event as a record, some of its fields forged."""
    raw = orjson.dumps({**orjson.loads(envelope.to_bytes()), **(fields or {})})
    return Delivered(topic or envelope.topic, envelope.key, raw, {}, 0, new_id().int % 2**40, envelope.time)


async def take(stage: Stage, service: str, record: Delivered) -> None:
    kit = stage.kits[service]
    effects = Effects(kit.service.projections, kit.service.reactions, stage.clock)
    await Intake(kit.worker, effects, stage.clock).take([record])


def parked_undecodable(service: str) -> float:
    return REGISTRY.get_sample_value("crm_keys_parked_total", {"service": service, "reason": "undecodable"}) or 0.0


async def of_nobody(stage: Stage, service: str) -> int:
    """How many messages are parked of which no tenant can be named."""
    connection = await asyncpg.connect(stage.databases[service].admin)
    try:
        return await connection.fetchval("SELECT count(*) FROM parked WHERE tenant_id = $1", NO_TENANT)
    finally:
        await connection.close()


async def both(alpha: World, beta: World) -> tuple[Rows, Rows]:
    return await rows_of(alpha.stage, alpha.tenant), await rows_of(beta.stage, beta.tenant)


async def test_after_all_events_have_arrived_neither_has_anything_of_the_other(alpha: World, beta: World) -> None:
    of_alpha, of_beta = await both(alpha, beta)
    shared = tails_of(of_alpha) & tails_of(of_beta)
    assert len(shared) <= 1, "ids are made once; the nil id alone may occur in both"
    for table, rows in of_beta.items():
        assert not [row for row in rows if alpha.mark in row], table
    for table, rows in of_alpha.items():
        assert not [row for row in rows if beta.mark in row], table
    for service in CONSUMERS:
        assert any(rows for table, rows in of_beta.items() if table == f"{service}.inbox"), f"{service} heard nothing"


async def test_every_event_names_the_tenant_whose_row_it_is(alpha: World, beta: World) -> None:
    """The outbox is what streams are made of: tenant, key and subject agree in every row of every service."""
    for world in (alpha, beta):
        for name, kit in world.stage.kits.items():
            for event in await kit.events(world.tenant):
                read = Envelope.from_bytes(event.to_bytes())
                assert (read.tenant, read.key) == (world.tenant, f"{world.tenant}:{event.aggregate_id}"), name
                other = alpha if world is beta else beta
                assert str(other.tenant) not in event.data, f"{name}: {event.type}"


@pytest.mark.parametrize("service", CONSUMERS)
async def test_an_event_about_an_id_of_the_other_stays_in_its_own_tenant(
    stage: Stage, alpha: World, beta: World, service: str
) -> None:
    """An honest service of beta that speaks of alpha's customer makes a stub of beta's, and alpha's stays as it was."""
    before = await rows_of(stage, alpha.tenant)
    await take(stage, service, delivered(renamed(beta, alpha.ids["cus"], name="Mallory")))
    assert changed(before, await rows_of(stage, alpha.tenant)) == {}


def forgeries(alpha: World, beta: World) -> dict[str, Delivered]:
    """Records that say two things about whose they are."""
    own = renamed(beta, beta.ids["cus"], name="Mallory")
    theirs = replace(own, tenant=alpha.tenant, aggregate_id=parse_id("cus", alpha.ids["cus"]))
    return {
        "the tenant isn't the key's": delivered(own, {"tenantid": str(alpha.tenant)}),
        "the key isn't the tenant's": delivered(own, {"partitionkey": theirs.key}),
        "another topic": delivered(theirs, topic="crm.deal"),
        "no tenant": delivered(own, {"tenantid": None}),
        "the nil tenant": delivered(own, of_tenant(own, str(NO_TENANT))),
        "a tenant that isn't one": delivered(own, of_tenant(own, "*")),
        "a tenant with SQL in it": delivered(own, of_tenant(own, "x'; DROP TABLE customer --")),
    }


def of_tenant(envelope: Envelope, tenant: str) -> dict[str, str]:
    return {"tenantid": tenant, "partitionkey": f"{tenant}:{envelope.aggregate_id}"}


@pytest.mark.parametrize("service", CONSUMERS)
async def test_a_forged_event_is_parked_counted_and_changes_nobody(
    stage: Stage, alpha: World, beta: World, service: str
) -> None:
    before = await both(alpha, beta)
    for what, record in forgeries(alpha, beta).items():
        counted, waiting = parked_undecodable(service), await of_nobody(stage, service)
        await take(stage, service, record)
        assert parked_undecodable(service) == counted + 1, what
        assert await of_nobody(stage, service) == waiting + 1, what
    after = await both(alpha, beta)
    assert (changed(before[0], after[0]), changed(before[1], after[1])) == ({}, {})
