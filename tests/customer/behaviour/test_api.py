from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit

Register = Callable[..., Awaitable[UUID]]


def purchase(kit: ServiceKit, customer: UUID, number: str, **more: Any) -> dict[str, Any]:
    return {
        "customer_id": public_id("cus", customer),
        "source": "shop",
        "external_id": number,
        "occurred_at": kit.clock.now().isoformat(),
        "amount": {"amount": "10.00", "currency": "EUR"},
        **more,
    }


async def test_a_repeat_is_known_and_a_contradiction_refused(
    kit: ServiceKit, http: httpx.AsyncClient, register: Register
) -> None:
    customer = await register()
    body = purchase(kit, customer, "1", items=[{"name": "Book", "quantity": "2", "amount": "5.00"}])
    first = await http.post("/v1/purchases", json=body)
    assert first.status_code == 201, first.text
    assert (await http.post("/v1/purchases", json=body)).json() == first.json()
    other = {**body, "amount": {"amount": "11.00", "currency": "EUR"}}
    refused = await http.post("/v1/purchases", json=other)
    assert (refused.status_code, refused.json()["code"]) == (409, "external_id_reused")
    assert (await http.get(f"/v1/customers/{public_id('cus', customer)}/behaviour")).json()["purchases"] == 1
    # Another kind, or another source, is another fact.
    assert (await http.post("/v1/purchases", json={**other, "kind": "payment"})).status_code == 201


async def test_bulk_tells_new_from_repeated_from_refused(
    kit: ServiceKit, http: httpx.AsyncClient, register: Register
) -> None:
    customer = await register(external_source="erp", external_id="9")
    by_key = purchase(kit, customer, "2", customer_source="erp", customer_external_id="9")
    by_key.pop("customer_id")
    items = [
        purchase(kit, customer, "1"),
        by_key,
        purchase(kit, customer, "1"),
        purchase(kit, new_id(), "3"),
        purchase(kit, customer, "4", occurred_at=(kit.clock.now() + timedelta(days=1)).isoformat()),
        purchase(kit, customer, "5", amount={"amount": "-1.00", "currency": "EUR"}),
    ]
    answer = await http.post("/v1/purchases/bulk", json={"items": items})
    assert [item["status"] for item in answer.json()["items"]] == [201, 201, 200, 404, 422, 422]
    page = (await http.get(f"/v1/customers/{public_id('cus', customer)}/purchases", params={"kind": "purchase"})).json()
    assert {item["external_id"] for item in page["items"]} == {"1", "2"}


async def test_a_return_is_subtracted_from_nothing_but_shown_apart(
    kit: ServiceKit, http: httpx.AsyncClient, register: Register
) -> None:
    customer = await register()
    await http.post("/v1/purchases", json=purchase(kit, customer, "1"))
    returned = purchase(kit, customer, "1", kind="return", amount={"amount": "4.00", "currency": "EUR"})
    await http.post("/v1/purchases", json=returned)
    sums = (await http.get(f"/v1/customers/{public_id('cus', customer)}/behaviour")).json()["amounts"]
    assert sums == [
        {
            "purchased": {"amount": "10.00", "currency": "EUR"},
            "returned": {"amount": "4.00", "currency": "EUR"},
            "paid": {"amount": "0.00", "currency": "EUR"},
        }
    ]
