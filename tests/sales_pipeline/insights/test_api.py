"""What campaigns returned, on real PostgreSQL: cash received against expenses approved."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.sales_pipeline.conftest import OpenShop, Post, code_of

from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit


@pytest.fixture
def campaign() -> UUID:
    return new_id()


async def finish(kit: ServiceKit, tenant: UUID, campaign: UUID, cost: str = "100.00") -> None:
    told = {"name": "Spring", "purpose": "marketing"}
    await kit.deliver(tenant, "crm.campaign.approved.v1", campaign, told)
    await kit.deliver(tenant, "crm.campaign.started.v1", campaign, {**told, "at": "2026-01-05T09:00:00Z"})
    ended = {**told, "targeted": 50, "accepted": 48, "failed": 1, "suppressed": 1, "at": "2026-01-06T09:00:00Z"}
    money = {"amount": cost, "currency": "EUR"}
    await kit.deliver(tenant, "crm.campaign.finished.v1", campaign, {**ended, "cost": money})


async def respond(kit: ServiceKit, tenant: UUID, campaign: UUID, customer: str) -> None:
    answer = {
        "customer_id": customer,
        "campaign_id": public_id("cmp", campaign),
        "kind": "click",
        "wants": "lead",
        "buying_window": "now",
        "captured_at": kit.clock.now().isoformat(),
    }
    await kit.deliver(tenant, "crm.response.captured.v1", new_id(), answer)


async def test_a_campaign_is_followed_from_response_to_cash(
    kit: ServiceKit, tenant: UUID, post: Post, get: Post, open_shop: OpenShop, campaign: UUID
) -> None:
    shop = await open_shop({"A": "150.00"})
    for _ in range(4):
        await respond(kit, tenant, campaign, public_id("cus", new_id()))
    await finish(kit, tenant, campaign)
    leads = (await get("/v1/leads"))["items"]
    kit.clock.advance(timedelta(hours=2))
    for lead in leads[:3]:
        await post(f"/v1/leads/{lead['id']}/contact", {})
    deal = await post(f"/v1/leads/{leads[0]['id']}/convert", {})
    quote = await post("/v1/quotes", {"deal_id": deal["id"], "lines": [shop.line("A", "2")]})
    await post(f"/v1/quotes/{quote['id']}/send")
    order = await post(f"/v1/quotes/{quote['id']}/accept")
    path = f"/v1/campaign-returns/{public_id('cmp', campaign)}"
    booked = await get(path)
    assert booked["returns"][0]["received"]["amount"] == "0.00", "a booking is no return"
    paid = {"order_id": order["id"], "reference": "bank-1", "amount": {"amount": "250.00", "currency": "EUR"}}
    payment = await post("/v1/payments", paid)
    assert payment["campaign_id"] == public_id("cmp", campaign)
    report = await get(path)
    assert (report["name"], report["targeted"], report["accepted"]) == ("Spring", 50, 48)
    assert (report["leads"], report["followed_up"], report["followed_up_share"]) == (4, 3, "0.7500")
    assert (report["mean_hours_to_contact"], report["median_hours_to_contact"]) == ("2.00", "2.00")
    assert (report["deals"], report["deals_won"], report["orders"]) == (1, 1, 1)
    (eur,) = report["returns"]
    assert (eur["received"]["amount"], eur["cost"]["amount"], eur["ratio"]) == ("250.00", "100.00", "2.50")
    assert (await get("/v1/campaign-returns"))["items"] == [report]


async def test_the_cost_of_a_campaign_is_booked_once_however_often_its_end_is_told(
    kit: ServiceKit, tenant: UUID, get: Post, campaign: UUID
) -> None:
    for _ in range(2):
        await finish(kit, tenant, campaign)
    (expense,) = (await get("/v1/expenses"))["items"]
    assert (expense["state"], expense["amount"]["amount"], expense["source"]) == ("approved", "100.00", "campaign")
    assert len(await kit.events(tenant, "crm.expense.approved.v1")) == 1


async def test_only_what_somebody_else_approved_counts(
    kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, post: Post, get: Post, campaign: UUID
) -> None:
    spent: dict[str, Any] = {"campaign_id": public_id("cmp", campaign), "description": "Print"}
    made = [
        await post("/v1/expenses", {**spent, "amount": {"amount": "40.00", "currency": currency}})
        for currency in ("EUR", "USD", "EUR")
    ]
    path = f"/v1/expenses/{made[0]['id']}"
    assert code_of(await http.post(f"{path}/approve")) == (403, "approval_own_expense")
    async with kit.client(tenant, subject="usr_boss") as boss:
        assert (await boss.post(f"{path}/approve")).json()["state"] == "approved"
        assert (await boss.post(f"/v1/expenses/{made[1]['id']}/approve")).status_code == 200
        assert (await boss.post(f"/v1/expenses/{made[2]['id']}/reject")).json()["state"] == "rejected"
        assert code_of(await boss.post(f"{path}/reject")) == (409, "expense_approved")
    returns = (await get(f"/v1/campaign-returns/{public_id('cmp', campaign)}"))["returns"]
    assert [(one["currency"], one["cost"]["amount"], one["ratio"]) for one in returns] == [
        ("EUR", "40.00", "0.00"),
        ("USD", "40.00", "0.00"),
    ]


async def test_a_refund_takes_back_from_the_campaign(
    post: Post, get: Post, open_shop: OpenShop, campaign: UUID, customer: str
) -> None:
    shop = await open_shop({"A": "10.00"})
    of = public_id("cmp", campaign)
    order = await post("/v1/orders", {"customer_id": customer, "lines": [shop.line("A")], "campaign_id": of})
    money = {"order_id": order["id"], "amount": {"amount": "10.00", "currency": "EUR"}}
    await post("/v1/payments", {**money, "reference": "in"})
    await post("/v1/payments/refunds", {**money, "reference": "out", "reason": "returned"})
    report = await get(f"/v1/campaign-returns/{of}")
    assert [(one["received"]["amount"], one["ratio"]) for one in report["returns"]] == [("0.00", None)]
    assert report["followed_up_share"] is None


async def test_a_campaign_nobody_heard_of_is_not_there(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"/v1/campaign-returns/{public_id('cmp', new_id())}")).status_code == 404


async def test_the_funnel_counts_and_adds_no_money(post: Post, get: Post, open_shop: OpenShop, customer: str) -> None:
    shop = await open_shop({"A": "10.00"})
    leads = [await post("/v1/leads", {"source": "web", "source_key": key, "customer_id": customer}) for key in "abc"]
    for lead in leads[:2]:
        await post(f"/v1/leads/{lead['id']}/contact", {})
    await post(f"/v1/leads/{leads[0]['id']}/qualify")
    deal = await post(f"/v1/leads/{leads[0]['id']}/convert", {})
    quote = await post("/v1/quotes", {"deal_id": deal["id"], "lines": [shop.line("A")]})
    await post(f"/v1/quotes/{quote['id']}/send")
    order = await post(f"/v1/quotes/{quote['id']}/accept")
    await post(f"/v1/orders/{order['id']}/deliver", {})
    counts = {one["stage"]: one["count"] for one in (await get("/v1/funnel"))["stages"]}
    assert counts == {
        "leads": 3,
        "leads_assigned": 0,
        "leads_contacted": 2,
        "leads_qualified": 1,
        "leads_converted": 1,
        "deals": 1,
        "deals_won": 1,
        "deals_lost": 0,
        "quotes": 1,
        "quotes_sent": 1,
        "quotes_accepted": 1,
        "orders": 1,
        "orders_paid": 0,
        "orders_delivered": 1,
    }
    later = await get("/v1/funnel", begun_from="2100-01-01T00:00:00Z")
    assert {one["count"] for one in later["stages"]} == {0}


async def test_partners_see_no_expenses_and_no_returns(kit: ServiceKit, tenant: UUID) -> None:
    async with kit.client(tenant, partner="acme") as acme:
        for path in ("/v1/expenses", "/v1/campaign-returns"):
            assert code_of(await acme.get(path)) == (403, "partner_excluded")
