"""Pipelines over HTTP, on real PostgreSQL."""

import asyncio
from typing import Any

import httpx
from tests.sales_pipeline.conftest import Post, code_of

STAGES = [
    {"key": "new", "name": "New", "canonical": "open", "probability": "20"},
    {"key": "won", "name": "Won", "canonical": "won"},
    {"key": "lost", "name": "Lost", "canonical": "lost"},
]


async def test_a_tenant_without_pipelines_gets_the_standard_one_with_its_first_deals(
    http: httpx.AsyncClient, get: Post, customer: str
) -> None:
    body = {"customer_id": customer, "name": "First"}
    answers = await asyncio.gather(*(http.post("/v1/deals", json=body) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    (pipeline,) = (await get("/v1/pipelines"))["items"]
    assert pipeline["is_default"]


async def test_a_pipeline_in_which_nothing_could_be_won_is_refused(http: httpx.AsyncClient) -> None:
    stages = [{"key": "a", "name": "A", "canonical": "open"}] * 3
    refused = await http.post("/v1/pipelines", json={"name": "Endless", "stages": stages})
    assert code_of(refused) == (422, "pipeline_invalid")
    codes = {error["code"] for error in refused.json()["errors"]}
    assert codes == {"stage_repeated", "no_won_stage", "no_lost_stage"}


async def test_the_first_pipeline_is_the_default_until_another_takes_over(
    http: httpx.AsyncClient, post: Post, get: Post
) -> None:
    first = await post("/v1/pipelines", {"name": "One", "stages": STAGES})
    second = await post("/v1/pipelines", {"name": "Two", "stages": STAGES})
    assert (first["is_default"], second["is_default"]) == (True, False)
    refused = await http.patch(f"/v1/pipelines/{first['id']}", json={"is_default": False})
    assert code_of(refused) == (409, "default_needed")
    assert (await http.patch(f"/v1/pipelines/{second['id']}", json={"is_default": True})).status_code == 200
    defaults = [one["id"] for one in (await get("/v1/pipelines"))["items"] if one["is_default"]]
    assert defaults == [second["id"]]


async def test_a_stage_that_deals_stand_in_neither_vanishes_nor_turns_into_another_type(
    http: httpx.AsyncClient, post: Post, customer: str
) -> None:
    pipeline = await post("/v1/pipelines", {"name": "One", "stages": STAGES})
    await post("/v1/deals", {"customer_id": customer, "name": "Here"})

    async def replace(stages: list[dict[str, Any]]) -> httpx.Response:
        return await http.put(f"/v1/pipelines/{pipeline['id']}/stages", json={"stages": stages})

    renamed = {"key": "other", "name": "Other", "canonical": "open"}
    assert code_of(await replace([renamed, *STAGES[1:]])) == (409, "stage_in_use")
    turned = {**STAGES[0], "canonical": "ongoing"}
    assert code_of(await replace([renamed, turned, *STAGES[1:]])) == (409, "stage_in_use")
    answer = await replace([STAGES[0], renamed, *STAGES[1:]])
    assert [stage["key"] for stage in answer.json()["stages"]] == ["new", "other", "won", "lost"]
