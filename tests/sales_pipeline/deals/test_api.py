"""Deals over HTTP, on real PostgreSQL. Named after the defects of peers that they rule out."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.sales_pipeline.conftest import Post, code_of

from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit

EUR = {"amount": "1000.00", "currency": "EUR"}


@pytest.fixture
def opened(post: Post, customer: str) -> Post:
    """Opens a deal in the standard pipeline."""

    async def do(path: str = "/v1/deals", body: dict[str, Any] | None = None, **_: str) -> dict[str, Any]:
        return await post(path, {"customer_id": customer, "name": "Boxes", "amount": EUR, **(body or {})})

    return do


async def move(http: httpx.AsyncClient, deal: dict[str, Any], stage: str, **fields: str) -> httpx.Response:
    current = (await http.get(f"/v1/deals/{deal['id']}")).headers["etag"]
    return await http.post(
        f"/v1/deals/{deal['id']}/move", json={"stage": stage, **fields}, headers={"If-Match": current}
    )


async def moved(http: httpx.AsyncClient, deal: dict[str, Any], stage: str, **fields: str) -> dict[str, Any]:
    answer = await move(http, deal, stage, **fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestProbability:
    async def test_moving_a_stage_moves_its_default_even_when_one_was_set(
        self, http: httpx.AsyncClient, opened: Post
    ) -> None:
        """One peer fills the stage's probability only while it is zero, so that it keeps the first stage's value."""
        deal = await opened()
        assert deal["probability"]["effective"] == "10"
        assert (await moved(http, deal, "proposal"))["probability"]["effective"] == "50"
        assert (await moved(http, deal, "needs"))["probability"]["effective"] == "30"

    async def test_a_persons_zero_is_an_opinion_and_null_takes_it_back(
        self, http: httpx.AsyncClient, opened: Post
    ) -> None:
        """Another peer took a genuine 0 % for an absent value."""
        deal = await opened()
        zero = (await http.patch(f"/v1/deals/{deal['id']}", json={"manual_probability": "0"})).json()
        assert (zero["probability"]["manual"], zero["probability"]["effective"]) == ("0", "0")
        back = (await http.patch(f"/v1/deals/{deal['id']}", json={"manual_probability": None})).json()
        assert (back["probability"]["manual"], back["probability"]["effective"]) == (None, "10")

    async def test_won_is_100_and_lost_is_0_whatever_anyone_thought_and_reopening_restores_opinions(
        self, http: httpx.AsyncClient, opened: Post
    ) -> None:
        deal = await opened(body={"manual_probability": "35"})
        assert (await moved(http, deal, "won"))["probability"]["effective"] == "100"
        reopened = await moved(http, deal, "needs")
        assert (reopened["probability"]["effective"], reopened["closed_at"]) == ("35", None)
        lost = await moved(http, deal, "lost", reason="price", competitor="Acme")
        assert (lost["probability"]["effective"], lost["lost_reason"], lost["competitor"]) == ("0", "price", "Acme")
        again = await moved(http, deal, "needs")
        assert (again["lost_reason"], again["competitor"], again["closed_at"]) == (None, None, None)


class TestMoves:
    async def test_a_move_says_which_state_it_saw(self, http: httpx.AsyncClient, opened: Post) -> None:
        deal = await opened()
        path = f"/v1/deals/{deal['id']}/move"
        assert code_of(await http.post(path, json={"stage": "needs"})) == (428, "if_match_required")
        stale = await http.post(path, json={"stage": "needs"}, headers={"If-Match": '"9"'})
        assert code_of(stale) == (412, "version_changed")

    async def test_two_parallel_moves_from_one_state_are_one_move(self, http: httpx.AsyncClient, opened: Post) -> None:
        deal = await opened()
        sent = [
            http.post(f"/v1/deals/{deal['id']}/move", json={"stage": stage}, headers={"If-Match": '"1"'})
            for stage in ("needs", "proposal")
        ]
        assert sorted(answer.status_code for answer in await asyncio.gather(*sent)) == [200, 412]

    async def test_a_guard_is_kept_by_the_server_and_names_what_is_missing(
        self, http: httpx.AsyncClient, opened: Post
    ) -> None:
        """One peer's stage requirements are the text of a tooltip."""
        deal = await opened(body={"amount": None})
        refused = await move(http, deal, "negotiation")
        assert code_of(refused) == (409, "guard_failed")
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/amount", "/expected_close_on"]
        await http.patch(f"/v1/deals/{deal['id']}", json={"amount": EUR, "expected_close_on": "2026-06-30"})
        assert (await moved(http, deal, "negotiation"))["stage"] == "negotiation"

    async def test_a_lost_deal_has_a_reason(self, http: httpx.AsyncClient, opened: Post) -> None:
        deal = await opened()
        assert code_of(await move(http, deal, "lost")) == (422, "reason_required")
        assert code_of(await move(http, deal, "needs", reason="price")) == (422, "reason_unexpected")

    async def test_every_step_is_a_row_with_its_dwell_since_the_stage_was_entered(
        self, kit: ServiceKit, http: httpx.AsyncClient, opened: Post, get: Post
    ) -> None:
        """One peer counts a deal's days from its creation, not from its entry to the stage."""
        deal = await opened()
        kit.clock.advance(timedelta(seconds=40))
        await moved(http, deal, "needs")
        kit.clock.advance(timedelta(seconds=2))
        await moved(http, deal, "proposal")
        steps = (await get(f"/v1/deals/{deal['id']}/transitions"))["items"]
        assert [(step["from_stage"], step["to_stage"], step["dwell_s"]) for step in steps] == [
            (None, "discovery", None),
            ("discovery", "needs", 40),
            ("needs", "proposal", 2),
        ]
        assert steps[2]["guards"] == [{"guard": "required:amount", "passed": True}]

    async def test_moving_between_won_stages_keeps_the_closing_time_and_says_won_once(
        self, kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, post: Post, opened: Post
    ) -> None:
        pipeline = await post(
            "/v1/pipelines",
            {
                "name": "Two wins",
                "stages": [
                    {"key": "start", "name": "Start", "canonical": "open"},
                    {"key": "signed", "name": "Signed", "canonical": "won"},
                    {"key": "kicked-off", "name": "Kicked off", "canonical": "won"},
                    {"key": "gone", "name": "Gone", "canonical": "lost"},
                ],
            },
        )
        deal = await opened(body={"pipeline_id": pipeline["id"]})
        signed = await moved(http, deal, "signed")
        kit.clock.advance(timedelta(days=1))
        assert (await moved(http, deal, "kicked-off"))["closed_at"] == signed["closed_at"]
        assert len(await kit.events(tenant, "crm.deal.won.v1")) == 1
        assert len(await kit.events(tenant, "crm.deal.stage-changed.v1")) == 2

    async def test_an_unknown_stage_is_named_with_those_there_are(self, http: httpx.AsyncClient, opened: Post) -> None:
        refused = await move(http, await opened(), "nowhere")
        assert code_of(refused) == (422, "stage_unknown")
        assert "negotiation" in refused.json()["detail"]


class TestForecast:
    async def test_lost_deals_are_never_counted_and_currencies_never_meet(
        self, http: httpx.AsyncClient, opened: Post, get: Post
    ) -> None:
        """One peer's forecast adds lost deals at 100 % of their value; another sums currencies."""
        await opened()  # 10 % of 1000 EUR
        held = await opened()
        await moved(http, held, "on_hold")
        won, lost = await opened(), await opened()
        await moved(http, won, "won")
        await moved(http, lost, "lost", reason="price")
        await opened(body={"amount": {"amount": "500.00", "currency": "USD"}, "manual_probability": "0"})
        eur, usd = (await get("/v1/deals/forecast"))["items"]
        assert (eur["currency"], eur["open_deals"]) == ("EUR", 1)
        assert (eur["open_amount"]["amount"], eur["weighted_amount"]["amount"]) == ("1000.00", "100.00")
        assert (eur["on_hold_amount"]["amount"], eur["won_amount"]["amount"]) == ("1000.00", "1000.00")
        assert (usd["open_amount"]["amount"], usd["weighted_amount"]["amount"]) == ("500.00", "0.00")


class TestConversion:
    async def worked(self, post: Post, **fields: Any) -> dict[str, Any]:
        body = {"source": "web", "contact": {"email": f"{new_id()}@example.org"}, **fields}
        lead = await post("/v1/leads", body)
        return await post(f"/v1/leads/{lead['id']}/contact", {})

    async def test_converting_twice_gives_the_same_deal(
        self, kit: ServiceKit, tenant: UUID, post: Post, get: Post, customer: str
    ) -> None:
        campaign = public_id("cmp", new_id())
        lead = await self.worked(post, campaign_id=campaign)
        first = await post(f"/v1/leads/{lead['id']}/convert", {"customer_id": customer, "amount": EUR})
        second = await post(f"/v1/leads/{lead['id']}/convert", {"customer_id": customer})
        assert first["id"] == second["id"]
        assert (first["campaign_id"], first["lead_id"]) == (campaign, lead["id"])
        assert len(await kit.events(tenant, "crm.lead.converted.v1", "crm.deal.opened.v1")) == 2
        kept = await get(f"/v1/leads/{lead['id']}")
        assert (kept["state"], kept["deal_id"], kept["customer_id"]) == ("converted", first["id"], customer)

    async def test_parallel_conversions_make_one_deal(
        self, kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, post: Post, customer: str
    ) -> None:
        lead = await self.worked(post)
        path, body = f"/v1/leads/{lead['id']}/convert", {"customer_id": customer}
        answers = await asyncio.gather(*(http.post(path, json=body) for _ in range(6)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len(await kit.events(tenant, "crm.deal.opened.v1")) == 1

    async def test_two_leads_of_one_customer_converting_at_once_join_one_deal(
        self, kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, post: Post, customer: str
    ) -> None:
        leads = [await self.worked(post, customer_id=customer, source_key=str(new_id())) for _ in range(4)]
        answers = await asyncio.gather(*(http.post(f"/v1/leads/{lead['id']}/convert", json={}) for lead in leads))
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len(await kit.events(tenant, "crm.deal.opened.v1")) == 1
        assert len(await kit.events(tenant, "crm.lead.converted.v1")) == 4

    async def test_a_lead_can_open_a_new_deal_beside_an_open_one(self, post: Post, opened: Post, customer: str) -> None:
        deal = await opened()
        joined = await self.worked(post, customer_id=customer, source_key="a")
        apart = await self.worked(post, customer_id=customer, source_key="b")
        assert (await post(f"/v1/leads/{joined['id']}/convert", {}))["id"] == deal["id"]
        assert (await post(f"/v1/leads/{apart['id']}/convert", {"new_deal": True}))["id"] != deal["id"]

    async def test_a_lead_without_a_customer_says_what_to_do(self, http: httpx.AsyncClient, post: Post) -> None:
        lead = await self.worked(post)
        answer = await http.post(f"/v1/leads/{lead['id']}/convert", json={})
        assert code_of(answer) == (409, "customer_required")

    async def test_a_lead_joins_no_deal_of_somebody_else(
        self, http: httpx.AsyncClient, post: Post, opened: Post
    ) -> None:
        deal = await opened()
        lead = await self.worked(post)
        stranger = public_id("cus", new_id())
        body = {"customer_id": stranger, "deal_id": deal["id"]}
        assert code_of(await http.post(f"/v1/leads/{lead['id']}/convert", json=body)) == (409, "customer_mismatch")


class TestVisibility:
    async def test_a_partner_sees_only_its_own_deals(
        self, kit: ServiceKit, tenant: UUID, opened: Post, customer: str
    ) -> None:
        ours = await opened()
        async with kit.client(tenant, partner="acme") as acme:
            made = await acme.post("/v1/deals", json={"customer_id": customer, "name": "Theirs", "amount": EUR})
            seen = (await acme.get("/v1/deals")).json()["items"]
            assert [deal["id"] for deal in seen] == [made.json()["id"]]
            assert (await acme.get(f"/v1/deals/{ours['id']}")).status_code == 404
            (eur,) = (await acme.get("/v1/deals/forecast")).json()["items"]
            assert eur["open_amount"]["amount"] == "1000.00"
