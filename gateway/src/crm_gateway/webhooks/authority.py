"""On whose authority an endpoint gets what it gets: its owner's, as it is now.

A role taken away, a key revoked or a person deactivated takes effect with the next wave.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from crm_gateway.identity import store as identity
from crm_gateway.identity.domain.accounts import TenantState, UserState
from crm_gateway.identity.domain.roles import Role, scopes_of
from crm_gateway.subscriptions.catalogue import catalogue
from crm_gateway.subscriptions.domain import refuse_narrowed, visible_types
from crm_gateway.webhooks.domain.endpoints import Endpoint
from crm_shared.db.pool import Tx
from crm_shared.errors import Forbidden, Invalid
from crm_shared.ids import parse_id
from crm_shared.tenancy import Viewer


class Denied(Enum):
    """Why an endpoint gets nothing now."""

    TENANT_CLOSED = auto()
    OWNER_GONE = auto()
    NOT_ALLOWED = auto()


@dataclass(frozen=True, slots=True)
class Granted:
    """The types of events that an endpoint gets."""

    types: frozenset[str]


async def granted(tx: Tx, endpoint: Endpoint, *, now: datetime) -> Granted | Denied:
    """What an endpoint may get now."""
    tenant = await identity.get_tenant(tx)
    if tenant is None or tenant.state is not TenantState.ACTIVE:
        return Denied.TENANT_CLOSED
    viewer = await _owner(tx, endpoint.owner, now=now)
    if viewer is None:
        return Denied.OWNER_GONE
    try:
        refuse_narrowed(viewer)
        types = visible_types(viewer, endpoint.types, catalogue())
    except (Forbidden, Invalid):  # a later version may know fewer types
        return Denied.NOT_ALLOWED
    return Granted(types) if types else Denied.NOT_ALLOWED


async def _owner(tx: Tx, subject: str, *, now: datetime) -> Viewer | None:
    prefix = subject.partition("_")[0]
    find = {"usr": _user, "key": _key}.get(prefix)
    found = await find(tx, parse_id(prefix, subject), now) if find else None
    if found is None:
        return None
    roles, partner = found
    known = {kind.scope for kind in catalogue().values()}
    return Viewer(tx.tenant, subject, scopes_of(roles, known), partner=partner)


async def _user(tx: Tx, user_id: UUID, now: datetime) -> tuple[tuple[Role, ...], str | None] | None:
    user = await identity.get_user(tx, user_id)
    return (user.roles, user.partner) if user is not None and user.state is UserState.ACTIVE else None


async def _key(tx: Tx, key_id: UUID, now: datetime) -> tuple[tuple[Role, ...], str | None] | None:
    key = await identity.get_api_key(tx, key_id)
    if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        return None
    return key.roles, None
