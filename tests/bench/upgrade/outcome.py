"""What is left when all is at rest: each customer once, each event once and in order, each effect there."""

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from crm_shared.bus.opening import open_bus
from crm_shared.db.embedded import EmbeddedPostgres
from crm_shared.events import Envelope
from crm_shared.ids import parse_id
from crm_suite.topology import database_of

from .stage import CUSTOMER, SALES, Stage

_AT_REST_WITHIN_S = 60.0
_TOPIC = "crm.customer"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Counts of what went wrong, and of what there was."""

    customers_missing: int
    customers_doubled: int
    events: int
    events_lost: int
    events_doubled: int
    effects_missing: int
    keys_waiting: int
    recovery_s: float


async def outcome_of(stage: Stage, tenant: UUID, names: dict[str, str]) -> Outcome:
    """Wait until nothing is under way any more, and count."""
    wanted = {parse_id("cus", public): name for public, name in names.items()}
    started = time.monotonic()
    while not await _at_rest(stage.postgres, tenant, wanted):
        if time.monotonic() - started > _AT_REST_WITHIN_S:
            break  # what is missing is counted below
        await asyncio.sleep(0.1)
    recovery_s = time.monotonic() - started
    owned = await _rows(stage.postgres, CUSTOMER, "SELECT id, display_name FROM customer WHERE tenant_id = $1", tenant)
    there = {row["id"]: row["display_name"] for row in owned}
    copies = await _copies(stage.postgres, tenant)
    sequences, records, distinct = await _published(stage.bus_url, tenant)
    heads = await _rows(
        stage.postgres,
        SALES,
        "SELECT key, seq, parked_at FROM consumer_key WHERE tenant_id = $1 AND key LIKE 'customer:%'",
        tenant,
    )
    seen = {UUID(row["key"].partition(":")[2]): row["seq"] for row in heads}
    expected = {key: max(numbers) for key, numbers in sequences.items()}
    return Outcome(
        customers_missing=sum(there.get(key) != name for key, name in wanted.items()),
        customers_doubled=len(there) - len(wanted),
        events=distinct,
        events_lost=sum(len(set(range(1, max(numbers) + 1)) - set(numbers)) for numbers in sequences.values())
        + len(there.keys() - sequences.keys()),
        events_doubled=records - distinct,
        effects_missing=sum(copies.get(key) != name for key, name in wanted.items())
        + sum(seen.get(key) != number for key, number in expected.items()),
        keys_waiting=sum(row["parked_at"] is not None for row in heads),
        recovery_s=recovery_s,
    )


async def _at_rest(postgres: EmbeddedPostgres, tenant: UUID, wanted: dict[UUID, str]) -> bool:
    if await _rows(postgres, CUSTOMER, "SELECT 1 FROM outbox WHERE tenant_id = $1 LIMIT 1", tenant):
        return False
    copies = await _copies(postgres, tenant)
    return all(copies.get(key) == name for key, name in wanted.items())


async def applied(postgres: EmbeddedPostgres, tenant: UUID) -> int:
    """How many events the consumer has taken in so far."""
    (row,) = await _rows(postgres, SALES, "SELECT count(*) AS n FROM inbox WHERE tenant_id = $1", tenant)
    return row["n"]


async def _copies(postgres: EmbeddedPostgres, tenant: UUID) -> dict[UUID, str]:
    rows = await _rows(postgres, SALES, "SELECT id, display_name FROM customer WHERE tenant_id = $1", tenant)
    return {row["id"]: row["display_name"] for row in rows}


async def _published(bus_url: str, tenant: UUID) -> tuple[dict[UUID, list[int]], int, int]:
    """The sequence numbers of each customer's events in the order of the log, all records, and all different ids."""
    sequences: dict[UUID, list[int]] = defaultdict(list)
    ids: Counter[UUID] = Counter()
    bus = await open_bus(bus_url)
    try:
        async for record in bus.replay(_TOPIC):
            event = Envelope.from_bytes(record.value)
            if event.tenant == tenant:
                ids[event.id] += 1
                sequences[event.aggregate_id].append(event.sequence)
    finally:
        await bus.aclose()
    return sequences, ids.total(), len(ids)


async def _rows(postgres: EmbeddedPostgres, service: str, statement: str, tenant: UUID) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(postgres.url(database_of(service)))
    try:
        return await connection.fetch(statement, tenant)
    finally:
        await connection.close()
