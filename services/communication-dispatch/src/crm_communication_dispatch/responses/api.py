"""Responses over HTTP, and what a campaign came to."""

from typing import Annotated

from fastapi import Query, Response

from crm_communication_dispatch.fields import CampaignId, ResponseId
from crm_communication_dispatch.responses import commands, intake, queries
from crm_communication_dispatch.responses.schemas import (
    CampaignReport,
    InboundMailRead,
    ResponseCreate,
    ResponseFilter,
    ResponsePage,
    ResponseRead,
)
from crm_shared.http import Call, Router, needs

router = Router(prefix="/v1/responses", tag="responses", about="What customers answered to messages.")
report_router = Router(prefix="/v1/campaigns", tag="campaigns")
Reading = Annotated[Call, needs("responses:read")]
Writing = Annotated[Call, needs("responses:write")]
_RAW_MAIL = {
    "requestBody": {
        "required": True,
        "content": {"message/rfc822": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("", status_code=201, response_model=ResponseRead)
async def create(body: ResponseCreate, call: Writing) -> Response:
    """Enter an answer that came by coupon code or by a call; the same coupon twice is one answer."""
    return await call.write(commands.record_told, body.told(), answer=ResponseRead.of)


@router.get("", response_model=ResponsePage)
async def list(call: Reading, filters: Annotated[ResponseFilter, Query()]) -> Response:
    """Look through the answers, newest first."""
    return await call.page(
        queries.list_responses, filters, answer=ResponseRead.of, key=lambda found: (found.captured_at, found.id)
    )


@router.post("/inbound-mail", status_code=201, response_model=InboundMailRead, openapi_extra=_RAW_MAIL)
async def take_in_mail(call: Writing) -> Response:
    """Take in a mail that came back, as raw RFC 5322 bytes; a reply, bounce, complaint or automatic answer."""
    raw = await call.request.body()
    return await call.write(intake.take_in_mail, raw, answer=InboundMailRead.of)


@router.get("/{response_id}", response_model=ResponseRead)
async def get(response_id: ResponseId, call: Reading) -> Response:
    """Read one answer."""
    return await call.read(queries.get_response, response_id, answer=ResponseRead.of)


@report_router.get("/{campaign_id}/report", response_model=CampaignReport)
async def report(campaign_id: CampaignId, call: Annotated[Call, needs("campaigns:read")]) -> Response:
    """Read what a campaign came to so far: states, reasons, answers by variant, cost."""
    return await call.read(queries.get_report, campaign_id, answer=CampaignReport.of)
