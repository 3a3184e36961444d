"""Every statement on templates."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, insert, select, tuple_, update

from crm_communication_dispatch.templates.domain import (
    Content,
    EmailText,
    SmsText,
    Template,
    TemplateVersion,
    Variable,
    VariableType,
    VersionStatus,
)
from crm_communication_dispatch.templates.tables import template, template_version
from crm_shared.db.pool import Record, Tx

_t, _v = template, template_version
_TEMPLATE = tuple(_t.c[name] for name in Template.__dataclass_fields__)
_VERSION = tuple(_v.c[name] for name in TemplateVersion.__dataclass_fields__)
_GET = select(*_TEMPLATE).where(_t.c.id == bindparam("id", type_=Uuid()))
_LOCK = _GET.with_for_update()
_GET_VERSION = select(*_VERSION).where(
    _v.c.template_id == bindparam("id", type_=Uuid()), _v.c.number == bindparam("n", type_=Integer())
)
_LOCK_VERSION = _GET_VERSION.with_for_update()
_VERSIONS = select(*_VERSION).where(_v.c.template_id == bindparam("id", type_=Uuid())).order_by(_v.c.number)


def _template(row: Record) -> Template:
    return Template(**dict(row))


def _variable(fields: Mapping[str, Any]) -> Variable:
    inner = tuple(_variable(field) for field in fields["fields"])
    return Variable(fields["name"], VariableType(fields["type"]), fields["required"], inner)


def _variable_row(of: Variable) -> dict[str, Any]:
    fields = [_variable_row(inner) for inner in of.fields]
    return {"name": of.name, "type": of.type.value, "required": of.required, "fields": fields}


def _content(fields: Mapping[str, Any]) -> Content:
    return Content(
        email={language: EmailText(*parts) for language, parts in fields["email"].items()},
        sms={language: SmsText(text) for language, text in fields["sms"].items()},
    )


def _content_row(of: Content) -> dict[str, Any]:
    return {
        "email": {language: [e.subject, e.text, e.html] for language, e in of.email.items()},
        "sms": {language: s.text for language, s in of.sms.items()},
    }


def _version(row: Record) -> TemplateVersion:
    fields = dict(row)
    fields["status"] = VersionStatus(fields["status"])
    fields["languages"] = tuple(fields["languages"])
    fields["variables"] = tuple(_variable(variable) for variable in fields["variables"])
    fields["content"] = _content(fields["content"])
    return TemplateVersion(**fields)


def _version_row(of: TemplateVersion) -> dict[str, Any]:
    row = {name: getattr(of, name) for name in TemplateVersion.__dataclass_fields__}
    row["status"] = of.status.value
    row["languages"] = list(of.languages)
    row["variables"] = [_variable_row(variable) for variable in of.variables]
    row["content"] = _content_row(of.content)
    return row


async def get(tx: Tx, template_id: UUID) -> Template | None:
    """One template."""
    row = await tx.one(_GET, {"id": template_id})
    return _template(row) if row else None


async def lock(tx: Tx, template_id: UUID) -> Template | None:
    """One template, held until the transaction ends."""
    row = await tx.one(_LOCK, {"id": template_id})
    return _template(row) if row else None


async def add(tx: Tx, of: Template) -> None:
    """Write a new template."""
    fields = {name: getattr(of, name) for name in Template.__dataclass_fields__}
    await tx.run(insert(_t).values(tenant_id=tx.tenant, **fields))


async def change(tx: Tx, template_id: UUID, **values: Any) -> Template:
    """Change columns of a template, and its version."""
    row = await tx.one(
        update(_t).where(_t.c.id == template_id).values(version=_t.c.version + 1, **values).returning(*_TEMPLATE)
    )
    assert row is not None
    return _template(row)


async def list_templates(
    tx: Tx, *, purpose: str | None, approved: bool | None, limit: int, after: tuple[Any, ...] | None
) -> list[Template]:
    """Templates, oldest first."""
    statement = select(*_TEMPLATE).order_by(_t.c.created_at, _t.c.id).limit(limit)
    if purpose is not None:
        statement = statement.where(_t.c.purpose == purpose)
    if approved is not None:
        number = _t.c.approved_number
        statement = statement.where(number.is_not(None) if approved else number.is_(None))
    if after is not None:
        statement = statement.where(tuple_(_t.c.created_at, _t.c.id) > after)
    return [_template(row) for row in await tx.all(statement)]


async def get_version(tx: Tx, template_id: UUID, number: int) -> TemplateVersion | None:
    """One wording."""
    row = await tx.one(_GET_VERSION, {"id": template_id, "n": number})
    return _version(row) if row else None


async def lock_version(tx: Tx, template_id: UUID, number: int) -> TemplateVersion | None:
    """One wording, held until the transaction ends."""
    row = await tx.one(_LOCK_VERSION, {"id": template_id, "n": number})
    return _version(row) if row else None


async def list_versions(tx: Tx, template_id: UUID) -> list[TemplateVersion]:
    """All wordings of a template."""
    return [_version(row) for row in await tx.all(_VERSIONS, {"id": template_id})]


async def get_versions(tx: Tx, wanted: Collection[tuple[UUID, int]]) -> dict[tuple[UUID, int], TemplateVersion]:
    """Several wordings; few, so one by one."""
    found = {key: await get_version(tx, *key) for key in wanted}
    return {key: version for key, version in found.items() if version is not None}


async def add_version(tx: Tx, of: TemplateVersion) -> None:
    """Write a new wording."""
    await tx.run(insert(_v).values(tenant_id=tx.tenant, **_version_row(of)))


async def save_version(tx: Tx, of: TemplateVersion) -> TemplateVersion:
    """Write a wording's new state."""
    row = await tx.one(
        update(_v)
        .where(_v.c.template_id == of.template_id, _v.c.number == of.number)
        .values(**{**_version_row(of), "version": _v.c.version + 1})
        .returning(*_VERSION)
    )
    assert row is not None
    return _version(row)
