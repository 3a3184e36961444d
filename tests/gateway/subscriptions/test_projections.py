"""What the worker keeps: every event of every topic once, and nothing of a person who is forgotten."""

from uuid import UUID

import orjson

from crm_gateway.subscriptions import store
from crm_gateway.subscriptions.domain import KeptEvent
from crm_shared.events import Envelope
from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit


def event(kit: ServiceKit, tenant: UUID, type: str, subject: UUID, sequence: int, **data: object) -> Envelope:
    prefix = {"customer": "cus", "deal": "deal"}[type.split(".")[1]]
    return Envelope(
        new_id(), type, "test", public_id(prefix, subject), kit.clock.now(), tenant, subject, 0, sequence, None,
        orjson.dumps(data).decode(),
    )  # fmt: skip


async def kept(kit: ServiceKit, tenant: UUID) -> list[KeptEvent]:
    async with kit.database.reading(tenant) as tx:
        return await store.read_after(tx, 0, limit=100)


async def test_events_are_kept_once_and_none_waits_for_those_before_the_first(kit: ServiceKit) -> None:
    tenant, customer = kit.tenant(), new_id()
    # A gateway that is added to a running installation sees an aggregate's 17th event first.
    late = event(kit, tenant, "crm.customer.updated.v1", customer, 17)
    await kit.apply([late, late, event(kit, tenant, "crm.customer.consent-changed.v1", customer, 19)])
    found = await kept(kit, tenant)
    assert [(each.position, each.type) for each in found] == [
        (1, "crm.customer.updated.v1"),
        (2, "crm.customer.consent-changed.v1"),
    ]
    assert orjson.loads(found[0].text) == orjson.loads(late.to_bytes())


async def test_a_merge_is_found_under_both_customers(kit: ServiceKit) -> None:
    tenant, survivor, merged = kit.tenant(), new_id(), new_id()
    told = {"survivor_id": public_id("cus", survivor), "merged_id": public_id("cus", merged)}
    await kit.apply([event(kit, tenant, "crm.customer.merged.v1", each, 2, **told) for each in (survivor, merged)])
    assert [each.subject for each in await kept(kit, tenant)] == [*told.values()]


async def test_an_erased_person_is_gone_from_what_is_kept_and_late_news_of_them_are_not_kept(kit: ServiceKit) -> None:
    tenant, customer, other, deal = kit.tenant(), new_id(), new_id(), new_id()
    named = {"customer_id": public_id("cus", customer), "name": "Ada's cellar"}
    await kit.apply(
        [
            event(kit, tenant, "crm.customer.registered.v1", customer, 1, display_name="Ada"),
            event(kit, tenant, "crm.customer.registered.v1", other, 1, display_name="Bob"),
            event(kit, tenant, "crm.deal.opened.v1", deal, 1, **named),
        ]
    )
    await kit.apply([event(kit, tenant, "crm.customer.erased.v1", customer, 2, erased_at="2026-01-01T00:00:00Z")])
    await kit.apply([event(kit, tenant, "crm.deal.won.v1", deal, 2, **named)])
    found = await kept(kit, tenant)
    assert [each.type for each in found] == ["crm.customer.registered.v1", "crm.customer.erased.v1"]
    assert not any("Ada" in each.text for each in found)
    assert found[0].subject == public_id("cus", other)
