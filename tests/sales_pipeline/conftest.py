"""The sales service in the hands of its tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from crm_sales_pipeline.app import SERVICE
from crm_shared.ids import new_id, public_id
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.kit import ServiceKit


@pytest.fixture(scope="session")
async def kit(cluster: Cluster) -> AsyncIterator[ServiceKit]:
    async with ServiceKit.started(SERVICE, cluster) as started:
        yield started


@pytest.fixture
def tenant(kit: ServiceKit) -> UUID:
    return kit.tenant()


@pytest.fixture
async def http(kit: ServiceKit, tenant: UUID) -> AsyncIterator[httpx.AsyncClient]:
    async with kit.client(tenant) as client:
        yield client


@pytest.fixture
def customer() -> str:
    """The public id of a customer that nobody has told us of."""
    return public_id("cus", new_id())


Post = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def post(http: httpx.AsyncClient) -> Post:
    """Posts and gives the answer's body; anything but success is a failed test."""

    async def do(path: str, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await http.post(path, json=body, headers=named)
        assert answer.status_code < 300, answer.text
        return answer.json()

    return do


@pytest.fixture
def get(http: httpx.AsyncClient) -> Post:
    """Reads; anything but success is a failed test."""

    async def do(path: str, **params: Any) -> dict[str, Any]:
        answer = await http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return do


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["code"]


@dataclass(frozen=True)
class Shop:
    """A price book and what is sold by it."""

    book: dict[str, Any]
    products: dict[str, str]

    def line(self, sku: str, quantity: str = "1", **fields: Any) -> dict[str, Any]:
        return {"product_id": self.products[sku], "quantity": quantity, **fields}


@pytest.fixture
def open_shop(http: httpx.AsyncClient, post: Post) -> Callable[..., Awaitable[Shop]]:
    """Makes a price book and products with prices: `await open_shop({"A": "10.00"}, tax_rate="0.2")`."""

    async def do(prices: dict[str, str], *, tax_rate: str = "0", **book: Any) -> Shop:
        fields = {"rounding": "half_up", "tax_rounding": "per_line", "valid_from": "2020-01-01", "currency": "EUR"}
        made = await post("/v1/price-books", {"name": "List", **fields, **book})
        products = {
            sku: (await post("/v1/products", {"sku": sku, "name": f"Thing {sku}", "tax_rate": tax_rate}))["id"]
            for sku in prices
        }
        listed = [
            {"product_id": products[sku], "unit_price": price, "valid_from": "2020-01-01"}
            for sku, price in prices.items()
        ]
        answer = await http.put(f"/v1/price-books/{made['id']}/prices", json={"prices": listed})
        assert answer.status_code == 200, answer.text
        return Shop(book=made, products=products)

    return do


OpenShop = Callable[..., Awaitable[Shop]]
