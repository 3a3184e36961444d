"""Orders over HTTP, on real PostgreSQL."""

import asyncio
from uuid import UUID

import httpx
import pytest
from tests.sales_pipeline.conftest import OpenShop, Post, Shop, code_of

from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit


@pytest.fixture
async def shop(open_shop: OpenShop) -> Shop:
    return await open_shop({"A": "10.00", "B": "5.00", "FREE": "0"}, tax_rate="0.2")


async def test_a_counter_sale_needs_no_quote(
    kit: ServiceKit, tenant: UUID, post: Post, shop: Shop, customer: str
) -> None:
    campaign = public_id("cmp", new_id())
    body = {"customer_id": customer, "lines": [shop.line("A", "2")], "channel": "counter", "campaign_id": campaign}
    order = await post("/v1/orders", {**body, "outlet": "Main street"})
    assert (order["total"]["amount"], order["payment_state"], order["delivery_state"]) == ("24.00", "unpaid", "pending")
    (event,) = await kit.events(tenant, "crm.order.placed.v1")
    told = event.payload()
    assert (told["campaign_id"], told["total"]["amount"]) == (campaign, "24.00")
    assert told["lines"] == [
        {
            "sku": "A",
            "name": "Thing A",
            "quantity": "2",
            "unit_price": {"amount": "10.00", "currency": "EUR"},
            "total": {"amount": "24.00", "currency": "EUR"},
        }
    ]


async def test_the_same_external_key_is_the_same_order_even_in_parallel(
    kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, shop: Shop, customer: str
) -> None:
    body = {"customer_id": customer, "lines": [shop.line("A")], "external_key": "web-17"}
    answers = await asyncio.gather(*(http.post("/v1/orders", json=body) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await kit.events(tenant, "crm.order.placed.v1")) == 1


async def test_an_order_that_costs_nothing_is_paid_at_once(
    kit: ServiceKit, tenant: UUID, post: Post, shop: Shop, customer: str
) -> None:
    order = await post("/v1/orders", {"customer_id": customer, "lines": [shop.line("FREE")]})
    assert order["payment_state"] == "paid"
    assert len(await kit.events(tenant, "crm.order.paid.v1")) == 1


async def test_delivery_and_payment_wait_for_nobody(
    *, kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, post: Post, get: Post, shop: Shop, customer: str
) -> None:
    lines = [shop.line("A", "2"), shop.line("B", "1")]
    order = await post("/v1/orders", {"customer_id": customer, "lines": lines})
    path = f"/v1/orders/{order['id']}"
    part = await post(f"{path}/deliver", {"lines": [{"position": 1, "quantity": "1"}]})
    assert (part["delivery_state"], part["payment_state"]) == ("partly_delivered", "unpaid")
    too_much = await http.post(f"{path}/deliver", json={"lines": [{"position": 1, "quantity": "2"}]})
    assert code_of(too_much) == (422, "quantity_too_large")
    nowhere = await http.post(f"{path}/deliver", json={"lines": [{"position": 9, "quantity": "1"}]})
    assert code_of(nowhere) == (422, "position_unknown")
    assert (await post(f"{path}/deliver", {}))["delivery_state"] == "delivered"
    assert code_of(await http.post(f"{path}/deliver", json={})) == (409, "nothing_to_deliver")
    assert len(await kit.events(tenant, "crm.order.delivered.v1")) == 1
    back = await post(f"{path}/return", {"reason": "scratched", "lines": [{"position": 2, "quantity": "1"}]})
    assert back["delivery_state"] == "partly_returned"
    (event,) = await kit.events(tenant, "crm.order.returned.v1")
    assert event.payload()["lines"] == [{"sku": "B", "quantity": "1"}]
    assert [one["kind"] for one in (await get(f"{path}/movements"))["items"]] == ["delivery", "delivery", "return"]


async def test_parallel_deliveries_send_nothing_twice(
    http: httpx.AsyncClient, post: Post, get: Post, shop: Shop, customer: str
) -> None:
    order = await post("/v1/orders", {"customer_id": customer, "lines": [shop.line("A", "3")]})
    body = {"lines": [{"position": 1, "quantity": "1"}]}
    answers = await asyncio.gather(*(http.post(f"/v1/orders/{order['id']}/deliver", json=body) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 422, 422, 422]
    assert (await get(f"/v1/orders/{order['id']}"))["lines"][0]["delivered"] == "3"


async def test_an_erased_customer_orders_nothing(
    kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, shop: Shop
) -> None:
    gone = new_id()
    await kit.deliver(tenant, "crm.customer.erased.v1", gone, {"erased_at": "2026-01-05T09:00:00Z"})
    body = {"customer_id": public_id("cus", gone), "lines": [shop.line("A")]}
    assert code_of(await http.post("/v1/orders", json=body)) == (410, "customer_erased")


async def test_a_partner_sees_only_its_own_orders(
    kit: ServiceKit, tenant: UUID, post: Post, shop: Shop, customer: str
) -> None:
    ours = await post("/v1/orders", {"customer_id": customer, "lines": [shop.line("A")]})
    async with kit.client(tenant, partner="acme") as acme:
        body = {"customer_id": customer, "lines": [shop.line("A")]}
        theirs = (await acme.post("/v1/orders", json=body)).json()
        assert theirs["partner"] == "acme"
        assert [one["id"] for one in (await acme.get("/v1/orders")).json()["items"]] == [theirs["id"]]
        assert (await acme.post(f"/v1/orders/{ours['id']}/deliver", json={})).status_code == 404
