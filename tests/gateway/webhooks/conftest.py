"""A gateway of these tests' own, whose clock shows the true time: receivers refuse signatures that are minutes old."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from tests.gateway.webhooks.receiver import Receiver, receiving

from crm_gateway.app import SERVICE
from crm_gateway.identity.bootstrap import KeySeed, TenantSeed, ensure_tenant, new_key_text
from crm_gateway.identity.domain.roles import Role, scopes_of
from crm_gateway.subscriptions import store as kept
from crm_gateway.subscriptions.catalogue import catalogue
from crm_gateway.subscriptions.store import Arrived
from crm_gateway.webhooks.desk import WebhookDesk
from crm_gateway.webhooks.sealing import Sealer
from crm_gateway.webhooks.sending import Post, Senders, egress_of
from crm_gateway.webhooks.settings import WebhookSettings
from crm_shared.events import Envelope
from crm_shared.http.call import Services
from crm_shared.ids import new_id, public_id
from crm_shared.testing.clock import ManualClock
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.kit import ServiceKit

ROLES = (Role.ADMIN, Role.INTEGRATION, Role.VIEWER)
SETTINGS = WebhookSettings.model_validate(
    {
        "webhook_keys": "the key of these tests",
        "webhook_allow_http": True,
        "webhook_allowed_ports": "1-65535",
        "webhook_allowed_networks": "127.0.0.1/32",
        "webhook_concurrency": 4,
        "webhook_most_endpoints": 5,
    }
)


@pytest.fixture(scope="session")
async def kit(cluster: Cluster) -> AsyncGenerator[ServiceKit]:
    clock = ManualClock(datetime.now(UTC))
    async with ServiceKit.started(SERVICE, cluster, clock=clock) as started:
        services: Services = started.app.state.services
        services.resources[WebhookDesk.__name__] = WebhookDesk(SETTINGS)
        yield started


@dataclass
class Company:
    """A tenant, its keys, and what a worker would do for it."""

    kit: ServiceKit
    tenant: UUID
    keys: dict[Role, UUID]
    senders: Senders
    stack: AsyncExitStack
    _sequence: int = 0
    customers: list[UUID] = field(default_factory=list[UUID])

    async def http(self, role: Role = Role.ADMIN) -> httpx.AsyncClient:
        """A client that shows the key of a role."""
        subject = public_id("key", self.keys[role])
        scopes = scopes_of([role], self.kit.all_scopes | {kind.scope for kind in catalogue().values()})
        return await self.stack.enter_async_context(self.kit.client(self.tenant, *scopes, subject=subject))

    async def webhook(self, receiver: Receiver, *, role: Role = Role.ADMIN, **more: Any) -> dict[str, Any]:
        """An endpoint at this receiver."""
        http = await self.http(role)
        made = await http.post("/v1/webhooks", json={"url": receiver.url, **more})
        assert made.status_code == 201, made.text
        return made.json()

    async def ask(self, method: str, path: str, body: Any = None, *, role: Role = Role.ADMIN) -> Any:
        """What the service answers, which must be a success."""
        answer = await (await self.http(role)).request(method, path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    async def seen(self, webhook: dict[str, Any]) -> Any:
        """The endpoint as it is now."""
        return await self.ask("GET", f"/v1/webhooks/{webhook['id']}")

    async def log(self, webhook: dict[str, Any], query: str = "") -> list[Any]:
        """The endpoint's deliveries, oldest first."""
        return (await self.ask("GET", f"/v1/webhooks/{webhook['id']}/deliveries{query}"))["items"][::-1]

    async def happen(self, *types: str, customer: UUID | None = None, **data: Any) -> list[Envelope]:
        """Events are kept, as the worker keeps them."""
        events = [self._event(type, customer or new_id(), data) for type in types]
        async with self.kit.transaction(self.tenant) as tx:
            await kept.keep(
                tx,
                [Arrived(e.id, e.type, e.subject, [e.aggregate_id], e.to_bytes().decode()) for e in events],
            )
        return events

    def _event(self, type: str, aggregate: UUID, data: Any) -> Envelope:
        self._sequence += 1
        prefix = {"customer": "cus", "order": "ord", "user": "usr", "deal": "deal"}[type.split(".")[1]]
        return Envelope(
            new_id(), type, "test", public_id(prefix, aggregate), self.kit.clock.now(), self.tenant, aggregate, 0,
            self._sequence, None, orjson.dumps(data or {"name": "Zoë"}).decode(),
        )  # fmt: skip

    async def drain(self) -> None:
        """Send whatever is due."""
        await self.senders.drain()


@pytest.fixture
async def senders(kit: ServiceKit) -> AsyncIterator[Senders]:
    async with egress_of(SETTINGS) as egress:
        yield Senders(kit.worker, Post(SETTINGS, egress, Sealer.of(SETTINGS.webhook_keys), kit.clock))


@pytest.fixture
async def company(kit: ServiceKit, senders: Senders) -> AsyncIterator[Company]:
    kit.clock.set(datetime.now(UTC))
    async with AsyncExitStack() as stack:
        made = await new_company(kit, senders, stack)
        yield made
        await made.drain()  # what is left over is no other test's


async def new_company(kit: ServiceKit, senders: Senders, stack: AsyncExitStack) -> Company:
    """Another tenant."""
    seed = TenantSeed(
        f"t{new_id().hex[-12:]}", "A company", keys=[KeySeed(role.value, new_key_text(), (role,)) for role in ROLES]
    )
    ensured = await ensure_tenant(kit.database, seed, now=kit.clock.now())
    return Company(kit, ensured.tenant, {role: ensured.keys[role.value] for role in ROLES}, senders, stack)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started
