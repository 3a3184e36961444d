"""Waiting to be woken: whoever publishes in this process rings for whoever waits in it, without asking the database."""

import asyncio
from contextlib import suppress
from weakref import WeakKeyDictionary, WeakSet


class Doorbell:
    """Something one task waits for and any other may ring; rings before the wait count."""

    __slots__ = ("__weakref__", "_event")

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the waiter, now or when it next waits."""
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for a ring; says whether there was one within `timeout_s`."""
        rung = await is_set_within(self._event, timeout_s)
        self._event.clear()
        return rung


async def is_set_within(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait for an event, but no longer; says whether it is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
    return event.is_set()


_doorbells: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, WeakSet[Doorbell]]] = WeakKeyDictionary()


def _of(name: str) -> WeakSet[Doorbell]:
    return _doorbells.setdefault(asyncio.get_running_loop(), {}).setdefault(name, WeakSet())


def hang(name: str) -> Doorbell:
    """A new doorbell that `ring_all(name)` on this event loop rings, as long as its owner keeps it."""
    doorbell = Doorbell()
    _of(name).add(doorbell)
    return doorbell


def ring_all(name: str) -> None:
    """Ring every doorbell of that name on this event loop."""
    for doorbell in list(_of(name)):
        doorbell.ring()
