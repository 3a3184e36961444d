"""Tenants, users, keys and sessions as they are kept."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from crm_gateway.identity.domain.credentials import Credential
from crm_gateway.identity.domain.roles import Role
from crm_shared.errors import Invalid

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,190}")


class TenantState(StrEnum):
    """Whether a tenant's people and keys get in."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class UserState(StrEnum):
    """Whether a user gets in."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class Tenant:
    """One company. `slug` is what people type when they log in."""

    id: UUID
    slug: str
    name: str
    state: TenantState
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class User:
    """One person of a tenant."""

    id: UUID
    email: str
    name: str
    roles: tuple[Role, ...]
    teams: tuple[str, ...]
    partner: str | None
    state: UserState
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One machine's key, without its secret."""

    id: UUID
    name: str
    roles: tuple[Role, ...]
    version: int
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    overlap_until: datetime | None


@dataclass(frozen=True, slots=True)
class Holder:
    """What stands behind a credential: whom it lets in as, and what its secret must match."""

    subject: str
    roles: tuple[Role, ...]
    teams: tuple[str, ...]
    partner: str | None
    secret_hash: bytes
    previous_hash: bytes | None
    previous_until: datetime | None
    expires_at: datetime | None
    is_open: bool

    def admits(self, credential: Credential, now: datetime) -> bool:
        """Whether the credential opens the door at `now`: the right secret (or, for a while, the one before)."""
        right = credential.matches(self.secret_hash)
        if not right and self.previous_hash is not None and self.previous_until is not None:
            right = now < self.previous_until and credential.matches(self.previous_hash)
        return right and self.is_open and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One administrative act: who did what to whom."""

    id: UUID
    at: datetime
    actor: str
    action: str
    target: str
    details: dict[str, object]


def checked_slug(text: str) -> str:
    """A tenant's short name.

    Raises:
        Invalid: it isn't 1 to 40 lower-case letters, digits and inner hyphens.
    """
    if not _SLUG.fullmatch(text):
        raise Invalid.field("/slug", "Use 1 to 40 lower-case letters, digits and inner hyphens.", code="slug_malformed")
    return text


def folded_email(text: str) -> str:
    """An e-mail address in the form that is compared.

    Raises:
        Invalid: it doesn't look like one.
    """
    if not _EMAIL.fullmatch(text):
        raise Invalid.field("/email", "Use an address such as ada@example.com.", code="email_malformed")
    return text.casefold()
