"""A contact center with its floor full: agents on a break, and those who wait for them, as rows of a real database."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

from crm_contact_center.agents.domain import DEFAULT_COSTS
from crm_shared.db.pool import prepare_connection
from crm_shared.ids import new_id

CHANNELS = ("voice", "chat", "chat", "email")
_SKILLS = [f"skill-{n}" for n in range(40)]


async def fill(admin_url: str, tenant: UUID, *, agents: int, waiting: int) -> None:
    """Write `agents` of 400 profiles who are on a break, and `waiting` contacts of 300 classes in ten queues.

    Half of those who wait are customers we know.
    """
    connection: asyncpg.Connection[Any] = await asyncpg.connect(admin_url)
    try:
        await prepare_connection(connection)
        chance, now = Random(7), datetime.now(UTC)
        queues = [new_id() for _ in range(10)]
        await _copy(connection, "queue", (_queue(tenant, key, now) for key in queues))
        await _agents(connection, tenant, agents, chance, now)
        await _contacts(connection, tenant, queues, waiting, chance, now)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def open_the_doors(admin_url: str, tenant: UUID) -> None:
    """Everybody's break ends: the agents are available, and the dispatcher is told so."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(admin_url)
    try:
        async with connection.transaction():
            await connection.execute("UPDATE agent SET state = 'available' WHERE tenant_id = $1", tenant)
            await connection.execute(
                "INSERT INTO routing_change (tenant_id, id, kind, subject_id) "
                "SELECT tenant_id, gen_random_uuid(), 'agent', id FROM agent WHERE tenant_id = $1",
                tenant,
            )
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def add_queue(admin_url: str, tenant: UUID) -> UUID:
    """A queue that asks for nothing."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(admin_url)
    try:
        await prepare_connection(connection)
        key = new_id()
        await _copy(connection, "queue", [_queue(tenant, key, datetime.now(UTC))])
        return key
    finally:
        await connection.close()


def _queue(tenant: UUID, key: UUID, now: datetime) -> dict[str, Any]:
    return {
        "tenant_id": tenant, "id": key, "name": key.hex, "channels": [], "addresses": [], "requirements": {},
        "steps": [], "strategy": "longest_idle", "priority": 0, "language_level": None, "offer_timeout_s": 600,
        "wrap_up_s": 0, "preferred_wait_s": 0, "reject_pause_s": 30, "service_level_s": 20, "calendar_id": None,
        "archived": False, "version": 1, "created_at": now,
    }  # fmt: skip


async def _agents(connection: Any, tenant: UUID, count: int, chance: Random, now: datetime) -> None:
    profiles = [{name: chance.randint(1, 9) for name in chance.sample(_SKILLS, 6)} for _ in range(400)]
    keys = [new_id() for _ in range(count)]
    await _copy(
        connection,
        "agent",
        (
            {
                "tenant_id": tenant, "id": key, "user_id": None, "name": f"Agent {n}", "email": None, "state": "break",
                "reason": None, "state_since": now, "cap": 100, "used": 0,
                "idle_since": now - timedelta(milliseconds=count - n), "last_offered_at": None,
                "presence_until": now + timedelta(hours=9), "retired": False, "version": 1, "created_at": now,
            }
            for n, key in enumerate(keys)
        ),
    )  # fmt: skip
    skilled = [(key, chance.choice(profiles)) for key in keys]
    await _copy(
        connection,
        "agent_skill",
        (
            {"tenant_id": tenant, "agent_id": key, "skill": name, "level": level}
            for key, skills in skilled
            for name, level in skills.items()
        ),
    )


async def _contacts(
    connection: Any, tenant: UUID, queues: Sequence[UUID], count: int, chance: Random, now: datetime
) -> None:
    classes = [
        (chance.choice(CHANNELS), {name: chance.randint(1, 4) for name in chance.sample(_SKILLS, 2)})
        for _ in range(300)
    ]
    known = [new_id() for _ in range(count // 2)]
    await _copy(
        connection,
        "customer",
        ({"tenant_id": tenant, "id": key, "display_name": "Ann Lee", "language": "en"} for key in known),
    )
    calls = [(new_id(), *chance.choice(classes), now - timedelta(milliseconds=count - n)) for n in range(count)]
    await _copy(
        connection,
        "interaction",
        (
            {
                "tenant_id": tenant, "id": key, "channel": channel, "direction": "inbound",
                "from_address": f"+385915{n:06d}", "to_address": None, "subject": "Invoice",
                "customer_id": known[n // 2] if n % 2 else None, "recognised": bool(n % 2), "state": "queued",
                "queue_id": queues[n % len(queues)], "started_at": at, "last_event": 2, "version": 1,
            }
            for n, (key, channel, _, at) in enumerate(calls)
        ),
    )  # fmt: skip
    await _copy(
        connection,
        "queue_visit",
        (
            {
                "tenant_id": tenant, "id": new_id(), "interaction_id": key, "queue_id": queues[n % len(queues)],
                "channel": channel, "cost": DEFAULT_COSTS[channel], "needs": needs, "priority": 0, "entered_at": at,
                "place_at": at, "preferred_agent": None, "preferred_until": None, "excluded": {}, "state": "waiting",
                "left_at": None, "service_level_s": 20, "offers": 0, "version": 1,
            }
            for n, (key, channel, needs, at) in enumerate(calls)
        ),
    )  # fmt: skip


async def _copy(connection: Any, table: str, rows: Iterable[dict[str, Any]]) -> None:
    listed = list(rows)
    if listed:
        columns = list(listed[0])
        await connection.copy_records_to_table(
            table, columns=columns, records=[tuple(row[name] for name in columns) for row in listed]
        )
