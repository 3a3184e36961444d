"""What administrators and people logging in do; the only place that changes identity's state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from crm_gateway.identity import store
from crm_gateway.identity.domain.accounts import (
    ApiKey,
    AuditEntry,
    Tenant,
    TenantState,
    User,
    UserState,
    checked_slug,
    folded_email,
)
from crm_gateway.identity.domain.credentials import LONGEST_OVERLAP, SESSION_LIFETIME, Credential, CredentialKind
from crm_gateway.identity.domain.roles import PLATFORM, Role
from crm_gateway.identity.events import (
    TenantClosed,
    TenantCreated,
    TenantResumed,
    TenantSuspended,
    UserChanged,
    UserCreated,
    UserDeactivated,
)
from crm_shared.db.departures import may_come_back
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, Invalid, NotFound, PreconditionFailed
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class NewUser:
    """Somebody who joins; without a password they can't log in yet."""

    email: str
    name: str
    roles: tuple[Role, ...]
    teams: tuple[str, ...] = ()
    partner: str | None = None
    password_hash: str | None = None


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key to be; its credential is made at the edge, so that a rerun shows the same one."""

    name: str
    roles: tuple[Role, ...]
    credential: Credential
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A session that has just begun."""

    token: Credential
    user: User
    expires_at: datetime


async def create_tenant(tx: Tx, viewer: Viewer, slug: str, name: str, *, now: datetime) -> Tenant:
    """A company moves in; the transaction is already its own.

    Raises:
        Conflict: somebody has that slug.
    """
    new = Tenant(tx.tenant, checked_slug(slug), name, TenantState.ACTIVE, 1, now)
    await store.insert_tenant(tx, new)
    await store.enter(tx, store.SLUG, slug)
    tx.emit(TenantCreated(name=name), aggregate_id=tx.tenant)
    await _note(tx, viewer, "tenant.created", public_id("ten", tx.tenant), {"slug": slug}, now=now)
    return new


async def suspend_tenant(tx: Tx, viewer: Viewer, *, now: datetime) -> Tenant:
    """Keeps a company's people and keys out; its data stays."""
    return await _enter_state(tx, viewer, TenantState.SUSPENDED, now=now)


async def close_tenant(tx: Tx, viewer: Viewer, *, now: datetime) -> Tenant:
    """A company leaves: nobody gets in any more, and every service purges its data after a grace."""
    return await _enter_state(tx, viewer, TenantState.CLOSED, now=now)


async def resume_tenant(tx: Tx, viewer: Viewer, *, now: datetime) -> Tenant:
    """Lets a suspended company's people and keys in again, or a closed one's while nothing of it has been purged."""
    return await _enter_state(tx, viewer, TenantState.ACTIVE, now=now)


_FACTS = {TenantState.ACTIVE: TenantResumed, TenantState.SUSPENDED: TenantSuspended, TenantState.CLOSED: TenantClosed}


async def _enter_state(tx: Tx, viewer: Viewer, state: TenantState, *, now: datetime) -> Tenant:
    tenant = await store.get_tenant(tx, lock=True)
    if tenant is None:
        raise NotFound.of("tenant", public_id("ten", tx.tenant))
    is_gone = tenant.state is TenantState.CLOSED and not (
        state is TenantState.ACTIVE and await may_come_back(tx, now=now)
    )
    if is_gone or tenant.state is state:
        raise Conflict(f"The tenant is already {tenant.state}.", code=f"tenant_{tenant.state}")
    await store.update_tenant(tx, state=state.value)
    fact = _FACTS[state](name=tenant.name)
    tx.emit(fact, aggregate_id=tx.tenant)
    act = "resumed" if state is TenantState.ACTIVE else state.value
    await _note(tx, viewer, f"tenant.{act}", public_id("ten", tx.tenant), {}, now=now)
    changed = await store.get_tenant(tx)
    assert changed is not None
    return changed


async def create_user(tx: Tx, viewer: Viewer, data: NewUser, *, now: datetime) -> User:
    """Somebody joins.

    Raises:
        Conflict: the address is taken.
    """
    _require_giver(viewer, data.roles)
    new = User(
        id=new_id(),
        email=data.email,
        name=data.name,
        roles=data.roles,
        teams=data.teams,
        partner=data.partner,
        state=UserState.ACTIVE,
        version=1,
        created_at=now,
    )
    await store.insert_user(tx, new, email_folded=folded_email(data.email), password_hash=data.password_hash)
    tx.emit(UserCreated(**_fact(new)), aggregate_id=new.id)
    await _note(tx, viewer, "user.created", public_id("usr", new.id), {"roles": list(new.roles)}, now=now)
    return new


async def change_user(
    tx: Tx, viewer: Viewer, user_id: UUID, changes: Mapping[str, Any], *, expected: int | None, now: datetime
) -> User:
    """Changes name, roles, teams or partner.

    Raises:
        Conflict: the last admin would lose the role by their own hand.
    """
    user = await _locked_user(tx, user_id)
    _expect(user.version, expected)
    _require_giver(viewer, (*user.roles, *changes.get("roles", ())))
    if "roles" in changes and public_id("usr", user_id) == viewer.subject and Role.ADMIN not in changes["roles"]:
        raise Conflict("Another admin has to take this role from you.", code="own_admin_role")
    changed = await store.update_user(tx, user_id, **changes)
    tx.emit(UserChanged(**_fact(changed)), aggregate_id=user_id)
    await _note(tx, viewer, "user.changed", public_id("usr", user_id), {"fields": sorted(changes)}, now=now)
    return changed


async def set_password(tx: Tx, viewer: Viewer, user_id: UUID, password_hash: str, *, now: datetime) -> User:
    """Gives a user a new password; all their sessions end."""
    user = await _locked_user(tx, user_id)
    _require_giver(viewer, user.roles)
    changed = await store.update_user(tx, user_id, password_hash=password_hash)
    await _end_sessions(tx, user_id)
    await _note(tx, viewer, "user.password_set", public_id("usr", user_id), {}, now=now)
    return changed


async def deactivate_user(tx: Tx, viewer: Viewer, user_id: UUID, *, now: datetime) -> User:
    """Somebody leaves: their sessions end, and the services stop assigning to them.

    Raises:
        Conflict: already done, or it is oneself.
    """
    user = await _locked_user(tx, user_id)
    if user.state is UserState.DEACTIVATED:
        raise Conflict("This user is deactivated already.", code="user_deactivated")
    if public_id("usr", user_id) == viewer.subject:
        raise Conflict("Another admin has to deactivate you.", code="own_account")
    changed = await store.update_user(tx, user_id, state=UserState.DEACTIVATED.value)
    await _end_sessions(tx, user_id)
    tx.emit(UserDeactivated(**_fact(changed)), aggregate_id=user_id)
    await _note(tx, viewer, "user.deactivated", public_id("usr", user_id), {}, now=now)
    return changed


async def create_api_key(tx: Tx, viewer: Viewer, data: NewApiKey, *, now: datetime) -> ApiKey:
    """Makes a key for a machine.

    Raises:
        Invalid: it would be over before it begins.
    """
    if data.expires_at is not None and data.expires_at <= now:
        raise Invalid.field("/expires_at", "Choose a time to come, or leave it out.", code="expires_in_past")
    _require_giver(viewer, data.roles)
    new = ApiKey(
        id=data.credential.id,
        name=data.name,
        roles=data.roles,
        version=1,
        created_by=viewer.subject,
        created_at=now,
        expires_at=data.expires_at,
        revoked_at=None,
        overlap_until=None,
    )
    await store.insert_api_key(tx, new, secret_hash=data.credential.kept)
    await store.enter(tx, CredentialKind.API_KEY.value, data.credential.handle)
    await _note(tx, viewer, "api_key.created", public_id("key", new.id), {"roles": list(new.roles)}, now=now)
    return new


async def rotate_api_key(
    tx: Tx, viewer: Viewer, credential: Credential, *, overlap: timedelta, now: datetime
) -> ApiKey:
    """Gives a key a new secret; the old one holds for `overlap` more (at most seven days)."""
    key = await _open_key(tx, credential.id)
    _require_giver(viewer, key.roles)
    until = now + min(overlap, LONGEST_OVERLAP)
    rotated = await store.rotate_api_key(tx, key.id, secret_hash=credential.kept, overlap_until=until)
    await _note(tx, viewer, "api_key.rotated", public_id("key", key.id), {"overlap_until": until.isoformat()}, now=now)
    return rotated


async def ensure_operator(tx: Tx, viewer: Viewer, key_id: UUID, *, now: datetime) -> None:
    """Lets a key run the installation; only the suite itself says so."""
    key = await _open_key(tx, key_id)
    if Role.OPERATOR not in key.roles:
        _require_giver(viewer, [Role.OPERATOR])
        await store.give_api_key(tx, key_id, (*key.roles, Role.OPERATOR))
        await _note(tx, viewer, "api_key.operator", public_id("key", key_id), {}, now=now)


async def revoke_api_key(tx: Tx, viewer: Viewer, key_id: UUID, *, now: datetime) -> ApiKey:
    """Takes a key back, its overlapping secret too."""
    key = await _open_key(tx, key_id)
    revoked = await store.revoke_api_key(tx, key.id, now=now)
    await _note(tx, viewer, "api_key.revoked", public_id("key", key.id), {}, now=now)
    return revoked


async def begin_session(tx: Tx, viewer: Viewer, user: User, token: Credential, *, now: datetime) -> Session:
    """Somebody whose password was right comes in."""
    for over in await store.end_old_sessions(tx, user.id, now=now):
        await store.leave(tx, CredentialKind.SESSION.value, Credential(CredentialKind.SESSION, over, "").handle)
    expires_at = now + SESSION_LIFETIME
    await store.insert_session(tx, token, user.id, now=now, expires_at=expires_at)
    await store.enter(tx, CredentialKind.SESSION.value, token.handle)
    return Session(token, user, expires_at)


async def end_session(tx: Tx, viewer: Viewer, session_id: UUID, *, now: datetime) -> None:
    """Logs out; only one's own sessions.

    Raises:
        NotFound: there is no such session of this user.
    """
    owner = await store.session_owner(tx, session_id)
    if owner is None or public_id("usr", owner) != viewer.subject:
        raise NotFound.of("session", public_id("ses", session_id))
    await store.end_session(tx, session_id)
    await store.leave(tx, CredentialKind.SESSION.value, Credential(CredentialKind.SESSION, session_id, "").handle)


async def _end_sessions(tx: Tx, user_id: UUID) -> None:
    for ended in await store.end_sessions_of(tx, user_id):
        await store.leave(tx, CredentialKind.SESSION.value, Credential(CredentialKind.SESSION, ended, "").handle)


async def _locked_user(tx: Tx, user_id: UUID) -> User:
    user = await store.get_user(tx, user_id, lock=True)
    if user is None:
        raise NotFound.of("user", public_id("usr", user_id))
    return user


async def _open_key(tx: Tx, key_id: UUID) -> ApiKey:
    key = await store.get_api_key(tx, key_id, lock=True)
    if key is None:
        raise NotFound.of("api key", public_id("key", key_id))
    if key.revoked_at is not None:
        raise Conflict("This key has been revoked.", code="api_key_revoked")
    return key


def _require_giver(viewer: Viewer, roles: Iterable[Role]) -> None:
    """A tenant's administrator neither makes operators of the installation nor gets hold of an operator's secret."""
    if Role.OPERATOR in roles:
        viewer.require(PLATFORM)


def _expect(actual: int, expected: int | None) -> None:
    if expected is not None and actual != expected:
        raise PreconditionFailed("It has been changed meanwhile; read it again and repeat your change.")


def _fact(user: User) -> dict[str, Any]:
    return {"name": user.name, "email": user.email, "roles": [role.value for role in user.roles]}


async def _note(tx: Tx, viewer: Viewer, action: str, target: str, details: dict[str, object], *, now: datetime) -> None:
    await store.note(tx, AuditEntry(new_id(), now, viewer.subject, action, target, details))
