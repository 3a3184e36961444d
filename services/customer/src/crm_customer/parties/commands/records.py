"""Registering and changing one customer record."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from crm_customer.attributes import store as attributes
from crm_customer.attributes.domain import checked
from crm_customer.parties.domain import (
    MAX_CONTACT_POINTS,
    ContactChannel,
    ContactPoint,
    Customer,
    Profile,
    Registration,
    Status,
    carried_over,
    changes_between,
    completeness,
    named,
)
from crm_customer.parties.events import CustomerRegistered, CustomerUpdated
from crm_customer.parties.normalising import contact_points
from crm_customer.parties.store import aliases, reading, writing
from crm_customer.parties.store.rows import AuditEntry
from crm_shared.db.pool import Tx
from crm_shared.errors import Invalid, NotFound, PreconditionFailed
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer


class Outcome(StrEnum):
    """What an upsert did."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Upserted:
    """What became of one record of an upsert."""

    customer: Customer
    outcome: Outcome

    @property
    def version(self) -> int:
        """The record's version, for its ETag."""
        return self.customer.version


async def register(tx: Tx, viewer: Viewer, data: Registration, *, now: datetime) -> Customer:
    """Register a customer.

    Raises:
        Conflict: the other system's id is taken.
        Invalid: a custom attribute isn't defined or its value isn't right.
    """
    profile = await _with_checked_attributes(tx, data.profile)
    fresh = fresh_customer(profile, registered_at=data.registered_at, now=now)
    created = await writing.register(tx, fresh, audit_entry(viewer, fresh.id, "registered", now=now))
    tx.emit(CustomerRegistered.of(created), aggregate_id=created.id)
    return created


async def change(
    tx: Tx,
    viewer: Viewer,
    customer_id: UUID,
    changes: dict[str, Any],
    *,
    expected_version: int | None,
    now: datetime,
) -> Customer:
    """Change fields of a customer; a merged record's id changes its survivor. Custom attributes merge key by key.

    Raises:
        NotFound: there is no such customer.
        PreconditionFailed: it has changed since the sender saw it.
        Conflict: the other system's id is taken.
    """
    answering = (await aliases.canonical(tx, [customer_id]))[customer_id]
    known = (await writing.lock(tx, [answering])).get(answering)
    if known is None:
        raise NotFound.of("customer", public_id("cus", customer_id))
    if expected_version is not None and expected_version != known.version:
        raise PreconditionFailed("The customer has changed since you read it; read it again.")
    if "attributes" in changes:
        given: dict[str, Any] = changes["attributes"] or {}
        checked(given, await attributes.definitions(tx))
        merged: dict[str, Any] = {**(known.profile.attributes or {}), **given}
        changes = {**changes, "attributes": {name: value for name, value in merged.items() if value is not None}}
    if "contact_points" in changes:
        country = changes.get("country", known.profile.country)
        changes = {**changes, "contact_points": contact_points(changes["contact_points"], country=country)}
    if "display_name" not in changes and {"given_name", "family_name"} & changes.keys():
        changes = {**changes, "display_name": _renamed(known.profile, changes)}
    return await apply(tx, viewer, known, replace(known.profile, **changes), now=now)


def _renamed(profile: Profile, changes: dict[str, Any]) -> str:
    """The display name after a change of name parts: it follows them unless somebody had chosen another."""
    if profile.display_name != named(None, profile.given_name, profile.family_name):
        return profile.display_name
    given = changes.get("given_name", profile.given_name)
    family = changes.get("family_name", profile.family_name)
    return named(None, given, family) or profile.display_name


async def apply(tx: Tx, viewer: Viewer, known: Customer, profile: Profile, *, now: datetime) -> Customer:
    """Give a locked record a new profile; without a difference nothing happens."""
    changed = changed_customer(known, profile, now=now)
    if changed is None:
        return known
    differences = changes_between(known.profile, changed.profile)
    entry = audit_entry(viewer, known.id, "changed", now=now)
    names = [difference.field for difference in differences]
    keys_changed = not {"contact_points", "display_name"}.isdisjoint(names)
    await writing.change(tx, changed, replace(entry, changes=differences), keys_changed=keys_changed)
    tx.emit(CustomerUpdated.of(changed, names), aggregate_id=changed.id)
    return changed


async def upsert(tx: Tx, viewer: Viewer, data: Registration, *, now: datetime) -> Upserted:
    """Register a customer, or bring the one with the same other system's id up to date with what is given."""
    source, external_id = data.profile.external_source, data.profile.external_id
    if source is None or external_id is None:
        return Upserted(await register(tx, viewer, data, now=now), Outcome.CREATED)
    known_id = (await reading.ids_by_external(tx, source, [external_id])).get(external_id)
    if known_id is None:
        return Upserted(await register(tx, viewer, data, now=now), Outcome.CREATED)
    known = (await writing.lock(tx, [known_id]))[known_id]
    profile = overlaid(known.profile, await _with_checked_attributes(tx, data.profile))
    after = await apply(tx, viewer, known, profile, now=now)
    return Upserted(after, Outcome.UPDATED if after.version != known.version else Outcome.UNCHANGED)


async def verify(
    tx: Tx, viewer: Viewer, customer_id: UUID, channel: ContactChannel, folded: str, *, now: datetime
) -> Customer:
    """Mark a contact point as proven to reach the customer.

    Raises:
        NotFound: there is no such customer, or it has no such contact point.
    """
    known = (await writing.lock(tx, [customer_id])).get(customer_id)
    if known is None:
        raise NotFound.of("customer", public_id("cus", customer_id))
    points = known.profile.contact_points
    if not any(point.key == (channel, folded) for point in points):
        raise NotFound("The customer has no such contact point.", code="contact_point_not_found")
    proven = tuple(replace(point, verified=True) if point.key == (channel, folded) else point for point in points)
    return await apply(tx, viewer, known, replace(known.profile, contact_points=proven), now=now)


def fresh_customer(profile: Profile, *, registered_at: datetime | None, now: datetime) -> Customer:
    """A record not yet stored; its number is assigned by the store."""
    tidy = _tidy((), profile)
    return Customer(
        id=new_id(),
        version=1,
        number=0,
        status=Status.ACTIVE,
        profile=tidy,
        completeness=completeness(tidy),
        registered_at=registered_at or now,
        updated_at=now,
    )


def changed_customer(known: Customer, profile: Profile, *, now: datetime) -> Customer | None:
    """The record with a new profile and version, or None where nothing differs."""
    tidy = _tidy(known.profile.contact_points, profile)
    if not changes_between(known.profile, tidy):
        return None
    return replace(known, version=known.version + 1, profile=tidy, completeness=completeness(tidy), updated_at=now)


def overlaid(known: Profile, given: Profile) -> Profile:
    """`known` with what `given` says; what it leaves out stays, contact points and attributes are added."""
    names = (
        "display_name",
        "given_name",
        "family_name",
        "language",
        "time_zone",
        "country",
        "birth_date",
        "owner",
        "source",
    )
    said = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    return replace(
        known,
        kind=given.kind,
        category=given.category,
        attributes={**(known.attributes or {}), **(given.attributes or {})},
        contact_points=_latest_first(known.contact_points, given.contact_points),
        **said,
    )


def _latest_first(known: tuple[ContactPoint, ...], given: tuple[ContactPoint, ...]) -> tuple[ContactPoint, ...]:
    """Known points in their order, brought up to date, then new ones: so a repeated import changes nothing."""
    updates = {point.key: point for point in given}
    kept = [updates.pop(point.key, point) for point in known]
    return (*kept, *updates.values())


def _tidy(before: tuple[ContactPoint, ...], profile: Profile) -> Profile:
    points = carried_over(before, profile.contact_points)
    if len(points) > MAX_CONTACT_POINTS:
        raise Invalid.field(
            "/contact_points", f"A customer has at most {MAX_CONTACT_POINTS} contact points.", code="too_many"
        )
    return replace(profile, contact_points=points, attributes=dict(profile.attributes or {}))


def audit_entry(viewer: Viewer, customer_id: UUID, action: str, *, now: datetime) -> AuditEntry:
    """A line of a record's history without changes yet."""
    return AuditEntry(new_id(), customer_id, now, viewer.subject, action, ())


async def _with_checked_attributes(tx: Tx, profile: Profile) -> Profile:
    if not profile.attributes:
        return profile
    return replace(profile, attributes=checked(profile.attributes, await attributes.definitions(tx)))
