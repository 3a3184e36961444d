"""A client that hangs up: the work for it stops."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.gateway.processes import free_port
from tests.gateway.waiting import until

from crm_gateway.proxy.domain.breaker import State
from crm_gateway.proxy.http_upstream import HttpUpstream

GET = b"GET /v1/things HTTP/1.1\r\nHost: x\r\n"


async def test_a_client_that_hangs_up_while_waiting_stops_the_upstreams_work(troubled):
    troubled.upstream.behaviour = troubled.upstream.endless()
    await troubled.hang_up_after(GET + troubled.bearer + b"\r\n", b"")
    await asyncio.wait_for(troubled.upstream.cancelled.wait(), 3)
    await until(lambda: troubled.log)
    assert (troubled.log[0]["status"], troubled.log[0]["code"]) == (499, "client_gone")


async def test_a_client_that_hangs_up_in_the_middle_of_an_answer_stops_the_upstreams_work(troubled):
    troubled.upstream.behaviour = troubled.upstream.endless(first=b"begun")
    await troubled.hang_up_after(GET + troubled.bearer + b"\r\n", b"begun")
    await asyncio.wait_for(troubled.upstream.cancelled.wait(), 3)


async def test_a_client_that_hangs_up_while_sending_stops_the_upstreams_work(troubled):
    troubled.upstream.behaviour = troubled.upstream.endless()
    head = (
        b"POST /v1/customer-imports HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + troubled.bearer + b"\r\n"
    )
    await troubled.hang_up_after(head + b"5\r\nabcde\r\n", b"")
    await asyncio.wait_for(troubled.upstream.cancelled.wait(), 3)


async def test_leaving_clients_open_no_breaker(troubled):
    troubled.upstream.behaviour = troubled.upstream.endless()
    for _ in range(25):
        troubled.upstream.seen.clear()
        await troubled.hang_up_after(GET + troubled.bearer + b"\r\n", b"")
    await until(lambda: troubled.gateway.lanes["customer"].in_flight == 0)
    assert troubled.gateway.lanes["customer"].breaker.state is State.CLOSED


async def test_a_client_that_stays_gets_its_answer_however_long_it_takes(troubled):
    async def late(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.15)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"late"})

    troubled.upstream.behaviour = late
    async with troubled.http() as http:
        for _ in range(3):
            assert (await http.get("/v1/things")).text == "late"


async def test_a_service_in_a_process_of_its_own_stops_working_when_the_client_hangs_up(house, tmp_path: Path):
    port = free_port()
    program = Path(__file__).parents[1] / "working_service.py"
    service = await asyncio.create_subprocess_exec(sys.executable, str(program), str(tmp_path), str(port))
    lane = house.gateway.lanes["customer"]
    before, lane.upstream = lane.upstream, HttpUpstream(f"http://127.0.0.1:{port}")
    steps, stopped = tmp_path / "steps", tmp_path / "stopped"
    try:
        async with asyncio.timeout(30):
            while not steps.exists():  # until the service is there
                _, writer = await asyncio.open_connection("127.0.0.1", house.port)
                writer.write(GET + house.bearer + b"\r\n")
                with suppress(TimeoutError):
                    await until(steps.exists, within_s=0.5)
                    break
                writer.close()
            assert service.returncode is None
            assert not stopped.exists()
            writer.close()
            await until(stopped.exists, within_s=10)
        made = steps.read_text()
        await asyncio.sleep(0.1)  # ten steps, if it still worked
        assert steps.read_text() == made
    finally:
        await lane.upstream.close()
        lane.upstream = before
        service.terminate()
        await service.wait()
