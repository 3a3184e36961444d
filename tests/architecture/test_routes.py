"""Every route says who may use it, and somebody may."""

import re

from crm_gateway.identity.domain import roles
from crm_shared.http.app import create_app
from crm_shared.http.router import StrictRoute
from crm_shared.runtime import Service

SCOPE = re.compile(r"[a-z][a-z-]*:[a-z]+")


OF_THE_MACHINE = {"/livez", "/readyz", "/metrics", "/openapi.json"}
"""What a service shows of itself on its own port; the gateway passes none of it on."""


def routes(service: Service) -> list[StrictRoute]:
    """All routes that the service answers, the kernel's too."""
    answering = create_app(service.title, service.routers, service=service.name).routes
    found = [route for route in answering if isinstance(route, StrictRoute)]
    assert len(found) > sum(len(router.routes) for router in service.routers) > 0
    return found


def test_nothing_else_answers_than_routes_that_say_who_may(service: Service) -> None:
    answering = create_app(service.title, service.routers, service=service.name).routes
    bare = {getattr(route, "path", repr(route)) for route in answering if not isinstance(route, StrictRoute)}
    assert bare == OF_THE_MACHINE


def test_every_route_has_a_scope_or_a_reason_to_be_public(service: Service) -> None:
    for route in routes(service):
        assert (route.scope is None) != (route.public is None), route.path
        assert route.scope is None or SCOPE.fullmatch(route.scope), route.path
        assert route.public is None or len(route.public) > 10, "a public route says why"


def test_every_scope_is_held_by_a_role(service: Service) -> None:
    needed = {route.scope for route in routes(service) if route.scope} - roles.ADMIN_ONLY
    others = [role for role in roles.Role if role is not roles.Role.ADMIN]
    assert needed - roles.scopes_of(others, needed) == set(), "grant it in identity/domain/roles.py, or list it there"


def test_operation_ids_are_unique_and_stable(service: Service) -> None:
    ids = [route.unique_id for route in routes(service)]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z0-9_]+", operation) for operation in ids)


def test_every_route_starts_with_the_version(service: Service) -> None:
    assert [route.path for route in routes(service) if not route.path.startswith("/v1/")] == []
