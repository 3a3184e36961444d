"""The local copy of customers, on real PostgreSQL."""

from uuid import UUID

from tests.sales_pipeline.conftest import Post

from crm_sales_pipeline.customers import store
from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit

REGISTERED = {
    "kind": "person",
    "display_name": "Kim",
    "language": "de",
    "contact_points": [
        {"channel": "email", "value": "old@example.org"},
        {"channel": "email", "value": "kim@example.org", "preferred": True},
    ],
}


async def merge(kit: ServiceKit, tenant: UUID, survivor: UUID, merged: UUID) -> None:
    data = {"survivor_id": public_id("cus", survivor), "merged_id": public_id("cus", merged)}
    for key in (survivor, merged):
        await kit.deliver(tenant, "crm.customer.merged.v1", key, data)


async def unmerge(kit: ServiceKit, tenant: UUID, survivor: UUID, restored: UUID) -> None:
    data = {"survivor_id": public_id("cus", survivor), "restored_id": public_id("cus", restored)}
    for key in (survivor, restored):
        await kit.deliver(tenant, "crm.customer.unmerged.v1", key, data)


async def test_an_event_about_an_unknown_customer_leaves_a_stub_that_its_own_event_fills(
    kit: ServiceKit, tenant: UUID
) -> None:
    customer = new_id()
    await kit.deliver(tenant, "crm.customer.lifecycle-changed.v1", customer, {"state": "loyal"})
    async with kit.transaction(tenant) as tx:
        stub = await store.get(tx, customer)
    assert stub is not None
    assert (stub.known, stub.lifecycle) == (False, "loyal")
    await kit.deliver(tenant, "crm.customer.registered.v1", customer, REGISTERED)
    await kit.deliver(tenant, "crm.customer.value-rated.v1", customer, {"group": "champions"})
    async with kit.transaction(tenant) as tx:
        filled = await store.get(tx, customer)
    assert filled is not None
    assert (filled.known, filled.lifecycle, filled.value_group) == (True, "loyal", "champions")
    assert (filled.display_name, filled.email) == ("Kim", "kim@example.org")


async def test_a_late_update_does_not_bring_an_erased_person_back(kit: ServiceKit, tenant: UUID) -> None:
    customer = new_id()
    await kit.deliver(tenant, "crm.customer.registered.v1", customer, REGISTERED)
    await kit.deliver(tenant, "crm.customer.erased.v1", customer, {"erased_at": "2026-01-05T09:00:00Z"})
    await kit.deliver(tenant, "crm.customer.updated.v1", customer, REGISTERED)
    async with kit.transaction(tenant) as tx:
        gone = await store.get(tx, customer)
        found = await store.find_by_email(tx, "kim@example.org")
    assert gone is not None
    assert (gone.display_name, gone.email, found) == (None, None, None)


async def test_a_merge_moves_nothing_and_an_unmerge_restores_exactly(
    kit: ServiceKit, tenant: UUID, post: Post, get: Post
) -> None:
    first, second, third = (new_id() for _ in range(3))
    leads = [
        await post("/v1/leads", {"source": "web", "customer_id": public_id("cus", one)})
        for one in (first, second, third)
    ]

    async def owners() -> list[str]:
        return [(await get(f"/v1/leads/{lead['id']}"))["customer_id"] for lead in leads]

    async def of(customer: UUID) -> int:
        return len((await get("/v1/leads", customer_id=public_id("cus", customer)))["items"])

    before = await owners()
    await merge(kit, tenant, second, first)
    await merge(kit, tenant, third, second)
    assert set(await owners()) == {public_id("cus", third)}
    assert [await of(one) for one in (first, second, third)] == [3, 3, 3]
    await unmerge(kit, tenant, third, second)
    assert await owners() == [public_id("cus", second), public_id("cus", second), public_id("cus", third)]
    assert [await of(one) for one in (first, second, third)] == [2, 2, 1]
    await unmerge(kit, tenant, second, first)
    assert await owners() == before


async def test_several_customers_with_one_address_are_nobody(kit: ServiceKit, tenant: UUID) -> None:
    for _ in range(2):
        await kit.deliver(tenant, "crm.customer.registered.v1", new_id(), REGISTERED)
    async with kit.transaction(tenant) as tx:
        assert await store.find_by_email(tx, "kim@example.org") is None


async def test_a_snapshot_replaces_everything(kit: ServiceKit, tenant: UUID) -> None:
    customer = new_id()
    await kit.deliver(
        tenant,
        "crm.customer.snapshot.v1",
        customer,
        {**REGISTERED, "lifecycle": {"state": "repeat"}, "value": {"group": "loyal"}, "consents": [], "segments": []},
    )
    async with kit.transaction(tenant) as tx:
        found = await store.get(tx, customer)
    assert found is not None
    assert (found.known, found.lifecycle, found.value_group) == (True, "repeat", "loyal")
