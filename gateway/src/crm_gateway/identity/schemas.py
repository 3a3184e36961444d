"""HTTP models of identity."""

from datetime import timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from crm_gateway.identity.commands import NewApiKey, NewUser, Session
from crm_gateway.identity.domain.accounts import ApiKey, AuditEntry, Tenant, TenantState, User, UserState
from crm_gateway.identity.domain.credentials import LEAST_PASSWORD_LENGTH, MOST_PASSWORD_LENGTH, Credential
from crm_gateway.identity.domain.roles import Role
from crm_gateway.identity.moving_in import NewTenant
from crm_shared.fields import Instant, PublicId, Read, Strict, extensible
from crm_shared.http.pagination import Page

TenantId = Annotated[UUID, PublicId("ten")]
UserId = Annotated[UUID, PublicId("usr")]
ApiKeyId = Annotated[UUID, PublicId("key")]
SessionId = Annotated[UUID, PublicId("ses")]
AuditId = Annotated[UUID, PublicId("aud")]

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Email = Annotated[
    str,
    StringConstraints(min_length=3, max_length=255),
    Field(json_schema_extra={"pattern": r"^[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,190}$"}),  # as `folded_email` checks
]
Team = Annotated[str, StringConstraints(min_length=1, max_length=100)]
# Length limits only: what a person types is never trimmed or checked for kinds of characters.
Password = Annotated[
    str, StringConstraints(min_length=LEAST_PASSWORD_LENGTH, max_length=MOST_PASSWORD_LENGTH, strip_whitespace=False)
]
Roles = Annotated[list[Role], Field(min_length=1, max_length=len(Role))]
RoleText = Annotated[str, extensible(Role)]


class FirstAdmin(Strict):
    """Who administers a new company at first."""

    email: Email = Field(examples=["ada@example.org"])
    name: Name = Field(examples=["Ada Lovelace"])
    password: Password = Field(examples=["a long sentence nobody guesses"])


class TenantCreate(Strict):
    """A company that moves in."""

    slug: str = Field(
        max_length=40,
        pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$",
        description="What its people type when they log in.",
        examples=["analytical-engines"],
    )
    name: Name = Field(examples=["Analytical Engines"])
    admin: FirstAdmin

    def to_domain(self, password_hash: str, credential: Credential) -> NewTenant:
        """What the command takes."""
        admin = NewUser(self.admin.email, self.admin.name, (Role.ADMIN,), password_hash=password_hash)
        return NewTenant(self.slug, self.name, admin, credential)


class TenantRead(Read):
    """One company."""

    id: TenantId
    slug: str = Field(examples=["analytical-engines"])
    name: str = Field(examples=["Analytical Engines"])
    state: Annotated[str, extensible(TenantState)]
    version: int
    created_at: Instant

    @classmethod
    def of(cls, tenant: Tenant) -> Self:
        """The model of a tenant."""
        return cls(
            id=tenant.id,
            slug=tenant.slug,
            name=tenant.name,
            state=tenant.state,
            version=tenant.version,
            created_at=tenant.created_at,
        )


class TenantOpenedRead(TenantRead):
    """A new company with the key of its first administrator, shown this once; a repeat of the request shows null."""

    key: str | None = Field(examples=["crm_live_064gkndciprknf6emc10j6k0as_…"])


class TenantPage(Page):
    """One page of companies."""

    items: list[TenantRead]


class UserCreate(Strict):
    """Somebody who joins."""

    email: Email = Field(examples=["grace@example.org"])
    name: Name = Field(examples=["Grace Hopper"])
    roles: Roles = Field(examples=[["seller"]])
    teams: list[Team] = Field(default_factory=list[str], max_length=50, examples=[["north"]])
    partner: Team | None = Field(None, description="Narrows what this user sees to one partner's customers.")
    password: Password | None = Field(None, description="Without one, the user can't log in until it is set.")

    def to_domain(self, password_hash: str | None) -> NewUser:
        """What the command takes."""
        return NewUser(
            email=self.email,
            name=self.name,
            roles=tuple(self.roles),
            teams=tuple(self.teams),
            partner=self.partner,
            password_hash=password_hash,
        )


class UserUpdate(Strict):
    """What may change about a user; what is left out stays."""

    name: Name = ""
    roles: Roles = Field(default_factory=list[Role], examples=[["seller", "sales_manager"]])
    teams: list[Team] = Field(default_factory=list[str], max_length=50)
    partner: Team | None = None


class PasswordSet(Strict):
    """A new password."""

    password: Password = Field(examples=["a long sentence nobody guesses"])


class UserRead(Read):
    """One person."""

    id: UserId
    email: str = Field(examples=["grace@example.org"])
    name: str = Field(examples=["Grace Hopper"])
    roles: list[RoleText]
    teams: list[str] = Field(examples=[["north"]])
    partner: str | None = Field(examples=[None])
    state: Annotated[str, extensible(UserState)]
    version: int
    created_at: Instant

    @classmethod
    def of(cls, user: User) -> Self:
        """The model of a user."""
        return cls(
            id=user.id,
            email=user.email,
            name=user.name,
            roles=list(user.roles),
            teams=list(user.teams),
            partner=user.partner,
            state=user.state,
            version=user.version,
            created_at=user.created_at,
        )


class UserPage(Page):
    """One page of users."""

    items: list[UserRead]


class ApiKeyCreate(Strict):
    """A key for a machine."""

    name: Name = Field(examples=["Web shop"])
    roles: Roles = Field(default_factory=lambda: [Role.INTEGRATION], examples=[["integration"]])
    expires_at: Instant | None = None

    def to_domain(self, credential: Credential) -> NewApiKey:
        """What the command takes."""
        return NewApiKey(self.name, tuple(self.roles), credential, self.expires_at)


class ApiKeyRotate(Strict):
    """How long the old secret goes on holding."""

    overlap_hours: int = Field(24, ge=0, le=168, examples=[24])

    @property
    def overlap(self) -> timedelta:
        """The same as a duration."""
        return timedelta(hours=self.overlap_hours)


class ApiKeyRead(Read):
    """One key, without its secret."""

    id: ApiKeyId
    name: str = Field(examples=["Web shop"])
    roles: list[RoleText]
    version: int
    created_by: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    overlap_until: Instant | None = Field(description="Until when the secret before the last rotation holds too.")

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """The model of a key."""
        return cls(**_shown(key))


class ApiKeySecretRead(ApiKeyRead):
    """One key with its text, shown this once; a repeat of the request shows null."""

    key: str | None = Field(examples=["crm_live_064gkndciprknf6emc10j6k0as_…"])


class ApiKeyPage(Page):
    """One page of keys."""

    items: list[ApiKeyRead]


def _shown(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "roles": list(key.roles),
        "version": key.version,
        "created_by": key.created_by,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "overlap_until": key.overlap_until,
    }


class SessionCreate(Strict):
    """A log-in."""

    tenant: str = Field(max_length=40, description="The company's short name.", examples=["corkscrew"])
    email: str = Field(max_length=255, examples=["grace@example.org"])
    password: str = Field(max_length=MOST_PASSWORD_LENGTH, examples=["a long sentence nobody guesses"])


class SessionRead(Read):
    """A session that has begun. Send the token as `Authorization: Bearer …`."""

    id: SessionId
    token: str = Field(examples=["crm_session_064gkndciprknf6emc10j6k0as_…"])
    expires_at: Instant
    user: UserRead

    @classmethod
    def of(cls, session: Session) -> Self:
        """The model of a new session."""
        return cls(
            id=session.token.id,
            token=session.token.text,
            expires_at=session.expires_at,
            user=UserRead.of(session.user),
        )


class MeRead(Read):
    """Who the caller is."""

    subject: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    tenant: TenantRead
    scopes: list[str] = Field(examples=[["customers:read", "deals:write"]])
    teams: list[str] = Field(examples=[["north"]])
    partner: str | None = Field(examples=[None])


class AdminActRead(Read):
    """One administrative act."""

    id: AuditId
    at: Instant
    actor: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    action: str = Field(examples=["user.created"])
    target: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    details: dict[str, Any]

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """The model of an entry."""
        return cls(
            id=entry.id,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            target=entry.target,
            details=dict(entry.details),
        )


class AdminActPage(Page):
    """One page of the audit log."""

    items: list[AdminActRead]
