"""Who calls: local copies of customers, told by other services in any order."""

from typing import Any

from crm_shared.ids import new_id, parse_id, public_id


async def caller(floor: Any, address: str = "+385915550000", channel: str = "voice") -> str | None:
    call = await floor.call(channel, from_address=address)
    return (await floor.get(f"/v1/interactions/{call}"))["customer_id"]


async def card(floor: Any, customer: str) -> dict[str, Any]:
    await floor.queue(f"q-{new_id()}", channels=["callback"])
    agent = await floor.agent()
    await floor.call("callback", customer_id=customer)
    await floor.dispatch()
    return (await floor.desk(agent))[0]["card"]["customer"]


class TestRecognition:
    async def test_by_phone_and_by_email_however_they_are_written(self, floor: Any) -> None:
        points = [
            {"channel": "phone", "value": "+385 (91) 555-0000"},
            {"channel": "email", "value": "Iva@Example.org"},
        ]
        customer = await floor.customer(points=points)
        assert await caller(floor, "00385915550000") == customer
        assert await caller(floor, "iva@example.ORG", "email") == customer
        assert await caller(floor, "iva@example.org", "chat") == customer

    async def test_an_address_that_several_share_recognises_nobody(self, floor: Any) -> None:
        shared = [{"channel": "phone", "value": "+385915550000"}]
        await floor.customer("One", points=shared)
        await floor.customer("Two", points=shared)
        assert await caller(floor) is None

    async def test_a_verified_address_beats_an_unverified_one(self, floor: Any) -> None:
        await floor.customer("One", points=[{"channel": "phone", "value": "+385915550000", "verified": False}])
        sure = await floor.customer("Two", points=[{"channel": "phone", "value": "+385915550000", "verified": True}])
        assert await caller(floor) == sure

    async def test_an_address_given_up_recognises_nobody(self, floor: Any) -> None:
        customer = await floor.customer()
        told = {"kind": "person", "category": "x", "display_name": "Iva", "contact_points": []}
        await floor.kit.deliver(floor.tenant, "crm.customer.updated.v1", parse_id("cus", customer), told)
        assert await caller(floor) is None

    async def test_a_merged_record_recognises_its_survivor_and_unmerging_restores_it(self, floor: Any) -> None:
        old = await floor.customer("Old")
        new = await floor.customer("New", points=[])
        merged = {"survivor_id": new, "merged_id": old}
        for key in (old, new):
            await floor.kit.deliver(floor.tenant, "crm.customer.merged.v1", parse_id("cus", key), merged)
        assert await caller(floor) == new
        restored = {"survivor_id": new, "restored_id": old}
        await floor.kit.deliver(floor.tenant, "crm.customer.unmerged.v1", parse_id("cus", old), restored)
        assert await caller(floor) == old

    async def test_a_merge_of_a_merged_one_leads_to_the_last(self, floor: Any) -> None:
        one, two, three = [await floor.customer(name, points=[]) for name in ("1", "2", "3")]
        for survivor, gone in ((two, one), (three, two)):
            told = {"survivor_id": survivor, "merged_id": gone}
            await floor.kit.deliver(floor.tenant, "crm.customer.merged.v1", parse_id("cus", survivor), told)
        call = await floor.call("email", customer_id=one)
        found = await floor.get("/v1/interactions", customer_id=three)
        assert [item["id"] for item in found["items"]] == [call]

    async def test_an_erased_person_is_nobody_and_a_late_event_brings_nobody_back(self, floor: Any) -> None:
        customer = await floor.customer()
        key = parse_id("cus", customer)
        await floor.kit.deliver(floor.tenant, "crm.customer.erased.v1", key, {"erased_at": "x"})
        assert await caller(floor) is None
        await floor.kit.deliver(floor.tenant, "crm.customer.value-rated.v1", key, {"group": "champions"})
        assert await card(floor, customer) is None


class TestCard:
    async def test_shows_lifecycle_value_deals_and_orders(self, floor: Any) -> None:
        customer = await floor.customer("Iva", language="hr")
        key, deal, order = parse_id("cus", customer), new_id(), new_id()
        await floor.kit.deliver(floor.tenant, "crm.customer.lifecycle-changed.v1", key, {"state": "loyal"})
        await floor.kit.deliver(floor.tenant, "crm.customer.value-rated.v1", key, {"group": "champions"})
        await floor.kit.deliver(floor.tenant, "crm.deal.opened.v1", deal, {"customer_id": customer, "name": "Two"})
        placed = {
            "customer_id": customer,
            "number": "O-1",
            "total": {"amount": "12.30", "currency": "EUR"},
            "placed_at": "2026-01-01T10:00:00Z",
        }
        await floor.kit.deliver(floor.tenant, "crm.order.placed.v1", order, placed)
        shown = await card(floor, customer)
        assert (shown["lifecycle"], shown["value_group"]) == ("loyal", "champions")
        assert (shown["open_deals"], shown["orders"]) == (1, 1)
        await floor.kit.deliver(floor.tenant, "crm.deal.won.v1", deal, {"customer_id": customer})
        assert (await card(floor, customer))["open_deals"] == 0

    async def test_an_event_about_someone_unknown_waits_for_their_own(self, floor: Any) -> None:
        customer = new_id()
        told = {"customer_id": public_id("cus", customer), "name": "Deal"}
        await floor.kit.deliver(floor.tenant, "crm.deal.opened.v1", new_id(), told)
        snapshot = {
            "display_name": "Late",
            "contact_points": [],
            "value": {"group": "new"},
            "lifecycle": {"state": "potential"},
        }
        await floor.kit.deliver(floor.tenant, "crm.customer.snapshot.v1", customer, snapshot)
        shown = await card(floor, public_id("cus", customer))
        assert (shown["display_name"], shown["open_deals"], shown["value_group"]) == ("Late", 1, "new")
