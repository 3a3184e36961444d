"""A whole service in one process, to be killed at any point: it commits, relays, consumes and applies."""

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any
from uuid import UUID

from crm_shared.bus.opening import open_bus
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database
from crm_shared.testing.bus import Line, counted_events
from crm_shared.testing.cluster import Databases

WRITERS = 4


@dataclass(frozen=True, slots=True)
class Work:
    """What the process does; without a seed it writes nothing and only relays and consumes."""

    service: str
    producing: Databases
    consuming: Databases
    bus: str
    aggregate: str
    tenant: UUID
    items: tuple[UUID, ...]
    seed: int | None


def serve(work: Work, ready: "Connection[str, str]") -> None:
    """The body of a process: says when it is up, and goes on for ever."""
    asyncio.run(_serve(work, ready))


async def _serve(work: Work, ready: "Connection[str, str]") -> None:
    bus = await open_bus(work.bus)
    producing = await Database.open(work.producing.worker, work.service, size=WRITERS + 2, flush=flush_outbox)
    consuming = await Database.open(work.consuming.worker, work.service, size=4, flush=flush_outbox)
    urls = (work.producing, work.consuming)
    line = Line(bus, producing, consuming, urls, work.aggregate, *counted_events(work.aggregate))
    line.count_in_ledger()
    endless: list[Coroutine[Any, Any, None]] = [line.relay().run(), line.consumer().run()]
    if work.seed is not None:
        chance = random.Random(work.seed)  # noqa: S311 # chance, not secrecy
        endless += [_write(line, work, chance) for _ in range(WRITERS)]
    ready.send("up")
    await asyncio.gather(*endless)


async def _write(line: Line, work: Work, chance: random.Random) -> None:
    """Commit events and, by hand in the same transaction, what was committed; roll some back."""
    while True:
        item, number = chance.choice(work.items), chance.randrange(1_000)
        try:
            async with line.producing.transaction(work.tenant) as tx:
                for _ in range(chance.choice((1, 1, 3))):
                    tx.emit(line.counted(number=number), aggregate_id=item)  # pyright: ignore[reportCallIssue]
                    await tx.connection.execute("INSERT INTO committed VALUES ($1, $2)", item, number)
                if chance.random() < 0.2:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            continue
        await asyncio.sleep(chance.random() / 200)
