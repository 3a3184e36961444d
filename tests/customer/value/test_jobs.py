from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from crm_customer.value.domain import fifths, group_of
from crm_shared.ids import public_id
from crm_shared.testing.kit import ServiceKit

Register = Callable[..., Awaitable[UUID]]


async def rate(kit: ServiceKit, http: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await http.post("/v1/values/ratings", json=body)
    assert answer.status_code == 202, answer.text
    await kit.run_jobs()
    operation = (await http.get(answer.headers["location"])).json()
    assert operation["state"] == "succeeded", operation
    return operation["result"]


async def report(http: httpx.AsyncClient, items: list[dict[str, Any]]) -> None:
    answer = await http.post("/v1/purchases/bulk", json={"items": items})
    assert {item["status"] for item in answer.json()["items"]} == {201}, answer.text


@pytest.fixture
async def bought(kit: ServiceKit, http: httpx.AsyncClient, register: Register) -> dict[UUID, list[tuple[int, Decimal]]]:
    """Eleven customers with purchases so many days ago and at such a price, ties among them."""
    plan: dict[UUID, list[tuple[int, Decimal]]] = {}
    items: list[dict[str, Any]] = []
    for n in range(11):
        customer = await register()
        plan[customer] = [(n // 2 + 10 * k, Decimal(5 + n % 4)) for k in range(1 + n % 3)]
        for k, (days, price) in enumerate(plan[customer]):
            items.append(
                {
                    "customer_id": public_id("cus", customer),
                    "source": "shop",
                    "external_id": f"{n}-{k}",
                    "occurred_at": (kit.clock.now() - timedelta(days=days)).isoformat(),
                    "amount": {"amount": str(price), "currency": "EUR"},
                }
            )
    await report(http, items)
    await register(display_name="Never bought")
    return plan


async def test_scores_are_those_of_the_domain(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, bought: dict[UUID, list[tuple[int, Decimal]]]
) -> None:
    assert (await rate(kit, http)) == {"run": 1, "customers": 11, "changed": 11}
    customers = list(bought)
    recency = fifths([-min(days for days, _ in bought[c]) for c in customers])
    frequency = fifths([len(bought[c]) for c in customers])
    monetary = fifths([sum(price for _, price in bought[c]) for c in customers])
    for customer, r, f, m in zip(customers, recency, frequency, monetary, strict=True):
        found = (await http.get(f"/v1/customers/{public_id('cus', customer)}/value")).json()
        assert (found["recency"], found["frequency"], found["monetary"]) == (r, f, m)
        assert found["group"] == group_of(r, f, m)
    told = await kit.events(tenant, "crm.customer.value-rated.v1")
    assert len(told) == 11


async def test_only_changed_scores_are_told_and_others_currencies_are_not_added(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, bought: dict[UUID, list[tuple[int, Decimal]]]
) -> None:
    await rate(kit, http)
    best = max(bought, key=lambda c: (len(bought[c]), -bought[c][0][0]))
    foreign = {
        "customer_id": public_id("cus", best),
        "source": "shop",
        "external_id": "yen",
        "occurred_at": kit.clock.now().isoformat(),
        "amount": {"amount": "900000", "currency": "JPY"},
    }
    await report(http, [foreign])
    before = (await http.get(f"/v1/customers/{public_id('cus', best)}/value")).json()
    result = await rate(kit, http)
    after = (await http.get(f"/v1/customers/{public_id('cus', best)}/value")).json()
    assert result["changed"] < 11
    assert after["total"] == before["total"]
    assert after["purchases"] == before["purchases"] + 1
    assert len(await kit.events(tenant, "crm.customer.value-rated.v1")) == 11 + result["changed"]


async def test_as_of_sees_only_what_had_happened(
    kit: ServiceKit, http: httpx.AsyncClient, bought: dict[UUID, list[tuple[int, Decimal]]]
) -> None:
    as_of = kit.clock.now() - timedelta(days=4, hours=12)
    seen = {c: [p for p in ps if p[0] >= 5] for c, ps in bought.items()}
    result = await rate(kit, http, as_of=as_of.isoformat())
    assert result["customers"] == sum(bool(ps) for ps in seen.values())
    runs = (await http.get("/v1/values/ratings")).json()["items"]
    assert [run["finished_at"] is not None for run in runs] == [True]


async def test_the_cross_table_counts_everybody_once(
    kit: ServiceKit, http: httpx.AsyncClient, bought: dict[UUID, list[tuple[int, Decimal]]]
) -> None:
    await rate(kit, http)
    table = (await http.get("/v1/values/cross-table")).json()
    assert len(table["cells"]) == 25
    assert sum(cell["customers"] for cell in table["cells"]) == table["customers"] == 11
    money = sum(Decimal(cell["total"]) for cell in table["cells"])
    assert money == sum(price for purchases in bought.values() for _, price in purchases)
    groups = (await http.get("/v1/values/groups")).json()["items"]
    assert sum(group["customers"] for group in groups) == 11


async def test_nothing_to_rate_is_said(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/values/ratings", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_rate")
