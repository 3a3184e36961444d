"""What is written within one turn of the event loop leaves at the turn's end, all of it together.

A write wakes whoever waits for it, often on the very core that the writer needs: between one request and the next of
the same turn the processor would change hands, and the woken one would find one thing to do instead of a handful.
"""

import asyncio

_MOST_KEPT = 64 * 1024

_due: dict[asyncio.Transport, bytes] = {}
_loop: asyncio.AbstractEventLoop | None = None


def write_with_turn(transport: asyncio.Transport, data: bytes) -> None:
    """Writes when this turn ends, in one piece with what else is due there; much is written at once.

    Whoever does anything else with `transport` calls `write_now` before.
    """
    global _loop  # noqa: PLW0603 # one thread
    loop = asyncio.get_running_loop()
    if not _due or _loop is not loop:
        _loop = loop
        loop.call_soon(write_now)
    before = _due.get(transport)
    _due[transport] = data if before is None else before + data
    if len(data) > _MOST_KEPT:  # so that a transport which has enough can say so
        write_now()


def is_due(transport: asyncio.Transport) -> bool:
    """Whether something waits to be written there."""
    return transport in _due


def write_now() -> None:
    """Writes what is due."""
    due = list(_due.items())
    _due.clear()
    for transport, data in due:
        if not transport.is_closing():
            transport.write(data)
