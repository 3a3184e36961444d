"""What each role may do.

A role is a set of patterns over scopes (`tickets:*`, `*:read`) and is expanded against the scopes that the services
declare: a new route of a known resource needs no change here, and one of an unknown resource is closed to all but
admins until somebody decides.
"""

from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase


class Role(StrEnum):
    """The roles there are."""

    ADMIN = "admin"
    SELLER = "seller"
    SALES_MANAGER = "sales_manager"
    MARKETER = "marketer"
    MARKETING_APPROVER = "marketing_approver"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    INTEGRATION = "integration"
    VIEWER = "viewer"
    OPERATOR = "operator"
    """Runs the installation for all tenants; given by who runs it, never by a tenant's own administrators."""


PLATFORM = "platform:admin"
"""What concerns no tenant, or all of them."""

_STAFF = frozenset(
    {
        "customers:read",
        "consents:read",
        "segments:read",
        "purchases:read",
        "me:read",
        "operations:read",
        "operations:write",
    }
)
_SELLER = _STAFF | {
    "customers:write",
    "consents:write",
    "leads:*",
    "deals:*",
    "quotes:*",
    "orders:*",
    "products:read",
    "pipelines:read",
    "payments:read",
    "expenses:read",
    "expenses:write",
    "tickets:read",
    "interactions:read",
    "messages:read",
    "campaigns:read",
}
_MARKETER = _STAFF | {
    "segments:*",
    "lifecycle:*",
    "values:*",
    "templates:*",
    "campaigns:read",
    "campaigns:write",
    "audiences:*",
    "responses:*",
    "messages:*",
    "suppressions:*",
    "governance:read",
    "providers:read",
    "expenses:read",
    "expenses:write",
    "leads:read",
    "leads:write",
    "deals:read",
    "orders:read",
    "metrics:read",
}
_AGENT = _STAFF | {
    "customers:write",
    "consents:write",
    "interactions:*",
    "tickets:*",
    "agents:read",
    "agents:write",
    "queues:read",
    "routing:read",
    "surveys:read",
    "surveys:write",
    "messages:read",
    "messages:write",
    "deals:read",
    "orders:read",
    "leads:read",
    "leads:write",
}

GRANTS: dict[Role, frozenset[str]] = {
    Role.ADMIN: frozenset({"*:*"}),
    Role.SELLER: _SELLER,
    Role.SALES_MANAGER: _SELLER
    | {"pipelines:*", "products:*", "payments:*", "price-books:*", "assignment-rules:*", "assignment:*"}
    | {"sellers:*", "expenses:*", "funnel:*", "sales:*", "metrics:read", "customers:merge"},
    Role.MARKETER: _MARKETER,
    Role.MARKETING_APPROVER: _MARKETER | {"campaigns:approve", "templates:approve", "governance:*"},
    Role.AGENT: _AGENT,
    Role.SUPERVISOR: _AGENT
    | {"customers:merge", "agents:*", "queues:*", "routing:*", "surveys:*", "sla-policies:*", "metrics:*"},
    # Machines read and write everything of the business; they administer nothing and approve nothing.
    Role.INTEGRATION: frozenset({"*:read", "*:write"}),
    Role.VIEWER: frozenset({"*:read"}),
    Role.OPERATOR: frozenset({PLATFORM, "me:read"}),
}

_PERSONNEL = frozenset({"identity:read", "identity:write", "identity:admin"})
ADMIN_ONLY = _PERSONNEL | {"customers:admin", "customers:erase", "parked-events:admin", "parked-events:payload"}
"""Scopes that no other role shall hold: people and keys, the rules by which all customers are rated, waiting events."""


def scopes_of(roles: Iterable[Role], known: Iterable[str]) -> frozenset[str]:
    """The scopes among `known` that somebody with `roles` holds.

    Wildcards over all resources don't reach identity: only an admin sees users and keys. None reaches the platform.
    """
    held = set(roles)
    patterns = {pattern for role in held for pattern in GRANTS[role]}
    granted = {scope for scope in known if any(fnmatchcase(scope, pattern) for pattern in patterns)}
    if Role.ADMIN not in held:
        granted -= _PERSONNEL
    return frozenset(granted if Role.OPERATOR in held else granted - {PLATFORM})
