"""Writes of one turn of the event loop leave together at its end, each connection's in their order."""

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from crm_shared.runtime.http_protocol import Protocol
from crm_shared.runtime.turn import is_due, write_now, write_with_turn


class Line(asyncio.Transport):
    """A transport that notes, in a list shared with others, who wrote what."""

    def __init__(self, notes: list[tuple[Any, bytes]]) -> None:
        super().__init__()
        self.notes = notes
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.notes.append((self, bytes(data)))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """It reads nothing anyway."""

    resume_reading = pause_reading


async def test_all_leave_at_the_turns_end_and_each_connections_in_one_piece():
    notes: list[Any] = []
    one, two = Line(notes), Line(notes)
    write_with_turn(one, b"a")
    write_with_turn(two, b"b")
    write_with_turn(one, b"c")
    assert notes == []
    assert is_due(one)
    await asyncio.sleep(0)
    assert notes == [(one, b"ac"), (two, b"b")]
    assert not is_due(one)
    write_with_turn(one, b"d")
    await asyncio.sleep(0)
    assert notes[2:] == [(one, b"d")]


async def test_what_is_written_now_is_not_written_again():
    notes: list[Any] = []
    line = Line(notes)
    write_with_turn(line, b"a")
    write_now()
    write_now()
    await asyncio.sleep(0)
    assert notes == [(line, b"a")]


async def test_much_is_not_kept_so_that_its_transport_can_ask_for_a_pause():
    notes: list[Any] = []
    line = Line(notes)
    write_with_turn(line, b"a")
    write_with_turn(line, b"b" * 100_000)
    assert [len(data) for _, data in notes] == [100_001]


async def test_nothing_is_written_where_the_connection_has_closed_meanwhile():
    notes: list[Any] = []
    gone, there = Line(notes), Line(notes)
    write_with_turn(gone, b"a")
    write_with_turn(there, b"b")
    gone.close()
    await asyncio.sleep(0)
    assert notes == [(there, b"b")]


def test_a_loop_that_ended_in_between_keeps_no_other_from_writing():
    notes: list[Any] = []
    one, two = Line(notes), Line(notes)

    async def ends_at_once() -> None:
        write_with_turn(one, b"a")
        asyncio.get_running_loop().stop()

    loop = asyncio.new_event_loop()
    ending = loop.create_task(ends_at_once())
    loop._run_once()  # as a loop that is stopped between a write and its turn's end
    loop.close()
    assert ending.done()

    async def writes() -> None:
        write_with_turn(two, b"b")
        await asyncio.sleep(0)

    asyncio.run(writes())
    assert (two, b"b") in notes


def begun() -> tuple[Protocol, Line, list[Any]]:
    """A connection whose application answers "ok" to whatever it is asked, with an answer on its way."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    notes: list[Any] = []
    line, state = Line(notes), ServerState()
    protocol = Protocol(uvicorn.Config(app, log_config=None, ws="none"), state, {})
    protocol.connection_made(line)
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    for task in list(state.tasks):  # the request's task, in this very turn
        coroutine = task.get_coro()
        with pytest.raises(StopIteration):
            coroutine.send(None)
        task.cancel()
    assert is_due(line)
    assert notes == []
    return protocol, line, notes


@pytest.mark.parametrize("then", ["data", "end", "shutdown"])
async def test_an_answer_on_its_way_goes_before_whatever_comes_next(then: str):
    protocol, line, notes = begun()
    match then:
        case "data":
            protocol.data_received(b"\x00 no request\r\n\r\n")
        case "end":
            protocol.eof_received()
        case _:
            protocol.shutdown()
    assert notes[0] == (line, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    protocol.connection_lost(ConnectionResetError())
