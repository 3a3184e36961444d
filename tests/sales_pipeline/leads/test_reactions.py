"""Interest that other services notice, on real PostgreSQL."""

from typing import Any
from uuid import UUID

from tests.sales_pipeline.conftest import Post

from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit

AT = "2026-01-05T09:00:00Z"


def response(customer: str, **fields: Any) -> dict[str, Any]:
    return {"customer_id": customer, "kind": "reply", "wants": "lead", "captured_at": AT, **fields}


async def test_a_response_that_wants_a_lead_becomes_one_however_often_it_is_said(
    kit: ServiceKit, tenant: UUID, customer: str, get: Post
) -> None:
    answer, campaign = new_id(), public_id("cmp", new_id())
    told = response(customer, campaign_id=campaign, buying_window="within_3_months", text="Yes please")
    for _ in range(2):
        await kit.deliver(tenant, "crm.response.captured.v1", answer, told)
    (lead,) = (await get("/v1/leads"))["items"]
    assert (lead["source"], lead["campaign_id"], lead["customer_id"]) == ("campaign", campaign, customer)
    assert (lead["response_id"], lead["buying_window"]) == (public_id("rsp", answer), "within_3_months")
    assert lead["interest"] == "Yes please"


async def test_a_response_that_wants_no_lead_becomes_none(
    kit: ServiceKit, tenant: UUID, customer: str, get: Post
) -> None:
    await kit.deliver(tenant, "crm.response.captured.v1", new_id(), response(customer, wants="nothing"))
    assert (await get("/v1/leads"))["items"] == []


async def test_a_window_we_do_not_know_is_unknown_not_an_error(
    kit: ServiceKit, tenant: UUID, customer: str, get: Post
) -> None:
    await kit.deliver(tenant, "crm.response.captured.v1", new_id(), response(customer, buying_window="next_decade"))
    assert (await get("/v1/leads"))["items"][0]["buying_window"] == "unknown"


async def test_revealed_demand_becomes_one_lead(kit: ServiceKit, tenant: UUID, customer: str, get: Post) -> None:
    demand = new_id()
    for _ in range(2):
        await kit.deliver(
            tenant,
            "crm.demand.revealed.v1",
            demand,
            {"customer_id": customer, "text": "Asked for a bigger one", "buying_window": "now"},
        )
    (lead,) = (await get("/v1/leads", customer_id=customer))["items"]
    assert (lead["source"], lead["interest"]) == ("service", "Asked for a bigger one")


async def test_a_late_response_of_an_erased_customer_makes_no_lead(kit: ServiceKit, tenant: UUID, get: Post) -> None:
    customer = new_id()
    await kit.deliver(tenant, "crm.customer.erased.v1", customer, {"erased_at": AT})
    await kit.deliver(tenant, "crm.response.captured.v1", new_id(), response(public_id("cus", customer)))
    assert (await get("/v1/leads"))["items"] == []


async def test_erasure_blanks_the_person_and_keeps_the_count(
    kit: ServiceKit, tenant: UUID, post: Post, get: Post
) -> None:
    customer = new_id()
    lead = await post(
        "/v1/leads",
        {
            "source": "web",
            "customer_id": public_id("cus", customer),
            "contact": {"name": "Kim", "email": "kim@example.org", "phone": "+43 1 234"},
            "interest": "a birthday gift",
        },
    )
    await kit.deliver(tenant, "crm.customer.erased.v1", customer, {"erased_at": AT})
    kept = await get(f"/v1/leads/{lead['id']}")
    assert (await get("/v1/leads", customer_id=public_id("cus", customer)))["items"] == [kept]
    assert kept["contact"] == {"name": None, "email": None, "phone": None, "company": None}
    assert kept["interest"] is None


async def test_erasure_reaches_leads_that_only_share_the_address(
    kit: ServiceKit, tenant: UUID, post: Post, get: Post
) -> None:
    leads = [
        await post("/v1/leads", {"source": source, "contact": {"name": "Kim", "email": "Kim@example.org"}})
        for source in ("web", "fair")
    ]
    customer = new_id()
    points = [{"channel": "email", "value": "kim@example.org"}]
    await kit.deliver(tenant, "crm.customer.registered.v1", customer, {"contact_points": points})
    await kit.deliver(tenant, "crm.customer.erased.v1", customer, {"erased_at": AT})
    for lead in leads:
        assert (await get(f"/v1/leads/{lead['id']}"))["contact"]["email"] is None
