"""The customer service in the hands of its tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from crm_customer.app import SERVICE
from crm_shared.ids import parse_id
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


Register = Callable[..., Awaitable[UUID]]


@pytest.fixture
def register(http: httpx.AsyncClient) -> Register:
    """Registers a customer over HTTP and gives its id."""

    async def do(**fields: Any) -> UUID:
        answer = await http.post("/v1/customers", json={"display_name": "Somebody", **fields})
        assert answer.status_code == 201, answer.text
        return parse_id("cus", answer.json()["id"])

    return do
