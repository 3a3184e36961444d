"""Act four: leads become deals, deals become quotes, quotes become orders, orders become money."""

from decimal import Decimal
from typing import Any

from crm_suite.demo.acts.moving_in import RECORDS
from crm_suite.demo.door import Door, eventually
from crm_suite.demo.stage import Member, Stage, together

PROMISING = {"now": 0.75, "within_3_months": 0.45}
"""Which part of the leads of a buying window talks business at once."""
FOR_SELLERS = frozenset({"now", "within_3_months", "unknown"})
"""The others get material from time to time until their own time comes."""
ACCEPTING = 0.6
REASONS = ("price", "bought elsewhere", "not needed after all")


async def sell(stage: Stage) -> None:
    """Every seller works on their own leads."""
    with stage.steps.step("leads followed up", total=stage.figures.leads) as note:
        leads = await assigned_leads(stage, stage.figures.leads)
        deals = [deal for deal in await together(leads, lambda lead: follow_up(stage, lead), note=note) if deal]
        stage.figures.contacted = len(leads)
        stage.figures.converted = len(deals)
        note.text = f"{len(leads)} contacted, {len(deals)} converted to deals"
    with stage.steps.step("quotes, orders, payments", total=len(deals)) as note:
        paid = [order for order in await together(deals, lambda deal: close(stage, deal), note=note) if order]
        figures = stage.figures
        figures.quotes, figures.won, figures.lost = len(deals), len(paid), len(deals) - len(paid)
        figures.orders = figures.paid = len(paid)
        figures.revenue = sum((Decimal(order["total"]["amount"]) for order in paid), figures.revenue)
        # The star clicked, bought and paid; the chat, the ticket and the answer are still to come.
        numbers = sorted(stage.number_of[order["customer_id"]] for order in paid)
        candidates = numbers or stage.callers  # a very small cast may buy nothing
        stage.star = next((number for number in candidates if number in stage.clicked), candidates[0])
        note.text = f"{len(deals)} quotes, {len(paid)} orders paid"


async def assigned_leads(stage: Stage, expected: int) -> list[dict[str, Any]]:
    manager = stage.member("sales_manager").door

    async def all_there() -> list[Any] | None:
        leads = await manager.all("/v1/leads", campaign_id=stage.campaign_id)
        ours = [lead for lead in leads if lead["buying_window"] in FOR_SELLERS]
        return ours if len(leads) >= expected and all(lead["owner_id"] for lead in ours) else None

    leads = await eventually(f"{expected} leads to be assigned", all_there)
    numbers = stage.number_of
    return sorted(leads, key=lambda lead: numbers[lead["customer_id"]])


async def follow_up(stage: Stage, lead: dict[str, Any]) -> dict[str, Any] | None:
    """First contact; then a deal, or another time."""
    seller = owner(stage, lead).door
    number = stage.number_of[lead["customer_id"]]
    path = f"/v1/leads/{lead['id']}"
    await seller.post(f"{path}/contact")
    if not stage.chance.happens(PROMISING.get(lead["buying_window"], 0), "converts", number):
        await seller.post(f"{path}/recycle", {"reason": "not now"})
        return None
    await seller.post(f"{path}/qualify")
    name = f"Records for {stage.people[number].display_name}"
    return await seller.post(f"{path}/convert", {"new_deal": True, "pipeline_id": stage.pipeline_id, "name": name})


async def close(stage: Stage, deal: dict[str, Any]) -> dict[str, Any] | None:
    """A quote; then an order that is delivered and paid, or a loss with its reason."""
    seller = owner(stage, deal).door
    number = stage.number_of[deal["customer_id"]]
    quote = await seller.post("/v1/quotes", {"deal_id": deal["id"], "lines": lines(stage, number)})
    await seller.post(f"/v1/quotes/{quote['id']}/send")
    await move(seller, deal["id"], {"stage": "offered"})
    if not stage.chance.happens(ACCEPTING, "accepts", number):
        reason = stage.chance.choose(REASONS, "reason", number)
        await seller.post(f"/v1/quotes/{quote['id']}/reject", {"reason": reason})
        await move(seller, deal["id"], {"stage": "declined", "reason": reason})
        return None
    order = await seller.post(f"/v1/quotes/{quote['id']}/accept")
    await move(seller, deal["id"], {"stage": "agreed"})
    await seller.post(f"/v1/orders/{order['id']}/deliver", {})
    manager = stage.member("sales_manager").door
    payment = {"order_id": order["id"], "reference": f"bank-{order['number']}", "amount": order["total"]}
    await manager.post("/v1/payments", payment)
    return order


async def move(seller: Door, deal_id: str, body: dict[str, Any]) -> None:
    """Move a deal unless it stands there already: accepting a quote may have moved it."""
    deal = await seller.get(f"/v1/deals/{deal_id}")
    if deal["stage"] != body["stage"]:
        await seller.post(f"/v1/deals/{deal_id}/move", body, version=deal["version"])


def lines(stage: Stage, number: int) -> list[dict[str, str]]:
    """One to three different records."""
    count = stage.chance.number(1, 3, "lines", number)
    first = stage.chance.number(0, len(RECORDS) - 1, "record", number)
    chosen = [RECORDS[(first + step) % len(RECORDS)] for step in range(count)]
    return [{"product_id": stage.products[record.sku], "quantity": "1"} for record in chosen]


def owner(stage: Stage, owned: dict[str, Any]) -> Member:
    return next(seller for seller in stage.staff["seller"] if seller.id == owned["owner_id"])
