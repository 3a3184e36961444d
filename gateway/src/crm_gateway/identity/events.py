"""What the gateway tells the services about tenants and people."""

from typing import Any, ClassVar

from crm_shared.events import EventPayload


class TenantCreated(EventPayload):
    """A company has moved in."""

    TYPE: ClassVar[str] = "crm.tenant.created.v1"
    ID_PREFIX: ClassVar[str] = "ten"
    READ_SCOPE: ClassVar[str] = "identity:read"
    EXAMPLE: ClassVar[dict[str, Any]] = {"name": "Corkscrew Wines"}

    name: str


class TenantSuspended(EventPayload):
    """A company's people and keys are kept out for now; its data stays."""

    TYPE: ClassVar[str] = "crm.tenant.suspended.v1"
    ID_PREFIX: ClassVar[str] = "ten"
    READ_SCOPE: ClassVar[str] = "identity:read"
    EXAMPLE: ClassVar[dict[str, Any]] = {"name": "Corkscrew Wines"}

    name: str


class TenantResumed(EventPayload):
    """A suspended company's people and keys are let in again."""

    TYPE: ClassVar[str] = "crm.tenant.resumed.v1"
    ID_PREFIX: ClassVar[str] = "ten"
    READ_SCOPE: ClassVar[str] = "identity:read"
    EXAMPLE: ClassVar[dict[str, Any]] = {"name": "Corkscrew Wines"}

    name: str


class TenantClosed(EventPayload):
    """A company has left; every service purges its data."""

    TYPE: ClassVar[str] = "crm.tenant.closed.v1"
    ID_PREFIX: ClassVar[str] = "ten"
    READ_SCOPE: ClassVar[str] = "identity:read"
    EXAMPLE: ClassVar[dict[str, Any]] = {"name": "Corkscrew Wines"}

    name: str


class _UserFact(EventPayload):
    """The state of a user after what happened."""

    ID_PREFIX: ClassVar[str] = "usr"
    READ_SCOPE: ClassVar[str] = "identity:read"
    EXAMPLE: ClassVar[dict[str, Any]] = {"name": "Sam Seller", "email": "sam@example.com", "roles": ["seller"]}

    name: str
    email: str
    roles: list[str]


class UserCreated(_UserFact):
    """Somebody has joined."""

    TYPE: ClassVar[str] = "crm.user.created.v1"


class UserChanged(_UserFact):
    """Somebody's name, address or roles are different now."""

    TYPE: ClassVar[str] = "crm.user.changed.v1"


class UserDeactivated(_UserFact):
    """Somebody has left: nothing is assigned to them any more."""

    TYPE: ClassVar[str] = "crm.user.deactivated.v1"


EVENTS: list[type[EventPayload]] = [
    TenantCreated,
    TenantSuspended,
    TenantResumed,
    TenantClosed,
    UserCreated,
    UserChanged,
    UserDeactivated,
]
