"""Publishing every customer anew."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from crm_customer.behaviour.domain import exact
from crm_customer.consent import store as consent
from crm_customer.lifecycle import store as lifecycle
from crm_customer.pacing import pages_of_customers, total_customers
from crm_customer.parties.events import party_fields
from crm_customer.parties.store import aliases, writing
from crm_customer.segments.store import segments
from crm_customer.transfer.events import ConsentNow, CustomerSnapshot, LifecycleNow, ValueNow
from crm_customer.value import store as value
from crm_shared.db.operations import Job
from crm_shared.db.pool import Tx


async def republish(job: Job) -> dict[str, Any]:
    """Walk over all records and publish a snapshot of each, taken under its row's lock."""
    total = await total_customers(job)
    done = int(job.state.get("done", 0))
    async for ids in pages_of_customers(job):
        async with job.transaction() as tx:
            await _publish(tx, ids)
            done += len(ids)
            job.state["done"] = done
            await job.progress(done, total, tx=tx)
    return {"customers": done}


async def _publish(tx: Tx, ids: Sequence[UUID]) -> None:
    records = await writing.lock(tx, ids)
    answering = await aliases.canonical(tx, ids)
    consents: defaultdict[UUID, list[ConsentNow]] = defaultdict(list)
    for state in (await consent.states(tx, ids)).values():
        consents[state.customer_id].append(
            ConsentNow(
                consent_id=state.entry_id,
                purpose=state.purpose,
                channel=state.channel,
                status=state.status.value,
                expires_at=state.expires_at,
            )
        )
    stands = {each.customer_id: each for each in await lifecycle.standings(tx, ids)}
    rated = {each.rating.customer_id: each for each in await value.rated_many(tx, ids)}
    inside: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for member in await segments.of_customers(tx, ids):
        inside[member.customer_id].append(member.segment_id)
    for customer_id, record in records.items():
        snapshot = CustomerSnapshot(
            **party_fields(record.profile, record.registered_at),
            consents=consents[customer_id],
            lifecycle=_lifecycle(stands.get(customer_id)),
            value=_value(rated.get(customer_id)),
            segments=inside[customer_id],
            merged_into=None if answering[customer_id] == customer_id else answering[customer_id],
        )
        tx.emit(snapshot, aggregate_id=customer_id)


def _lifecycle(standing: lifecycle.Standing | None) -> LifecycleNow | None:
    if standing is None or standing.since is None:
        return None
    return LifecycleNow(state=standing.state.value, reason=standing.reason, changed_at=standing.since)


def _value(rated: value.Rated | None) -> ValueNow | None:
    if rated is None:
        return None
    rating = rated.rating
    return ValueNow(
        recency=rating.recency,
        frequency=rating.frequency,
        monetary=rating.monetary,
        group=rating.group.value,
        purchases=rating.purchases,
        last_purchase_at=rating.last_purchase_at,
        total=exact(rating.total, rating.currency),
        rated_at=rated.rated_at,
    )
