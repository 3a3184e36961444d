from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit

Register = Callable[..., Awaitable[UUID]]


async def buys(http: httpx.AsyncClient, customer: UUID, at: datetime) -> None:
    body = {
        "customer_id": public_id("cus", customer),
        "source": "shop",
        "external_id": str(new_id()),
        "occurred_at": at.isoformat(),
        "amount": {"amount": "10.00", "currency": "EUR"},
    }
    answer = await http.post("/v1/purchases", json=body)
    assert answer.status_code == 201, answer.text


async def state_of(http: httpx.AsyncClient, customer: UUID) -> str:
    return (await http.get(f"/v1/customers/{public_id('cus', customer)}/lifecycle")).json()["state"]


async def test_a_customers_way_is_told_step_by_step(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Register
) -> None:
    start = kit.clock.now()
    customer = await register()
    assert await state_of(http, customer) == "potential"
    lead = {"customer_id": public_id("cus", customer), "source": "fair", "buying_window": "now"}
    await kit.deliver(tenant, "crm.lead.captured.v1", new_id(), lead)
    await kit.run_timers()
    assert await state_of(http, customer) == "target"
    for _ in range(2):
        await buys(http, customer, kit.clock.now())
        await kit.run_timers()
        kit.clock.advance(timedelta(days=1))
    kit.clock.advance(timedelta(days=190))
    answer = await http.post("/v1/lifecycle/evaluations", json={})
    assert answer.status_code == 202
    await kit.run_jobs()
    assert (await http.get(answer.headers["location"])).json()["result"] == {"customers": 1, "changed": 1}
    await buys(http, customer, kit.clock.now())
    await kit.run_timers()
    path = f"/v1/customers/{public_id('cus', customer)}/lifecycle/transitions"
    steps = [step["state"] for step in (await http.get(path)).json()["items"]]
    assert steps == ["won_back", "lapsed", "repeat", "first_purchase", "target"]
    told = await kit.events(tenant, "crm.customer.lifecycle-changed.v1")
    assert [event.payload()["state"] for event in told] == steps[::-1]
    assert [event.sequence for event in await kit.events(tenant)] == list(range(1, 7))
    kit.clock.set(start + timedelta(days=400))


async def test_the_same_order_twice_counts_once(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Register
) -> None:
    customer, order = await register(), new_id()
    placed: dict[str, Any] = {
        "customer_id": public_id("cus", customer),
        "number": "A-1",
        "total": {"amount": "10.00", "currency": "EUR"},
        "lines": [],
        "placed_at": kit.clock.now().isoformat(),
    }
    await kit.deliver(tenant, "crm.order.placed.v1", order, placed)
    await kit.deliver(tenant, "crm.order.placed.v1", order, placed)
    paid = {"customer_id": public_id("cus", customer), "amount": placed["total"], "received_at": placed["placed_at"]}
    await kit.deliver(tenant, "crm.payment.received.v1", new_id(), paid)
    await kit.run_timers()
    sums = (await http.get(f"/v1/customers/{public_id('cus', customer)}/behaviour")).json()
    assert (sums["purchases"], sums["payments"]) == (1, 1)
    assert await state_of(http, customer) == "first_purchase"


async def test_what_if_counts_and_changes_nothing(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Register
) -> None:
    for _ in range(3):
        customer = await register()
        for _ in range(3):
            await buys(http, customer, kit.clock.now() - timedelta(days=30))
    await kit.run_timers()
    before = (await http.get("/v1/lifecycle/states")).json()
    tried = await http.post("/v1/lifecycle/what-if", json={"loyal_from": 3})
    assert tried.json() == {"changed": 3, "shifts": [{"previous": "repeat", "state": "loyal", "customers": 3}]}
    assert (await http.get("/v1/lifecycle/states")).json() == before
    rules = (await http.get("/v1/lifecycle/rules")).json()
    assert rules["version"] == 1
    changed = await http.put("/v1/lifecycle/rules", json={"loyal_from": 3}, headers={"If-Match": '"1"'})
    assert changed.json()["version"] == 2
    stale = await http.put("/v1/lifecycle/rules", json={"loyal_from": 4}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    await http.post("/v1/lifecycle/evaluations", json={})
    await kit.run_jobs()
    states = {item["state"]: item["customers"] for item in (await http.get("/v1/lifecycle/states")).json()["items"]}
    assert states["loyal"] == 3


async def test_contradictory_rules_name_the_field(http: httpx.AsyncClient) -> None:
    answer = await http.put("/v1/lifecycle/rules", json={"lapsed_after_days": 400})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/lost_after_days"


async def test_every_night_all_customers_are_evaluated(kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID) -> None:
    await kit.deliver(tenant, "crm.tenant.created.v1", tenant, {"name": "T"})
    kit.clock.advance(timedelta(days=1))
    assert await kit.run_timers() >= 1
    assert await kit.run_jobs() >= 1
