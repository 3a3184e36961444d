"""A whole service in one process, to be killed at any point: it commits, relays, consumes and applies.

argv: producing url, consuming url, bus url, aggregate, tenant, items, seed. Without a seed it only relays and consumes.
"""

import asyncio
import random
import sys
from uuid import UUID

from crm_shared.bus.port import open_bus
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database
from crm_shared.testing.bus import Line, counted_events
from crm_shared.testing.cluster import Databases
from crm_shared.testing.probe.app import SERVICE


async def main() -> None:
    producing_url, consuming_url, bus_url, aggregate, tenant_text, items_text, seed = sys.argv[1:]
    tenant, items = UUID(tenant_text), [UUID(text) for text in items_text.split(",")]
    bus = await open_bus(bus_url)
    producing = await Database.open(producing_url, SERVICE.name, size=6, flush=flush_outbox)
    consuming = await Database.open(consuming_url, SERVICE.name, size=4, flush=flush_outbox)
    urls = [Databases("", url, url, url, url) for url in (producing_url, consuming_url)]
    line = Line(bus, producing, consuming, (urls[0], urls[1]), aggregate, *counted_events(aggregate))
    line.count_in_ledger()
    line.begin(line.relay())
    line.begin(line.consumer())
    print("up", flush=True)
    chance = random.Random(int(seed or 0))

    async def write() -> None:
        while True:
            item, number = chance.choice(items), chance.randrange(1_000)
            try:
                async with producing.transaction(tenant) as tx:
                    for _ in range(chance.choice((1, 1, 3))):
                        tx.emit(line.counted(number=number), aggregate_id=item)
                        await tx.connection.execute("INSERT INTO committed VALUES ($1, $2)", item, number)
                    if chance.random() < 0.2:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                continue
            await asyncio.sleep(chance.random() / 200)

    if seed:
        await asyncio.gather(*(write() for _ in range(4)))
    await asyncio.Event().wait()


asyncio.run(main())
