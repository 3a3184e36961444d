"""No update is lost: of two who saw the same version one wins, and the other is told."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from tests.tenants.document import OPERATIONS, Operation, sample
from tests.tenants.stage import Answer
from tests.tenants.world import DAY, World

from crm_gateway.identity.domain.roles import Role
from crm_shared.ids import new_id

pytestmark = pytest.mark.xdist_group("tenants")

VERSIONED = [operation for operation in OPERATIONS if "If-Match" in operation.parameters("header")]
ACTIONS = [
    operation
    for operation in OPERATIONS
    if operation.method == "POST" and operation.path.rpartition("}")[1] and operation.is_tenants
    and operation.path != "/v1/tenants/{tenant_id}/close"  # after it nothing of the company answers
]  # fmt: skip
TELLING = ("name", "label", "subject", "interest", "display_name", "description", "weight", "wrap_up_s", "voice")
"""Fields whose change needs no more than a value; the first that a body has is changed."""
Ready = Callable[[World], Awaitable[tuple[str, Any]]]


async def _lead(company: World, *steps: str) -> str:
    lead = {"source": "web", "customer_id": company.ids["cus"], "source_key": str(new_id())}
    path = f"/v1/leads/{(await company.ask('POST', '/v1/leads', lead))['id']}"
    for step in steps:
        await company.ask("POST", f"{path}/{step}", {})
    return path


async def _sold(company: World, kind: str, *steps: str, role: Role = Role.ADMIN, **more: Any) -> str:
    lines = [{"product_id": company.ids["prod"], "quantity": "1"}]
    body = {"customer_id": company.ids["cus"], "lines": lines, "price_book_id": company.ids["pbk"], **more}
    path = f"/v1/{kind}/{(await company.ask('POST', f'/v1/{kind}', body, role=role))['id']}"
    for step in steps:
        await company.ask("POST", f"{path}/{step}", None if kind == "quotes" else {})
    return path


async def _deal(company: World) -> tuple[str, Any]:
    body = {"customer_id": company.ids["cus"], "name": "Two hands", "pipeline_id": company.ids["pipe"]}
    made = await company.ask("POST", "/v1/deals", body)
    return f"/v1/deals/{made['id']}/move", {"stage": "no", "reason": "too late"}


async def _expense(company: World) -> str:
    body = {"amount": {"amount": "1.00", "currency": "EUR"}, "description": "Two hands", "deal_id": company.ids["deal"]}
    made = await company.ask("POST", "/v1/expenses", body, role=Role.SALES_MANAGER)
    return f"/v1/expenses/{made['id']}"


async def _costly(company: World) -> str:
    book = {"name": "Costly", "currency": "EUR", "rounding": "half_up", "tax_rounding": "per_line"}
    made = await company.ask("POST", "/v1/price-books", book | {"valid_from": DAY, "approval_total": "1"})
    price = {"product_id": company.ids["prod"], "unit_price": "10.00", "valid_from": DAY}
    await company.ask("PUT", f"/v1/price-books/{made['id']}/prices", {"prices": [price]})
    return await _sold(company, "quotes", role=Role.SALES_MANAGER, price_book_id=made["id"])


async def _wording(company: World) -> str:
    path = f"/v1/templates/{company.ids['tpl']}/versions"
    body = {"languages": ["en"], "content": {"email": {"en": {"subject": "Hello", "text": "Dear you"}}}}
    return f"{path}/{(await company.ask('POST', path, body))['number']}"


READY: dict[str, Ready] = {
    "POST /v1/deals/{deal_id}/move": _deal,
    "POST /v1/expenses/{expense_id}/approve": lambda w: _at(_expense(w), "approve"),
    "POST /v1/expenses/{expense_id}/reject": lambda w: _at(_expense(w), "reject"),
    "POST /v1/leads/{lead_id}/assign": lambda w: _at(_lead(w), "assign", {"owner_id": w.ids["usr"]}),
    "POST /v1/leads/{lead_id}/close": lambda w: _at(_lead(w), "close", {"reason": "no answer"}),
    "POST /v1/leads/{lead_id}/contact": lambda w: _at(_lead(w), "contact", {}),
    "POST /v1/leads/{lead_id}/convert": lambda w: _at(_lead(w, "contact"), "convert", {"name": "Two hands"}),
    "POST /v1/leads/{lead_id}/qualify": lambda w: _at(_lead(w, "contact"), "qualify"),
    "POST /v1/leads/{lead_id}/recycle": lambda w: _at(_lead(w, "contact"), "recycle", {"reason": "later"}),
    "POST /v1/orders/{order_id}/deliver": lambda w: _at(_sold(w, "orders"), "deliver", {}),
    "POST /v1/orders/{order_id}/return": lambda w: _at(_sold(w, "orders", "deliver"), "return", {"reason": "torn"}),
    "POST /v1/quotes/{quote_id}/approve": lambda w: _at(_costly(w), "approve"),
    "POST /v1/quotes/{quote_id}/reject": lambda w: _at(_sold(w, "quotes", "send"), "reject", {"reason": "dear"}),
    "POST /v1/quotes/{quote_id}/send": lambda w: _at(_sold(w, "quotes"), "send"),
    "POST /v1/templates/{template_id}/versions/{number}/approve": lambda w: _at(_wording(w), "approve"),
}
"""Actions want a thing in the right state: a fresh one each."""
SETTLED = {
    "POST /v1/leads/{lead_id}/convert": [200, 200],  # converting again answers with the same deal
    "POST /v1/templates/{template_id}/versions/{number}/approve": [200, 409],  # what is approved stays as it is
}
"""Where the second is answered by what the first has settled, before versions are compared."""


async def _at(thing: Awaitable[str], action: str, body: Any = None) -> tuple[str, Any]:
    return f"{await thing}/{action}", body


async def changing(operation: Operation, company: World) -> tuple[str, Any]:
    """Where a change is made, and a body that makes one."""
    if operation.method == "POST":
        return await READY[str(operation)](company)
    assert operation.body is not None, operation
    fields: Mapping[str, Any] = operation.body.get("properties", {})
    place = next(((name,) for name in TELLING if name in fields), ())
    return company.address(operation), sample(operation.body, company.ids, place)


async def etag(path: str, company: World) -> str | None:
    for one in (path, path.rpartition("/")[0]):  # an action, or a part that is only replaced: the whole has the version
        answer = await company.stage.ask("GET", one, key=company.admin)
        if answer.status == 200:
            return answer.headers.get("etag")
    return None


@pytest.mark.parametrize("operation", VERSIONED, ids=str)
async def test_of_two_changes_of_the_same_version_one_wins(company: World, operation: Operation) -> None:
    path, body = await changing(operation, company)
    seen = await etag(path, company)
    assert seen is not None, "what has If-Match has a version to be seen"

    async def change() -> Answer:
        return await company.stage.ask(operation.method, path, key=company.admin, body=body, headers={"if-match": seen})

    answers = await asyncio.gather(change(), change())
    expected = SETTLED.get(str(operation), [200, 412])
    assert sorted(answer.status for answer in answers) in (expected, [201, 412]), [str(answer) for answer in answers]
    after = await etag(path, company)
    assert after is not None
    assert after != seen
    late = await change()
    assert late.status == expected[1], late
    assert await etag(path, company) == after


@pytest.mark.parametrize("operation", ACTIONS, ids=str)
async def test_an_action_done_twice_at_once_is_no_fault_and_leaves_one_state(
    company: World, operation: Operation
) -> None:
    """Whoever comes second acts on what the first has left: it is done again, or refused, never half done."""
    path = company.address(operation)
    body = sample(operation.body, company.ids) if operation.body else None
    whatever = {"if-match": "*"} if "If-Match" in operation.parameters("header") else {}

    async def act() -> Answer:
        headers = {"idempotency-key": str(new_id()), **whatever}
        return await company.stage.ask("POST", path, key=company.admin, body=body, headers=headers)

    answers = await asyncio.gather(act(), act())
    assert all(answer.status < 500 for answer in answers), [str(answer) for answer in answers]
    versions = [answer.json().get("version") for answer in answers if answer.status == 200 and answer.body]
    told = [version for version in versions if version is not None]
    seen = await company.stage.ask("GET", path.rpartition("/")[0], key=company.admin)
    if told and seen.status == 200 and "etag" in seen.headers and seen.json().get("id") == answers[0].json().get("id"):
        assert seen.headers["etag"] == f'"{max(told)}"'


async def test_two_merges_in_opposite_order_end_in_one(company: World) -> None:
    """Each locks what the other wants; whoever the database cuts off is run again and sees what has happened."""
    made = [await company.ask("POST", "/v1/customers", {"display_name": f"Twin {nth}"}) for nth in range(2)]
    ids = [one["id"] for one in made]

    async def merge(survivor: str, merged: str) -> Answer:
        body = {"merged_id": merged, "reason": "the same person"}
        return await company.stage.ask("POST", f"/v1/customers/{survivor}/merge", key=company.admin, body=body)

    answers = await asyncio.gather(merge(*ids), merge(*reversed(ids)))
    assert sorted(answer.status for answer in answers) in ([200, 404], [200, 409]), [str(answer) for answer in answers]
    shown = [await company.ask("GET", f"/v1/customers/{one}") for one in ids]
    assert shown[0]["id"] == shown[1]["id"]
