"""The sales service in the hands of its tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
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
