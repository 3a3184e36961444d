"""Routes of leads."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Response

from crm_sales_pipeline.assignment.schemas import Explanations
from crm_sales_pipeline.assignment.store import of_record
from crm_sales_pipeline.identifiers import LeadId
from crm_sales_pipeline.leads import store
from crm_sales_pipeline.leads.commands import follow_up
from crm_sales_pipeline.leads.commands.capture import capture_lead
from crm_sales_pipeline.leads.commands.steps import RECORD_KIND
from crm_sales_pipeline.leads.domain.leads import Lead
from crm_sales_pipeline.leads.domain.scoring import Reason
from crm_sales_pipeline.leads.domain.windows import BuyingWindow, WindowPolicy, WindowRate
from crm_sales_pipeline.leads.schemas.leads import (
    LeadAssign,
    LeadClose,
    LeadContact,
    LeadCreate,
    LeadHistory,
    LeadPage,
    LeadQuery,
    LeadRead,
    LeadRecycle,
    LeadUpdate,
    ScoreRead,
)
from crm_sales_pipeline.leads.schemas.windows import (
    WindowPolicies,
    WindowPolicyFields,
    WindowPolicyRead,
    WindowRates,
)
from crm_sales_pipeline.leads.store import Step
from crm_shared.db.pool import Tx
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

router = Router(
    prefix="/v1/leads", tag="leads", about="Interest that may become a deal: captured, assigned, qualified, converted."
)

Reads = Annotated[Call, needs("leads:read")]
Writes = Annotated[Call, needs("leads:write")]
Administers = Annotated[Call, needs("sales:admin")]

BY_THE_RULES = LeadAssign()
JUST_NOW = LeadContact()


@router.post("", status_code=201, response_model=LeadRead)
async def capture(body: LeadCreate, call: Writes) -> Response:
    """Capture a lead. The same lead again answers with the one that is here."""
    return await call.write(capture_lead, body.to_domain(), answer=LeadRead.of)


@router.get("", response_model=LeadPage, name="list")
async def list_(call: Reads, filters: Annotated[LeadQuery, Query()]) -> Response:
    """Leads, newest first."""

    def key(lead: Lead) -> tuple[Any, ...]:
        return lead.captured_at, lead.id

    return await call.page(_page, filters, answer=LeadRead.of, key=key)


@router.get("/window-policies", response_model=WindowPolicies)
async def list_window_policies(call: Reads) -> Response:
    """How leads of each buying window are treated."""
    return await call.read(_policies, answer=_policies_read)


@router.put("/window-policies/{window}", response_model=WindowPolicyRead)
async def set_window_policy(
    window: Annotated[BuyingWindow, Path(description="Within what time leads want to buy.")],
    body: WindowPolicyFields,
    call: Administers,
) -> Response:
    """Treat leads of a window differently from now on."""
    return await call.write(follow_up.set_policy, body.to_domain(window), answer=WindowPolicyRead.of)


@router.get("/window-rates", response_model=WindowRates)
async def window_rates(call: Reads) -> Response:
    """Which share of each window's leads converts: prior, data, and what follows from both."""
    return await call.read(_rates, answer=WindowRates.of)


@router.get("/{lead_id}", response_model=LeadRead)
async def get(lead_id: LeadId, call: Reads) -> Response:
    """One lead."""
    return await call.read(store.view, lead_id, answer=LeadRead.of)


@router.patch("/{lead_id}", response_model=LeadRead)
async def update(lead_id: LeadId, body: LeadUpdate, call: Writes) -> Response:
    """Change what is known of a lead, or its buying window."""
    return await call.write(
        follow_up.change_lead, lead_id, body.changes(), expected=call.if_match(), answer=LeadRead.of
    )


@router.get("/{lead_id}/history", response_model=LeadHistory)
async def history(lead_id: LeadId, call: Reads) -> Response:
    """Every step of a lead."""
    return await call.read(_history, lead_id, answer=LeadHistory.of)


@router.get("/{lead_id}/score", response_model=ScoreRead)
async def score(lead_id: LeadId, call: Reads) -> Response:
    """Why a lead scores what it does."""
    return await call.read(_score, lead_id, answer=ScoreRead.of)


@router.get("/{lead_id}/assignments", response_model=Explanations)
async def assignments(lead_id: LeadId, call: Reads) -> Response:
    """Who got the lead, by which rule, and who else was considered."""
    return await call.read(_assignments, lead_id, answer=Explanations.of)


@router.post("/{lead_id}/assign", response_model=LeadRead)
async def assign(lead_id: LeadId, call: Writes, body: LeadAssign = BY_THE_RULES) -> Response:
    """Assign a lead to a seller, or let the rules choose."""
    return await call.write(follow_up.assign_lead, lead_id, body.owner_id, expected=call.if_match(), answer=LeadRead.of)


@router.post("/{lead_id}/contact", response_model=LeadRead)
async def contact(lead_id: LeadId, call: Writes, body: LeadContact = JUST_NOW) -> Response:
    """Record that somebody got in touch; stops the first-contact clock."""
    return await call.write(follow_up.contact_lead, lead_id, body.at, expected=call.if_match(), answer=LeadRead.of)


@router.post("/{lead_id}/qualify", response_model=LeadRead)
async def qualify(lead_id: LeadId, call: Writes) -> Response:
    """Qualify a lead; there is something to sell."""
    return await call.write(follow_up.qualify_lead, lead_id, expected=call.if_match(), answer=LeadRead.of)


@router.post("/{lead_id}/recycle", response_model=LeadRead)
async def recycle(lead_id: LeadId, body: LeadRecycle, call: Writes) -> Response:
    """Recycle a lead; it comes back by itself when its time has come."""
    return await call.write(
        follow_up.recycle_lead, lead_id, body.to_domain(), expected=call.if_match(), answer=LeadRead.of
    )


@router.post("/{lead_id}/close", response_model=LeadRead)
async def close(lead_id: LeadId, body: LeadClose, call: Writes) -> Response:
    """Close a lead; nothing will come of it."""
    return await call.write(follow_up.close_lead, lead_id, body.reason, expected=call.if_match(), answer=LeadRead.of)


async def _page(tx: Tx, viewer: Viewer, filters: LeadQuery, *, limit: int, after: tuple[Any, ...] | None) -> list[Lead]:
    return await store.list_leads(tx, viewer, filters.to_filter(), limit=limit, after=after)


async def _policies(tx: Tx, viewer: Viewer) -> dict[BuyingWindow, WindowPolicy]:
    del viewer
    return await store.policies(tx)


def _policies_read(policies: dict[BuyingWindow, WindowPolicy]) -> WindowPolicies:
    return WindowPolicies(items=[WindowPolicyRead.of(policy) for policy in policies.values()])


async def _rates(tx: Tx, viewer: Viewer) -> list[WindowRate]:
    del viewer
    return await store.rates(tx)


async def _history(tx: Tx, viewer: Viewer, lead_id: UUID) -> list[Step] | None:
    return await store.steps(tx, lead_id) if await store.view(tx, viewer, lead_id) else None


async def _score(tx: Tx, viewer: Viewer, lead_id: UUID) -> tuple[Reason, ...] | None:
    return await store.score_reasons(tx, lead_id) if await store.view(tx, viewer, lead_id) else None


async def _assignments(tx: Tx, viewer: Viewer, lead_id: UUID) -> Any:
    return await of_record(tx, RECORD_KIND, lead_id) if await store.view(tx, viewer, lead_id) else None
