"""Routes of webhooks."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import Query, Response

from crm_gateway.webhooks import queries
from crm_gateway.webhooks.commands import endpoints, repeats, trials
from crm_gateway.webhooks.desk import WebhookDesk
from crm_gateway.webhooks.domain.endpoints import Endpoint
from crm_gateway.webhooks.queries import DeliveryFilter, Logged, Shown
from crm_gateway.webhooks.schemas import (
    DeliveryId,
    DeliveryPage,
    DeliveryRead,
    WebhookCreate,
    WebhookId,
    WebhookPage,
    WebhookRead,
    WebhookReplay,
    WebhookRotate,
    WebhookSecretRead,
    WebhookUpdate,
)
from crm_shared.db.pool import Tx
from crm_shared.http.call import Call, needs
from crm_shared.http.pagination import PageQuery
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

router = Router(
    prefix="/v1/webhooks", tag="webhooks", about="Events, sent to addresses of yours and signed (Standard Webhooks)."
)
ROUTERS = [router]

Reader = Annotated[Call, needs("webhooks:read")]
Writer = Annotated[Call, needs("webhooks:write")]
Reply = Callable[..., Awaitable[Shown]]


@router.post("", status_code=201, response_model=WebhookSecretRead)
async def create(body: WebhookCreate, call: Writer) -> Response:
    """Have events sent somewhere from now on.

    The secret that they are signed with is in this answer and never again.
    """
    desk = call.resource(WebhookDesk)
    secret, seal = desk.new_secret()
    new = body.to_domain(desk.checked_url(body.url), seal)
    make = partial(endpoints.create_endpoint, data=new, at_most=desk.settings.webhook_most_endpoints)
    return await _shown_once(call, make, secret)


@router.get("", response_model=WebhookPage)
async def list(call: Reader, filters: Annotated[PageQuery, Query()]) -> Response:
    """All webhooks, without their secrets."""
    return await call.page(
        queries.list_webhooks,
        filters,
        answer=WebhookRead.of,
        key=lambda shown: (shown.endpoint.created_at, shown.endpoint.id),
    )


@router.get("/{webhook_id}", response_model=WebhookRead)
async def get(webhook_id: WebhookId, call: Reader) -> Response:
    """One webhook: where it goes, how it does, how far it has got."""
    return await call.read(queries.get_webhook, webhook_id, answer=WebhookRead.of)


@router.patch("/{webhook_id}", response_model=WebhookRead)
async def update(webhook_id: WebhookId, body: WebhookUpdate, call: Writer) -> Response:
    """Change where events go, which, or whether; the webhook then gets what its changer may see.

    While it is disabled nothing is sent, and what waited is given up; a replay brings it back.
    """
    changes = body.model_dump(exclude_unset=True)
    if "url" in changes:
        call.resource(WebhookDesk).checked_url(body.url)
    command = _shown(endpoints.change_endpoint)
    return await call.write(command, webhook_id, changes, expected=call.if_match(), answer=WebhookRead.of)


@router.delete("/{webhook_id}", status_code=204)
async def delete(webhook_id: WebhookId, call: Writer) -> Response:
    """Forget a webhook and its log."""
    return await call.write(endpoints.delete_endpoint, webhook_id)


@router.post("/{webhook_id}/enable", response_model=WebhookRead)
async def enable(webhook_id: WebhookId, call: Writer) -> Response:
    """Send again what happens from now on; the webhook gets what its enabler may see."""
    command = _shown(endpoints.change_endpoint)
    return await call.write(command, webhook_id, {"enabled": True}, expected=None, answer=WebhookRead.of)


@router.post("/{webhook_id}/disable", response_model=WebhookRead)
async def disable(webhook_id: WebhookId, call: Writer) -> Response:
    """Send nothing any more; what waited is given up."""
    command = _shown(endpoints.change_endpoint)
    return await call.write(command, webhook_id, {"enabled": False}, expected=None, answer=WebhookRead.of)


@router.post("/{webhook_id}/rotate-secret", response_model=WebhookSecretRead)
async def rotate_secret(webhook_id: WebhookId, body: WebhookRotate, call: Writer) -> Response:
    """Give a webhook a new secret; for `overlap_hours` everything is signed with the old one too."""
    secret, seal = call.resource(WebhookDesk).new_secret()
    rotate = partial(endpoints.rotate_secret, endpoint_id=webhook_id, seal=seal, overlap=body.overlap)
    return await _shown_once(call, rotate, secret)


@router.post("/{webhook_id}/test", response_model=DeliveryRead)
async def test(webhook_id: WebhookId, call: Writer) -> Response:
    """Send a signed `crm.webhook.test.v1` now, once, and show what came of it. A disabled webhook can be tested too."""
    async with call.services.database.reading(call.viewer.tenant) as tx:
        endpoint, seals = await trials.to_test(tx, webhook_id, now=call.now)
    event_id, answered = await call.resource(WebhookDesk).test(call.viewer, endpoint, seals, call.services.clock)
    return await call.write(_logged(trials.note_test), webhook_id, event_id, answered, answer=DeliveryRead.of)


@router.post("/{webhook_id}/replay", status_code=202, response_model=WebhookRead)
async def replay(webhook_id: WebhookId, body: WebhookReplay, call: Writer) -> Response:
    """Send what happened since a time or after a cursor once more, under the same ids as before.

    It runs beside what is new; `replaying` says when it has ended.
    """
    return await call.write(_shown(repeats.replay), webhook_id, body.start, body.types, answer=WebhookRead.of)


@router.get("/{webhook_id}/deliveries", response_model=DeliveryPage)
async def list_deliveries(webhook_id: WebhookId, call: Reader, filters: Annotated[DeliveryFilter, Query()]) -> Response:
    """What was sent to a webhook in the last six days, and what came of it; newest first."""
    return await call.page(
        queries.list_deliveries,
        filters,
        webhook_id,
        answer=DeliveryRead.of,
        key=lambda logged: (logged.delivery.id,),
    )


@router.get("/{webhook_id}/deliveries/{delivery_id}", response_model=DeliveryRead)
async def get_delivery(webhook_id: WebhookId, delivery_id: DeliveryId, call: Reader) -> Response:
    """One delivery and its attempts."""
    return await call.read(queries.get_delivery, webhook_id, delivery_id, answer=DeliveryRead.of)


@router.post("/{webhook_id}/deliveries/{delivery_id}/retry", response_model=DeliveryRead)
async def retry_delivery(webhook_id: WebhookId, delivery_id: DeliveryId, call: Writer) -> Response:
    """Send one event again, at once and whatever came of it before."""
    return await call.write(_logged(repeats.retry), webhook_id, delivery_id, answer=DeliveryRead.of)


def _shown(command: Callable[..., Awaitable[Endpoint]]) -> Reply:
    async def run(tx: Tx, viewer: Viewer, *args: Any, **kwargs: Any) -> Shown:
        return await queries.shown(tx, await command(tx, viewer, *args, **kwargs))

    return run


def _logged(command: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Logged]]:
    async def run(tx: Tx, viewer: Viewer, *args: Any, **kwargs: Any) -> Logged:
        return await queries.logged(tx, await command(tx, viewer, *args, **kwargs))

    return run


async def _shown_once(call: Call, command: Callable[..., Awaitable[Endpoint]], secret: str) -> Response:
    """Runs a command that makes a secret, and shows it beside the answer.

    What an Idempotency-Key keeps for repeats is the answer without it.
    """
    ran = False

    async def run(tx: Tx, viewer: Viewer, **arguments: Any) -> Shown:
        nonlocal ran
        ran = True
        return await queries.shown(tx, await command(tx, viewer, **arguments))

    answer = await call.write(run, answer=WebhookRead.of)
    shown = {**orjson.loads(bytes(answer.body)), "secret": secret if ran else None}
    kept = {name: value for name, value in answer.headers.items() if name in ("etag", "location")}
    return Response(orjson.dumps(shown), answer.status_code, kept, "application/json")
