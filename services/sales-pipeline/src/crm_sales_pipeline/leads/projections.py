"""Forgetting erased people: in leads, and then in the local copy that says which leads were theirs."""

from collections.abc import Sequence

from crm_sales_pipeline.customers import store as customers
from crm_sales_pipeline.leads import store
from crm_shared.bus.handlers import Projections, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact, Instant

PROJECTIONS = Projections()


class ErasedFact(Fact):
    """A customer's personal data is to be forgotten."""

    erased_at: Instant


@PROJECTIONS.on("crm.customer.erased.v1", ErasedFact)
async def person_erased(tx: Tx, events: Sequence[Received[ErasedFact]]) -> None:
    """Name, addresses and interest go, also from leads that came in by the same address; the copy goes last."""
    for event in events:
        known = await customers.get(tx, event.aggregate_id)
        ids = await customers.known_as(tx, event.aggregate_id)
        await store.forget_person(tx, ids, email=known.email if known is not None else None)
        await customers.erase(tx, event.aggregate_id, at=event.data.erased_at)
