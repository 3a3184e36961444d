"""Routes of deals, and those of leads and pipelines that need to know deals."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field

from crm_sales_pipeline.deals import store
from crm_sales_pipeline.deals.commands.conversion import convert_lead
from crm_sales_pipeline.deals.commands.dealing import change_deal, move_deal, open_deal
from crm_sales_pipeline.deals.commands.stages import set_stages
from crm_sales_pipeline.deals.domain import Deal, Forecast, Transition, forecast
from crm_sales_pipeline.deals.schemas import (
    DealCreate,
    DealMove,
    DealPage,
    DealQuery,
    DealRead,
    DealUpdate,
    Forecasts,
    LeadConvert,
    Transitions,
)
from crm_sales_pipeline.deals.store import DealFilter
from crm_sales_pipeline.identifiers import DealId, LeadId, PipelineId, UserId
from crm_sales_pipeline.pipelines.schemas import PipelineRead, StageList
from crm_shared.db.pool import Tx
from crm_shared.fields import Day
from crm_shared.http import Call, Router, needs
from crm_shared.tenancy import Viewer

router = Router(prefix="/v1/deals", tag="deals", about="Chances to sell, on their way through a pipeline.")
leads_router = Router(prefix="/v1/leads", tag="leads")
pipelines_router = Router(prefix="/v1/pipelines", tag="pipelines")

Reads = Annotated[Call, needs("deals:read")]
Writes = Annotated[Call, needs("deals:write")]

AS_IT_IS = LeadConvert()


class ForecastQuery(BaseModel):
    """What the forecast covers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pipeline_id: PipelineId | None = Field(None, description="Only deals of this pipeline.")
    owner_id: UserId | None = Field(None, description="Only deals of this seller.")
    closing_from: Day | None = Field(None, description="Expected to close on this day or later.")
    closing_to: Day | None = Field(None, description="Expected to close on this day or earlier.")


@router.post("", status_code=201, response_model=DealRead)
async def open(body: DealCreate, call: Writes) -> Response:
    """Open a deal."""
    return await call.write(open_deal, body.to_domain(), answer=DealRead.of)


@router.get("", response_model=DealPage, name="list")
async def list_(call: Reads, filters: Annotated[DealQuery, Query()]) -> Response:
    """Deals, newest first."""

    def key(deal: Deal) -> tuple[Any, ...]:
        return deal.opened_at, deal.id

    return await call.page(_page, filters, answer=DealRead.of, key=key)


@router.get("/forecast", response_model=Forecasts, name="forecast")
async def forecast_(call: Reads, filters: Annotated[ForecastQuery, Query()]) -> Response:
    """Open and weighted amounts for each currency; lost deals never count."""
    return await call.read(_forecast, filters, answer=Forecasts.of)


@router.get("/{deal_id}", response_model=DealRead)
async def get(deal_id: DealId, call: Reads) -> Response:
    """One deal."""
    return await call.read(store.view, deal_id, answer=DealRead.of)


@router.patch("/{deal_id}", response_model=DealRead)
async def update(deal_id: DealId, body: DealUpdate, call: Writes) -> Response:
    """Change what is known of a deal; its stage changes by moving it."""
    return await call.write(change_deal, deal_id, body.changes(), expected=call.if_match(), answer=DealRead.of)


@router.post("/{deal_id}/move", response_model=DealRead)
async def move(deal_id: DealId, body: DealMove, call: Writes) -> Response:
    """Move a deal to another stage (needs If-Match); also wins, loses and reopens."""
    expected = call.if_match(required=True)
    return await call.write(move_deal, deal_id, body.to_domain(), expected=expected, answer=DealRead.of)


@router.get("/{deal_id}/transitions", response_model=Transitions)
async def transitions(deal_id: DealId, call: Reads) -> Response:
    """Every step of a deal: from, to, who, what the guards found, how long it stood."""
    return await call.read(_transitions, deal_id, answer=Transitions.of)


@leads_router.post("/{lead_id}/convert", response_model=DealRead)
async def convert(
    lead_id: LeadId, call: Annotated[Call, needs("leads:write")], body: LeadConvert = AS_IT_IS
) -> Response:
    """Turn a lead into a deal, once; again answers with the same deal."""
    return await call.write(convert_lead, lead_id, body.to_domain(), expected=call.if_match(), answer=DealRead.of)


@pipelines_router.put("/{pipeline_id}/stages", response_model=PipelineRead)
async def replace_stages(
    pipeline_id: PipelineId, body: StageList, call: Annotated[Call, needs("pipelines:write")]
) -> Response:
    """Replace a pipeline's stages; those that deals stand in stay."""
    return await call.write(set_stages, pipeline_id, body.to_stages(), expected=call.if_match(), answer=PipelineRead.of)


async def _page(tx: Tx, viewer: Viewer, filters: DealQuery, *, limit: int, after: tuple[Any, ...] | None) -> list[Deal]:
    return await store.list_deals(tx, viewer, filters.to_filter(), limit=limit, after=after)


async def _forecast(tx: Tx, viewer: Viewer, filters: ForecastQuery) -> list[Forecast]:
    narrowed = DealFilter(pipeline_id=filters.pipeline_id, owner_id=filters.owner_id)
    rows = await store.forecast_rows(
        tx, viewer, narrowed, closing_from=filters.closing_from, closing_to=filters.closing_to
    )
    return forecast(rows)


async def _transitions(tx: Tx, viewer: Viewer, deal_id: UUID) -> list[Transition] | None:
    return await store.transitions(tx, deal_id) if await store.view(tx, viewer, deal_id) else None
