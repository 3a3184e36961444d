"""What a request has used goes with it: nothing waits for the garbage collector, whose visit stops everybody."""

import asyncio
import gc
from typing import Any

import pytest

REQUESTS = 20


def hanging() -> list[str]:
    """The types of ours of which something hung in cycles until now."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return sorted(type(each).__qualname__ for each in gc.garbage if type(each).__module__.startswith("crm_"))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


@pytest.mark.parametrize("takes_s", [0.0, 0.2], ids=["at once", "when somebody already looks after it"])
async def test_a_request_leaves_nothing_in_cycles(troubled: Any, takes_s: float):
    async def behave(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(takes_s)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"got"})

    troubled.upstream.behaviour = behave
    async with troubled.http() as http:
        await http.get("/v1/things")
        gc.collect()
        gc.disable()
        try:
            for _ in range(REQUESTS):
                assert (await http.get("/v1/things")).status_code == 200
            assert hanging() == []
        finally:
            gc.enable()
