"""Logging in: from a company's short name, an address and a password to a session."""

from datetime import datetime

from crm_gateway.identity import store
from crm_gateway.identity.commands import Session, begin_session
from crm_gateway.identity.domain.accounts import TenantState, User, UserState
from crm_gateway.identity.domain.credentials import CredentialKind, new_credential
from crm_gateway.identity.passwords import password_matches
from crm_shared.db.pool import NO_TENANT, Database
from crm_shared.db.unit_of_work import transact
from crm_shared.errors import Unauthenticated
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer


async def log_in(database: Database, tenant_slug: str, email: str, password: str, *, now: datetime) -> Session:
    """A new session. No transaction is open while the password is checked, which takes a while.

    Raises:
        Unauthenticated: company, address or password is wrong, in the same words and the same time whichever it is.
    """
    found = await _find(database, tenant_slug, email)
    viewer, user, kept = found or (None, None, None)
    right = await password_matches(password, kept)
    if not right or viewer is None or user is None:
        raise Unauthenticated("Company, address or password is wrong.", code="log_in_failed")
    token = new_credential(CredentialKind.SESSION, new_id())
    return await transact(database, begin_session, viewer, user, token, now=now)


async def _find(database: Database, tenant_slug: str, email: str) -> tuple[Viewer, User, str | None] | None:
    async with database.reading(NO_TENANT) as tx:
        tenant = await store.tenant_of(tx, store.SLUG, tenant_slug)
    if tenant is None:
        return None
    async with database.reading(tenant) as tx:
        company = await store.get_tenant(tx)
        known = await store.user_by_email(tx, email.casefold())
    if known is None or company is None or company.state is not TenantState.ACTIVE:
        return None
    user, kept = known
    return (Viewer(tenant, public_id("usr", user.id)), user, kept) if user.state is UserState.ACTIVE else None
