"""Customers as their rows hold them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause

from crm_customer.parties.domain import (
    Category,
    Change,
    ContactChannel,
    ContactPoint,
    Customer,
    Kind,
    Profile,
    Status,
    fold,
    search_text,
)
from crm_shared.db.pool import Record

NAME_WORD = "name"
"""Among the channels of contact keys: a word of the name."""
# Looked up by its text: calling an enumeration takes five times as long, and a page of customers has hundreds of them.
_KINDS = {each.value: each for each in Kind}
_CATEGORIES = {each.value: each for each in Category}
_STATUSES = {each.value: each for each in Status}
_CHANNELS = {each.value: each for each in ContactChannel}


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of a record's history."""

    id: UUID
    customer_id: UUID
    at: datetime
    actor: str
    action: str
    changes: tuple[Change, ...]


def to_point(item: Mapping[str, Any]) -> ContactPoint:
    """A contact point as the record holds it."""
    return ContactPoint(
        channel=_CHANNELS[item["channel"]],
        value=item["value"],
        folded=item["folded"],
        preferred=item["preferred"],
        verified=item["verified"],
        valid_from=_day(item["valid_from"]),
        valid_until=_day(item["valid_until"]),
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def shown_of(rows: FromClause) -> list[ColumnElement[Any]]:
    """The columns of customers that `to_customer` reads: without those that only find them."""
    return [column for column in rows.columns if column.name not in ("tenant_id", "name_folded", "search_text")]


def to_customer(row: Record) -> Customer:
    """A customer as its row holds it."""
    return Customer(
        id=row["id"],
        version=row["version"],
        number=row["number"],
        status=_STATUSES[row["status"]],
        completeness=row["completeness"],
        registered_at=row["registered_at"],
        updated_at=row["updated_at"],
        profile=Profile(
            kind=_KINDS[row["kind"]],
            category=_CATEGORIES[row["category"]],
            display_name=row["display_name"],
            given_name=row["given_name"],
            family_name=row["family_name"],
            language=row["language"],
            time_zone=row["time_zone"],
            country=row["country"],
            birth_date=row["birth_date"],
            owner=row["owner"],
            source=row["source"],
            external_source=row["external_source"],
            external_id=row["external_id"],
            attributes=row["attributes"],
            contact_points=tuple([to_point(item) for item in row["contact_points"]]),
        ),
    )


def words_of(profile: Profile) -> list[str]:
    """The words of a customer's name, in their order in any dictionary."""
    return sorted(set(fold(profile.display_name).split()))


def keys_of(profile: Profile) -> list[tuple[str, str]]:
    """What a customer is found by exactly, or by how it begins: each contact point, each word of the name."""
    points = [(point.channel.value, point.folded) for point in profile.contact_points]
    return [*points, *((NAME_WORD, word) for word in words_of(profile))]


def _point_json(point: ContactPoint) -> dict[str, Any]:
    return {
        "channel": point.channel.value,
        "value": point.value,
        "folded": point.folded,
        "preferred": point.preferred,
        "verified": point.verified,
        "valid_from": None if point.valid_from is None else point.valid_from.isoformat(),
        "valid_until": None if point.valid_until is None else point.valid_until.isoformat(),
    }


def to_row(tenant: UUID, item: Customer) -> dict[str, Any]:
    profile = item.profile
    return {
        "tenant_id": tenant,
        "id": item.id,
        "version": item.version,
        "status": item.status.value,
        "kind": profile.kind.value,
        "category": profile.category.value,
        "display_name": profile.display_name,
        "given_name": profile.given_name,
        "family_name": profile.family_name,
        "language": profile.language,
        "time_zone": profile.time_zone,
        "country": profile.country,
        "birth_date": profile.birth_date,
        "owner": profile.owner,
        "source": profile.source,
        "external_source": profile.external_source,
        "external_id": profile.external_id,
        "attributes": dict(profile.attributes or {}),
        "contact_points": [_point_json(point) for point in profile.contact_points],
        "completeness": item.completeness,
        "name_folded": fold(profile.display_name),
        "search_text": search_text(profile),
        "registered_at": item.registered_at,
        "updated_at": item.updated_at,
    }


def to_audit_row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "audit_id": entry.id,
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "changes": changes_json(entry.changes),
    }


def changes_json(changes: Iterable[Change]) -> list[dict[str, Any]]:
    return [{"field": change.field, "old": change.old, "new": change.new} for change in changes]
