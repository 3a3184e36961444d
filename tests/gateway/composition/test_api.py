"""The 360 view: parallel, in time, partial when it must be, and only what the caller may see."""

import asyncio
import time
from typing import Any
from uuid import UUID

import orjson
import pytest

from crm_gateway.composition.domain import CUSTOMER_360
from crm_gateway.identity.domain.roles import Role
from crm_shared.ids import public_id

CUSTOMER = public_id("cus", UUID("01890a5d-ac96-774b-bcce-b302099a8057"))
VIEW = f"/v1/customers/{CUSTOMER}/360"
PROFILE, CARD, DEALS = f"/v1/customers/{CUSTOMER}", f"/v1/customers/{CUSTOMER}/card", "/v1/deals"


def says(status: int, document: Any = None, *, after_s: float = 0.0, raw: bytes | None = None) -> Any:
    async def behave(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(after_s)
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": raw if raw is not None else orjson.dumps(document)})

    return behave


@pytest.fixture
def service(house):
    """A service that knows the customer, their card and their deals."""
    house.upstream.by_path |= {
        PROFILE: says(200, {"id": CUSTOMER}),
        CARD: says(200, {"c": 1}),
        DEALS: says(200, {"items": []}),
    }
    return house


async def view(house: Any, role: Role = Role.ADMIN) -> dict[str, Any]:
    async with house.http(role) as http:
        got = await http.get(VIEW)
    assert got.status_code == 200, got.text
    assert got.headers["cache-control"] == "no-store"
    return got.json()


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {name: part["status"] for name, part in document["parts"].items()}


async def test_it_holds_every_part_under_its_name(service):
    document = await view(service)
    assert list(document["parts"]) == [part.name for part in CUSTOMER_360]
    assert document["customer_id"] == CUSTOMER
    assert document["parts"]["profile"] == {"status": "ok", "data": {"id": CUSTOMER}}
    assert document["parts"]["deals"] == {"status": "ok", "data": {"items": []}}


async def test_each_service_is_asked_as_the_caller_about_this_customer(service):
    await view(service)
    asked = {seen.raw_path.decode(): seen for seen in service.upstream.seen}
    assert asked[DEALS].query == f"customer_id={CUSTOMER}".encode()
    assert asked[DEALS].header("authorization").startswith("Bearer ey")
    assert len({seen.header("x-request-id") for seen in service.upstream.seen}) == 1


async def test_a_part_whose_service_fails_is_unavailable_and_the_rest_is_there(service):
    service.upstream.by_path[DEALS] = says(500, {})
    document = await view(service)
    assert document["parts"]["deals"] == {"status": "unavailable", "data": None}
    assert document["complete"] is False
    assert statuses(document)["profile"] == "ok"


async def test_a_slow_part_is_not_waited_for(service):
    service.upstream.by_path[DEALS] = says(200, {}, after_s=20)
    began = time.monotonic()
    document = await view(service)
    assert statuses(document)["deals"] == "unavailable"
    assert time.monotonic() - began < 2.5


async def test_parts_are_asked_in_parallel(service):
    for path in (PROFILE, CARD, DEALS):
        service.upstream.by_path[path] = says(200, {}, after_s=0.4)
    began = time.monotonic()
    await view(service)
    assert time.monotonic() - began < 1.1


async def test_an_answer_that_is_no_json_is_unavailable(service):
    service.upstream.by_path[DEALS] = says(200, raw=b"<html>")
    assert statuses(await view(service))["deals"] == "unavailable"


async def test_what_the_caller_may_not_see_is_forbidden_and_not_asked_for(service):
    document = await view(service, Role.MARKETER)
    assert statuses(document)["card"] == "ok"
    service.upstream.seen.clear()
    table = service.gateway.routes
    held = {route.scope for route in table.routes}
    assert "deals:read" in held
    from crm_gateway.identity.domain.roles import GRANTS

    before = GRANTS[Role.VIEWER]
    GRANTS[Role.VIEWER] = frozenset({"customers:read"})
    recognition = service.gateway._door._parts.authenticator
    recognition.forget_tenant(service.tenant)
    try:
        document = await view(service, Role.VIEWER)
    finally:
        GRANTS[Role.VIEWER] = before
        recognition.forget_tenant(service.tenant)
    assert document["parts"]["deals"] == {"status": "forbidden", "data": None}
    assert DEALS.encode() not in {seen.raw_path for seen in service.upstream.seen}


async def test_a_part_that_its_service_forbids_is_forbidden(service):
    service.upstream.by_path[CARD] = says(403, {})
    assert statuses(await view(service))["card"] == "forbidden"


async def test_there_is_no_such_customer_only_when_the_customer_service_says_so(service):
    service.upstream.by_path[DEALS] = says(404, {})
    assert statuses(await view(service))["deals"] == "not_found"
    service.upstream.by_path[PROFILE] = says(503, {})
    assert statuses(await view(service))["profile"] == "unavailable"
    service.upstream.by_path[PROFILE] = says(404, {})
    async with service.http() as http:
        got = await http.get(VIEW)
    assert (got.status_code, got.json()["code"]) == (404, "customer_not_found")


async def test_one_callers_view_is_never_anothers(service):
    for answer in ("first", "second"):
        service.upstream.by_path[PROFILE] = says(200, {"name": answer})
        assert (await view(service))["parts"]["profile"]["data"] == {"name": answer}


async def test_a_malformed_id_is_422_and_nobody_is_asked(service):
    async with service.http() as http:
        got = await http.get("/v1/customers/cus_nonsense/360")
    assert got.status_code == 422
    assert service.upstream.seen == []


async def test_without_the_scope_for_customers_it_is_403(open_house, house):
    async with house.http(None) as http:
        assert (await http.get(VIEW)).status_code == 401
