"""Bad input on every route: a problem document that names what is wrong, and never a fault of ours."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from crm_sales_pipeline.app import SERVICE
from crm_shared.http.router import StrictRoute
from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit

PREFIXES = {
    "lead_id": "lead",
    "deal_id": "deal",
    "quote_id": "quo",
    "order_id": "ord",
    "payment_id": "pay",
    "product_id": "prod",
    "book_id": "pbk",
    "rule_id": "rule",
    "seller_id": "usr",
    "pipeline_id": "pipe",
    "expense_id": "exp",
    "campaign_id": "cmp",
}
RUBBISH: list[Any] = [
    {},
    [],
    None,
    "text",
    {"unknown_field": 1},
    {"name": "x" * 100_000, "reason": "", "source": "\x00", "lines": [{}], "amount": {"amount": "NaN"}},
    {"amount": {"amount": "1e999", "currency": "eur"}, "lines": "many", "stages": [{"key": "É"}], "seller_ids": [1]},
    {"customer_id": "cus_" + "0" * 26, "name": "\x00", "source": "web", "reason": "\x00", "description": "\x00"},
]


def routes() -> Iterator[tuple[str, str]]:
    for router in SERVICE.routers:
        for route in router.routes:
            assert isinstance(route, StrictRoute)
            for method in route.methods or ():
                yield method, route.path


def path_of(template: str, *, well_formed: bool) -> str:
    for name, prefix in PREFIXES.items():
        value = public_id(prefix, new_id()) if well_formed else "nonsense"
        template = template.replace(f"{{{name}}}", value)
    return template.replace("{window}", "now" if well_formed else "nonsense")


def assert_problem(answer: httpx.Response) -> None:
    assert 400 <= answer.status_code < 500, f"{answer.request.method} {answer.request.url}: {answer.text}"
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["code"]


@pytest.mark.parametrize(("method", "path"), sorted(set(routes())))
async def test_rubbish_is_refused_with_a_reason(kit: ServiceKit, method: str, path: str) -> None:
    async with kit.client(kit.tenant()) as http:
        if "{" in path:
            assert_problem(await http.request(method, path_of(path, well_formed=False)))
        assert_problem(await http.request(method, path_of(path, well_formed=True), params={"nonsense": "1"}))
        if method in ("POST", "PUT", "PATCH"):
            for body in RUBBISH:
                answer = await http.request(method, path_of(path, well_formed=True), json=body)
                assert answer.status_code < 500, f"{method} {path} {body!r}: {answer.text}"
                if not answer.is_success:
                    assert_problem(answer)


async def test_nothing_half_done_is_left_behind(kit: ServiceKit, tenant: UUID) -> None:
    async with kit.client(tenant) as http:
        for method, path in sorted(set(routes())):
            if method == "POST":
                for body in RUBBISH:
                    await http.request(method, path_of(path, well_formed=True), json=body)
    assert await kit.events(tenant) == []


async def test_a_repeated_request_with_its_key_is_answered_and_not_done_again(
    kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, customer: str
) -> None:
    body = {"customer_id": customer, "name": "Boxes"}
    headers = {"Idempotency-Key": "once"}
    first, second = [await http.post("/v1/deals", json=body, headers=headers) for _ in range(2)]
    assert first.json() == second.json()
    assert len(await kit.events(tenant, "crm.deal.opened.v1")) == 1


async def test_a_missing_scope_is_said(kit: ServiceKit, tenant: UUID) -> None:
    async with kit.client(tenant, "deals:read") as reader:
        answer = await reader.post("/v1/deals", json={})
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
