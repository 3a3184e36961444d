"""Merging records and taking them apart again, with all that rests on them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from crm_customer.behaviour import commands as behaviour_commands
from crm_customer.behaviour import store as behaviour
from crm_customer.consent import commands as consent
from crm_customer.lifecycle import commands as lifecycle_commands
from crm_customer.lifecycle import store as lifecycle
from crm_customer.merging import store
from crm_customer.merging.domain import Merge, aliases
from crm_customer.merging.events import CustomerMerged, CustomerUnmerged
from crm_customer.parties.commands.records import audit_entry
from crm_customer.parties.domain import Customer, Status
from crm_customer.parties.store import aliases as alias_store
from crm_customer.parties.store import reading, writing
from crm_customer.timeline import store as timeline
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, Invalid, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer

MAX_FAMILY = 50
"""A brake: whatever asks to make more records than this one customer is more likely wrong than right."""


async def merge(tx: Tx, viewer: Viewer, survivor_id: UUID, merged_id: UUID, reason: str, *, now: datetime) -> Customer:
    """Let the survivor answer for another record, which is kept as it is.

    Raises:
        Invalid: the two are the same record.
        NotFound: one of them isn't there.
        Conflict: one of them doesn't answer for itself, or the customer would have too many records.
    """
    if survivor_id == merged_id:
        raise Invalid.field("/merged_id", "A record can't be merged with itself.", code="same_record")
    locked = await writing.lock(tx, [survivor_id, merged_id])
    for each in (survivor_id, merged_id):
        _refuse_unless_free(locked.get(each), each)
    families = await alias_store.families(tx, [survivor_id, merged_id])
    records = [survivor_id, merged_id, *families[survivor_id], *families[merged_id]]
    if len(records) > MAX_FAMILY:
        raise Conflict(f"One customer has at most {MAX_FAMILY} records.", code="family_too_large")
    made = Merge(new_id(), survivor_id, merged_id, now, reason)
    await store.add(tx, made, actor=viewer.subject)
    await _settle(tx, records)
    await writing.set_status(tx, [merged_id], Status.MERGED)
    await writing.touch(tx, survivor_id, now=now)
    await behaviour.hand_over(tx, merged=merged_id, survivor=survivor_id)
    await writing.audit(tx, audit_entry(viewer, survivor_id, f"merged {public_id('cus', merged_id)}", now=now))
    event = CustomerMerged(survivor_id=survivor_id, merged_id=merged_id)
    for each in (survivor_id, merged_id):
        tx.emit(event, aggregate_id=each)
    await timeline.drop_cards(tx, [merged_id])
    await _catch_up(tx, survivor_id, [survivor_id, merged_id], now=now)
    return await _read(tx, survivor_id)


async def unmerge(tx: Tx, viewer: Viewer, survivor_id: UUID, restored_id: UUID, *, now: datetime) -> Customer:
    """Retract a merge: the record answers for itself again, and for what had been merged into it before.

    Raises:
        NotFound: the two haven't been merged.
    """
    merges = await _merges_of_family(tx, survivor_id)
    undone = next((each for each in merges if each.merged_id == restored_id), None)
    if undone is None:
        raise NotFound("These two records are not merged.", code="merge_not_found")
    answering = (await alias_store.canonical(tx, [restored_id]))[restored_id]
    await writing.lock_ids(tx, [answering, restored_id])
    families = await alias_store.families(tx, [answering])
    await store.undo(tx, undone.id, actor=viewer.subject, now=now)
    await _settle(tx, [answering, *families[answering]])
    await writing.set_status(tx, [restored_id], Status.ACTIVE)
    await writing.touch(tx, answering, now=now)
    own = [restored_id, *await alias_store.aliases_of(tx, restored_id)]
    await behaviour.hand_back(tx, survivor=answering, restored=restored_id, family=own)
    await writing.audit(tx, audit_entry(viewer, answering, f"unmerged {public_id('cus', restored_id)}", now=now))
    event = CustomerUnmerged(survivor_id=answering, restored_id=restored_id)
    for each in (answering, restored_id):
        tx.emit(event, aggregate_id=each)
    await _catch_up(tx, answering, [answering, restored_id], now=now)
    return await _read(tx, restored_id)


async def _merges_of_family(tx: Tx, customer_id: UUID) -> list[Merge]:
    _, ids = await alias_store.family(tx, customer_id)
    return await store.in_force_among(tx, ids)


async def _settle(tx: Tx, records: Sequence[UUID]) -> None:
    """Work out anew which of these records answers for which."""
    found = aliases(await store.in_force_among(tx, records))
    await store.set_aliases(tx, records, found.values())


async def _catch_up(tx: Tx, head: UUID, changed: Sequence[UUID], *, now: datetime) -> None:
    """Bring what is derived in line: consent at once and strictly, the rest as after any change."""
    free = [each for each in changed if (await alias_store.canonical(tx, [each]))[each] == each]
    await consent.bring_up_to_date(tx, set(free), now=now)
    await behaviour.sum_up(tx, changed)
    await timeline.refresh_cards(tx, free, now=now)
    await lifecycle_commands.evaluate(tx, free, await lifecycle.rules(tx), now=now)
    await behaviour_commands.announce_change(tx, changed, now=now)


def _refuse_unless_free(known: Customer | None, customer_id: UUID) -> None:
    if known is None:
        raise NotFound.of("customer", public_id("cus", customer_id))
    if known.status is not Status.ACTIVE:
        text = f"The record {public_id('cus', customer_id)} is part of another customer; take it apart first."
        raise Conflict(text, code="already_merged")


async def _read(tx: Tx, customer_id: UUID) -> Customer:
    found = await reading.get(tx, customer_id)
    assert found is not None
    return found
