"""Setting up how a tenant sends."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from crm_communication_dispatch.providers import store
from crm_communication_dispatch.providers.configuration import Provider
from crm_communication_dispatch.providers.domain import Channel
from crm_communication_dispatch.providers.mime import require_address, require_safe
from crm_communication_dispatch.settings import mail_settings
from crm_shared.db.pool import Tx
from crm_shared.errors import CrmError, Forbidden, Invalid, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.money import Money
from crm_shared.tenancy import Viewer
from crm_shared.versions import expect_version


async def set_up_provider(tx: Tx, viewer: Viewer, fields: Mapping[str, Any], cost: Money, *, now: datetime) -> Provider:
    """Add a provider."""
    del viewer
    made = Provider(
        id=new_id(),
        channel=Channel.EMAIL.value,
        cost=cost.amount,
        currency=cost.currency,
        version=1,
        created_at=now,
        **fields,
    )
    await store.add(tx, _checked(made))
    return made


async def change_provider(
    tx: Tx, viewer: Viewer, provider_id: UUID, fields: Mapping[str, Any], *, expected: int | None, now: datetime
) -> Provider:
    """Change a provider."""
    del viewer, now
    found = await store.lock(tx, provider_id)
    if found is None:
        raise NotFound.of("provider", public_id("prv", provider_id))
    expect_version(found.version, expected)
    changed = _checked(replace(found, **fields))
    return await store.change(tx, provider_id, **{name: _plain(getattr(changed, name)) for name in fields})


def _plain(value: Any) -> Any:
    return getattr(value, "value", value) if not isinstance(value, Decimal) else value


def _checked(of: Provider) -> Provider:
    if of.host is not None and not mail_settings().tenant_relays:
        raise Forbidden("This installation sends all mail through its own relay.", code="own_relay_forbidden")
    try:
        if of.from_address is not None:
            require_address(of.from_address)
        require_safe("name", of.from_name or "")
    except CrmError as error:
        raise Invalid.field("/from_address", error.detail, code=error.code) from error
    return of
