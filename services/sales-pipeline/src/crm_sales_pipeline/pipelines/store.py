"""Reading and writing pipelines and their stages."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from crm_sales_pipeline.lists.store import beyond
from crm_sales_pipeline.pipelines.domain import Canonical, Pipeline, Stage
from crm_sales_pipeline.pipelines.tables import pipeline, stage
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of

_GET = select(pipeline).where(pipeline.c.id == bindparam("id"))
_LOCK = _GET.with_for_update()
_DEFAULT = select(pipeline).where(pipeline.c.is_default)
_NO_DEFAULT = update(pipeline).where(pipeline.c.is_default).values(is_default=False)
_stage_insert = upsert(stage).values(
    tenant_id=bindparam("tenant_id"),
    pipeline_id=bindparam("pipeline_id"),
    **{name: bindparam(name) for name in ("key", "name", "position", "canonical", "probability", "required_fields")},
)
_SAVE_STAGE = _stage_insert.on_conflict_do_update(
    index_elements=[stage.c.tenant_id, stage.c.pipeline_id, stage.c.key],
    set_={
        name: _stage_insert.excluded[name]
        for name in ("name", "position", "canonical", "probability", "required_fields")
    },
)


async def insert_new(tx: Tx, made: Pipeline) -> bool:
    """Keep a new pipeline; False when it wants to be the default and there is one already."""
    statement = upsert(pipeline).values(tenant_id=tx.tenant, **_values(made)).on_conflict_do_nothing()
    if await tx.run(statement) == 0:
        return False
    await save_stages(tx, made.id, made.stages)
    return True


async def save(tx: Tx, changed: Pipeline) -> None:
    """Keep a changed pipeline, without its stages."""
    await tx.run(update(pipeline).where(pipeline.c.id == changed.id).values(**_values(changed)))


async def save_stages(tx: Tx, pipeline_id: UUID, stages: Sequence[Stage]) -> None:
    """Keep stages, new and changed."""
    rows = [{"tenant_id": tx.tenant, "pipeline_id": pipeline_id, **_stage_values(one)} for one in stages]
    await tx.many(_SAVE_STAGE, rows)


async def drop_stages(tx: Tx, pipeline_id: UUID, keys: Sequence[str]) -> None:
    """Forget stages that no deal stands in."""
    await tx.run(delete(stage).where(stage.c.pipeline_id == pipeline_id, any_of(stage.c.key, keys)))


async def no_default(tx: Tx) -> None:
    """Take the default mark away, to give it to another."""
    await tx.run(_NO_DEFAULT, {})


async def get(tx: Tx, pipeline_id: UUID, *, lock: bool = False) -> Pipeline | None:
    """One pipeline with its stages."""
    row = await tx.one(_LOCK if lock else _GET, {"id": pipeline_id})
    return (await _with_stages(tx, [row]))[0] if row is not None else None


async def get_default(tx: Tx) -> Pipeline | None:
    """The pipeline for deals that name none."""
    row = await tx.one(_DEFAULT, {})
    return (await _with_stages(tx, [row]))[0] if row is not None else None


async def list_pipelines(tx: Tx, *, limit: int, after: tuple[Any, ...] | None) -> list[Pipeline]:
    """Pipelines by id."""
    statement = select(pipeline).order_by(pipeline.c.id).limit(limit)
    if after is not None:
        statement = statement.where(beyond((pipeline.c.id,), after))
    return await _with_stages(tx, await tx.all(statement))


async def _with_stages(tx: Tx, rows: Sequence[Record]) -> list[Pipeline]:
    ids = [row["id"] for row in rows]
    found = await tx.all(select(stage).where(any_of(stage.c.pipeline_id, ids)).order_by(stage.c.position, stage.c.key))
    return [_pipeline(row, [one for one in found if one["pipeline_id"] == row["id"]]) for row in rows]


def _values(one: Pipeline) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "is_default": one.is_default,
        "active": one.active,
        "version": one.version,
    }


def _stage_values(one: Stage) -> dict[str, Any]:
    return {
        "key": one.key,
        "name": one.name,
        "position": one.position,
        "canonical": one.canonical.value,
        "probability": one.probability,
        "required_fields": list(one.required_fields),
    }


def _pipeline(row: Record, stages: Sequence[Record]) -> Pipeline:
    return Pipeline(
        id=row["id"],
        name=row["name"],
        is_default=row["is_default"],
        active=row["active"],
        stages=tuple(_stage(one) for one in stages),
        version=row["version"],
    )


def _stage(row: Record) -> Stage:
    return Stage(
        key=row["key"],
        name=row["name"],
        position=row["position"],
        canonical=Canonical(row["canonical"]),
        probability=row["probability"],
        required_fields=tuple(row["required_fields"]),
    )
