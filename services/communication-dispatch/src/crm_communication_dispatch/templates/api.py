"""Templates over HTTP."""

from typing import Annotated

from fastapi import Path, Query, Response

from crm_communication_dispatch.fields import TemplateId
from crm_communication_dispatch.templates import commands, queries
from crm_communication_dispatch.templates.schemas import (
    PreviewAsk,
    TemplateCreate,
    TemplateFilter,
    TemplatePage,
    TemplatePreviewRead,
    TemplateRead,
    TemplateUpdate,
    VersionList,
    VersionRead,
    WordingWrite,
)
from crm_shared.http import Call, Router, needs

router = Router(prefix="/v1/templates", tag="templates", about="Wordings of messages in versions and languages.")
Number = Annotated[int, Path(ge=1, le=1_000_000, description="Which version of the template.")]
Reading = Annotated[Call, needs("templates:read")]
Writing = Annotated[Call, needs("templates:write")]


@router.post("", status_code=201, response_model=TemplateRead)
async def create(body: TemplateCreate, call: Writing) -> Response:
    """Make a template and its first draft."""
    wording = body.wording()
    return await call.write(commands.create_template, body.name, body.purpose, wording, answer=TemplateRead.of)


@router.get("", response_model=TemplatePage)
async def list(call: Reading, filters: Annotated[TemplateFilter, Query()]) -> Response:
    """Look through the templates."""
    return await call.page(
        queries.list_templates, filters, answer=TemplateRead.of, key=lambda found: (found.created_at, found.id)
    )


@router.get("/{template_id}", response_model=TemplateRead)
async def get(template_id: TemplateId, call: Reading) -> Response:
    """Read one template."""
    return await call.read(queries.get_template, template_id, answer=TemplateRead.of)


@router.patch("/{template_id}", response_model=TemplateRead)
async def update(template_id: TemplateId, body: TemplateUpdate, call: Writing) -> Response:
    """Rename a template or change its purpose."""
    changes = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    return await call.write(
        commands.rename_template, template_id, changes, expected=call.if_match(), answer=TemplateRead.of
    )


@router.get("/{template_id}/versions", response_model=VersionList)
async def list_versions(template_id: TemplateId, call: Reading) -> Response:
    """Read all wordings of a template."""
    return await call.read(queries.list_versions, template_id, answer=VersionList.of)


@router.post("/{template_id}/versions", status_code=201, response_model=VersionRead)
async def create_version(template_id: TemplateId, body: WordingWrite, call: Writing) -> Response:
    """Write a new draft beside the versions there are."""
    return await call.write(commands.add_version, template_id, body.wording(), answer=VersionRead.of)


@router.get("/{template_id}/versions/{number}", response_model=VersionRead)
async def get_version(template_id: TemplateId, number: Number, call: Reading) -> Response:
    """Read one wording."""
    return await call.read(queries.get_version, template_id, number, answer=VersionRead.of)


@router.put("/{template_id}/versions/{number}", response_model=VersionRead)
async def replace_version(template_id: TemplateId, number: Number, body: WordingWrite, call: Writing) -> Response:
    """Replace a draft's wording; an approved one never changes."""
    return await call.write(
        commands.rewrite_version,
        (template_id, number),
        body.wording(),
        expected=call.if_match(),
        answer=VersionRead.of,
    )


@router.post("/{template_id}/versions/{number}/approve", response_model=VersionRead)
async def approve_version(template_id: TemplateId, number: Number, call: Writing) -> Response:
    """Make a wording final and the one that is sent."""
    return await call.write(
        commands.approve_version, template_id, number, expected=call.if_match(), answer=VersionRead.of
    )


@router.post("/{template_id}/versions/{number}/preview", response_model=TemplatePreviewRead)
async def preview(template_id: TemplateId, number: Number, body: PreviewAsk, call: Reading) -> Response:
    """Show what a customer would read; nothing is sent."""
    return await call.read(commands.preview, template_id, number, body.order(), answer=TemplatePreviewRead.of)
