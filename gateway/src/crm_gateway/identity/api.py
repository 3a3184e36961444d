"""Routes of identity: log-in, who am I, and administration of one's own company."""

import builtins
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, TypeVar
from uuid import UUID, uuid5

import orjson
from fastapi import Query, Response
from pydantic import BaseModel

from crm_gateway.identity import commands, moving_in, store
from crm_gateway.identity.authentication import Recognition
from crm_gateway.identity.domain.accounts import ApiKey, AuditEntry, Tenant, User
from crm_gateway.identity.domain.credentials import Credential, CredentialKind, new_credential
from crm_gateway.identity.domain.roles import PLATFORM
from crm_gateway.identity.log_in import log_in
from crm_gateway.identity.passwords import hash_password
from crm_gateway.identity.schemas import (
    AdminActPage,
    AdminActRead,
    ApiKeyCreate,
    ApiKeyId,
    ApiKeyPage,
    ApiKeyRead,
    ApiKeyRotate,
    ApiKeySecretRead,
    MeRead,
    PasswordSet,
    SessionCreate,
    SessionId,
    SessionRead,
    TenantCreate,
    TenantId,
    TenantOpenedRead,
    TenantPage,
    TenantRead,
    UserCreate,
    UserId,
    UserPage,
    UserRead,
    UserUpdate,
)
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, NotFound
from crm_shared.http.call import Call, needs, on_behalf, public
from crm_shared.http.pagination import PageQuery
from crm_shared.http.router import Router
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer

sessions = Router(prefix="/v1/sessions", tag="sessions", about="Logging in and out.")
me = Router(prefix="/v1/me", tag="me", about="Who the caller is, and what they may do.")
tenants = Router(prefix="/v1/tenants", tag="tenants", about="Companies on this installation.")
users = Router(prefix="/v1/users", tag="users", about="People of a company and their roles.")
api_keys = Router(prefix="/v1/api-keys", tag="api-keys", about="Keys of machines; the text of a key is shown once.")
audit = Router(prefix="/v1/audit-entries", tag="audit-entries", about="Who administered what.")
ROUTERS = [sessions, me, tenants, users, api_keys, audit]

Anyone = Annotated[Call, public("Logging in is how one becomes somebody; the password is the check.")]
Self = Annotated[Call, needs("me:read")]
Reader = Annotated[Call, needs("identity:read")]
Admin = Annotated[Call, needs("identity:admin")]
Operator = Annotated[Call, needs(PLATFORM)]
T = TypeVar("T")


@sessions.post("", status_code=201, response_model=SessionRead)
async def begin(body: SessionCreate, call: Anyone) -> Response:
    """Log in; the token holds for twelve hours, until log-out, or until the user is deactivated."""
    session = await log_in(call.services.database, body.tenant, body.email, body.password, now=call.now)
    return Response(SessionRead.of(session).model_dump_json(), 201, media_type="application/json")


@sessions.delete("/{session_id}", status_code=204)
async def end(session_id: SessionId, call: Self) -> Response:
    """Log out."""
    answer = await call.write(commands.end_session, session_id)
    call.resource(Recognition).forget(session_id)
    return answer


@me.get("", response_model=MeRead)
async def get(call: Self) -> Response:
    """Who I am here, and what I may do."""

    def shown(tenant: Tenant) -> MeRead:
        viewer = call.viewer
        return MeRead(
            subject=viewer.subject,
            tenant=TenantRead.of(tenant),
            scopes=sorted(viewer.scopes),
            teams=sorted(viewer.teams),
            partner=viewer.partner,
        )

    return await call.read(_own_tenant, answer=shown)


@tenants.post("", status_code=201, response_model=TenantOpenedRead)
async def open(body: TenantCreate, call: Operator) -> Response:
    """Open a company. The key of its first administrator is in this answer and never again."""
    password_hash = await hash_password(body.admin.password)
    credential = new_credential(CredentialKind.API_KEY, new_id())
    theirs = on_behalf(call, replace(call.viewer, tenant=_new_tenant(call)))
    make = partial(moving_in.open_tenant, data=body.to_domain(password_hash, credential))
    return await _shown_once(theirs, make, credential, TenantRead.of)


@tenants.get("", response_model=TenantPage, name="list")
async def list_tenants(call: Operator, filters: Annotated[PageQuery, Query()]) -> Response:
    """All companies of this installation, in the order of their moving in."""
    return await call.page(
        _tenants, filters, answer=TenantRead.of, key=lambda tenant: (tenant.created_at, tenant.id), finder=True
    )


@tenants.get("/{tenant_id}", response_model=TenantRead, name="get")
async def get_tenant(tenant_id: TenantId, call: Reader) -> Response:
    """My company; any other doesn't exist for me, unless I run the installation."""
    return await _concerning(call, tenant_id).read(_own_tenant, answer=TenantRead.of)


@tenants.post("/{tenant_id}/suspend", response_model=TenantRead)
async def suspend(tenant_id: TenantId, call: Operator) -> Response:
    """Suspend a company. Its people and keys are kept out; its data stays."""
    if tenant_id == call.viewer.tenant:
        raise Conflict("This would lock you out; another tenant's operator may do it.", code="own_tenant")
    return await _change_tenant(call, tenant_id, commands.suspend_tenant)


@tenants.post("/{tenant_id}/resume", response_model=TenantRead)
async def resume(tenant_id: TenantId, call: Operator) -> Response:
    """Resume a suspended company, or a closed one until five days before its data is purged; all get in again."""
    return await _change_tenant(call, tenant_id, commands.resume_tenant)


@tenants.post("/{tenant_id}/close", response_model=TenantRead)
async def close(tenant_id: TenantId, call: Admin) -> Response:
    """Close a company; nobody gets in any more, and every service purges its data after a grace of days."""
    return await _change_tenant(call, tenant_id, commands.close_tenant)


@users.post("", status_code=201, response_model=UserRead)
async def create(body: UserCreate, call: Admin) -> Response:
    """Add a user."""
    password_hash = await hash_password(body.password) if body.password else None
    return await call.write(commands.create_user, body.to_domain(password_hash), answer=UserRead.of)


@users.get("", response_model=UserPage)
async def list(call: Reader, filters: Annotated[PageQuery, Query()]) -> Response:
    """Users, in the order of joining."""
    return await call.page(_users, filters, answer=UserRead.of, key=lambda user: (user.created_at, user.id))


@users.get("/{user_id}", response_model=UserRead, name="get")
async def get_user(user_id: UserId, call: Reader) -> Response:
    """One user."""
    return await call.read(_user, user_id, answer=UserRead.of)


@users.patch("/{user_id}", response_model=UserRead)
async def update(user_id: UserId, body: UserUpdate, call: Admin) -> Response:
    """Change a user's name, roles, teams or partner."""
    changes = body.model_dump(exclude_unset=True)
    expected = call.if_match()
    answer = await call.write(commands.change_user, user_id, changes, expected=expected, answer=UserRead.of)
    call.resource(Recognition).forget(subject=public_id("usr", user_id))
    return answer


@users.post("/{user_id}/password", response_model=UserRead)
async def set_password(user_id: UserId, body: PasswordSet, call: Admin) -> Response:
    """Give a user a new password; they are logged out everywhere."""
    password_hash = await hash_password(body.password)
    answer = await call.write(commands.set_password, user_id, password_hash, answer=UserRead.of)
    call.resource(Recognition).forget(subject=public_id("usr", user_id))
    return answer


@users.post("/{user_id}/deactivate", response_model=UserRead)
async def deactivate(user_id: UserId, call: Admin) -> Response:
    """Deactivate a user; they are logged out everywhere, and nothing is assigned to them any more."""
    answer = await call.write(commands.deactivate_user, user_id, answer=UserRead.of)
    call.resource(Recognition).forget(subject=public_id("usr", user_id))
    return answer


@api_keys.post("", status_code=201, response_model=ApiKeySecretRead, name="create")
async def create_key(body: ApiKeyCreate, call: Admin) -> Response:
    """Make a key for a machine. Its text is in this answer and never again."""
    credential = new_credential(CredentialKind.API_KEY, new_id())
    make = partial(commands.create_api_key, data=body.to_domain(credential))
    return await _shown_once(call, make, credential, ApiKeyRead.of)


@api_keys.get("", response_model=ApiKeyPage, name="list")
async def list_keys(call: Reader, filters: Annotated[PageQuery, Query()]) -> Response:
    """All keys, without their secrets."""
    return await call.page(_keys, filters, answer=ApiKeyRead.of, key=lambda key: (key.created_at, key.id))


@api_keys.post("/{key_id}/rotate", response_model=ApiKeySecretRead)
async def rotate(key_id: ApiKeyId, body: ApiKeyRotate, call: Admin) -> Response:
    """Give a key a new secret; the old one holds for `overlap_hours` more, so that nothing stops meanwhile."""
    credential = new_credential(CredentialKind.API_KEY, key_id)
    rotated = partial(commands.rotate_api_key, credential=credential, overlap=body.overlap)
    answer = await _shown_once(call, rotated, credential, ApiKeyRead.of)
    call.resource(Recognition).forget(key_id)
    return answer


@api_keys.post("/{key_id}/revoke", response_model=ApiKeyRead)
async def revoke(key_id: ApiKeyId, call: Admin) -> Response:
    """Take a key back at once."""
    answer = await call.write(commands.revoke_api_key, key_id, answer=ApiKeyRead.of)
    call.resource(Recognition).forget(key_id)
    return answer


@audit.get("", response_model=AdminActPage, name="list")
async def list_audit(call: Admin, filters: Annotated[PageQuery, Query()]) -> Response:
    """Who administered what, newest first."""
    return await call.page(_audit, filters, answer=AdminActRead.of, key=lambda entry: (entry.id,))


async def _shown_once(
    call: Call,
    command: Callable[..., Awaitable[T]],
    credential: Credential,
    answer: Callable[[T], BaseModel],
) -> Response:
    """Runs a command that makes a secret, and shows it beside the answer.

    What an Idempotency-Key keeps for repeats is the answer without the secret, so the secret is nowhere stored.
    """
    ran = False

    async def run(tx: Tx, viewer: Viewer, **arguments: Any) -> T:
        nonlocal ran
        ran = True
        return await command(tx, viewer, **arguments)

    told = await call.write(run, answer=answer)
    shown = {**orjson.loads(bytes(told.body)), "key": credential.text if ran else None}
    kept = {name: value for name, value in told.headers.items() if name in ("etag", "location")}
    return Response(orjson.dumps(shown), told.status_code, kept, "application/json")


def _new_tenant(call: Call) -> UUID:
    """The id of a tenant to be; the same one for a request that is sent again."""
    key = call.request.headers.get("idempotency-key")
    return uuid5(call.viewer.tenant, f"{call.viewer.subject} {key}") if key else new_id()


def _concerning(call: Call, tenant_id: UUID) -> Call:
    """The call inside that tenant: one's own, or any for those who run the installation."""
    if tenant_id == call.viewer.tenant:
        return call
    if not call.viewer.may(PLATFORM):
        raise NotFound.of("tenant", public_id("ten", tenant_id))
    return on_behalf(call, replace(call.viewer, tenant=tenant_id))


async def _change_tenant(call: Call, tenant_id: UUID, command: Callable[..., Awaitable[Tenant]]) -> Response:
    answer = await _concerning(call, tenant_id).write(command, answer=TenantRead.of)
    call.resource(Recognition).forget_tenant(tenant_id)
    return answer


async def _tenants(tx: Tx, viewer: Viewer, filters: PageQuery, **page: Any) -> builtins.list[Tenant]:
    return await store.list_tenants(tx, **page)


async def _own_tenant(tx: Tx, viewer: Viewer) -> Tenant | None:
    return await store.get_tenant(tx)


async def _user(tx: Tx, viewer: Viewer, user_id: UUID) -> User | None:
    return await store.get_user(tx, user_id)


async def _users(tx: Tx, viewer: Viewer, filters: PageQuery, **page: Any) -> builtins.list[User]:
    return await store.list_users(tx, **page)


async def _keys(tx: Tx, viewer: Viewer, filters: PageQuery, **page: Any) -> builtins.list[ApiKey]:
    return await store.list_api_keys(tx, **page)


async def _audit(tx: Tx, viewer: Viewer, filters: PageQuery, **page: Any) -> builtins.list[AuditEntry]:
    return await store.list_audit(tx, **page)
