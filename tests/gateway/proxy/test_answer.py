"""An upstream's answer as it is read from its bytes, whatever they are and however they are cut."""

import asyncio
from typing import Any

import pytest

from crm_gateway.proxy.answer import Answer, Connection
from crm_gateway.proxy.upstream import Dropped

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Line(asyncio.Transport):
    """A connection's transport that notes what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.aborted = False
        self.paused = False

    def write(self, data: Any) -> None:
        self.sent.append(bytes(data))

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        assert self.paused
        self.paused = False


def asked() -> tuple[Connection, Line, Answer]:
    connection, line = Connection(), Line()
    connection.connection_made(line)
    return connection, line, connection.ask(b"GET / HTTP/1.1\r\n\r\n")


async def whole(answer: Answer) -> tuple[int, bytes]:
    """Status and body; nothing here waits, for all has been said."""
    async with asyncio.timeout(1):
        await answer.head()
        body = b""
        while piece := await answer.read():
            body += piece
    return answer.status, body


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
@pytest.mark.parametrize(
    "said",
    [OK, CHUNKED + b"1\r\no\r\n1\r\nk\r\n0\r\nX-Trailer: 1\r\n\r\n", b"HTTP/1.1 103 E\r\nLink: x\r\n\r\n" + OK],
    ids=["sized", "chunked, with a trailer", "after an interim answer"],
)
async def test_however_it_is_cut_it_is_the_same_answer(said: bytes, size: int):
    connection, line, answer = asked()
    for at in range(0, len(said), size):
        connection.data_received(said[at : at + size])
    assert await whole(answer) == (200, b"ok")
    assert [name.lower() for name, _ in answer.headers] in ([b"content-length"], [b"transfer-encoding"])
    assert answer.keeps_alive
    assert not line.aborted


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nbytes",
        b"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 40_000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000,
        b"HTTP/1.1 103 E\r\nLink: x\r\n\r\n" * 5_000,
    ],
    ids=[
        "no HTTP",
        "another protocol",
        "a status below all",
        "a status above all",
        "a folded header",
        "a space before a colon",
        "a nul",
        "bare line feeds",
        "a signed length",
        "two lengths in one",
        "the same length twice",
        "two framings",
        "a head too large",
        "a header without end",
        "interim answers without end",
    ],
)
async def test_what_cannot_be_trusted_is_no_answer_and_ends_the_connection(said: bytes):
    connection, line, answer = asked()
    connection.data_received(said)
    with pytest.raises(Dropped):
        await whole(answer)
    assert line.aborted
    assert not answer.keeps_alive


@pytest.mark.parametrize("rest", [b"zz\r\n", b"2\r\nokX", b"0\r\nX: " + b"a" * 70_000], ids=["size", "end", "trailers"])
async def test_a_fault_within_a_body_comes_after_what_was_good_of_it(rest: bytes):
    connection, line, answer = asked()
    connection.data_received(CHUNKED + b"4\r\ngood\r\n")
    connection.data_received(rest)
    await answer.head()
    assert (await answer.read()).startswith(b"good")
    with pytest.raises(Dropped):
        await answer.read()
    assert line.aborted


@pytest.mark.parametrize(
    ("said", "whole_"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nall", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall", False),
        (CHUNKED + b"3\r\nall\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nall", False),
    ],
    ids=["unsaid length", "a length", "chunks", "a coding that we don't know"],
)
async def test_only_a_body_of_unsaid_length_ends_with_the_connection(said: bytes, whole_: bool):
    connection, _, answer = asked()
    connection.data_received(said)
    connection.eof_received()
    connection.connection_lost(None)
    if whole_:
        assert await whole(answer) == (200, b"all")
    else:
        with pytest.raises(Dropped):
            await whole(answer)
    assert not answer.keeps_alive


async def test_a_body_of_unsaid_length_that_is_cut_off_is_not_whole():
    connection, _, answer = asked()
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    connection.connection_lost(ConnectionResetError("cut"))
    with pytest.raises(Dropped):
        await whole(answer)


@pytest.mark.parametrize("more", [OK, b"HTTP/1.1 20", b"nonsense"], ids=["an answer", "a part of one", "no HTTP"])
async def test_what_follows_an_answer_belongs_to_nobody(more: bytes):
    connection, _, answer = asked()
    connection.data_received(OK + more)
    assert await whole(answer) == (200, b"ok")
    assert not answer.keeps_alive


async def test_bytes_between_two_exchanges_end_the_connection():
    connection, line, answer = asked()
    connection.data_received(OK)
    assert await whole(answer) == (200, b"ok")
    connection.rest()
    assert not connection.should_close
    connection.data_received(OK)
    assert line.aborted
    assert connection.should_close


async def test_a_body_that_nobody_reads_stops_being_received_until_somebody_does():
    connection, line, answer = asked()
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    for _ in range(2):
        connection.data_received(b"x" * 100_000)
    assert line.paused
    assert len(await answer.read()) == 200_000
    assert not line.paused


async def test_one_who_leaves_in_a_pause_leaves_no_paused_connection_behind():
    connection, line, answer = asked()
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000)
    assert line.paused
    assert answer.complete
    connection.rest()
    assert not line.paused


async def test_a_request_is_sent_no_faster_than_it_is_taken():
    connection, line, _ = asked()
    connection.pause_writing()
    writing = asyncio.create_task(connection.write(b"more"))
    for _ in range(3):
        await asyncio.sleep(0)
    assert line.sent[-1] == b"more"
    assert not writing.done()
    connection.resume_writing()
    await asyncio.wait_for(writing, 1)
    connection.abort()
    with pytest.raises(ConnectionResetError):
        await connection.write(b"yet more")
