"""Registering and changing many customer records in a handful of statements."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from crm_customer.attributes import store as attributes
from crm_customer.attributes.domain import Definition, checked
from crm_customer.parties.commands.records import (
    Outcome,
    Upserted,
    audit_entry,
    changed_customer,
    fresh_customer,
    overlaid,
)
from crm_customer.parties.domain import Customer, Profile, Registration, changes_between
from crm_customer.parties.events import CustomerRegistered, CustomerUpdated
from crm_customer.parties.store import reading, writing
from crm_shared.db.pool import Tx
from crm_shared.errors import CrmError
from crm_shared.tenancy import Viewer

Key = tuple[str, str]
BREATH = 100
"""After so many records others get their turn on the event loop."""


@dataclass(slots=True)
class _Batch:
    """What the records of one batch come to, before anything is written."""

    definitions: dict[str, Definition]
    before: dict[UUID, Customer]
    by_key: dict[Key, UUID]
    now: datetime
    created: dict[UUID, Customer] = field(default_factory=dict[UUID, Customer])
    changed: dict[UUID, Customer] = field(default_factory=dict[UUID, Customer])

    def take(self, item: Registration) -> Upserted:
        profile = item.profile
        if profile.attributes:
            profile = replace(profile, attributes=checked(profile.attributes, self.definitions))
        key = key_of(profile)
        known_id = self.by_key.get(key) if key else None
        if known_id is None:
            fresh = fresh_customer(profile, registered_at=item.registered_at, now=self.now)
            self.created[fresh.id] = fresh
            if key:
                self.by_key[key] = fresh.id
            return Upserted(fresh, Outcome.CREATED)
        return self._bring_up_to_date(known_id, profile)

    def _bring_up_to_date(self, known_id: UUID, profile: Profile) -> Upserted:
        known = self.created.get(known_id) or self.changed.get(known_id) or self.before[known_id]
        after = changed_customer(known, overlaid(known.profile, profile), now=self.now)
        if after is None:
            return Upserted(known, Outcome.UNCHANGED)
        if known_id in self.created:  # the same customer twice in one batch: still its first version
            self.created[known_id] = replace(after, version=1)
        else:
            self.changed[known_id] = replace(after, version=self.before[known_id].version + 1)
        return Upserted(after, Outcome.UPDATED)


def key_of(profile: Profile) -> Key | None:
    """The other system's name and id for a party, if it has them."""
    if profile.external_source is None or profile.external_id is None:
        return None
    return profile.external_source, profile.external_id


async def upsert_many(
    tx: Tx, viewer: Viewer, items: Sequence[Registration], *, now: datetime
) -> list[Upserted | CrmError]:
    """Register each party, or bring the one with the same other system's id up to date; in the order given.

    A record that is refused doesn't hold up the others: its refusal stands in its place.
    """
    profiles = [item.profile for item in items]
    by_key = await reading.ids_by_keys(tx, [key for profile in profiles if (key := key_of(profile))])
    before = await writing.lock(tx, sorted(set(by_key.values())))
    definitions = await attributes.definitions(tx) if any(profile.attributes for profile in profiles) else {}
    batch = _Batch(definitions, before, by_key, now)
    results: list[Upserted | CrmError] = []
    for index, item in enumerate(items):
        if index % BREATH == 0:
            await asyncio.sleep(0)
        try:
            results.append(batch.take(item))
        except CrmError as error:
            results.append(error)
    await _write(tx, viewer, batch)
    return results


async def _write(tx: Tx, viewer: Viewer, batch: _Batch) -> None:
    created, changed = list(batch.created.values()), list(batch.changed.values())
    await writing.learn_names(tx, [*created, *changed])
    entries = [audit_entry(viewer, item.id, "registered", now=batch.now) for item in created]
    await writing.register_many(tx, created, entries)
    await asyncio.sleep(0)
    for item in created:
        tx.emit(CustomerRegistered.of(item), aggregate_id=item.id)
    differences = [changes_between(batch.before[item.id].profile, item.profile) for item in changed]
    await writing.change_many(
        tx,
        changed,
        [
            replace(audit_entry(viewer, item.id, "changed", now=batch.now), changes=difference)
            for item, difference in zip(changed, differences, strict=True)
        ],
    )
    for item, difference in zip(changed, differences, strict=True):
        tx.emit(CustomerUpdated.of(item, [change.field for change in difference]), aggregate_id=item.id)
