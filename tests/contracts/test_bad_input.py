"""Rubbish on every route of every service: a problem document that names the field, nothing changed, never a 5xx."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from crm_communication_dispatch.app import SERVICE as COMMUNICATION
from crm_contact_center.app import SERVICE as CONTACT_CENTER
from crm_customer.app import SERVICE as CUSTOMER
from crm_gateway.app import SERVICE as GATEWAY
from crm_sales_pipeline.app import SERVICE as SALES
from crm_shared.runtime import Service
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.kit import ServiceKit

SERVICES: list[Service] = [CUSTOMER, SALES, COMMUNICATION, CONTACT_CENTER, GATEWAY]
BODIES: list[Any] = [
    b"{",
    b"[]",
    b'"text"',
    b"null",
    b'{"\\ud800": 1}',
    b"[" * 5_000,
    b'{"no_such_field": {"a": [1, null, "\\u0000"]}}',
    b'{"tenant_id": "ten_x", "version": -1, "id": 99999999999999999999}',
]
JSON = {"content-type": "application/json", "if-match": '"1"'}


@pytest.fixture(scope="module", params=SERVICES, ids=lambda service: service.name)
async def kit(request: pytest.FixtureRequest, cluster: Cluster) -> AsyncIterator[ServiceKit]:
    async with ServiceKit.started(request.param, cluster) as started:
        yield started


def operations(kit: ServiceKit) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in kit.app.openapi()["paths"].items()
        for method, operation in methods.items()
        if "x-public" not in operation
    ]


def example(path: str, operation: dict[str, Any]) -> str:
    """The path with ids that are well formed and belong to nobody."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            schema = parameter["schema"]
            prefix = re.match(r"\^(\w+)_\[", schema.get("pattern", ""))
            value = f"{prefix[1]}_{'0' * 26}" if prefix else str(schema.get("enum", ["nobody"])[0])
            path = path.replace(f"{{{parameter['name']}}}", value)
    return path


def told(answer: Any, what: str) -> dict[str, Any]:
    assert 400 <= answer.status_code < 500, f"{what}: {answer.status_code} {answer.text[:300]}"
    assert answer.headers["content-type"] == "application/problem+json", what
    problem: dict[str, Any] = answer.json()
    assert problem["code"], what
    assert problem["detail"], what
    return problem


async def test_an_unknown_query_parameter_is_named(kit: ServiceKit) -> None:
    async with kit.client(kit.tenant()) as client:
        for method, path, operation in operations(kit):
            answer = await client.request(method, example(path, operation), params={"no_such_parameter": "1"})
            problem = told(answer, f"{method} {path}")
            assert (answer.status_code, problem["errors"][0]["pointer"]) == (422, "query:no_such_parameter"), path


async def test_a_malformed_id_is_named(kit: ServiceKit) -> None:
    async with kit.client(kit.tenant()) as client:
        for method, path, _ in operations(kit):
            bad = re.sub(r"\{\w+\}", "%00'--", path)
            if bad != path:
                told(await client.request(method, bad, content=b"{}", headers=JSON), f"{method} {path}")


async def test_rubbish_bodies_are_refused_and_leave_nothing_behind(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    async with kit.client(tenant) as client:
        for method, path, operation in operations(kit):
            if "application/json" not in operation.get("requestBody", {}).get("content", {}):
                continue
            for body in BODIES:
                answer = await client.request(method, example(path, operation), content=body, headers=JSON)
                told(answer, f"{method} {path} {body[:60]!r}")
    assert await kit.events(tenant) == []


async def test_every_filter_takes_hostile_text_without_falling_over(kit: ServiceKit) -> None:
    hostile = ["\x00", "' OR 1=1 --", "%", "9" * 400, "-1", "é" * 200, "NaN", "2026-13-45", "9999-12-31T23:59:59Z"]
    async with kit.client(kit.tenant()) as client:
        for method, path, operation in operations(kit):
            if "text/event-stream" in operation["responses"].get("200", {}).get("content", {}):
                continue  # what it takes has no end; its filters are those of the list beside it
            for parameter in operation.get("parameters", []):
                if method == "GET" and parameter["in"] == "query":
                    for value in hostile:
                        where = example(path, operation)
                        answer = await client.get(where, params={parameter["name"]: value})
                        assert answer.status_code < 500, (
                            f"{where} {parameter['name']}={value[:30]!r}: {answer.text[:300]}"
                        )
