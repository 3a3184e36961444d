"""Leads over HTTP, on real PostgreSQL."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from tests.sales_pipeline.conftest import Post, code_of

from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit


async def seller(post: Post, **fields: Any) -> str:
    return (await post("/v1/sellers", {"name": "Sam", **fields}))["id"]


async def rule(post: Post, sellers: list[str], **fields: Any) -> dict[str, Any]:
    return await post(
        "/v1/assignment-rules", {"name": "All", "strategy": "round_robin", "seller_ids": sellers, **fields}
    )


def by_mail(**fields: Any) -> dict[str, Any]:
    return {"source": "web", "contact": {"email": f"{new_id()}@example.org"}, **fields}


class TestCapture:
    async def test_a_lead_that_wants_to_buy_now_goes_to_a_seller_with_a_deadline(
        self, kit: ServiceKit, tenant: UUID, post: Post
    ) -> None:
        sam = await seller(post)
        await rule(post, [sam])
        lead = await post("/v1/leads", by_mail(buying_window="now"))
        assert (lead["state"], lead["owner_id"]) == ("assigned", sam)
        assert lead["first_contact_due_at"] is not None
        assert lead["resurface_at"] is None
        captured, assigned = await kit.events(tenant)
        assert captured.payload()["approach"] == "seller_at_once"
        assert assigned.payload()["owner"] == sam
        assert (captured.sequence, assigned.sequence) == (1, 2)

    async def test_a_far_window_gets_material_or_nurture_and_comes_back(self, post: Post) -> None:
        await rule(post, [await seller(post)])
        for window, days in (("within_6_months", 90), ("within_12_months", 270)):
            lead = await post("/v1/leads", by_mail(buying_window=window))
            assert (lead["state"], lead["owner_id"], lead["first_contact_due_at"]) == ("new", None, None)
            assert lead["resurface_at"] is not None, days

    async def test_the_same_source_key_again_is_the_same_lead(self, kit: ServiceKit, tenant: UUID, post: Post) -> None:
        first = await post("/v1/leads", by_mail(source_key="form-1"))
        second = await post("/v1/leads", by_mail(source_key="form-1"))
        assert first["id"] == second["id"]
        assert len(await kit.events(tenant, "crm.lead.captured.v1")) == 1

    async def test_an_open_lead_of_the_same_person_is_the_same_lead_until_it_ends(self, post: Post) -> None:
        body = {"source": "web", "contact": {"email": "Kim@Example.org "}}
        first = await post("/v1/leads", body)
        same = await post("/v1/leads", {"source": "web", "contact": {"email": "kim@example.org"}})
        assert same["id"] == first["id"]
        await post(f"/v1/leads/{first['id']}/close", {"reason": "wrong number"})
        assert (await post("/v1/leads", body))["id"] != first["id"]

    async def test_parallel_captures_make_one_lead(self, http: httpx.AsyncClient) -> None:
        body = by_mail(source_key="form-2")
        answers = await asyncio.gather(*(http.post("/v1/leads", json=body) for _ in range(6)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1

    async def test_a_lead_nobody_could_answer_is_refused(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/v1/leads", json={"source": "web", "contact": {"name": "Kim"}})
        assert code_of(answer) == (422, "lead_unreachable")

    async def test_a_known_address_finds_its_customer(self, kit: ServiceKit, tenant: UUID, post: Post) -> None:
        customer = new_id()
        await kit.deliver(
            tenant,
            "crm.customer.registered.v1",
            customer,
            {
                "kind": "person",
                "display_name": "Kim",
                "contact_points": [{"channel": "email", "value": "Kim@example.org", "preferred": True}],
            },
        )
        lead = await post("/v1/leads", {"source": "web", "contact": {"email": "kim@example.org"}})
        assert lead["customer_id"] == public_id("cus", customer)


class TestClock:
    async def test_a_missed_first_contact_is_said_exactly_once(
        self, kit: ServiceKit, tenant: UUID, post: Post, get: Post
    ) -> None:
        lead = await post("/v1/leads", by_mail(buying_window="now"))
        later = kit.clock.now() + timedelta(hours=1)
        await kit.run_timers(now=later)
        await kit.run_timers(now=later + timedelta(hours=5))
        breaches = await kit.events(tenant, "crm.lead.sla-breached.v1")
        assert [event.subject for event in breaches] == [lead["id"]]
        assert (await get(f"/v1/leads/{lead['id']}"))["sla_breached_at"] is not None
        assert len((await get("/v1/leads", breached=True))["items"]) == 1

    async def test_a_contact_stops_the_clock_and_says_how_long_it_took(
        self, kit: ServiceKit, tenant: UUID, post: Post
    ) -> None:
        lead = await post("/v1/leads", by_mail(buying_window="now"))
        kit.clock.advance(timedelta(minutes=20))
        contacted = await post(f"/v1/leads/{lead['id']}/contact", {})
        assert (contacted["state"], contacted["seconds_to_contact"]) == ("working", 1200)
        await kit.run_timers(now=kit.clock.now() + timedelta(days=2))
        assert await kit.events(tenant, "crm.lead.sla-breached.v1") == []
        (event,) = await kit.events(tenant, "crm.lead.contacted.v1")
        assert event.payload()["seconds_to_contact"] == 1200

    async def test_a_second_contact_changes_nothing(self, kit: ServiceKit, tenant: UUID, post: Post) -> None:
        lead = await post("/v1/leads", by_mail())
        first = await post(f"/v1/leads/{lead['id']}/contact", {})
        assert await post(f"/v1/leads/{lead['id']}/contact", {}) == first
        assert len(await kit.events(tenant, "crm.lead.contacted.v1")) == 1

    async def test_a_lead_resurfaces_by_itself_in_a_nearer_window(
        self, kit: ServiceKit, tenant: UUID, post: Post, get: Post
    ) -> None:
        sam = await seller(post)
        await rule(post, [sam])
        lead = await post("/v1/leads", by_mail(buying_window="within_12_months"))
        await kit.run_timers(now=kit.clock.now() + timedelta(days=269))
        assert (await get(f"/v1/leads/{lead['id']}"))["resurfaced"] == 0
        await kit.run_timers(now=kit.clock.now() + timedelta(days=271))
        back = await get(f"/v1/leads/{lead['id']}")
        assert (back["buying_window"], back["captured_window"]) == ("within_3_months", "within_12_months")
        assert (back["state"], back["owner_id"], back["resurfaced"]) == ("assigned", sam, 1)
        assert back["first_contact_due_at"] is not None


class TestFollowUp:
    async def test_a_recycled_lead_comes_back_when_asked(self, kit: ServiceKit, post: Post, get: Post) -> None:
        sam = await seller(post)
        await rule(post, [sam])
        lead = await post("/v1/leads", by_mail(buying_window="now"))
        await post(f"/v1/leads/{lead['id']}/contact", {})
        at = kit.clock.now() + timedelta(days=30)
        put_away = await post(f"/v1/leads/{lead['id']}/recycle", {"reason": "budget", "resurface_at": at.isoformat()})
        assert (put_away["state"], put_away["owner_id"]) == ("recycled", None)
        await kit.run_timers(now=at + timedelta(seconds=1))
        back = await get(f"/v1/leads/{lead['id']}")
        assert (back["state"], back["owner_id"], back["buying_window"]) == ("assigned", sam, "now")

    async def test_a_lead_recycled_without_a_time_comes_back_in_a_quarter(
        self, kit: ServiceKit, http: httpx.AsyncClient, post: Post, get: Post
    ) -> None:
        lead = await post("/v1/leads", by_mail(buying_window="now"))
        assert (await http.post(f"/v1/leads/{lead['id']}/contact")).status_code == 200, "its body may be left out"
        await post(f"/v1/leads/{lead['id']}/recycle", {"reason": "not now"})
        await kit.run_timers(now=kit.clock.now() + timedelta(days=91))
        assert (await get(f"/v1/leads/{lead['id']}"))["resurfaced"] == 1
        past = {"reason": "later", "resurface_at": kit.clock.now().isoformat()}
        refused = await http.post(f"/v1/leads/{lead['id']}/recycle", json=past)
        assert code_of(refused) == (422, "in_the_past")

    async def test_pulling_a_lead_forward_brings_a_seller_at_once(self, http: httpx.AsyncClient, post: Post) -> None:
        sam = await seller(post)
        await rule(post, [sam])
        lead = await post("/v1/leads", by_mail(buying_window="within_6_months"))
        answer = await http.patch(f"/v1/leads/{lead['id']}", json={"buying_window": "now"})
        pulled = answer.json()
        assert (pulled["state"], pulled["owner_id"], pulled["resurface_at"]) == ("assigned", sam, None)
        assert pulled["score"] > lead["score"]

    async def test_a_seller_who_contacts_a_pooled_lead_has_and_carries_it(
        self, kit: ServiceKit, tenant: UUID, post: Post, get: Post
    ) -> None:
        sam = await seller(post)
        lead = await post("/v1/leads", by_mail())
        async with kit.client(tenant, subject=sam) as http:
            assert (await http.post(f"/v1/leads/{lead['id']}/contact")).json()["owner_id"] == sam
        (why,) = (await get(f"/v1/leads/{lead['id']}/assignments"))["items"]
        assert (why["strategy"], why["chosen"]) == ("manual", sam)

    async def test_a_dead_lead_stays_dead(self, http: httpx.AsyncClient, post: Post) -> None:
        lead = await post("/v1/leads", by_mail())
        await post(f"/v1/leads/{lead['id']}/close", {"reason": "no interest"})
        answer = await http.post(f"/v1/leads/{lead['id']}/contact", json={})
        assert code_of(answer) == (409, "lead_dead")

    async def test_a_lead_is_contacted_before_it_is_qualified(self, http: httpx.AsyncClient, post: Post) -> None:
        lead = await post("/v1/leads", by_mail())
        answer = await http.post(f"/v1/leads/{lead['id']}/qualify")
        assert code_of(answer) == (409, "lead_new")

    async def test_every_step_is_a_row(self, post: Post, get: Post) -> None:
        lead = await post("/v1/leads", by_mail())
        await post(f"/v1/leads/{lead['id']}/contact", {})
        await post(f"/v1/leads/{lead['id']}/qualify")
        steps = (await get(f"/v1/leads/{lead['id']}/history"))["items"]
        assert [step["to_state"] for step in steps] == ["new", "working", "qualified"]

    async def test_the_score_is_the_sum_of_its_reasons(self, post: Post, get: Post) -> None:
        lead = await post("/v1/leads", by_mail(buying_window="now", referrer="Pat"))
        score = await get(f"/v1/leads/{lead['id']}/score")
        assert score["score"] == lead["score"] == sum(reason["points"] for reason in score["reasons"])

    async def test_a_stale_version_is_refused(self, http: httpx.AsyncClient, post: Post) -> None:
        lead = await post("/v1/leads", by_mail())
        answer = await http.post(f"/v1/leads/{lead['id']}/contact", json={}, headers={"If-Match": '"7"'})
        assert code_of(answer) == (412, "version_changed")


class TestPolicies:
    async def test_rates_begin_with_the_stated_priors(self, get: Post) -> None:
        rates = {row["window"]: row["rate"] for row in (await get("/v1/leads/window-rates"))["items"]}
        assert (rates["within_3_months"], rates["within_12_months"]) == ("0.1000", "0.0400")

    async def test_data_moves_the_rates(self, post: Post, get: Post, customer: str) -> None:
        for outcome in ("convert", "close"):
            lead = await post("/v1/leads", by_mail(buying_window="within_3_months"))
            await post(f"/v1/leads/{lead['id']}/contact", {})
            body = {"reason": "no"} if outcome == "close" else {"customer_id": customer}
            await post(f"/v1/leads/{lead['id']}/{outcome}", body)
        rates = {row["window"]: row for row in (await get("/v1/leads/window-rates"))["items"]}
        assert (rates["within_3_months"]["decided"], rates["within_3_months"]["converted"]) == (2, 1)
        assert rates["within_3_months"]["rate"] == "0.1364"  # (0.1·20 + 1) ÷ (20 + 2)

    async def test_a_tenant_sets_its_own_policy(self, kit: ServiceKit, http: httpx.AsyncClient, post: Post) -> None:
        policy = {"approach": "seller_at_once", "first_contact_minutes": 5, "prior_rate": "0.3"}
        answer = await http.put("/v1/leads/window-policies/now", json=policy)
        assert answer.status_code == 200
        lead = await post("/v1/leads", by_mail(buying_window="now"))
        due = kit.clock.now() + timedelta(minutes=5)
        assert lead["first_contact_due_at"].startswith(due.strftime("%Y-%m-%dT%H:%M"))

    async def test_a_policy_that_forgets_leads_is_refused(self, http: httpx.AsyncClient) -> None:
        answer = await http.put("/v1/leads/window-policies/now", json={"approach": "nurture", "prior_rate": "0.3"})
        assert code_of(answer) == (422, "lead_forgotten")


class TestVisibility:
    async def test_a_partner_sees_only_its_own_leads(self, kit: ServiceKit, tenant: UUID, post: Post) -> None:
        ours = await post("/v1/leads", by_mail())
        await post("/v1/leads", by_mail(partner="bmo"))
        async with kit.client(tenant, partner="acme") as acme:
            made = (await acme.post("/v1/leads", json=by_mail())).json()
            assert made["partner"] == "acme"
            seen = (await acme.get("/v1/leads")).json()["items"]
            assert [lead["id"] for lead in seen] == [made["id"]]
            assert (await acme.get(f"/v1/leads/{ours['id']}")).status_code == 404
            assert (await acme.post(f"/v1/leads/{ours['id']}/contact", json={})).status_code == 404
            refused = await acme.post("/v1/leads", json=by_mail(partner="bmo"))
            assert code_of(refused) == (403, "partner_foreign")

    async def test_an_owner_sees_own_and_pooled_leads(self, kit: ServiceKit, tenant: UUID, post: Post) -> None:
        sam, kim = await seller(post), await seller(post, name="Kim")
        leads = [await post("/v1/leads", by_mail()) for _ in range(3)]
        for lead, owner in zip(leads, (sam, kim), strict=False):
            await post(f"/v1/leads/{lead['id']}/assign", {"owner_id": owner})
        async with kit.client(tenant, "leads:read", "records:own", subject=sam) as own:
            seen = (await own.get("/v1/leads")).json()["items"]
            assert {lead["id"] for lead in seen} == {leads[0]["id"], leads[2]["id"]}
            assert (await own.get(f"/v1/leads/{leads[1]['id']}")).status_code == 404

    async def test_another_tenants_lead_is_not_there(self, kit: ServiceKit, post: Post) -> None:
        lead = await post("/v1/leads", by_mail())
        async with kit.client(kit.tenant()) as stranger:
            assert (await stranger.get(f"/v1/leads/{lead['id']}")).status_code == 404

    async def test_pages_go_on_where_they_stopped(self, post: Post, get: Post) -> None:
        made = {(await post("/v1/leads", by_mail()))["id"] for _ in range(5)}
        seen: list[str] = []
        cursor: dict[str, Any] = {}
        while True:
            page = await get("/v1/leads", limit=2, **cursor)
            seen += [lead["id"] for lead in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert len(seen) == 5
        assert set(seen) == made
