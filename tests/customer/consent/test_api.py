from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit

Register = Callable[..., Awaitable[UUID]]
CHANGED = "crm.customer.consent-changed.v1"


def path(customer: UUID) -> str:
    return f"/v1/customers/{public_id('cus', customer)}/consents"


async def record(http: httpx.AsyncClient, customer: UUID, status: str = "granted", **more: Any) -> dict[str, Any]:
    body = {"purpose": "news", "channel": "email", "status": status, **more}
    answer = await http.post(path(customer), json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def check(http: httpx.AsyncClient, customer: UUID, **params: str) -> dict[str, Any]:
    answer = await http.get(f"{path(customer)}/check", params={"purpose": "news", "channel": "email", **params})
    assert answer.status_code == 200, answer.text
    return answer.json()


def ago(kit: ServiceKit, **how: float) -> str:
    moment: datetime = kit.clock.now() - timedelta(**how)
    return moment.isoformat()


async def test_the_answer_names_the_row_that_proves_it(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Register
) -> None:
    customer = await register()
    assert (await check(http, customer))["reason"] == "never_asked"
    granted = await record(http, customer, evidence="form 7", source="shop")
    answer = await check(http, customer)
    assert (answer["allowed"], answer["proof"]) == (True, granted)
    (event,) = await kit.events(tenant, CHANGED)
    assert event.payload()["consent_id"] == granted["id"]
    assert event.subject == public_id("cus", customer)


async def test_late_news_is_kept_but_neither_regrants_nor_is_told(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Register
) -> None:
    customer = await register()
    await record(http, customer, "revoked", effective_at=ago(kit, days=1))
    await record(http, customer, "granted", effective_at=ago(kit, days=2))
    assert not (await check(http, customer))["allowed"]
    assert (await check(http, customer, at=ago(kit, days=1.5)))["allowed"]
    ledger = (await http.get(f"{path(customer)}/ledger")).json()["items"]
    assert [row["status"] for row in ledger] == ["granted", "revoked"]
    assert [event.payload()["status"] for event in await kit.events(tenant, CHANGED)] == ["revoked"]


async def test_a_repeated_reference_is_one_row(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Register
) -> None:
    customer = await register()
    first = await record(http, customer, source="shop", source_ref="click-1")
    await record(http, customer, "revoked")
    again = await record(http, customer, source="shop", source_ref="click-1")
    assert again["id"] == first["id"]
    assert not (await check(http, customer))["allowed"]


async def test_an_expiry_is_told_exactly_once(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Register
) -> None:
    customer = await register()
    ends = kit.clock.now() + timedelta(days=3)
    granted = await record(http, customer, expires_at=ends.isoformat())
    assert (await check(http, customer, at=(ends - timedelta(seconds=1)).isoformat()))["allowed"]
    kit.clock.set(ends + timedelta(minutes=5))
    await kit.run_timers()
    await kit.run_timers()
    statuses = [event.payload()["status"] for event in await kit.events(tenant, CHANGED)]
    assert statuses == ["granted", "expired"]
    ledger = (await http.get(f"{path(customer)}/ledger")).json()["items"]
    assert next((row["status"], row["source_ref"]) for row in ledger) == (
        "expired",
        str(parsed(granted["id"])),
    )
    assert (await check(http, customer))["reason"] == "expired"


def parsed(text: str) -> UUID:
    from crm_shared.ids import parse_id

    return parse_id("cst", text)


async def test_a_grant_renewed_in_time_does_not_expire(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Register
) -> None:
    customer = await register()
    ends = kit.clock.now() + timedelta(days=3)
    await record(http, customer, expires_at=ends.isoformat())
    kit.clock.advance(timedelta(days=1))
    await record(http, customer)
    kit.clock.set(ends + timedelta(minutes=5))
    await kit.run_timers()
    assert (await check(http, customer))["allowed"]
    assert "expired" not in [event.payload()["status"] for event in await kit.events(tenant, CHANGED)]


class TestDoubleOptIn:
    async def test_allows_only_once_confirmed(
        self, kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Register
    ) -> None:
        customer = await register()
        pending = await record(http, customer, opt_in="pending")
        assert (await check(http, customer))["reason"] == "awaiting_confirmation"
        assert await kit.events(tenant, CHANGED) == []
        for _ in range(2):
            answer = await http.post(f"{path(customer)}/{pending['id']}/confirm")
            assert answer.status_code == 201, answer.text
        assert (await check(http, customer))["allowed"]
        assert len(await kit.events(tenant, CHANGED)) == 1

    async def test_an_old_confirmation_does_not_undo_a_revocation(
        self, kit: ServiceKit, http: httpx.AsyncClient, register: Register
    ) -> None:
        customer = await register()
        pending = await record(http, customer, opt_in="pending")
        await record(http, customer, "revoked")
        answer = await http.post(f"{path(customer)}/{pending['id']}/confirm")
        assert (answer.status_code, answer.json()["code"]) == (409, "consent_revoked_since")


async def test_unsubscribing_revokes_once_however_often_it_is_told(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Register
) -> None:
    customer, message = await register(), new_id()
    await record(http, customer)
    kit.clock.advance(timedelta(minutes=1))
    at = kit.clock.now().isoformat()
    told = {"customer_id": public_id("cus", customer), "channel": "email", "purpose": "news", "at": at}
    envelope = await kit.deliver(tenant, "crm.message.unsubscribed.v1", message, told)
    await kit.apply([envelope])
    assert not (await check(http, customer))["allowed"]
    assert [event.payload()["status"] for event in await kit.events(tenant, CHANGED)] == ["granted", "revoked"]


async def test_bulk_names_what_was_wrong_with_each(http: httpx.AsyncClient, register: Register) -> None:
    customer = await register(external_source="erp", external_id="1")
    base = {"purpose": "news", "channel": "email", "status": "granted"}
    items = [
        {**base, "customer_id": public_id("cus", customer)},
        {**base, "external_source": "erp", "external_id": "1", "channel": "phone"},
        {**base, "external_source": "erp", "external_id": "2"},
        {**base, "customer_id": public_id("cus", new_id())},
        {**base, "customer_id": public_id("cus", customer), "effective_at": "2100-01-01T00:00:00Z"},
    ]
    answer = await http.post("/v1/consents/bulk", json={"items": items})
    assert answer.status_code == 207
    assert [item["status"] for item in answer.json()["items"]] == [201, 201, 404, 404, 422]
    states = (await http.get(path(customer))).json()["items"]
    assert [(state["channel"], state["status"]) for state in states] == [("email", "granted"), ("phone", "granted")]


async def test_nonsense_is_refused_by_name(http: httpx.AsyncClient, register: Register) -> None:
    customer = await register()
    base = {"purpose": "news", "channel": "email", "status": "granted"}
    for wrong in (
        {"status": "expired"},
        {"purpose": "No News"},
        {"source_ref": "1"},
        {"expires_at": "2001-01-01T00:00:00Z"},
    ):
        assert (await http.post(path(customer), json=base | wrong)).status_code == 422, wrong
