from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from crm_shared.ids import public_id
from crm_shared.testing.kit import ServiceKit

Register = Callable[..., Awaitable[UUID]]


def path(customer: UUID) -> str:
    return f"/v1/customers/{public_id('cus', customer)}"


async def merge(http: httpx.AsyncClient, survivor: UUID, merged: UUID) -> httpx.Response:
    body = {"merged_id": public_id("cus", merged), "reason": "same person"}
    return await http.post(f"{path(survivor)}/merge", json=body)


async def unmerge(http: httpx.AsyncClient, survivor: UUID, restored: UUID) -> httpx.Response:
    return await http.post(f"{path(survivor)}/unmerge", json={"restored_id": public_id("cus", restored)})


async def everything(http: httpx.AsyncClient, customer: UUID) -> dict[str, Any]:
    """All that can be seen of a customer."""
    seen: dict[str, Any] = {}
    for part in ("", "/consents", "/consents/ledger", "/behaviour", "/purchases", "/lifecycle", "/timeline"):
        answer = await http.get(path(customer) + part)
        seen[part] = answer.json()
    return seen


async def consent(http: httpx.AsyncClient, customer: UUID, status: str, purpose: str = "news") -> None:
    body = {"purpose": purpose, "channel": "email", "status": status}
    assert (await http.post(f"{path(customer)}/consents", json=body)).status_code == 201


async def allowed(http: httpx.AsyncClient, customer: UUID, purpose: str = "news", **when: str) -> bool:
    params = {"purpose": purpose, "channel": "email", **when}
    return (await http.get(f"{path(customer)}/consents/check", params=params)).json()["allowed"]


async def buys(kit: ServiceKit, http: httpx.AsyncClient, customer: UUID, number: str) -> None:
    body = {
        "customer_id": public_id("cus", customer),
        "source": "shop",
        "external_id": number,
        "occurred_at": kit.clock.now().isoformat(),
        "amount": {"amount": "10.00", "currency": "EUR"},
    }
    assert (await http.post("/v1/purchases", json=body)).status_code == 201


@pytest.fixture
async def pair(kit: ServiceKit, http: httpx.AsyncClient, register: Register) -> tuple[UUID, UUID]:
    """Two records of one customer: one allows news and bought once, the other revoked and bought twice."""
    points = [{"channel": "email", "value": "a@example.com"}]
    first = await register(display_name="A", contact_points=points)
    second = await register(display_name="B", contact_points=[*points, {"channel": "email", "value": "b@example.com"}])
    await consent(http, first, "granted")
    await consent(http, second, "revoked")
    await consent(http, second, "granted", "surveys")
    await buys(kit, http, first, "1")
    await buys(kit, http, second, "2")
    await buys(kit, http, second, "3")
    await kit.run_timers()
    kit.clock.advance(timedelta(minutes=1))
    return first, second


async def test_the_survivor_answers_for_both(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, pair: tuple[UUID, UUID]
) -> None:
    first, second = pair
    answer = await merge(http, first, second)
    assert answer.status_code == 200, answer.text
    assert (await http.get(path(second))).json() == answer.json()
    assert [point["value"] for point in answer.json()["contact_points"]] == ["a@example.com", "b@example.com"]
    assert (await http.get(f"{path(second)}/behaviour")).json()["purchases"] == 3
    listed = (await http.get("/v1/customers")).json()["items"]
    assert [item["id"] for item in listed] == [public_id("cus", first)]
    found = (await http.get("/v1/customers/search", params={"q": "b@example"})).json()["items"]
    assert [item["id"] for item in found] == [public_id("cus", first)]
    told = await kit.events(tenant, "crm.customer.merged.v1")
    assert {event.aggregate_id for event in told} == {first, second}


async def test_the_strictest_consent_wins_until_the_customer_speaks_again(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, pair: tuple[UUID, UUID]
) -> None:
    first, second = pair
    before = kit.clock.now().isoformat()
    assert await allowed(http, first)
    kit.clock.advance(timedelta(minutes=1))
    await merge(http, first, second)
    assert not await allowed(http, first)
    assert await allowed(http, first, "surveys")
    told = [event.payload() for event in await kit.events(tenant, "crm.customer.consent-changed.v1")]
    assert [(each["purpose"], each["status"]) for each in told[3:]] == [("news", "revoked"), ("surveys", "granted")]
    # What was allowed before the merge stays provable, record by record.
    assert await allowed(http, first, at=before)
    assert not await allowed(http, second, at=before)
    kit.clock.advance(timedelta(minutes=1))
    await consent(http, second, "granted")
    assert await allowed(http, first)


async def test_unmerge_restores_exactly_what_was(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, pair: tuple[UUID, UUID]
) -> None:
    first, second = pair
    before = {each: await everything(http, each) for each in pair}
    await merge(http, first, second)
    await kit.run_timers()
    kit.clock.advance(timedelta(minutes=1))
    answer = await unmerge(http, first, second)
    assert answer.status_code == 200, answer.text
    await kit.run_timers()
    after = {each: await everything(http, each) for each in pair}
    assert after[second] == before[second]
    for seen in (before[first], after[first]):
        for changed in ("version", "updated_at"):
            seen[""].pop(changed)
        seen["/lifecycle"].pop("since")  # it stood elsewhere meanwhile
    assert after[first] == before[first]
    assert await allowed(http, first)
    told = await kit.events(tenant, "crm.customer.unmerged.v1")
    assert {event.aggregate_id for event in told} == {first, second}
    withdrawn = (await kit.events(tenant, "crm.customer.consent-changed.v1"))[-1]
    assert (withdrawn.payload()["purpose"], withdrawn.payload()["status"]) == ("surveys", "revoked")


async def test_a_chain_comes_apart_in_any_order(kit: ServiceKit, http: httpx.AsyncClient, register: Register) -> None:
    a, b, c = [await register(display_name=name) for name in "ABC"]
    for customer, number in ((a, "1"), (b, "2"), (c, "3")):
        await buys(kit, http, customer, number)
    await merge(http, b, a)
    await merge(http, c, b)
    assert (await http.get(path(a))).json()["display_name"] == "C"
    assert (await merge(http, a, c)).json()["code"] == "already_merged"
    await unmerge(http, c, b)
    assert (await http.get(path(a))).json()["display_name"] == "B"
    assert (await http.get(f"{path(b)}/behaviour")).json()["purchases"] == 2
    assert (await http.get(f"{path(c)}/behaviour")).json()["purchases"] == 1
    await unmerge(http, b, a)
    assert (await http.get(path(a))).json()["display_name"] == "A"
    assert (await http.get(f"{path(b)}/behaviour")).json()["purchases"] == 1
    assert (await unmerge(http, b, a)).status_code == 404


async def test_a_purchase_reported_for_the_merged_record_counts_for_the_survivor_and_goes_back(
    kit: ServiceKit, http: httpx.AsyncClient, pair: tuple[UUID, UUID]
) -> None:
    first, second = pair
    await merge(http, first, second)
    await buys(kit, http, second, "late")
    assert (await http.get(f"{path(first)}/behaviour")).json()["purchases"] == 4
    await unmerge(http, first, second)
    assert (await http.get(f"{path(first)}/behaviour")).json()["purchases"] == 1
    assert (await http.get(f"{path(second)}/behaviour")).json()["purchases"] == 3


async def test_nobody_is_merged_with_themselves(http: httpx.AsyncClient, register: Register) -> None:
    customer = await register()
    assert (await merge(http, customer, customer)).json()["code"] == "same_record"
