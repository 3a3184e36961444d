"""Writing and approving templates, and showing what a customer would read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_communication_dispatch.customers import store as customers
from crm_communication_dispatch.templates import store
from crm_communication_dispatch.templates.domain import (
    Content,
    Template,
    TemplateVersion,
    Variable,
    VersionStatus,
    check_shape,
    content_hash,
    missing_translations,
    require_draft,
)
from crm_communication_dispatch.templates.rendering import Reader, RenderedEmail, check_sources, compiled
from crm_communication_dispatch.templates.sandbox import TemplateRefused
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, Invalid, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer
from crm_shared.versions import expect_version


@dataclass(frozen=True, slots=True)
class Wording:
    """What an author writes."""

    languages: Sequence[str]
    variables: Sequence[Variable]
    content: Content


@dataclass(frozen=True, slots=True)
class Preview:
    """What one customer would read on one channel."""

    channel: str
    language: str
    email: RenderedEmail | None
    text: str | None


async def create_template(
    tx: Tx, viewer: Viewer, name: str, purpose: str, wording: Wording, *, now: datetime
) -> Template:
    """A new template with its first draft."""
    made = Template(new_id(), name, purpose, None, 1, 1, now, now)
    draft = _draft(made.id, 1, wording, viewer, now)
    await store.add(tx, made)
    await store.add_version(tx, draft)
    return made


async def rename_template(
    tx: Tx, viewer: Viewer, template_id: UUID, changes: Mapping[str, Any], *, expected: int | None, now: datetime
) -> Template:
    """Change a template's name or purpose."""
    del viewer
    found = await _locked(tx, template_id)
    expect_version(found.version, expected)
    return await store.change(tx, template_id, updated_at=now, **changes)


async def add_version(tx: Tx, viewer: Viewer, template_id: UUID, wording: Wording, *, now: datetime) -> TemplateVersion:
    """A new draft beside the versions there are."""
    found = await _locked(tx, template_id)
    draft = _draft(template_id, found.latest_number + 1, wording, viewer, now)
    await store.add_version(tx, draft)
    await store.change(tx, template_id, latest_number=draft.number, updated_at=now)
    return draft


async def rewrite_version(
    tx: Tx, viewer: Viewer, key: tuple[UUID, int], wording: Wording, *, expected: int | None, now: datetime
) -> TemplateVersion:
    """Replace the wording of a draft, named by template and number.

    Raises:
        Conflict: it has been approved.
    """
    template_id, number = key
    version = await _locked_version(tx, template_id, number)
    require_draft(version)
    expect_version(version.version, expected)
    draft = _draft(template_id, number, wording, viewer, now)
    return await store.save_version(tx, replace(draft, created_by=version.created_by, created_at=version.created_at))


async def approve_version(
    tx: Tx, viewer: Viewer, template_id: UUID, number: int, *, expected: int | None, now: datetime
) -> TemplateVersion:
    """Make a wording final, and the one that is used from now on.

    Raises:
        Conflict: it has been approved already, or a translation is missing.
    """
    await _locked(tx, template_id)
    version = await _locked_version(tx, template_id, number)
    require_draft(version)
    expect_version(version.version, expected)
    missing = missing_translations(version)
    if missing:
        raise Conflict("A translation is missing; write it first.", code="translation_missing", errors=missing)
    approved = await store.save_version(
        tx, replace(version, status=VersionStatus.APPROVED, approved_by=viewer.subject, approved_at=now)
    )
    await store.change(tx, template_id, approved_number=number, updated_at=now)
    return approved


def _draft(template_id: UUID, number: int, wording: Wording, viewer: Viewer, now: datetime) -> TemplateVersion:
    languages, variables = tuple(wording.languages), tuple(wording.variables)
    draft = TemplateVersion(
        template_id=template_id,
        number=number,
        status=VersionStatus.DRAFT,
        languages=languages,
        variables=variables,
        content=wording.content,
        content_hash=content_hash(languages, variables, wording.content),
        created_by=viewer.subject,
        created_at=now,
        approved_by=None,
        approved_at=None,
        version=1,
    )
    errors = check_shape(languages, variables, wording.content) or check_sources(draft)
    if errors:
        raise Invalid(errors[0].message, code="template_invalid", errors=errors)
    return draft


async def _locked(tx: Tx, template_id: UUID) -> Template:
    found = await store.lock(tx, template_id)
    if found is None:
        raise NotFound.of("template", public_id("tpl", template_id))
    return found


async def _locked_version(tx: Tx, template_id: UUID, number: int) -> TemplateVersion:
    version = await store.lock_version(tx, template_id, number)
    if version is None:
        raise NotFound(f"There is no version {number} of this template.", code="template_version_not_found")
    return version


async def usable_version(tx: Tx, template_id: UUID, number: int | None) -> TemplateVersion:
    """The version to send: the one named, or the newest approved.

    Raises:
        NotFound: there is no such template or version.
        Conflict: it hasn't been approved.
    """
    found = await store.get(tx, template_id)
    if found is None:
        raise NotFound.of("template", public_id("tpl", template_id))
    chosen = number if number is not None else found.approved_number
    version = await store.get_version(tx, template_id, chosen) if chosen is not None else None
    if version is None and number is not None:
        raise NotFound(f"There is no version {number} of this template.", code="template_version_not_found")
    if version is None or version.status is not VersionStatus.APPROVED:
        raise Conflict("The template has no approved version to send.", code="template_not_approved")
    return version


class SampleLinks:
    """Addresses that lead nowhere, for previews."""

    def click(self, index: int) -> str:
        return f"https://example.invalid/click/{index}"

    def unsubscribe(self) -> str:
        return "https://example.invalid/unsubscribe"

    def web_view(self) -> str:
        return "https://example.invalid/view"


@dataclass(frozen=True, slots=True)
class SampleReader:
    """A made-up customer."""

    given_name: str | None = "Alex"
    family_name: str | None = "Example"
    display_name: str | None = "Alex Example"
    language: str | None = None
    country: str | None = "DE"


@dataclass(frozen=True, slots=True)
class PreviewOrder:
    """What to show: for a real customer, or a made-up one in a language."""

    channel: str
    customer_id: UUID | None
    language: str | None
    variables: Mapping[str, Any]


async def preview(tx: Tx, viewer: Viewer, template_id: UUID, number: int, order: PreviewOrder) -> Preview:
    """What a customer would read.

    Raises:
        Invalid: a variable is missing, or the version doesn't speak this channel.
    """
    del viewer
    version = await store.get_version(tx, template_id, number)
    if version is None:
        raise NotFound(f"There is no version {number} of this template.", code="template_version_not_found")
    reader: Reader = SampleReader(language=order.language)
    if order.customer_id is not None:
        customer = await customers.get_customer(tx, order.customer_id)
        if customer is None or customer.erased_at is not None:
            raise NotFound.of("customer", public_id("cus", order.customer_id))
        reader = customer
    return render_preview(version, reader, order)


def render_preview(version: TemplateVersion, reader: Reader, order: PreviewOrder) -> Preview:
    """The rendering of a version for a reader, with links that lead nowhere."""
    if order.channel not in version.content.channels():
        raise Invalid.field("/channel", f"This version says nothing by {order.channel}.", code="channel_missing")
    made = compiled(version)
    values = made.values_for(reader, order.variables, coupon="SAMPLE42")
    language = made.language_for(order.channel, order.language or reader.language)
    try:
        if order.channel == "email":
            return Preview("email", language, made.email(language).render(values, SampleLinks()), None)
        return Preview("sms", language, None, made.sms(language).render({**values, "links": SampleLinks()}))
    except TemplateRefused as refused:
        raise Invalid(str(refused), code=refused.code) from refused
