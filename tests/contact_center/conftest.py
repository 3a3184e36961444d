"""The contact center in the hands of its tests: over HTTP, with a dispatcher driven by hand."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from crm_contact_center.app import SERVICE
from crm_contact_center.routing.dispatcher import Dispatcher
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


@dataclass
class Floor:
    """A contact center at work: everything a test does to it goes the way a client would go."""

    kit: ServiceKit
    tenant: UUID
    http: httpx.AsyncClient
    dispatcher: Dispatcher

    async def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        answer = await self.http.post(path, json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else {}

    async def refused(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
        answer = await self.http.post(path, json=body)
        return answer.status_code, answer.json()["code"]

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = await self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def queue(self, name: str = "service", **rules: Any) -> str:
        made = await self.post("/v1/queues", {"name": name, "channels": ["voice", "chat"], **rules})
        return made["id"]

    async def agent(self, name: str = "Ana", *, here: bool = True, lease_s: int = 3_600, **skills: int) -> str:
        made = await self.post("/v1/agents", {"name": name, "skills": skills})
        if here:
            await self.state(made["id"], "available", lease_s=lease_s)
        return made["id"]

    async def state(self, agent: str, state: str, *, lease_s: int = 3_600) -> dict[str, Any]:
        return await self.post(f"/v1/agents/{agent}/state", {"state": state, "lease_s": lease_s})

    async def call(self, channel: str = "voice", **more: Any) -> str:
        made = await self.post("/v1/interactions", {"channel": channel, "from_address": "+385915550000", **more})
        return made["id"]

    async def dispatch(self) -> int:
        return await self.dispatcher.dispatch(self.tenant)

    async def desk(self, agent: str) -> list[dict[str, Any]]:
        """What takes an agent's capacity now, oldest first."""
        found = await self.get(f"/v1/agents/{agent}/reservations", live=True)
        return found["items"][::-1]

    async def offered(self, agent: str) -> list[str]:
        """The interactions being offered to an agent."""
        return [one["interaction_id"] for one in await self.desk(agent) if one["state"] == "pending"]

    async def take(self, agent: str) -> dict[str, Any]:
        """The agent accepts what is being offered."""
        pending = [one for one in await self.desk(agent) if one["state"] == "pending"]
        return await self.post(f"/v1/reservations/{pending[0]['id']}/accept")

    async def end(self, interaction: str, disposition: str = "helped") -> dict[str, Any]:
        return await self.post(f"/v1/interactions/{interaction}/end", {"disposition": disposition})

    def later(self, **by: float) -> None:
        self.kit.clock.advance(timedelta(**by))

    async def facts(self, *types: str) -> list[dict[str, Any]]:
        found = await self.kit.events(self.tenant, *(f"crm.{kind}.v1" for kind in types))
        return [event.payload() for event in found]

    async def types(self) -> list[str]:
        return [event.type.removeprefix("crm.").removesuffix(".v1") for event in await self.kit.events(self.tenant)]

    async def customer(self, name: str = "Iva", **more: Any) -> str:
        """A customer whom the customer service has told us of."""
        customer_id = new_id()
        points = more.pop("points", [{"channel": "phone", "value": "+385 91 555 0000", "verified": True}])
        state = {"kind": "person", "category": "x", "display_name": name, "contact_points": points, **more}
        await self.kit.deliver(self.tenant, "crm.customer.registered.v1", customer_id, state)
        return public_id("cus", customer_id)


@pytest.fixture
def floor(kit: ServiceKit, tenant: UUID, http: httpx.AsyncClient) -> Floor:
    return Floor(kit, tenant, http, Dispatcher(kit.worker, kit.clock))
