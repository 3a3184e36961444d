"""Opening a tenant: the operator's act that comes before anybody can log in, so no route of the gateway offers it."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from crm_gateway.identity import store
from crm_gateway.identity.commands import NewApiKey, NewUser, create_api_key, create_tenant, create_user
from crm_gateway.identity.commands import ensure_operator as make_operator
from crm_gateway.identity.domain.credentials import CredentialKind, new_credential, parse_credential
from crm_gateway.identity.domain.roles import Role
from crm_gateway.identity.passwords import hash_password
from crm_shared.db.pool import NO_TENANT, Database, Tx
from crm_shared.db.unit_of_work import transact
from crm_shared.ids import new_id
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class Access:
    """How to get into a tenant: an administrator's log-in, and a key that may do all of it."""

    slug: str
    name: str
    email: str
    password: str
    api_key: str

    @classmethod
    def new(cls, slug: str, name: str) -> "Access":
        key = new_credential(CredentialKind.API_KEY, new_id())
        password = "-".join(secrets.token_hex(3) for _ in range(3))
        return cls(slug, name, f"admin@{slug}.example.com", password, key.text)


async def ensure_tenant(database: Database, access: Access, *, now: datetime) -> bool:
    """Open the tenant with this access unless it is there already, and tell whether it was opened now."""
    if await _tenant_of(database, access) is not None:
        return False
    password_hash = await hash_password(access.password)
    await transact(database, _open, Viewer.system(new_id()), access, password_hash, now=now)
    return True


async def ensure_operator(database: Database, access: Access, *, now: datetime) -> None:
    """Let this access' key run the installation, beside administering its tenant."""
    tenant, credential = await _tenant_of(database, access), parse_credential(access.api_key)
    if tenant is not None and credential is not None:
        await transact(database, make_operator, Viewer.system(tenant), credential.id, now=now)


async def _tenant_of(database: Database, access: Access) -> UUID | None:
    async with database.reading(NO_TENANT) as tx:
        return await store.tenant_of(tx, store.SLUG, access.slug)


async def _open(tx: Tx, viewer: Viewer, access: Access, password_hash: str, *, now: datetime) -> None:
    credential = parse_credential(access.api_key)
    if credential is None:
        raise ValueError("The kept API key is damaged; delete the file that keeps it, and a new one is made.")
    await create_tenant(tx, viewer, access.slug, access.name, now=now)
    admin = NewUser(access.email, "Administrator", (Role.ADMIN,), password_hash=password_hash)
    await create_user(tx, viewer, admin, now=now)
    await create_api_key(tx, viewer, NewApiKey("first key", (Role.ADMIN,), credential), now=now)
