"""Payments over HTTP, on real PostgreSQL."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.sales_pipeline.conftest import OpenShop, Post, Shop, code_of

from crm_shared.ids import new_id
from crm_shared.testing.kit import ServiceKit


@pytest.fixture
async def shop(open_shop: OpenShop) -> Shop:
    return await open_shop({"A": "10.00"})


@pytest.fixture
async def order(post: Post, shop: Shop, customer: str) -> dict[str, Any]:
    """An order of 30 euros."""
    return await post("/v1/orders", {"customer_id": customer, "lines": [shop.line("A", "3")]})


def money(order: dict[str, Any], amount: str, reference: str = "", currency: str = "EUR") -> dict[str, Any]:
    named = reference or str(new_id())
    return {"order_id": order["id"], "reference": named, "amount": {"amount": amount, "currency": currency}}


async def state(get: Post, order: dict[str, Any]) -> tuple[str, str, str, str]:
    seen = await get(f"/v1/orders/{order['id']}")
    amounts = (seen[name]["amount"] for name in ("received", "outstanding", "credit"))
    return (seen["payment_state"], *amounts)  # type: ignore[return-value]


async def test_too_little_leaves_the_rest_owed_and_too_much_is_the_customers_credit(
    kit: ServiceKit, tenant: UUID, post: Post, get: Post, order: dict[str, Any]
) -> None:
    await post("/v1/payments", money(order, "29.99"))
    assert await state(get, order) == ("partly_paid", "29.99", "0.01", "0.00")
    assert await kit.events(tenant, "crm.order.paid.v1") == []
    await post("/v1/payments", money(order, "0.01"))
    assert await state(get, order) == ("paid", "30.00", "0.00", "0.00")
    await post("/v1/payments", money(order, "5.00"))
    assert await state(get, order) == ("overpaid", "35.00", "0.00", "5.00")
    assert len(await kit.events(tenant, "crm.order.paid.v1")) == 1
    assert len(await kit.events(tenant, "crm.payment.received.v1")) == 3


async def test_the_same_reference_in_parallel_is_booked_once(
    kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, get: Post, order: dict[str, Any]
) -> None:
    body = money(order, "30.00", "bank-1")
    answers = await asyncio.gather(*(http.post("/v1/payments", json=body) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await state(get, order) == ("paid", "30.00", "0.00", "0.00")
    assert len(await kit.events(tenant, "crm.payment.received.v1")) == 1


async def test_one_reference_for_two_orders_at_once_is_booked_for_one(
    *,
    kit: ServiceKit,
    tenant: UUID,
    http: httpx.AsyncClient,
    post: Post,
    shop: Shop,
    customer: str,
    order: dict[str, Any],
) -> None:
    other = await post("/v1/orders", {"customer_id": customer, "lines": [shop.line("A", "3")]})
    sent = [http.post("/v1/payments", json=money(one, "30.00", "bank-2")) for one in (order, other) for _ in range(3)]
    answers = await asyncio.gather(*sent)
    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 409, 409, 409]
    assert {code_of(answer)[1] for answer in answers if answer.status_code == 409} == {"reference_reused"}
    assert len(await kit.events(tenant, "crm.payment.received.v1")) == 1


async def test_parallel_parts_all_count(http: httpx.AsyncClient, get: Post, order: dict[str, Any]) -> None:
    answers = await asyncio.gather(*(http.post("/v1/payments", json=money(order, "5.00")) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert await state(get, order) == ("paid", "30.00", "0.00", "0.00")


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("30.00", "USD", "currency_mismatch"),
        ("0", "EUR", "amount_not_positive"),
        ("-1.00", "EUR", "amount_not_positive"),
        ("1.001", "EUR", "amount_not_in_coins"),
    ],
)
async def test_what_is_no_payment_of_this_order_is_refused(
    http: httpx.AsyncClient, get: Post, order: dict[str, Any], amount: str, currency: str, code: str
) -> None:
    refused = await http.post("/v1/payments", json=money(order, amount, currency=currency))
    assert code_of(refused) == (422, code)
    assert (await state(get, order))[0] == "unpaid"


async def test_no_more_is_given_back_than_was_kept(
    kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, post: Post, get: Post, order: dict[str, Any]
) -> None:
    await post("/v1/payments", money(order, "30.00"))
    refund = {**money(order, "12.00", "back-1"), "reason": "returned goods"}
    for _ in range(2):
        await post("/v1/payments/refunds", refund)
    assert await state(get, order) == ("partly_paid", "18.00", "12.00", "0.00")
    too_much = {**money(order, "18.01"), "reason": "all of it"}
    assert code_of(await http.post("/v1/payments/refunds", json=too_much)) == (409, "refund_too_large")
    assert len(await kit.events(tenant, "crm.payment.refunded.v1")) == 1
    assert len(await kit.events(tenant, "crm.order.paid.v1")) == 1
    kinds = {one["kind"] for one in (await get("/v1/payments", order_id=order["id"]))["items"]}
    assert kinds == {"receipt", "refund"}


async def test_what_is_owed_past_its_date_is_overdue_once(
    *, kit: ServiceKit, tenant: UUID, post: Post, get: Post, shop: Shop, customer: str, order: dict[str, Any]
) -> None:
    paid = await post("/v1/orders", {"customer_id": customer, "lines": [shop.line("A")]})
    await post("/v1/payments", money(paid, "10.00"))
    await post("/v1/payments", money(order, "10.00"))
    for days in (13, 15, 20):
        await kit.run_timers(now=kit.clock.now() + timedelta(days=days))
    (event,) = await kit.events(tenant, "crm.order.overdue.v1")
    assert (event.subject, event.payload()["outstanding"]["amount"]) == (order["id"], "20.00")
    assert [one["id"] for one in (await get("/v1/orders", overdue=True))["items"]] == [order["id"]]
