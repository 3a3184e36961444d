"""A list of customers, and a search, cost the same among ten times as many, whatever is asked for."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import combinations, product
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.bench.customers.filling import fill
from tests.plans.plan import Plan, watched

from crm_customer.app import SERVICE
from crm_customer.parties.store import listing
from crm_shared.ids import new_id
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.kit import ServiceKit

FEW, MANY = 2_000, 20_000
LOOKED_THROUGH = 100
VALUES = {
    "kind": ("person", "organisation"),
    "category": ("consumer", "business"),
    "country": ("DE", "FR", "XX"),
    "language": ("de", "xx"),
    "owner": ("usr_7", "nobody"),
    "source": ("webshop", "fair", "nowhere"),
    "name": ("ad", "zz"),
}
"""Everybody's, frequent and rare ones, nobody's; and such as are there and never meet."""
Sizes = dict[int, ServiceKit]


@pytest.fixture(scope="module")
async def sizes(cluster: Cluster) -> AsyncIterator[tuple[Sizes, UUID]]:
    tenant, kits = new_id(), Sizes()
    async with AsyncExitStack() as stack:
        for count in (FEW, MANY):
            kits[count] = await stack.enter_async_context(ServiceKit.started(SERVICE, cluster))
            await fill(kits[count].urls.admin, tenant, count)
        yield kits, tenant


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    monkeypatch.setattr(listing, "LOOKED_THROUGH", LOOKED_THROUGH)
    listing.walking.cache_clear()
    return watched(monkeypatch, measured=True)


def questions(*names: str) -> list[dict[str, str]]:
    return [dict(zip(names, values, strict=True)) for values in product(*(VALUES[name] for name in names))]


ASKED = [names for count in (1, 2, 3) for names in combinations(VALUES, count)]


@pytest.mark.parametrize("names", ASKED, ids="+".join)
async def test_a_list_reads_as_little_among_many_as_among_few(
    sizes: tuple[Sizes, UUID], plans: list[Plan], names: tuple[str, ...]
) -> None:
    kits, tenant = sizes
    grown: dict[str, Any] = {}
    for question in questions(*names):
        read: dict[int, int] = {}
        for count, kit in kits.items():
            plans.clear()
            async with kit.client(tenant) as http:
                answer: httpx.Response = await http.get("/v1/customers", params={**question, "limit": "5"})
            assert answer.status_code == 200, answer.text
            read[count] = sum(plan.blocks for plan in plans)
        if read[MANY] > read[FEW] + LOOKED_THROUGH + 30:
            grown[str(question)] = read
    assert not grown


@pytest.mark.parametrize("query", ["kerach", "ackeracher", "ackreacher"], ids=["part", "name", "slip"])
async def test_a_search_that_names_fill_reads_as_little_among_many_as_among_few(
    sizes: tuple[Sizes, UUID], plans: list[Plan], query: str
) -> None:
    kits, tenant = sizes
    read: dict[int, int] = {}
    for count, kit in kits.items():
        plans.clear()
        async with kit.client(tenant) as http:
            answer = await http.get("/v1/customers/search", params={"q": query, "limit": "2"})
        assert len(answer.json()["items"]) == 2, answer.text
        read[count] = sum(plan.blocks for plan in plans)
    assert read[MANY] <= read[FEW] + LOOKED_THROUGH + 30, read
    of_all_texts = [plan for plan in plans if "search_text LIKE" in plan.statement]
    assert bool(of_all_texts) == (query == "ackreacher"), (
        "only what no name holds is looked for in all texts, which grow"
    )
