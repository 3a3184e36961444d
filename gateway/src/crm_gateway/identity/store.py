"""Every statement on tenants, users, keys, sessions and the audit log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from crm_gateway.identity.domain.accounts import ApiKey, AuditEntry, Holder, Tenant, TenantState, User, UserState
from crm_gateway.identity.domain.credentials import Credential
from crm_gateway.identity.domain.roles import Role
from crm_gateway.identity.tables import api_key, app_user, audit_entry, directory, session, tenant
from crm_shared.db.pool import Record, Tx
from crm_shared.ids import public_id

SLUG = "slug"

_TENANT_OF = select(func.gateway_tenant_of(bindparam("kind"), bindparam("handle")))
_TENANT = select(tenant)
_USER = select(app_user).where(app_user.c.id == bindparam("id"))
_USER_BY_EMAIL = select(app_user).where(app_user.c.email_folded == bindparam("email_folded"))
_KEY = select(api_key).where(api_key.c.id == bindparam("id"))
_KEY_HOLDER = select(api_key, tenant.c.state.label("tenant_state")).where(api_key.c.id == bindparam("id"))
_SESSION_HOLDER = (
    select(
        session.c.secret_hash,
        session.c.expires_at,
        app_user.c.id,
        app_user.c.roles,
        app_user.c.teams,
        app_user.c.partner,
        app_user.c.state,
        tenant.c.state.label("tenant_state"),
    )
    .select_from(session.join(app_user))
    .where(session.c.id == bindparam("id"))
)
_ENTER = upsert(directory).values(tenant_id=bindparam("tenant_id"), kind=bindparam("kind"), handle=bindparam("handle"))
_LEAVE = delete(directory).where(directory.c.kind == bindparam("k"), directory.c.handle == bindparam("h"))


async def tenant_of(tx: Tx, kind: str, handle: str) -> UUID | None:
    """Whose this handle is; the one question that is asked before a tenant is known."""
    return await tx.scalar(_TENANT_OF, {"kind": kind, "handle": handle})


async def enter(tx: Tx, kind: str, handle: str) -> None:
    """Lets a handle be found."""
    await tx.run(_ENTER, {"tenant_id": tx.tenant, "kind": kind, "handle": handle})


async def leave(tx: Tx, kind: str, handle: str) -> None:
    """Lets a handle be found no more."""
    await tx.run(_LEAVE, {"k": kind, "h": handle})


async def insert_tenant(tx: Tx, new: Tenant) -> None:
    """Keeps a new tenant."""
    await tx.run(
        insert(tenant).values(
            tenant_id=tx.tenant,
            slug=new.slug,
            name=new.name,
            state=new.state.value,
            version=new.version,
            created_at=new.created_at,
        )
    )


async def get_tenant(tx: Tx, *, lock: bool = False) -> Tenant | None:
    """The transaction's own tenant."""
    row = await tx.one(_TENANT.with_for_update() if lock else _TENANT)
    return _tenant(row) if row else None


async def list_tenants(tx: Tx, *, limit: int, after: tuple[Any, ...] | None) -> list[Tenant]:
    """All tenants in the order of their moving in; for a transaction of the finder, who reads over the wall."""
    chosen = select(tenant).order_by(tenant.c.created_at, tenant.c.tenant_id).limit(limit)
    if after is not None:
        chosen = chosen.where(tuple_(tenant.c.created_at, tenant.c.tenant_id) > tuple_(*after))
    return [_tenant(row) for row in await tx.all(chosen)]


async def update_tenant(tx: Tx, **changes: Any) -> None:
    """Changes the transaction's own tenant."""
    await tx.run(update(tenant).values(**changes, version=tenant.c.version + 1))


async def insert_user(tx: Tx, new: User, *, email_folded: str, password_hash: str | None) -> None:
    """Keeps a new user."""
    await tx.run(
        insert(app_user).values(
            tenant_id=tx.tenant,
            id=new.id,
            email=new.email,
            email_folded=email_folded,
            name=new.name,
            password_hash=password_hash,
            roles=[role.value for role in new.roles],
            teams=list(new.teams),
            partner=new.partner,
            state=new.state.value,
            version=new.version,
            created_at=new.created_at,
        )
    )


async def get_user(tx: Tx, user_id: UUID, *, lock: bool = False) -> User | None:
    """One user."""
    row = await tx.one(_USER.with_for_update() if lock else _USER, {"id": user_id})
    return _user(row) if row else None


async def user_by_email(tx: Tx, email_folded: str) -> tuple[User, str | None] | None:
    """A user and what is kept of the password."""
    row = await tx.one(_USER_BY_EMAIL, {"email_folded": email_folded})
    return (_user(row), row["password_hash"]) if row else None


async def update_user(tx: Tx, user_id: UUID, **changes: Any) -> User:
    """Changes one user, and says what they are now."""
    changed = (
        update(app_user)
        .where(app_user.c.id == user_id)
        .values(**changes, version=app_user.c.version + 1)
        .returning(*app_user.c)
    )
    row = await tx.one(changed)
    assert row is not None
    return _user(row)


async def list_users(tx: Tx, *, limit: int, after: tuple[Any, ...] | None) -> list[User]:
    """Users in the order of their joining."""
    chosen = select(app_user).order_by(app_user.c.created_at, app_user.c.id).limit(limit)
    if after is not None:
        chosen = chosen.where(tuple_(app_user.c.created_at, app_user.c.id) > tuple_(*after))
    return [_user(row) for row in await tx.all(chosen)]


async def insert_api_key(tx: Tx, new: ApiKey, *, secret_hash: bytes) -> None:
    """Keeps a new key."""
    await tx.run(
        insert(api_key).values(
            tenant_id=tx.tenant,
            id=new.id,
            name=new.name,
            roles=[role.value for role in new.roles],
            secret_hash=secret_hash,
            version=new.version,
            created_by=new.created_by,
            created_at=new.created_at,
            expires_at=new.expires_at,
        )
    )


async def get_api_key(tx: Tx, key_id: UUID, *, lock: bool = False) -> ApiKey | None:
    """One key."""
    row = await tx.one(_KEY.with_for_update() if lock else _KEY, {"id": key_id})
    return _api_key(row) if row else None


async def list_api_keys(tx: Tx, *, limit: int, after: tuple[Any, ...] | None) -> list[ApiKey]:
    """Keys in the order of their making."""
    chosen = select(api_key).order_by(api_key.c.created_at, api_key.c.id).limit(limit)
    if after is not None:
        chosen = chosen.where(tuple_(api_key.c.created_at, api_key.c.id) > tuple_(*after))
    return [_api_key(row) for row in await tx.all(chosen)]


async def rotate_api_key(tx: Tx, key_id: UUID, *, secret_hash: bytes, overlap_until: datetime) -> ApiKey:
    """The new secret holds at once, the old one a while longer."""
    return await _update_key(
        tx, key_id, secret_hash=secret_hash, previous_hash=api_key.c.secret_hash, previous_until=overlap_until
    )


async def revoke_api_key(tx: Tx, key_id: UUID, *, now: datetime) -> ApiKey:
    """Neither secret holds any more."""
    return await _update_key(tx, key_id, revoked_at=now, previous_hash=None, previous_until=None)


async def give_api_key(tx: Tx, key_id: UUID, roles: Sequence[Role]) -> ApiKey:
    """It holds these roles from now on."""
    return await _update_key(tx, key_id, roles=[role.value for role in roles])


async def _update_key(tx: Tx, key_id: UUID, **changes: Any) -> ApiKey:
    changed = (
        update(api_key)
        .where(api_key.c.id == key_id)
        .values(**changes, version=api_key.c.version + 1)
        .returning(*api_key.c)
    )
    row = await tx.one(changed)
    assert row is not None
    return _api_key(row)


async def insert_session(tx: Tx, token: Credential, user_id: UUID, *, now: datetime, expires_at: datetime) -> None:
    """Keeps a new session."""
    await tx.run(
        insert(session).values(
            tenant_id=tx.tenant,
            id=token.id,
            user_id=user_id,
            secret_hash=token.kept,
            created_at=now,
            expires_at=expires_at,
        )
    )


async def session_owner(tx: Tx, session_id: UUID) -> UUID | None:
    """Whose session it is."""
    return await tx.scalar(select(session.c.user_id).where(session.c.id == session_id))


async def end_session(tx: Tx, session_id: UUID) -> None:
    """Ends one session."""
    await tx.run(delete(session).where(session.c.id == session_id))


async def end_sessions_of(tx: Tx, user_id: UUID) -> list[UUID]:
    """Ends all sessions of a user; says which."""
    rows = await tx.all(delete(session).where(session.c.user_id == user_id).returning(session.c.id))
    return [row["id"] for row in rows]


async def end_old_sessions(tx: Tx, user_id: UUID, *, now: datetime) -> list[UUID]:
    """Removes what is left of a user's sessions that have run out; says which."""
    over = delete(session).where(session.c.user_id == user_id, session.c.expires_at <= now).returning(session.c.id)
    return [row["id"] for row in await tx.all(over)]


async def key_holder(tx: Tx, key_id: UUID) -> Holder | None:
    """What stands behind an API key."""
    row = await tx.one(_KEY_HOLDER, {"id": key_id})
    if row is None:
        return None
    return Holder(
        subject=public_id("key", row["id"]),
        roles=_roles(row["roles"]),
        teams=(),
        partner=None,
        secret_hash=row["secret_hash"],
        previous_hash=row["previous_hash"],
        previous_until=row["previous_until"],
        expires_at=row["expires_at"],
        is_open=row["revoked_at"] is None and row["tenant_state"] == TenantState.ACTIVE,
    )


async def session_holder(tx: Tx, session_id: UUID) -> Holder | None:
    """Who stands behind a session."""
    row = await tx.one(_SESSION_HOLDER, {"id": session_id})
    if row is None:
        return None
    return Holder(
        subject=public_id("usr", row["id"]),
        roles=_roles(row["roles"]),
        teams=tuple(row["teams"]),
        partner=row["partner"],
        secret_hash=row["secret_hash"],
        previous_hash=None,
        previous_until=None,
        expires_at=row["expires_at"],
        is_open=row["state"] == UserState.ACTIVE and row["tenant_state"] == TenantState.ACTIVE,
    )


async def note(tx: Tx, entry: AuditEntry) -> None:
    """Adds to the audit log; nothing ever changes or removes an entry."""
    await tx.run(
        insert(audit_entry).values(
            tenant_id=tx.tenant,
            id=entry.id,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            target=entry.target,
            details=entry.details,
        )
    )


async def list_audit(tx: Tx, *, limit: int, after: tuple[Any, ...] | None) -> list[AuditEntry]:
    """The audit log, newest first."""
    chosen = select(audit_entry).order_by(audit_entry.c.id.desc()).limit(limit)
    if after is not None:
        chosen = chosen.where(audit_entry.c.id < after[0])
    return [
        AuditEntry(row["id"], row["at"], row["actor"], row["action"], row["target"], row["details"])
        for row in await tx.all(chosen)
    ]


def _roles(names: Sequence[str]) -> tuple[Role, ...]:
    return tuple(Role(name) for name in names)


def _tenant(row: Record) -> Tenant:
    state = TenantState(row["state"])
    return Tenant(row["tenant_id"], row["slug"], row["name"], state, row["version"], row["created_at"])


def _user(row: Record) -> User:
    return User(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        roles=_roles(row["roles"]),
        teams=tuple(row["teams"]),
        partner=row["partner"],
        state=UserState(row["state"]),
        version=row["version"],
        created_at=row["created_at"],
    )


def _api_key(row: Record) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        roles=_roles(row["roles"]),
        version=row["version"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        overlap_until=row["previous_until"],
    )
