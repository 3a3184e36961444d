"""The route of service figures."""

from datetime import timedelta
from typing import Annotated

from fastapi import Query, Response

from crm_contact_center.metrics import queries
from crm_contact_center.metrics.queries import Asked
from crm_contact_center.metrics.schemas import MetricsQuery, ServiceMetricsRead
from crm_shared.errors import Invalid
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router

router = Router(prefix="/v1/service-metrics", tag="service-metrics", about="How well customers were served.")
_LONGEST = timedelta(days=92)


@router.get("", response_model=ServiceMetricsRead)
async def get(asked: Annotated[MetricsQuery, Query()], call: Annotated[Call, needs("metrics:read")]) -> Response:
    """Service level, speed of answer, abandonment, handling time, occupancy and kept promises of a time."""
    until = asked.until or call.now
    since = asked.since or until.replace(hour=0, minute=0, second=0, microsecond=0)
    if not since < until:
        raise Invalid.field("query:from", "The time must begin before it ends.", code="time_empty")
    if until - since > _LONGEST:
        raise Invalid.field("query:from", "Ask for 92 days at most.", code="time_too_long")
    channel = asked.channel.value if asked.channel else None
    wanted = Asked(since, until, asked.queue, channel)
    return await call.read(queries.figures, wanted, call.now, answer=ServiceMetricsRead.of)
