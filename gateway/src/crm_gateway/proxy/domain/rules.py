"""What differs between routes: time, size, share, and what is shed first. One table, first match wins."""

from dataclasses import dataclass
from enum import StrEnum

from crm_gateway.limits.domain import Priority
from crm_gateway.openapi.domain.routes import Route

KIB = 1024
MIB = 1024 * KIB


class Share(StrEnum):
    """Whose bucket a request takes from; the quotas are settings."""

    DEFAULT = "default"
    BULK = "bulk"
    LOGIN = "login"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Rule:
    """How a route is treated: its answer's head is due within `timeout_s`, a request's body is at most `body_limit`."""

    timeout_s: float = 15.0
    body_limit: int = MIB
    share: Share = Share.DEFAULT
    priority: Priority = Priority.NORMAL


_DEFAULT = Rule()
_PUBLIC = Rule(share=Share.PUBLIC)
_IMPORT = Rule(timeout_s=60.0, body_limit=256 * MIB, share=Share.BULK, priority=Priority.BULK)
_RULES: tuple[tuple[str, str, Rule], ...] = (
    ("POST", "/v1/sessions", Rule(share=Share.LOGIN)),
    ("POST", "/v1/customer-imports", _IMPORT),
    ("POST", "/v1/purchase-imports", _IMPORT),
    ("POST", "/v1/purchases", Rule(timeout_s=30.0, body_limit=4 * MIB, priority=Priority.BULK)),
    ("POST", "/v1/behaviour", Rule(timeout_s=30.0, body_limit=4 * MIB, priority=Priority.BULK)),
    ("GET", "/v1/customers/{customer_id}/360", Rule(timeout_s=5.0)),
    ("POST", "/v1/webhooks/{webhook_id}/test", Rule(share=Share.BULK)),
)
"""Method, start of the template, rule."""


def rule_for(route: Route) -> Rule:
    """The treatment of a route."""
    for method, start, rule in _RULES:
        if route.method == method and (route.template == start or route.template.startswith(start + "/")):
            return rule
    return _DEFAULT if route.scope is not None else _PUBLIC
