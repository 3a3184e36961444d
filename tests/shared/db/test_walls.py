"""The tenant wall, tried on every table that the catalogue names."""

from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import exists, func, insert, select, union_all

from crm_shared.db.finder import Unwalled, within_tenant
from crm_shared.db.migrations import drift
from crm_shared.db.tables import due
from crm_shared.db.walls import Roles
from crm_shared.ids import new_id
from crm_shared.testing.kit import ServiceKit
from crm_shared.testing.probe.app import NoteWritten, note, remark


async def _tenant_tables(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id'"
    )
    return [row["table_name"] for row in rows]


async def _filled(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    async with kit.client(tenant) as client:
        await client.post("/v1/notes", json={"title": "behind the wall"}, headers={"Idempotency-Key": "k"})


async def test_no_tenant_means_no_rows_in_any_table_also_on_a_connection_used_before(kit: ServiceKit) -> None:
    await _filled(kit)
    connection = await asyncpg.connect(kit.urls.app)
    try:
        tables = await _tenant_tables(connection)
        assert {"note", "outbox", "due", "idempotency_key"} <= set(tables)
        for _ in range(2):  # the second time the setting is an empty text instead of null
            for table in tables:
                assert await connection.fetchval(f'SELECT count(*) FROM "{table}"') == 0, table
            async with connection.transaction():
                await connection.execute(f"SET LOCAL app.tenant_id = '{kit.tenant()}'")
    finally:
        await connection.close()


async def test_every_tenant_table_forces_row_security_and_no_role_escapes_it(
    kit: ServiceKit,
) -> None:
    connection = await asyncpg.connect(kit.urls.admin)
    try:
        unforced = await connection.fetch(
            "SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = oid AND attname = 'tenant_id' "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
            "AND NOT (relrowsecurity AND relforcerowsecurity)"
        )
        roles = Roles.of(kit.service.name)
        powers = await connection.fetch(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY($1) AND (rolsuper OR rolbypassrls)",
            [roles.owner, roles.app, roles.worker, roles.finder],
        )
        owned = await connection.fetchval(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner <> $1", roles.owner
        )
    finally:
        await connection.close()
    assert (unforced, powers, owned) == ([], [], 0)


async def test_a_row_of_another_tenant_cannot_be_written(kit: ServiceKit) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with kit.transaction(kit.tenant()) as tx:
            await tx.run(
                insert(note).values(tenant_id=new_id(), id=new_id(), version=1, title="x", created_at=func.now())
            )


async def test_a_foreign_key_cannot_reach_into_another_tenant(kit: ServiceKit) -> None:
    async with kit.client(kit.tenant()) as client:
        await client.post("/v1/notes", json={"title": "theirs"})
    mine = kit.tenant()
    connection = await asyncpg.connect(kit.urls.admin)
    theirs = await connection.fetchval("SELECT id FROM note WHERE title = 'theirs' ORDER BY created_at DESC LIMIT 1")
    await connection.close()
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with kit.transaction(mine) as tx:
            await tx.run(insert(remark).values(tenant_id=mine, id=new_id(), note_id=theirs, body="x"))


async def test_the_owner_sees_all_rows_so_that_back_fills_change_them(kit: ServiceKit) -> None:
    await _filled(kit)
    connection = await asyncpg.connect(kit.urls.owner)
    try:
        changed = await connection.execute("UPDATE note SET version = version")
    finally:
        await connection.close()
    assert int(changed.split()[-1]) > 0


async def test_the_finder_reads_but_cannot_write_and_app_does_not_inherit_it(kit: ServiceKit) -> None:
    await _filled(kit)
    connection = await asyncpg.connect(kit.urls.app)
    try:
        assert await connection.fetchval("SELECT count(*) FROM note") == 0
        await connection.execute(f"SET ROLE {Roles.of('probe').finder}")
        assert await connection.fetchval("SELECT count(*) FROM note") > 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE note SET version = 9")
    finally:
        await connection.close()


async def test_the_worker_reaches_across_tenants_only_where_the_machinery_must(kit: ServiceKit) -> None:
    await _filled(kit)
    connection = await asyncpg.connect(kit.urls.worker)
    try:
        assert await connection.fetchval("SELECT count(*) FROM outbox") > 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval("SELECT count(*) FROM note")
    finally:
        await connection.close()


async def test_every_form_of_select_is_confined_to_the_tenant(kit: ServiceKit) -> None:
    mine = kit.tenant()
    await _filled(kit)
    async with kit.client(mine) as client:
        await client.post("/v1/notes", json={"title": "mine"})
    other = note.alias("other")
    inner = select(note.c.id).subquery()
    named = select(note.c.title).cte("named")
    forms = [
        select(note.c.title),
        select(named.c.title),
        union_all(select(note.c.title), select(note.c.title)),
        select(note.c.title).where(note.c.id.in_(select(other.c.id))),
        select(note.c.title).where(exists(select(1).where(other.c.title == note.c.title))),
        select(note.c.title).select_from(note.outerjoin(remark, remark.c.note_id == note.c.id)),
        select(note.c.title).join(inner, inner.c.id == note.c.id),
    ]
    async with kit.transaction(mine) as tx:
        for form in forms:
            assert {row[0] for row in await tx.find(form)} == {"mine"}
        # The role is given back: what follows is held by the policy again.
        assert await tx.scalar(select(func.current_user())) == Roles.of("probe").app


def test_what_cannot_be_confined_is_refused() -> None:
    for form in (
        select(note.c.title).select_from(note.outerjoin(remark, remark.c.note_id == note.c.id, full=True)),
        insert(note),
    ):
        with pytest.raises(Unwalled):
            within_tenant(form, new_id())


async def test_many_rows_at_once_stay_in_the_tenant(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    rows = [(tenant, new_id(), 1, f"copied {number}", kit.clock.now()) for number in range(1_000)]
    async with kit.transaction(tenant) as tx:
        assert await tx.copy(note, ["tenant_id", "id", "version", "title", "created_at"], rows) == 1_000
        assert await tx.copy(note, ["tenant_id", "id", "version", "title", "created_at"], []) == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with kit.transaction(tenant) as tx:
            await tx.copy(
                note,
                ["tenant_id", "id", "version", "title", "created_at"],
                [(new_id(), new_id(), 1, "x", kit.clock.now())],
            )


async def test_many_rows_at_once_keep_what_is_nested_in_them(kit: ServiceKit) -> None:
    """Lists in an array of lists would be taken for a second dimension, and each of their items for a row."""
    tenant, now = kit.tenant(), kit.clock.now() + timedelta(days=9_999)
    payloads: list[object] = [[{"a": [1, 2]}], [{"b": []}], {"c": None}, "text", []]
    columns = ["tenant_id", "kind", "key", "due_at", "payload"]
    rows = [(tenant, "kind", str(nth), now, payload) for nth, payload in enumerate(payloads)]
    async with kit.transaction(tenant) as tx:
        assert await tx.copy(due, columns, rows) == len(rows)
        kept = await tx.all(select(due.c.payload).order_by(due.c.key))
    assert [row["payload"] for row in kept] == [row[-1] for row in rows]


async def test_migrations_leave_nothing_of_the_tables_unsaid(kit: ServiceKit) -> None:
    assert await drift(kit.service.schema, kit.urls.owner) == []


async def test_a_rolled_back_transaction_emits_nothing(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with kit.transaction(tenant) as tx:
            tx.emit(NoteWritten(title="never"), aggregate_id=new_id())
            raise RuntimeError("changed my mind")
    assert await kit.events(tenant) == []
