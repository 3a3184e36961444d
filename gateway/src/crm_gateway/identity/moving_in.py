"""A company moves in: it, its first administrator and a key of theirs, all or nothing."""

from dataclasses import dataclass
from datetime import datetime

from crm_gateway.identity.commands import NewApiKey, NewUser, create_api_key, create_tenant, create_user
from crm_gateway.identity.domain.accounts import Tenant
from crm_gateway.identity.domain.credentials import Credential
from crm_gateway.identity.domain.roles import Role
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer

FIRST_KEY = "first key"


@dataclass(frozen=True, slots=True)
class NewTenant:
    """A company to be, and how it is got into at first."""

    slug: str
    name: str
    admin: NewUser
    credential: Credential


async def open_tenant(tx: Tx, viewer: Viewer, data: NewTenant, *, now: datetime) -> Tenant:
    """Opens a tenant; the transaction is already its own.

    Raises:
        Conflict: somebody has that slug.
    """
    made = await create_tenant(tx, viewer, data.slug, data.name, now=now)
    await create_user(tx, viewer, data.admin, now=now)
    await create_api_key(tx, viewer, NewApiKey(FIRST_KEY, (Role.ADMIN,), data.credential), now=now)
    return made
