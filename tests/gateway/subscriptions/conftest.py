"""A gateway whose worker keeps events; the worker's part is done by hand."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from tests.gateway.conftest import House, OpenHouse

from crm_gateway.identity.domain.roles import Role
from crm_gateway.subscriptions import store
from crm_gateway.subscriptions.news import CHANNEL
from crm_gateway.subscriptions.store import Arrived
from crm_shared.db.notices import notify
from crm_shared.db.pool import Database
from crm_shared.ids import new_id


@dataclass
class Kept:
    """A company's kept events, and the door to them."""

    house: House

    @property
    def database(self) -> Database:
        assert self.house.gateway.database is not None
        return self.house.gateway.database

    def http(self, role: Role = Role.ADMIN) -> httpx.AsyncClient:
        return self.house.http(role)

    async def happen(self, *kinds: str, subject: str = "cus_a", tenant: UUID | None = None) -> None:
        """Keep these events (type and number), and tell of them as the worker does."""
        whose = tenant or self.house.tenant
        async with self.database.transaction(whose) as tx:
            await store.keep(tx, [arrived(kind, subject) for kind in kinds])
        await notify(self.database, CHANNEL, whose.hex)


def arrived(kind: str, subject: str) -> Arrived:
    name, _, number = kind.partition("#")
    text = orjson.dumps({"specversion": "1.0", "type": name, "subject": subject, "data": {"number": number}})
    return Arrived(new_id(), name, subject, [], text.decode())


def numbers(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["number"] for event in events]


@pytest.fixture(scope="module")
async def kept(open_house: OpenHouse) -> AsyncGenerator[Kept]:
    async with open_house() as house:
        yield Kept(house)
