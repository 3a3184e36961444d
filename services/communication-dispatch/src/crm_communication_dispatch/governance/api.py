"""The policy and suppressions over HTTP."""

from typing import Annotated

from fastapi import Query, Response

from crm_communication_dispatch.fields import SuppressionId
from crm_communication_dispatch.governance import commands, queries
from crm_communication_dispatch.governance.schemas import (
    PolicyRead,
    PolicyWrite,
    SuppressionCreate,
    SuppressionFilter,
    SuppressionPage,
    SuppressionRead,
    SuppressionRelease,
)
from crm_shared.http import Call, Router, needs

policy_router = Router(prefix="/v1/governance", tag="governance", about="What may be sent, when, and how often.")
router = Router(prefix="/v1/suppressions", tag="suppressions", about="Who is not to be written to.")
Reading = Annotated[Call, needs("governance:read")]
Ruling = Annotated[Call, needs("governance:write")]
Looking = Annotated[Call, needs("suppressions:read")]
Silencing = Annotated[Call, needs("suppressions:write")]


@policy_router.get("/policy", response_model=PolicyRead)
async def get_policy(call: Reading) -> Response:
    """Read what may be sent, when and how often."""
    return await call.read(queries.get_policy, answer=PolicyRead.of)


@policy_router.put("/policy", response_model=PolicyRead)
async def set_policy(body: PolicyWrite, call: Ruling) -> Response:
    """Replace the policy of all departments."""
    return await call.write(commands.set_policy, body.to_domain(), expected=call.if_match(), answer=PolicyRead.of)


@router.post("", status_code=201, response_model=SuppressionRead)
async def create(body: SuppressionCreate, call: Silencing) -> Response:
    """Stop writing to somebody."""
    return await call.write(commands.suppress, body.silence(), answer=SuppressionRead.of)


@router.get("", response_model=SuppressionPage)
async def list(call: Looking, filters: Annotated[SuppressionFilter, Query()]) -> Response:
    """Look through the suppressions."""
    return await call.page(
        queries.list_suppressions,
        filters,
        answer=SuppressionRead.of,
        key=lambda found: (found.created_at, found.id),
    )


@router.get("/{suppression_id}", response_model=SuppressionRead)
async def get(suppression_id: SuppressionId, call: Looking) -> Response:
    """Read one suppression."""
    return await call.read(queries.get_suppression, suppression_id, answer=SuppressionRead.of)


@router.post("/{suppression_id}/release", response_model=SuppressionRead)
async def release(suppression_id: SuppressionId, body: SuppressionRelease, call: Silencing) -> Response:
    """Let somebody be written to again, and keep who did it and why."""
    return await call.write(commands.release, suppression_id, body.reason, answer=SuppressionRead.of)
