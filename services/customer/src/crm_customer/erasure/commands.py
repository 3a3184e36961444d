"""Forgetting a person."""

from datetime import datetime
from uuid import UUID

from crm_customer.erasure import store
from crm_customer.erasure.events import CustomerErased
from crm_customer.parties.store import aliases, reading, vocabulary, writing
from crm_customer.parties.store.rows import words_of
from crm_customer.segments.store import segments
from crm_shared.db.inbox import mark_erased
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer


async def erase(tx: Tx, viewer: Viewer, customer_id: UUID, *, now: datetime) -> None:
    """Forget a customer and all records merged into it, for good; late events bring nobody back.

    Raises:
        NotFound: there is no such customer.
    """
    _, records = await aliases.family(tx, customer_id)
    await writing.lock_ids(tx, records)
    for segment_id, members in (await store.memberships(tx, records)).items():
        await segments.add_to_count(tx, segment_id, -members)
    words = {word for record in await reading.many(tx, records) for word in words_of(record.profile)}
    await store.forget(tx, records)
    await vocabulary.doubt(tx, words, now=now)
    for record in records:
        await mark_erased(tx, record, now=now)
        tx.emit(CustomerErased(erased_at=now), aggregate_id=record)
