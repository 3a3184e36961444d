"""Replacing a pipeline's stages under the deals that stand in them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from crm_sales_pipeline.deals import store
from crm_sales_pipeline.pipelines import store as pipelines
from crm_sales_pipeline.pipelines.commands import lock
from crm_sales_pipeline.pipelines.domain import Pipeline, Stage, check_stages
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict
from crm_shared.tenancy import Viewer


async def set_stages(
    tx: Tx, viewer: Viewer, pipeline_id: UUID, stages: Sequence[Stage], *, expected: int | None, now: datetime
) -> Pipeline:
    """Replace the stages. One that deals stand in stays, and keeps its type: their history was made under it.

    Raises:
        Conflict: a stage in use would vanish or change its type.
    """
    del viewer, now
    found = await lock(tx, pipeline_id, expected=expected)
    check_stages(stages)
    used = await store.stages_in_use(tx, pipeline_id)
    kept = {stage.key: stage for stage in stages}
    for stage in found.stages:
        if stage.key not in used:
            continue
        if stage.key not in kept:
            raise Conflict(f"Deals stand in the stage {stage.key}; move them first.", code="stage_in_use")
        if kept[stage.key].canonical is not stage.canonical:
            raise Conflict(f"Deals stand in the stage {stage.key}; its type cannot change.", code="stage_in_use")
    changed = replace(found, stages=tuple(stages), version=found.version + 1)
    await pipelines.save(tx, changed)
    await pipelines.save_stages(tx, pipeline_id, changed.stages)
    gone = [stage.key for stage in found.stages if stage.key not in kept]
    await pipelines.drop_stages(tx, pipeline_id, gone)
    return changed
