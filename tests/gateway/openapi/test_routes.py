from typing import Any

import pytest

from crm_gateway.openapi.domain.routes import Route, RouteTable, ScopeMissing, routes_of
from crm_shared.errors import NotFound


def route(method: str, template: str, scope: str | None = "a:read") -> Route:
    return Route(method, template, f"{method}{template}", "customer", scope)


TABLE = RouteTable(
    [
        route("GET", "/v1/customers"),
        route("POST", "/v1/customers"),
        route("GET", "/v1/customers/{id}"),
        route("POST", "/v1/customers/search"),
        route("GET", "/v1/customers/{id}/card"),
        route("GET", "/v1/operations/{id}"),
    ]
)


def template(method: str, path: str) -> str | frozenset[str]:
    found = TABLE.find(method, path)
    return found.template if isinstance(found, Route) else found


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/customers", "/v1/customers"),
        ("GET", "/v1/customers/cus_1", "/v1/customers/{id}"),
        ("POST", "/v1/customers/search", "/v1/customers/search"),
        ("GET", "/v1/customers/search", frozenset({"POST"})),
        ("GET", "/v1/customers/x/card", "/v1/customers/{id}/card"),
        ("HEAD", "/v1/customers", "/v1/customers"),
        ("DELETE", "/v1/customers", frozenset({"GET", "HEAD", "POST"})),
        ("GET", "/v1/customers/", frozenset()),
        ("GET", "/v1//customers", frozenset()),
        ("GET", "/v1/customers/x/y/z", frozenset()),
        ("GET", "/", frozenset()),
        ("GET", "", frozenset()),
    ],
)
def test_a_request_finds_its_route_or_the_methods_that_are_known(method: str, path: str, expected: object):
    assert template(method, path) == expected


@pytest.mark.parametrize(
    ("prefix", "owner"),
    [
        ("opcus", "customer"),
        ("opsal", "sales-pipeline"),
        ("opcom", "communication-dispatch"),
        ("opcon", "contact-center"),
        ("zzz", None),
    ],
)
def test_an_operations_id_names_its_owner(prefix: str, owner: str | None):
    found = TABLE.find("GET", f"/v1/operations/{prefix}_0123")
    assert isinstance(found, Route)
    assert found.owner(f"/v1/operations/{prefix}_0123") == owner


@pytest.mark.parametrize(
    ("name", "owner"),
    [("customer", "customer"), ("gateway", "gateway"), ("contact-center", "contact-center")],
)
def test_an_event_that_waits_is_found_in_the_service_that_the_path_names(name: str, owner: str):
    for template in ("/v1/parked-events/{service}", "/v1/parked-events/{service}/{key}/skip"):
        path = template.replace("{service}", name).replace("{key}", "deal:1")
        route = Route("POST", template, "parked_events_x", "customer", "parked-events:admin")
        assert route.owner(path) == owner


def test_who_names_no_service_is_told_which_there_are():
    route = Route("GET", "/v1/parked-events/{service}", "parked_events_list", "customer", "parked-events:admin")
    with pytest.raises(NotFound, match="communication-dispatch, contact-center, customer, gateway, sales-pipeline"):
        route.owner("/v1/parked-events/sales")


def merged(**operation: Any) -> dict[str, Any]:
    return {"paths": {"/v1/a": {"get": {"operationId": "a", "x-upstream": "customer", **operation}}}}


def test_a_route_without_a_scope_is_refused():
    with pytest.raises(ScopeMissing, match="GET /v1/a"):
        routes_of(merged())
    with pytest.raises(ScopeMissing):
        routes_of(merged(**{"x-required-scope": ""}))


def test_a_route_is_public_only_with_a_reason():
    (found,) = routes_of(merged(**{"x-public": "a link in a mail"}))
    assert found.scope is None
