"""Every statement on providers."""

from typing import Any
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, insert, select, tuple_, update

from crm_communication_dispatch.providers.configuration import Provider
from crm_communication_dispatch.providers.domain import Security
from crm_communication_dispatch.providers.tables import provider
from crm_shared.db.pool import Record, Tx

_p = provider
_COLUMNS = tuple(_p.c[name] for name in Provider.__dataclass_fields__)
_GET = select(*_COLUMNS).where(_p.c.id == bindparam("id", type_=Uuid()))
_LOCK = _GET.with_for_update()
_ACTIVE = (
    select(*_COLUMNS)
    .where(_p.c.channel == bindparam("channel", type_=Text()), _p.c.enabled.is_(True))
    .order_by(_p.c.created_at, _p.c.id)
    .limit(1)
)


def _read(row: Record) -> Provider:
    fields: dict[str, Any] = dict(row)
    fields["security"] = Security(fields["security"])
    return Provider(**fields)


async def get(tx: Tx, provider_id: UUID) -> Provider | None:
    """One provider."""
    row = await tx.one(_GET, {"id": provider_id})
    return _read(row) if row else None


async def lock(tx: Tx, provider_id: UUID) -> Provider | None:
    """One provider, held until the transaction ends."""
    row = await tx.one(_LOCK, {"id": provider_id})
    return _read(row) if row else None


async def active(tx: Tx, channel: str) -> Provider | None:
    """The provider a tenant has set up for a channel."""
    row = await tx.one(_ACTIVE, {"channel": channel})
    return _read(row) if row else None


async def add(tx: Tx, of: Provider) -> None:
    """Write a new provider."""
    fields = {name: getattr(of, name) for name in Provider.__dataclass_fields__}
    await tx.run(insert(_p).values(tenant_id=tx.tenant, **{**fields, "security": of.security.value}))


async def change(tx: Tx, provider_id: UUID, **values: Any) -> Provider:
    """Change columns of a provider, and its version."""
    row = await tx.one(
        update(_p).where(_p.c.id == provider_id).values(version=_p.c.version + 1, **values).returning(*_COLUMNS)
    )
    assert row is not None
    return _read(row)


async def list_providers(tx: Tx, *, limit: int, after: tuple[Any, ...] | None) -> list[Provider]:
    """Providers, oldest first."""
    statement = select(*_COLUMNS).order_by(_p.c.created_at, _p.c.id).limit(limit)
    if after is not None:
        statement = statement.where(tuple_(_p.c.created_at, _p.c.id) > after)
    return [_read(row) for row in await tx.all(statement)]
