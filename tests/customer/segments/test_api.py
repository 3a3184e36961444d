from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit

Register = Callable[..., Awaitable[UUID]]
GERMANS: dict[str, Any] = {"type": "attribute", "field": "country", "op": "eq", "value": "DE"}
BUYERS: dict[str, Any] = {"type": "purchase_count", "op": "ge", "value": 1}


async def defined(http: httpx.AsyncClient, name: str, rule: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = await http.post("/v1/segments", json={"name": name, "rule": rule, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def materialised(kit: ServiceKit, http: httpx.AsyncClient, segment: dict[str, Any]) -> dict[str, Any]:
    answer = await http.post(f"/v1/segments/{segment['id']}/materialise", json={})
    assert answer.status_code == 202, answer.text
    await kit.run_jobs()
    operation = (await http.get(answer.headers["location"])).json()
    assert operation["state"] == "succeeded", operation
    return operation["result"]


async def members(http: httpx.AsyncClient, segment: dict[str, Any]) -> set[str]:
    answer = await http.get(f"/v1/segments/{segment['id']}/members")
    return {item["customer_id"] for item in answer.json()["items"]}


async def test_preview_counts_and_shows_a_few_without_keeping_anything(
    http: httpx.AsyncClient, register: Register
) -> None:
    for n in range(4):
        await register(display_name=f"N{n}", country="DE" if n else "FR")
    answer = await http.post("/v1/segments/preview", json={"rule": GERMANS, "sample": 2})
    assert answer.json()["count"] == 3
    assert [each["display_name"] for each in answer.json()["sample"]] == ["N3", "N2"]
    assert (await http.get("/v1/segments")).json()["items"] == []


async def test_materialising_tells_each_move_once_and_counts(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Register
) -> None:
    german, french = await register(country="DE"), await register(country="FR")
    segment = await defined(http, "Germans", GERMANS)
    assert await materialised(kit, http, segment) == {"version": 1, "count": 1}
    assert await members(http, segment) == {public_id("cus", german)}
    await http.patch(f"/v1/customers/{public_id('cus', french)}", json={"country": "DE"})
    await http.patch(f"/v1/customers/{public_id('cus', german)}", json={"country": "FR"})
    assert await materialised(kit, http, segment) == {"version": 2, "count": 1}
    assert await materialised(kit, http, segment) == {"version": 3, "count": 1}
    moves = await kit.events(tenant, "crm.customer.segment-entered.v1", "crm.customer.segment-exited.v1")
    assert [(event.type.split(".")[2], event.payload()["version"]) for event in moves] == [
        ("segment-entered", 1),
        ("segment-entered", 2),
        ("segment-exited", 2),
    ]
    done = await kit.events(tenant, "crm.segment.materialised.v1")
    assert [(event.payload()["version"], event.payload()["count"]) for event in done] == [(1, 1), (2, 1), (3, 1)]
    inside = (await http.get(f"/v1/customers/{public_id('cus', french)}/segments")).json()["items"]
    assert [each["segment_id"] for each in inside] == [segment["id"]]


async def test_a_dynamic_segment_follows_its_customers(
    kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID, register: Register
) -> None:
    customer = await register(country="DE")
    buyers = await defined(http, "Buyers", BUYERS)
    german_buyers = await defined(
        http, "German buyers", {"type": "and", "rules": [GERMANS, {"type": "segment", "segment_id": buyers["id"]}]}
    )
    static = await defined(http, "Snapshot", BUYERS, kind="static")
    for segment in (buyers, german_buyers, static):
        await materialised(kit, http, segment)
    purchase = {
        "customer_id": public_id("cus", customer),
        "source": "shop",
        "external_id": "1",
        "occurred_at": kit.clock.now().isoformat(),
        "amount": {"amount": "5.00", "currency": "EUR"},
    }
    await http.post("/v1/purchases", json=purchase)
    await kit.run_timers()
    assert await members(http, buyers) == await members(http, german_buyers) == {public_id("cus", customer)}
    assert await members(http, static) == set()
    assert (await http.get(f"/v1/segments/{buyers['id']}")).json()["members"] == 1
    await http.patch(f"/v1/customers/{public_id('cus', customer)}", json={"country": "FR"})
    told = await kit.events(tenant)
    await kit.apply(told)
    # Events are stamped by the clock of the database, which may be ahead of the kit's.
    await kit.run_timers(now=max(kit.clock.now(), told[-1].time))
    assert await members(http, german_buyers) == set()
    exits = await kit.events(tenant, "crm.customer.segment-exited.v1")
    assert [event.payload()["reason"] for event in exits] == ["customer changed"]


async def test_a_changed_rule_waits_for_the_next_materialisation(
    kit: ServiceKit, http: httpx.AsyncClient, register: Register
) -> None:
    await register(country="DE")
    segment = await defined(http, "Some", GERMANS)
    await materialised(kit, http, segment)
    nobody = {"type": "attribute", "field": "country", "op": "eq", "value": "XX"}
    changed = await http.patch(f"/v1/segments/{segment['id']}", json={"rule": nobody}, headers={"If-Match": '"1"'})
    assert (changed.json()["stale"], changed.json()["members"]) == (True, 1)
    assert (await materialised(kit, http, segment))["count"] == 0


class TestRules:
    async def test_errors_point_at_the_node(self, http: httpx.AsyncClient) -> None:
        rule = {
            "type": "and",
            "rules": [GERMANS, {"type": "not", "rule": {"type": "purchase_count", "op": "gt", "value": "many"}}],
        }
        answer = await http.post("/v1/segments", json={"name": "x", "rule": rule})
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/rule/rules/1/rule/value"]

    async def test_unknown_kinds_fields_and_segments_are_named(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/v1/segments", json={"name": "x", "rule": {"type": "magic"}})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/rule")
        rule = {
            "type": "or",
            "rules": [
                {"type": "attribute", "field": "attributes.shoe", "op": "eq", "value": 1},
                {"type": "segment", "segment_id": public_id("seg", new_id())},
                {"type": "attribute", "field": "country", "op": "lt", "value": "DE"},
                {"type": "attribute", "field": "completeness", "op": "gt", "value": "high"},
            ],
        }
        errors = (await http.post("/v1/segments", json={"name": "x", "rule": rule})).json()["errors"]
        assert [error["pointer"] for error in errors] == [
            "/rule/rules/0/field",
            "/rule/rules/1/segment_id",
            "/rule/rules/2/op",
            "/rule/rules/3/value",
        ]

    async def test_a_rule_too_deep_is_refused(self, http: httpx.AsyncClient) -> None:
        rule: dict[str, Any] = GERMANS
        for _ in range(20):
            rule = {"type": "not", "rule": rule}
        answer = await http.post("/v1/segments", json={"name": "x", "rule": rule})
        assert (answer.status_code, answer.json()["code"]) == (422, "rule_too_large")

    async def test_segments_may_not_need_each_other(self, http: httpx.AsyncClient) -> None:
        first = await defined(http, "First", GERMANS)
        second = await defined(http, "Second", {"type": "segment", "segment_id": first["id"]})
        circle = {"rule": {"type": "segment", "segment_id": second["id"]}}
        answer = await http.patch(f"/v1/segments/{first['id']}", json=circle)
        assert (answer.status_code, answer.json()["code"]) == (422, "rule_circular")


class TestRemove:
    async def test_names_segments_and_campaigns_that_rest_on_it(
        self, kit: ServiceKit, http: httpx.AsyncClient, tenant: UUID
    ) -> None:
        segment = await defined(http, "Base", GERMANS)
        other = await defined(http, "Upper", {"type": "segment", "segment_id": segment["id"]})
        campaign = new_id()
        approved = {"name": "Spring", "purpose": "news", "segment_id": segment["id"]}
        await kit.deliver(tenant, "crm.campaign.approved.v1", campaign, approved)
        answer = await http.delete(f"/v1/segments/{segment['id']}")
        assert (answer.status_code, answer.json()["code"]) == (409, "segment_in_use")
        assert [error["message"] for error in answer.json()["errors"]] == [
            f"{other['id']}: Upper",
            f"{public_id('cmp', campaign)}: Spring",
        ]
        await http.delete(f"/v1/segments/{other['id']}")
        await kit.deliver(tenant, "crm.campaign.finished.v1", campaign, approved)
        assert (await http.delete(f"/v1/segments/{segment['id']}")).status_code == 204
        assert (await http.get(f"/v1/segments/{segment['id']}")).status_code == 404

    async def test_is_refused_while_members_are_being_found(self, kit: ServiceKit, http: httpx.AsyncClient) -> None:
        segment = await defined(http, "Busy", GERMANS)
        started = await http.post(f"/v1/segments/{segment['id']}/materialise", json={})
        assert (await http.delete(f"/v1/segments/{segment['id']}")).json()["code"] == "segment_materialising"
        again = await http.post(f"/v1/segments/{segment['id']}/materialise", json={})
        assert again.status_code == 409
        operation = started.headers["location"]
        assert (await http.post(f"{operation}/cancel")).status_code == 200
        await kit.run_jobs()
        assert (await http.get(operation)).json()["state"] == "cancelled"
        assert (await http.delete(f"/v1/segments/{segment['id']}")).status_code == 204


async def test_a_window_is_measured_from_the_tenants_present(
    kit: ServiceKit, http: httpx.AsyncClient, register: Register
) -> None:
    customer = await register()
    then = kit.clock.now() - timedelta(days=10_000)
    purchase = {
        "customer_id": public_id("cus", customer),
        "source": "shop",
        "external_id": "old",
        "occurred_at": then.isoformat(),
        "amount": {"amount": "5.00", "currency": "EUR"},
    }
    await http.post("/v1/purchases", json=purchase)
    rule = {"type": "last_purchase", "op": "within", "days": 30}
    assert (await http.post("/v1/segments/preview", json={"rule": rule})).json()["count"] == 0
    await http.put("/v1/lifecycle/rules", json={"as_of": (then + timedelta(days=3)).isoformat()})
    assert (await http.post("/v1/segments/preview", json={"rule": rule})).json()["count"] == 1
