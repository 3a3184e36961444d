"""Quotes over HTTP, on real PostgreSQL."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.sales_pipeline.conftest import OpenShop, Post, Shop, code_of

from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit


@pytest.fixture
async def shop(open_shop: OpenShop) -> Shop:
    return await open_shop({"A": "10.00", "B": "124.75"}, tax_rate="0.2")


async def sent(post: Post, shop: Shop, customer: str, **fields: Any) -> dict[str, Any]:
    quote = await post("/v1/quotes", {"customer_id": customer, "lines": [shop.line("A", "3")], **fields})
    return await post(f"/v1/quotes/{quote['id']}/send")


class TestDraft:
    async def test_totals_are_computed_here_line_by_line(self, post: Post, shop: Shop, customer: str) -> None:
        quote = await post(
            "/v1/quotes",
            {
                "customer_id": customer,
                "lines": [shop.line("A", "3", discount_percent="10"), shop.line("B", "9.5")],
                "discount": {"amount": "100.00"},
            },
        )
        first, second = quote["lines"]
        assert (first["listed"]["amount"], first["line_discount"]["amount"]) == ("30.00", "3.00")
        assert second["listed"]["amount"] == "1185.13"
        shares = [line["document_discount"]["amount"] for line in quote["lines"]]
        assert shares == ["2.23", "97.77"]
        amounts = [quote[name]["amount"] for name in ("listed", "discount", "net", "tax", "total")]
        assert amounts == ["1215.13", "103.00", "1112.13", "222.42", "1334.55"]
        assert quote["number"].startswith("Q-")

    async def test_a_clients_totals_are_refused_not_believed(
        self, http: httpx.AsyncClient, shop: Shop, customer: str
    ) -> None:
        """One peer stores the totals that the browser sends."""
        body = {"customer_id": customer, "lines": [{**shop.line("A"), "total": "0.01"}]}
        refused = await http.post("/v1/quotes", json=body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/lines/0/total"
        negative = await http.post("/v1/quotes", json={**body, "lines": [shop.line("A", "-1")]})
        assert negative.json()["errors"][0]["pointer"] == "/lines/0/quantity"

    async def test_what_cannot_be_priced_is_named(
        self, http: httpx.AsyncClient, post: Post, shop: Shop, customer: str
    ) -> None:
        unpriced = await post("/v1/products", {"sku": "C", "name": "New", "tax_rate": "0"})
        ghost = public_id("prod", new_id())
        lines = [{"product_id": unpriced["id"], "quantity": "1"}, {"product_id": ghost, "quantity": "1"}]
        refused = await http.post("/v1/quotes", json={"customer_id": customer, "lines": lines})
        assert code_of(refused) == (422, "lines_invalid")
        codes = [(error["pointer"], error["code"]) for error in refused.json()["errors"]]
        assert codes == [("/lines/0/product_id", "price_missing"), ("/lines/1/product_id", "product_unknown")]

    async def test_a_sent_price_never_follows_the_price_book(
        self, http: httpx.AsyncClient, post: Post, get: Post, shop: Shop, customer: str
    ) -> None:
        quote = await sent(post, shop, customer)
        raised = {"product_id": shop.products["A"], "unit_price": "99.00", "valid_from": "2020-01-01"}
        await http.put(f"/v1/price-books/{shop.book['id']}/prices", json={"prices": [raised]})
        assert (await get(f"/v1/quotes/{quote['id']}"))["total"] == quote["total"]

    async def test_a_quote_for_a_deal_carries_its_campaign(self, post: Post, shop: Shop, customer: str) -> None:
        campaign = public_id("cmp", new_id())
        deal = await post("/v1/deals", {"customer_id": customer, "name": "D", "campaign_id": campaign})
        quote = await post("/v1/quotes", {"deal_id": deal["id"], "lines": [shop.line("A")]})
        assert (quote["customer_id"], quote["campaign_id"]) == (customer, campaign)

    async def test_a_quote_for_another_customers_deal_is_refused(
        self, http: httpx.AsyncClient, post: Post, shop: Shop, customer: str
    ) -> None:
        deal = await post("/v1/deals", {"customer_id": customer, "name": "D"})
        stranger = public_id("cus", new_id())
        body = {"deal_id": deal["id"], "customer_id": stranger, "lines": [shop.line("A")]}
        assert code_of(await http.post("/v1/quotes", json=body)) == (409, "customer_mismatch")


class TestSend:
    async def test_a_sent_quote_never_changes(
        self, *, kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, post: Post, shop: Shop, customer: str
    ) -> None:
        quote = await sent(post, shop, customer)
        refused = await http.put(f"/v1/quotes/{quote['id']}", json={"lines": [shop.line("B")]})
        assert code_of(refused) == (409, "quote_immutable")
        assert code_of(await http.post(f"/v1/quotes/{quote['id']}/send")) == (409, "quote_immutable")
        (event,) = await kit.events(tenant, "crm.quote.sent.v1")
        assert (event.payload()["version"], event.payload()["total"]) == (1, quote["total"])

    async def test_a_revision_is_a_new_version_and_sending_it_takes_the_old_one_off_the_table(
        self, http: httpx.AsyncClient, post: Post, get: Post, shop: Shop, customer: str
    ) -> None:
        first = await sent(post, shop, customer)
        second = await post(f"/v1/quotes/{first['id']}/revise")
        assert (second["number"], second["revision"], second["state"]) == (first["number"], 2, "draft")
        assert code_of(await http.post(f"/v1/quotes/{first['id']}/revise")) == (409, "draft_exists")
        assert (await get(f"/v1/quotes/{first['id']}"))["state"] == "sent"
        answer = await http.put(f"/v1/quotes/{second['id']}", json={"lines": [shop.line("A", "2")]})
        assert answer.json()["total"]["amount"] == "24.00"
        await post(f"/v1/quotes/{second['id']}/send")
        assert (await get(f"/v1/quotes/{first['id']}"))["state"] == "superseded"
        assert code_of(await http.post(f"/v1/quotes/{first['id']}/accept")) == (409, "quote_superseded")

    async def test_above_a_threshold_somebody_else_approves(
        self, *, kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, post: Post, open_shop: OpenShop, customer: str
    ) -> None:
        shop = await open_shop({"A": "10.00"}, approval_discount_percent="10", approval_total="500")
        fine = await post("/v1/quotes", {"customer_id": customer, "lines": [shop.line("A", "50")]})
        assert fine["approval"] == "not_needed"
        body = {"customer_id": customer, "lines": [shop.line("A", "2", discount_percent="11")]}
        quote = await post("/v1/quotes", body)
        assert quote["approval"] == "needed"
        path = f"/v1/quotes/{quote['id']}"
        assert code_of(await http.post(f"{path}/send")) == (409, "approval_required")
        assert code_of(await http.post(f"{path}/approve")) == (403, "approval_own_quote")
        async with kit.client(tenant, subject="usr_boss") as boss:
            assert (await boss.post(f"{path}/approve")).json()["approval"] == "given"
        changed = await http.put(path, json={"lines": [shop.line("A", "51")]})
        assert changed.json()["approval"] == "needed"


class TestExpiry:
    async def test_a_quote_expires_by_itself_once(
        self, *, kit: ServiceKit, tenant: UUID, post: Post, get: Post, shop: Shop, customer: str
    ) -> None:
        quote = await sent(post, shop, customer)
        for days in (29, 31, 40):
            await kit.run_timers(now=kit.clock.now() + timedelta(days=days))
        assert (await get(f"/v1/quotes/{quote['id']}"))["state"] == "expired"
        assert len(await kit.events(tenant, "crm.quote.expired.v1")) == 1

    async def test_an_outdated_quote_is_not_accepted_though_the_timer_is_late(
        self, kit: ServiceKit, http: httpx.AsyncClient, post: Post, shop: Shop, customer: str
    ) -> None:
        until = kit.clock.now() + timedelta(minutes=1)
        quote = await sent(post, shop, customer, valid_until=until.isoformat())
        kit.clock.advance(timedelta(minutes=2))
        assert code_of(await http.post(f"/v1/quotes/{quote['id']}/accept")) == (409, "quote_expired")


class TestAccept:
    async def test_parallel_accepts_make_one_order(
        self,
        *,
        kit: ServiceKit,
        tenant: UUID,
        http: httpx.AsyncClient,
        post: Post,
        get: Post,
        shop: Shop,
        customer: str,
    ) -> None:
        quote = await sent(post, shop, customer)
        answers = await asyncio.gather(*(http.post(f"/v1/quotes/{quote['id']}/accept") for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len(await kit.events(tenant, "crm.order.placed.v1")) == 1
        assert len(await kit.events(tenant, "crm.quote.accepted.v1")) == 1
        assert (await get(f"/v1/quotes/{quote['id']}"))["order_id"] == answers[0].json()["id"]

    async def test_an_order_wins_its_deal_which_then_cannot_be_lost(
        self,
        *,
        kit: ServiceKit,
        tenant: UUID,
        http: httpx.AsyncClient,
        post: Post,
        get: Post,
        shop: Shop,
        customer: str,
    ) -> None:
        deal = await post("/v1/deals", {"customer_id": customer, "name": "D"})
        quote = await post("/v1/quotes", {"deal_id": deal["id"], "lines": [shop.line("A", "3")]})
        await post(f"/v1/quotes/{quote['id']}/send")
        order = await post(f"/v1/quotes/{quote['id']}/accept")
        assert (order["deal_id"], order["total"]["amount"]) == (deal["id"], "36.00")
        won = await get(f"/v1/deals/{deal['id']}")
        assert (won["canonical"], won["orders"], won["amount"]["amount"]) == ("won", 1, "36.00")
        assert len(await kit.events(tenant, "crm.deal.won.v1")) == 1
        lose = {"stage": "lost", "reason": "changed their mind"}
        refused = await http.post(f"/v1/deals/{deal['id']}/move", json=lose, headers={"If-Match": "*"})
        assert code_of(refused) == (409, "deal_has_order")
        refused = await http.post(f"/v1/quotes/{quote['id']}/reject", json={"reason": "no"})
        assert code_of(refused) == (409, "quote_has_order")

    async def test_a_lost_deal_is_reopened_before_its_quote_is_accepted(
        self, *, kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, post: Post, shop: Shop, customer: str
    ) -> None:
        deal = await post("/v1/deals", {"customer_id": customer, "name": "D"})
        quote = await post("/v1/quotes", {"deal_id": deal["id"], "lines": [shop.line("A")]})
        await post(f"/v1/quotes/{quote['id']}/send")
        await post(f"/v1/deals/{deal['id']}/move", {"stage": "lost", "reason": "price"}, If_Match="*")
        assert code_of(await http.post(f"/v1/quotes/{quote['id']}/accept")) == (409, "deal_lost")
        assert await kit.events(tenant, "crm.order.placed.v1") == []

    async def test_two_versions_are_never_both_accepted(
        self, http: httpx.AsyncClient, post: Post, shop: Shop, customer: str
    ) -> None:
        first = await sent(post, shop, customer)
        second = await post(f"/v1/quotes/{first['id']}/revise")
        accepting = http.post(f"/v1/quotes/{first['id']}/accept")
        sending = http.post(f"/v1/quotes/{second['id']}/send")
        accepted, was_sent = await asyncio.gather(accepting, sending)
        assert sorted((accepted.status_code, was_sent.status_code)) == [200, 409]

    async def test_a_draft_is_not_accepted(
        self, http: httpx.AsyncClient, post: Post, shop: Shop, customer: str
    ) -> None:
        quote = await post("/v1/quotes", {"customer_id": customer, "lines": [shop.line("A")]})
        assert code_of(await http.post(f"/v1/quotes/{quote['id']}/accept")) == (409, "quote_draft")


async def test_numbers_have_no_gaps_and_no_doubles_under_parallel_drafts(http: httpx.AsyncClient, shop: Shop) -> None:
    bodies = [{"customer_id": public_id("cus", new_id()), "lines": [shop.line("A")]} for _ in range(8)]
    answers = await asyncio.gather(*(http.post("/v1/quotes", json=body) for body in bodies))
    numbers = sorted(int(answer.json()["number"].rpartition("-")[2]) for answer in answers)
    assert numbers == list(range(1, 9))
