"""Which routes may carry a file, and for how long."""

from typing import Any

from crm_gateway.gateway import committed_document
from crm_gateway.limits.domain import Priority
from crm_gateway.openapi.domain.merging import METHODS
from crm_gateway.openapi.domain.routes import Route
from crm_gateway.proxy.domain.rules import rule_for

FILE_MIB = 256


def takes_a_file(operation: dict[str, Any]) -> bool:
    return "text/csv" in operation.get("requestBody", {}).get("content", {})


def test_every_route_that_takes_a_file_lets_a_large_one_through_after_everybody_else() -> None:
    routes = [
        Route(method.upper(), path, operation["operationId"], "customer", "imports:write")
        for path, item in committed_document()["paths"].items()
        for method, operation in item.items()
        if method in METHODS and takes_a_file(operation)
    ]
    assert {"/v1/customer-imports", "/v1/purchase-imports"} <= {route.template for route in routes}
    for route in routes:
        rule = rule_for(route)
        assert (rule.body_limit, rule.priority) == (FILE_MIB * 1024 * 1024, Priority.BULK), route.template
