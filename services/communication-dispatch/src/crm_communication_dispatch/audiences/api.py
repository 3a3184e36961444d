"""Audiences over HTTP."""

from typing import Annotated

from fastapi import Query, Response

from crm_communication_dispatch.audiences import commands, queries
from crm_communication_dispatch.audiences.schemas import AudienceCreate, AudiencePage, AudienceRead
from crm_communication_dispatch.fields import AudienceId
from crm_shared.http import Call, PageQuery, Router, needs

router = Router(
    prefix="/v1/audiences", tag="audiences", about="Who of a segment may be written to, and who may not and why."
)
Reading = Annotated[Call, needs("audiences:read")]


@router.post("", status_code=201, response_model=AudienceRead)
async def create(body: AudienceCreate, call: Annotated[Call, needs("audiences:write")]) -> Response:
    """Count who of a segment may be written to, and why others may not."""
    return await call.write(
        commands.ask_for_audience, body.segment_id, body.channel.value, body.purpose, answer=AudienceRead.of
    )


@router.get("", response_model=AudiencePage)
async def list(call: Reading, filters: Annotated[PageQuery, Query()]) -> Response:
    """Look through the audiences, newest first."""
    return await call.page(
        queries.list_audiences, filters, answer=AudienceRead.of, key=lambda found: (found.created_at, found.id)
    )


@router.get("/{audience_id}", response_model=AudienceRead)
async def get(audience_id: AudienceId, call: Reading) -> Response:
    """Read one audience, with everyone left out counted by reason."""
    return await call.read(queries.get_audience, audience_id, answer=AudienceRead.of)
