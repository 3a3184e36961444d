"""What happens, as it happens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
from tests.gateway.subscriptions.conftest import Kept, numbers
from tests.gateway.waiting import until

from crm_gateway.identity.domain.roles import Role

UPDATED, WON = "crm.customer.updated.v1", "crm.deal.won.v1"


class Stream:
    """A client of the stream that reads it by the letter."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()
        self.last_id = ""
        self.comments = 0

    async def event(self) -> dict[str, str]:
        """The next one with data."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(5):
            async for line in self._lines:
                if line == "":
                    self.last_id = fields.get("id", self.last_id)
                    if "data" in fields:
                        return fields
                    fields = {}
                elif line.startswith(":"):
                    self.comments += 1
                else:
                    name, _, value = line.partition(": ")
                    fields[name] = value
        raise EOFError

    async def numbers(self, count: int) -> list[str]:
        return numbers([orjson.loads((await self.event())["data"]) for _ in range(count)])


@asynccontextmanager
async def opened(http: httpx.AsyncClient, **asked: Any) -> AsyncGenerator[Stream]:
    async with http.stream("GET", "/v1/events/stream", **asked) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield Stream(answer)


async def test_events_come_as_they_happen_each_with_its_cursor(kept: Kept) -> None:
    async with kept.http() as http, opened(http) as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert stream.answer.headers["x-accel-buffering"] == "no"
        await kept.happen(f"{UPDATED}#1")
        first = await stream.event()
        assert (first["event"], orjson.loads(first["data"])["data"]) == (UPDATED, {"number": "1"})
        await kept.happen(f"{WON}#2")
        assert await stream.numbers(1) == ["2"]
        after_first = (await http.get("/v1/events", params={"cursor": first["id"]})).json()["items"]
    assert numbers(after_first) == ["2"]


@pytest.mark.parametrize("way", ["header", "query"])
async def test_a_stream_is_taken_up_where_it_was_cut_off(kept: Kept, way: str) -> None:
    async with kept.http() as http:
        async with opened(http) as stream:
            await kept.happen(f"{UPDATED}#1")
            last = (await stream.event())["id"]
        await kept.happen(*(f"{UPDATED}#{n}" for n in range(2, 600)))  # more than is remembered
        asked: dict[str, Any] = (
            {"headers": {"last-event-id": last}} if way == "header" else {"params": {"cursor": last}}
        )
        async with opened(http, **asked) as again:
            assert await again.numbers(598) == [str(n) for n in range(2, 600)]
            await kept.happen(f"{UPDATED}#600")
            assert await again.numbers(1) == ["600"]


async def test_one_cut_off_before_the_first_event_comes_back_to_where_it_began(kept: Kept) -> None:
    async with kept.http() as http:
        async with opened(http, params={"types": "crm.deal.*"}) as stream:
            reading = asyncio.create_task(stream.event())
            await until(lambda: stream.last_id)
            begun = stream.last_id
            await kept.happen(f"{WON}#1")
            await reading
        async with opened(http, headers={"last-event-id": begun}) as again:
            assert await again.numbers(1) == ["1"]


async def test_filters_hold_in_the_stream_too(kept: Kept) -> None:
    params = {"types": "crm.customer.*", "subject": "cus_b"}
    async with kept.http(Role.VIEWER) as http, opened(http, params=params) as stream:
        await kept.happen(f"{UPDATED}#not-mine", f"{WON}#not-asked")
        await kept.happen(f"{WON}#not-asked", f"{UPDATED}#mine", subject="cus_b")
        assert await stream.numbers(1) == ["mine"]


async def test_silence_is_broken_by_heartbeats_that_keep_the_cursor_young(kept: Kept, monkeypatch: Any) -> None:
    tail = _tail(kept)
    monkeypatch.setattr(tail, "settings", tail.settings.model_copy(update={"heartbeat_s": 0.05}))
    async with kept.http() as http, opened(http, params={"types": "crm.deal.*"}) as stream:
        reading = asyncio.create_task(stream.event())
        await until(lambda: stream.comments > 1)
        begun = stream.last_id
        await kept.happen(f"{UPDATED}#filtered-out")
        await until(lambda: stream.last_id != begun)
        reading.cancel()
        at_end = (await http.get("/v1/events", params={"cursor": stream.last_id})).json()
    assert at_end["items"] == []


async def test_many_streams_share_one_reader_and_leave_nothing_behind(kept: Kept) -> None:
    tail = _tail(kept)
    await until(lambda: not tail._lines)  # readers of tests before may be on their way out
    async with kept.http() as http, asyncio.timeout(20):
        contexts = [opened(http) for _ in range(15)]
        streams = [await context.__aenter__() for context in contexts]
        line = tail._lines[kept.house.tenant]
        assert line.followers == 15
        assert kept.database.idle == kept.database.pool.get_max_size()
        await kept.happen(f"{UPDATED}#1")
        assert [await stream.numbers(1) for stream in streams] == [["1"]] * 15
        for context in contexts:
            await context.__aexit__(None, None, None)
    await until(lambda: not tail._lines)


async def test_a_reader_that_stops_reading_holds_no_memory_and_no_other_reader_up(kept: Kept) -> None:
    tail = _tail(kept)
    async with kept.http() as http, opened(http) as slow, opened(http) as quick:
        for n in range(40):
            await kept.happen(*(f"{UPDATED}#{n}-{'x' * 2_000}" for _ in range(50)))
            await quick.numbers(50)
        line = tail._lines[kept.house.tenant]
        assert line.size <= 1_000_000
        assert len(line.events) <= 500
        assert (await slow.numbers(1))[0].startswith("0-")  # it lost nothing meanwhile


async def test_news_are_found_without_being_told(kept: Kept, monkeypatch: Any) -> None:
    tail = _tail(kept)
    monkeypatch.setattr(tail, "settings", tail.settings.model_copy(update={"look_every_s": 0.05}))
    monkeypatch.setattr(tail, "heard", lambda _: None)
    async with kept.http() as http, opened(http) as stream:
        await kept.happen(f"{UPDATED}#untold")
        assert await stream.numbers(1) == ["untold"]


def _tail(kept: Kept) -> Any:
    app = kept.house.gateway.lanes["gateway"].upstream.app  # pyright: ignore[reportAttributeAccessIssue]
    return app.state.services.resources["Tail"]
