"""SQL of endpoints."""

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select, tuple_, update

from crm_gateway.webhooks.domain.endpoints import Disabled, Endpoint, Payload, Seals
from crm_gateway.webhooks.tables import webhook_endpoint
from crm_shared.db.pool import Record, Tx

e = webhook_endpoint.c
_GET = select(webhook_endpoint).where(e.id == bindparam("id"))
_COUNT = select(func.count()).select_from(webhook_endpoint)


async def insert_endpoint(tx: Tx, new: Endpoint, seal: bytes) -> None:
    """Keep a new endpoint and its sealed secret."""
    await tx.run(
        insert(webhook_endpoint).values(
            tenant_id=tx.tenant,
            id=new.id,
            url=new.url,
            description=new.description,
            types=list(new.types),
            subject=new.subject,
            payload=new.payload.value,
            owner=new.owner,
            version=new.version,
            created_at=new.created_at,
            seal=seal,
        )
    )


async def get_endpoint(tx: Tx, endpoint_id: UUID, *, lock: bool = False) -> Endpoint | None:
    """One endpoint."""
    row = await tx.one(_GET.with_for_update() if lock else _GET, {"id": endpoint_id})
    return _endpoint(row) if row else None


async def seals_of(tx: Tx, endpoint_id: UUID) -> Seals | None:
    """An endpoint's sealed secrets."""
    row = await tx.one(_GET, {"id": endpoint_id})
    return Seals(row["seal"], row["previous_seal"], row["overlap_until"]) if row else None


async def list_endpoints(tx: Tx, *, limit: int, after: tuple[Any, ...] | None) -> list[Endpoint]:
    """Endpoints in the order of their making."""
    chosen = select(webhook_endpoint).order_by(e.created_at, e.id).limit(limit)
    if after is not None:
        chosen = chosen.where(tuple_(e.created_at, e.id) > tuple_(*after))
    return [_endpoint(row) for row in await tx.all(chosen)]


async def count_endpoints(tx: Tx) -> int:
    """How many this tenant has."""
    return await tx.scalar(_COUNT)


async def update_endpoint(tx: Tx, endpoint_id: UUID, **changes: Any) -> Endpoint:
    """Change one endpoint, and say what it is now."""
    changed = update(webhook_endpoint).where(e.id == endpoint_id).values(**changes, version=e.version + 1).returning(*e)
    row = await tx.one(changed)
    assert row is not None
    return _endpoint(row)


async def delete_endpoint(tx: Tx, endpoint_id: UUID) -> None:
    """Remove an endpoint with its lane and its log."""
    await tx.run(delete(webhook_endpoint).where(e.id == endpoint_id))


def _endpoint(row: Record) -> Endpoint:
    return Endpoint(
        id=row["id"],
        url=row["url"],
        description=row["description"],
        types=tuple(row["types"]),
        subject=row["subject"],
        payload=Payload(row["payload"]),
        owner=row["owner"],
        disabled=Disabled(row["disabled"]) if row["disabled"] else None,
        disabled_at=row["disabled_at"],
        version=row["version"],
        created_at=row["created_at"],
        overlap_until=row["overlap_until"],
    )
