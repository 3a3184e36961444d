"""SQL of custom attribute definitions."""

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from crm_customer.attributes.domain import AttributeType, Definition
from crm_customer.attributes.tables import attribute_definition as table
from crm_shared.db.pool import Record, Tx

_LIST = select(table).order_by(table.c.name)
_GET = select(table).where(table.c.name == bindparam("name"))
_COUNT = select(func.count()).select_from(table)
_insert = insert(table).values({column.name: bindparam(column.name) for column in table.columns})
_SAVE = _insert.on_conflict_do_update(
    index_elements=[table.c.tenant_id, table.c.name],
    set_={"label": _insert.excluded.label, "choices": _insert.excluded.choices, "version": _insert.excluded.version},
)
_DELETE = delete(table).where(table.c.name == bindparam("name"))


def _definition(row: Record) -> Definition:
    return Definition(
        name=row["name"],
        type=AttributeType(row["type"]),
        label=row["label"],
        choices=tuple(row["choices"]),
        version=row["version"],
        created_at=row["created_at"],
    )


async def definitions(tx: Tx) -> dict[str, Definition]:
    """All definitions of the tenant by name; a registry holds at most a few hundred."""
    return {row["name"]: _definition(row) for row in await tx.all(_LIST, {})}


async def get(tx: Tx, name: str) -> Definition | None:
    """One definition."""
    row = await tx.one(_GET, {"name": name})
    return None if row is None else _definition(row)


async def count(tx: Tx) -> int:
    """How many attributes are defined."""
    return int(await tx.scalar(_COUNT, {}))


async def save(tx: Tx, definition: Definition) -> None:
    """Insert or replace a definition."""
    await tx.run(
        _SAVE,
        {
            "tenant_id": tx.tenant,
            "name": definition.name,
            "type": definition.type.value,
            "label": definition.label,
            "choices": list(definition.choices),
            "version": definition.version,
            "created_at": definition.created_at,
        },
    )


async def remove(tx: Tx, name: str) -> bool:
    """Forget a definition; says whether there was one. Values already kept stay in their records, unread."""
    return await tx.run(_DELETE, {"name": name}) > 0
