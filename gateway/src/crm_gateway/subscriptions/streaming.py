"""Server-sent events: kept events as a stream that never ends, each with the cursor after it as its id."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from fastapi.responses import StreamingResponse
from starlette.types import Send

from crm_gateway.subscriptions.domain import KeptEvent, cursor_of
from crm_gateway.subscriptions.queries import Wanted
from crm_gateway.subscriptions.tail import Tail
from crm_shared.db.away import PASSING

_COME_BACK_MS = 2_000
_PIECE_BYTES = 32_000


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a stream begins: after a position, when the company's events reach so far."""

    position: int
    latest: int


class EventStream(StreamingResponse):
    """An answer that goes on as long as somebody takes it."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes], status_code: int = 200) -> None:
        super().__init__(frames, status_code, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._frames = frames

    async def stream_response(self, send: Send) -> None:
        """Sends the pieces; whatever ends it, nobody follows any more afterwards."""
        async with aclosing(self._frames):
            await super().stream_response(send)


async def frames(tail: Tail, tenant: UUID, wanted: Wanted, beginning: Beginning) -> AsyncGenerator[bytes]:
    """The stream's pieces; it ends when what follows isn't kept any more, or can't be read now: coming back tells."""
    clock = asyncio.get_running_loop().time
    position = told = beginning.position
    # A client that is cut off before the first event comes back to where it began.
    yield b"retry: %d\nid: %b\n\n" % (_COME_BACK_MS, cursor_of(position).encode())
    spoken_at = clock()
    with tail.followed(tenant, beginning.latest):
        while True:
            silent_for_s = tail.settings.heartbeat_s - (clock() - spoken_at)
            try:
                batch = await tail.after(tenant, position, wanted, at_most_s=max(silent_for_s, 0.0))
            except PASSING:
                return
            if position < batch.head.pruned_to:
                return
            for piece in _pieces(batch.events):
                yield piece
            position = batch.reached
            if batch.events:
                told, spoken_at = position, clock()
            elif clock() - spoken_at >= tail.settings.heartbeat_s:
                # With a filter that lets little pass, the client's cursor would grow old while it is up to date.
                yield b": still here\n\n" if told == position else b"id: %b\n\n" % cursor_of(position).encode()
                told, spoken_at = position, clock()


def _pieces(events: list[KeptEvent]) -> Iterator[bytes]:
    piece = bytearray()
    for event in events:
        cursor = cursor_of(event.position)
        piece += f"id: {cursor}\nevent: {event.type}\ndata: {event.text}\n\n".encode()
        if len(piece) > _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
