"""The edge's configuration, read and run by a real nginx before a gateway that does as each test says."""

import asyncio
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from .edge import CONFIGURATION, edge_before, program

Answer = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@asynccontextmanager
async def before(answer: Answer) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the edge, which stands before a gateway that answers each head by `answer`."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                await answer(head, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    edge = edge_before(port)
    url = await asyncio.to_thread(edge.__enter__)
    try:
        async with httpx.AsyncClient(base_url=url, timeout=20) as client:
            yield client
    finally:
        await asyncio.to_thread(edge.__exit__, None, None, None)
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await server.wait_closed()


def test_nginx_takes_the_configuration_as_it_is(tmp_path: Path) -> None:
    text = CONFIGURATION.read_text().replace("/tmp/", f"{tmp_path}/")  # the container's own
    (tmp_path / "nginx.conf").write_text(text)
    command = [program(), "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    assert "warn" not in said.stderr, said.stderr


async def test_what_a_client_says_about_itself_is_replaced_and_its_host_kept() -> None:
    heads: list[str] = []

    async def answer(head: str, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(head.lower())
        writer.write(OK)

    async with before(answer) as client:
        await client.get("/v1/me", headers={"x-forwarded-for": "203.0.113.9", "host": "crm.example"})
    head = heads[-1]
    assert "x-forwarded-for: 127.0.0.1\r\n" in head
    assert "203.0.113.9" not in head
    assert "host: crm.example\r\n" in head


async def test_each_event_of_a_stream_arrives_before_the_next_is_made() -> None:
    arrived = asyncio.Event()

    async def answer(_: str, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-accel-buffering: no\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for number in range(3):
            arrived.clear()
            event = b"data: %d\n\n" % number
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await arrived.wait()
        writer.write(b"0\r\n\r\n")

    lines: list[str] = []
    async with before(answer) as client, asyncio.timeout(20), client.stream("GET", "/v1/events/stream") as stream:
        async for line in stream.aiter_lines():
            if line:
                lines.append(line)
                arrived.set()
    assert lines == ["data: 0", "data: 1", "data: 2"]


async def test_a_head_or_a_body_that_is_too_large_never_reaches_the_gateway() -> None:
    heads: list[str] = []

    async def answer(head: str, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(OK)

    async with before(answer) as client:
        met = len(heads)
        assert (await client.get("/v1/me", headers={"x-large": "x" * 10_000})).status_code == 400
        many = {f"x-{number}": "x" * 7_000 for number in range(6)}
        assert (await client.get("/v1/me", headers=many)).status_code == 400
        large = await client.post("/v1/customers", content=b"x" * (1 << 20 | 1))
        assert large.status_code == 413
        assert large.headers["content-type"] == "application/problem+json"
        assert large.json()["code"] == "too_large"
        assert len(heads) == met


async def test_a_gateway_that_is_away_is_told_as_a_problem_with_a_time_to_come_back() -> None:
    async def answer(_: str, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with before(answer) as client:
        told = await client.post("/v1/customers", content=b"{}")
    assert (told.status_code, told.json()["code"]) == (503, "gateway_unavailable")
    assert told.headers["retry-after"] == "2"


async def test_an_idle_connection_that_ends_with_the_next_request_repeats_a_read_and_never_a_write() -> None:
    """What happens when the gateway's process is replaced: it closes while the edge begins to send."""
    met: list[str] = []
    to_drop: list[str] = []

    async def answer(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method = head.split(" ", 1)[0]
        met.append(method)
        if method == "POST":
            await reader.readexactly(2)
        if method in to_drop:
            to_drop.remove(method)
            writer.close()
        else:
            writer.write(OK)

    async with before(answer) as client:
        for method, body, status in (("GET", b"", 200), ("POST", b"{}", 503)):
            assert (await client.request(method, "/v1/customers", content=body)).status_code == 200
            to_drop.append(method)
            assert (await client.request(method, "/v1/customers", content=body)).status_code == status
    assert met == ["GET", "GET", "GET", "POST", "POST"]
