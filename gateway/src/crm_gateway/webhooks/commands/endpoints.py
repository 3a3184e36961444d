"""What people and keys do with endpoints, and what ends one.

An endpoint acts on the authority of whoever wrote it last: changing where events go, or which, makes it the changer's.
Else somebody could have events sent to them that only the former owner may see.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from crm_gateway.identity import store as identity
from crm_gateway.identity.domain.accounts import AuditEntry
from crm_gateway.subscriptions import store as events
from crm_gateway.subscriptions.catalogue import catalogue
from crm_gateway.subscriptions.domain import refuse_narrowed, visible_types
from crm_gateway.webhooks import metrics
from crm_gateway.webhooks.domain.deliveries import Reason
from crm_gateway.webhooks.domain.endpoints import Disabled, Endpoint, Payload
from crm_gateway.webhooks.store import deliveries, endpoints, lanes
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, NotFound, PreconditionFailed
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer

ID_PREFIX = "hook"
_SENT = frozenset({"url", "types", "subject", "payload"})


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint to be; its URL has been found to be one that may be registered."""

    url: str
    description: str
    types: tuple[str, ...]
    subject: str | None
    payload: Payload
    enabled: bool
    seal: bytes


async def create_endpoint(tx: Tx, viewer: Viewer, data: NewEndpoint, *, at_most: int, now: datetime) -> Endpoint:
    """Have events sent somewhere from now on.

    Raises:
        Invalid: a type of event is unknown.
        Forbidden: the viewer may see none of these events.
        Conflict: the company has as many as there may be.
    """
    _require_allowed(viewer, data.types)
    if await endpoints.count_endpoints(tx) >= at_most:
        raise Conflict(f"There are {at_most} webhooks already; delete one first.", code="webhooks_full")
    new = Endpoint(
        id=new_id(),
        url=data.url,
        description=data.description,
        types=data.types,
        subject=data.subject,
        payload=data.payload,
        owner=viewer.subject,
        disabled=None if data.enabled else Disabled.BY_HAND,
        disabled_at=None if data.enabled else now,
        version=1,
        created_at=now,
        overlap_until=None,
    )
    await endpoints.insert_endpoint(tx, new, data.seal)
    if data.enabled:
        await _begin(tx, new.id)
    await _note(tx, viewer, "created", new, {"host": urlsplit(new.url).hostname}, now=now)
    return new


async def change_endpoint(
    tx: Tx, viewer: Viewer, endpoint_id: UUID, changes: Mapping[str, Any], *, expected: int | None, now: datetime
) -> Endpoint:
    """Change where events go, which, or whether."""
    endpoint = await _locked(tx, endpoint_id)
    if expected is not None and endpoint.version != expected:
        raise PreconditionFailed("It has been changed meanwhile; read it again and repeat your change.")
    enabled = changes.get("enabled")
    fields = {name: value for name, value in changes.items() if name != "enabled"}
    if enabled or _SENT & fields.keys():
        _require_allowed(viewer, fields.get("types", endpoint.types))
        fields["owner"] = viewer.subject
    if enabled is True and endpoint.disabled is not None:
        fields |= {"disabled": None, "disabled_at": None}
        await _begin(tx, endpoint_id)
    changed = await endpoints.update_endpoint(tx, endpoint_id, **fields)
    await _note(tx, viewer, "changed", changed, {"fields": sorted(changes)}, now=now)
    if enabled is False and endpoint.disabled is None:
        changed = await disable(tx, viewer, changed, Disabled.BY_HAND, now=now)
    return changed


async def disable(tx: Tx, viewer: Viewer, endpoint: Endpoint, why: Disabled, *, now: datetime) -> Endpoint:
    """Send nothing any more; what waited is given up, and can be replayed."""
    changed = await endpoints.update_endpoint(tx, endpoint.id, disabled=why.value, disabled_at=now)
    await lanes.close_lane(tx, endpoint.id)
    dropped = await deliveries.drop_pending(tx, endpoint.id, Reason.WEBHOOK_DISABLED, now=now)
    await _note(tx, viewer, "disabled", endpoint, {"reason": why.value}, now=now)
    metrics.DISABLED.labels(why.value).inc()
    metrics.DELIVERIES.labels("dropped").inc(dropped)
    return changed


async def delete_endpoint(tx: Tx, viewer: Viewer, endpoint_id: UUID, *, now: datetime) -> None:
    """Forget an endpoint and its log."""
    endpoint = await _locked(tx, endpoint_id)
    await endpoints.delete_endpoint(tx, endpoint_id)
    await _note(tx, viewer, "deleted", endpoint, {}, now=now)


async def rotate_secret(
    tx: Tx, viewer: Viewer, endpoint_id: UUID, seal: bytes, *, overlap: timedelta, now: datetime
) -> Endpoint:
    """Sign with a new secret, and for `overlap` with the one before too."""
    await _locked(tx, endpoint_id)
    seals = await endpoints.seals_of(tx, endpoint_id)
    assert seals is not None
    until = now + overlap
    changed = await endpoints.update_endpoint(
        tx, endpoint_id, seal=seal, previous_seal=seals.present if overlap else None, overlap_until=until
    )
    await _note(tx, viewer, "secret_rotated", changed, {"overlap_until": until.isoformat()}, now=now)
    return changed


async def open_endpoint(tx: Tx, endpoint_id: UUID) -> Endpoint:
    """An enabled endpoint, locked.

    Raises:
        NotFound: there is none.
        Conflict: it is disabled.
    """
    endpoint = await _locked(tx, endpoint_id)
    if endpoint.disabled is not None:
        raise Conflict("This webhook is disabled; enable it first.", code="webhook_disabled")
    return endpoint


async def _begin(tx: Tx, endpoint_id: UUID) -> None:
    """What happens from now on is sent; what happened before can be replayed."""
    await lanes.open_lane(tx, endpoint_id, (await events.head(tx)).latest)


async def _locked(tx: Tx, endpoint_id: UUID) -> Endpoint:
    endpoint = await endpoints.get_endpoint(tx, endpoint_id, lock=True)
    if endpoint is None:
        raise NotFound.of("webhook", public_id(ID_PREFIX, endpoint_id))
    return endpoint


def _require_allowed(viewer: Viewer, types: Collection[str]) -> None:
    refuse_narrowed(viewer)
    visible_types(viewer, types, catalogue())


async def _note(
    tx: Tx, viewer: Viewer, action: str, endpoint: Endpoint, details: dict[str, object], *, now: datetime
) -> None:
    target = public_id(ID_PREFIX, endpoint.id)
    await identity.note(tx, AuditEntry(new_id(), now, viewer.subject, f"webhook.{action}", target, details))
