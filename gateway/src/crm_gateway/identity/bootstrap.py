"""The first tenant of an installation: what `make run` and operators need before anybody can log in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from crm_gateway.identity import commands, store
from crm_gateway.identity.commands import NewApiKey, NewUser
from crm_gateway.identity.domain.accounts import checked_slug, folded_email
from crm_gateway.identity.domain.credentials import CredentialKind, new_credential, parse_credential
from crm_gateway.identity.domain.roles import Role
from crm_gateway.identity.passwords import hash_password
from crm_shared.db.pool import NO_TENANT, Database, Tx
from crm_shared.db.unit_of_work import transact
from crm_shared.errors import Invalid
from crm_shared.ids import new_id
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class UserSeed:
    """Somebody who shall be there."""

    email: str
    name: str
    password: str
    roles: tuple[Role, ...]
    teams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeySeed:
    """A key that shall hold. `text` comes from `new_key_text()` and is the caller's to keep."""

    name: str
    text: str
    roles: tuple[Role, ...] = (Role.INTEGRATION,)


@dataclass(frozen=True, slots=True)
class TenantSeed:
    """A company that shall be there."""

    slug: str
    name: str
    users: Sequence[UserSeed] = ()
    keys: Sequence[KeySeed] = ()


@dataclass(frozen=True, slots=True)
class Ensured:
    """What is there now: ids by address and by key name, whether they were made just now or before."""

    tenant: UUID
    users: dict[str, UUID] = field(default_factory=dict[str, UUID])
    keys: dict[str, UUID] = field(default_factory=dict[str, UUID])
    created: bool = False


def new_key_text() -> str:
    """A fresh API key's text, to be kept by the caller and given to `ensure_tenant` each time."""
    return new_credential(CredentialKind.API_KEY, new_id()).text


async def ensure_tenant(database: Database, seed: TenantSeed, *, now: datetime) -> Ensured:
    """Makes what is missing of a tenant, its users and keys, and leaves alone what is there; safe to repeat.

    Raises:
        Invalid: a slug, address or key is malformed.
    """
    checked_slug(seed.slug)
    async with database.reading(NO_TENANT) as tx:
        found = await store.tenant_of(tx, store.SLUG, seed.slug)
    tenant = found or new_id()
    viewer = Viewer.system(tenant)
    if found is None:
        await transact(database, commands.create_tenant, viewer, seed.slug, seed.name, now=now)
    users = {user.email: await _ensure_user(database, viewer, user, now=now) for user in seed.users}
    keys = {key.name: await transact(database, _ensure_key, viewer, key, now=now) for key in seed.keys}
    return Ensured(tenant, users, keys, created=found is None)


async def _ensure_user(database: Database, viewer: Viewer, seed: UserSeed, *, now: datetime) -> UUID:
    async with database.reading(viewer.tenant) as tx:
        known = await store.user_by_email(tx, folded_email(seed.email))
    if known is not None:
        return known[0].id
    new = NewUser(seed.email, seed.name, seed.roles, seed.teams, password_hash=await hash_password(seed.password))
    return (await transact(database, commands.create_user, viewer, new, now=now)).id


async def _ensure_key(tx: Tx, viewer: Viewer, seed: KeySeed, *, now: datetime) -> UUID:
    credential = parse_credential(seed.text)
    if credential is None or credential.kind is not CredentialKind.API_KEY:
        raise Invalid(f"The text of the key {seed.name} is no API key.", code="credential_malformed")
    known = await store.get_api_key(tx, credential.id)
    if known is not None:
        return known.id
    return (await commands.create_api_key(tx, viewer, NewApiKey(seed.name, seed.roles, credential), now=now)).id
