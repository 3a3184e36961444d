"""The last act: what the loop came to, asked of the suite itself, and one customer seen whole."""

from decimal import Decimal
from typing import Any

from crm_suite.demo.acts.knowing import states
from crm_suite.demo.door import eventually
from crm_suite.demo.purchases import CURRENCY
from crm_suite.demo.stage import Stage

TOLD_OF_ALL = frozenset({"interaction.ended", "ticket.solved", "survey.answered"})


async def look_back(stage: Stage) -> None:
    """Lifecycles have followed the payments; revenue stands against cost; the timeline tells all."""
    figures = stage.figures
    with stage.steps.step("lifecycles after payment") as note:
        before = figures.states_before.get("won_back", 0)

        async def won_back() -> dict[str, int] | None:
            now = await states(stage)
            return now if now["won_back"] >= before + figures.paid else None

        figures.states_after = await eventually("buyers to count as won back", won_back)
        note.text = f"{figures.states_after['won_back'] - before} won back"
    with stage.steps.step("campaign's return") as note:
        manager = stage.member("sales_manager").door

        async def all_received() -> dict[str, Any] | None:
            found = await manager.get(f"/v1/campaign-returns/{stage.campaign_id}")
            row = next((row for row in found["returns"] if row["currency"] == CURRENCY), None)
            return row if row and Decimal(row["received"]["amount"]) >= figures.revenue and row["ratio"] else None

        row = await eventually("receipts and cost to meet", all_received)
        figures.campaign_cost = Decimal(row["cost"]["amount"])
        note.text = f"{CURRENCY} {figures.revenue:,.2f} for {figures.campaign_cost:,.2f}"
    with stage.steps.step("service figures"):
        supervisor = stage.member("supervisor").door
        stage.service = await supervisor.get("/v1/service-metrics")
    with stage.steps.step("one customer, seen whole") as note:
        stage.overview = await overview_of_star(stage)
        stage.timeline = await stage.admin.all(f"/v1/customers/{stage.customer_ids[stage.star]}/timeline")
        for entry in stage.timeline:
            figures.timeline_kinds[entry["kind"]] = figures.timeline_kinds.get(entry["kind"], 0) + 1
        note.text = f"{len(stage.timeline)} entries from all four services"


async def overview_of_star(stage: Stage) -> dict[str, Any]:
    """The 360 view, once the last events have arrived on the timeline."""
    path = f"/v1/customers/{stage.customer_ids[stage.star]}"
    bought = {"order.paid"} if stage.figures.paid else set[str]()
    clicked = {"message.clicked"} if stage.star in stage.clicked else set[str]()
    told = TOLD_OF_ALL | bought | clicked

    async def all_told() -> dict[str, Any] | None:
        kinds = {entry["kind"] for entry in await stage.admin.all(f"{path}/timeline")}
        return await stage.admin.get(f"{path}/360") if kinds >= told else None

    return await eventually("everything to reach the timeline", all_told)
