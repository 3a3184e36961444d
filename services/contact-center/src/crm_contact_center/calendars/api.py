"""Routes of business hours."""

from typing import Annotated

from fastapi import Query, Response

from crm_contact_center.calendars import commands, store
from crm_contact_center.calendars.domain import is_open, next_opening
from crm_contact_center.calendars.schemas import CalendarFilter, CalendarPage, CalendarRead, CalendarWrite, OpeningRead
from crm_contact_center.calendars.store import NamedCalendar
from crm_contact_center.references import CalendarId
from crm_shared.fields import Instant
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router

router = Router(
    prefix="/v1/calendars",
    tag="calendars",
    about="Business hours, holidays and time zones that queues and promises keep to.",
)


@router.post("", status_code=201, response_model=CalendarRead)
async def create(body: CalendarWrite, call: Annotated[Call, needs("routing:admin")]) -> Response:
    """Create a calendar: business hours with several windows a day, holidays and a time zone."""
    return await call.write(commands.create_calendar, body.name, body.to_domain(), answer=CalendarRead.of)


@router.put("/{calendar_id}", response_model=CalendarRead)
async def replace(
    calendar_id: CalendarId, body: CalendarWrite, call: Annotated[Call, needs("routing:admin")]
) -> Response:
    """Replace a calendar's hours; clocks already running keep the old ones for the time they have passed."""
    return await call.write(
        commands.change_calendar,
        calendar_id,
        (body.name, body.to_domain()),
        expected=call.if_match(),
        answer=CalendarRead.of,
    )


@router.get("", response_model=CalendarPage)
async def list(
    filters: Annotated[CalendarFilter, Query()], call: Annotated[Call, needs("interactions:read")]
) -> Response:
    """All calendars by name."""
    return await call.page(
        store.list_calendars, filters, answer=CalendarRead.of, key=lambda found: (found.name, found.id)
    )


@router.get("/{calendar_id}", response_model=CalendarRead)
async def get(calendar_id: CalendarId, call: Annotated[Call, needs("interactions:read")]) -> Response:
    """One calendar."""
    return await call.read(store.view, calendar_id, answer=CalendarRead.of)


@router.get("/{calendar_id}/opening", response_model=OpeningRead)
async def opening(
    calendar_id: CalendarId,
    call: Annotated[Call, needs("interactions:read")],
    at: Annotated[Instant | None, Query(description="The moment in question; now, if left out.")] = None,
) -> Response:
    """Whether it is open now (or at a moment), and when it opens next."""
    moment = at or call.now

    def answer(found: NamedCalendar) -> OpeningRead:
        return OpeningRead(at=moment, open=is_open(found.hours, moment), next_opening=next_opening(found.hours, moment))

    return await call.read(store.view, calendar_id, answer=answer)
