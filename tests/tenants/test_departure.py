"""A company with at least one of everything is closed: nothing of it is left in any table that the catalogues know."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import orjson
import pytest
from sqlalchemy import PrimaryKeyConstraint, Table, UniqueConstraint, delete
from tests.tenants.rows import Rows, changed, rows_of
from tests.tenants.stage import Stage
from tests.tenants.world import World, build_world

from crm_shared.bus.departures import LEFT
from crm_shared.bus.effects import Effects
from crm_shared.bus.intake import Intake
from crm_shared.bus.port import Delivered
from crm_shared.bus.sequencing import Incoming
from crm_shared.db.due import PURGE
from crm_shared.db.outbox import flush_outbox
from crm_shared.db.pool import Database
from crm_shared.db.tables import due, kernel_metadata
from crm_shared.events import Envelope, EventPayload
from crm_shared.ids import new_id, public_id
from crm_shared.runtime.service import Service
from crm_suite.topology import NAMES, load_suite

pytestmark = pytest.mark.xdist_group("tenants")

GRACE = timedelta(days=30)
STAYS = {
    "gateway.tenant": "that there was such a company, and that it is closed",
    "gateway.audit_entry": "who administered what, and who closed it",
    **dict.fromkeys(
        (f"{name}.departed" for name in NAMES),
        "the tombstone, which keeps late events from bringing anything back",
    ),
}


FEW_PARENTS = {("quote", "price_book_id", "tenant_id"), ("queue_visit", "queue_id", "tenant_id")}
"""A company has some price books and queues."""


def is_led_by_an_index(table: Table, key: frozenset[str]) -> bool:
    """Whether an index, primary and unique keys among them, begins with these columns."""
    keys = [one for one in table.constraints if isinstance(one, PrimaryKeyConstraint | UniqueConstraint)]
    columns = [[column.name for column in one.columns] for one in (*keys, *table.indexes)]
    return any(frozenset(names[: len(key)]) == key for names in columns)


@asynccontextmanager
async def at(stage: Stage, service: Service) -> AsyncGenerator[Database]:
    """A service's database as its worker has it."""
    database = await Database.open(stage.databases[service.name].worker, service.name, size=2, flush=flush_outbox)
    try:
        yield database
    finally:
        await database.close()


async def tell(stage: Stage, service: Service, envelopes: Iterable[Envelope]) -> None:
    """Hand events to one service, as its consumer would."""
    effects = Effects(service.projections, service.reactions, stage.clock, taps=service.taps(GRACE))
    async with at(stage, service) as database:
        for one in envelopes:
            record = Delivered(one.topic, one.key, one.to_bytes(), {}, 0, 0, one.time)
            incoming = Incoming(record, one, effects.in_sequence(one.topic))
            if one.topic in effects.topics:
                await Intake(database, effects, stage.clock).apply(one.tenant, [incoming])


async def purge(stage: Stage, service: Service, tenant: UUID) -> datetime:
    """Carry out all turns of the purge, each when it is due; says when the last one was."""
    turn = service.timers.handlers[PURGE]
    last = stage.clock.now()
    async with at(stage, service) as database:
        while True:
            async with database.transaction(tenant) as tx:
                await tx.connection.execute("DELETE FROM outbox")  # as the relay does
                row = await tx.one(delete(due).where(due.c.kind == PURGE).returning(due.c.key, due.c.due_at))
                if row is None:
                    return last
                last = row["due_at"]
                await turn(tx, row, now=last)


async def closing(stage: Stage, tenant: UUID) -> Envelope:
    """What the gateway has told of a tenant that was closed."""
    connection = await asyncpg.connect(stage.databases["gateway"].admin)
    try:
        row = await connection.fetchrow("SELECT * FROM outbox WHERE tenant_id = $1 AND type = $2", tenant, LEFT)
    finally:
        await connection.close()
    assert row is not None
    return Envelope(
        row["event_id"], LEFT, "gateway", row["subject"], row["created_at"], tenant, tenant, row["epoch"], row["seq"],
        None, row["data"],
    )  # fmt: skip


def late_event(kind: type[EventPayload], tenant: UUID, *, at: datetime) -> Envelope:
    """The first event of something new."""
    something = new_id()
    subject = public_id(kind.ID_PREFIX, something)
    data = orjson.dumps(kind.EXAMPLE).decode()
    return Envelope(new_id(), kind.TYPE, "late", subject, at, tenant, something, 0, 1, None, data)


@pytest.fixture(scope="module")
async def leaver(stage: Stage) -> World:
    """Who is to leave."""
    return await build_world(stage, "leaver")


def left(rows: Rows) -> set[str]:
    """The tables that hold any."""
    return {table for table, lines in rows.items() if lines}


async def test_nothing_of_a_closed_company_is_left_and_nothing_comes_back(
    stage: Stage, leaver: World, alpha: World
) -> None:
    suite = load_suite()
    services = [suite.gateway, *suite.behind]
    before, held = await rows_of(stage, alpha.tenant), await rows_of(stage, leaver.tenant)
    late = [late_event(kind, leaver.tenant, at=stage.clock.now()) for one in services for kind in one.published]
    await leaver.ask("POST", f"/v1/tenants/{leaver.ids['ten']}/close")
    closed = await closing(stage, leaver.tenant)
    await tell(stage, suite.gateway, [closed])
    await stage.settle()
    assert left(held) - left(await rows_of(stage, leaver.tenant)) <= {"gateway.due"}, "nothing goes within the grace"

    ended = [await purge(stage, service, leaver.tenant) for service in services]
    assert min(ended) >= closed.time + GRACE
    assert left(await rows_of(stage, leaver.tenant)) == STAYS.keys()
    for service in services:
        await tell(stage, service, late)
    assert left(await rows_of(stage, leaver.tenant)) == STAYS.keys(), "a late event recreates nothing"
    assert changed(before, await rows_of(stage, alpha.tenant)) == {}


def test_every_tenant_table_is_purged_or_is_known_to_stay() -> None:
    for service in load_suite().services.values():
        for table in (*service.metadata.sorted_tables, *kernel_metadata.sorted_tables):
            assert table.info["outlives"] == (f"{service.name}.{table.name}" in STAYS), table.name


def test_children_are_found_at_once_when_their_parents_go() -> None:
    """Each parent's deletion looks for children; without an index it would step over all that have gone before."""
    for service in load_suite().services.values():
        for table in service.metadata.sorted_tables:
            assert not [key for key in table.foreign_key_constraints if key.referred_table is table], (
                f"{table.name} refers to itself: the purge, which deletes children first, can't tell which row that is"
            )
            found = {frozenset(key.column_keys) for key in table.foreign_key_constraints}
            slow = {(table.name, *sorted(key)) for key in found if not is_led_by_an_index(table, key)}
            assert slow <= FEW_PARENTS
