"""Sellers and rules over HTTP, on real PostgreSQL."""

import asyncio
from collections import Counter
from uuid import UUID

import httpx
from tests.sales_pipeline.conftest import Post, code_of

from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit


def lead() -> dict[str, object]:
    return {"source": "web", "buying_window": "now", "contact": {"email": f"{new_id()}@example.org"}}


async def sellers(post: Post, count: int, **fields: object) -> list[str]:
    return [(await post("/v1/sellers", {"name": f"Seller {number}", **fields}))["id"] for number in range(count)]


async def rule(post: Post, ids: list[str], strategy: str) -> str:
    return (await post("/v1/assignment-rules", {"name": "R", "strategy": strategy, "seller_ids": ids}))["id"]


async def test_round_robin_is_fair_explained_and_replays(post: Post, get: Post) -> None:
    ids = await sellers(post, 3)
    made = await rule(post, ids, "round_robin")
    leads = [await post("/v1/leads", lead()) for _ in range(6)]
    assert set(Counter(one["owner_id"] for one in leads).values()) == {2}
    (why,) = (await get(f"/v1/leads/{leads[3]['id']}/assignments"))["items"]
    assert (why["rule_id"], why["chosen"], why["turn"]) == (made, leads[3]["owner_id"], 3)
    assert {one["seller_id"]: one["load"] for one in why["candidates"]} == dict.fromkeys(ids, 1)
    replayed = await get(f"/v1/assignment-rules/{made}/replay")
    assert (replayed["checked"], replayed["same"]) == (6, True)


async def test_every_strategy_replays_the_same_though_loads_have_changed_since(post: Post, get: Post) -> None:
    ids = await sellers(post, 3, weight=2)
    for strategy in ("least_loaded", "weighted"):
        made = await rule(post, ids, strategy)
        for _ in range(5):
            await post("/v1/leads", lead())
        assert (await get(f"/v1/assignment-rules/{made}/replay"))["differing"] == []


async def test_parallel_captures_take_turns_and_pass_no_capacity(
    http: httpx.AsyncClient, post: Post, get: Post
) -> None:
    ids = await sellers(post, 3, capacity=3)
    made = await rule(post, ids, "round_robin")
    answers = await asyncio.gather(*(http.post("/v1/leads", json=lead()) for _ in range(12)))
    given = Counter(answer.json()["owner_id"] for answer in answers)
    assert given == {**dict.fromkeys(ids, 3), None: 3}
    assert (await get(f"/v1/assignment-rules/{made}/replay"))["differing"] == []


async def test_two_rules_with_one_seller_pass_no_capacity_together(http: httpx.AsyncClient, post: Post) -> None:
    (only,) = await sellers(post, 1, capacity=2)
    for source in ("web", "fair"):
        body = {"name": source, "strategy": "least_loaded", "seller_ids": [only], "sources": [source]}
        await post("/v1/assignment-rules", body)
    bodies = [{**lead(), "source": source} for source in ("web", "fair") for _ in range(4)]
    answers = await asyncio.gather(*(http.post("/v1/leads", json=body) for body in bodies))
    assert Counter(answer.json()["owner_id"] for answer in answers) == {only: 2, None: 6}


async def test_a_full_seller_gets_nothing_until_a_lead_is_done_with(post: Post, get: Post) -> None:
    (only,) = await sellers(post, 1, capacity=1)
    await rule(post, [only], "least_loaded")
    first, second = await post("/v1/leads", lead()), await post("/v1/leads", lead())
    assert (first["owner_id"], second["owner_id"], second["state"]) == (only, None, "new")
    (why,) = (await get(f"/v1/leads/{second['id']}/assignments"))["items"]
    assert (why["chosen"], why["candidates"][0]["refusal"]) == (None, "at_capacity")
    await post(f"/v1/leads/{first['id']}/close", {"reason": "no"})
    assert (await post("/v1/leads", lead()))["owner_id"] == only


async def test_a_person_may_overrule_the_rules(post: Post, get: Post) -> None:
    one, other = await sellers(post, 2)
    await rule(post, [one], "round_robin")
    made = await post("/v1/leads", lead())
    given = await post(f"/v1/leads/{made['id']}/assign", {"owner_id": other})
    assert given["owner_id"] == other
    history = (await get(f"/v1/leads/{made['id']}/assignments"))["items"]
    assert [(step["strategy"], step["chosen"]) for step in history] == [("round_robin", one), ("manual", other)]


async def test_a_rule_names_only_sellers_who_are_here(http: httpx.AsyncClient) -> None:
    ghost = public_id("usr", new_id())
    body = {"name": "R", "strategy": "weighted", "seller_ids": [ghost]}
    refused = await http.post("/v1/assignment-rules", json=body)
    assert code_of(refused) == (422, "seller_unknown")
    assert refused.json()["errors"][0]["pointer"] == "/seller_ids/0"


async def test_users_with_a_sellers_role_are_sellers_until_they_lose_it(
    kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient, get: Post
) -> None:
    user = new_id()
    told = {"name": "Sam", "email": "sam@example.org", "roles": ["seller"]}
    await kit.deliver(tenant, "crm.user.created.v1", user, told)
    seller = public_id("usr", user)
    await http.patch(f"/v1/sellers/{seller}", json={"weight": 5, "capacity": 10})
    await kit.deliver(tenant, "crm.user.changed.v1", user, {**told, "name": "Sam S."})
    kept = await get(f"/v1/sellers/{seller}")
    assert (kept["name"], kept["weight"], kept["capacity"], kept["active"]) == ("Sam S.", 5, 10, True)
    await kit.deliver(tenant, "crm.user.changed.v1", user, {**told, "roles": ["viewer"]})
    assert (await get(f"/v1/sellers/{seller}"))["active"] is False
    other = new_id()
    await kit.deliver(tenant, "crm.user.created.v1", other, {**told, "roles": ["agent"]})
    assert (await http.get(f"/v1/sellers/{public_id('usr', other)}")).status_code == 404


async def test_rules_and_sellers_are_listed(post: Post, get: Post) -> None:
    ids = await sellers(post, 2)
    made = await rule(post, ids, "weighted")
    assert [one["id"] for one in (await get("/v1/assignment-rules"))["items"]] == [made]
    assert [one["id"] for one in (await get("/v1/sellers"))["items"]] == sorted(ids)
