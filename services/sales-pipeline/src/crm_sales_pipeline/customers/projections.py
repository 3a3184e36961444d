"""Keeping the local copy from the customer service's events."""

from collections.abc import Sequence

from pydantic import Field

from crm_sales_pipeline.customers import store
from crm_sales_pipeline.customers.store import CustomerState
from crm_sales_pipeline.identifiers import CustomerId
from crm_shared.bus.handlers import Projections, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact

PROJECTIONS = Projections()


class ContactPoint(Fact):
    """One way to reach a customer."""

    channel: str
    value: str
    preferred: bool = False


class CustomerFact(Fact):
    """What sales reads of a customer's full state."""

    kind: str | None = None
    display_name: str | None = None
    language: str | None = None
    country: str | None = None
    contact_points: list[ContactPoint] = Field(default_factory=list[ContactPoint])

    def reach(self, channel: str) -> str | None:
        """The preferred address of a channel, else the first."""
        points = [point for point in self.contact_points if point.channel == channel]
        return max(points, key=lambda point: point.preferred).value if points else None


class LifecycleFact(Fact):
    """A customer's lifecycle state."""

    state: str


class ValueFact(Fact):
    """A customer's value group."""

    group: str


class SnapshotFact(CustomerFact):
    """All of it at once."""

    lifecycle: LifecycleFact | None = None
    value: ValueFact | None = None


class MergedFact(Fact):
    """Two customers turned out to be one."""

    survivor_id: CustomerId
    merged_id: CustomerId


class UnmergedFact(Fact):
    """They were two after all."""

    survivor_id: CustomerId
    restored_id: CustomerId


def _state(event: Received[CustomerFact] | Received[SnapshotFact]) -> CustomerState:
    fact = event.data
    return CustomerState(
        id=event.aggregate_id,
        kind=fact.kind,
        display_name=fact.display_name,
        language=fact.language,
        country=fact.country,
        email=fact.reach("email"),
        phone=fact.reach("phone"),
    )


@PROJECTIONS.on("crm.customer.registered.v1", CustomerFact)
@PROJECTIONS.on("crm.customer.updated.v1", CustomerFact)
async def customer_described(tx: Tx, events: Sequence[Received[CustomerFact]]) -> None:
    """Both events carry the full state."""
    await store.fill(tx, [_state(event) for event in events])


@PROJECTIONS.on("crm.customer.snapshot.v1", SnapshotFact)
async def customer_snapshot(tx: Tx, events: Sequence[Received[SnapshotFact]]) -> None:
    """A snapshot replaces all we have."""
    await store.fill(tx, [_state(event) for event in events])
    lifecycles = [(event.aggregate_id, event.data.lifecycle.state) for event in events if event.data.lifecycle]
    values = [(event.aggregate_id, event.data.value.group) for event in events if event.data.value]
    await store.set_lifecycle(tx, lifecycles)
    await store.set_value(tx, values)


@PROJECTIONS.on("crm.customer.lifecycle-changed.v1", LifecycleFact)
async def lifecycle_changed(tx: Tx, events: Sequence[Received[LifecycleFact]]) -> None:
    """The state feeds the score of new leads."""
    await store.set_lifecycle(tx, [(event.aggregate_id, event.data.state) for event in events])


@PROJECTIONS.on("crm.customer.value-rated.v1", ValueFact)
async def value_rated(tx: Tx, events: Sequence[Received[ValueFact]]) -> None:
    """The group is shown beside leads and deals."""
    await store.set_value(tx, [(event.aggregate_id, event.data.group) for event in events])


@PROJECTIONS.on("crm.customer.merged.v1", MergedFact)
async def customer_merged(tx: Tx, events: Sequence[Received[MergedFact]]) -> None:
    """Published under both keys; saying it twice changes nothing."""
    for event in events:
        await store.add_alias(tx, merged_id=event.data.merged_id, survivor_id=event.data.survivor_id)


@PROJECTIONS.on("crm.customer.unmerged.v1", UnmergedFact)
async def customer_unmerged(tx: Tx, events: Sequence[Received[UnmergedFact]]) -> None:
    """References were kept as given, so dropping the alias restores them exactly."""
    for event in events:
        await store.drop_alias(tx, event.data.restored_id)
