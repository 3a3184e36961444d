"""Every route says who may use it, and somebody may."""

import re

from crm_gateway.identity.domain import roles
from crm_shared.http.router import StrictRoute
from crm_shared.runtime import Service

SCOPE = re.compile(r"[a-z][a-z-]*:[a-z]+")


def routes(service: Service) -> list[StrictRoute]:
    found = [route for router in service.routers for route in router.routes]
    assert found
    assert all(isinstance(route, StrictRoute) for route in found)
    return [route for route in found if isinstance(route, StrictRoute)]


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
