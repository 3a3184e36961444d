"""Reading and writing deals, their transitions, and the leads that became them."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, case, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_sales_pipeline.customers.store import family, with_present_customer
from crm_sales_pipeline.deals.domain import Deal, ForecastRow, Probability, Transition
from crm_sales_pipeline.deals.tables import deal, deal_lead, deal_transition
from crm_sales_pipeline.lists.domain import sees
from crm_sales_pipeline.lists.store import beyond, visible
from crm_sales_pipeline.pipelines.domain import Canonical, GuardResult
from crm_sales_pipeline.pipelines.tables import stage
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of
from crm_shared.money import Money
from crm_shared.tenancy import Viewer

_FROM, _CUSTOMER = with_present_customer(deal)
_DEAL = select(
    *(column for column in deal.c if column.name != "customer_id"),
    _CUSTOMER,
    stage.c.probability.label("stage_probability"),
).select_from(
    _FROM.join(
        stage,
        and_(
            stage.c.tenant_id == deal.c.tenant_id,
            stage.c.pipeline_id == deal.c.pipeline_id,
            stage.c.key == deal.c.stage,
        ),
    )
)
_GET = _DEAL.where(deal.c.id == bindparam("id"))
# Locked on its own: a join on the stage would lose the row when another transaction moves the deal while we wait,
# because PostgreSQL checks the join again with the stage it had found before.
_LOCK = select(deal.c.id).where(deal.c.id == bindparam("id")).with_for_update()
_OF_LEAD = select(deal_lead.c.deal_id).where(deal_lead.c.lead_id == bindparam("lead_id"))
_STAGES_IN_USE = select(deal.c.stage).where(deal.c.pipeline_id == bindparam("pipeline_id")).distinct()
_TRANSITIONS = (
    select(deal_transition).where(deal_transition.c.deal_id == bindparam("deal_id")).order_by(deal_transition.c.id)
)


@dataclass(frozen=True, slots=True)
class DealFilter:
    """Which deals a list shows; None doesn't narrow."""

    pipeline_id: UUID | None = None
    stage: str | None = None
    canonical: Canonical | None = None
    owner_id: UUID | None = None
    customer_id: UUID | None = None
    campaign_id: UUID | None = None


async def insert_new(tx: Tx, made: Deal) -> None:
    """Keep a new deal."""
    await tx.run(insert(deal).values(tenant_id=tx.tenant, customer_id=made.customer_id, **_values(made)))


async def save(tx: Tx, changed: Deal) -> None:
    """Keep a changed deal, except its customer: the reference stays as it was given."""
    await tx.run(update(deal).where(deal.c.id == changed.id).values(**_values(changed)))


async def get(tx: Tx, deal_id: UUID, *, lock: bool = False) -> Deal | None:
    """One deal."""
    if lock:
        await tx.run(_LOCK, {"id": deal_id})
    row = await tx.one(_GET, {"id": deal_id})
    return _deal(row) if row is not None else None


async def view(tx: Tx, viewer: Viewer, deal_id: UUID) -> Deal | None:
    """One deal, if the viewer may see it."""
    found = await get(tx, deal_id)
    if found is None or not sees(viewer, partner=found.partner, owner_id=found.owner_id):
        return None
    return found


async def list_deals(
    tx: Tx, viewer: Viewer, filters: DealFilter, *, limit: int, after: tuple[Any, ...] | None
) -> list[Deal]:
    """Deals that the viewer may see, newest first."""
    key = (deal.c.opened_at, deal.c.id)
    statement = _DEAL.where(*await _conditions(tx, viewer, filters))
    statement = statement.order_by(*(column.desc() for column in key)).limit(limit)
    if after is not None:
        statement = statement.where(beyond(key, after, descending=True))
    return [_deal(row) for row in await tx.all(statement)]


async def stages_in_use(tx: Tx, pipeline_id: UUID) -> set[str]:
    """The stages of a pipeline that deals stand in."""
    rows = await tx.all(_STAGES_IN_USE, {"pipeline_id": pipeline_id})
    return {row["stage"] for row in rows}


async def open_deal_of(tx: Tx, customer_id: UUID, pipeline_id: UUID, *, partner: str | None) -> UUID | None:
    """The customer's newest open deal in a pipeline, if there is one."""
    return await tx.scalar(
        select(deal.c.id)
        .where(
            any_of(deal.c.customer_id, await family(tx, customer_id)),
            deal.c.pipeline_id == pipeline_id,
            deal.c.closed_at.is_(None),
            deal.c.partner == partner if partner is not None else deal.c.partner.is_(None),
        )
        .order_by(deal.c.opened_at.desc(), deal.c.id.desc())
        .limit(1)
    )


async def link_lead(tx: Tx, *, lead_id: UUID, deal_id: UUID, at: datetime) -> None:
    """Keep which deal a lead became; a lead becomes one deal only, which the key guarantees."""
    await tx.run(insert(deal_lead).values(tenant_id=tx.tenant, lead_id=lead_id, deal_id=deal_id, at=at))


async def deal_of_lead(tx: Tx, lead_id: UUID) -> UUID | None:
    """The deal a lead became."""
    return await tx.scalar(_OF_LEAD, {"lead_id": lead_id})


async def add_transition(tx: Tx, made: Transition) -> None:
    """Keep one step."""
    await tx.run(
        insert(deal_transition).values(
            tenant_id=tx.tenant,
            id=made.id,
            deal_id=made.deal_id,
            from_stage=made.from_stage,
            to_stage=made.to_stage,
            from_canonical=made.from_canonical,
            to_canonical=made.to_canonical,
            actor=made.actor,
            guards=[{"guard": result.guard, "passed": result.passed} for result in made.guards],
            dwell_s=made.dwell_s,
            reason=made.reason,
            at=made.at,
        )
    )


async def transitions(tx: Tx, deal_id: UUID) -> list[Transition]:
    """All steps of a deal, oldest first."""
    return [_transition(row) for row in await tx.all(_TRANSITIONS, {"deal_id": deal_id})]


async def forecast_rows(
    tx: Tx, viewer: Viewer, filters: DealFilter, *, closing_from: date | None, closing_to: date | None
) -> list[ForecastRow]:
    """Amounts by currency, type and probability. Lost deals are left out here and again in the rule."""
    probability = case(
        (deal.c.canonical == Canonical.WON.value, literal(Decimal(100))),
        else_=func.coalesce(deal.c.probability_manual, deal.c.probability_model, stage.c.probability),
    )
    grouped = select(
        deal.c.currency,
        deal.c.canonical,
        probability.label("probability"),
        func.count().label("deals"),
        func.sum(deal.c.amount).label("amount"),
    ).select_from(
        deal.join(
            stage,
            and_(
                stage.c.tenant_id == deal.c.tenant_id,
                stage.c.pipeline_id == deal.c.pipeline_id,
                stage.c.key == deal.c.stage,
            ),
        )
    )
    statement = grouped.where(*await _conditions(tx, viewer, filters))
    statement = statement.where(deal.c.amount.isnot(None), deal.c.canonical != Canonical.LOST.value)
    if closing_from is not None:
        statement = statement.where(deal.c.expected_close_on >= closing_from)
    if closing_to is not None:
        statement = statement.where(deal.c.expected_close_on <= closing_to)
    statement = statement.group_by(deal.c.currency, deal.c.canonical, probability)
    return [
        ForecastRow(
            currency=row["currency"],
            canonical=Canonical(row["canonical"]),
            probability=row["probability"],
            deals=row["deals"],
            amount=row["amount"],
        )
        for row in await tx.all(statement)
    ]


async def _conditions(tx: Tx, viewer: Viewer, filters: DealFilter) -> list[ColumnElement[bool]]:
    conditions = list(visible(deal, viewer))
    if filters.pipeline_id is not None:
        conditions.append(deal.c.pipeline_id == filters.pipeline_id)
    if filters.stage is not None:
        conditions.append(deal.c.stage == filters.stage)
    if filters.canonical is not None:
        conditions.append(deal.c.canonical == filters.canonical.value)
    if filters.owner_id is not None:
        conditions.append(deal.c.owner_id == filters.owner_id)
    if filters.customer_id is not None:
        conditions.append(any_of(deal.c.customer_id, await family(tx, filters.customer_id)))
    if filters.campaign_id is not None:
        conditions.append(deal.c.campaign_id == filters.campaign_id)
    return conditions


def _values(one: Deal) -> dict[str, Any]:
    return {
        "id": one.id,
        "pipeline_id": one.pipeline_id,
        "stage": one.stage,
        "canonical": one.canonical.value,
        "name": one.name,
        "contact_id": one.contact_id,
        "owner_id": one.owner_id,
        "partner": one.partner,
        "channel": one.channel,
        "source": one.source,
        "campaign_id": one.campaign_id,
        "lead_id": one.lead_id,
        "amount": one.amount.amount if one.amount is not None else None,
        "currency": one.amount.currency if one.amount is not None else None,
        "expected_close_on": one.expected_close_on,
        "probability_manual": one.probability.manual,
        "probability_model": one.probability.model,
        "fields": dict(one.fields),
        "opened_at": one.opened_at,
        "stage_entered_at": one.stage_entered_at,
        "closed_at": one.closed_at,
        "lost_reason": one.lost_reason,
        "competitor": one.competitor,
        "orders": one.orders,
        "version": one.version,
    }


def _deal(row: Record) -> Deal:
    return Deal(
        id=row["id"],
        pipeline_id=row["pipeline_id"],
        stage=row["stage"],
        canonical=Canonical(row["canonical"]),
        name=row["name"],
        customer_id=row["customer_id"],
        contact_id=row["contact_id"],
        owner_id=row["owner_id"],
        partner=row["partner"],
        channel=row["channel"],
        source=row["source"],
        campaign_id=row["campaign_id"],
        lead_id=row["lead_id"],
        amount=Money(row["amount"], row["currency"]) if row["amount"] is not None else None,
        expected_close_on=row["expected_close_on"],
        probability=Probability(
            stage=row["stage_probability"], manual=row["probability_manual"], model=row["probability_model"]
        ),
        fields=row["fields"],
        opened_at=row["opened_at"],
        stage_entered_at=row["stage_entered_at"],
        closed_at=row["closed_at"],
        lost_reason=row["lost_reason"],
        competitor=row["competitor"],
        orders=row["orders"],
        version=row["version"],
    )


def _transition(row: Record) -> Transition:
    return Transition(
        id=row["id"],
        deal_id=row["deal_id"],
        from_stage=row["from_stage"],
        to_stage=row["to_stage"],
        from_canonical=Canonical(row["from_canonical"]) if row["from_canonical"] else None,
        to_canonical=Canonical(row["to_canonical"]),
        actor=row["actor"],
        guards=tuple(GuardResult(guard=raw["guard"], passed=raw["passed"]) for raw in row["guards"]),
        dwell_s=row["dwell_s"],
        reason=row["reason"],
        at=row["at"],
    )
