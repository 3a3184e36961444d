"""Reading and writing campaigns and expenses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_sales_pipeline.insights.domain import Campaign, Expense, ExpenseState
from crm_sales_pipeline.insights.tables import campaign, expense
from crm_sales_pipeline.lists.store import beyond
from crm_shared.db.pool import Record, Tx
from crm_shared.money import Money

_GET_CAMPAIGN = select(campaign).where(campaign.c.id == bindparam("id"))
_LOCK_EXPENSE = select(expense).where(expense.c.id == bindparam("id")).with_for_update()
_GET_EXPENSE = select(expense).where(expense.c.id == bindparam("id"))


@dataclass(frozen=True, slots=True)
class ExpenseFilter:
    """Which expenses a list shows; None doesn't narrow."""

    campaign_id: UUID | None = None
    deal_id: UUID | None = None
    state: ExpenseState | None = None


async def fill_campaign(tx: Tx, campaign_id: UUID, facts: Mapping[str, Any]) -> None:
    """Keep what an event said of a campaign; what it didn't say stays."""
    values = {"name": None, "purpose": None, **facts}
    statement = insert(campaign).values(tenant_id=tx.tenant, id=campaign_id, **values)
    await tx.run(
        statement.on_conflict_do_update(index_elements=[campaign.c.tenant_id, campaign.c.id], set_=dict(facts))
    )


async def get_campaign(tx: Tx, campaign_id: UUID) -> Campaign | None:
    """One campaign."""
    row = await tx.one(_GET_CAMPAIGN, {"id": campaign_id})
    return _campaign(row) if row is not None else None


async def list_campaigns(tx: Tx, *, limit: int, after: tuple[Any, ...] | None) -> list[Campaign]:
    """Campaigns, newest id first."""
    statement = select(campaign).order_by(campaign.c.id.desc()).limit(limit)
    if after is not None:
        statement = statement.where(beyond((campaign.c.id,), after, descending=True))
    return [_campaign(row) for row in await tx.all(statement)]


async def insert_expense(tx: Tx, made: Expense, *, business_key: str | None = None) -> bool:
    """Keep an expense; False when one with its business key is here already."""
    statement = (
        insert(expense).values(tenant_id=tx.tenant, business_key=business_key, **_values(made)).on_conflict_do_nothing()
    )
    return await tx.run(statement) == 1


async def save_expense(tx: Tx, changed: Expense) -> None:
    """Keep a changed expense."""
    await tx.run(update(expense).where(expense.c.id == changed.id).values(**_values(changed)))


async def get_expense(tx: Tx, expense_id: UUID, *, lock: bool = False) -> Expense | None:
    """One expense."""
    row = await tx.one(_LOCK_EXPENSE if lock else _GET_EXPENSE, {"id": expense_id})
    return _expense(row) if row is not None else None


async def list_expenses(tx: Tx, filters: ExpenseFilter, *, limit: int, after: tuple[Any, ...] | None) -> list[Expense]:
    """Expenses, newest first."""
    key = (expense.c.incurred_at, expense.c.id)
    statement = select(expense).order_by(*(column.desc() for column in key)).limit(limit)
    if filters.campaign_id is not None:
        statement = statement.where(expense.c.campaign_id == filters.campaign_id)
    if filters.deal_id is not None:
        statement = statement.where(expense.c.deal_id == filters.deal_id)
    if filters.state is not None:
        statement = statement.where(expense.c.state == filters.state.value)
    if after is not None:
        statement = statement.where(beyond(key, after, descending=True))
    return [_expense(row) for row in await tx.all(statement)]


def _campaign(row: Record) -> Campaign:
    return Campaign(
        id=row["id"],
        name=row["name"],
        purpose=row["purpose"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        targeted=row["targeted"],
        accepted=row["accepted"],
    )


def _values(one: Expense) -> dict[str, Any]:
    return {
        "id": one.id,
        "campaign_id": one.campaign_id,
        "deal_id": one.deal_id,
        "amount": one.amount.amount,
        "currency": one.amount.currency,
        "description": one.description,
        "source": one.source,
        "state": one.state.value,
        "incurred_at": one.incurred_at,
        "created_by": one.created_by,
        "decided_by": one.decided_by,
        "version": one.version,
    }


def _expense(row: Record) -> Expense:
    return Expense(
        id=row["id"],
        campaign_id=row["campaign_id"],
        deal_id=row["deal_id"],
        amount=Money(row["amount"], row["currency"]),
        description=row["description"],
        source=row["source"],
        state=ExpenseState(row["state"]),
        incurred_at=row["incurred_at"],
        created_by=row["created_by"],
        decided_by=row["decided_by"],
        version=row["version"],
    )
