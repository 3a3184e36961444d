"""What a request has used goes with it: nothing waits for the garbage collector, whose visit stops everybody."""

import asyncio
import gc
from typing import Any

import pytest

from crm_gateway.proxy.body import RequestBody
from crm_gateway.proxy.errand import Errand
from crm_gateway.proxy.exchange import Exchange
from crm_gateway.proxy.guard import Guard
from crm_gateway.proxy.lane import _Attempt
from crm_gateway.proxy.upstream import UpstreamRequest

OF_ONE_REQUEST = (Errand, Exchange, RequestBody, Guard, _Attempt, UpstreamRequest)
REQUESTS = 20


def alive() -> int:
    return sum(isinstance(each, OF_ONE_REQUEST) for each in gc.get_objects())


@pytest.mark.parametrize("takes_s", [0.0, 0.2], ids=["at once", "when somebody already looks after it"])
async def test_a_request_leaves_nothing_in_cycles(troubled: Any, takes_s: float):
    async def behave(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(takes_s)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"got"})

    troubled.upstream.behaviour = behave
    async with troubled.http() as http:
        await http.get("/v1/things")
        gc.disable()
        try:
            before = alive()
            for _ in range(REQUESTS):
                assert (await http.get("/v1/things")).status_code == 200
            await asyncio.sleep(0)
            assert alive() - before < REQUESTS
        finally:
            gc.enable()
