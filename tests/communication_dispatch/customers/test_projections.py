"""The copies of customers, from events as the owner writes them."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from tests.communication_dispatch.world import World

from crm_communication_dispatch.customers import store
from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit


async def reading(world: World, of: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    async with world.kit.transaction(world.tenant) as tx:
        return await of(tx, *args)


async def test_the_preferred_address_of_each_channel_is_kept(world: World):
    points = [
        {"channel": "email", "value": "old@example.org", "preferred": False, "verified": True},
        {"channel": "email", "value": "New@example.org", "preferred": True, "verified": False},
        {"channel": "phone", "value": "+4930123", "preferred": False, "verified": False},
        {"channel": "postal", "value": "Street 1", "preferred": False, "verified": False},
    ]
    key = await world.customer(contact_points=points)
    got = await reading(world, store.get_customer, key)
    assert (got.email, got.phone, got.known) == ("New@example.org", "+4930123", True)
    assert await reading(world, store.find_by_email, "NEW@example.org") == key
    await world.tell(key, "updated", email=None, given_name=None, changed=["contact_points"])
    got = await reading(world, store.get_customer, key)
    assert (got.email, got.given_name) == (None, None)


async def test_a_fact_about_an_unknown_customer_makes_a_stub_that_its_own_event_fills(world: World):
    key = await world.customer(known=False, consent=False)
    data = {"previous": None, "state": "loyal", "reason": "r", "changed_at": world.now}
    await world.kit.deliver(world.tenant, "crm.customer.lifecycle-changed.v1", key, data)
    assert not (await reading(world, store.get_customer, key)).known
    await world.tell(key, "registered")
    assert (await reading(world, store.get_customer, key)).known


async def test_a_merge_is_followed_on_read_and_undone_exactly(world: World):
    a, b, c = [await world.customer(display_name=name) for name in "abc"]
    for merged, survivor in ((a, b), (b, c)):
        data = {"survivor_id": public_id("cus", survivor), "merged_id": public_id("cus", merged)}
        await world.kit.deliver(world.tenant, "crm.customer.merged.v1", merged, data)
        await world.kit.deliver(world.tenant, "crm.customer.merged.v1", survivor, data)
    found = await reading(world, store.get_customers, [a, b, c])
    assert {key: of.display_name for key, of in found.items()} == {a: "c", b: "c", c: "c"}
    data = {"survivor_id": public_id("cus", c), "restored_id": public_id("cus", b)}
    await world.kit.deliver(world.tenant, "crm.customer.unmerged.v1", b, data)
    assert (await reading(world, store.get_customer, a)).display_name == "b"


async def test_an_unmerge_loop_in_the_copy_ends_the_search(world: World):
    a, b = await world.customer(), await world.customer()
    for merged, survivor in ((a, b), (b, a)):
        data = {"survivor_id": public_id("cus", survivor), "merged_id": public_id("cus", merged)}
        await world.kit.deliver(world.tenant, "crm.customer.merged.v1", merged, data)
    assert await reading(world, store.get_customer, a) is not None


async def test_a_snapshot_replaces_all_that_was_known(world: World):
    key, kept, left = await world.customer(), new_id(), new_id()
    await world.enter(kept, key, version=4)
    await world.enter(left, key, version=2)
    data = {
        "kind": "person", "category": "consumer", "display_name": "New", "given_name": None, "family_name": None,
        "language": "de", "time_zone": None, "country": None, "contact_points": [], "registered_at": world.now,
        "consents": [{"consent_id": public_id("cst", new_id()), "purpose": "newsletter", "channel": "email",
                      "status": "granted", "expires_at": None}],
        "lifecycle": {"state": "repeat", "reason": "r", "changed_at": world.now}, "value": None,
        "segments": [public_id("seg", kept)], "merged_into": None,
    }  # fmt: skip
    await world.kit.deliver(world.tenant, "crm.customer.snapshot.v1", key, data)
    got = await reading(world, store.get_customer, key)
    assert (got.display_name, got.email, got.language) == ("New", None, "de")
    assert [c.purpose for c in (await reading(world, store.get_consents, [key]))[key]] == ["newsletter"]
    assert await reading(world, store.count_members, kept, 4) == 1
    assert await reading(world, store.count_members, kept, 3) == 0, "since when is kept"
    assert await reading(world, store.count_members, left, 9) == 0


async def test_an_older_materialisation_never_replaces_a_newer(world: World):
    segment = new_id()
    await world.materialised(segment, 9, version=2)
    await world.materialised(segment, 5, version=1)
    assert (await reading(world, store.get_segment, segment)).count == 9


async def test_an_erased_customer_is_forgotten(world: World):
    key = await world.customer()
    await world.enter(new_id(), key)
    await world.kit.deliver(world.tenant, "crm.customer.erased.v1", key, {"erased_at": world.now})
    got = await reading(world, store.get_customer, key)
    assert (got.display_name, got.email, got.erased_at is not None) == (None, None, True)
    assert await reading(world, store.get_consents, [key]) == {}


async def test_another_tenants_customers_are_not_there(world: World, kit: ServiceKit):
    key = await world.customer()
    async with kit.transaction(new_id()) as tx:
        assert await store.get_customer(tx, key) is None
    assert isinstance(key, UUID)
