from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit

EUR = {"amount": "12.50", "currency": "EUR"}
Tell = Callable[..., Awaitable[None]]


@pytest.fixture
async def told(kit: ServiceKit, tenant: UUID) -> Tell:
    """Delivers one foreign event about a customer."""

    async def do(event_type: str, customer: UUID, aggregate: UUID | None = None, **data: Any) -> None:
        fact = {"customer_id": public_id("cus", customer), **data}
        await kit.deliver(tenant, event_type, aggregate or new_id(), fact)
        kit.clock.advance(timedelta(seconds=1))

    return do


async def card_of(http: httpx.AsyncClient, customer: UUID) -> dict[str, Any]:
    answer = await http.get(f"/v1/customers/{public_id('cus', customer)}/card")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def timeline_of(http: httpx.AsyncClient, customer: UUID, **params: Any) -> list[dict[str, Any]]:
    answer = await http.get(f"/v1/customers/{public_id('cus', customer)}/timeline", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_a_new_customer_has_a_card_before_any_event_came_back(
    http: httpx.AsyncClient, register: Callable[..., Awaitable[UUID]]
) -> None:
    card = await card_of(http, await register(display_name="Fresh"))
    assert (card["display_name"], card["touches"], card["open_deals"]) == ("Fresh", [], 0)


async def test_own_facts_come_back_as_lines_and_as_the_card(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Callable[..., Awaitable[UUID]]
) -> None:
    customer = await register(display_name="Fresh", language="de")
    path = f"/v1/customers/{public_id('cus', customer)}"
    await http.post(f"{path}/consents", json={"purpose": "newsletter", "channel": "email", "status": "granted"})
    await kit.apply(await kit.events(tenant))
    await kit.apply(await kit.events(tenant))  # a redelivery adds nothing
    assert [line["kind"] for line in await timeline_of(http, customer)] == [
        "customer.consent-changed",
        "customer.registered",
    ]
    card = await card_of(http, customer)
    assert card["consents"] == {"newsletter:email": "granted"}
    assert card["language"] == "de"


async def test_deals_and_tickets_are_counted_while_they_are_open(
    http: httpx.AsyncClient, register: Callable[..., Awaitable[UUID]], told: Tell
) -> None:
    customer = await register()
    deal, ticket, other = new_id(), new_id(), new_id()
    await told("crm.deal.opened.v1", customer, deal, name="Roof", amount=EUR, pipeline="std", stage="new")
    await told("crm.deal.opened.v1", customer, other, name="Door", amount=EUR, pipeline="std", stage="new")
    await told("crm.ticket.opened.v1", customer, ticket, number="7", kind="question", subject="Lid", priority="high")
    card = await card_of(http, customer)
    assert (card["open_deals"], card["open_tickets"]) == (2, 1)
    assert [touch["title"] for touch in card["touches"]][:2] == [
        "Ticket opened: 7 Lid",
        "Deal opened: Door new 12.5 EUR",
    ]
    await told("crm.deal.stage-changed.v1", customer, other, from_stage="new", to_stage="Won!", canonical="won")
    await told("crm.deal.won.v1", customer, deal, amount=EUR)
    await told("crm.ticket.solved.v1", customer, ticket, number="7", kind="question", subject="Lid", priority="high")
    card = await card_of(http, customer)
    assert (card["open_deals"], card["open_tickets"]) == (0, 0)
    await told("crm.ticket.reopened.v1", customer, ticket, number="7", kind="question", subject="Lid", priority="high")
    assert (await card_of(http, customer))["open_tickets"] == 1


async def test_the_card_shows_the_last_five_touches_and_the_last_mood(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Callable[..., Awaitable[UUID]], told: Tell
) -> None:
    customer = await register()
    for n in range(6):
        await told("crm.message.clicked.v1", customer, channel="email", purpose="newsletter", subject=f"Offer {n}")
    late = kit.clock.now().isoformat()
    early = (kit.clock.now() - timedelta(days=9)).isoformat()
    answer = {"kind": "csat", "scale_max": 5, "touchpoint": "phone"}
    await told("crm.survey.answered.v1", customer, **answer, score=5, at=late)
    await told("crm.survey.answered.v1", customer, **answer, score=1, at=early, comment="slow")
    card = await card_of(http, customer)
    assert card["mood"]["score"] == 5
    assert [touch["title"] for touch in card["touches"]] == [
        "CSAT 5 of 5",
        *(f"Message clicked: Offer {n}" for n in (5, 4, 3, 2)),
    ]
    recorded = await kit.events(tenant, "crm.customer.answer-recorded.v1")
    assert [event.payload()["score"] for event in recorded] == [5, 1]


async def test_filters_and_pages_hold_together(
    kit: ServiceKit, http: httpx.AsyncClient, register: Callable[..., Awaitable[UUID]], told: Tell
) -> None:
    customer = await register()
    placed = kit.clock.now().isoformat()
    await told("crm.order.placed.v1", customer, number="A1", total=EUR, lines=[], placed_at=placed)
    await told("crm.order.paid.v1", customer, number="A1", total=EUR)
    await told("crm.message.delivered.v1", customer, channel="email", purpose="newsletter")
    purchase = {
        "customer_id": public_id("cus", customer),
        "source": "shop",
        "external_id": "p1",
        "occurred_at": "2020-05-05T00:00:00Z",
        "amount": EUR,
    }
    assert (await http.post("/v1/purchases", json=purchase)).status_code == 201
    lines = await timeline_of(http, customer)
    # The order is a purchase too, but stands there once.
    assert [line["kind"] for line in lines] == [
        "message.delivered",
        "order.paid",
        "order.placed",
        "purchase.reported",
    ]
    assert lines[-1]["title"] == "Purchase 12.5 EUR"
    assert [line["kind"] for line in await timeline_of(http, customer, kind="order")] == ["order.paid", "order.placed"]
    assert [line["kind"] for line in await timeline_of(http, customer, touchpoint="email")] == ["message.delivered"]
    assert len(await timeline_of(http, customer, until="2021-01-01T00:00:00Z")) == 1
    path = f"/v1/customers/{public_id('cus', customer)}/timeline"
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (await http.get(path, params={"limit": 1, **({"cursor": cursor} if cursor else {})})).json()
        seen += [line["id"] for line in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [line["id"] for line in lines]


async def test_an_event_about_nobody_is_no_line(kit: ServiceKit, tenant: UUID) -> None:
    await kit.deliver(tenant, "crm.interaction.started.v1", new_id(), {"channel": "phone", "direction": "inbound"})


async def test_an_unknown_customers_timeline_is_a_404(http: httpx.AsyncClient) -> None:
    path = f"/v1/customers/{public_id('cus', new_id())}"
    for what in ("timeline", "card", "behaviour", "purchases", "consents"):
        assert (await http.get(f"{path}/{what}")).status_code == 404, what
