"""The first operator's key, made beside the door: before it exists, nobody could come in to make one.

Whoever can reach the gateway's database with its app role may do it; it is in the audit log like any other act, by
`system`. The key is an administrator's of its tenant, too, so that it can make all others.
"""

from dataclasses import dataclass
from datetime import datetime

from crm_gateway.identity import store
from crm_gateway.identity.commands import NewApiKey, create_api_key, create_tenant
from crm_gateway.identity.domain.accounts import ApiKey, Tenant, TenantState, checked_slug
from crm_gateway.identity.domain.credentials import CredentialKind, new_credential
from crm_gateway.identity.domain.roles import Role
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import NO_TENANT, Database, Tx
from crm_shared.db.unit_of_work import transact
from crm_shared.errors import Conflict
from crm_shared.ids import new_id
from crm_shared.tenancy import Viewer

SLUG = "operations"
NAME = "Operations"
ROLES = (Role.ADMIN, Role.OPERATOR)


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """A key that was made just now; `text` is in no place but this."""

    tenant: Tenant
    key: ApiKey
    text: str


async def make_operator_key(
    database_url: str, *, slug: str = SLUG, name: str = "operator", expires_at: datetime | None = None, now: datetime
) -> OperatorKey:
    """Make a key that runs the installation, in the tenant of this short name, which is opened if it isn't there.

    Raises:
        Invalid: the short name is malformed, or the key would be over before it begins.
        Conflict: that tenant is suspended or closed.
    """
    checked_slug(slug)
    credential = new_credential(CredentialKind.API_KEY, new_id())
    new = NewApiKey(name, ROLES, credential, expires_at)
    database = await Database.open(database_url, "gateway", size=1, flush=flush_outbox)
    try:
        async with database.reading(NO_TENANT) as tx:
            known = await store.tenant_of(tx, store.SLUG, slug)
        viewer = Viewer.system(known or new_id())
        tenant, key = await transact(database, _make, viewer, slug, new, now=now)
    finally:
        await database.close()
    return OperatorKey(tenant, key, credential.text)


async def _make(tx: Tx, viewer: Viewer, slug: str, new: NewApiKey, *, now: datetime) -> tuple[Tenant, ApiKey]:
    found = await store.get_tenant(tx)
    if found is not None and found.state is not TenantState.ACTIVE:
        raise Conflict(
            f"The tenant {slug} is {found.state}: no key of it opens anything.", code=f"tenant_{found.state}"
        )
    tenant = found or await create_tenant(tx, viewer, slug, NAME if slug == SLUG else slug, now=now)
    return tenant, await create_api_key(tx, viewer, new, now=now)
