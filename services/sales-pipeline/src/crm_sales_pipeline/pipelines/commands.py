"""Making and changing pipelines."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_sales_pipeline.pipelines import store
from crm_sales_pipeline.pipelines.domain import (
    STANDARD_NAME,
    STANDARD_STAGES,
    Pipeline,
    check_stages,
)
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, FieldError, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer
from crm_shared.versions import expect_version


async def make_pipeline(tx: Tx, viewer: Viewer, made: Pipeline, *, now: datetime) -> Pipeline:
    """Have another pipeline; a tenant's first one is its default."""
    del viewer, now
    check_stages(made.stages)
    first = await store.get_default(tx) is None
    if made.is_default and not first:
        await store.no_default(tx)
    kept = replace(made, is_default=made.is_default or first)
    if not await store.insert_new(tx, kept):
        raise Conflict(
            "Another default pipeline was made at the same time; try again.",
            code="default_raced",
            errors=[FieldError("/is_default", "already_taken", "One pipeline at a time is the default.")],
        )
    return kept


async def change_pipeline(
    tx: Tx,
    viewer: Viewer,
    pipeline_id: UUID,
    changes: Mapping[str, Any],
    *,
    expected: int | None,
    now: datetime,
) -> Pipeline:
    """Rename a pipeline, retire it, or make it the default."""
    del viewer, now
    found = await lock(tx, pipeline_id, expected=expected)
    is_default, active = changes.get("is_default"), changes.get("active")
    if is_default is False and found.is_default:
        raise Conflict("Make another pipeline the default instead.", code="default_needed")
    if active is False and (found.is_default or is_default):
        raise Conflict("The default pipeline cannot be retired.", code="default_needed")
    if is_default and not found.is_default:
        await store.no_default(tx)
    changed = replace(found, **changes, version=found.version + 1)
    await store.save(tx, changed)
    return changed


async def pipeline_for(tx: Tx, pipeline_id: UUID | None) -> Pipeline:
    """The pipeline of a new deal: the named one, else the default, made with standard stages if there is none yet.

    Raises:
        NotFound: there is no such pipeline.
        Conflict: it is retired.
    """
    if pipeline_id is not None:
        named = await store.get(tx, pipeline_id)
        if named is None:
            raise NotFound.of("pipeline", public_id("pipe", pipeline_id))
        if not named.active:
            raise Conflict("This pipeline is retired.", code="pipeline_retired")
        return named
    found = await store.get_default(tx)
    if found is not None:
        return found
    standard = Pipeline(
        id=new_id(), name=STANDARD_NAME, is_default=True, active=True, stages=STANDARD_STAGES, version=1
    )
    if await store.insert_new(tx, standard):
        return standard
    # Another request made it meanwhile and has committed.
    raced = await store.get_default(tx)
    assert raced is not None
    return raced


async def lock(tx: Tx, pipeline_id: UUID, *, expected: int | None) -> Pipeline:
    """The pipeline, ours to change until the transaction ends."""
    found = await store.get(tx, pipeline_id, lock=True)
    if found is None:
        raise NotFound.of("pipeline", public_id("pipe", pipeline_id))
    expect_version(found.version, expected)
    return found
