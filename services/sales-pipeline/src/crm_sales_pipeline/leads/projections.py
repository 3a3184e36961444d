"""Forgetting erased people in leads."""

from collections.abc import Sequence

from crm_sales_pipeline.leads import store
from crm_shared.bus.handlers import Projections, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact

PROJECTIONS = Projections()


class NothingRead(Fact):
    """We only need to know who."""


@PROJECTIONS.on("crm.customer.erased.v1", NothingRead)
async def person_erased(tx: Tx, events: Sequence[Received[NothingRead]]) -> None:
    """Name, addresses and interest go; that there was a lead stays."""
    for event in events:
        await store.forget_person(tx, event.aggregate_id)
