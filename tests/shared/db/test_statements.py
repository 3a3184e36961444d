"""How statements reach PostgreSQL, and what that costs."""

import time
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from sqlalchemy import bindparam, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from crm_shared.db.statements import any_of, any_param, fixed, shaped
from crm_shared.testing.kit import ServiceKit
from crm_shared.testing.probe.app import note, write_note


def test_one_shape_is_compiled_once_whatever_its_values() -> None:
    made = [
        shaped(select(note.c.id).where(note.c.title == title).limit(limit)) for title, limit in (("a", 1), ("b", 2))
    ]
    assert made[0][0] is made[1][0]
    assert [arguments for _, arguments in made] == [["a", 1], ["b", 2]]


def test_any_of_has_one_shape_for_any_number_of_values() -> None:
    few, many = (shaped(select(note.c.id).where(any_of(note.c.title, list("abc")[:n]))) for n in (1, 3))
    assert few[0] is many[0]
    assert (few[1], many[1]) == ([["a"]], [["a", "b", "c"]])
    assert "ANY ($1" in few[0]


def test_a_fixed_statement_takes_its_values_by_name_and_knows_no_others() -> None:
    prepared = fixed(select(note.c.id).where(note.c.title == bindparam("title"), any_param(note.c.id, "ids")).limit(5))
    assert sorted(map(str, prepared.arguments({"title": "x", "ids": []}))) == ["5", "[]", "x"]
    with pytest.raises(KeyError, match="nonsense"):
        prepared.arguments({"title": "x", "nonsense": 1})


_GET = select(note.c.id, note.c.title).where(note.c.id == bindparam("id"))


@pytest.mark.benchmark
async def test_it_is_faster_than_sqlalchemys_own_execution(kit: ServiceKit) -> None:
    """The figures of ADR 2: selects by primary key in a tenant transaction, one connection, one run."""
    tenant = kit.tenant()
    async with kit.transaction(tenant) as tx:
        wanted = (await write_note(tx, kit.viewer(tenant), "x", now=kit.clock.now())).id
    engine = create_async_engine(kit.urls.app.replace("postgresql://", "postgresql+asyncpg://"))
    bare = await asyncpg.connect(kit.urls.app)
    await bare.execute(f"SET app.tenant_id = '{tenant}'")

    async def ours() -> None:
        async with kit.database.reading(tenant) as tx:
            assert await tx.one(_GET, {"id": wanted})

    async def theirs() -> None:
        async with engine.begin() as connection:
            await connection.execute(text(f"SET LOCAL app.tenant_id = '{tenant}'"))
            assert (await connection.execute(_GET, {"id": wanted})).one()

    async def alone() -> None:
        assert await bare.fetchrow("SELECT id, title FROM note WHERE id = $1", wanted)

    async def rate(act: Callable[[], Awaitable[None]], count: int = 400) -> float:
        for _ in range(30):
            await act()
        began = time.perf_counter()
        for _ in range(count):
            await act()
        return count / (time.perf_counter() - began)

    try:
        rounds = [(await rate(ours), await rate(theirs), await rate(alone)) for _ in range(3)]
    finally:
        await bare.close()
        await engine.dispose()
    mine, sqlalchemys, bares = (sorted(column)[1] for column in zip(*rounds, strict=True))
    print(
        f"\nselect by primary key: kernel {mine:,.0f}/s, SQLAlchemy {sqlalchemys:,.0f}/s, bare asyncpg {bares:,.0f}/s"
    )
    assert mine > sqlalchemys * 1.2
