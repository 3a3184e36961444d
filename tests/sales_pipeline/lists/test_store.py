"""Lists of a large tenant walk an index behind row-level security; the plan is tested, not only the result."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from crm_sales_pipeline.deals.store import DealFilter, list_deals
from crm_sales_pipeline.deals.tables import deal
from crm_sales_pipeline.leads.store import LeadFilter, list_leads
from crm_sales_pipeline.leads.tables import lead
from crm_sales_pipeline.pipelines.commands import pipeline_for
from crm_shared.db.pool import Tx
from crm_shared.ids import new_id
from crm_shared.testing.kit import ServiceKit

ROWS = 6_000
OWNERS = [new_id() for _ in range(50)]


@dataclass
class Explaining:
    """A connection that shows how a statement would run instead of running it."""

    connection: Any
    plans: list[str] = field(default_factory=list)

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        rows = await self.connection.fetch(f"EXPLAIN {sql}", *arguments)
        self.plans.append("\n".join(row[0] for row in rows))
        return []


@pytest.fixture(scope="module")
async def crowded(kit: ServiceKit) -> UUID:
    """A tenant with many leads and deals, its statistics up to date."""
    tenant, start = kit.tenant(), kit.clock.now()
    async with kit.transaction(tenant) as tx:
        pipeline = await pipeline_for(tx, None)
        names = ("id", "source", "source_key", "identity", "captured_window", "buying_window", "state", "owner_id")
        named = (
            *names,
            "partner",
            "score",
            "score_reasons",
            "captured_at",
            "clock_started_at",
            "resurfaced",
            "version",
        )
        rows: list[tuple[Any, ...]] = []
        deals: list[tuple[Any, ...]] = []
        for number in range(ROWS):
            at = start - timedelta(minutes=number)
            partner = "acme" if number % 100 == 0 else None
            owner = OWNERS[number % len(OWNERS)]
            key = str(number)
            rows.append((new_id(), "web", key, key, "now", "now", "new", owner, partner, 1, [], at, at, 0, 1))
            stands = (pipeline.id, "needs", "ongoing", "D", new_id())
            deals.append((new_id(), *stands, owner, partner, {}, at, at, 0, 1))
        await tx.copy(lead, ("tenant_id", *named), [(tenant, *row) for row in rows])
        of_deal = ("id", "pipeline_id", "stage", "canonical", "name", "customer_id", "owner_id", "partner", "fields")
        columns = ("tenant_id", *of_deal, "opened_at", "stage_entered_at", "orders", "version")
        await tx.copy(deal, columns, [(tenant, *row) for row in deals])
    connection = await asyncpg.connect(kit.urls.admin)
    await connection.execute("ANALYZE lead, deal, stage, customer_alias")
    await connection.close()
    return tenant


async def plan(kit: ServiceKit, tenant: UUID, listing: Any, filters: Any, **viewer: Any) -> str:
    async with kit.transaction(tenant) as tx:
        shown = Explaining(tx.connection)
        last = (kit.clock.now() - timedelta(minutes=3_000), new_id())
        explaining = Tx(shown, tenant, tx.roles)  # type: ignore[arg-type]
        await listing(explaining, kit.viewer(tenant, **viewer), filters, limit=51, after=last)
    return shown.plans[-1]


@pytest.mark.parametrize(
    ("filters", "viewer", "index"),
    [
        (LeadFilter(), {}, "ix_lead_captured_at"),
        (LeadFilter(owner_id=OWNERS[0]), {}, "ix_lead_owner_id"),
        (LeadFilter(), {"partner": "acme"}, "ix_lead_partner"),
    ],
)
async def test_a_page_of_leads_walks_an_index(
    kit: ServiceKit, crowded: UUID, filters: LeadFilter, viewer: dict[str, Any], index: str
) -> None:
    shown = await plan(kit, crowded, list_leads, filters, **viewer)
    assert index in shown, shown
    assert "Seq Scan on lead" not in shown


@pytest.mark.parametrize(
    ("filters", "index"),
    [(DealFilter(), "ix_deal_opened_at"), (DealFilter(owner_id=OWNERS[0]), "ix_deal_owner_id")],
)
async def test_a_page_of_deals_walks_an_index(kit: ServiceKit, crowded: UUID, filters: DealFilter, index: str) -> None:
    shown = await plan(kit, crowded, list_deals, filters)
    assert index in shown, shown
    assert "Seq Scan on deal" not in shown
