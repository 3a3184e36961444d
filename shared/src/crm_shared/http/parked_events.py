"""Routes to events that wait: what holds them back, another try, a skip with its reason, and who did what.

Every service has them under its own name. They show a tenant's own keys to its administrators. A message that is no
event names no tenant; it concerns the whole installation, and only its operators reach it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Path, Query, Response

from crm_shared.bus import parking_desk as desk
from crm_shared.bus.parking_desk import Act, WaitingKey, WaitingMessage
from crm_shared.db.pool import NO_TENANT, Tx
from crm_shared.errors import NotFound
from crm_shared.http.call import Call, needs, on_behalf
from crm_shared.http.pagination import PageQuery
from crm_shared.http.parked_event_models import (
    ParkedActFilter,
    ParkedActPage,
    ParkedActRead,
    ParkedKeyPage,
    ParkedKeyRead,
    ParkedMessagePage,
    ParkedMessageRead,
    ParkedRetry,
    ParkedSkip,
)
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

Keys = list[WaitingKey]
Messages = list[WaitingMessage]
Acts = list[Act]
Done = TypeVar("Done")

PLATFORM = "platform:admin"
"""Held by those who run the installation, and by nobody whom a tenant can name."""

router = Router(
    prefix="/v1/parked-events/{service}",
    tag="parked-events",
    about="Events that wait because something is wrong with them; to be retried or skipped.",
)
Operating = Annotated[Call, needs("parked-events:admin")]
Reading = Annotated[Call, needs("parked-events:payload")]
Owning = Annotated[Call, needs(PLATFORM)]
ServiceName = Annotated[str, Path(max_length=60, description="Whose: the name of a service.")]
Key = Annotated[str, Path(max_length=300, pattern=r"^[\x20-\x7e]+$", description="The name of the key that waits.")]


@router.get("", response_model=ParkedKeyPage, name="list")
async def list_keys(service: ServiceName, call: Operating, filters: Annotated[PageQuery, Query()]) -> Response:
    """Keys that wait, the longest waiting first."""
    return await _page_of_keys(_of_service(call, service), filters)


@router.get("/unreadable", response_model=ParkedKeyPage)
async def unreadable(service: ServiceName, call: Owning, filters: Annotated[PageQuery, Query()]) -> Response:
    """Messages that are no events: they name no tenant, so they are the operators' of the installation."""
    return await _page_of_keys(_of_nobody(_of_service(call, service)), filters)


@router.get("/audit", response_model=ParkedActPage)
async def audit(service: ServiceName, call: Operating, filters: Annotated[ParkedActFilter, Query()]) -> Response:
    """Who did what to which key, and why; the latest first."""

    async def query(tx: Tx, viewer: Viewer, filters: ParkedActFilter, **page: Any) -> Acts:
        return await desk.list_acts(tx, key=filters.key, **page)

    concerned = _concerned(_of_service(call, service), filters.key or "")
    return await concerned.page(query, filters, answer=ParkedActRead.of, key=lambda act: (act.id,))


@router.get("/{key}", response_model=ParkedKeyRead)
async def get(service: ServiceName, key: Key, call: Operating) -> Response:
    """One key that waits, and what holds it back."""

    async def query(tx: Tx, viewer: Viewer) -> WaitingKey | None:
        return await desk.get_waiting(tx, key)

    return await _concerned(_of_service(call, service), key).read(query, answer=ParkedKeyRead.of)


@router.get("/{key}/messages", response_model=ParkedMessagePage)
async def messages(service: ServiceName, key: Key, call: Reading, filters: Annotated[PageQuery, Query()]) -> Response:
    """What waits under a key, in its order and with its content."""

    async def query(tx: Tx, viewer: Viewer, filters: PageQuery, **page: Any) -> Messages:
        if page["after"] is None and await desk.get_waiting(tx, key) is None:
            raise NotFound.of("parked key", key)
        return await desk.list_messages(tx, key, **page)

    concerned = _concerned(_of_service(call, service), key)
    return await concerned.page(query, filters, answer=ParkedMessageRead.of, key=_place)


@router.post("/{key}/retry", status_code=202, response_model=ParkedKeyRead)
async def retry(service: ServiceName, key: Key, body: ParkedRetry, call: Operating) -> Response:
    """Have a key tried now; the service's worker does so within a second, all that waits in its order."""
    concerned = _concerned(_of_service(call, service), key)
    return await concerned.write(_by(desk.retry), key, body.reason, answer=ParkedKeyRead.of)


@router.post("/{key}/skip", status_code=202, response_model=ParkedActRead)
async def skip(service: ServiceName, key: Key, body: ParkedSkip, call: Operating) -> Response:
    """Give up what holds a key back; the service's worker goes on with what is behind it. Not to be undone."""
    concerned = _concerned(_of_service(call, service), key)
    return await concerned.write(_by(desk.skip), key, body.reason, answer=ParkedActRead.of)


async def _page_of_keys(call: Call, filters: PageQuery) -> Response:
    async def query(tx: Tx, viewer: Viewer, filters: PageQuery, **page: Any) -> Keys:
        return await desk.list_waiting(tx, **page)

    return await call.page(query, filters, answer=ParkedKeyRead.of, key=lambda waiting: (waiting.since, waiting.key))


def _of_service(call: Call, name: str) -> Call:
    """The gateway sends a request to the service that it names; anybody else's name is nobody's here."""
    if name != call.services.database.service:
        raise NotFound("There is no such service.", code="service_not_found")
    return call


def _concerned(call: Call, key: str) -> Call:
    """The call, in the installation's name where the key is a message that names no tenant and the caller may."""
    is_message = key.startswith("crm.")
    return _of_nobody(call) if is_message and call.viewer.may(PLATFORM) else call


def _of_nobody(call: Call) -> Call:
    return on_behalf(call, replace(call.viewer, tenant=NO_TENANT))


def _by(act: Callable[..., Awaitable[Done]]) -> Callable[..., Awaitable[Done]]:
    """The act as a command of whoever calls."""

    async def command(tx: Tx, viewer: Viewer, key: str, reason: str, *, now: datetime) -> Done:
        return await act(tx, key, actor=viewer.subject, reason=reason, now=now)

    return command


def _place(message: WaitingMessage) -> tuple[int, int, UUID]:
    return message.position.epoch, message.position.seq, message.event_id
