"""Answers without an end: whose they are is asked again, how many there are is bounded, and they end in good order."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.gateway.conftest import served
from tests.gateway.waiting import until

from crm_gateway.identity.domain.roles import Role
from crm_gateway.proxy.asgi_upstream import AsgiUpstream
from crm_gateway.proxy.front import Front


@pytest.fixture
def streaming(troubled) -> Any:
    """An upstream whose answer never ends, and streams that are looked after often."""
    endless = troubled.gateway._door._parts.endless
    before = endless.most_of_tenant, endless.recognised_every_s
    endless.recognised_every_s = 0.05
    troubled.upstream.behaviour = ticking(troubled)
    yield troubled
    endless.most_of_tenant, endless.recognised_every_s = before


def ticking(house: Any) -> Callable[..., Awaitable[None]]:
    async def tick(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await receive()
        left = asyncio.ensure_future(receive())
        try:
            while not left.done():
                await send({"type": "http.response.body", "body": b"data: tick\n\n", "more_body": True})
                await asyncio.wait({left}, timeout=0.02)
        finally:
            left.cancel()
            house.upstream.cancelled.set()

    return tick


@asynccontextmanager
async def opened(http: httpx.AsyncClient) -> AsyncGenerator[Any]:
    async with http.stream("GET", "/v1/things") as answer:
        pieces = answer.aiter_bytes()
        assert (await asyncio.wait_for(anext(pieces), 3)).startswith(b"data: tick")
        yield pieces


async def test_a_company_has_so_many_streams_at_a_time_and_no_more(streaming):
    streaming.gateway._door._parts.endless.most_of_tenant = 1
    async with streaming.http() as http:
        async with opened(http):
            refused = await http.get("/v1/things")
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
            assert refused.headers["retry-after"]
        await until(lambda: not streaming.gateway._door._parts.endless._open)
        async with opened(http):
            pass


async def test_open_streams_take_no_place_of_requests(streaming):
    async with streaming.http() as http, opened(http):
        assert streaming.gateway.lanes["customer"].in_flight == 0


async def test_a_stream_ends_when_its_key_is_revoked_and_the_service_learns_of_it(streaming):
    async with streaming.http() as http:
        made = (await http.post("/v1/api-keys", json={"name": "for streams", "roles": ["viewer"]})).json()
        async with (
            streaming.http(Role.VIEWER, authorization=f"Bearer {made['key']}") as mine,
            opened(mine) as pieces,
        ):
            assert (await http.post(f"/v1/api-keys/{made['id']}/revoke")).status_code == 200
            async with asyncio.timeout(5):
                async for _ in pieces:
                    pass
        await asyncio.wait_for(streaming.upstream.cancelled.wait(), 5)


@pytest.mark.parametrize("kind", ["socket", "process"])
async def test_a_server_that_stops_ends_its_streams_between_two_events_and_says_when_to_come_back(open_house, kind):
    async with open_house() as house:  # of its own: with its server a gateway closes all that it holds
        if kind == "process":
            house.gateway.lanes["customer"].upstream = AsgiUpstream(house.upstream)
        house.upstream.behaviour = ticking(house)
        async with asyncio.timeout(10), httpx.AsyncClient(headers=house.http().headers) as http:
            async with served(house.gateway, http=Front) as port:
                got = asyncio.create_task(http.get(f"http://127.0.0.1:{port}/v1/things"))
                await until(lambda: house.gateway._door._parts.endless._open)
            events = (await got).text.split("\n\n")
        assert events[-1] == ""
        assert events[-2].startswith("retry: ")
        assert set(events[:-2]) == {"data: tick"}
