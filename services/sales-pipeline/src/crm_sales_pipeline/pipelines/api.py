"""Routes of pipelines; their stages change in the slice that knows the deals."""

from typing import Annotated, Any

from fastapi import Query, Response

from crm_sales_pipeline.identifiers import PipelineId
from crm_sales_pipeline.pipelines import commands, store
from crm_sales_pipeline.pipelines.domain import Pipeline
from crm_sales_pipeline.pipelines.schemas import PipelineCreate, PipelinePage, PipelineRead, PipelineUpdate
from crm_shared.db.pool import Tx
from crm_shared.http import Call, PageQuery, Router, needs
from crm_shared.tenancy import Viewer

router = Router(prefix="/v1/pipelines", tag="pipelines", about="Stages that deals pass through.")

Reads = Annotated[Call, needs("pipelines:read")]
Writes = Annotated[Call, needs("pipelines:write")]


class PipelineQuery(PageQuery):
    """Which pipelines to list: all."""


@router.post("", status_code=201, response_model=PipelineRead)
async def create(body: PipelineCreate, call: Writes) -> Response:
    """Make a pipeline; the first is the default."""
    return await call.write(commands.make_pipeline, body.to_domain(), answer=PipelineRead.of)


@router.get("", response_model=PipelinePage, name="list")
async def list_(call: Reads, filters: Annotated[PipelineQuery, Query()]) -> Response:
    """Pipelines with their stages."""

    def key(pipeline: Pipeline) -> tuple[Any, ...]:
        return (pipeline.id,)

    return await call.page(_page, filters, answer=PipelineRead.of, key=key)


@router.get("/{pipeline_id}", response_model=PipelineRead)
async def get(pipeline_id: PipelineId, call: Reads) -> Response:
    """One pipeline."""
    return await call.read(_one, pipeline_id, answer=PipelineRead.of)


@router.patch("/{pipeline_id}", response_model=PipelineRead)
async def update(pipeline_id: PipelineId, body: PipelineUpdate, call: Writes) -> Response:
    """Rename a pipeline, retire it, or make it the default."""
    return await call.write(
        commands.change_pipeline, pipeline_id, body.changes(), expected=call.if_match(), answer=PipelineRead.of
    )


async def _page(
    tx: Tx, viewer: Viewer, filters: PageQuery, *, limit: int, after: tuple[Any, ...] | None
) -> list[Pipeline]:
    del viewer, filters
    return await store.list_pipelines(tx, limit=limit, after=after)


async def _one(tx: Tx, viewer: Viewer, pipeline_id: PipelineId) -> Pipeline | None:
    del viewer
    return await store.get(tx, pipeline_id)
