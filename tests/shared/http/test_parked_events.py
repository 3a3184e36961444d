"""Events that wait, seen and acted on over HTTP: by a tenant's administrators, its own keys only."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from pydantic import BaseModel

from crm_shared.bus.effects import Effects
from crm_shared.bus.handlers import Projections, Reactions, Received
from crm_shared.bus.intake import Intake
from crm_shared.bus.parked_keys import ParkedKeys
from crm_shared.bus.parking_desk import WITHHELD
from crm_shared.bus.port import Delivered
from crm_shared.db.pool import NO_TENANT, Tx
from crm_shared.events import Envelope
from crm_shared.ids import new_id, public_id
from crm_shared.testing.kit import ServiceKit

HERE = "/v1/parked-events/probe"
ADMIN = ("parked-events:admin", "parked-events:payload")
OPERATOR = (*ADMIN, "platform:admin")


class Number(BaseModel):
    number: int


@dataclass
class Desk:
    """A consumer of the probe service whose handler refuses the numbers in `poison`, and the routes over it."""

    kit: ServiceKit
    tenant: UUID
    aggregate: str
    item: UUID
    poison: set[int] = field(default_factory=set[int])
    applied: list[int] = field(default_factory=list[int])
    offset: int = 0

    def __post_init__(self) -> None:
        projections = Projections()

        async def apply(tx: Tx, events: Sequence[Received[Number]]) -> None:
            for event in events:
                if event.data.number in self.poison:
                    raise ValueError(f"cannot do {event.data.number}")
            numbers = [event.data.number for event in events]
            tx.after_commit.append(lambda: self.applied.extend(numbers))

        projections.on(f"crm.{self.aggregate}.counted.v1", Number)(apply)
        effects = Effects(projections, Reactions(), self.kit.clock)
        self.intake = Intake(self.kit.worker, effects, self.kit.clock)
        self.worker = ParkedKeys(self.kit.worker, effects, self.intake, self.kit.clock)

    @property
    def key(self) -> str:
        return f"{self.aggregate}:{self.item}"

    @property
    def path(self) -> str:
        return f"{HERE}/{self.key}"

    def admin(self, *scopes: str) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        return self.kit.client(self.tenant, *(scopes or ADMIN), subject="usr_op")

    async def give(self, *numbers: int) -> None:
        """Events whose sequence is their number."""
        await self.take(*(self.envelope(number).to_bytes() for number in numbers))

    async def take(self, *raw: bytes) -> None:
        batch: list[Delivered] = []
        for each in raw:
            self.offset += 1
            batch.append(Delivered(f"crm.{self.aggregate}", "k", each, {}, 1, self.offset, self.kit.clock.now()))
        await self.worker.heal(await self.intake.take(batch))

    def envelope(self, number: int) -> Envelope:
        return Envelope(
            id=new_id(),
            type=f"crm.{self.aggregate}.counted.v1",
            source="test",
            subject=public_id("item", self.item),
            time=self.kit.clock.now(),
            tenant=self.tenant,
            aggregate_id=self.item,
            epoch=0,
            sequence=number,
            traceparent=None,
            data=orjson.dumps({"number": number}).decode(),
        )


@pytest.fixture
async def desk(kit: ServiceKit) -> AsyncIterator[Desk]:
    made = Desk(kit, kit.tenant(), f"item-{new_id().hex[-8:]}", new_id())
    yield made
    async with kit.transaction(NO_TENANT) as tx:
        await tx.connection.execute("DELETE FROM consumer_key WHERE tenant_id = $1", NO_TENANT)


async def body(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


class TestPoison:
    async def test_is_shown_with_its_error_and_its_followers_behind_it(self, desk: Desk) -> None:
        desk.poison = {2}
        await desk.give(1, 2, 3, 4)
        async with desk.admin() as client:
            (listed,) = (await body(await client.get(HERE)))["items"]
            one = await body(await client.get(desk.path))
            waiting = (await body(await client.get(f"{desk.path}/messages")))["items"]
        assert listed == one
        assert (one["direction"], one["reason"], one["sequence"], one["messages"]) == ("incoming", "failed", 1, 3)
        assert "cannot do 2" in one["error"]
        assert [message["sequence"] for message in waiting] == [2, 3, 4]
        assert orjson.loads(waiting[0]["content"])["data"] == {"number": 2}
        assert desk.applied == [1]

    async def test_once_mended_a_retry_applies_all_in_order(self, desk: Desk) -> None:
        desk.poison = {2}
        await desk.give(1, 2, 3, 4)
        desk.poison = set()
        async with desk.admin() as client:
            asked = await body(await client.post(f"{desk.path}/retry", json={"reason": "release 1.2 mends it"}), 202)
            assert asked["key"] == desk.key
            assert await desk.worker.retry_due() == 1
            assert (await client.get(desk.path)).status_code == 404
            (act,) = (await body(await client.get(f"{HERE}/audit", params={"key": desk.key})))["items"]
        assert desk.applied == [1, 2, 3, 4]
        assert (act["action"], act["actor"], act["reason"]) == ("retry", "usr_op", "release 1.2 mends it")

    async def test_skipped_with_a_reason_the_followers_go_on_and_it_is_known_who_did_it(self, desk: Desk) -> None:
        desk.poison = {2}
        await desk.give(1, 2, 3)
        async with desk.admin() as client:
            act = await body(await client.post(f"{desk.path}/skip", json={"reason": "a test order"}), 202)
            assert await desk.worker.retry_due() == 1
            assert (await client.get(desk.path)).status_code == 404
            (kept,) = (await body(await client.get(f"{HERE}/audit")))["items"]
        assert desk.applied == [1, 3]
        assert kept == act
        assert (act["action"], act["sequence"], act["actor"], act["reason"]) == ("skip", 2, "usr_op", "a test order")
        await desk.give(4)
        assert desk.applied == [1, 3, 4]

    async def test_is_not_skipped_without_a_reason(self, desk: Desk) -> None:
        desk.poison = {1}
        await desk.give(1)
        async with desk.admin() as client:
            for refused in ({}, {"reason": ""}, {"reason": "   "}):
                assert (await client.post(f"{desk.path}/skip", json=refused)).status_code == 422
            assert (await client.get(desk.path)).status_code == 200

    async def test_a_skip_sent_twice_with_one_key_skips_once(self, desk: Desk) -> None:
        desk.poison = {1, 2}
        await desk.give(1, 2, 3)
        async with desk.admin() as client:
            keyed = {"idempotency-key": "once"}
            first, again = [
                await body(await client.post(f"{desk.path}/skip", json={"reason": "broken"}, headers=keyed), 202)
                for _ in range(2)
            ]
            assert first == again
            await desk.worker.retry_due()
            assert (await body(await client.get(desk.path)))["sequence"] == 1


class TestGap:
    async def test_skipping_what_never_came_lets_go_what_is_behind(self, desk: Desk) -> None:
        await desk.give(1, 4, 5)
        async with desk.admin() as client:
            assert (await body(await client.get(desk.path)))["reason"] == "gap"
            act = await body(await client.post(f"{desk.path}/skip", json={"reason": "2 and 3 are lost"}), 202)
            await desk.worker.retry_due()
        assert act["sequence"] == 3
        assert desk.applied == [1, 4, 5]


class TestWall:
    async def test_another_tenants_administrator_finds_nothing(self, desk: Desk) -> None:
        desk.poison = {1}
        await desk.give(1)
        async with desk.kit.client(desk.kit.tenant(), *ADMIN) as client:
            assert (await body(await client.get(HERE)))["items"] == []
            assert (await client.get(desk.path)).status_code == 404
            assert (await client.get(f"{desk.path}/messages")).status_code == 404
            for act in ("retry", "skip"):
                assert (await client.post(f"{desk.path}/{act}", json={"reason": "mine"})).status_code == 404
            assert (await body(await client.get(f"{HERE}/audit")))["items"] == []
        async with desk.admin() as client:
            assert (await body(await client.get(f"{HERE}/audit")))["items"] == []

    @pytest.mark.parametrize(
        ("scopes", "refused"),
        [
            (("notes:read",), ("", "/audit", "/KEY", "/KEY/messages", "/unreadable")),
            (("parked-events:admin",), ("/KEY/messages", "/unreadable")),
            (("parked-events:payload",), ("", "/audit", "/KEY", "/unreadable")),
        ],
    )
    async def test_a_caller_without_the_scope_is_refused(
        self, desk: Desk, scopes: tuple[str, ...], refused: tuple[str, ...]
    ) -> None:
        desk.poison = {1}
        await desk.give(1)
        async with desk.admin(*scopes) as client:
            for path in refused:
                answer = await client.get(HERE + path.replace("KEY", desk.key))
                assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), path

    async def test_another_services_name_is_not_answered(self, desk: Desk) -> None:
        async with desk.admin() as client:
            assert (await client.get("/v1/parked-events/customer")).status_code == 404


class TestUnreadable:
    async def test_a_message_that_is_no_event_is_the_operators_alone(self, desk: Desk) -> None:
        await desk.take(b"\xff\x00 no event")
        key = f"crm.{desk.aggregate}:1:1"
        async with desk.admin() as client:
            assert (await body(await client.get(HERE)))["items"] == []
            assert (await client.get(f"{HERE}/{key}")).status_code == 404
            assert (await client.post(f"{HERE}/{key}/skip", json={"reason": "rubbish"})).status_code == 404
        async with desk.admin(*OPERATOR) as client:
            (listed,) = (await body(await client.get(f"{HERE}/unreadable")))["items"]
            assert (listed["key"], listed["reason"]) == (key, "undecodable")
            (message,) = (await body(await client.get(f"{HERE}/{key}/messages")))["items"]
            assert (message["content"], message["content_base64"]) == (None, "/wAgbm8gZXZlbnQ=")
            await body(await client.post(f"{HERE}/{key}/skip", json={"reason": "rubbish"}), 202)
            assert (await body(await client.get(f"{HERE}/unreadable")))["items"] == []
            (act,) = (await body(await client.get(f"{HERE}/audit", params={"key": key})))["items"]
        assert (act["action"], act["reason"]) == ("skip", "rubbish")


class TestOutgoing:
    async def unsendable(self, desk: Desk, titles: int = 2) -> tuple[str, str]:
        """A note whose first event the bus refuses; gives its key and path."""
        async with desk.kit.client(desk.tenant) as client:
            note = await body(await client.post("/v1/notes", json={"title": "one"}), 201)
            for version in range(1, titles):
                changed = {"title": f"title {version}"}
                headers = {"if-match": f'"{version}"'}
                await body(await client.patch(f"/v1/notes/{note['id']}", json=changed, headers=headers))
        async with desk.kit.transaction(desk.tenant) as tx:
            row = await tx.connection.fetchrow(
                "UPDATE outbox SET parked_at = now(), park_reason = 'too large' "
                "WHERE id = (SELECT min(id) FROM outbox) RETURNING aggregate, aggregate_id"
            )
        assert row is not None
        key = f"outbox:{row['aggregate']}:{row['aggregate_id']}"
        return key, f"{HERE}/{key}"

    async def test_an_unsendable_event_is_shown_with_what_waits_behind_it(self, desk: Desk) -> None:
        key, path = await self.unsendable(desk)
        async with desk.admin() as client:
            (listed,) = (await body(await client.get(HERE)))["items"]
            waiting = (await body(await client.get(f"{path}/messages")))["items"]
        assert (listed["key"], listed["direction"], listed["error"]) == (key, "outgoing", "too large")
        assert (listed["messages"], [message["sequence"] for message in waiting]) == (2, [1, 2])

    async def test_a_retry_lets_the_relay_try_it_now(self, desk: Desk) -> None:
        _, path = await self.unsendable(desk)
        async with desk.admin() as client:
            await body(await client.post(f"{path}/retry", json={}), 202)
        async with desk.kit.transaction(desk.tenant) as tx:
            assert await tx.connection.fetchval("SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL") == 0

    async def test_a_skip_sends_its_number_and_nothing_of_it(self, desk: Desk) -> None:
        key, path = await self.unsendable(desk)
        before = await desk.kit.events(desk.tenant)
        async with desk.admin() as client:
            act = await body(await client.post(f"{path}/skip", json={"reason": "over the broker's limit"}), 202)
            assert (await body(await client.get(HERE)))["items"] == []
        after = await desk.kit.events(desk.tenant)
        assert (act["key"], act["sequence"]) == (key, 1)
        assert [event.sequence for event in after] == [1, 2]
        assert (after[0].type, after[0].payload()) == (f"crm.note.{WITHHELD}.v1", {})
        assert (after[0].id, after[1]) == (before[0].id, before[1])

    async def test_another_tenant_can_not_touch_it(self, desk: Desk) -> None:
        _, path = await self.unsendable(desk)
        async with desk.kit.client(desk.kit.tenant(), *ADMIN) as client:
            assert (await client.get(path)).status_code == 404
            assert (await client.post(f"{path}/skip", json={"reason": "mine"})).status_code == 404


async def test_pages_follow_one_another_without_loss(desk: Desk) -> None:
    desk.poison = {1}
    keys: set[str] = set()
    for _ in range(5):
        desk.item = new_id()
        keys.add(desk.key)
        await desk.give(1)
    seen: list[str] = []
    cursor: str | None = None
    async with desk.admin() as client:
        while True:
            parameters = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = await body(await client.get(HERE, params=parameters))
            seen += [item["key"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
    assert (len(seen), set(seen)) == (5, keys)


async def test_a_worker_at_work_on_a_key_is_waited_for(desk: Desk) -> None:
    desk.poison = {1}
    await desk.give(1)
    async with desk.admin() as client:
        async with desk.kit.transaction(desk.tenant) as tx:
            await tx.connection.execute("SELECT 1 FROM consumer_key WHERE key = $1 FOR UPDATE", desk.key)
            asked = asyncio.create_task(client.post(f"{desk.path}/retry", json={}))
            done, _ = await asyncio.wait({asked}, timeout=0.3)
            assert not done
        assert (await asked).status_code == 202
