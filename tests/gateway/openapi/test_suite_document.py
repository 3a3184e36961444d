"""The merged document of the real services: one suite, one vocabulary, no dead part of the 360 view."""

from importlib import import_module
from typing import Any

import pytest

from crm_gateway.composition.domain import CUSTOMER_360
from crm_gateway.gateway import merged_document
from crm_gateway.openapi.domain.merging import OPERATION_OWNERS
from crm_gateway.openapi.domain.routes import Route, RouteTable, routes_of
from crm_shared.http.app import create_app

PACKAGES = ("crm_customer", "crm_sales_pipeline", "crm_communication_dispatch", "crm_contact_center")


@pytest.fixture(scope="module")
def merged() -> dict[str, Any]:
    """It fails here, naming every place, when two services mean different things by one name."""
    services = [import_module(f"{package}.app").SERVICE for package in PACKAGES]
    assert {service.operation_prefix: service.name for service in services}.items() <= OPERATION_OWNERS.items()
    return merged_document(
        {
            service.name: create_app(service.title, service.routers, service=service.name).openapi()
            for service in services
        }
    )


def test_every_route_of_the_suite_has_a_scope_or_a_reason(merged: dict[str, Any]):
    assert len(routes_of(merged)) > 100


@pytest.mark.parametrize("part", CUSTOMER_360, ids=lambda part: part.name)
def test_every_part_of_the_360_view_is_a_route_that_takes_what_is_asked(merged: dict[str, Any], part: Any):
    path, _, query = part.for_customer("cus_x").partition("?")
    route = RouteTable(routes_of(merged)).find("GET", path)
    assert isinstance(route, Route), path
    known = {parameter["name"] for parameter in merged["paths"][route.template]["get"].get("parameters", [])}
    asked = {pair.partition("=")[0] for pair in query.split("&") if pair}
    assert asked <= known
